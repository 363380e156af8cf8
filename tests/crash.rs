//! kill -9 in the middle of traffic: nothing is lost, whoever resumes has it all.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, HOSTILE, Home, TestDaemon, eventually};

fn guid(message: &Value) -> String {
    message["guid"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_resumes_after_each_kill_sees_every_message() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let messages: Vec<_> =
        (0..800).map(|number| json!({"from": FRIEND, "text": format!("message {number}"), "after_ms": 2})).collect();
    let injected = daemon.injector().receive_all(messages);
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    for kill_after in [50, 120, 70, 200] {
        for _ in 0..kill_after {
            let message = client.message();
            assert!(message["cursor"].as_i64().unwrap() > cursor, "in order: {message}");
            cursor = message["cursor"].as_i64().unwrap();
            seen.insert(guid(&message));
        }
        daemon.kill();
        daemon.start_again_without_waiting();
        daemon.wait_until_listening();
        client = daemon.connect();
        client.subscribe(json!({"since_rowid": cursor, "buffer_limit": 4096}));
    }
    let expected: BTreeSet<String> = injected.join().unwrap().iter().map(guid).collect();
    assert_eq!(expected.len(), 800);
    while seen.len() < expected.len() {
        let message = client.message();
        assert!(message["cursor"].as_i64().unwrap() > cursor, "in order and nothing left out: {message}");
        cursor = message["cursor"].as_i64().unwrap();
        seen.insert(guid(&message));
        let last = "message 799";
        assert!(message["text"] != last || seen.len() == expected.len(), "{} of 800 were seen", seen.len());
    }
    assert_eq!(seen, expected);
    let verdicts: i64 = daemon
        .state()
        .query_row("SELECT COUNT(*) FROM journal WHERE verdict = 'delivered'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdicts, 800, "one row in the journal for each");
}

#[test]
fn what_was_held_before_a_kill_is_delivered_after_it() {
    let bad = format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap'"));
    let home = Home::new(&bad);
    home.add_plugin("hostile.wasm", HOSTILE);
    let mut daemon = TestDaemon::start(home);
    let held: Vec<_> = ["one", "two"].map(|text| daemon.receive_from(FRIEND, text)).into();
    eventually("both are held", || daemon.journal(&held[1].guid));
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.watch();
    daemon.configure(&format!("{FRIENDS}{}", Home::hostile("")));
    daemon.reload();
    assert_eq!(client.texts(2), ["one", "two"]);
}

#[test]
fn what_comes_while_nothing_runs_is_judged_at_the_next_start() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let last = daemon.receive_from(FRIEND, "before");
    eventually("it is judged", || daemon.journal(&last.guid));
    daemon.kill();
    daemon.receive_from(FRIEND, "meanwhile");
    daemon.start_again();
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": last.rowid.0}));
    let message = client.message();
    assert_eq!((&message["text"], &message["policy"]["arrival"]), (&json!("meanwhile"), &json!("catch-up")));
}
