//! How SQLite answers our queries: through indexes, however long the history.

use std::path::Path;

use super::Fixture;
use super::fixture::{DIRECT, START, second};
use crate::chatdb::{After, Among, ChatDb, History, Inbound};
use crate::message::{RowId, TapbackKind};

/// Calls everything that reads messages, on rows that make it use all of its queries.
fn exercise(db: &ChatDb) {
    let chat = db.chat(DIRECT).unwrap().unwrap();
    db.rows_after(START, 10).unwrap();
    db.rows(&[RowId(1)]).unwrap();
    db.changed(&[RowId(1)]).unwrap();
    db.guid_of(RowId(1)).unwrap();
    db.rowid_of("guid-1").unwrap();
    db.places(&["guid-1".to_owned()]).unwrap();
    db.max_rowid().unwrap();
    db.last_used_rowid().unwrap();
    db.history(&History::newest(DIRECT, 10)).unwrap();
    for chat in [None, Some(DIRECT)] {
        db.after(&After { since: START, chat, limit: 1, include_reactions: false }).unwrap();
        db.inbound(&Inbound { after: START, last: RowId(9), chat, limit: 10 }).unwrap();
    }
    db.span(START, 10).unwrap();
    db.first_since(second(0)).unwrap();
    db.accounts().unwrap();
    db.chats(10, false).unwrap();
    db.chats(10, true).unwrap();
    db.linked(&[DIRECT]).unwrap();
    db.chat_for_target("x", &[]).unwrap();
    let among = Among { after: START, until: None, is_taken: &|_| false };
    db.sent_text(&among, &chat, "x").unwrap();
    db.sent_file(&among, &chat, Path::new("/x")).unwrap();
    db.own_twin(&db.rows(&[RowId(1)]).unwrap()[0].message, &|_| false).unwrap();
    db.has_inbound(&[DIRECT]).unwrap();
    db.ghost(START, &[]).unwrap();
    db.known_service("+15550001111").unwrap();
    db.own_tapback(START, DIRECT, &TapbackKind::Like).unwrap();
    db.background(DIRECT).unwrap();
    db.chats_of("x").unwrap();
    db.scheduled(second(0), 10).unwrap();
    db.send_status("guid-1").unwrap();
    db.attachment("at_1").unwrap();
}

fn plan(db: &ChatDb, sql: &str) -> Vec<String> {
    let mut statement = db.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.raw_query().mapped(|row| row.get("detail")).collect::<Result<_, _>>();
    steps.unwrap()
}

fn check_plans(fixture: &Fixture) {
    fixture.message(1).text("www.example.com").set("is_audio_message", 1).write();
    fixture.message(2).preview("www.example.com").write();
    fixture.message(3).text("reply").set("thread_originator_guid", "guid-1".to_owned()).write();
    fixture.attach(1, 1, "a");
    fixture
        .message(4)
        .set("balloon_bundle_id", "com.apple.messages.Polls".to_owned())
        .set("payload_data", br#"{"options": ["a"]}"#.to_vec())
        .write();
    fixture
        .message(5)
        .tapback(4000, "guid-4")
        .set("payload_data", br#"{"votes": [{"optionID": "a"}]}"#.to_vec())
        .write();
    let db = fixture.open();
    exercise(&db);
    let prepared = db.prepared.borrow().clone();
    assert!(prepared.len() >= 20, "{prepared:#?}");
    for sql in &prepared {
        for step in plan(&db, sql) {
            // The list of chats and what is bound are short. An index scan would be of all rows too.
            let is_short = [
                "SCAN c",
                "SCAN active",
                "SCAN json_each",
                "SCAN CONSTANT",
                "SCAN sqlite_sequence",
                "SCAN pragma_table_info",
            ];
            let is_short = is_short.iter().any(|short| step.starts_with(short));
            assert!(!step.starts_with("SCAN") || is_short, "{step}\n{sql}");
        }
    }
}

#[test]
fn no_query_scans_a_table_that_grows() {
    check_plans(&Fixture::new());
}

#[test]
fn nor_does_one_with_the_indexes_that_were_before_macos_15() {
    let fixture = Fixture::new();
    fixture.run(
        "DROP INDEX message_idx_composite_scheduled_message; DROP INDEX message_idx_associated_message2;
         DROP INDEX message_idx_isRead_isFromMe_itemType;
         ALTER TABLE message DROP COLUMN schedule_type; ALTER TABLE message DROP COLUMN schedule_state;
         ALTER TABLE message DROP COLUMN associated_message_emoji;
         CREATE INDEX message_idx_associated_message ON message (associated_message_guid);
         CREATE INDEX message_idx_isRead_isFromMe_itemType ON message (is_read, is_from_me, item_type);",
    );
    check_plans(&fixture);
}

#[test]
fn history_and_scan_need_no_sorting() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    let db = fixture.open();
    db.history(&History::newest(DIRECT, 10)).unwrap();
    db.rows_after(START, 10).unwrap();
    let prepared = db.prepared.borrow().clone();
    let ordered = prepared.iter().filter(|sql| sql.contains("message_date DESC") || sql.contains("LIMIT ?2"));
    for sql in ordered {
        assert!(!plan(&db, sql).iter().any(|step| step.contains("TEMP B-TREE")), "{sql}");
    }
}

#[test]
fn a_statement_is_prepared_once_however_often_it_is_bound() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    let db = fixture.open();
    let sql = "SELECT ROWID FROM message WHERE associated_message_guid = ?1 AND is_read = ?2 AND date > ?3";
    let mut statement = db.prepare(sql).unwrap();
    for value in 0..3 {
        let found = statement.query_map([value; 3], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(found.count(), 0);
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}
