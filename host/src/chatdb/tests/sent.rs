//! Finding what was sent.

use std::path::Path;

use super::Fixture;
use super::fixture::{DIRECT, GROUP, START};
use crate::chatdb::{KnownService, target_keys};
use crate::decode::writer;
use crate::message::RowId;

fn text(fixture: &Fixture, after: i64, text: &str) -> Option<i64> {
    let db = fixture.open();
    let chat = db.chat(DIRECT).unwrap().unwrap();
    db.sent_text(RowId(after), &chat, text).unwrap().map(|message| message.id.0)
}

fn file(fixture: &Fixture, path: &str) -> Option<i64> {
    let db = fixture.open();
    let chat = db.chat(DIRECT).unwrap().unwrap();
    db.sent_file(START, &chat, Path::new(path)).unwrap().map(|message| message.id.0)
}

#[test]
fn the_newest_outgoing_row_with_the_text_is_found() {
    let fixture = Fixture::new();
    fixture.message(1).own().text("ping").write();
    fixture.message(2).own().set("attributedBody", writer::plain("ping")).write();
    fixture.text(3, "ping");
    fixture.message(4).own().text("ping").to(&[GROUP]).write();
    fixture.message(5).own().text("pong").write();
    assert_eq!(text(&fixture, 0, "ping"), Some(2));
    assert_eq!(text(&fixture, 2, "ping"), None);
    assert_eq!(text(&fixture, 0, "pin"), None);
}

#[test]
fn normalization_and_outer_space_do_not_hide_a_sent_text() {
    let fixture = Fixture::new();
    fixture.message(1).own().text("cafe\u{301} ").write();
    assert_eq!(text(&fixture, 0, " café\n"), Some(1));
}

#[test]
fn a_file_is_found_by_its_path_once_it_is_joined() {
    let path = "/Users/ann/Library/Messages/Attachments/imsg/1F/a b.png";
    let fixture = Fixture::new();
    fixture.message(1).own().write();
    assert_eq!(file(&fixture, path), None);
    fixture.attach(1, 1, "~/Library/Messages/Attachments/imsg/1F/a b.png");
    assert_eq!(file(&fixture, path), Some(1));
    assert_eq!(file(&fixture, "/Users/ann/Library/Messages/Attachments/imsg/2F/a b.png"), None);
    fixture.message(2).own().write();
    fixture.attach(2, 2, path);
    assert_eq!(file(&fixture, path), None, "two candidates");
}

#[test]
fn an_empty_outgoing_row_in_no_chat_is_a_ghost() {
    let fixture = Fixture::new();
    fixture.run("INSERT INTO handle (ROWID, id, service) VALUES (3, 'any;-;chat134', 'SMS')");
    let db = fixture.open();
    let ghost = |after: i64| db.ghost(RowId(after), &target_keys("any;+;chat134")).unwrap();
    fixture.message(1).from(3).to(&[]).write();
    fixture.message(2).from(3).set("is_from_me", 1).write();
    fixture.message(3).from(3).set("is_from_me", 1).text("x").to(&[]).write();
    fixture.message(4).from(1).set("is_from_me", 1).to(&[]).write();
    assert_eq!(ghost(0), None);
    fixture.message(5).from(3).set("is_from_me", 1).to(&[]).write();
    assert_eq!((ghost(0), ghost(5)), (Some(RowId(5)), None));
}

#[test]
fn a_service_is_known_from_messages_that_went_through() {
    let fixture = Fixture::new();
    fixture.run(
        "INSERT INTO handle (ROWID, id, service) VALUES (3, '+15550002222', 'SMS'), (4, '+15550002222', 'iMessage')",
    );
    let db = fixture.open();
    let known = |address: &str| db.known_service(address).unwrap();
    assert_eq!(known("+15550001111"), None);
    assert_eq!(known("(555) 000-2222"), Some(KnownService::Sms));
    fixture.message(1).from(4).set("error", 22).write();
    assert_eq!(known("5550002222"), Some(KnownService::Sms));
    fixture.message(2).from(4).write();
    for address in ["5550002222", "15550002222", "+1 555 000 2222"] {
        assert_eq!(known(address), Some(KnownService::IMessage), "{address}");
    }
    fixture.message(3).from(2).write();
    assert_eq!(known("Bob@Example.com"), Some(KnownService::IMessage));
    assert_eq!(known("+4930123456"), None);
}

#[test]
fn the_status_of_a_sent_message_is_what_its_row_says() {
    let fixture = Fixture::new();
    fixture.message(1).own().set("guid", "ABC-1".to_owned()).set("is_sent", 1).set("date_delivered", 1).write();
    let db = fixture.open();
    let status = db.send_status("abc-1").unwrap().unwrap();
    assert_eq!((status.guid.as_str(), status.service.as_deref(), status.error), ("ABC-1", Some("iMessage"), 0));
    assert!(status.is_sent && !status.is_delivered && !status.was_downgraded);
    assert!(status.delivered_at.is_some() && status.read_at.is_none());
    assert_eq!(db.send_status("ABC-2").unwrap(), None);
}
