//! What the owner of the Mac asks from the command line.

use imsgd::sim::Incoming;
use serde_json::Value;

use crate::harness::{FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, Home, STRANGER, TestDaemon};

const WASI: &[u8] = include_bytes!("guests/wasi.wasm");

#[test]
fn why_tells_what_became_of_a_message_and_who_decided() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    let stranger = daemon.receive_from(STRANGER, "let me in");
    let friend = daemon.receive_from(FRIEND, "hello");
    client.inbound();
    let held = daemon.run(&["why", &stranger.guid]);
    assert!(held.stdout.contains("Held by the policy pairing"), "{}", held.stdout);
    assert!(!held.stdout.contains("let me in"), "{}", held.stdout);
    let delivered = daemon.run(&["why", &friend.rowid.0.to_string()]);
    assert!(
        delivered.stdout.contains("Delivered to route main, admitted by the policy allowlist"),
        "{}",
        delivered.stdout
    );
}

#[test]
fn why_knows_messages_that_were_never_judged() {
    let home = Home::without_database(FRIENDS);
    home.make_database(1, 5);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let own = daemon.receive(&Incoming { from_me: true, ..Incoming::new(FRIEND, "mine") });
    client.message();
    let own = daemon.run(&["why", &own.guid]);
    assert!(own.stdout.contains("You wrote this yourself"), "{}", own.stdout);
    let older = daemon.run(&["why", "1"]);
    assert!(
        older.stdout.contains("before imsgd began to judge") || older.stdout.contains("yourself"),
        "{}",
        older.stdout
    );
    let nothing = daemon.run(&["why", "no-such-guid", "--json"]);
    let nothing: Value = serde_json::from_str(&nothing.stdout).unwrap();
    assert_eq!(nothing["found"], false);
}

#[test]
fn reading_commands_say_the_same_with_and_without_a_daemon() {
    let home = Home::without_database(FRIENDS);
    home.make_database(4, 60);
    let mut daemon = TestDaemon::start(home);
    let commands: [&[&str]; 6] = [
        &["chats", "--json"],
        &["chats"],
        &["group", "--chat-id", "1", "--json"],
        &["history", "--chat-id", "1", "--limit", "5", "--json"],
        &["search", "--query", "the", "--json"],
        &["stats", "--time-zone", "UTC", "--media", "--json"],
    ];
    let served: Vec<String> = commands.iter().map(|command| daemon.run(command).stdout).collect();
    daemon.terminate();
    for (command, served) in commands.iter().zip(served) {
        assert!(!served.is_empty(), "{command:?} printed nothing");
        assert_eq!(daemon.run(command).stdout, served, "{command:?}");
    }
}

#[test]
fn a_policy_that_wants_wasi_gets_answers_and_nothing_behind_them() {
    let home = Home::new(FRIENDS);
    home.add_plugin("wasi.wasm", WASI);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "what can you see?");
    let labels = &client.message()["policy"]["labels"];
    let expected = ["environment:0", "arguments:0", "folders:0", "random:8", "clock:true", "stderr:true"];
    assert_eq!(*labels, serde_json::json!(expected));
    let log = daemon.plugin("wasi").unwrap()["log"].clone();
    let own = log.as_array().unwrap().iter().find(|line| line["by"] == "plugin").unwrap();
    assert_eq!(own["text"], "a line for the log");
    daemon.receive_from(FRIEND, "exit now");
    daemon.receive_from(FRIEND, "still here?");
    assert_eq!(client.texts(1), ["still here?"]);
    assert_eq!(daemon.plugin("wasi").unwrap()["last_failure"], "the policy ended itself");
}
