//! Unread and scheduled messages, and statistics (9.18).

use serde_json::{Value, json};

use super::{Bench, check_absent, ids};
use crate::harness::{ANN, ANNS_CHAT, BOB, GROUP, PREVIEW, SmallDb, at, now};

const LINK: &str = "https://example.com";
const READ_STATE: &str =
    "guid TEXT, is_read INTEGER, balloon_bundle_id TEXT, reply_to_guid TEXT, item_type INTEGER DEFAULT 0";

fn unread_bench(write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let db = SmallDb::create(path).with("message", READ_STATE);
        write(&db);
        db
    })
}

/// Id and unread count of each listed chat.
fn listed(bench: &mut Bench, params: Value) -> Vec<(i64, Option<i64>)> {
    let answer = bench.client.ok("chats.list", params);
    let chats = answer["chats"].as_array().unwrap();
    chats.iter().map(|chat| (chat["id"].as_i64().unwrap(), chat.get("unread_count").and_then(Value::as_i64))).collect()
}

#[test]
fn unread_counts_what_others_wrote_and_nobody_read() {
    let mut bench = unread_bench(|db| {
        for id in [1, 2] {
            db.message(id, ANNS_CHAT, json!({"text": "unread", "is_read": 0}));
        }
        db.message(3, ANNS_CHAT, json!({"text": "read", "is_read": 1}));
        db.message(4, ANNS_CHAT, json!({"text": "mine", "is_read": 0, "is_from_me": 1}));
        for (id, item_type) in [(5, 4), (6, 2), (7, 3)] {
            db.message(id, ANNS_CHAT, json!({"is_read": 0, "item_type": item_type}));
        }
        db.message(8, GROUP, json!({"is_read": 0, "item_type": 1}));
    });
    assert_eq!(listed(&mut bench, json!({})), [(GROUP, Some(0)), (ANNS_CHAT, Some(2))]);
    assert_eq!(listed(&mut bench, json!({"unread_only": true})), [(ANNS_CHAT, Some(2))]);
    bench.db.run("UPDATE message SET is_read = 1");
    assert_eq!(listed(&mut bench, json!({})), [(GROUP, Some(0)), (ANNS_CHAT, Some(0))]);
    assert_eq!(listed(&mut bench, json!({"unreadOnly": true})), []);
}

#[test]
fn a_preview_is_unread_with_its_text() {
    let preview = |is_read: i64| json!({"text": LINK, "balloon_bundle_id": PREVIEW, "is_read": is_read});
    let mut bench = unread_bench(|db| {
        db.message(1, 11, json!({"text": LINK, "is_read": 1}));
        db.message(2, 11, preview(0));
        db.message(3, 12, json!({"text": "the caption", "is_read": 0}));
        let mut named = preview(0);
        named["reply_to_guid"] = json!("guid-3");
        db.message(4, 12, named);
        db.message(5, 13, json!({"text": LINK, "is_read": 0}));
        db.message(6, 13, json!({"text": "something else", "is_read": 1}));
        db.message(7, 13, preview(0));
        for chat in [11, 12, 13] {
            db.insert("chat", &json!({"ROWID": chat, "chat_identifier": chat.to_string(), "guid": chat.to_string()}));
        }
    });
    assert_eq!(listed(&mut bench, json!({})), [(13, Some(2)), (12, Some(1)), (11, Some(0))]);
    assert_eq!(listed(&mut bench, json!({"unread_only": true})), [(13, Some(2)), (12, Some(1))]);
}

#[test]
fn unread_only_goes_on_until_there_are_enough() {
    let mut bench = unread_bench(|db| {
        db.message(1, ANNS_CHAT, json!({"text": "unread", "is_read": 0}));
        db.message(2, 11, json!({"text": "read", "is_read": 1}));
        db.message(3, GROUP, json!({"text": LINK, "is_read": 1}));
        db.message(4, GROUP, json!({"text": LINK, "balloon_bundle_id": PREVIEW, "is_read": 0}));
        db.insert("chat", &json!({"ROWID": 11, "chat_identifier": "x", "guid": "x"}));
    });
    assert_eq!(listed(&mut bench, json!({"unread_only": true, "limit": 1})), [(ANNS_CHAT, Some(1))]);
    assert_eq!(listed(&mut bench, json!({"limit": 1})), [(GROUP, Some(0))]);
}

#[test]
fn without_read_state_nothing_is_said_of_it() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path);
        db.text(1, ANNS_CHAT, "hello");
        db
    });
    assert_eq!(listed(&mut bench, json!({})), [(ANNS_CHAT, None)]);
    let refusal = bench.client.refused("chats.list", json!({"unread_only": true}));
    let said = "unread_only is unavailable because this Messages database has no read-state column";
    assert_eq!((refusal.code, refusal.data), (-32602, json!(said)));
    check_absent(&bench.history(ANNS_CHAT)[0], &["is_read", "date_read"]);
}

#[test]
fn scheduled_messages_are_those_to_come() {
    const HOUR: i64 = 3_600_000_000_000;
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", "guid TEXT, schedule_type INTEGER, schedule_state INTEGER");
        let due = |hours: i64, from_me: i64, kind: Value, state: Value| json!({"text": "later", "date": now() + hours * HOUR, "is_from_me": from_me, "schedule_type": kind, "schedule_state": state});
        db.message(1, ANNS_CHAT, due(2, 1, json!(2), json!(1)));
        db.message(2, GROUP, due(1, 1, json!(0), json!(3)));
        db.message(3, ANNS_CHAT, due(-1, 1, json!(2), json!(1)));
        db.message(4, ANNS_CHAT, due(1, 0, json!(2), json!(1)));
        db.message(5, ANNS_CHAT, due(1, 1, json!(0), Value::Null));
        db
    });
    let scheduled = bench.messages("messages.scheduled", json!({}));
    assert_eq!(ids(&scheduled), [2, 1]);
    let last = &scheduled[1];
    assert_eq!((&last["guid"], &last["chat_guid"]), (&json!("guid-1"), &json!(format!("any;-;{ANN}"))));
    assert_eq!((&last["schedule_type"], &last["schedule_state"]), (&json!(2), &json!(1)));
    assert_eq!((&last["text"], &last["service"], &last["chat_id"]), (&json!("later"), &json!("iMessage"), &json!(1)));
    let first = json!([scheduled[0]["schedule_type"], scheduled[0]["schedule_state"], scheduled[0]["chat_name"]]);
    assert_eq!(first, json!([0, 3, "Friends"]));
    assert_eq!(ids(&bench.messages("messages.scheduled", json!({"limit": 1}))), [2]);

    let mut without = Bench::new(SmallDb::create);
    let refusal = without.client.refused("messages.scheduled", json!({}));
    let said = "scheduled messages are unavailable because this Messages database has no schedule columns";
    assert_eq!((refusal.code, refusal.data), (-32602, json!(said)));
    let status = without.client.ok("status", json!({}));
    assert!(!status["methods"].as_array().unwrap().contains(&json!("messages.scheduled")));
}

#[test]
fn statistics_count_messages_and_media() {
    let day = |day: i64| json!(at(day * 86_400));
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with_attachments();
        db.message(1, ANNS_CHAT, json!({"text": "a", "date": day(0)}));
        db.message(2, ANNS_CHAT, json!({"text": "b", "date": day(1), "is_from_me": 1, "handle_id": 0}));
        db.message(3, GROUP, json!({"text": "c", "date": day(1), "handle_id": 2, "service": "SMS"}));
        for (id, message, mime, bytes) in [(1, 1, "image/png", 100), (2, 3, "video/mp4", 250)] {
            db.insert("attachment", &json!({"ROWID": id, "uti": "", "mime_type": mime, "total_bytes": bytes}));
            db.insert("message_attachment_join", &json!({"message_id": message, "attachment_id": id}));
        }
        db
    });
    let stats = bench.client.ok("messages.stats", json!({"time_zone": "UTC", "include_media": true}));
    assert_eq!(json!([stats["total_messages"], stats["sent_messages"], stats["received_messages"]]), json!([3, 1, 2]));
    let chat = |id, identifier, name, count| json!({"chat_id": id, "identifier": identifier, "name": name, "service": "iMessage", "message_count": count});
    assert_eq!(stats["chats"], json!([chat(1, ANN, ANN, 2), chat(2, "chat42", "Friends", 1)]));
    assert_eq!(stats["senders"], json!([{"handle": ANN, "message_count": 1}, {"handle": BOB, "message_count": 1}]));
    let services = json!([{"service": "iMessage", "message_count": 2}, {"service": "SMS", "message_count": 1}]);
    assert_eq!(stats["services"], services);
    let dates = json!([{"date": "2023-03-20", "message_count": 1}, {"date": "2023-03-21", "message_count": 2}]);
    assert_eq!((&stats["dates"], &stats["time_zone"]), (&dates, &json!("UTC")));
    let media = &stats["media"];
    assert_eq!(json!([media["total_attachments"], media["total_bytes"]]), json!([2, 350]));
    assert_eq!(
        media["types"][0],
        json!({"uti": "unknown", "mime_type": "video/mp4", "attachment_count": 1, "total_bytes": 250})
    );
    assert_eq!(media["chats"][0]["chat_id"], 2);

    let of_one = bench.client.ok("messages.stats", json!({"chat_id": GROUP}));
    assert_eq!((&of_one["total_messages"], of_one["chats"].as_array().unwrap().len()), (&json!(1), 1));
    check_absent(&of_one, &["media"]);
    for (params, said) in [
        (json!({"chat_id": 0}), "chat_id must be a positive rowid (received 0)"),
        (json!({"chat_id": 99}), "chat_id 99 does not exist"),
        (json!({"time_zone": ""}), "invalid IANA time zone: "),
        (json!({"time_zone": "Mars/Olympus"}), "invalid IANA time zone: Mars/Olympus"),
    ] {
        let refusal = bench.client.refused("messages.stats", params);
        assert_eq!((refusal.code, refusal.data), (-32602, json!(said)));
    }
    let mut without = Bench::new(SmallDb::create);
    let refusal = without.client.refused("messages.stats", json!({"include_media": true}));
    assert_eq!(refusal.data, "media statistics are unavailable because attachment tables are missing");
}
