//! Rows as the tail reads them.

use rusqlite::types::Value;

use super::Fixture;
use super::fixture::{ANN, BOB, DIRECT, GROUP, START, second};
use crate::chatdb::TailRow;
use crate::decode::writer::{self, Attribute};
use crate::message::{ChatId, Message, RowId, TransferState};

fn read(fixture: &Fixture) -> Vec<TailRow> {
    fixture.open().rows_after(START, 100).unwrap()
}

fn only(fixture: &Fixture) -> Message {
    let [row] = <[TailRow; 1]>::try_from(read(fixture)).unwrap();
    row.message
}

fn incomplete(fixture: &Fixture) -> Vec<i64> {
    read(fixture).iter().filter(|row| !row.complete).map(|row| row.message.id.0).collect()
}

#[test]
fn an_ordinary_row_is_read_whole() {
    let fixture = Fixture::new();
    fixture
        .message(7)
        .text("hi")
        .to(&[GROUP])
        .set("is_read", 1)
        .set("date_read", 1)
        .set("destination_caller_id", "me@example.com".to_owned())
        .write();
    let message = only(&fixture);
    assert_eq!((message.id, message.guid.as_str(), message.text.as_str()), (RowId(7), "guid-7", "hi"));
    assert_eq!((message.sender.as_str(), message.is_from_me), ("+15550001111", false));
    assert_eq!((message.sent_at, message.service.as_str()), (second(7), "iMessage"));
    assert_eq!((message.is_read, message.read_at.is_some()), (Some(true), true));
    assert_eq!(message.destination_caller_id.as_deref(), Some("me@example.com"));
    let chat = message.chat.unwrap();
    assert_eq!((chat.id, chat.name(), chat.is_group), (GROUP, "Friends", true));
    assert_eq!(chat.participants, ["+15550001111", "bob@example.com"]);
    assert_eq!(chat.account_login, None);
}

#[test]
fn text_comes_from_the_body_where_the_column_is_empty() {
    let fixture = Fixture::new();
    fixture.message(1).set("attributedBody", writer::plain("from the body")).write();
    fixture.message(2).text("").set("attributedBody", b"\xff\xfe\x3c\xd8\x89\xdf\x0f\xfe".to_vec()).write();
    fixture.message(3).text("column").set("attributedBody", writer::plain("body")).write();
    fixture.message(4).set("attributedBody", b"\x01+fallback text\x86\x84".to_vec()).write();
    let texts: Vec<String> = read(&fixture).into_iter().map(|row| row.message.text).collect();
    assert_eq!(texts, ["from the body", "🎉\u{FE0F}", "column", "fallback text"]);
}

#[test]
fn mentions_are_read_also_where_the_text_has_a_column() {
    let fixture = Fixture::new();
    let ann: &[_] = &[("__kIMMentionConfirmedMention", Attribute::Text("ann@example.com"))];
    let body = writer::attributed("Ann, Ann", &[(3, ann), (2, &[]), (3, ann)]);
    fixture.message(1).text("Ann, Ann").set("attributedBody", body).write();
    assert_eq!(only(&fixture).mentions, ["ann@example.com"]);
}

#[test]
fn the_sender_falls_back_to_the_address_written_to() {
    let fixture = Fixture::new();
    fixture.message(1).from(0).set("destination_caller_id", "me@example.com".to_owned()).write();
    fixture.message(2).from(99).write();
    let senders: Vec<String> = read(&fixture).into_iter().map(|row| row.message.sender).collect();
    assert_eq!(senders, ["me@example.com", ""]);
}

#[test]
fn rows_come_in_rowid_order_each_once() {
    let fixture = Fixture::new();
    fixture.message(1).text("old").write();
    fixture.message(2).text("in two chats").to(&[GROUP, DIRECT]).write();
    fixture.message(3).tapback(2000, "guid-2").write();
    fixture.message(4).text("in no chat").to(&[]).at(-500).write();
    fixture.message(9).text("later").write();
    let db = fixture.open();
    let rows = db.rows_after(RowId(1), 3).unwrap();
    let chats: Vec<_> =
        rows.iter().map(|row| (row.message.id.0, row.message.chat.as_ref().map(|chat| chat.id))).collect();
    assert_eq!(chats, [(2, Some(DIRECT)), (3, Some(DIRECT)), (4, None)]);
    assert_eq!(db.rows_after(RowId(4), 100).unwrap().len(), 1);
    assert_eq!(db.max_rowid().unwrap(), RowId(9));
    let again = db.rows(&[RowId(9), RowId(2), RowId(5)]).unwrap();
    assert_eq!(again.iter().map(|row| row.message.id.0).collect::<Vec<_>>(), [2, 9]);
}

#[test]
fn attachments_are_always_there_in_join_order() {
    let fixture = Fixture::new();
    fixture.text(1, "none");
    fixture.text(2, "two");
    fixture.attach(2, 5, "~/Library/Messages/a.png");
    fixture.attach(2, 3, "/tmp/b.png");
    let rows = read(&fixture);
    assert!(rows[0].message.attachments.is_empty());
    let files: Vec<_> = rows[1]
        .message
        .attachments
        .iter()
        .map(|file| (file.guid.as_str(), file.filename.as_str(), file.total_bytes))
        .collect();
    assert_eq!(files, [("at_5", "~/Library/Messages/a.png", 50), ("at_3", "/tmp/b.png", 30)]);
}

#[test]
fn an_attachment_is_found_by_its_guid_with_how_far_it_has_come() {
    let fixture = Fixture::new();
    fixture.text(1, "files");
    for (id, state) in [(1, Some(TransferState::WaitingForAccept)), (2, Some(TransferState::Finished)), (3, None)] {
        fixture.attach(1, id, "/a");
        let number = match id {
            1 => 0,
            2 => 5,
            _ => 4711,
        };
        fixture.run(&format!("UPDATE attachment SET transfer_state = {number} WHERE ROWID = {id}"));
        let found = fixture.open().attachment(&format!("at_{id}")).unwrap().unwrap();
        assert_eq!((found.transfer_state, found.total_bytes), (state, 10 * id as u64));
        assert_eq!(found, read(&fixture)[0].message.attachments[id as usize - 1]);
    }
    assert_eq!(fixture.open().attachment("at_4").unwrap(), None);
    assert_eq!(fixture.open().attachment("").unwrap(), None);
}

#[test]
fn a_database_whose_attachments_say_little_still_has_them() {
    let fixture = Fixture::new();
    fixture.text(1, "file");
    fixture.attach(1, 1, "/a");
    fixture.run(
        "ALTER TABLE attachment DROP COLUMN transfer_state; ALTER TABLE attachment DROP COLUMN is_sticker;
         ALTER TABLE attachment DROP COLUMN uti;",
    );
    let file = read(&fixture)[0].message.attachments[0].clone();
    assert_eq!((file.filename.as_str(), file.uti.as_str(), file.transfer_state), ("/a", "", None));
}

#[test]
fn a_row_is_complete_when_all_its_parts_are_there() {
    let fixture = Fixture::new();
    let file: &[_] = &[("__kIMFileTransferGUIDAttributeName", Attribute::Text("at_0_A"))];
    fixture.message(1).text("no chat").to(&[]).write();
    fixture.message(2).write();
    fixture.message(3).text("whole").write();
    fixture.message(4).set("cache_has_attachments", 1).write();
    fixture.message(5).set("attributedBody", writer::attributed("\u{FFFC}", &[(1, file)])).write();
    fixture.message(6).set("item_type", 2).write();
    fixture.message(7).tapback(2000, "guid-3").write();
    fixture.message(8).set("balloon_bundle_id", "com.example".to_owned()).write();
    fixture.message(9).own().write();
    fixture.message(10).set("date_edited", 5).write();
    assert_eq!(incomplete(&fixture), [1, 2, 4, 5]);
    fixture.run("INSERT INTO chat_message_join VALUES (1, 1, 0); UPDATE message SET text = 'x' WHERE ROWID = 2;");
    fixture.attach(4, 1, "a");
    fixture.attach(5, 2, "b");
    assert!(incomplete(&fixture).is_empty());
}

#[test]
fn a_tapback_row_says_what_it_does_and_is_no_reply() {
    let fixture = Fixture::new();
    fixture.message(1).tapback(3001, "p:0/guid-0").from(BOB).set("thread_originator_guid", "guid-0".to_owned()).write();
    let message = only(&fixture);
    let tapback = message.tapback.unwrap();
    assert_eq!((tapback.kind.name(), tapback.is_add, tapback.target.as_str()), ("like", false, "guid-0"));
    assert_eq!((message.reply_to_guid, message.thread_originator_guid), (None, None));
}

#[test]
fn a_reply_brings_what_it_answers() {
    let fixture = Fixture::new();
    fixture.message(1).from(BOB).set("attributedBody", writer::plain("question")).write();
    fixture
        .message(2)
        .text("thread")
        .set("thread_originator_guid", "guid-1".to_owned())
        .set("thread_originator_part", "0:0:8".to_owned())
        .write();
    fixture.message(3).text("sticker").tapback(1000, "p:0/guid-1").write();
    fixture
        .message(4)
        .text("orphan")
        .set("thread_originator_guid", "gone".to_owned())
        .set("reply_to_guid", "guid-2".to_owned())
        .write();
    let rows = read(&fixture);
    let quoted = |index: usize| {
        let quoted = rows[index].message.quoted.as_ref().unwrap();
        (quoted.guid.as_str(), quoted.sender.as_deref(), quoted.text.as_deref())
    };
    assert_eq!(quoted(1), ("guid-1", Some("bob@example.com"), Some("question")));
    assert_eq!(rows[1].message.thread_originator_part.as_deref(), Some("0:0:8"));
    assert_eq!(quoted(2), quoted(1));
    assert_eq!(rows[2].message.reply_to_guid.as_deref(), Some("guid-1"));
    assert_eq!(quoted(3), ("guid-2", Some("+15550001111"), Some("thread")));
}

#[test]
fn a_missing_parent_leaves_only_its_guid() {
    let fixture = Fixture::new();
    fixture.message(1).text("orphan").set("thread_originator_guid", "gone".to_owned()).write();
    let message = only(&fixture);
    assert_eq!((message.thread_originator_guid.as_deref(), message.quoted), (Some("gone"), None));
}

#[test]
fn the_reply_column_of_an_ordinary_row_is_no_reply() {
    let fixture = Fixture::new();
    fixture.text(1, "before");
    fixture.message(2).text("after").set("reply_to_guid", "guid-1".to_owned()).write();
    let message = read(&fixture).remove(1).message;
    assert_eq!((message.reply_to_guid, message.quoted), (None, None));
}

#[test]
fn an_audio_message_reads_as_what_was_said() {
    let fixture = Fixture::new();
    fixture.message(1).text("placeholder").set("is_audio_message", 1).write();
    fixture.attach(1, 1, "a.caf");
    let mut info = plist::Dictionary::new();
    info.insert("audio-transcription".to_owned(), "call me".into());
    let mut bytes = Vec::new();
    plist::to_writer_binary(&mut bytes, &plist::Value::Dictionary(info)).unwrap();
    fixture.connection.execute("UPDATE attachment SET user_info = ?1", [bytes]).unwrap();
    assert_eq!(only(&fixture).text, "call me");
}

#[test]
fn values_of_odd_types_read_as_nothing() {
    let fixture = Fixture::new();
    fixture
        .message(1)
        .set("text", Value::Blob(b"blob".to_vec()))
        .set("is_read", "x".to_owned())
        .set("item_type", 1.5)
        .write();
    fixture
        .message(2)
        .set("text", 5)
        .set("service", Value::Blob(vec![0]))
        .set("associated_message_type", "x".to_owned())
        .write();
    fixture.run("UPDATE message SET date = 'today' WHERE ROWID = 2; UPDATE message SET text = CAST(X'80FF' AS TEXT) WHERE ROWID = 2");
    fixture.run("UPDATE chat SET display_name = X'00', style = 'x'");
    let rows = read(&fixture);
    assert_eq!(
        (rows[0].message.text.as_str(), rows[0].message.is_read, rows[0].message.event.clone()),
        ("", None, None)
    );
    assert_eq!((rows[1].message.text.as_str(), rows[1].message.service.as_str()), ("\u{FFFD}\u{FFFD}", ""));
    assert_eq!(rows[1].message.sent_at.to_string(), "2001-01-01T00:00:00Z");
}

#[test]
fn a_join_to_a_chat_without_a_row_is_a_chat_all_the_same() {
    let fixture = Fixture::new();
    fixture.run("PRAGMA foreign_keys = OFF");
    fixture.message(1).text("hi").to(&[ChatId(77)]).write();
    assert_eq!(only(&fixture).chat.unwrap().id, ChatId(77));
}

#[test]
fn a_database_without_the_chat_table_is_read() {
    let fixture = Fixture::new();
    fixture.message(1).set("attributedBody", writer::plain("body")).write();
    fixture.run("PRAGMA foreign_keys = OFF; DROP TABLE chat; DROP TABLE chat_handle_join; DROP TABLE attachment");
    assert_eq!(only(&fixture).text, "body");
}

#[test]
fn an_old_database_is_read() {
    let fixture = Fixture::with_schema(super::open::OLD);
    let rows = read(&fixture);
    assert_eq!((rows[0].message.text.as_str(), rows[0].message.sender.as_str()), ("one", "ann@example.com"));
    assert_eq!(rows[1].message.sent_at.to_string(), "2023-03-08T20:26:41Z");
    let chat = rows[1].message.chat.clone().unwrap();
    assert_eq!((chat.is_group, chat.participants.as_slice()), (true, ["ann@example.com".to_owned()].as_slice()));
}

#[test]
fn a_cursor_is_checked_by_guid() {
    let fixture = Fixture::new();
    let db = fixture.open();
    assert_eq!((db.max_rowid().unwrap(), db.newest_date().unwrap()), (START, None));
    fixture.message(1).from(ANN).at(50).write();
    fixture.message(2).at(10).write();
    assert_eq!(db.guid_of(RowId(2)).unwrap().as_deref(), Some("guid-2"));
    assert_eq!(db.guid_of(RowId(3)).unwrap(), None);
    assert_eq!(db.rowid_of("guid-1").unwrap(), Some(RowId(1)));
    assert_eq!(db.rowid_of("gone").unwrap(), None);
    fixture.run("DELETE FROM message WHERE ROWID = 2");
    assert_eq!((db.max_rowid().unwrap(), db.last_used_rowid().unwrap()), (RowId(1), Some(RowId(2))));
    assert_eq!(db.newest_date().unwrap(), Some(second(50)));
}

#[test]
fn a_preview_that_says_nothing_new_names_its_text() {
    let fixture = Fixture::new();
    fixture.message(1).text("see https://example.com/a now").write();
    fixture.message(2).preview("https://example.com/a").write();
    fixture.message(3).text("something else").write();
    fixture.message(4).preview("https://example.com/b").write();
    let of: Vec<_> = read(&fixture).into_iter().map(|row| row.message.preview_of).collect();
    assert_eq!(of, [None, Some("guid-1".to_owned()), None, None]);
}

#[test]
fn a_damaged_edit_history_loses_only_itself() {
    let fixture = Fixture::new();
    fixture.message(1).text("now").set("date_edited", 5).set("message_summary_info", Value::Blob(vec![1; 50])).write();
    fixture.message(2).text("as sent").set("message_summary_info", Value::Blob(vec![1; 50])).write();
    let rows = read(&fixture);
    let edits = rows[0].message.edits.as_ref().unwrap();
    assert_eq!((rows[0].message.text.as_str(), edits.is_edited(), edits.versions.len()), ("now", true, 0));
    assert_eq!(rows[1].message.edits, None);
}
