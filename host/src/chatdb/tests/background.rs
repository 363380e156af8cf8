//! The picture behind a chat.

use plist::{Dictionary, Value};
use rusqlite::params;

use super::Fixture;
use super::fixture::{DIRECT, GROUP, second};
use crate::chatdb::{Background, BackgroundEvent};
use crate::message::{ChatId, RowId};

fn of(fixture: &Fixture, chat: ChatId) -> Background {
    fixture.open().background(chat).unwrap().unwrap().1
}

fn write(fixture: &Fixture, properties: &[u8]) {
    let sql = "UPDATE chat SET properties = ?1 WHERE ROWID = 2";
    assert_eq!(fixture.connection.execute(sql, params![properties]).unwrap(), 1);
}

fn background(entries: &[(&str, Value)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let mut properties = Dictionary::new();
    properties.insert("backgroundProperties".to_owned(), Value::Dictionary(entries.collect()));
    let mut bytes = Vec::new();
    Value::Dictionary(properties).to_writer_binary(&mut bytes).unwrap();
    bytes
}

fn event(fixture: &Fixture, id: i64, action: i64, at: i64) {
    fixture.message(id).to(&[GROUP]).set("item_type", 3).set("group_action_type", action).at(at).write();
}

#[test]
fn all_that_is_written_down_is_read() {
    let fixture = Fixture::new();
    write(
        &fixture,
        &background(&[
            ("trabaid", Value::from("CHANNEL")),
            ("trabar", Value::from("https://example.com/asset")),
            ("trabas", Value::from("asset")),
            ("traboid", Value::from("object")),
            ("trabafs", Value::from(1234)),
            ("trabapv", Value::from(3)),
            ("trabaCommSafety", Value::from(1)),
            ("trabav", Value::from(2)),
        ]),
    );
    let found = of(&fixture, GROUP);
    assert!(found.is_set());
    assert_eq!((found.channel_guid.as_deref(), found.asset_id.as_deref()), (Some("CHANNEL"), Some("asset")));
    assert_eq!(
        (found.asset_url.as_deref(), found.object_id.as_deref()),
        (Some("https://example.com/asset"), Some("object"))
    );
    assert_eq!((found.file_size, found.poster_version, found.version), (Some(1234), Some(3), Some(2)));
    assert_eq!(found.communication_safety_state, Some(1));
    assert_eq!(of(&fixture, DIRECT), Background::default());
}

#[test]
fn the_latest_event_is_the_one_with_the_latest_date() {
    let fixture = Fixture::new();
    event(&fixture, 1, 6, 50);
    event(&fixture, 2, 4, 20);
    event(&fixture, 3, 1, 90);
    fixture.message(4).to(&[GROUP]).set("group_action_type", 4).at(95).write();
    let expected = BackgroundEvent { id: RowId(1), guid: "guid-1".to_owned(), is_set: false, at: second(50) };
    assert_eq!(of(&fixture, GROUP).latest_event, Some(expected));
    event(&fixture, 5, 4, 60);
    assert!(of(&fixture, GROUP).latest_event.is_some_and(|event| event.is_set && event.id == RowId(5)));
}

#[test]
fn damaged_properties_and_missing_columns_say_nothing() {
    let fixture = Fixture::new();
    let wrong_kinds =
        background(&[("trabaid", Value::from(1)), ("trabafs", Value::from("x")), ("trabar", Value::from(""))]);
    for properties in [&b"bplist00garbage"[..], b"", &wrong_kinds] {
        write(&fixture, properties);
        assert_eq!(of(&fixture, GROUP), Background::default());
    }
    let old = Fixture::with_schema(
        "CREATE TABLE message (ROWID INTEGER PRIMARY KEY, handle_id, text, date, is_from_me, service);
         CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id);
         CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid, chat_identifier, display_name, service_name);
         CREATE TABLE chat_message_join (chat_id, message_id);
         INSERT INTO chat VALUES (2, 'any;+;x', 'x', NULL, 'iMessage');",
    );
    assert_eq!(of(&old, GROUP), Background::default());
    assert!(old.open().background(ChatId(9)).unwrap().is_none());
}

#[test]
fn a_channel_names_files_in_the_cache_and_nowhere_else() {
    let fixture = Fixture::new();
    let db = fixture.open();
    let cache = fixture.folder().join("TranscriptBackgroundCache");
    let expected = (cache.join("CHANNEL"), cache.join("CHANNEL-watchBackground"));
    assert_eq!(db.background_caches("CHANNEL"), Some(expected));
    for name in ["", "../../x", "/etc/passwd", "..", "a/b", "a\0b"] {
        assert_eq!(db.background_caches(name), None, "{name:?}");
    }
}
