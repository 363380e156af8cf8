//! Strangers: challenged once, held until the owner has decided.

use serde_json::json;

use crate::harness::{Client, FRIEND, FRIENDS_AND_STRANGERS, STRANGER, TestDaemon, eventually};

/// A daemon to whom a stranger has written, the code that the stranger got, and a client that saw both.
fn challenged() -> (TestDaemon, Client, String) {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "let me in");
    let reply = client.message();
    assert_eq!(reply["is_from_me"], true, "the first thing to be seen is the answer: {reply}");
    let pending = client.ok("pairing.list", json!({}))["pending"].clone();
    let code = pending[0]["code"].as_str().expect("a request").to_owned();
    assert!(reply["text"].as_str().unwrap().contains(&code));
    assert_eq!(pending[0]["address"], STRANGER);
    (daemon, client, code)
}

/// Two sends, one after another: answers to strangers that were due before the second are out by then.
fn outbox_fence(client: &mut Client) {
    for text in ["fence 1", "fence 2"] {
        client.ok("send", json!({"to": FRIEND, "text": text}));
        while client.message()["text"] != text {}
    }
}

#[test]
fn a_stranger_is_challenged_once_however_often_they_write() {
    let (daemon, mut client, _) = challenged();
    for text in ["hello?", "anybody there?"] {
        daemon.receive_from(STRANGER, text);
    }
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    outbox_fence(&mut client);
    let to_stranger = daemon.sent().iter().filter(|call| !call["text"].as_str().unwrap().starts_with("fence")).count();
    assert_eq!(to_stranger, 1);
    assert_eq!(daemon.status()["imsgd"]["held"], 3);
}

#[test]
fn approval_delivers_what_was_held_marked_and_in_order() {
    let (daemon, mut client, code) = challenged();
    let second = daemon.receive_from(STRANGER, "are you there");
    eventually("the second message is held", || daemon.journal(&second.guid));
    let approved = client.ok("pairing.approve", json!({"code": code}));
    assert_eq!(approved, json!({"ok": true, "address": STRANGER, "released": 2}));
    for text in ["let me in", "are you there"] {
        let message = client.inbound();
        assert_eq!((&message["text"], &message["policy"]["held"]), (&json!(text), &json!(true)));
        assert_eq!(message["policy"]["decided_by"], "pairing");
    }
    daemon.receive_from(STRANGER, "thanks");
    let message = client.inbound();
    assert_eq!((&message["text"], message["policy"].get("held")), (&json!("thanks"), None));
    assert_eq!(client.ok("pairing.list", json!({})), json!({"pending": [], "paired": [STRANGER]}));
    assert_eq!(daemon.status()["imsgd"]["held"], 0);
}

#[test]
fn a_code_works_once() {
    let (_daemon, mut client, code) = challenged();
    client.ok("pairing.approve", json!({"code": code}));
    let refusal = client.refused("pairing.approve", json!({"code": code}));
    assert_eq!(refusal.code, -32602);
    assert!(refusal.data.as_str().unwrap().contains("no pending request has this code"), "{refusal:?}");
}

#[test]
fn the_owner_approves_on_the_command_line() {
    let (daemon, mut client, code) = challenged();
    let listed = daemon.run(&["pairing", "list"]);
    assert!(listed.status.success() && listed.stdout.contains(&code) && listed.stdout.contains(STRANGER), "{listed:?}");
    let approved = daemon.run(&["pairing", "approve", &code]);
    assert!(approved.status.success() && approved.stdout.contains(STRANGER), "{approved:?}");
    assert_eq!(client.texts(1), ["let me in"]);
    let again = daemon.run(&["pairing", "approve", &code]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("no pending request has this code"), "{again:?}");
}

#[test]
fn a_denied_stranger_is_not_delivered_and_their_code_is_void() {
    let (daemon, mut client, code) = challenged();
    assert_eq!(client.ok("pairing.deny", json!({"code": code})), json!({"ok": true, "address": STRANGER}));
    assert_eq!(client.refused("pairing.approve", json!({"code": code})).code, -32602);
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
}

#[test]
fn a_revoked_person_is_a_stranger_again() {
    let (daemon, mut client, code) = challenged();
    client.ok("pairing.approve", json!({"code": code}));
    assert_eq!(client.texts(1), ["let me in"]);
    // In another spelling of the same number.
    let revoked = client.ok("pairing.revoke", json!({"address": "(415) 555-0199"}));
    assert_eq!(revoked, json!({"ok": true, "was_paired": true}));
    daemon.receive_from(STRANGER, "me again");
    let reply = client.message();
    assert_eq!(reply["is_from_me"], true, "{reply}");
    let unknown = client.ok("pairing.revoke", json!({"address": "nobody@example.com"}));
    assert_eq!(unknown["was_paired"], false);
}

#[test]
fn approvals_and_requests_survive_a_kill() {
    let (mut daemon, _, code) = challenged();
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.watch();
    assert_eq!(client.ok("pairing.list", json!({}))["pending"][0]["code"], code);
    client.ok("pairing.approve", json!({"code": code}));
    assert_eq!(client.texts(1), ["let me in"]);
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "still in");
    assert_eq!(client.texts(1), ["still in"]);
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn what_asks_for_the_policies_at_once_waits_for_them() {
    let (mut daemon, _, code) = challenged();
    daemon.kill();
    daemon.start_again_without_waiting();
    daemon.wait_until_listening();
    // Nothing was compiled yet.
    let pending = daemon.connect().ok("pairing.list", json!({}))["pending"].clone();
    assert_eq!(pending[0]["code"], code);
}
