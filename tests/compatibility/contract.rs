//! What is refused, and what a page is (9.14, 9.25).

use serde_json::{Value, json};

use super::{Bench, each, ids};
use crate::harness::{ANNS_CHAT, ASSOCIATIONS, BOB, Client, FRIEND, GROUP, SmallDb, at};

fn bench(write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let db = SmallDb::create(path).with("message", ASSOCIATIONS);
        write(&db);
        db
    })
}

#[track_caller]
fn check(client: &mut Client, method: &str, params: Value, said: &str) {
    let refusal = client.refused(method, params.clone());
    assert_eq!((refusal.code, refusal.message.as_str()), (-32602, "Invalid params"), "{method} {params}");
    assert_eq!(refusal.data, said, "{method} {params}");
}

#[test]
fn nothing_is_coerced() {
    let mut bench = bench(|db| db.text(1, ANNS_CHAT, "hello"));
    let client = &mut bench.client;
    for (method, key, wrong) in [
        ("messages.history", "chat_id", &[json!("1"), json!(true), json!(1.5), json!([1])][..]),
        ("chats.list", "limit", &[json!(false), json!("5"), json!(1.5), json!(9_223_372_036_854_775_808_u64)]),
        ("messages.scheduled", "limit", &[json!("5"), json!({})]),
        ("watch.subscribe", "since_rowid", &[json!("0"), json!(true), json!(0.5)]),
        ("watch.subscribe", "debounce_ms", &[json!("125")]),
        ("watch.unsubscribe", "subscription", &[json!("1"), json!(true)]),
    ] {
        for value in wrong {
            check(client, method, json!({key: value}), &format!("{key} must be an integer"));
        }
    }
    for (method, key, wrong) in [
        ("chats.list", "unread_only", &[json!(1), json!("true")][..]),
        ("watch.subscribe", "attachments", &[json!("yes"), json!(0)]),
        ("messages.stats", "include_media", &[json!(1)]),
    ] {
        for value in wrong {
            check(client, method, json!({key: value}), &format!("{key} must be a boolean"));
        }
    }
    let texts = "participants must be an array of strings";
    for wrong in [json!("a,b"), json!(["a", 1]), json!({})] {
        check(client, "watch.subscribe", json!({"participants": wrong}), texts);
        check(client, "messages.history", json!({"chat_id": 1, "participants": wrong}), texts);
    }
    check(client, "messages.search", json!({"query": 5}), "query must be a string");
    check(client, "send", json!({"to": 14155550101_i64, "text": "x"}), "to must be a string");
    assert!(bench.daemon.sent().is_empty());
}

#[test]
fn an_unknown_key_is_refused_and_nothing_happens() {
    let mut bench = bench(|db| db.text(1, ANNS_CHAT, "hello"));
    for method in [
        "status",
        "initialize",
        "chats.list",
        "chats.get",
        "messages.stats",
        "messages.history",
        "messages.search",
        "messages.after",
        "messages.scheduled",
        "watch.subscribe",
        "watch.unsubscribe",
        "message.send_status",
        "send",
    ] {
        let wrong = json!({"zz": 1, "chatId": 1, "to": FRIEND, "text": "x"});
        check(&mut bench.client, method, wrong, &format!("unknown {method} param: chatId"));
    }
    // What needs the bridge reaches nobody, whatever it says.
    for method in ["chats.delete", "message.delete", "chats.create"] {
        let refusal = bench.client.refused(method, json!({"zz": 1}));
        assert_eq!(refusal.data["disposition"], "not_started", "{method}");
    }
    assert!(bench.daemon.sent().is_empty());
}

#[test]
fn wrong_values_are_refused_before_anything_happens() {
    let mut bench = bench(|db| db.text(1, ANNS_CHAT, "hello"));
    let client = &mut bench.client;
    let positive = "chat_id must be a positive integer";
    for chat in [0, -1] {
        for method in ["messages.history", "chats.get", "watch.subscribe"] {
            check(client, method, json!({"chat_id": chat}), positive);
        }
        check(client, "messages.after", json!({"since_rowid": 0, "chat_id": chat}), positive);
        check(client, "send", json!({"chat_id": chat, "text": "x"}), positive);
    }
    for (method, params, said) in [
        ("watch.unsubscribe", json!({"subscription": 0}), "subscription must be a positive integer"),
        ("send", json!({"to": "", "text": "x"}), "to must be a non-empty string"),
        ("send", json!({"to": " ", "text": "x"}), "to must be a non-empty string"),
        ("send", json!({"chat_guid": "", "text": "x"}), "chat_guid must be a non-empty string"),
        ("send", json!({"chat_identifier": "", "text": "x"}), "chat_identifier must be a non-empty string"),
        ("messages.search", json!({}), "query must be a non-empty string"),
        ("messages.search", json!({"query": "  "}), "query must be a non-empty string"),
        ("messages.search", json!({"query": "x", "match": "like"}), "match must be contains or exact"),
        ("messages.search", json!({"query": "x", "limit": 101}), "limit must be between 1 and 100"),
        ("messages.search", json!({"query": "x", "limit": 0}), "limit must be between 1 and 100"),
        ("messages.scheduled", json!({"limit": 0}), "limit must be a positive integer"),
        ("message.send_status", json!({}), "guid is required"),
        ("message.send_status", json!({"guid": " "}), "guid is required"),
        ("initialize", json!({"protocol_version": 2}), "unsupported protocol_version 2; supported version is 1"),
    ] {
        check(client, method, params, said);
    }
    for (key, date) in [("start", "bad-date"), ("end", "2026-01-02"), ("start", ""), ("end", "2026-01-02T03:04:05")] {
        let said = format!("Invalid ISO8601 date: {date}");
        check(client, "messages.history", json!({"chat_id": 1, key: date}), &said);
        check(client, "watch.subscribe", json!({key: date}), &said);
    }
    assert_eq!(client.subscribe(json!({})), 1, "what was refused has no number");
    assert!(bench.daemon.sent().is_empty());
}

#[test]
fn what_changes_in_the_database_shows_at_once() {
    let mut bench = bench(|db| db.text(1, GROUP, "hello"));
    assert_eq!(each(&bench.history(GROUP), "chat_name"), ["Friends"]);
    bench.db.run(
        "UPDATE chat SET display_name = 'Renamed' WHERE ROWID = 2; DELETE FROM chat_handle_join WHERE handle_id = 1",
    );
    for message in [bench.history(GROUP).remove(0), bench.after(0).remove(0)] {
        assert_eq!((&message["chat_name"], &message["participants"]), (&json!("Renamed"), &json!([BOB])));
    }
    let listed = bench.client.ok("chats.list", json!({}));
    assert_eq!((&listed["chats"][0]["name"], &listed["chats"][0]["participants"]), (&json!("Renamed"), &json!([BOB])));
    let got = bench.client.ok("chats.get", json!({"chat_id": GROUP}));
    assert_eq!((&got["name"], &got["participants"]), (&json!("Renamed"), &json!([BOB])));
    bench.db.run("DELETE FROM chat WHERE ROWID = 2");
    check(&mut bench.client, "send", json!({"chat_id": GROUP, "text": "x"}), "unknown chat_id 2");
    check(&mut bench.client, "chats.get", json!({"chat_id": GROUP}), "Chat not found: 2");
    assert!(bench.daemon.sent().is_empty());
}

#[test]
fn rows_of_one_date_are_paged_by_row() {
    let mut bench = bench(|db| {
        db.run("BEGIN");
        for id in 1..=502 {
            db.message(id, ANNS_CHAT, json!({"text": "x", "date": at(0)}));
        }
        db.run("COMMIT");
    });
    let first = bench.client.ok("messages.after", json!({"since_rowid": 0, "limit": 500}));
    assert_eq!(ids(first["messages"].as_array().unwrap()), (1..=500).collect::<Vec<_>>());
    assert_eq!((&first["next_rowid"], &first["has_more"]), (&json!(500), &json!(true)));
    let second = bench.client.ok("messages.after", json!({"since_rowid": 500, "limit": 500, "chat_id": ANNS_CHAT}));
    assert_eq!(ids(second["messages"].as_array().unwrap()), [501, 502]);
    assert_eq!((&second["next_rowid"], &second["has_more"]), (&json!(502), &json!(false)));
    let usual = bench.client.ok("messages.after", json!({"since_rowid": -1}));
    assert_eq!((&usual["next_rowid"], &usual["has_more"]), (&json!(100), &json!(true)));
    let end = bench.client.ok("messages.after", json!({"since_rowid": 502}));
    assert_eq!(end, json!({"messages": [], "next_rowid": 502, "has_more": false}));
}

#[test]
fn a_tapback_row_is_a_page_of_its_own() {
    let mut bench = bench(|db| {
        for id in 1..=5 {
            db.text(id, ANNS_CHAT, "x");
        }
        db.associate(6, ANNS_CHAT, 2000, "p:0/guid-5", json!({}));
        db.text(7, ANNS_CHAT, "y");
    });
    let mut page = |since: i64, reactions: bool| {
        let params = json!({"since_rowid": since, "limit": 1, "include_reactions": reactions});
        let page = bench.client.ok("messages.after", params);
        (ids(page["messages"].as_array().unwrap()), page["next_rowid"].as_i64().unwrap(), page["has_more"] == true)
    };
    assert_eq!(page(5, true), (vec![6], 6, true));
    assert_eq!(page(6, true), (vec![7], 7, false));
    assert_eq!(page(5, false), (vec![7], 7, false));
    assert_eq!(page(4, false), (vec![5], 6, true), "the tapback is passed over");
}

#[test]
fn pages_are_refused_for_wrong_parameters() {
    let mut bench = bench(|_| {});
    let cursor = "since_rowid must be an integer";
    let limit = "limit must be an integer between 1 and 500";
    for (params, said) in [
        (json!({}), "since_rowid must be a non-negative integer"),
        (json!({"since_rowid": -2}), "since_rowid must be a non-negative integer"),
        (json!({"since_rowid": "0"}), cursor),
        (json!({"since_rowid": true}), cursor),
        (json!({"since_rowid": 1.5}), cursor),
        (json!({"since_rowid": null}), "since_rowid must not be null"),
        (json!({"since_rowid": 0, "chat_id": 0}), "chat_id must be a positive integer"),
        (json!({"since_rowid": 0, "limit": 0}), limit),
        (json!({"since_rowid": 0, "limit": 501}), limit),
        (json!({"since_rowid": 0, "attachments": 1}), "attachments must be a boolean"),
        (json!({"since_rowid": 0, "convert_attachments": "x"}), "convert_attachments must be a boolean"),
        (json!({"since_rowid": 0, "include_reactions": 0}), "include_reactions must be a boolean"),
        (json!({"since_rowid": 0, "before": 1}), "unknown messages.after param: before"),
        (json!([0]), "params must be an object when present"),
    ] {
        check(&mut bench.client, "messages.after", params, said);
    }
}

#[test]
fn one_chat_is_refused_for_wrong_parameters() {
    let mut bench = bench(|_| {});
    let integer = "chat_id must be an integer";
    for (params, said) in [
        (json!({}), "chat_id is required"),
        (json!({"chat_id": 0}), "chat_id must be a positive integer"),
        (json!({"chat_id": -1}), "chat_id must be a positive integer"),
        (json!({"chat_id": "1"}), integer),
        (json!({"chat_id": true}), integer),
        (json!({"chat_id": 1.5}), integer),
        (json!({"chat_id": 9_223_372_036_854_775_808_u64}), integer),
        (json!({"chat_id": null}), "chat_id must not be null"),
        (json!({"chat_id": []}), integer),
        (json!({"chat_id": {}}), integer),
        (json!({"chatId": 1}), "unknown chats.get param: chatId"),
        (json!({"chat_guid": "x"}), "unknown chats.get param: chat_guid"),
        (json!({"chat_identifier": "x"}), "unknown chats.get param: chat_identifier"),
        (json!({"chat_id": 1, "limit": 1}), "unknown chats.get param: limit"),
        (json!({"chat_id": 999}), "Chat not found: 999"),
    ] {
        check(&mut bench.client, "chats.get", params, said);
    }
}
