//! The examples for gateways, used as the gateways would use them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, OTHER_FRIEND, TestDaemon, eventually, program, signal, wait_for};

const LABEL: &str = "io.github.imsgd";

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `channels.imessage` of an example.
fn openclaw(name: &str) -> Value {
    let mut root: Value = json5::from_str(&file(&format!("examples/gateways/{name}"))).unwrap();
    root["channels"]["imessage"].take()
}

/// Does with an account of the gateway what OpenClaw does: probes, starts a child, hears and answers.
fn check_serves(daemon: &TestDaemon, account: &Value) {
    assert_eq!(account["cliPath"], "/usr/local/bin/imsgd");
    assert!(account["dbPath"].as_str().unwrap().ends_with("/Library/Messages/chat.db"));
    let db = daemon.db();
    for probe in [&["rpc", "--help"][..], &["status", "--json"]] {
        assert!(daemon.run(probe).status.success(), "{probe:?}");
    }
    let mut child = daemon.stdio(&["rpc", "--json", "--db", db.to_str().unwrap()]);
    assert_eq!(child.client.ok("status", json!({}))["imsgd"]["pid"], daemon.pid());
    let subscription =
        child.client.subscribe(json!({"attachments": true, "include_reactions": true, "since_rowid": 0}));
    daemon.receive_from(FRIEND, "to the gateway");
    assert_eq!(child.client.texts(1), ["to the gateway"]);
    let send = json!({"to": FRIEND, "text": "and back", "service": "auto", "region": "US", "transport": "auto"});
    assert!(child.client.ok("send", send)["id"].is_i64());
    child.client.ok("watch.unsubscribe", json!({"subscription": subscription}));
    assert_eq!(child.finish().code(), Some(0));
}

/// What `imsgd config import` makes of an example.
fn imported(name: &str, arguments: &[&str]) -> toml::Table {
    let home = Home::without_database("");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateways").join(name);
    let import = home.run_bare(&[&["config", "import", path.to_str().unwrap()], arguments].concat());
    assert!(import.status.success(), "{import:?}");
    import.stdout.parse().unwrap()
}

#[test]
fn the_example_of_openclaw_starts_a_child_that_reaches_the_daemon() {
    check_serves(&TestDaemon::new(FRIENDS), &openclaw("openclaw.json5"));
}

#[test]
fn the_example_of_openclaw_is_imported_whole() {
    let config = imported("openclaw.json5", &[]);
    assert_eq!(config["messages"]["db"].as_str(), Some("/Users/ann/Library/Messages/chat.db"));
    let policy = &config["policy"];
    assert_eq!(policy["dm_policy"].as_str(), Some("pairing"));
    assert_eq!(policy["allow_from"][0].as_str(), Some(FRIEND));
    assert_eq!(policy["group_allow_from"][0].as_str(), Some(FRIEND));
    assert_eq!(policy["groups"]["*"]["require_mention"].as_bool(), Some(true));
}

#[test]
fn the_example_of_openclaw_with_two_accounts_is_two_accounts() {
    let accounts = openclaw("openclaw-accounts.json5")["accounts"].take();
    check_serves(&TestDaemon::new(FRIENDS), &accounts["default"]);
    for (name, db, friend) in [
        ("default", "/Users/ann/Library/Messages/chat.db", FRIEND),
        ("bot", "/Users/bot/Library/Messages/chat.db", OTHER_FRIEND),
    ] {
        let config = imported("openclaw-accounts.json5", &["--account", name]);
        assert_eq!(config["messages"]["db"].as_str(), Some(db));
        assert_eq!(config["policy"]["allow_from"][0].as_str(), Some(friend));
    }
}

/// What launchd runs, with the program and the socket of the test.
fn by_launchd(home: &Home, socket: &Path) -> Child {
    let agent = plist::Value::from_reader_xml(file("examples/gateways/socket.plist").as_bytes()).unwrap();
    let agent = agent.as_dictionary().unwrap();
    assert_eq!(agent["Label"].as_string(), Some(LABEL));
    assert_eq!((agent["RunAtLoad"].as_boolean(), agent["KeepAlive"].as_boolean()), (Some(true), Some(true)));
    let words: Vec<&str> =
        agent["ProgramArguments"].as_array().unwrap().iter().map(|word| word.as_string().unwrap()).collect();
    assert_eq!(words, ["/usr/local/bin/imsgd", "serve", "--socket", "/tmp/imsg.sock"]);
    let mut command = home.command(&["serve", "--socket", socket.to_str().unwrap()]);
    assert_eq!(command.get_program(), program());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// As a gateway that knows no cursors subscribes, once messages are followed.
fn subscribed(socket: &Path) -> Client {
    let mut client = eventually("the socket answers", || {
        let stream = UnixStream::connect(socket).ok()?;
        let mut client = Client::new(stream.try_clone().unwrap(), stream);
        let status = client.ok("status", json!({}));
        let is_ready = status["imsgd"]["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
        (is_ready && !status["imsgd"]["head"].is_null()).then_some(client)
    });
    client.subscribe(json!({"attachments": false, "participants": [FRIEND]}));
    client
}

#[test]
fn a_socket_gateway_is_served_healed_and_told_what_it_missed() {
    let home = Home::new(FRIENDS);
    let socket = home.path("imsg.sock");
    let mut daemon = by_launchd(&home, &socket);
    let mut gateway = subscribed(&socket);
    home.receive_from(OTHER_FRIEND, "not asked for");
    home.receive_from(FRIEND, "one");
    assert_eq!(gateway.texts(1), ["one"]);
    assert!(gateway.ok("send", json!({"to": FRIEND, "text": "x".repeat(1000)}))["id"].is_i64());

    // The system cleans /tmp: the path comes back, and who is connected stays.
    fs::remove_file(&socket).unwrap();
    drop(eventually("the path is back", || UnixStream::connect(&socket).ok()));
    home.receive_from(FRIEND, "two");
    assert_eq!(gateway.texts(1), ["two"]);

    // Stopped, it leaves no path: that is what a gateway heals by `launchctl kickstart`.
    signal(&daemon, Signal::TERM);
    assert_eq!(wait_for(&mut daemon, "imsgd").code(), Some(0));
    assert!(!socket.exists());
    home.receive_from(FRIEND, "while nobody was there");
    let mut daemon = by_launchd(&home, &socket);
    let mut gateway = subscribed(&socket);
    assert_eq!(gateway.texts(1), ["while nobody was there"]);

    // Killed, it leaves a stale one, which the next takes over.
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(socket.exists());
    home.receive_from(FRIEND, "after a kill");
    let mut daemon = by_launchd(&home, &socket);
    let mut gateway = subscribed(&socket);
    // Told at least once: how far it was may not have been written down before the kill.
    let first = gateway.texts(1);
    if first != ["after a kill"] {
        assert_eq!((first, gateway.texts(1)), (vec!["while nobody was there".into()], vec!["after a kill".into()]));
    }
    signal(&daemon, Signal::TERM);
    assert_eq!(wait_for(&mut daemon, "imsgd").code(), Some(0));
}

#[test]
fn the_pages_name_what_the_examples_have() {
    for page in ["docs/gateways/socket.md", "docs/migrate-from-imsg.md"] {
        assert!(file(page).contains(LABEL), "{page}");
    }
    for (page, examples) in [
        ("docs/gateways/openclaw.md", &["openclaw.json5", "openclaw-accounts.json5"][..]),
        ("docs/gateways/socket.md", &["socket.plist"]),
    ] {
        for example in examples {
            assert!(file(page).contains(&format!("../../examples/gateways/{example}")), "{page}: {example}");
            file(&format!("examples/gateways/{example}"));
        }
    }
}
