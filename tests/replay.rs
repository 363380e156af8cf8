//! `policy.replay` and `imsgd policy replay`: what another policy would have decided, found without leaving a trace.

use std::process::{Child, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imsgd::sim::Incoming;
use rusqlite::types::Value as Column;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Answered, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, OTHER_FRIEND, STRANGER, TestDaemon, eventually,
    signal, wait_for, wrong_components,
};

/// Admits one of the friends, and the group.
const CANDIDATE: &str = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['+14155550101']\n\
    [policy.groups.'*']\nrequire_mention = false\n";

const GROUP: &str = "any;+;chat42";

/// A home with a short history: seven messages to judge.
fn home(config: &str) -> Home {
    let home = Home::new(config);
    home.receive_from(FRIEND, "one");
    home.receive_from(OTHER_FRIEND, "two");
    home.receive_from(STRANGER, "let me in");
    home.receive_in(GROUP, FRIEND, "to all");
    home.receive_from(OTHER_FRIEND, "three");
    home.receive_in(GROUP, OTHER_FRIEND, "to all, too");
    home.receive_from(FRIEND, "four");
    home
}

fn slow_home() -> Home {
    let home = Home::new(FRIENDS);
    for number in 0..200 {
        home.receive_from(FRIEND, &format!("message {number}"));
    }
    home.add_plugin("hostile.wasm", HOSTILE);
    home
}

/// A candidate that takes as long for each message as a policy may, which is a minute for all of them.
fn slow() -> Value {
    json!({"config": format!("{FRIENDS}{}", Home::hostile("on_filter = 'loop'")), "examples": 1})
}

/// As a process, beside the configuration in force, with JSON on stdout.
fn replayed(home: &Home, arguments: &[&str]) -> Answered {
    let config = home.path("config.toml");
    let common = ["policy", "replay", "--json", "--against", config.to_str().unwrap()];
    home.run_bare(&[&common[..], arguments].concat())
}

fn found(home: &Home, arguments: &[&str]) -> Value {
    let answered = replayed(home, arguments);
    assert!(answered.status.success(), "{answered:?}");
    assert_eq!((answered.stdout.lines().count(), answered.stderr.as_str()), (1, ""));
    serde_json::from_str(&answered.stdout).unwrap()
}

/// The path of a file in `home` with this content.
fn written(home: &Home, name: &str, content: &[u8]) -> String {
    let path = home.path(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What is not zero.
fn counted(counts: &Value) -> Value {
    let counts = counts.as_object().unwrap().iter().filter(|(_, count)| **count != 0);
    Value::Object(counts.map(|(name, count)| (name.clone(), count.clone())).collect())
}

/// A table with its rows.
type Table = (String, Vec<Vec<Column>>);

/// Every row of every table of state.db.
fn rows(home: &Home) -> Vec<Table> {
    let state = home.state();
    let mut tables = state.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let all = |table: String| {
        let mut query = state.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = query.query_map([], row).unwrap().map(Result::unwrap).collect();
        (table, rows)
    };
    tables.into_iter().map(all).collect()
}

fn unchanged(before: &[Table], now: &[Table]) {
    assert_eq!(before.len(), now.len());
    for (before, now) in before.iter().zip(now) {
        assert_eq!(before, now);
    }
}

/// Without what a clock has to say.
fn timeless(mut report: Value) -> Value {
    for key in ["took_ms", "messages_per_second"] {
        report[key].take();
    }
    for side in ["present", "candidate"] {
        for policy in report[side]["policies"].as_array_mut().unwrap() {
            for key in ["mean_us", "p50_us", "p99_us", "total_ms"] {
                policy[key].take();
            }
        }
    }
    report
}

#[test]
fn a_replay_judges_what_was_judged_when_it_came_and_decides_the_same() {
    let config = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['+14155550101']\n[policy.groups.'*']\n";
    let daemon = TestDaemon::new(config);
    let text = daemon.receive_from(FRIEND, "one");
    let from_friend = |text: &str| Incoming::new(FRIEND, text);
    let reaction = |kind: &str| Incoming {
        tapback: Some(kind.parse().unwrap()),
        target: Some(text.guid.clone()),
        ..from_friend("one")
    };
    daemon.receive(&Incoming { from_me: true, ..from_friend("our own") });
    daemon.receive(&reaction("like"));
    daemon.receive(&reaction("sticker"));
    daemon.receive_in(GROUP, OTHER_FRIEND, "to all");
    daemon.receive_from(STRANGER, "let me in");
    let last = daemon.receive_from(FRIEND, "two");
    eventually("all is judged", || daemon.journal(&last.guid));
    let state = daemon.state();
    let mut query = state.prepare("SELECT verdict, COUNT(*) FROM journal GROUP BY verdict").unwrap();
    let counts = query.query_map([], |row| Ok((row.get::<_, String>(0)?, json!(row.get::<_, i64>(1)?)))).unwrap();
    let journal: Value = Value::Object(counts.map(Result::unwrap).collect());
    assert_eq!(journal, json!({"delivered": 3, "observed": 1, "rejected": 1}));
    let report = daemon.connect().ok("policy.replay", json!({"config": config}));
    assert_eq!(counted(&report["present"]["verdicts"]), journal, "{report}");
    assert_eq!((&report["judged"], &report["different"]), (&json!(5), &json!(0)));
}

#[test]
fn a_candidate_configuration_is_compared_with_what_is_in_force() {
    let home = home(FRIENDS);
    let report = found(&home, &["--config", &written(&home, "new.toml", CANDIDATE.as_bytes())]);
    let whole = (&report["judged"], &report["same"], &report["different"], &report["stopped_early"]);
    assert_eq!(whole, (&json!(7), &json!(3), &json!(4), &json!(false)));
    assert_eq!(counted(&report["present"]["verdicts"]), json!({"delivered": 4, "rejected": 3}));
    assert_eq!(counted(&report["candidate"]["verdicts"]), json!({"delivered": 4, "rejected": 3}));
    assert_eq!(counted(&report["changes"]), json!({"admitted": 2, "rejected": 2}));
    let sender = |at: usize| (report["senders"][at]["sender"].clone(), counted(&report["senders"][at]["changes"]));
    assert_eq!(sender(0), (json!(OTHER_FRIEND), json!({"admitted": 1, "rejected": 2})));
    assert_eq!(sender(1), (json!(FRIEND), json!({"admitted": 1})));
    assert_eq!((&report["senders_different"], &report["chats_different"]), (&json!(2), &json!(2)));
    let chats = report["chats"].as_array().unwrap();
    let group = chats.iter().find(|chat| chat["is_group"] == true).unwrap();
    assert_eq!(counted(&group["changes"]), json!({"admitted": 2}));
    // The newest of each sender.
    let examples: Vec<_> =
        report["examples"].as_array().unwrap().iter().map(|example| (&example["change"], &example["text"])).collect();
    let expected = [("admitted", "to all"), ("admitted", "to all, too"), ("rejected", "three")];
    assert_eq!(
        examples,
        expected.map(|(change, text)| (json!(change), json!(text))).iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
    let rejected = &report["examples"][2];
    assert_eq!(rejected["present"]["decided_by"]["name"], "allowlist");
    assert_eq!(
        (&rejected["present"]["route"], &rejected["candidate"]["verdict"]),
        (&json!("main"), &json!("rejected"))
    );
}

#[test]
fn a_candidate_plugin_is_asked_like_one_that_was_dropped_into_the_folder() {
    let home = home(FRIENDS);
    let plugin = written(&home, "quiet.wasm", HOSTILE);
    let report = found(&home, &["--plugin", &plugin]);
    assert_eq!((&report["judged"], &report["different"]), (&json!(7), &json!(0)));
    let policies = |side: &str| -> Vec<Value> {
        report[side]["policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| json!([policy["name"], policy["calls"], policy["shared"]]))
            .collect()
    };
    assert_eq!(policies("present"), [json!(["allowlist", 5, true])]);
    // Asked about admission and as a filter.
    assert_eq!(policies("candidate"), [json!(["quiet", 9, false]), json!(["allowlist", 5, true])]);
}

#[test]
fn a_candidate_plugin_takes_the_place_of_the_one_of_its_name_with_its_configuration() {
    let home = home(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'drop', only_text = 'two'")));
    home.add_plugin("hostile.wasm", &std::fs::read("tests/guests/wasi.wasm").unwrap());
    let plugin = written(&home, "candidate.wasm", HOSTILE);
    let report = found(&home, &["--plugin", &plugin, "--name", "hostile", "--examples", "0", "--until", "2100-01-01"]);
    assert_eq!(report["candidate"]["verdicts"]["dropped"], 1, "{report}");
    assert_eq!(report["examples"], json!([]));
}

#[test]
fn only_messages_of_the_span_and_the_chat_are_judged() {
    let home = home(FRIENDS);
    let new = written(&home, "new.toml", CANDIDATE.as_bytes());
    let judged = |arguments: &[&str]| found(&home, &[&["--config", &new], arguments].concat())["judged"].clone();
    assert_eq!(judged(&["--since", "1h"]), 7);
    assert_eq!(judged(&["--until", "2001-01-02"]), 0);
    assert_eq!(judged(&["--since", "2100-01-01"]), 0);
    assert_eq!(judged(&["--chat", "1"]), 2);
    assert_eq!(judged(&["--chat-id", "99"]), 0);
    let answered = replayed(&home, &["--config", &new, "--since", "soon"]);
    assert!(!answered.status.success() && answered.stderr.contains("such as 30d"), "{answered:?}");
}

#[test]
fn each_side_has_what_its_plugins_keep_for_itself() {
    let counting = |allowed: &str| {
        format!("[policy]\nbundled = ['allowlist']\nallow_from = [{allowed}]\n{}", Home::hostile("on_filter = 'count'"))
    };
    let home = home(&counting("'+14155550101', '+14155550102'"));
    home.add_plugin("hostile.wasm", HOSTILE);
    let report = found(&home, &["--config", &written(&home, "new.toml", counting("'+14155550101'").as_bytes())]);
    // Labels count what the filter has seen: 1, 2, 3, 4 now, and 1, 2 without the other friend.
    assert_eq!(counted(&report["changes"]), json!({"rejected": 2, "labelled": 1}));
    let labelled =
        report["examples"].as_array().unwrap().iter().find(|example| example["change"] == "labelled").unwrap();
    assert_eq!((&labelled["present"]["labels"], &labelled["candidate"]["labels"]), (&json!(["4"]), &json!(["2"])));
}

#[test]
fn a_component_in_the_place_of_a_broken_one_has_its_configuration() {
    let home = home(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap'")));
    home.add_plugin("hostile.wasm", b"torn");
    let daemon = TestDaemon::start(home);
    let params = json!({"plugin": BASE64_STANDARD.encode(HOSTILE), "name": "hostile"});
    let report = daemon.connect().ok("policy.replay", params);
    assert_eq!(report["candidate"]["policies"][0]["failures"], 4, "{report}");
}

#[test]
fn a_candidate_that_traps_holds_messages_and_says_why() {
    let home = home(FRIENDS);
    home.add_plugin("hostile.wasm", HOSTILE);
    let trap = format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap', only_text = 'o'"));
    let report = found(&home, &["--config", &written(&home, "new.toml", trap.as_bytes())]);
    // "one", "two" and "four"; what is rejected is not filtered.
    assert_eq!(counted(&report["changes"]), json!({"failed": 3}));
    let hostile = &report["candidate"]["policies"][0];
    assert_eq!((&hostile["name"], &hostile["failures"]), (&json!("hostile"), &json!(3)));
    assert!(hostile["last_failure"].as_str().unwrap().ends_with(": told to trap"), "{hostile}");
    assert_eq!(report["examples"][0]["candidate"]["verdict"], "held");
}

#[test]
fn a_daemon_finds_the_same_and_nothing_is_kept_or_sent() {
    let config = format!(
        "{FRIENDS_AND_STRANGERS}[[plugin]]\nname = 'hostile'\npath = 'hostile.wasm'\n\
        config = {{ on_filter = 'count' }}\n"
    );
    let home = Home::new(&config);
    home.add_plugin("hostile.wasm", HOSTILE);
    let mut daemon = TestDaemon::start(home);
    daemon.receive_from(FRIEND, "live one");
    let stranger = daemon.receive_from(STRANGER, "live two");
    eventually("all is judged", || daemon.journal(&stranger.guid));
    daemon.sent_call(0);
    eventually("the answer to the stranger is written down and seen", || {
        let place = daemon.state().query_row("SELECT message_rowid FROM tail", [], |row| row.get::<_, i64>(0));
        (daemon.outbox_state()? == "seen" && place.unwrap() == 3).then_some(())
    });
    let code = daemon.connect().ok("pairing.list", json!({}))["pending"][0]["code"].as_str().unwrap().to_owned();
    let before = (rows(&daemon), daemon.sent().len(), daemon.status()["imsgd"]["verdicts"].clone());
    let candidate = "[policy]\nbundled = ['allowlist', 'pairing', 'group']\nallow_from = []\n";
    let file = written(&daemon, "new.toml", candidate.as_bytes());
    let by_daemon = found(&daemon, &["--config", &file]);
    assert_eq!(counted(&by_daemon["changes"]), json!({"held": 1}));
    let mut client = daemon.connect();
    let params = json!({"config": candidate, "plugin": BASE64_STANDARD.encode(HOSTILE), "name": "extra"});
    assert_eq!(client.ok("policy.replay", params)["candidate"]["policies"][0]["name"], "extra");
    unchanged(&before.0, &rows(&daemon));
    assert_eq!((daemon.sent().len(), &daemon.status()["imsgd"]["verdicts"]), (before.1, &before.2));
    // Whom the owner has let in since is in the copy of what the plugins keep.
    client.ok("pairing.approve", json!({"code": code}));
    let let_in = client.ok("policy.replay", json!({"config": candidate}));
    assert_eq!((&let_in["present"]["verdicts"]["delivered"], &let_in["changes"]["held"]), (&json!(2), &json!(1)));
    drop(client);
    daemon.terminate();
    let files = || ["state.db", "daemon.lock"].map(|file| std::fs::read(daemon.path("state").join(file)).unwrap());
    let before = (rows(&daemon), files());
    let alone = found(&daemon, &["--config", &file]);
    unchanged(&before.0, &rows(&daemon));
    assert_eq!(files(), before.1);
    assert_eq!(timeless(alone), timeless(let_in));
}

#[test]
fn a_candidate_that_cannot_be_used_is_refused_in_words_and_disturbs_nobody() {
    let home = home(FRIENDS);
    home.add_plugin("other.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let before = (daemon.status()["imsgd"]["config_error"].clone(), daemon.connect().ok("plugins.list", json!({})));
    let mut client = daemon.connect();
    let mut refused = |params: Value, words: &str| {
        let refusal = client.refused("policy.replay", params);
        assert_eq!((refusal.code, refusal.message.as_str()), (-32602, "Invalid params"));
        assert!(refusal.data.as_str().unwrap().contains(words), "{refusal:?} {words}");
    };
    for (name, bytes, words) in wrong_components() {
        refused(json!({"plugin_path": written(&daemon, name, &bytes)}), words);
    }
    let told = Home::hostile("on_configure = 'error'").replace("hostile.wasm", "other.wasm");
    refused(json!({"config": format!("{FRIENDS}{told}")}), "on_configure: told to refuse");
    let missing = Home::hostile("").replace("hostile.wasm", "missing.wasm");
    refused(json!({"config": format!("{FRIENDS}{missing}")}), "could not read");
    refused(json!({"config": "[policy]\nallow_form = []\n"}), "the candidate's configuration: ");
    refused(json!({"config": "[policy]\nallow_from = ['nobody at all']\n"}), "allowlist: configuration");
    refused(json!({"plugin_path": "/nowhere/x.wasm"}), "could not read /nowhere/x.wasm");
    refused(json!({"plugin": "?", "name": "x"}), "plugin is no base64");
    refused(json!({"plugin": ""}), "name is required with plugin");
    refused(json!({"plugin": "", "plugin_path": "", "name": "x"}), "use only one of");
    refused(json!({"name": "x"}), "name says what plugin or plugin_path is called");
    refused(json!({"since": "2026-01-01T00:00:00Z"}), "nothing to compare");
    let chunking = std::fs::read("plugins/dist/chunking.wasm").unwrap();
    refused(json!({"plugin": BASE64_STANDARD.encode(chunking), "name": "c"}), "it only splits what is sent");
    let after = (daemon.status()["imsgd"]["config_error"].clone(), daemon.connect().ok("plugins.list", json!({})));
    assert_eq!(after, before);
    // The command says the same, and its own files first.
    let answered = replayed(&daemon, &["--plugin", "daemon.log"]);
    assert!(!answered.status.success() && answered.stderr.contains("is refused"), "{answered:?}");
    let answered = replayed(&daemon, &["--config", "nothing.toml"]);
    assert!(answered.stderr.contains("could not read nothing.toml"), "{answered:?}");
    // And policies still judge.
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "still here");
    assert_eq!(client.texts(1), ["still here"]);
}

fn with_plugins(count: usize) -> String {
    let table = |at| Home::hostile("").replace("name = 'hostile'", &format!("name = 'p{at}'"));
    (0..count).map(table).fold(FRIENDS.to_owned(), |text, table| text + &table)
}

#[test]
fn a_configuration_with_too_many_plugins_is_refused() {
    let home = home(FRIENDS);
    home.add_plugin("hostile.wasm", HOSTILE);
    let many = found(&home, &["--config", &written(&home, "new.toml", with_plugins(64).as_bytes())]);
    assert_eq!(many["candidate"]["policies"].as_array().unwrap().len(), 65);
    let answered = replayed(&home, &["--config", &written(&home, "new.toml", with_plugins(65).as_bytes())]);
    assert!(answered.stderr.contains("65 plugins, and a replay takes 64"), "{answered:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_many_plugins_name_is_in_memory_once() {
    let daemon = TestDaemon::start(home(FRIENDS));
    std::fs::File::create(daemon.plugins().join("hostile.wasm")).unwrap().set_len(32 << 20).unwrap();
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
    };
    let before = peak();
    let refusal = daemon.connect().refused("policy.replay", json!({"config": with_plugins(20)}));
    assert!(refusal.data.as_str().unwrap().contains("not a WebAssembly component"), "{refusal:?}");
    let grown = peak() - before;
    assert!(grown < 200 << 10, "{grown} KiB");
}

#[test]
fn what_is_broken_now_may_not_be_broken_otherwise() {
    let home = home(&format!("{FRIENDS}{}", Home::hostile("on_configure = 'error'")));
    let plugin = written(&home, "candidate.wasm", HOSTILE);
    let answered = replayed(&home, &["--plugin", &plugin, "--name", "hostile"]);
    assert!(answered.stderr.contains("told to refuse"), "{answered:?}");
    let new = home.path("config.toml");
    assert_eq!(found(&home, &["--config", new.to_str().unwrap()])["different"], 0);
}

#[test]
fn what_is_no_regular_file_holds_nobody_up() {
    let daemon = TestDaemon::start(home(FRIENDS));
    let pipe = daemon.path("plugins/pipe.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut client = daemon.connect();
    let table = Home::hostile("").replace("hostile.wasm", "pipe.wasm");
    // A folder too, and a device without end.
    for params in [
        json!({"plugin_path": pipe}),
        json!({"plugin_path": daemon.plugins(), "name": "x"}),
        json!({"plugin_path": "/dev/zero"}),
        json!({"config": format!("{FRIENDS}{table}")}),
    ] {
        let refusal = client.refused("policy.replay", params);
        assert!(refusal.data.as_str().unwrap().contains(": not a regular file"), "{refusal:?}");
    }
    let reloaded = daemon.reload();
    assert!(reloaded.to_string().contains("pipe.wasm: not a regular file"), "{reloaded}");
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "still here");
    assert_eq!(client.texts(1), ["still here"]);
}

#[test]
fn a_replay_tells_how_far_it_has_come_and_can_be_stopped() {
    let daemon = TestDaemon::start(slow_home());
    let mut client = daemon.connect();
    let id = client.ask("policy.replay", slow());
    let progress = client.notification();
    assert_eq!((&progress["method"], &progress["params"]["request"]), (&json!("policy.replay.progress"), &json!(id)));
    assert!(progress["params"]["failed"].as_u64().unwrap() > 0, "{progress}");
    // What it does not hold up.
    let mut watching = daemon.watch();
    daemon.receive_from(FRIEND, "meanwhile");
    assert_eq!(watching.texts(1), ["meanwhile"]);
    let mut other = daemon.connect();
    assert_eq!(other.refused("policy.replay", slow()).code, -32000);
    // Nothing is read for one that cannot be.
    assert_eq!(other.refused("policy.replay", json!({"plugin_path": "/nowhere/x.wasm"})).code, -32000);
    assert_eq!(other.ok("policy.replay_stop", json!({})), json!({"ok": true, "stopped": true}));
    let report = client.answer(id).unwrap();
    assert_eq!((&report["stopped_early"], report["judged"].as_u64() < Some(200)), (&json!(true), true), "{report}");
    assert_eq!(report["judged"], report["candidate"]["verdicts"]["failed"]);
    assert_eq!(other.ok("policy.replay_stop", json!({})), json!({"ok": true, "stopped": false}));
}

#[test]
fn a_replay_ends_with_its_client_and_with_the_daemon() {
    let mut daemon = TestDaemon::start(slow_home());
    let mut client = daemon.connect();
    client.ask("policy.replay", slow());
    client.notification();
    drop(client);
    let mut other = daemon.connect();
    let id = eventually("there is room for another replay", || {
        let id = other.ask("policy.replay", slow());
        // Busy is said at once, and progress soon.
        match other.line().unwrap() {
            line if line.get("method").is_some() => Some(id),
            _ => None,
        }
    });
    daemon.ask_to_stop();
    let report = other.answer(id).unwrap();
    assert_eq!(report["stopped_early"], true);
    assert!(daemon.wait().success());
}

#[cfg(target_os = "linux")]
fn interrupted(home: &Home) {
    let config = written(home, "new.toml", slow()["config"].as_str().unwrap().as_bytes());
    let present = home.path("config.toml");
    let mut command = home.command_bare(&["policy", "replay", "--json", "--config", &config, "--against"]);
    let mut child: Child = command.arg(present).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Asked earlier, it would just end.
    eventually("the command hears of signals", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).ok()? & 2 != 0).then_some(())
    });
    signal(&child, Signal::INT);
    let status = wait_for(&mut child, "imsgd policy replay");
    let answered = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(answered.stdout).unwrap(), String::from_utf8(answered.stderr).unwrap());
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("stopped early"), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["stopped_early"], true);
}

// Elsewhere there is no telling when it has begun.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_command_shows_what_was_done_so_far() {
    interrupted(&TestDaemon::start(slow_home()));
    interrupted(&slow_home());
}

#[test]
fn people_see_bars_tables_and_examples_without_control_characters() {
    let home = home(FRIENDS);
    home.receive_in(GROUP, FRIEND, "a\u{1b}[2Jb");
    let config = home.path("config.toml");
    let new = written(&home, "new.toml", CANDIDATE.as_bytes());
    let answered = home.run_bare(&["policy", "replay", "--against", config.to_str().unwrap(), "--config", &new]);
    let (_, rest) = answered.stdout.split_once('\n').unwrap();
    assert!(answered.stdout.starts_with("8 messages from "), "{answered:?}");
    for words in [
        "\ndelivered  now       4 ████",
        "\n  admitted           3 ████",
        "\nBy sender\n",
        "  +14155550102 1 admitted, 2 rejected\n",
        "\nBy chat\n",
        "\nExamples\n",
        "a\u{fffd}[2Jb\n    rejected: nobody_decided → delivered to group:",
        "\nSide       Policy ",
        " messages a second\n",
    ] {
        assert!(rest.contains(words), "{words}: {rest}");
    }
}
