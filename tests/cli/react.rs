//! `imsgd react`, through a daemon and by itself: the same answers.

use std::ops::Deref;

use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, OTHER_FRIEND, TestDaemon};

const QUICK: &str = "send.timeout_seconds = 1\n[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101']\n";

/// The same on a Mac with a daemon, and on one without.
fn both_ways(check: impl Fn(&Home)) {
    check(&Home::new(QUICK));
    check(TestDaemon::new(QUICK).deref());
}

#[test]
fn a_reaction_is_made_once_and_its_row_is_told() {
    both_ways(|home| {
        let first = home.receive_from(FRIEND, "hi");
        let newest = home.receive_from(FRIEND, "how are you?");
        let chat = first.chat_id.unwrap().to_string();
        let done = home.run(&["react", "--chat-id", &chat, "--reaction", "like"]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        assert_eq!((done.stdout, done.stderr), (format!("Sent 👍 reaction to chat {chat}\n"), String::new()));
        let call = &home.sent()[0];
        assert_eq!((&call["chat"], &call["button"]), (&json!(format!("any;-;{FRIEND}")), &json!("thumbsUp")));
        assert_eq!(call["identifier"], FRIEND);
        let done = home.run(&["react", "--chat-id", &chat, "-r", "❤️", "--json"]);
        let line: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        assert_eq!((&line["success"], &line["chat_id"]), (&json!(true), &json!(first.chat_id.unwrap().0)));
        assert_eq!((&line["reaction_type"], &line["reaction_emoji"]), (&json!("love"), &json!("❤️")));
        assert_eq!(line["reacted_to_guid"], newest.guid);
        assert!(line["id"].is_i64() && line["guid"].is_string());
        assert_eq!(home.sent().len(), 2);
    });
}

#[test]
fn identifiers_stay_one_value_whatever_is_in_them() {
    let home = Home::new(QUICK);
    for identifier in ["chat&body=do not send?#%", "chat \"quoted\" \\ and\nbroken", "chat聊天"] {
        let chat = home.receive_in(&format!("any;+;{identifier}"), FRIEND, "hi").chat_id.unwrap().to_string();
        let done = home.run(&["react", "--chat-id", &chat, "--reaction", "question"]);
        assert_eq!(done.status.code(), Some(0), "{identifier}: {done:?}");
        assert_eq!(home.sent().last().unwrap()["identifier"], identifier);
    }
}

#[test]
fn without_proof_a_reaction_has_an_unknown_outcome_and_is_not_tried_again() {
    let told = [
        ("fail-before", "not_started", "-600"),
        ("exit", "may_have_completed", "-609"),
        ("wrong-kind", "may_have_completed", "no new like reaction"),
        ("wrong-chat", "may_have_completed", "no new like reaction"),
        ("accept-without-writing", "may_have_completed", "no new like reaction"),
        ("fail-after", "may_have_completed", "-1712"),
        ("hang", "may_have_completed", "was stopped"),
        ("not-found", "not_started", "-1728"),
    ];
    check_failures(&Home::new(QUICK), &told[..3]);
    check_failures(TestDaemon::new(QUICK).deref(), &told);
}

fn check_failures(home: &Home, told: &[(&str, &str, &str)]) {
    let chat = home.receive_from(FRIEND, "hi").chat_id.unwrap().to_string();
    home.receive_from(OTHER_FRIEND, "hi");
    let react = ["react", "--chat-id", &chat, "--reaction", "like", "--json"];
    // One that is there already proves nothing.
    assert_eq!(home.run(&react).status.code(), Some(0));
    for (number, (mode, disposition, said)) in told.iter().enumerate() {
        home.osascript(&json!({"mode": mode}));
        let failed = home.run(&react);
        assert_eq!((failed.status.code(), failed.stdout.as_str()), (Some(1), ""), "{mode}: {failed:?}");
        let first = format!("error: applescript react failed ({disposition}): ");
        assert!(failed.stderr.starts_with(&first) && failed.stderr.contains(said), "{mode}: {failed:?}");
        let last: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(last["data"]["retry_safe"], *disposition == "not_started", "{mode}: {last}");
        assert_eq!(home.sent().len(), number + 2, "{mode}");
    }
}

#[test]
fn a_row_that_comes_or_joins_late_is_proof() {
    both_ways(|home| {
        let chat = home.receive_from(FRIEND, "hi").chat_id.unwrap().to_string();
        for mode in ["late-join", "write-late"] {
            home.osascript(&json!({"mode": mode, "delay_ms": 400}));
            let done = home.run(&["react", "--chat-id", &chat, "--reaction", "haha"]);
            assert_eq!(done.status.code(), Some(0), "{mode}: {done:?}");
        }
        assert_eq!(home.sent().len(), 2);
    });
}

#[test]
fn what_cannot_be_reacted_to_is_refused_and_no_script_is_run() {
    let home = Home::new(FRIENDS);
    let direct = home.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let twin = home.receive_in("SMS;-;+14155550102", OTHER_FRIEND, "hi").chat_id.unwrap().0;
    home.receive_from(OTHER_FRIEND, "hi");
    home.receive_in("any;-;+14155550102", OTHER_FRIEND, "hi");
    let nameless = home.receive_in("any;+;chat7", FRIEND, "hi").chat_id.unwrap().0;
    // Open until the end: the last one to close a database takes its -wal file away.
    let write = rusqlite::Connection::open(home.db()).unwrap();
    write.execute("UPDATE chat SET chat_identifier = '' WHERE ROWID = ?", [nameless]).unwrap();
    for (chat, reaction, said) in [
        ("1", "🎉", "Unsupported reaction: custom emoji tapback '🎉' cannot be sent by Messages.app AppleScript"),
        ("1", "wow", "Invalid reaction: wow\nValid values: love, like, dislike"),
        ("999", "wow", "Invalid reaction: wow\n"),
        ("999", "like", "Chat not found: 999\n"),
        (&nameless.to_string(), "like", "Invalid chat target: Missing chat identifier or guid\n"),
        (&twin.to_string(), "like", "Invalid chat target: the identifier of chat"),
        ("x", "like", "Invalid value for option: --chat-id"),
        (&direct.to_string(), "--json", "Missing value for option --reaction"),
    ] {
        let refused = home.run(&["react", "--chat-id", chat, "--reaction", reaction]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{reaction}: {refused:?}");
        assert!(refused.stderr.starts_with(&format!("error: {said}")), "{chat} {reaction}: {refused:?}");
    }
    assert!(home.run(&["react", "--chat-id", &twin.to_string(), "-r", "like"]).stderr.contains("ambiguous"));
    assert!(home.run(&["react", "-r", "like"]).stderr.contains("Missing required option: --chat-id"));
    assert!(home.run(&["react", "--chat-id", "1"]).stderr.contains("Missing required option: --reaction"));
    assert!(home.sent().is_empty());
}

#[test]
fn the_method_checks_its_parameters_and_waits_in_the_lane_of_sends() {
    let daemon = TestDaemon::new(QUICK);
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let mut client = daemon.connect();
    for (params, said) in [
        (json!({"reaction": "like"}), "chat_id is required"),
        (json!({"chat_id": chat}), "reaction is required"),
        (json!({"chat_id": 0, "reaction": "like"}), "chat_id must be a positive integer"),
        (json!({"chat_id": chat, "reaction": 1}), "reaction must be a string"),
        (json!({"chat_id": chat, "reaction": "like", "kind": "x"}), "unknown react param: kind"),
        (json!({"chat_id": 999, "reaction": "like"}), "Chat not found: 999"),
    ] {
        let refusal = client.refused("react", params.clone());
        assert_eq!((refusal.code, &refusal.data), (-32602, &json!(said)), "{params}");
    }
    assert!(daemon.sent().is_empty());
    daemon.osascript(&json!({"delay_ms": 200}));
    let first = client.ask("send", json!({"chat_id": chat, "text": "first"}));
    let second = client.ask("react", json!({"chat_id": chat, "reaction": "👍"}));
    client.answer(first).unwrap();
    let done = client.answer(second).unwrap();
    assert_eq!((&done["ok"], &done["reaction_type"]), (&json!(true), &json!("like")));
    assert_eq!(daemon.sent()[1]["button"], "thumbsUp");
    assert!(client.ok("status", json!({}))["methods"].as_array().unwrap().contains(&json!("react")));
}

#[test]
fn without_a_database_a_reaction_is_refused_with_what_to_do() {
    let home = Home::without_database(FRIENDS);
    let refused = home.run(&["react", "--chat-id", "1", "--reaction", "like"]);
    assert!(refused.stderr.contains("there is no Messages database"), "{refused:?}");
    assert!(home.sent().is_empty());
}
