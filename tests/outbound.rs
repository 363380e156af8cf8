//! From `send` through osascript and back through chat.db.

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, OTHER_FRIEND, TestDaemon, eventually};

/// Without the chunking policy, which most of this does not need.
const QUICK: &str = "send.timeout_seconds = 1\n[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101']\n";

const GROUP: &str = "any;+;chat100000000000000001";

/// What osascript is told to do, and what the client is told then: code, disposition, and words of the detail.
fn check(daemon: &TestDaemon, client: &mut Client, behavior: Value, params: Value, code: i64, said: &str) {
    daemon.osascript(&behavior);
    let refusal = client.refused("send", params);
    let disposition = if code == -32001 { "may_have_completed" } else { "not_started" };
    assert_eq!((refusal.code, &refusal.data["disposition"]), (code, &json!(disposition)), "{behavior}: {refusal:?}");
    assert_eq!(refusal.data["retry_safe"], code != -32001, "{behavior}: {refusal:?}");
    assert_eq!((&refusal.data["transport"], &refusal.data["operation"]), (&json!("applescript"), &json!("send")));
    let detail = refusal.data["detail"].as_str().unwrap();
    assert!(detail.contains(said), "{behavior}: {detail}");
    assert!(!detail.contains("secret") && detail.lines().count() == 1, "{behavior}: {detail}");
}

#[test]
fn a_send_is_answered_with_the_row_that_messages_wrote() {
    let daemon = TestDaemon::new(QUICK);
    let mut client = daemon.watch();
    let received = daemon.receive_from(FRIEND, "hi");
    assert_eq!(client.texts(1), ["hi"]);
    let answer = client.ok("send", json!({"to": "(415) 555-0101", "text": "hello back"}));
    assert_eq!((&answer["ok"], &answer["transport"]), (&json!(true), &json!("applescript")));
    assert_eq!((&answer["service"], &answer["chat_id"]), (&json!("iMessage"), &json!(received.chat_id.unwrap().0)));
    assert_eq!(answer["guid"], answer["message_id"]);
    assert_eq!(answer["parts"], json!([{"id": answer["id"], "guid": answer["guid"]}]));
    let echo = client.message();
    assert_eq!((&echo["id"], &echo["guid"]), (&answer["id"], &answer["guid"]));
    assert_eq!((&echo["text"], &echo["is_from_me"]), (&json!("hello back"), &json!(true)));
}

#[test]
fn a_long_answer_leaves_in_pieces_that_close_their_fences() {
    let daemon = TestDaemon::new("[policy]\nbundled = ['chunking']\n");
    let mut client = daemon.watch();
    let line = "let answer = 6 * 7; // and so on, line after line\n";
    let text = format!("Here you are:\n```rust\n{}```\nThat was it.", line.repeat(9000 / line.len()));
    let answer = client.ok("send", json!({"to": FRIEND, "text": text}));
    let parts = answer["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 3, "{answer}");
    assert_eq!((&answer["id"], &answer["guid"]), (&parts[2]["id"], &parts[2]["guid"]));
    let sent = daemon.sent();
    assert_eq!(sent.len(), 3);
    let mut code = String::new();
    for (part, call) in parts.iter().zip(&sent) {
        let piece = call["text"].as_str().unwrap();
        assert!(piece.encode_utf16().count() <= 4000);
        assert_eq!(piece.matches("```").count(), 2, "{piece}");
        code.extend(piece.lines().filter(|line| line.starts_with("let ")).map(|line| format!("{line}\n")));
        assert_eq!(client.message()["guid"], part["guid"]);
    }
    assert_eq!(code, line.repeat(9000 / line.len()));
}

#[test]
fn a_long_text_is_cut_also_when_it_is_sent_before_the_policies_are_loaded() {
    let mut daemon = TestDaemon::start_without_waiting(Home::new("[policy]\nbundled = ['chunking']\n"));
    daemon.wait_until_listening();
    let answer = daemon.connect().ok("send", json!({"to": FRIEND, "text": "word ".repeat(1000)}));
    assert_eq!(answer["parts"].as_array().unwrap().len(), 2, "{answer}");
}

#[test]
fn a_chat_can_be_named_in_every_way() {
    let daemon = TestDaemon::new(QUICK);
    let id = daemon.receive_in(GROUP, FRIEND, "in the group").chat_id.unwrap().0;
    let mut client = daemon.connect();
    for (number, target) in [
        json!({"chat_id": id}),
        json!({"chat_guid": GROUP}),
        json!({"chat_identifier": "chat100000000000000001"}),
        json!({"to": format!("chat_id:{id}")}),
        json!({"to": format!("chat_guid:{GROUP}")}),
        json!({"to": "Chat_Identifier:chat100000000000000001"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut params = target.clone();
        params["text"] = json!(format!("to the group {number}"));
        let answer = client.ok("send", params);
        assert_eq!((&answer["chat_id"], &answer["chat_guid"]), (&json!(id), &json!(GROUP)), "{target}");
        assert_eq!(daemon.sent()[number]["chat"], GROUP, "{target}");
    }
}

#[test]
fn a_prefix_names_the_service() {
    let daemon = TestDaemon::new(QUICK);
    let mut client = daemon.connect();
    for (to, service) in [("imessage:+14155550101", "imessage"), ("sms:+14155550102", "sms")] {
        let answer = client.ok("send", json!({"to": to, "text": format!("by {service}")}));
        assert_eq!(answer["service"].as_str().unwrap().to_lowercase(), service);
        assert_eq!(daemon.sent().last().unwrap()["service"], service);
    }
}

#[test]
fn each_way_in_which_osascript_fails_is_told_apart() {
    let daemon = TestDaemon::new(QUICK);
    daemon.receive_from(FRIEND, "hi");
    let mut client = daemon.connect();
    daemon.receive_in(GROUP, FRIEND, "hi");
    let mut fails = |mode: &str, code, said| {
        let chat = json!({"chat_guid": GROUP, "text": "the secret"});
        check(&daemon, &mut client, json!({"mode": mode}), chat, code, said);
    };
    fails("fail-before", -32603, "-600");
    fails("not-found", -32603, "-1728");
    fails("fail-after", -32001, "-1712");
    fails("exit", -32001, "-609");
    assert_eq!(daemon.sent().len(), 4, "nothing was tried twice");
}

#[test]
fn an_empty_row_in_no_chat_is_named_as_what_became_of_a_send() {
    let daemon = TestDaemon::new(QUICK);
    daemon.receive_from(FRIEND, "hi");
    let mut client = daemon.connect();
    let params = json!({"to": FRIEND, "text": "the secret"});
    check(&daemon, &mut client, json!({"mode": "ghost"}), params, -32001, "unjoined empty outgoing row");
}

#[test]
fn a_direct_chat_that_messages_does_not_find_is_reached_through_its_participant() {
    let daemon = TestDaemon::new(QUICK);
    daemon.receive_from(FRIEND, "hi");
    daemon.osascript(&json!({"mode": "not-found"}));
    let params = json!({"chat_guid": format!("any;-;{FRIEND}"), "text": "found you"});
    assert_eq!(daemon.connect().ok("send", params)["ok"], true);
}

#[test]
fn a_success_without_a_row_is_an_unknown_outcome() {
    let daemon = TestDaemon::new(QUICK);
    let mut client = daemon.connect();
    let params = json!({"to": FRIEND, "text": "the secret"});
    let behavior = json!({"mode": "accept-without-writing"});
    check(&daemon, &mut client, behavior, params, -32001, "no matching outgoing text row");
}

#[test]
fn a_row_in_another_chat_is_no_receipt() {
    let daemon = TestDaemon::new(QUICK);
    daemon.receive_from(FRIEND, "hi");
    daemon.receive_from(OTHER_FRIEND, "hi");
    let mut client = daemon.connect();
    let params = json!({"to": FRIEND, "text": "the secret"});
    check(&daemon, &mut client, json!({"mode": "wrong-chat"}), params, -32001, "no matching outgoing text row");
}

#[test]
fn a_row_that_comes_late_is_a_receipt() {
    let daemon = TestDaemon::new(QUICK);
    daemon.osascript(&json!({"mode": "write-late", "delay_ms": 300}));
    let answer = daemon.connect().ok("send", json!({"to": FRIEND, "text": "late but here"}));
    assert!(answer["id"].is_i64(), "{answer}");
}

#[test]
fn osascript_that_hangs_is_stopped_with_all_that_it_started() {
    let daemon = TestDaemon::new(QUICK);
    let mut client = daemon.connect();
    let params = json!({"to": FRIEND, "text": "the secret"});
    check(&daemon, &mut client, json!({"mode": "hang"}), params, -32001, "was stopped");
    let grandchild = daemon.sent_call(0)["child_pid"].as_i64().unwrap();
    eventually("the process that osascript started ends", || is_gone(grandchild).then_some(()));
    daemon.osascript(&json!({}));
    client.ok("send", json!({"to": FRIEND, "text": "and on it goes"}));
}

/// No such process any more, or only what nobody has waited for.
pub fn is_gone(pid: i64) -> bool {
    let ps = std::process::Command::new("/bin/ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&ps.stdout).trim().to_owned();
    state.is_empty() || state.starts_with('Z')
}

#[test]
fn a_number_that_imessage_does_not_take_is_tried_over_sms_once() {
    let daemon = TestDaemon::new(QUICK);
    daemon.osascript(&json!({"mode": "fail-before", "times": 1}));
    let mut client = daemon.connect();
    let answer = client.ok("send", json!({"to": FRIEND, "text": "either way"}));
    assert_eq!(answer["service"], "SMS");
    let services: Vec<_> = daemon.sent().iter().map(|call| call["service"].as_str().unwrap().to_owned()).collect();
    assert_eq!(services, ["imessage", "sms"]);
    daemon.osascript(&json!({"mode": "fail-before"}));
    let refusal = client.refused("send", json!({"to": FRIEND, "text": "x", "allow_sms_fallback": false}));
    assert_eq!(refusal.code, -32603);
    assert_eq!(daemon.sent().len(), 3);
}

#[test]
fn a_key_sends_once_also_across_a_kill() {
    let mut daemon = TestDaemon::new(QUICK);
    let params = json!({"to": FRIEND, "text": "only once", "idempotency_key": "k1"});
    let first = daemon.connect().ok("send", params.clone());
    assert_eq!(daemon.connect().ok("send", params.clone()), first);
    daemon.kill();
    daemon.start_again();
    assert_eq!(daemon.connect().ok("send", params), first);
    assert_eq!(daemon.sent().len(), 1);
    let other = daemon.connect().refused("send", json!({"to": FRIEND, "text": "else", "idempotency_key": "k1"}));
    assert_eq!((other.code, &other.data), (-32602, &json!("idempotency_key was used for another request")));
}

#[test]
fn a_send_that_a_kill_interrupted_is_never_tried_again() {
    let mut daemon = TestDaemon::new(QUICK);
    daemon.osascript(&json!({"mode": "hang"}));
    let params = json!({"to": FRIEND, "text": "the secret", "idempotency_key": "k2"});
    daemon.connect().ask("send", params.clone());
    let call = daemon.sent_call(0);
    daemon.kill();
    for pid in ["pid", "child_pid"] {
        let pid = i32::try_from(call[pid].as_i64().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    daemon.osascript(&json!({}));
    daemon.start_again();
    let refusal = daemon.connect().refused("send", params);
    assert_eq!((refusal.code, &refusal.data["retry_safe"]), (-32001, &json!(false)), "{refusal:?}");
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn a_key_whose_send_never_began_may_be_used_again() {
    let daemon = TestDaemon::new(QUICK);
    daemon.receive_from(FRIEND, "hi");
    daemon.osascript(&json!({"mode": "fail-before", "times": 1}));
    let params = json!({"chat_guid": format!("any;-;{FRIEND}"), "text": "again", "idempotency_key": "k3"});
    let mut client = daemon.connect();
    assert_eq!(client.refused("send", params.clone()).code, -32603);
    assert_eq!(client.ok("send", params)["ok"], true);
}

#[test]
fn our_own_message_to_ourselves_comes_back_as_no_order() {
    let daemon = TestDaemon::new("[policy]\nbundled = ['allowlist']\ndm_policy = 'open'\nallow_from = ['*']\n");
    let mut client = daemon.watch();
    client.ok("send", json!({"to": imsgd::sim::OWNER, "text": "note to self"}));
    daemon.receive_from(FRIEND, "fence");
    let mut seen = Vec::new();
    while seen.last() != Some(&(json!("fence"), false)) {
        let message = client.message();
        seen.push((message["text"].clone(), message["is_from_me"].as_bool().unwrap()));
    }
    // The twin row that Messages writes of it is marked as ours, or not delivered at all.
    assert_eq!(seen.iter().filter(|(text, is_from_me)| text == "note to self" && !is_from_me).count(), 0, "{seen:?}");
}

#[test]
fn a_file_is_sent_beside_its_text() {
    let daemon = TestDaemon::new(QUICK);
    std::fs::write(daemon.path("photo.png"), b"not really").unwrap();
    let file = daemon.path("photo.png");
    let answer = daemon.connect().ok("send", json!({"to": FRIEND, "text": "look", "file": file}));
    assert_eq!(answer["ok"], true);
    let call = &daemon.sent()[0];
    assert_eq!(call["text"], "look");
    let staged = std::path::PathBuf::from(call["file"].as_str().unwrap());
    assert_eq!(std::fs::read(staged).unwrap(), b"not really");
    let missing = daemon.connect().refused("send", json!({"to": FRIEND, "file": "/nowhere/photo.png"}));
    assert_eq!((missing.code, &missing.data["retry_safe"]), (-32603, &json!(true)), "{missing:?}");
}

#[test]
fn refused_parameters_reach_nobody() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let selector = "exactly one of chat_id, chat_identifier, or chat_guid is required";
    for (params, said) in [
        (json!({"text": "x"}), selector),
        (json!({"chat_id": 1, "chat_guid": "g", "text": "x"}), selector),
        (json!({"to": "+14155550101", "chat_id": 1, "text": "x"}), "use to or exactly one chat selector; not both"),
        (json!({"to": "", "text": "x"}), "to must be a non-empty string"),
        (json!({"to": "+14155550101"}), "text or file is required"),
        (json!({"to": "+14155550101", "text": "x", "service": "fax"}), "invalid service"),
        (json!({"to": "+14155550101", "text": "x", "transport": "pigeon"}), "invalid transport"),
        (json!({"chat_id": 999, "text": "x"}), "unknown chat_id 999"),
        (json!({"chat_id": "1", "text": "x"}), "chat_id must be an integer"),
        (json!({"to": "+14155550101", "text": "x", "chatId": 2}), "unknown send param: chatId"),
        (json!({"to": "+14155550101", "text": null}), "text or file is required"),
        (json!({"to": null, "text": "x"}), "to must not be null"),
        (json!({"to": "+14155550101", "text": "x", "attempt_id": "a"}), "attempt_id is only supported by send.tracked"),
        (
            json!({"to": "+14155550101", "text": "x", "replyTo": "g"}),
            "reply_to requires bridge transport; AppleScript fallback cannot send threaded replies",
        ),
        (
            json!({"to": "+14155550101", "text": "x", "transport": "bridge"}),
            "bridge transport requires an existing chat target",
        ),
        (json!({"to": "+14155550101", "text": "x", "formatting": [1]}), "formatting must be an array of objects"),
    ] {
        let refusal = client.refused("send", params.clone());
        assert_eq!((refusal.code, &refusal.data), (-32602, &json!(said)), "{params}");
    }
    assert!(daemon.sent().is_empty());
}
