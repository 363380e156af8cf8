//! What a message answers (9.3).

use serde_json::json;

use super::{Bench, check_absent, ids};
use crate::harness::{ANN, ANNS_CHAT, ASSOCIATIONS, SmallDb};

const FIELDS: [&str; 4] = ["reply_to_guid", "reply_to_text", "reply_to_sender", "thread_originator_guid"];

fn bench(write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let threads =
            format!("{ASSOCIATIONS}, thread_originator_guid TEXT, thread_originator_part TEXT, reply_to_guid TEXT");
        let db = SmallDb::create(path).with("message", &threads);
        write(&db);
        db
    })
}

#[test]
fn a_reply_says_what_it_answers_as_far_as_that_is_there() {
    let mut bench = bench(|db| {
        db.text(1, ANNS_CHAT, "the question");
        db.message(
            2,
            ANNS_CHAT,
            json!({"text": "in its thread", "thread_originator_guid": "guid-1", "thread_originator_part": "0:0:12"}),
        );
        db.associate(3, ANNS_CHAT, 1, "p:0/guid-1", json!({"text": "associated"}));
        db.message(4, ANNS_CHAT, json!({"text": "to nothing", "thread_originator_guid": "gone"}));
        // Messages sets this on ordinary rows too.
        db.message(5, ANNS_CHAT, json!({"text": "ordinary", "reply_to_guid": "guid-4"}));
        db.message(6, ANNS_CHAT, json!({"text": "in a thread, to a later one", "thread_originator_guid": "guid-1", "reply_to_guid": "guid-2"}));
    });
    for messages in [bench.after(0), {
        let mut newest = bench.history(ANNS_CHAT);
        newest.reverse();
        newest
    }] {
        assert_eq!(ids(&messages), [1, 2, 3, 4, 5, 6]);
        let [plain, thread, associated, orphan, ordinary, later] = &messages[..] else { unreachable!() };
        check_absent(plain, &FIELDS);
        check_absent(ordinary, &FIELDS);
        for reply in [thread, associated] {
            assert_eq!((&reply["reply_to_text"], &reply["reply_to_sender"]), (&json!("the question"), &json!(ANN)));
        }
        assert_eq!(thread["thread_originator_guid"], "guid-1");
        assert_eq!(thread["thread_originator_part"], "0:0:12");
        assert_eq!(associated["reply_to_guid"], "guid-1");
        assert_eq!(orphan["thread_originator_guid"], "gone");
        check_absent(orphan, &["reply_to_text", "reply_to_sender"]);
        assert_eq!((&later["reply_to_guid"], &later["reply_to_text"]), (&json!("guid-2"), &json!("the question")));
    }
}

#[test]
fn a_tapback_is_no_reply_whatever_its_columns_say() {
    let mut bench = bench(|db| {
        db.text(1, ANNS_CHAT, "the question");
        db.associate(
            2,
            ANNS_CHAT,
            2001,
            "p:0/guid-1",
            json!({"thread_originator_guid": "guid-1", "reply_to_guid": "guid-1"}),
        );
    });
    let subscribe = json!({"since_rowid": -1, "include_reactions": true});
    bench.client.subscribe(subscribe);
    assert_eq!(bench.client.message()["id"], 1);
    let watched = bench.client.message();
    let paged = bench.messages("messages.after", json!({"since_rowid": 1, "include_reactions": true})).remove(0);
    for tapback in [watched, paged] {
        assert_eq!((&tapback["id"], &tapback["reacted_to_guid"]), (&json!(2), &json!("guid-1")));
        check_absent(&tapback, &FIELDS);
        check_absent(&tapback, &["thread_originator_part"]);
    }
}
