//! Links and their previews as one message, and search (9.16).

use serde_json::{Value, json};

use super::{Bench, check_absent, each, ids};
use crate::harness::{ANNS_CHAT, ASSOCIATIONS, PREVIEW, SmallDb, archive, date_at};

const LINK: &str = "https://example.com/a";

fn bench(columns: &str, write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let db = SmallDb::create(path).with("message", &format!("guid TEXT, balloon_bundle_id TEXT{columns}"));
        write(&db);
        db
    })
}

/// The ids, each with that of the preview that was folded into it.
fn folded(messages: &[Value]) -> Vec<(i64, Option<i64>)> {
    messages.iter().map(|message| (message["id"].as_i64().unwrap(), message["url_preview"]["id"].as_i64())).collect()
}

#[test]
fn a_page_passes_over_the_preview_of_a_text_before_it() {
    let mut bench = bench("", |db| {
        db.text(1, ANNS_CHAT, &format!("look at {LINK}"));
        db.preview(2, ANNS_CHAT, LINK);
        db.text(3, ANNS_CHAT, "next");
    });
    let page = bench.client.ok("messages.after", json!({"since_rowid": 1, "limit": 1}));
    assert_eq!(folded(page["messages"].as_array().unwrap()), [(3, None)]);
    assert_eq!((&page["next_rowid"], &page["has_more"]), (&json!(3), &json!(false)));
}

#[test]
fn a_text_and_its_preview_are_one_message() {
    let mut bench = bench(", is_read INTEGER, date_read INTEGER", |db| {
        db.message(
            1,
            ANNS_CHAT,
            json!({"text": format!("look at {LINK}"), "is_read": 1, "date_read": crate::harness::at(9)}),
        );
        db.message(2, ANNS_CHAT, json!({"text": LINK, "balloon_bundle_id": PREVIEW, "is_read": 0}));
    });
    let preview = json!({"id": 2, "guid": "guid-2", "balloon_bundle_id": PREVIEW, "created_at": date_at(2)});
    for messages in
        [bench.history(ANNS_CHAT), bench.after(0), bench.messages("messages.search", json!({"query": "Example.com"}))]
    {
        assert_eq!(ids(&messages), [1]);
        let message = &messages[0];
        assert_eq!((&message["guid"], &message["text"]), (&json!("guid-1"), &json!(format!("look at {LINK}"))));
        assert_eq!((&message["created_at"], &message["url_preview"]), (&json!(date_at(1)), &preview));
        assert_eq!((&message["is_read"], &message["date_read"]), (&json!(true), &json!(date_at(9))));
        check_absent(message, &["balloon_bundle_id"]);
    }
}

#[test]
fn a_tapback_between_a_text_and_its_preview_is_no_barrier() {
    let mut bench = bench(&ASSOCIATIONS["guid TEXT".len()..], |db| {
        db.text(1, ANNS_CHAT, LINK);
        db.associate(2, ANNS_CHAT, 2000, "p:0/guid-1", json!({}));
        db.preview(3, ANNS_CHAT, LINK);
    });
    let page = bench.messages("messages.after", json!({"since_rowid": 0, "include_reactions": true}));
    assert_eq!(folded(&page), [(1, Some(3)), (2, None)]);
    assert_eq!(folded(&bench.history(ANNS_CHAT)), [(1, Some(3))]);
}

#[test]
fn a_preview_whose_text_is_outside_the_window_stands_alone() {
    let mut bench = bench("", |db| {
        db.text(1, ANNS_CHAT, LINK);
        db.preview(2, ANNS_CHAT, LINK);
    });
    let history = bench.messages("messages.history", json!({"chat_id": ANNS_CHAT, "start": date_at(2)}));
    assert_eq!(folded(&history), [(2, None)]);
    assert_eq!(history[0]["balloon_bundle_id"], PREVIEW);
}

#[test]
fn what_is_said_between_is_a_barrier() {
    let mut bench = bench("", |db| {
        db.text(1, ANNS_CHAT, LINK);
        db.text(2, ANNS_CHAT, "something else");
        db.preview(3, ANNS_CHAT, LINK);
    });
    assert_eq!(folded(&bench.messages("messages.search", json!({"query": LINK}))), [(3, None), (1, None)]);
    assert_eq!(folded(&bench.history(ANNS_CHAT)), [(3, None), (2, None), (1, None)]);
    assert_eq!(folded(&bench.after(0)), [(1, None), (2, None), (3, None)]);
}

#[test]
fn ordinary_texts_are_never_folded() {
    let mut bench = bench("", |db| {
        db.text(1, ANNS_CHAT, &format!("look at {LINK}"));
        db.text(2, ANNS_CHAT, LINK);
    });
    assert_eq!(folded(&bench.after(0)), [(1, None), (2, None)]);
    assert_eq!(folded(&bench.history(ANNS_CHAT)), [(2, None), (1, None)]);
}

#[test]
fn a_preview_may_name_a_text_that_lacks_the_link() {
    let mut bench = bench(", reply_to_guid TEXT", |db| {
        db.text(1, ANNS_CHAT, "the caption");
        db.message(2, ANNS_CHAT, json!({"text": LINK, "balloon_bundle_id": PREVIEW, "reply_to_guid": "p:0/guid-1"}));
    });
    for query in [LINK, "caption"] {
        let found = bench.messages("messages.search", json!({"query": query}));
        assert_eq!(folded(&found), [(1, Some(2))], "{query}");
        assert_eq!(found[0]["text"], format!("the caption\n{LINK}"), "{query}");
    }
}

#[test]
fn search_looks_into_texts_and_bodies() {
    let mut bench = bench(", attributedBody BLOB", |db| {
        db.text(1, ANNS_CHAT, "searchable in the column");
        db.message(2, ANNS_CHAT, json!({"attributedBody": archive("searchable in the body")}));
        db.message(3, ANNS_CHAT, json!({"attributedBody": archive("a newer one")}));
        db.text(4, ANNS_CHAT, "100% is_no wild\\card");
    });
    let mut find = |query: &str, limit: i64| bench.messages("messages.search", json!({"query": query, "limit": limit}));
    let both = find(" searchable ", 50);
    assert_eq!(ids(&both), [2, 1]);
    assert_eq!(each(&both, "text"), ["searchable in the body", "searchable in the column"]);
    assert_eq!(ids(&find("searchable", 1)), [2], "what does not match is no hit");
    for (query, found) in [("100%", &[4][..]), ("is_no", &[4]), ("d\\c", &[4]), ("1%0", &[]), ("isXno", &[])] {
        assert_eq!(ids(&find(query, 50)), found, "{query}");
    }
}

#[test]
fn search_disregards_the_case_of_any_letter() {
    let mut bench = bench(", attributedBody BLOB", |db| {
        db.text(1, ANNS_CHAT, "CAFÉ");
        db.message(2, ANNS_CHAT, json!({"attributedBody": archive("CAFÉ")}));
    });
    for matching in ["contains", "exact"] {
        let found = bench.messages("messages.search", json!({"query": "café", "match": matching}));
        assert_eq!(ids(&found), [2, 1], "{matching}");
    }
    assert_eq!(ids(&bench.messages("messages.search", json!({"query": "caf", "match": "exact"}))), [0; 0]);
}
