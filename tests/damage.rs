//! Databases that are damaged: rows are shown as far as they can be, and nothing stops.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{ANN, ANNS_CHAT, BOB, Client, FRIEND, FRIENDS, Home, SmallDb, TestDaemon, eventually, now};

const ONLY_ANN: &str = "[policy]\nbundled = ['allowlist']\nallow_from = ['ann@example.com']\n";

fn ids(answer: &Value) -> Vec<i64> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

#[test]
fn rows_without_a_guid_have_a_verdict_each() {
    let home = Home::without_database(ONLY_ANN);
    let db = SmallDb::create(&home.db());
    db.insert(
        "chat",
        &json!({"ROWID": 3, "chat_identifier": BOB, "guid": format!("any;-;{BOB}"), "service_name": "iMessage"}),
    );
    let arrives = |id: i64, chat: i64, handle: i64| {
        db.message(id, chat, json!({"text": format!("{id}"), "handle_id": handle, "date": now()}));
    };
    let mut daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    for (id, chat, handle) in [(1, ANNS_CHAT, 1), (2, 3, 2), (3, ANNS_CHAT, 1), (4, 3, 2), (5, ANNS_CHAT, 1)] {
        arrives(id, chat, handle);
    }
    assert_eq!(client.texts(3), ["1", "3", "5"]);
    assert_eq!(ids(&client.ok("messages.after", json!({"since_rowid": 0}))), [1, 3, 5]);
    for (row, verdict) in [(1, "delivered"), (2, "rejected"), (3, "delivered"), (4, "rejected")] {
        let explained = client.ok("journal.explain", json!({"rowid": row}));
        assert_eq!(explained["verdict"], verdict, "{row}: {explained}");
    }
    daemon.kill();
    arrives(6, 3, 2);
    arrives(7, ANNS_CHAT, 1);
    daemon.start_again();
    assert!(!daemon.log().contains("renumbered"), "{}", daemon.log());
    eventually("what came meanwhile is judged", || (daemon.status()["imsgd"]["head"] == 7).then_some(()));
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": 3}));
    assert_eq!(client.texts(2), ["5", "7"]);
}

/// Every column holds something that it never should.
fn write_corrupt_rows(db: &SmallDb) {
    let blob = json!([0xFF, 0x00, 0x80]);
    let truncated: Vec<u8> =
        crate::harness::archive("the text of an archive that ends too soon").drain(..200).collect();
    let everything_odd = json!({
        "guid": blob, "text": blob, "handle_id": "ann", "service": blob, "date": "today", "is_from_me": "x",
        "item_type": "x", "attributedBody": "no archive", "associated_message_guid": blob,
        "associated_message_type": "like", "associated_message_emoji": blob, "thread_originator_guid": blob,
        "reply_to_guid": blob, "balloon_bundle_id": blob, "is_read": "x", "date_read": "x", "is_audio_message": "x",
        "destination_caller_id": blob, "payload_data": "x", "message_summary_info": "x", "schedule_type": "x",
        "cache_has_attachments": 0, "date_edited": "x", "date_retracted": "x",
    });
    db.message(2, ANNS_CHAT, everything_odd);
    db.message(3, ANNS_CHAT, json!({"date": now(), "attributedBody": truncated}));
    db.message(4, ANNS_CHAT, json!({"date": now(), "text": "whole", "attributedBody": blob, "message_summary_info": blob, "payload_data": blob}));
    db.associate(5, ANNS_CHAT, 2006, "p:x/", json!({"date": now(), "associated_message_emoji": 5}));
    db.message(6, ANNS_CHAT, json!({"date": i64::MIN, "text": "very old", "handle_id": i64::MAX}));
    db.message(7, ANNS_CHAT, json!({"date": i64::MAX, "text": "from the future", "handle_id": -1}));
    db.insert("attachment", &json!({"ROWID": 1, "filename": blob, "total_bytes": "many", "is_sticker": blob, "user_info": blob, "mime_type": 5}));
    db.insert("message_attachment_join", &json!({"message_id": 4, "attachment_id": 1}));
    db.insert("message_attachment_join", &json!({"message_id": "x", "attachment_id": blob}));
    db.insert("chat_message_join", &json!({"chat_id": blob, "message_id": "x"}));
    db.insert("chat_handle_join", &json!({"chat_id": 1, "handle_id": "x"}));
    db.insert(
        "chat",
        &json!({"ROWID": 9, "chat_identifier": blob, "guid": 5, "display_name": blob, "service_name": 1.5}),
    );
    db.message(8, 9, json!({"date": now(), "text": "in an odd chat"}));
}

fn corrupt(home: &Home) -> SmallDb {
    let columns = "guid, attributedBody, item_type, destination_caller_id, associated_message_type, associated_message_guid, \
        associated_message_emoji, reply_to_guid, thread_originator_guid, balloon_bundle_id, is_read, date_read, \
        is_audio_message, cache_has_attachments, date_edited, date_retracted, payload_data, message_summary_info, \
        schedule_type, schedule_state";
    SmallDb::create(&home.db())
        .with("message", columns)
        .with("chat", "style, account_id")
        .with_attachments()
        .with("attachment", "guid, user_info")
}

fn check_all_readers(client: &mut Client) {
    for (method, params) in [
        ("chats.list", json!({})),
        ("chats.list", json!({"unread_only": true})),
        ("chats.get", json!({"chat_id": 9})),
        ("messages.history", json!({"chat_id": ANNS_CHAT, "attachments": true})),
        ("messages.history", json!({"chat_id": 9})),
        ("messages.after", json!({"since_rowid": 0, "attachments": true, "include_reactions": true})),
        ("messages.search", json!({"query": "whole"})),
        ("messages.stats", json!({"include_media": true})),
        ("messages.scheduled", json!({})),
        ("message.send_status", json!({"guid": "guid-1"})),
    ] {
        client.ok(method, params);
    }
    assert_eq!(ids(&client.ok("messages.search", json!({"query": "whole"}))), [4]);
    let history = client.ok("messages.history", json!({"chat_id": ANNS_CHAT}));
    let text_of = |id: i64| {
        let messages = history["messages"].as_array().unwrap();
        messages.iter().find(|message| message["id"] == id).unwrap_or_else(|| panic!("{id}: {history}"))["text"].clone()
    };
    assert_eq!(text_of(4), "whole");
    assert_eq!(text_of(2), "");
    assert_eq!(text_of(3), "the text of an archive that ends too soon");
}

#[test]
fn corrupt_rows_are_shown_as_far_as_they_can_be_and_stop_nothing() {
    let home = Home::without_database(crate::harness::OPEN);
    let db = corrupt(&home);
    db.text(1, ANNS_CHAT, "before");
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    write_corrupt_rows(&db);
    db.message(10, ANNS_CHAT, json!({"date": now(), "text": "after"}));
    let mut seen = Vec::new();
    while seen.last() != Some(&10) {
        seen.push(client.message()["id"].as_i64().unwrap());
    }
    // A tapback and a very old message are for those who ask for them.
    assert_eq!(seen, [2, 3, 4, 7, 8, 10]);
    check_all_readers(&mut client);
    // It is said once, and without what the row says.
    let log = daemon.log();
    assert_eq!(log.matches("row=2").count(), 1, "{log}");
    assert!(log.contains("damaged") && log.contains("row=3"), "{log}");
    for secret in ["whole", "odd chat", ANN] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// A copy of the database whose -wal ends after this many bytes.
fn with_wal_cut(home: &Home, length: impl FnOnce(u64) -> u64) -> Home {
    let cut = Home::without_database(FRIENDS);
    fs::copy(home.db(), cut.db()).unwrap();
    let (from, to) = (home.path("chat.db-wal"), cut.path("chat.db-wal"));
    let whole = fs::copy(&from, &to).unwrap();
    fs::File::options().write(true).open(&to).unwrap().set_len(length(whole)).unwrap();
    cut
}

#[test]
fn a_wal_that_was_written_by_half_gives_what_was_whole() {
    let home = Home::new(FRIENDS);
    let chat = home.receive_from(FRIEND, "1").chat_id.unwrap().0;
    let first = fs::metadata(home.path("chat.db-wal")).unwrap().len();
    home.receive_from(FRIEND, "2");
    let second = fs::metadata(home.path("chat.db-wal")).unwrap().len();
    for (length, expected) in [(second, 2), (second - 1, 1), (first + 100, 1), (first, 1), (20, 0), (0, 0)] {
        let daemon = TestDaemon::start(with_wal_cut(&home, |_| length));
        let mut client = daemon.watch();
        let history = client.ok("messages.history", json!({"chat_id": chat}));
        assert_eq!(history["messages"].as_array().unwrap().len(), expected, "{length}");
        // Messages goes on after the last whole transaction.
        daemon.receive_from(FRIEND, "next");
        assert_eq!(client.texts(1), ["next"], "{length}");
    }
}

#[test]
fn a_wal_of_nonsense_is_no_wal() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "lost");
    let broken = with_wal_cut(&home, |length| length);
    fs::write(broken.path("chat.db-wal"), b"nonsense ".repeat(2000)).unwrap();
    let daemon = TestDaemon::start(broken);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "next");
    assert_eq!(client.texts(1), ["next"]);
}

/// Overwrites the page of the table of messages on which this row is; gives the chat that the row is in.
fn destroy_page_of(home: &Home, row: i64) -> i64 {
    let db = SmallDb::open(&home.db()).connection;
    let find = "SELECT m.guid, (SELECT chat_id FROM chat_message_join WHERE message_id = m.ROWID) FROM message m WHERE m.ROWID = ?1";
    let (guid, chat): (String, i64) = db.query_row(find, [row], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let size: u32 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut file = fs::read(home.db()).unwrap();
    // The guid is in an index too. A page of the table begins with 13.
    let has_row = |page: &&mut [u8]| page[0] == 13 && page.windows(guid.len()).any(|bytes| bytes == guid.as_bytes());
    let page = file.chunks_exact_mut(size as usize).find(has_row).expect("a page with the row");
    page.fill(0xFF);
    fs::write(home.db(), file).unwrap();
    chat
}

#[test]
fn a_destroyed_page_fails_only_what_needs_it() {
    let home = Home::without_database(FRIENDS);
    home.make_database(4, 3000);
    let chat = destroy_page_of(&home, 1000);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let refusal = client.refused("messages.history", json!({"chat_id": chat, "limit": 3000}));
    assert_eq!((refusal.code, &refusal.data["retryable"]), (-32002, &json!(true)), "{refusal:?}");
    client.refused("messages.search", json!({"query": "no such words anywhere"}));
    let chats = client.ok("chats.list", json!({}));
    assert_eq!(chats["chats"].as_array().unwrap().len(), 4);
    client.ok("messages.history", json!({"chat_id": chat, "limit": 5}));
    let after = client.ok("messages.after", json!({"since_rowid": 2000, "include_reactions": true}));
    assert!(after["next_rowid"].as_i64().unwrap() > 2000, "{after}");
    assert_eq!(client.ok("status", json!({}))["database"]["ready"], true);
    daemon.receive_from(FRIEND, "still here");
    assert_eq!(client.texts(1), ["still here"]);
}
