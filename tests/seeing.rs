//! What the owner sees of each plugin: how it does, what it holds, and its log.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, HOSTILE, Home, TestDaemon, eventually, hostile_build, record};

const WASI: &[u8] = include_bytes!("guests/wasi.wasm");

fn hostile(config: &str) -> TestDaemon {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile(config)));
    home.add_plugin("hostile.wasm", HOSTILE);
    TestDaemon::start(home)
}

fn texts(log: &Value) -> Vec<String> {
    let lines = log["lines"].as_array().unwrap().iter();
    lines.map(|line| format!("{} {} {}", line["by"], line["level"], line["text"]).replace('"', "")).collect()
}

#[test]
fn each_plugin_shows_its_version_calls_failures_times_memory_and_what_it_holds() {
    let daemon = hostile("on_filter = 'trap', only_text = 'bad'");
    let mut client = daemon.watch();
    let fresh = daemon.plugin("hostile").unwrap();
    assert_eq!(json!([fresh["calls"], fresh["held"], fresh.get("p50_us")]), json!([0, 0, null]), "{fresh}");
    daemon.receive_from(FRIEND, "bad");
    daemon.receive_from(FRIEND, "good");
    assert_eq!(client.texts(1), ["good"]);
    let of_status = daemon.status()["imsgd"]["plugins"].clone();
    let of_status = of_status.as_array().unwrap().iter().find(|plugin| plugin["name"] == "hostile").unwrap();
    for plugin in [&daemon.plugin("hostile").unwrap(), of_status] {
        assert_eq!(json!([plugin["failures"], plugin["held"], plugin["state"]]), json!([1, 1, "ready"]), "{plugin}");
        assert!(plugin["calls"].as_u64() >= Some(2) && plugin["version"].is_string(), "{plugin}");
        assert!(plugin["loaded_at"].is_string() && plugin["memory_bytes"].as_u64() >= Some(64 << 10), "{plugin}");
        let (half, most) = (plugin["p50_us"].as_u64().unwrap(), plugin["p99_us"].as_u64().unwrap());
        assert!(half <= most && most < 60_000_000, "{plugin}");
    }
    let allowlist = daemon.plugin("allowlist").unwrap();
    assert_eq!(json!([allowlist["failures"], allowlist["held"]]), json!([0, 0]), "{allowlist}");
    for command in ["plugin list", "status"] {
        let said = daemon.run(&command.split(' ').collect::<Vec<_>>()).stdout;
        let row = said.lines().find(|line| line.trim_start().starts_with("hostile")).unwrap();
        for word in ["1 failed, 1 held", "p50 ", "p99 "] {
            assert!(row.contains(word), "{command}, {word}: {row}");
        }
        // One screen has no room for these.
        for word in ["since 20", " KiB"].iter().filter(|_| command == "plugin list") {
            assert!(row.contains(word), "{command}, {word}: {row}");
        }
    }
}

#[test]
fn the_log_of_a_plugin_has_what_it_wrote_how_it_failed_and_why_it_was_refused() {
    let home = Home::new(FRIENDS);
    home.add_plugin("wasi.wasm", WASI);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let mut follower = daemon.connect();
    let number = follower.ok("plugins.follow", json!({"name": "wasi"}))["subscription"].clone();
    daemon.receive_from(FRIEND, "hello");
    client.texts(1);
    let failed = daemon.receive_from(FRIEND, "exit now");
    eventually("it is held", || daemon.journal(&failed.guid));
    daemon.add_plugin("wasi.wasm", b"half a file");
    daemon.reload();
    daemon.reload();
    let refused = "imsgd error refused: not a WebAssembly component";
    let log = client.ok("plugins.log", json!({"name": "wasi"}));
    let said = texts(&log);
    assert!(said[0].starts_with("imsgd info version ") && said[0].ends_with(" is in force"), "{said:?}");
    assert!(said.contains(&"plugin info a line for the log".to_owned()), "{said:?}");
    let failure = format!("imsgd error failed on message {}: the policy ended itself", failed.rowid);
    assert!(said.contains(&failure), "{said:?}");
    assert_eq!(said.iter().filter(|line| line.starts_with(refused)).count(), 1, "{said:?}");
    assert_eq!(texts(&client.ok("plugins.log", json!({"name": "wasi", "limit": 1}))), said[said.len() - 1..]);
    // The one who follows heard of all but the first, in the same order.
    let lines: Vec<Value> = log["lines"].as_array().unwrap()[1..].to_vec();
    for line in lines {
        let told = follower.notification();
        assert_eq!(told["method"], "plugin.log");
        assert_eq!(told["params"], json!({"subscription": number, "plugin": "wasi", "line": line}));
    }
    follower.ok("watch.unsubscribe", json!({"subscription": number}));
    fs::remove_file(daemon.plugins().join("wasi.wasm")).unwrap();
    daemon.reload();
    assert_eq!(client.refused("plugins.log", json!({"name": "wasi"})).code, -32602);
}

#[test]
fn a_plugin_that_nobody_has_is_answered_with_the_nearest_one() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for method in ["plugins.log", "plugins.follow"] {
        let refusal = client.refused(method, json!({"name": "alowlist"}));
        assert_eq!(refusal.data, "there is no plugin `alowlist`; did you mean `allowlist`?", "{method}");
    }
    let said = daemon.run(&["plugin", "log", "zzz"]);
    assert!(!said.status.success() && said.stderr.contains("there is no plugin `zzz`"), "{said:?}");
}

#[test]
fn who_follows_too_slowly_is_told_how_many_lines_it_missed_and_delays_nobody() {
    let daemon = hostile("on_filter = 'log_flood'");
    // The allowlist is the last to come into force.
    let before = daemon.connect().ok("plugins.log", json!({"name": "allowlist"}))["lines"][0]["number"].clone();
    let before = before.as_u64().unwrap();
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    let request = br#"{"jsonrpc":"2.0","id":1,"method":"plugins.follow","params":{"name":"hostile"}}"#;
    slow.write_all(&[request, b"\n".as_slice()].concat()).unwrap();
    let mut lines = BufReader::new(slow).lines();
    assert!(lines.next().unwrap().unwrap().contains("result"));
    // Each writes some hundred lines before it is cut off.
    let floods: Vec<_> = (0..15).map(|number| daemon.receive_from(FRIEND, &format!("flood {number}"))).collect();
    let last = floods.last().unwrap();
    eventually("the last is held", || daemon.journal(&last.guid));
    let end = format!("failed on message {}: ", last.rowid);
    let (mut told, mut missed) = (0, 0);
    let number = loop {
        let said: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        record(&said);
        if said["method"] == "plugin.log.missed" {
            missed += said["params"]["missed"].as_u64().unwrap();
            continue;
        }
        told += 1;
        let line = &said["params"]["line"];
        if line["text"].as_str().unwrap().starts_with(&end) {
            break line["number"].as_u64().unwrap();
        }
    };
    eprintln!("a reader of a log that stood still: told {told}, missed {missed}");
    assert!(missed > 0 && told + missed == number - before, "told {told}, missed {missed} of {}", number - before);
}

#[test]
fn the_owner_reads_and_follows_the_log_on_the_command_line() {
    let home = Home::new(FRIENDS);
    home.add_plugin("wasi.wasm", WASI);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let mut command = daemon.command(&["plugin", "log", "wasi", "--follow", "--json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    assert_eq!(first["by"], "imsgd");
    daemon.receive_from(FRIEND, "hello");
    client.texts(1);
    let second = next();
    assert_eq!(second["text"], "a line for the log");
    assert!(second["number"].as_u64() > first["number"].as_u64());
    record(&json!({"method": "plugin.log", "params": {"subscription": 1, "plugin": "wasi", "line": second}}));
    child.kill().unwrap();
    child.wait().unwrap();
    let last = daemon.run(&["plugin", "log", "wasi", "-n", "1"]).stdout;
    assert!(last.lines().count() == 1 && last.contains(" info  a line for the log"), "{last}");
    let listed = daemon.run(&["plugin", "list"]).stdout;
    assert!(listed.contains(" info  a line for the log"), "{listed}");
    // A new version goes on in the same log.
    daemon.add_plugin("wasi.wasm", &[WASI, &hostile_build(1)[HOSTILE.len()..]].concat());
    daemon.reload();
    let said = daemon.run(&["plugin", "log", "wasi"]).stdout;
    assert_eq!(said.matches(" is in force").count(), 2, "{said}");
}
