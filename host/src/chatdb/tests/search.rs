//! Messages by their text.

use super::Fixture;
use super::fixture::{DIRECT, GROUP, folded};
use crate::chatdb::{Search, TextMatch};
use crate::decode::writer;

fn find(fixture: &Fixture, text: &str, matching: TextMatch, limit: usize) -> Vec<(i64, Option<i64>)> {
    folded(&fixture.open().search(&Search { text: text.to_owned(), matching, limit }).unwrap())
}

fn containing(fixture: &Fixture, text: &str) -> Vec<(i64, Option<i64>)> {
    find(fixture, text, TextMatch::Contains, 50)
}

#[test]
fn columns_and_bodies_are_searched_without_regard_to_case() {
    let fixture = Fixture::new();
    fixture.text(1, "CAFÉ");
    fixture.message(2).set("attributedBody", writer::plain("Café")).to(&[GROUP]).write();
    fixture.text(3, "a café");
    fixture.message(4).tapback(2000, "guid-1").text("Loved “café”").write();
    assert_eq!(containing(&fixture, "café"), [(3, None), (2, None), (1, None)]);
    assert_eq!(find(&fixture, "café", TextMatch::Exact, 50), [(2, None), (1, None)]);
}

#[test]
fn a_miss_does_not_count_against_the_limit() {
    let fixture = Fixture::new();
    fixture.text(1, "searchable");
    fixture.message(2).set("attributedBody", writer::plain("other")).write();
    assert_eq!(find(&fixture, "search", TextMatch::Contains, 1), [(1, None)]);
}

#[test]
fn nothing_in_a_query_is_a_wildcard() {
    let fixture = Fixture::new();
    fixture.text(1, "100% sure_thing \\o/");
    fixture.text(2, "100 sureXthing o/");
    for query in ["100%", "sure_", "\\o"] {
        assert_eq!(containing(&fixture, query), [(1, None)], "{query}");
    }
}

#[test]
fn a_link_and_its_preview_are_one_hit() {
    let fixture = Fixture::new();
    fixture.text(1, "see https://example.com");
    fixture.message(2).preview("https://example.com").write();
    assert_eq!(containing(&fixture, "example.com"), [(1, Some(2))]);
    assert_eq!(containing(&fixture, "see"), [(1, Some(2))]);
    assert_eq!(find(&fixture, "https://example.com", TextMatch::Exact, 9), [(2, None)]);
}

#[test]
fn a_preview_behind_another_message_is_a_hit_of_its_own() {
    let fixture = Fixture::new();
    fixture.text(1, "https://example.com");
    fixture.text(2, "other");
    fixture.message(3).preview("https://example.com").write();
    assert_eq!(containing(&fixture, "example"), [(3, None), (1, None)]);
}

#[test]
fn a_caption_is_found_by_its_link_and_by_itself() {
    let fixture = Fixture::new();
    fixture.text(1, "look");
    fixture.message(2).preview("https://example.com").set("reply_to_guid", "guid-1".to_owned()).write();
    assert_eq!(containing(&fixture, "example"), [(1, Some(2))]);
    let query = Search { text: "look".to_owned(), matching: TextMatch::Contains, limit: 9 };
    let hits = fixture.open().search(&query).unwrap();
    assert_eq!((hits[0].text.as_str(), hits[0].chat.as_ref().unwrap().id), ("look\nhttps://example.com", DIRECT));
}
