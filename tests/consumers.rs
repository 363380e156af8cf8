//! Consumers: whose place in the stream is kept while they are away, and what they hear when they come back.

use serde_json::{Value, json};

use crate::database::{renumber, replace_database};
use crate::harness::{Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, STRANGER, SmallDb, TestDaemon, eventually};

/// A client that acknowledges as `gateway`.
fn gateway(daemon: &TestDaemon) -> (Client, u64) {
    let mut client = daemon.connect();
    let number = client.subscribe(json!({"consumer": "gateway", "ack": true}));
    (client, number)
}

/// The text and the cursor of the next message that is not our own.
fn next(client: &mut Client) -> (String, String) {
    let notification = client.notification();
    assert_eq!(notification["method"], "message", "{notification}");
    if notification["params"]["message"]["is_from_me"] == true {
        return next(client);
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&notification["params"]["message"]["text"]), text(&notification["params"]["cursor"]))
}

fn ack(client: &mut Client, number: u64, cursor: &str) {
    assert_eq!(client.ok("watch.ack", json!({"subscription": number, "cursor": cursor}))["ok"], true);
}

/// Closes a connection and waits until nobody has the consumer.
fn leave(daemon: &TestDaemon, client: Client) {
    drop(client);
    eventually("the consumer is free", || (consumer(daemon)["connected"] == false).then_some(()));
}

fn consumer(daemon: &TestDaemon) -> Value {
    daemon.status()["imsgd"]["consumers"][0].clone()
}

#[test]
fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    for text in ["one", "two", "three"] {
        daemon.receive_from(FRIEND, text);
    }
    let (first, cursor) = next(&mut client);
    assert_eq!((first.as_str(), next(&mut client).0.as_str()), ("one", "two"));
    ack(&mut client, number, &cursor);
    leave(&daemon, client);
    daemon.receive_from(FRIEND, "four");
    let (mut client, _) = gateway(&daemon);
    assert_eq!(client.texts(3), ["two", "three", "four"]);
}

#[test]
fn an_acknowledged_place_survives_a_kill() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "one");
    daemon.receive_from(FRIEND, "two");
    let (_, cursor) = next(&mut client);
    ack(&mut client, number, &cursor);
    daemon.kill();
    daemon.receive_from(FRIEND, "three");
    daemon.start_again();
    let (mut client, _) = gateway(&daemon);
    assert_eq!(client.texts(2), ["two", "three"]);
}

#[test]
fn a_consumer_is_one_connections_at_a_time_and_the_next_ones_when_that_ends() {
    let daemon = TestDaemon::new(FRIENDS);
    let (client, _) = gateway(&daemon);
    let mut other = daemon.connect();
    let refusal = other.refused("watch.subscribe", json!({"consumer": "gateway"}));
    assert_eq!((refusal.code, refusal.message.as_str()), (-32000, "Server busy"));
    assert!(refusal.data.as_str().unwrap().contains("another connection has consumer \"gateway\""), "{}", refusal.data);
    let refusal = other.refused("consumers.remove", json!({"consumer": "gateway"}));
    assert_eq!(refusal.code, -32000);
    leave(&daemon, client);
    other.subscribe(json!({"consumer": "gateway"}));
}

#[test]
fn a_consumer_that_unsubscribes_goes_on_where_it_was() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    client.ok("watch.unsubscribe", json!({"subscription": number}));
    daemon.receive_from(FRIEND, "meanwhile");
    client.subscribe(json!({"consumer": "gateway", "ack": true}));
    assert_eq!(client.texts(1), ["meanwhile"]);
}

#[test]
fn a_consumer_that_does_not_acknowledge_goes_on_after_what_was_written_to_it() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "gateway"}));
    daemon.receive_from(FRIEND, "one");
    assert_eq!(client.texts(1), ["one"]);
    leave(&daemon, client);
    daemon.receive_from(FRIEND, "two");
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "gateway"}));
    assert_eq!(client.texts(1), ["two"]);
}

#[test]
fn a_new_consumer_may_begin_in_the_past() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "long ago");
    assert_eq!(client.texts(1), ["long ago"]);
    let mut client = daemon.connect();
    let number = client.subscribe(json!({"consumer": "gateway", "ack": true, "since_rowid": -1}));
    let (text, cursor) = next(&mut client);
    assert_eq!(text, "long ago");
    ack(&mut client, number, &cursor);
    leave(&daemon, client);
    daemon.receive_from(FRIEND, "now");
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "gateway", "ack": true, "since_rowid": -1}));
    assert_eq!(client.texts(1), ["now"], "one that is known goes on where it was");
}

#[test]
fn only_what_was_handed_out_can_be_acknowledged() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "one");
    let (_, cursor) = next(&mut client);
    let plain = client.subscribe(json!({}));
    for (params, said) in [
        (json!({"subscription": number, "cursor": "999.0.G"}), "cursor is none that"),
        (json!({"subscription": number, "cursor": "here"}), "cursor is none that"),
        (json!({"subscription": plain, "cursor": cursor}), "takes no acknowledgements"),
        (json!({"subscription": 99, "cursor": cursor}), "takes no acknowledgements"),
    ] {
        let refusal = client.refused("watch.ack", params);
        assert_eq!(refusal.code, -32602);
        assert!(refusal.data.as_str().unwrap().contains(said), "{}", refusal.data);
    }
    for params in [json!({"ack": true}), json!({"consumer": ""}), json!({"consumer": "a\nb"})] {
        assert_eq!(client.refused("watch.subscribe", params).code, -32602);
    }
}

#[test]
fn what_was_held_and_released_while_a_consumer_was_away_is_told_when_it_comes_back_and_once() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(STRANGER, "let me in");
    daemon.receive_from(FRIEND, "later");
    let (text, cursor) = next(&mut client);
    assert_eq!(text, "later");
    ack(&mut client, number, &cursor);
    leave(&daemon, client);
    let mut owner = daemon.connect();
    let code = owner.ok("pairing.list", json!({}))["pending"][0]["code"].clone();
    assert_eq!(owner.ok("pairing.approve", json!({"code": code}))["released"], 1);
    daemon.receive_from(FRIEND, "latest");
    let (mut client, number) = gateway(&daemon);
    let released = client.inbound();
    assert_eq!((&released["text"], &released["policy"]["held"]), (&json!("let me in"), &json!(true)));
    let (text, cursor) = next(&mut client);
    assert_eq!(text, "latest");
    ack(&mut client, number, &cursor);
    leave(&daemon, client);
    daemon.receive_from(FRIEND, "last");
    let (mut client, _) = gateway(&daemon);
    assert_eq!(next(&mut client).0, "last");
}

#[test]
fn a_consumer_that_falls_behind_is_not_cut_off() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "gateway", "ack": true, "buffer_limit": 1}));
    let texts: Vec<String> = (0..300).map(|number| format!("{number}, {}", "x".repeat(4000))).collect();
    let written = texts.iter().map(|text| json!({"from": FRIEND, "text": text})).collect();
    daemon.injector().receive_all(written).join().unwrap();
    // More than the socket takes while nobody reads.
    eventually("all of it is judged", || (daemon.status()["imsgd"]["verdicts"]["delivered"] == 300).then_some(()));
    assert_eq!(client.texts(300), texts);
}

#[test]
fn a_consumer_goes_on_at_the_same_message_when_rows_get_other_numbers() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "one");
    daemon.receive_from(FRIEND, "two");
    let (_, cursor) = next(&mut client);
    ack(&mut client, number, &cursor);
    daemon.kill();
    renumber(&daemon);
    daemon.start_again();
    let (mut client, number) = gateway(&daemon);
    let (text, cursor) = next(&mut client);
    assert_eq!(text, "two");
    ack(&mut client, number, &cursor);
    daemon.receive_from(FRIEND, "three");
    assert_eq!(client.texts(1), ["three"]);
}

#[test]
fn a_consumer_whose_messages_are_in_no_database_any_more_is_told() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "in the old one");
    let (_, cursor) = next(&mut client);
    ack(&mut client, number, &cursor);
    daemon.kill();
    replace_database(&daemon);
    daemon.start_again();
    let (mut client, number) = gateway(&daemon);
    let reset = client.notification();
    assert_eq!((&reset["method"], &reset["params"]["reason"]), (&json!("watch.reset"), &json!("lost")), "{reset}");
    daemon.receive_from(FRIEND, "in the new one");
    let (text, cursor) = next(&mut client);
    assert_eq!(text, "in the new one");
    ack(&mut client, number, &cursor);
    leave(&daemon, client);
    daemon.receive_from(FRIEND, "and one more");
    let (mut client, _) = gateway(&daemon);
    assert_eq!(client.texts(1), ["and one more"], "it is told once");
}

#[test]
fn a_consumer_that_is_connected_hears_on_when_rows_get_other_numbers() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "one");
    daemon.receive_from(FRIEND, "two");
    let (_, cursor) = next(&mut client);
    assert_eq!(next(&mut client).0, "two");
    ack(&mut client, number, &cursor);
    let copy = daemon.path("copy.db");
    SmallDb::open(&daemon.db()).run(&format!("VACUUM INTO '{}'", copy.display()));
    SmallDb::open(&copy).run(
        "PRAGMA foreign_keys = OFF; UPDATE message SET ROWID = ROWID + 1000;
         UPDATE chat_message_join SET message_id = message_id + 1000; PRAGMA wal_checkpoint(TRUNCATE)",
    );
    for file in ["chat.db-wal", "chat.db-shm"] {
        std::fs::remove_file(daemon.path(file)).unwrap();
    }
    std::fs::rename(&copy, daemon.db()).unwrap();
    daemon.receive_from(FRIEND, "three");
    let reset = client.notification();
    assert_eq!(
        (&reset["method"], &reset["params"]["reason"]),
        (&json!("watch.reset"), &json!("renumbered")),
        "{reset}"
    );
    assert_eq!(reset["params"]["resume_after_rowid"], 1002);
    assert_eq!(client.texts(1), ["three"]);
    leave(&daemon, client);
    let (mut client, _) = gateway(&daemon);
    assert_eq!(client.texts(2), ["two", "three"], "what was not acknowledged before");
}

#[test]
fn consumers_are_listed_with_how_far_behind_they_are_and_can_be_forgotten() {
    let daemon = TestDaemon::new(FRIENDS);
    assert!(daemon.run(&["consumers", "list"]).stdout.contains("no consumer has a name"));
    let (mut client, number) = gateway(&daemon);
    daemon.receive_from(FRIEND, "one");
    daemon.receive_from(FRIEND, "two");
    let (_, cursor) = next(&mut client);
    assert_eq!(next(&mut client).0, "two");
    ack(&mut client, number, &cursor);
    let listed = client.ok("consumers.list", json!({}))["consumers"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["ack"], &listed["connected"]),
        (&json!("gateway"), &json!(true), &json!(true))
    );
    assert_eq!((&listed["behind_rows"], &listed["cursor"]), (&json!(1), &json!(cursor)));
    let said = daemon.run(&["consumers", "list"]).stdout;
    assert!(said.contains("gateway  connected, 1 row behind"), "{said}");
    leave(&daemon, client);
    assert!(daemon.run(&["consumers", "remove", "gateway"]).stdout.contains("gateway is forgotten"));
    assert_eq!(daemon.status()["imsgd"]["consumers"], json!([]));
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "other"}));
    leave(&daemon, client);
    assert_eq!(daemon.connect().ok("consumers.remove", json!({"consumer": "other"}))["ok"], true);
    let unknown = daemon.run(&["consumers", "remove", "gateway"]);
    assert!(unknown.stderr.contains("there is no consumer \"gateway\""), "{}", unknown.stderr);
}

#[test]
fn a_consumer_that_has_had_all_there_was_for_it_is_not_behind() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    client.subscribe(json!({"consumer": "gateway", "ack": true, "routes": ["elsewhere"]}));
    let mut all = daemon.watch();
    daemon.receive_from(FRIEND, "for others");
    assert_eq!(all.texts(1), ["for others"]);
    leave(&daemon, client);
    let gateway = consumer(&daemon);
    assert_eq!((&gateway["behind_rows"], &gateway["resume_after_rowid"]), (&json!(0), &json!(1)), "{gateway}");
}

#[test]
fn there_is_an_end_to_names() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut clients: Vec<Client> = Vec::new();
    for number in 0..imsgd::consumers::NAMES {
        let mut client = daemon.connect();
        client.subscribe(json!({"consumer": format!("consumer {number}")}));
        clients.push(client);
    }
    let refusal = daemon.connect().refused("watch.subscribe", json!({"consumer": "one more"}));
    assert_eq!(refusal.code, -32000);
    assert!(refusal.data.as_str().unwrap().contains("imsgd consumers remove"), "{}", refusal.data);
}

#[test]
fn who_gives_no_name_and_knows_no_cursors_is_resumed_after_what_was_written_to_it() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    client.subscribe(json!({"attachments": true}));
    daemon.receive_from(FRIEND, "one");
    assert_eq!(client.texts(1), ["one"]);
    drop(client);
    eventually("it is gone", || (daemon.status()["imsgd"]["subscriptions"] == 0).then_some(()));
    daemon.receive_from(FRIEND, "two");
    eventually("both are judged", || (daemon.status()["imsgd"]["verdicts"]["delivered"] == 2).then_some(()));
    // Another one asks for something else.
    let mut other = daemon.connect();
    other.subscribe(json!({"include_reactions": true}));
    let mut again = daemon.connect();
    again.subscribe(json!({"attachments": true}));
    assert_eq!(again.texts(1), ["two"]);
    daemon.receive_from(FRIEND, "three");
    assert_eq!((again.texts(1), other.texts(1)), (vec!["three".to_owned()], vec!["three".to_owned()]));
    // Also when it was imsgd that went away.
    assert!(daemon.terminate().success());
    daemon.receive_from(FRIEND, "four");
    daemon.start_again();
    let mut again = daemon.connect();
    again.subscribe(json!({"attachments": true}));
    assert_eq!(again.texts(1), ["four"]);
}

#[test]
fn who_unsubscribes_or_says_where_it_begins_is_not_resumed() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let number = client.subscribe(json!({}));
    client.ok("watch.unsubscribe", json!({"subscription": number}));
    let mut knowing = daemon.connect();
    knowing.subscribe(json!({"since_rowid": 0}));
    daemon.receive_from(FRIEND, "one");
    assert_eq!(knowing.texts(1), ["one"]);
    drop(knowing);
    client.subscribe(json!({}));
    let mut knowing = daemon.connect();
    knowing.subscribe(json!({"since_rowid": 0}));
    daemon.receive_from(FRIEND, "two");
    assert_eq!((client.texts(1), knowing.texts(1)), (vec!["two".to_owned()], vec!["two".to_owned()]));
}

#[test]
fn resuming_can_be_turned_off() {
    let daemon = TestDaemon::new(&format!("server.resume_within = 0\n{FRIENDS}"));
    let mut client = daemon.connect();
    client.subscribe(json!({}));
    drop(client);
    eventually("it is gone", || (daemon.status()["imsgd"]["subscriptions"] == 0).then_some(()));
    let mut all = daemon.watch();
    daemon.receive_from(FRIEND, "one");
    assert_eq!(all.texts(1), ["one"]);
    let mut client = daemon.connect();
    client.subscribe(json!({}));
    daemon.receive_from(FRIEND, "two");
    assert_eq!(client.texts(1), ["two"]);
}

#[test]
fn a_connection_that_ends_at_once_leaves_the_consumer_free() {
    let daemon = TestDaemon::new(FRIENDS);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "watch.subscribe", "params": {"consumer": "gateway"}});
    for _ in 0..50 {
        let mut client = daemon.connect();
        client.unrecorded();
        client.write_line(&request.to_string());
        client.close();
    }
    eventually("the consumer is free", || {
        daemon.connect().call("watch.subscribe", json!({"consumer": "gateway"})).ok()
    });
}
