//! Sending to whom the contacts know by name.

use imsgd::sim::contacts::{self, Card};
use rusqlite::Connection;
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, Home, TestDaemon};

pub const UNAVAILABLE: &str =
    "Invalid chat target: Contacts access is unavailable; specify a phone number or email instead.";

/// Nothing was sent, and nothing was written down.
fn check_untouched(daemon: &TestDaemon) {
    assert_eq!((daemon.sent().len(), daemon.outbox_state()), (0, None));
}

#[test]
fn a_name_that_means_one_person_is_sent_to_their_number() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    for (number, to) in ["ann", "Ann Example", " exam "].into_iter().enumerate() {
        let answer = client.ok("send", json!({"to": to, "text": format!("hi {number}")}));
        assert!(answer["id"].is_i64(), "{to}: {answer}");
        let chat = client.ok("chats.list", json!({}))["chats"][0].clone();
        assert_eq!((&chat["id"], &chat["identifier"]), (&answer["chat_id"], &json!(FRIEND)), "{to}");
    }
    daemon.contact(&Card::new("Zoe", &["zoe@example.com"]));
    client.ok("send", json!({"to": "Zoe", "text": "just added"}));
    assert_eq!(daemon.sent().last().unwrap()["recipient"], "zoe@example.com");
}

#[test]
fn the_number_on_a_card_is_read_in_the_region_of_the_send() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    daemon.contact(&Card::new("Kim", &["07700 900000"]));
    let mut client = daemon.connect();
    client.ok("send", json!({"to": "Kim", "region": "GB", "text": "hi"}));
    assert_eq!(daemon.sent()[0]["recipient"], "+447700900000");
    let refusal = client.refused("send", json!({"to": "Kim", "region": "Mars", "text": "hi"}));
    assert_eq!((refusal.code, &refusal.data), (-32602, &json!("unknown region Mars")));
}

#[test]
fn a_name_that_means_several_is_refused_with_who_they_are() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    daemon.contact(&Card { nickname: Some("Sunny".into()), ..Card::new("Joanna Doe", &["jo@example.com"]) });
    let mut client = daemon.connect();
    let refusal = client.refused("send", json!({"to": "ANN", "text": "hi"}));
    let said = "Invalid chat target: Multiple contacts match \"ANN\":\n  Ann Example: (415) 555-0101\n  \
                Joanna Doe: jo@example.com\nSpecify a phone number or email instead.";
    assert_eq!((refusal.code, refusal.data.as_str()), (-32602, Some(said)));
    for number in 10..22 {
        daemon.contact(&Card::new("Many", &[&format!("+141555502{number}")]));
    }
    let refusal = client.refused("send", json!({"to": "many", "text": "hi"}));
    let said = refusal.data.as_str().unwrap();
    assert!(said.lines().count() == 13 && said.contains("  Many: +14155550219\n  and 2 more\n"), "{said}");
    check_untouched(&daemon);
}

#[test]
fn a_name_that_nobody_has_is_used_as_it_is() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    client.ok("send", json!({"to": "Nobody Known", "text": "hi"}));
    assert_eq!(daemon.sent()[0]["recipient"], "Nobody Known");
}

#[test]
fn a_name_without_contacts_is_refused() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for to in ["Ann", "imessage:Ann", "555-CALL"] {
        // What is to be sent is looked at after whom it is for.
        let refusal = client.refused("send", json!({"to": to}));
        assert_eq!((refusal.code, &refusal.data), (-32602, &json!(UNAVAILABLE)), "{to}");
    }
    check_untouched(&daemon);
}

#[test]
fn a_send_to_a_name_under_one_key_leaves_once_also_when_the_number_has_changed() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    let params = json!({"to": "Ann", "text": "hi", "idempotency_key": "k"});
    let answer = client.ok("send", params.clone());
    let connection = Connection::open(contacts::path(&daemon.address_book(), None)).unwrap();
    connection.execute("UPDATE ZABCDPHONENUMBER SET ZFULLNUMBER = '+14155550177'", []).unwrap();
    assert_eq!(client.ok("send", params), answer);
    assert_eq!(daemon.sent().len(), 1);
    let refusal = client.refused("send", json!({"to": "Bob", "text": "hi", "idempotency_key": "k"}));
    assert_eq!(refusal.data, "idempotency_key was used for another request");
}
