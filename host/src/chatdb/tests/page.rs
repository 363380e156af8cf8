//! The resumable scan.

use super::Fixture;
use super::fixture::{DIRECT, GROUP, START, folded};
use crate::chatdb::{After, Page};
use crate::message::{Message, RowId};

const ALL: After = After { since: START, chat: None, limit: 100, include_reactions: false };

type Shown = (Vec<(i64, Option<i64>)>, i64, bool);

fn read(fixture: &Fixture, query: After) -> Shown {
    let Page { messages, next_rowid, has_more } = fixture.open().after(&query).unwrap();
    (folded(&messages), next_rowid.0, has_more)
}

#[test]
fn pages_follow_each_other_without_gap_or_repeat() {
    let fixture = Fixture::new();
    for id in 1..=7 {
        fixture.message(id).text("x").to(if id == 4 { &[] } else { &[DIRECT] }).at(-id).write();
    }
    fixture.message(8).tapback(2000, "guid-1").write();
    let db = fixture.open();
    let (mut seen, mut since, mut more) = (Vec::new(), START, true);
    while more {
        let page = db.after(&After { since, limit: 3, ..ALL }).unwrap();
        seen.extend(page.messages.iter().map(|message| message.id.0));
        (since, more) = (page.next_rowid, page.has_more);
    }
    assert_eq!((seen, since), ((1..=7).collect(), RowId(8)));
}

#[test]
fn an_empty_page_keeps_the_cursor() {
    assert_eq!(read(&Fixture::new(), After { since: RowId(5), ..ALL }), (vec![], 5, false));
}

#[test]
fn rows_that_are_not_shown_are_consumed() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).tapback(2000, "guid-1").write();
    fixture.message(3).tapback(2999, "guid-1").write();
    fixture.message(4).tapback(1000, "guid-1").write();
    fixture.message(5).tapback(3006, "guid-1").write();
    assert_eq!(read(&fixture, ALL), (vec![(1, None), (3, None), (4, None)], 5, false));
    let with_reactions = After { include_reactions: true, limit: 2, ..ALL };
    assert_eq!(read(&fixture, with_reactions), (vec![(1, None), (2, None)], 2, true));
}

#[test]
fn one_chat_can_be_scanned() {
    let fixture = Fixture::new();
    fixture.text(1, "direct");
    fixture.message(2).text("group").to(&[GROUP]).write();
    fixture.message(3).text("both").to(&[DIRECT, GROUP]).write();
    let page = fixture.open().after(&After { chat: Some(GROUP), ..ALL }).unwrap();
    assert_eq!(folded(&page.messages), [(2, None), (3, None)]);
    assert!(page.messages.iter().all(|message| message.chat.as_ref().unwrap().id == GROUP));
}

#[test]
fn a_preview_is_folded_and_its_row_consumed() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).tapback(2000, "guid-1").write();
    fixture.message(3).preview("https://example.com").write();
    fixture.message(4).text("https://example.com").to(&[GROUP]).write();
    assert_eq!(read(&fixture, ALL), (vec![(1, Some(3)), (4, None)], 4, false));
    let with_reactions = After { include_reactions: true, ..ALL };
    assert_eq!(read(&fixture, with_reactions).0, [(1, Some(3)), (2, None), (4, None)]);
}

#[test]
fn a_preview_whose_text_was_on_an_earlier_page_is_passed_over() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).preview("https://example.com").write();
    fixture.text(3, "next");
    assert_eq!(read(&fixture, After { since: RowId(1), limit: 1, ..ALL }), (vec![(3, None)], 3, false));
}

#[test]
fn a_preview_after_the_page_is_attached_without_being_consumed() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).text("between").to(&[GROUP]).write();
    fixture.message(3).preview("https://example.com").write();
    fixture.text(4, "next");
    assert_eq!(read(&fixture, After { limit: 1, ..ALL }), (vec![(1, Some(3))], 1, true));
    assert_eq!(read(&fixture, After { since: RowId(1), ..ALL }), (vec![(2, None), (4, None)], 4, false));
}

#[test]
fn a_preview_after_the_page_is_attached_across_a_tapback_and_not_across_a_message() {
    let one = After { limit: 1, include_reactions: true, ..ALL };
    for (between, preview) in [(2000, Some(3)), (0, None)] {
        let fixture = Fixture::new();
        fixture.text(1, "https://example.com");
        fixture.message(2).text("Loved it").tapback(between, "guid-1").write();
        fixture.message(3).preview("https://example.com").write();
        assert_eq!(read(&fixture, one), (vec![(1, preview)], 1, true));
    }
}

#[test]
fn the_same_link_in_two_chats_is_two_messages() {
    let fixture = Fixture::new();
    fixture.message(1).preview("https://example.com").write();
    fixture.message(2).preview("https://example.com").to(&[GROUP]).at(16).write();
    assert_eq!(read(&fixture, ALL).0, [(1, None), (2, None)]);
}

#[test]
fn spans_together_have_what_pages_have_wherever_they_are_cut() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.message(2).tapback(2000, "guid-1").write();
    fixture.message(3).preview("https://example.com").write();
    // Rows 4 to 6 were deleted.
    fixture.text(7, "https://example.org");
    fixture.message(8).text("between").to(&[GROUP]).write();
    fixture.message(9).preview("https://example.org").write();
    fixture.message(10).text("in no chat").to(&[]).write();
    fixture.message(11).tapback(2001, "guid-7").write();
    fixture.message(12).text("in two chats").to(&[GROUP, DIRECT]).write();
    fixture.attach(12, 1, "/tmp/a.jpg");
    fixture.message(13).text("without any").to(&[]).write();
    fixture.attach(13, 2, "/tmp/b.jpg");
    // As the database of today has dates, as one of before 2017 has them, with one missing, and without any.
    for dates in ["date", "date / 1000000000", "NULLIF(date, (SELECT date FROM message WHERE ROWID = 7))", "NULL"] {
        fixture.run(&format!("UPDATE message SET date = {dates}"));
        let db = fixture.open();
        let whole = db.after(&After { include_reactions: true, ..ALL }).unwrap();
        for count in 1..=14 {
            let (mut messages, mut since, mut has_more) = (Vec::new(), START, true);
            while has_more {
                let span = db.span(since, count).unwrap();
                messages.extend(span.messages);
                (since, has_more) = (span.next_rowid, span.has_more);
            }
            let all = |messages: &[Message]| format!("{messages:#?}");
            assert_eq!(all(&messages), all(&whole.messages), "{dates} {count}");
            assert_eq!(since, RowId(13), "{dates} {count}");
        }
    }
}

#[test]
fn a_tapback_that_comes_between_two_spans_is_on_its_message() {
    let fixture = Fixture::new();
    fixture.text(1, "Hello");
    fixture.text(2, "there");
    let db = fixture.open();
    let reactions = || db.span(START, 2).unwrap().messages.iter().map(|m| m.reactions.len()).collect::<Vec<_>>();
    assert_eq!(reactions(), [0, 0]);
    fixture.message(3).tapback(2000, "guid-2").write();
    assert_eq!(reactions(), [0, 1]);
    fixture.message(4).tapback(3000, "guid-2").write();
    assert_eq!(reactions(), [0, 0]);
}

#[test]
fn a_span_says_how_far_it_reached_where_there_are_no_rows() {
    let fixture = Fixture::new();
    assert_eq!(fixture.open().span(RowId(5), 10).unwrap().next_rowid, RowId(5));
    fixture.text(1, "first");
    fixture.text(100, "last");
    let db = fixture.open();
    let of = |since, count| {
        let span = db.span(RowId(since), count).unwrap();
        (folded(&span.messages), span.next_rowid.0, span.has_more)
    };
    assert_eq!(of(1, 50), (vec![], 51, true));
    assert_eq!(of(51, usize::MAX), (vec![(100, None)], 100, false));
    assert_eq!(of(i64::MAX, 1), (vec![], i64::MAX, false));
}
