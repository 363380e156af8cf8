//! `imsgd send`, through a daemon and by itself: the same answers.

use std::ops::Deref;
use std::process::Stdio;

use imsgd::sim::contacts::Card;
use imsgd::sim::{Incoming, Service};
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, TestDaemon, eventually, wait_for};

/// Without the chunking policy, which most of this does not need.
const QUICK: &str = "send.timeout_seconds = 1\n[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101']\n";

const GROUP: &str = "any;+;chat100000000000000001";

/// The same on a Mac with a daemon, and on one without.
fn both_ways(check: impl Fn(&Home)) {
    check(&Home::new(QUICK));
    check(TestDaemon::new(QUICK).deref());
}

#[test]
fn a_message_is_sent_and_its_row_is_told() {
    both_ways(|home| {
        home.receive_from(FRIEND, "hi");
        let sent = home.run(&["send", "--to", "(415) 555-0101", "--text", "- hello\n- there"]);
        assert_eq!((sent.status.code(), sent.stdout.as_str(), sent.stderr.as_str()), (Some(0), "sent\n", ""));
        assert_eq!(home.sent()[0]["text"], "- hello\n- there");
        assert_eq!(home.sent()[0]["chat"], format!("any;-;{FRIEND}"));
        let sent = home.run(&["send", "--to", FRIEND, "--text", "again", "--json"]);
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        let line: Value = serde_json::from_str(&sent.stdout).unwrap();
        assert_eq!((&line["status"], &line["service"]), (&json!("sent"), &json!("iMessage")));
        assert!(line["id"].is_i64() && line["guid"].is_string() && line["message_id"] == line["guid"], "{line}");
        assert_eq!((line.get("ok"), line.get("transport")), (None, None));
    });
}

#[test]
fn a_chat_can_be_named_in_each_way() {
    both_ways(|home| {
        let id = home.receive_in(GROUP, FRIEND, "hi").chat_id.unwrap().to_string();
        for (number, target) in [
            ["--chat-id", &id],
            ["--chat-guid", GROUP],
            ["--chat-identifier", "chat100000000000000001"],
            ["--to", &format!("chat_id:{id}")],
        ]
        .iter()
        .enumerate()
        {
            let text = format!("to the group {number}");
            let sent = home.run(&["send", target[0], target[1], "--text", &text]);
            assert_eq!((sent.status.code(), sent.stdout.as_str()), (Some(0), "sent\n"), "{target:?}: {sent:?}");
            assert_eq!((&home.sent()[number]["chat"], &home.sent()[number]["text"]), (&json!(GROUP), &json!(text)));
        }
    });
}

#[test]
fn a_file_is_found_from_where_the_command_runs() {
    both_ways(|home| {
        std::fs::write(home.path("photo.png"), b"not really").unwrap();
        for file in ["photo.png", "~/photo.png", home.path("photo.png").to_str().unwrap()] {
            let sent = home.run(&["send", "--to", FRIEND, "--file", file]);
            assert_eq!((sent.status.code(), sent.stdout.as_str()), (Some(0), "sent\n"), "{file}: {sent:?}");
        }
        assert!(home.sent().iter().all(|call| call["file"].as_str().unwrap().ends_with("photo.png")));
        let missing = home.run(&["send", "--to", FRIEND, "--file", "nowhere.png"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(missing.stderr.contains("(not_started)"), "{missing:?}");
        assert_eq!(home.sent().len(), 3);
    });
}

#[test]
fn what_is_wrong_with_a_send_is_told_in_order_and_reaches_nobody() {
    let home = Home::without_database(QUICK);
    let to = ["--to", FRIEND];
    for (options, said) in [
        (&["--text", "hi"][..], "Missing required option: --to"),
        (&["--to", "", "--text", "hi"], "Missing required option: --to"),
        (&[], "Missing required option: --to"),
        (&["--to", FRIEND, "--chat-id", "invalid", "--text", "hi"], "Invalid value for option: --chat-id"),
        (&["--chat-id", "0", "--text", "hi"], "Invalid value for option: --chat-id"),
        (&["--to", FRIEND, "--chat-id", "1"], "Invalid value for option: --to"),
        (&["--to", FRIEND, "--chat-identifier", "x", "--text", "hi"], "Invalid value for option: --to"),
        (&["--chat-id", "1", "--chat-guid", "x", "--text", "hi"], "Invalid value for option: --chat-id"),
        (&to, "Missing required option: --text or file"),
        (&["--to", FRIEND, "--text", "", "--service", "fax"], "Missing required option: --text or file"),
        (&["--to", FRIEND, "--text", "hi", "--service", "fax"], "Invalid service: fax"),
        (&["--to", FRIEND, "--text", "--json"], "Missing value for option --text"),
        (&["--to", FRIEND, "--text", "hi", "stray"], "Unexpected argument: stray"),
        (&["--chat-id", "1", "--text", "hi"], "there is no Messages database"),
        (&["--to", "Nobody Known", "--text", "hi"], "Invalid chat target: "),
    ] {
        let refused = home.run(&[&["send"], options].concat());
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{options:?}: {refused:?}");
        assert!(refused.stderr.starts_with(&format!("error: {said}")), "{options:?}: {refused:?}");
    }
    assert!(home.sent().is_empty());
}

#[test]
fn a_chat_that_is_not_there_is_told() {
    both_ways(|home| {
        let refused = home.run(&["send", "--chat-id", "999", "--text", "hi", "--json"]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""));
        assert!(refused.stderr.starts_with("error: Invalid chat target: Unknown chat id 999\n"), "{refused:?}");
        assert!(home.sent().is_empty());
    });
}

#[test]
fn a_number_is_read_in_its_region_and_reached_on_the_service_that_is_known() {
    both_ways(|home| {
        home.receive(&Incoming { service: Service::Sms, ..Incoming::new("+447700900000", "hi") });
        let sent = home.run(&["send", "--to", "07700 900000", "--region", "GB", "--text", "hi"]);
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        assert_eq!((&home.sent()[0]["service"], &home.sent()[0]["recipient"]), (&json!("sms"), &Value::Null));
        assert_eq!(home.sent()[0]["chat"], "any;-;+447700900000");
    });
}

#[test]
fn how_a_send_failed_is_told_with_whether_it_may_be_repeated() {
    let told = [
        ("fail-before", "not_started", "-600", "retry is safe"),
        ("fail-after", "may_have_completed", "-1712", "retry is not safe"),
        ("hang", "may_have_completed", "was stopped", "retry is not safe"),
        ("accept-without-writing", "may_have_completed", "no matching outgoing text row", "retry is not safe"),
    ];
    check_failures(&Home::new(QUICK), &told[..2]);
    check_failures(TestDaemon::new(QUICK).deref(), &told);
}

fn check_failures(home: &Home, told: &[(&str, &str, &str, &str)]) {
    home.receive_in(GROUP, FRIEND, "hi");
    for (mode, disposition, said, advice) in told {
        home.osascript(&json!({"mode": mode}));
        let failed = home.run(&["send", "--chat-guid", GROUP, "--text", "the secret", "--json"]);
        assert_eq!((failed.status.code(), failed.stdout.as_str()), (Some(1), ""), "{mode}: {failed:?}");
        let first = format!("error: applescript send failed ({disposition}): ");
        assert!(failed.stderr.starts_with(&first), "{mode}: {failed:?}");
        assert!(failed.stderr.contains(said) && failed.stderr.contains(advice), "{mode}: {failed:?}");
        assert!(!failed.stderr.contains("secret"), "{mode}: {failed:?}");
        let last: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(last["data"]["retry_safe"], *disposition == "not_started", "{mode}: {last}");
    }
    assert_eq!(home.sent().len(), told.len(), "nothing was tried twice");
}

#[test]
fn an_empty_row_in_no_chat_is_named_as_what_became_of_a_send() {
    let home = Home::new(QUICK);
    let chat = home.receive_from(FRIEND, "hi").chat_id.unwrap().to_string();
    home.osascript(&json!({"mode": "ghost"}));
    let failed = home.run(&["send", "--chat-id", &chat, "--text", "the secret"]);
    assert!(failed.stderr.contains("(may_have_completed)") && failed.stderr.contains("unjoined empty outgoing row"));
}

#[test]
fn a_number_falls_back_to_sms_unless_that_is_forbidden() {
    both_ways(|home| {
        home.osascript(&json!({"mode": "fail-before", "times": 1}));
        let sent = home.run(&["send", "--to", FRIEND, "--text", "either way", "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&sent.stdout).unwrap()["service"], "SMS", "{sent:?}");
        home.osascript(&json!({"mode": "fail-before"}));
        let failed = home.run(&["send", "--to", "+14155550177", "--text", "x", "--no-sms-fallback"]);
        assert!(failed.stderr.contains("(not_started)"), "{failed:?}");
        assert_eq!(home.sent().len(), 3);
    });
}

#[test]
fn under_one_key_a_message_leaves_once() {
    both_ways(|home| {
        let line = ["send", "--to", FRIEND, "--text", "once", "--idempotency-key", "k", "--json"];
        let (first, second) = (home.run(&line), home.run(&line));
        assert_eq!(first.status.code(), Some(0), "{first:?}");
        assert_eq!(first.stdout, second.stdout);
        assert_eq!(home.sent().len(), 1);
    });
}

#[test]
fn a_number_can_be_written_to_where_the_database_cannot_be_read() {
    let home = Home::new(QUICK);
    let sent = home.run(&["send", "--to", FRIEND, "--text", "blind", "--db", "/nowhere/chat.db", "--json"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let line: Value = serde_json::from_str(&sent.stdout).unwrap();
    assert_eq!((&line["status"], line.get("guid")), (&json!("sent"), None));
    assert_eq!(home.sent()[0]["recipient"], FRIEND);
}

#[test]
fn who_only_sends_does_not_follow_the_database_and_lets_a_daemon_start_afterwards() {
    let home = Home::new(FRIENDS);
    home.osascript(&json!({"delay_ms": 300}));
    let mut sends: Vec<_> = ["one", "two"]
        .iter()
        .map(|text| {
            let mut command = home.command(&["send", "--to", FRIEND, "--text", text]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    home.sent_call(0);
    // All three want the lock: each gets it in turn.
    let daemon = TestDaemon::start(home);
    for send in &mut sends {
        assert_eq!(wait_for(send, "imsgd send").code(), Some(0));
    }
    let mut texts: Vec<_> = daemon.sent().iter().map(|call| call["text"].as_str().unwrap().to_owned()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["one", "two"]);
    let rpc = daemon.stdio(&["rpc"]).client.ok("status", json!({}));
    assert_eq!(rpc["imsgd"]["pid"], daemon.pid());
}

#[test]
fn an_errand_that_is_interrupted_says_that_the_message_may_have_left() {
    let home = Home::new(FRIENDS);
    home.osascript(&json!({"mode": "hang"}));
    let mut command = home.command(&["send", "--to", FRIEND, "--text", "the secret"]);
    let send = command.stderr(Stdio::piped()).spawn().unwrap();
    let call = home.sent_call(0);
    crate::harness::signal(&send, rustix::process::Signal::INT);
    let ended = send.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("(may_have_completed)") && said.contains("retry is not safe"), "{said}");
    let child = call["child_pid"].as_i64().unwrap();
    eventually("what osascript started ends", || crate::outbound::is_gone(child).then_some(()));
    assert_eq!(home.outbox_state().as_deref(), Some("unconfirmed"));
}

#[test]
fn a_contact_can_be_named_if_the_name_means_one() {
    let home = Home::with_contacts(QUICK);
    home.contact(&Card::new("Joanna Doe", &["jo@example.com"]));
    let sent = home.run(&["send", "--to", "Ann Example", "--text", "hi"]);
    assert_eq!((sent.status.code(), sent.stdout.as_str()), (Some(0), "sent\n"), "{sent:?}");
    assert_eq!(home.sent()[0]["recipient"], FRIEND);
    let refused = home.run(&["send", "--to", "ANN", "--text", "hi"]);
    assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""));
    let said = "error: Invalid chat target: Multiple contacts match \"ANN\":\n  Ann Example: ";
    assert!(refused.stderr.starts_with(said), "{refused:?}");
    assert_eq!(home.sent().len(), 1);
}

#[test]
fn an_errand_is_done_also_where_the_policies_are_in_force_before_it_begins() {
    // None to load, so that they are.
    let home = Home::new("[policy]\nbundled = []\n");
    for text in ["one", "two", "three"] {
        let sent = home.run(&["send", "--to", FRIEND, "--text", text]);
        assert_eq!((sent.status.code(), sent.stdout.as_str()), (Some(0), "sent\n"), "{sent:?}");
    }
}
