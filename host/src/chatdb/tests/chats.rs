//! The list of chats, and finding one.

use super::Fixture;
use super::fixture::{BOB, DIRECT, GROUP, second};
use crate::chatdb::target_keys;
use crate::message::{ChatId, RowId};

/// Id and unread count of each listed chat.
fn list(fixture: &Fixture, limit: usize, unread_only: bool) -> Vec<(i64, Option<u64>)> {
    let chats = fixture.open().chats(limit, unread_only).unwrap();
    chats.iter().map(|summary| (summary.chat.id.0, summary.unread_count)).collect()
}

fn unread(fixture: &Fixture) -> u64 {
    fixture
        .open()
        .chats(9, false)
        .unwrap()
        .iter()
        .find(|summary| summary.chat.id == DIRECT)
        .unwrap()
        .unread_count
        .unwrap()
}

#[test]
fn chats_come_by_newest_activity() {
    let fixture = Fixture::new();
    fixture.message(1).own().at(50).write();
    fixture.message(2).own().at(40).to(&[GROUP]).write();
    fixture.run("INSERT INTO chat (ROWID, guid, chat_identifier) VALUES (3, 'empty', 'empty')");
    assert_eq!(list(&fixture, 9, false), [(1, Some(0)), (2, Some(0))]);
    assert_eq!(list(&fixture, 1, false), [(1, Some(0))]);
    let summary = &fixture.open().chats(1, false).unwrap()[0];
    assert_eq!(summary.last_message_at, second(50));
    assert_eq!((summary.chat.identifier.as_str(), summary.chat.display_name.as_deref()), ("+15550001111", None));
    assert_eq!(summary.chat.account_login.as_deref(), Some("E:me@example.com"));
}

#[test]
fn activity_is_read_from_messages_where_joins_have_no_date() {
    let fixture = Fixture::new();
    fixture.message(1).own().at(50).write();
    fixture.message(2).own().at(40).to(&[GROUP]).write();
    fixture.run("UPDATE chat_message_join SET message_date = 0 WHERE chat_id = 1");
    assert_eq!(fixture.open().chats(1, false).unwrap()[0].last_message_at, second(50));
}

#[test]
fn a_short_list_is_the_beginning_of_a_long_one() {
    let fixture = Fixture::new();
    fixture.run("INSERT INTO chat (ROWID, guid, chat_identifier) VALUES (3, 'c', 'c'), (4, 'd', 'd'), (5, 'e', 'e')");
    let chats = [DIRECT, GROUP, ChatId(3), ChatId(4), ChatId(5)];
    // The last has been silent for longer than a short list looks back, two have one date.
    fixture.message(1).own().at(1).to(&[ChatId(5)]).write();
    for id in 2..400 {
        fixture.message(id).own().at(id).to(&chats[..1]).write();
    }
    for (id, chat) in [(400, 2), (401, 3), (402, 2), (403, 1)] {
        fixture.message(id).own().at(500).to(&chats[chat..=chat]).write();
    }
    let all = list(&fixture, 100, false);
    assert_eq!(all.iter().map(|chat| chat.0).collect::<Vec<_>>(), [4, 3, 2, 1, 5]);
    for limit in 0..=5 {
        assert_eq!(list(&fixture, limit, false), all[..limit], "{limit}");
    }
}

#[test]
fn unread_messages_are_counted_again_once_something_is_written() {
    let fixture = Fixture::new();
    fixture.text(1, "one");
    let db = fixture.open();
    let unread = || db.chats(9, false).unwrap()[0].unread_count;
    assert_eq!((unread(), unread()), (Some(1), Some(1)));
    fixture.text(2, "two");
    assert_eq!(unread(), Some(2));
    fixture.run("UPDATE message SET is_read = 1");
    assert_eq!(unread(), Some(0));
}

#[test]
fn unread_are_inbound_messages_that_were_not_read() {
    let fixture = Fixture::new();
    fixture.text(1, "unread");
    fixture.message(2).tapback(2000, "guid-9").write();
    fixture.message(3).text("read").set("is_read", 1).write();
    fixture.message(4).text("mine").own().write();
    fixture.message(5).set("item_type", 2).write();
    assert_eq!(unread(&fixture), 2);
}

#[test]
fn unread_messages_are_found_among_few_rows_of_a_chat_and_among_many() {
    for read in [0, 1, 20] {
        let fixture = Fixture::new();
        fixture.text(1, "unread");
        fixture.message(2).text("unread").to(&[GROUP]).write();
        for id in 10..10 + read {
            fixture.message(id).text("read").set("is_read", 1).at(id).write();
        }
        fixture.message(50).text("unread").at(500).write();
        assert_eq!(list(&fixture, 9, false), [(1, Some(2)), (GROUP.0, Some(1))], "{read}");
        assert_eq!(list(&fixture, 9, true).len(), 2, "{read}");
    }
}

#[test]
fn a_preview_is_unread_only_with_its_text() {
    let url = "https://example.com";
    let fixture = Fixture::new();
    fixture.message(1).text(url).set("is_read", 1).write();
    fixture.message(2).preview(url).write();
    assert_eq!(unread(&fixture), 0);
    assert_eq!(list(&fixture, 9, true), []);
    fixture.run("UPDATE message SET is_read = 0");
    assert_eq!(unread(&fixture), 1);
}

#[test]
fn an_unread_preview_behind_another_message_counts() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).text("other").set("is_read", 1).write();
    fixture.message(3).preview("https://example.com").write();
    assert_eq!(unread(&fixture), 2);
}

#[test]
fn unread_only_goes_on_until_the_limit_is_met() {
    let fixture = Fixture::new();
    fixture.text(1, "unread");
    fixture.message(2).from(BOB).text("www.example.com").to(&[GROUP]).set("is_read", 1).write();
    fixture.message(3).from(BOB).preview("www.example.com").to(&[GROUP]).write();
    assert_eq!(list(&fixture, 1, true), [(1, Some(1))]);
}

#[test]
fn without_read_state_there_are_no_counts() {
    let fixture = Fixture::with_schema(super::open::OLD);
    assert_eq!(list(&fixture, 9, false), [(1, None)]);
    assert_eq!(list(&fixture, 9, true), []);
}

#[test]
fn a_chat_is_read_with_its_people() {
    let fixture = Fixture::new();
    let db = fixture.open();
    let chat = db.chat(GROUP).unwrap().unwrap();
    assert_eq!(
        (chat.guid.as_str(), chat.identifier.as_str(), chat.service.as_str()),
        ("any;+;chat42", "chat42", "iMessage")
    );
    assert_eq!(chat.participants, ["+15550001111", "bob@example.com"]);
    assert!(db.chat(ChatId(9)).unwrap().is_none());
}

#[test]
fn the_style_decides_what_a_group_is() {
    let fixture = Fixture::new();
    fixture.run(
        "INSERT INTO chat (ROWID, guid, chat_identifier, style) VALUES
         (3, 'any;-;chat99', 'chat99', 43), (4, 'any;+;x', 'x', 45), (5, 'any;+;y', 'y', NULL), (6, 'any;-;z', 'z', 0)",
    );
    let db = fixture.open();
    let groups: Vec<bool> = (3..=6).map(|id| db.chat(ChatId(id)).unwrap().unwrap().is_group).collect();
    assert_eq!(groups, [true, false, true, false]);
}

#[test]
fn a_target_is_found_in_all_its_spellings() {
    let fixture = Fixture::new();
    let db = fixture.open();
    let find = |target: &str| db.chat_for_target(target, &[]).unwrap().map(|chat| chat.id);
    for target in ["any;+;chat42", "any;-;chat42", "chat42", " chat42 "] {
        assert_eq!(find(target), Some(GROUP), "{target}");
    }
    assert_eq!(find("any;-;+15550001111"), Some(DIRECT));
    assert_eq!(find("SMS;-;+15550001111"), None);
    assert_eq!(find(""), None);
    let exact = |target: &str| db.chat_exact(target).unwrap().map(|chat| chat.id);
    assert_eq!((exact("chat42"), exact("any;-;chat42")), (Some(GROUP), None));
}

#[test]
fn a_preferred_service_wins_then_the_newest_row() {
    let fixture = Fixture::new();
    fixture.run(
        "INSERT INTO chat (ROWID, guid, chat_identifier, service_name) VALUES
         (8, 'SMS;-;+15550001111', '+15550001111', 'SMS'), (9, 'RCS;-;+15550001111', '+15550001111', 'RCS')",
    );
    let db = fixture.open();
    let find = |preferred: &[&str]| db.chat_for_target("+15550001111", preferred).unwrap().unwrap().id.0;
    assert_eq!((find(&[]), find(&["SMS"]), find(&["iMessage", "iMessageLite"]), find(&["none"])), (9, 8, 1, 9));
}

#[test]
fn only_the_any_prefix_has_two_polarities() {
    assert_eq!(target_keys(" any;+;x "), ["any;+;x", "any;-;x", "x"]);
    assert_eq!(target_keys("iMessage;-;x"), ["iMessage;-;x"]);
    assert!(target_keys("  ").is_empty());
}

#[test]
fn chats_of_one_person_are_linked_and_groups_are_not() {
    let fixture = Fixture::new();
    // Ann by SMS, and by an e-mail address that Messages knows to be hers; Bob alone; a group of both by SMS.
    fixture.run(
        "INSERT INTO handle (ROWID, id, service, person_centric_id) VALUES
             (3, '+15550001111', 'SMS', NULL), (4, 'ann@example.com', 'iMessage', 'ann'), (5, 'zoe@example.com', 'iMessage', '');
         UPDATE handle SET person_centric_id = 'ann' WHERE ROWID = 1;
         INSERT INTO chat (ROWID, guid, style, chat_identifier, service_name, group_id) VALUES
             (3, 'SMS;-;+15550001111', 45, '+15550001111', 'SMS', 'x'),
             (4, 'iMessage;-;ann@example.com', 45, 'ann@example.com', 'iMessage', ''),
             (5, 'iMessage;-;bob@example.com', 45, 'bob@example.com', 'iMessage', ''),
             (6, 'SMS;+;chat43', 43, 'chat43', 'SMS', 'conversation'),
             (7, 'iMessage;+;chat44', 43, 'chat44', 'iMessage', 'conversation'),
             (8, 'iMessage;-;zoe@example.com', 45, 'zoe@example.com', 'iMessage', NULL);
         INSERT INTO chat_handle_join VALUES (3, 3), (4, 4), (5, 2), (6, 3), (6, 2), (7, 1), (8, 5);",
    );
    let db = fixture.open();
    let linked = db.linked(&(1..=9).map(ChatId).collect::<Vec<_>>()).unwrap();
    let of = |id| linked.get(&ChatId(id)).map(|chats| chats.iter().map(|chat| chat.0).collect::<Vec<_>>());
    assert_eq!((of(1), of(3), of(4)), (Some(vec![3, 4]), Some(vec![1, 4]), Some(vec![1, 3])));
    assert_eq!((of(6), of(7)), (Some(vec![7]), Some(vec![6])));
    assert_eq!((of(2), of(5), of(8), of(9)), (None, None, None, None));
    fixture.text(1, "x");
    let listed = db.chats(9, false).unwrap();
    assert_eq!(listed[0].linked, [ChatId(3), ChatId(4)]);
}

#[test]
fn a_chat_that_was_changed_meanwhile_is_read_anew() {
    let fixture = Fixture::new();
    fixture.message(1).text("x").to(&[GROUP]).write();
    let db = fixture.open();
    let seen = || {
        let chat = db.chat(GROUP).unwrap().unwrap();
        let row = db.rows(&[RowId(1)]).unwrap().remove(0).message.chat.unwrap();
        assert_eq!(format!("{chat:?}"), format!("{row:?}"));
        (chat.display_name.clone().unwrap_or_default(), chat.participants.len())
    };
    let (_, members) = seen();
    fixture.run("UPDATE chat SET display_name = 'Renamed'");
    assert_eq!(seen(), ("Renamed".to_owned(), members));
    fixture.run("DELETE FROM chat_handle_join");
    assert_eq!(seen(), ("Renamed".to_owned(), 0));
    fixture.run("DELETE FROM chat");
    assert!(db.chat(GROUP).unwrap().is_none());
}

#[test]
fn more_chats_than_are_kept_are_all_there() {
    const CHATS: i64 = 5_000;
    let fixture = Fixture::new();
    fixture.run(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 1000 + {CHATS})
         INSERT INTO chat (ROWID, guid, chat_identifier) SELECT i, 'g' || i, 'c' || i FROM n"
    ));
    let db = fixture.open();
    for id in (1001..=1000 + CHATS).chain(1001..=1000 + CHATS) {
        assert_eq!(db.chat(ChatId(id)).unwrap().unwrap().identifier, format!("c{id}"));
    }
}
