//! Finding what was sent.

use std::path::Path;

use super::Fixture;
use super::fixture::{DIRECT, GROUP, START, second};
use crate::chatdb::{Among, KnownService, target_keys, text_key};
use crate::decode::writer;
use crate::message::RowId;

fn among(after: i64) -> Among<'static> {
    Among { after: RowId(after), until: None, is_taken: &|_| false }
}

fn text(fixture: &Fixture, after: i64, text: &str) -> Option<i64> {
    let db = fixture.open();
    let chat = db.chat(DIRECT).unwrap().unwrap();
    db.sent_text(&among(after), &chat, &text_key(text)).unwrap().map(|message| message.id.0)
}

fn file(fixture: &Fixture, path: &str) -> Option<i64> {
    let db = fixture.open();
    let chat = db.chat(DIRECT).unwrap().unwrap();
    db.sent_file(&among(START.0), &chat, Path::new(path)).unwrap().map(|message| message.id.0)
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

#[test]
fn what_another_send_has_and_what_was_sent_too_late_is_not_found() {
    let fixture = Fixture::new();
    fixture.message(1).own().text("ping").write();
    fixture.message(2).own().text("ping").write();
    let db = fixture.open();
    let chat = db.chat(DIRECT).unwrap().unwrap();
    let find = |until, is_taken: &dyn Fn(&str) -> bool| {
        let among = Among { after: START, until, is_taken };
        db.sent_text(&among, &chat, &text_key("ping")).unwrap().map(|message| message.id.0)
    };
    assert_eq!(find(None, &|guid| guid == "guid-2"), Some(1));
    assert_eq!(find(Some(second(1)), &|_| false), Some(1));
    assert_eq!(find(Some(second(0)), &|_| false), None);
}

#[test]
fn the_own_row_closest_to_its_twin_is_found_on_either_side() {
    let fixture = Fixture::new();
    fixture.message(1).own().text("note").write();
    fixture.text(2, "note");
    fixture.message(3).own().text("other").write();
    fixture.text(4, "late");
    fixture.message(5).own().text("late").write();
    let db = fixture.open();
    let twin = |id| {
        let row = db.rows(&[RowId(id)]).unwrap().remove(0).message;
        db.own_twin(&row, &|_| false).unwrap().map(|own| own.id.0)
    };
    assert_eq!([twin(2), twin(4)], [Some(1), Some(5)]);
    assert_eq!(twin(3), Some(3), "of itself, which nobody asks");
}

#[test]
fn a_chat_in_which_somebody_else_wrote_is_told_from_one_in_which_nobody_did() {
    let fixture = Fixture::new();
    fixture.message(1).own().text("hello?").write();
    let db = fixture.open();
    assert!(!db.has_inbound(&[DIRECT]).unwrap());
    fixture.text(2, "hi");
    assert!(db.has_inbound(&[GROUP, DIRECT]).unwrap());
}
