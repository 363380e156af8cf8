//! The newest messages of a chat.

use super::Fixture;
use super::fixture::{BOB, DIRECT, GROUP, folded, ids, second};
use crate::chatdb::History;
use crate::message::ChatId;

fn newest(fixture: &Fixture, limit: usize) -> Vec<(i64, Option<i64>)> {
    folded(&fixture.open().history(&History::newest(DIRECT, limit)).unwrap())
}

#[test]
fn history_is_newest_first_by_date_then_row() {
    let fixture = Fixture::new();
    for (id, at) in [(1, 30), (2, 10), (3, 20), (4, 20)] {
        fixture.message(id).text("x").at(at).write();
    }
    assert_eq!(newest(&fixture, 3), [(1, None), (4, None), (3, None)]);
    assert!(fixture.open().history(&History::newest(ChatId(99), 5)).unwrap().is_empty());
}

#[test]
fn joins_without_dates_do_not_spoil_the_order() {
    let fixture = Fixture::new();
    for (id, at) in [(1, 30), (2, 10), (3, 20)] {
        fixture.message(id).text("x").at(at).write();
    }
    fixture.run("UPDATE chat_message_join SET message_date = 0 WHERE message_id = 1");
    assert_eq!(newest(&fixture, 2), [(1, None), (3, None)]);
}

#[test]
fn filters_come_before_the_limit() {
    let fixture = Fixture::new();
    fixture.message(1).text("Ann").to(&[GROUP]).write();
    fixture.message(2).text("Bob").from(BOB).to(&[GROUP]).write();
    fixture.message(3).text("me").own().to(&[GROUP]).write();
    fixture.message(4).tapback(2000, "guid-2").to(&[GROUP]).write();
    let db = fixture.open();
    let query = History::newest(GROUP, 1);
    let bob = History { participants: vec!["BOB@example.com".to_owned()], ..query.clone() };
    assert_eq!(ids(&db.history(&bob).unwrap()), [2]);
    let window = History { limit: 9, start: Some(second(2)), end: Some(second(3)), ..query };
    let messages = db.history(&window).unwrap();
    assert_eq!(ids(&messages), [2]);
    assert_eq!(messages[0].reactions.len(), 1);
    assert_eq!(messages[0].chat.as_ref().unwrap().id, GROUP);
}

#[test]
fn a_message_in_two_chats_belongs_to_the_one_asked_for() {
    let fixture = Fixture::new();
    fixture.message(1).text("both").to(&[DIRECT, GROUP]).write();
    let messages = fixture.open().history(&History::newest(GROUP, 5)).unwrap();
    assert_eq!(messages[0].chat.as_ref().unwrap().id, GROUP);
}

#[test]
fn a_preview_is_folded_into_its_text() {
    let fixture = Fixture::new();
    fixture.message(1).text("see https://Example.com/a now").set("is_read", 1).set("date_read", 5).write();
    fixture.message(2).preview("https://example.com/a/").write();
    let messages = fixture.open().history(&History::newest(DIRECT, 5)).unwrap();
    assert_eq!(folded(&messages), [(1, Some(2))]);
    assert_eq!((messages[0].guid.as_str(), messages[0].balloon_bundle_id.as_deref()), ("guid-1", None));
    assert_eq!((messages[0].is_read, messages[0].read_at.is_some()), (Some(true), true));
    let preview = messages[0].url_preview.as_ref().unwrap();
    assert_eq!((preview.guid.as_str(), preview.created_at), ("guid-2", second(2)));
}

#[test]
fn the_limit_counts_folded_messages() {
    let fixture = Fixture::new();
    fixture.text(1, "first");
    fixture.text(2, "www.example.com");
    fixture.message(3).tapback(2000, "guid-2").write();
    fixture.message(4).preview("www.example.com").write();
    fixture.message(5).preview("www.example.com").write();
    assert_eq!(newest(&fixture, 2), [(2, Some(5)), (1, None)]);
    assert_eq!(newest(&fixture, 1), [(2, Some(5))]);
}

#[test]
fn a_preview_whose_text_is_outside_the_window_is_a_message() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).preview("https://example.com").write();
    let query = History { start: Some(second(2)), ..History::newest(DIRECT, 5) };
    assert_eq!(folded(&fixture.open().history(&query).unwrap()), [(2, None)]);
}

#[test]
fn what_only_looks_like_a_preview_is_not_folded() {
    let check = |name: &str, write: &dyn Fn(&Fixture)| {
        let fixture = Fixture::new();
        fixture.text(1, "https://example.com");
        write(&fixture);
        assert!(newest(&fixture, 9).iter().all(|(_, preview)| preview.is_none()), "{name}");
    };
    let url = "https://example.com";
    check("a text", &|fixture| fixture.text(2, url));
    check("too late", &|fixture| fixture.message(2).preview(url).at(7).write());
    check("before its text", &|fixture| fixture.message(2).preview(url).at(0).write());
    check("of someone else", &|fixture| fixture.message(2).preview(url).from(BOB).write());
    check("of me", &|fixture| fixture.message(2).preview(url).set("is_from_me", 1).write());
    check("another link", &|fixture| fixture.message(2).preview("https://example.org").write());
    check("no link", &|fixture| fixture.message(2).preview("example").write());
    check("behind another message", &|fixture| {
        fixture.text(2, "other");
        fixture.message(3).preview(url).write();
    });
    check("behind another's preview", &|fixture| {
        fixture.message(2).preview("https://example.org").write();
        fixture.message(3).preview(url).write();
    });
    check("in another chat", &|fixture| fixture.message(2).preview(url).to(&[GROUP]).write());
}

#[test]
fn a_preview_may_name_its_text_instead_of_repeating_it() {
    let fixture = Fixture::new();
    fixture.text(1, "look");
    fixture.message(2).preview("https://example.com").set("reply_to_guid", "p:0/guid-1".to_owned()).write();
    let messages = fixture.open().history(&History::newest(DIRECT, 5)).unwrap();
    assert_eq!(folded(&messages), [(1, Some(2))]);
    assert_eq!(messages[0].text, "look\nhttps://example.com");
}

#[test]
fn a_message_without_a_date_is_the_oldest_and_hides_no_other() {
    let fixture = Fixture::new();
    fixture.text(1, "dated");
    fixture.text(2, "no date");
    fixture.text(3, "no number");
    fixture.run("UPDATE message SET date = NULL WHERE ROWID = 2; UPDATE message SET date = 'today' WHERE ROWID = 3");
    for joins in
        ["UPDATE chat_message_join SET message_date = 0", "UPDATE chat_message_join SET message_date = message_id"]
    {
        fixture.run(joins);
        let find = |start, end| {
            let query = History { start, end, ..History::newest(DIRECT, 9) };
            ids(&fixture.open().history(&query).unwrap())
        };
        assert_eq!(find(None, None), [1, 3, 2], "{joins}");
        assert_eq!(find(None, Some(second(9))), [1, 3, 2], "{joins}");
        assert_eq!(find(Some(second(0)), None), [1], "{joins}");
    }
}
