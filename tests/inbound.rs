//! From chat.db to a subscriber.

use imsgd::sim::{Incoming, Steps};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, Home, OTHER_FRIEND, STRANGER, TestDaemon};

#[test]
fn a_message_of_an_allowlisted_sender_arrives_with_what_the_policies_said() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let received = daemon.receive_from(FRIEND, "hello there");
    let message = client.message();
    assert_eq!(message["text"], "hello there");
    assert_eq!(message["id"], received.rowid.0);
    assert_eq!(message["guid"], received.guid);
    assert_eq!(message["sender"], FRIEND);
    assert_eq!(message["is_from_me"], false);
    assert_eq!(message["is_group"], false);
    assert_eq!(message["cursor"], received.rowid.0);
    let policy = json!({
        "route": "main", "labels": [], "decided_by": "allowlist", "arrival": "live", "context": [],
    });
    assert_eq!(message["policy"], policy);
}

#[test]
fn a_message_that_is_written_in_three_steps_arrives_once_and_whole() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let in_steps = Incoming { steps: Steps::Split, step_ms: 30, ..Incoming::new(FRIEND, "in three steps") };
    daemon.receive(&in_steps);
    daemon.receive_from(FRIEND, "next");
    assert_eq!(client.texts(2), ["in three steps", "next"]);
}

#[test]
fn every_subscriber_gets_what_it_asked_for() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut everything = daemon.watch();
    let mut only_other = daemon.connect();
    only_other.subscribe(json!({"participants": [OTHER_FRIEND]}));
    let mut no_route = daemon.connect();
    no_route.subscribe(json!({"routes": ["group:*"]}));
    daemon.receive_from(FRIEND, "one");
    daemon.receive_from(OTHER_FRIEND, "two");
    assert_eq!(everything.texts(2), ["one", "two"]);
    assert_eq!(only_other.texts(1), ["two"]);
    // What follows everything else on this connection is the first thing that it hears.
    let fence = no_route.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#);
    assert_eq!(fence["id"], "fence");
}

#[test]
fn one_connection_may_have_several_subscriptions() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    assert_eq!(client.subscribe(json!({})), 1);
    assert_eq!(client.subscribe(json!({"attachments": true})), 2);
    daemon.receive_from(FRIEND, "twice");
    let mut numbers: Vec<_> =
        (0..2).map(|_| client.notification()["params"]["subscription"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn tapbacks_are_delivered_only_where_they_are_asked_for() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut without, mut with) = (daemon.watch(), daemon.connect());
    with.subscribe(json!({"include_reactions": true}));
    let target = daemon.receive_from(FRIEND, "like this");
    let like = Incoming {
        tapback: Some("like".parse().unwrap()),
        target: Some(target.guid.clone()),
        ..Incoming::new(FRIEND, "like this")
    };
    daemon.receive(&like);
    daemon.receive_from(FRIEND, "after");
    assert_eq!(without.texts(2), ["like this", "after"]);
    assert_eq!(with.message()["text"], "like this");
    let tapback = with.message();
    assert_eq!(tapback["is_reaction"], true);
    assert_eq!(tapback["reacted_to_guid"], target.guid);
    assert_eq!(with.message()["text"], "after");
}

#[test]
fn a_sticker_is_a_reaction_with_a_picture_that_policies_judge() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut without, mut with) = (daemon.watch(), daemon.connect());
    with.subscribe(json!({"include_reactions": true, "attachments": true}));
    let target = daemon.receive_from(FRIEND, "look");
    let sticker = |sender: &str| Incoming {
        tapback: Some("sticker".parse().unwrap()),
        target: Some(target.guid.clone()),
        attachments: vec!["/tmp/cat.heic".into()],
        chat: Some(format!("any;-;{FRIEND}")),
        ..Incoming::new(sender, "look")
    };
    let unwanted = daemon.receive(&sticker(STRANGER));
    daemon.receive(&sticker(FRIEND));
    daemon.receive_from(FRIEND, "after");
    assert_eq!(without.texts(2), ["look", "after"]);
    assert_eq!(with.message()["text"], "look");
    let reaction = with.message();
    assert_eq!((&reaction["reaction_type"], reaction.get("reaction_emoji")), (&json!("sticker"), None));
    assert_eq!((&reaction["is_reaction_add"], &reaction["reacted_to_guid"]), (&json!(true), &json!(target.guid)));
    let picture = &reaction["attachments"][0];
    assert_eq!((&picture["transfer_name"], &picture["is_sticker"]), (&json!("cat.heic"), &json!(true)));
    assert_eq!(reaction["policy"]["decided_by"], "allowlist");
    assert_eq!(with.message()["text"], "after");
    assert_eq!(daemon.journal(&unwanted.guid).unwrap()["verdict"], "rejected");
}

#[test]
fn what_the_owner_writes_on_another_device_is_delivered_without_being_judged() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive(&Incoming { from_me: true, ..Incoming::new(STRANGER, "mine") });
    let message = client.message();
    assert_eq!((message["text"].as_str(), message["is_from_me"].as_bool()), (Some("mine"), Some(true)));
    assert_eq!(message.get("policy"), None);
}

#[test]
fn nothing_of_a_rejected_sender_is_delivered() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let rejected = daemon.receive_from(STRANGER, "let me in");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    let entry = daemon.journal(&rejected.guid).unwrap();
    assert_eq!(entry["verdict"], "rejected");
    assert!(daemon.sent().is_empty());
}

#[test]
fn a_row_that_never_gets_a_chat_is_noted_and_not_delivered() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let lost = daemon.receive(&Incoming { no_join: true, ..Incoming::new(FRIEND, "nowhere") });
    daemon.receive_from(FRIEND, "after");
    assert_eq!(client.texts(1), ["after"]);
    assert_eq!(daemon.journal(&lost.guid).unwrap()["verdict"], "unjoined");
}

#[test]
fn old_messages_that_a_sync_brings_are_announced_only_to_who_asks() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut usual, mut all) = (daemon.watch(), daemon.connect());
    all.subscribe(json!({"include_backfill": true}));
    daemon.receive_from(FRIEND, "now");
    let old = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(48)).unwrap();
    daemon.receive(&Incoming { date: Some(old), ..Incoming::new(FRIEND, "two days ago") });
    daemon.receive_from(FRIEND, "now again");
    assert_eq!(usual.texts(2), ["now", "now again"]);
    assert_eq!(all.message()["text"], "now");
    let synced = all.message();
    assert_eq!((&synced["text"], &synced["policy"]["arrival"]), (&json!("two days ago"), &json!("backfill")));
}

#[test]
fn a_subscriber_with_a_cursor_gets_what_it_missed_and_then_what_comes() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let first = daemon.receive_from(FRIEND, "first");
    daemon.receive_from(STRANGER, "not this one");
    daemon.receive_from(FRIEND, "second");
    client.texts(2);
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": first.rowid.0}));
    assert_eq!(late.texts(1), ["second"]);
    daemon.receive_from(FRIEND, "third");
    assert_eq!(late.texts(1), ["third"]);
    let mut from_the_start = daemon.connect();
    from_the_start.subscribe(json!({"since_rowid": -1}));
    assert_eq!(from_the_start.texts(3), ["first", "second", "third"]);
}

#[test]
fn what_was_there_before_the_first_start_is_judged_for_who_asks_for_it_even_at_once() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "long ago");
    home.receive_from(STRANGER, "not for us");
    let mut daemon = TestDaemon::start_without_waiting(home);
    daemon.wait_until_listening();
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": -1}));
    assert_eq!(client.texts(1), ["long ago"]);
    daemon.receive_from(FRIEND, "now");
    assert_eq!(client.texts(1), ["now"]);
}
