//! Which row proves that a reaction of ours was made.

use super::Fixture;
use super::fixture::{BOB, DIRECT, GROUP};
use crate::message::{RowId, TapbackKind};

const LIKE: i64 = 2001;

fn found(fixture: &Fixture, after: i64) -> Option<(i64, String)> {
    let found = fixture.open().own_tapback(RowId(after), DIRECT, &TapbackKind::Like).unwrap();
    found.map(|found| (found.id.0, found.target))
}

#[test]
fn only_a_new_own_one_of_the_kind_in_the_chat_is_it() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).own().tapback(LIKE, "p:0/guid-1").write();
    fixture.message(3).tapback(LIKE, "p:0/guid-1").write();
    fixture.message(4).from(BOB).tapback(LIKE, "p:0/guid-1").write();
    fixture.message(5).own().tapback(LIKE + 1000, "p:0/guid-1").write();
    fixture.message(6).own().tapback(LIKE + 1, "p:0/guid-1").write();
    fixture.message(7).own().tapback(LIKE, "p:0/guid-9").to(&[GROUP]).write();
    assert_eq!(found(&fixture, 2), None, "incoming, removed, another kind, another chat");
    assert_eq!(found(&fixture, 1), Some((2, "guid-1".to_owned())));
}

#[test]
fn it_is_found_once_it_has_joined_its_chat_and_behind_many_others() {
    let fixture = Fixture::new();
    fixture.message(2).own().tapback(LIKE, "p:0/guid-1").to(&[]).write();
    for id in 3..300 {
        fixture.text(id, "meanwhile");
    }
    assert_eq!(found(&fixture, 1), None);
    fixture.run("INSERT INTO chat_message_join VALUES (1, 2, 0)");
    assert_eq!(found(&fixture, 1), Some((2, "guid-1".to_owned())));
    fixture.message(300).own().tapback(LIKE, "p:0/guid-299").write();
    assert_eq!(found(&fixture, 2), Some((300, "guid-299".to_owned())));
}

#[test]
fn without_the_columns_none_is_found() {
    let fixture = Fixture::with_schema(
        "CREATE TABLE message (ROWID INTEGER PRIMARY KEY, handle_id, text, date, is_from_me, service);
         CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id);
         CREATE TABLE chat_message_join (chat_id, message_id);",
    );
    assert_eq!(found(&fixture, 0), None);
    assert_eq!(fixture.open().chats_of("x").unwrap(), 0);
}

#[test]
fn chats_of_one_identifier_are_counted() {
    let fixture = Fixture::new();
    fixture.run("INSERT INTO chat (ROWID, guid, chat_identifier) VALUES (3, 'SMS;-;+15550001111', '+15550001111')");
    let db = fixture.open();
    assert_eq!((db.chats_of("+15550001111").unwrap(), db.chats_of("chat42").unwrap()), (2, 1));
}
