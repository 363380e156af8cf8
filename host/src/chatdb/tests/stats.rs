//! Counts of messages and media.

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::Fixture;
use super::fixture::{BOB, DIRECT, GROUP};
use crate::chatdb::{MediaCount, Stats, StatsQuery};
use crate::message::ChatId;

fn count(fixture: &Fixture, chat: Option<ChatId>) -> Stats {
    let query = StatsQuery { chat, time_zone: TimeZone::UTC, include_media: true };
    fixture.open().stats(&query).unwrap()
}

/// Two messages in the direct chat, one in the group, one in both, and what does not count.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).preview("https://example.com").write();
    fixture.message(3).tapback(2000, "guid-1").write();
    fixture.message(4).own().text("mine").set("service", "SMS".to_owned()).write();
    fixture.message(5).from(BOB).text("group").to(&[GROUP]).at(86_400).write();
    fixture.message(6).from(77).text("both").to(&[DIRECT, GROUP]).set("service", " ".to_owned()).write();
    fixture.attach(2, 9, "preview");
    fixture.attach(5, 10, "a.png");
    fixture.attach(6, 25, "b.png");
    fixture.run("UPDATE attachment SET mime_type = NULL, total_bytes = -1 WHERE ROWID = 9");
    fixture
}

#[test]
fn a_message_counts_once_and_once_in_each_chat() {
    let stats = count(&fixture(), None);
    assert_eq!((stats.sent, stats.received), (1, 3));
    let chats: Vec<_> = stats.chats.iter().map(|(chat, count)| (chat.id, chat.name.as_str(), *count)).collect();
    assert_eq!(chats, [(DIRECT, "+15550001111", 3), (GROUP, "Friends", 2)]);
    let named =
        |names: &[(&str, u64)]| names.iter().map(|(name, count)| (name.to_string(), *count)).collect::<Vec<_>>();
    assert_eq!(stats.senders, named(&[("+15550001111", 1), ("bob@example.com", 1), ("unknown", 1)]));
    assert_eq!(stats.services, named(&[("iMessage", 2), ("SMS", 1), ("unknown", 1)]));
    assert_eq!(stats.dates, [(date(2023, 3, 28), 3), (date(2023, 3, 29), 1)]);
}

#[test]
fn one_chat_can_be_counted() {
    let stats = count(&fixture(), Some(GROUP));
    assert_eq!((stats.sent, stats.received, stats.chats.len()), (0, 2, 1));
    assert_eq!(stats.media.unwrap().total, MediaCount { attachments: 2, bytes: 350 });
}

#[test]
fn media_of_what_does_not_count_do_not_count() {
    let media = count(&fixture(), None).media.unwrap();
    assert_eq!(media.total, MediaCount { attachments: 2, bytes: 350 });
    let unknown = "unknown".to_owned();
    assert_eq!(media.types, [((unknown, "image/png".to_owned()), media.total)]);
    let chats: Vec<_> = media.chats.iter().map(|(chat, count)| (chat.id, count.attachments)).collect();
    assert_eq!(chats, [(GROUP, 2), (DIRECT, 1)]);
}

#[test]
fn days_begin_where_the_time_zone_says() {
    let fixture = Fixture::new();
    fixture.text(1, "10:40 UTC");
    let query = StatsQuery { chat: None, time_zone: TimeZone::fixed(jiff::tz::offset(14)), include_media: false };
    let stats = fixture.open().stats(&query).unwrap();
    assert_eq!((stats.dates, stats.media), (vec![(date(2023, 3, 29), 1)], None));
}
