//! What a subscriber hears, and when (9.7, 9.14, 9.19).

use serde_json::{Value, json};

use super::{Bench, check_absent};
use crate::harness::{ANN, ANNS_CHAT, ASSOCIATIONS, BOB, GROUP, PREVIEW, SmallDb, date_at, eventually, now};

const LINK: &str = "https://example.com/a";

fn bench(write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let db = SmallDb::create(path).with("message", &format!("{ASSOCIATIONS}, balloon_bundle_id TEXT"));
        write(&db);
        db
    })
}

impl Bench {
    /// The ids of the next messages, on a connection of their own.
    fn replayed(&self, params: Value, count: usize) -> Vec<i64> {
        let mut client = self.daemon.connect();
        client.subscribe(params);
        (0..count).map(|_| client.message()["id"].as_i64().unwrap()).collect()
    }

    fn arrives(&self, id: i64, chat: i64, text: &str) {
        self.db.message(id, chat, json!({"text": text, "date": now()}));
    }
}

#[test]
fn a_subscriber_filters_by_person_and_time() {
    let bench = bench(|db| {
        db.text(1, ANNS_CHAT, "a");
        db.message(2, GROUP, json!({"text": "b", "handle_id": 2}));
        db.text(3, GROUP, "c");
        db.text(4, ANNS_CHAT, "d");
        db.text(5, ANNS_CHAT, "e");
        db.text(6, GROUP, "f");
    });
    // What comes last tells that nothing else comes before it.
    for (mut filter, expected) in [
        (json!({"participants": [ANN.to_uppercase()]}), &[1, 3, 4, 5, 6][..]),
        (json!({"participants": ["nobody", BOB]}), &[2]),
        (json!({"participants": [], "chat_id": GROUP}), &[2, 3, 6]),
        (json!({"start": date_at(2), "end": date_at(4)}), &[2, 3]),
        (json!({"start": date_at(3)}), &[3, 4, 5, 6]),
    ] {
        filter["since_rowid"] = json!(-1);
        assert_eq!(bench.replayed(filter.clone(), expected.len()), expected, "{filter}");
    }
}

#[test]
fn a_debounce_delays_nothing() {
    let bench = bench(|_| {});
    let mut patient = bench.daemon.connect();
    patient.subscribe(json!({"debounce_ms": i64::MAX}));
    let mut usual = bench.daemon.watch();
    bench.arrives(1, ANNS_CHAT, "now");
    assert_eq!((patient.message()["id"].take(), usual.message()["id"].take()), (json!(1), json!(1)));
}

#[test]
fn reactions_stand_on_messages_only_where_they_are_asked_for() {
    let bench = bench(|db| {
        db.text(1, ANNS_CHAT, "x");
        db.associate(2, ANNS_CHAT, 2001, "p:0/guid-1", json!({"handle_id": 2}));
        db.text(3, ANNS_CHAT, "y");
    });
    let mut with = bench.daemon.connect();
    with.subscribe(json!({"since_rowid": -1, "include_reactions": true}));
    let message = with.message();
    assert_eq!((&message["id"], &message["attachments"]), (&json!(1), &json!([])));
    assert_eq!(message["reactions"].as_array().unwrap().len(), 1);
    assert_eq!((&message["reactions"][0]["type"], &message["reactions"][0]["sender"]), (&json!("like"), &json!(BOB)));
    let tapback = with.message();
    assert_eq!(json!([tapback["id"], tapback["is_reaction_add"], tapback["reaction_emoji"]]), json!([2, true, "👍"]));
    let mut without = bench.daemon.connect();
    without.subscribe(json!({"since_rowid": -1}));
    let messages = [without.message(), without.message()];
    assert_eq!(
        messages.each_ref().map(|message| json!([message["id"], message["reactions"]])),
        [json!([1, []]), json!([3, []])]
    );
}

#[test]
fn a_cursor_of_zero_is_the_end() {
    let bench = bench(|db| db.text(1, ANNS_CHAT, "before"));
    let mut clients = [json!({}), json!({"since_rowid": 0}), json!({"since_rowid": -1})].map(|params| {
        let mut client = bench.daemon.connect();
        assert_eq!(client.ok("watch.subscribe", params), json!({"subscription": 1, "buffer_limit": 256}));
        client
    });
    bench.arrives(2, ANNS_CHAT, "after");
    assert_eq!(clients.each_mut().map(|client| client.message()["id"].take()), [json!(2), json!(2), json!(1)]);
}

#[test]
fn rows_without_a_chat_do_not_stop_those_behind_them() {
    let bench = bench(|_| {});
    let mut client = bench.daemon.watch();
    for id in [1, 2] {
        bench.db.unjoined(id, json!({"text": "in no chat", "date": now()}));
    }
    bench.arrives(3, ANNS_CHAT, "joined");
    assert_eq!(client.message()["id"], 3);
    // Joined after all: late, but not lost.
    bench.db.join(2, ANNS_CHAT, &Value::Null);
    assert_eq!(client.message()["id"], 2);
    let page = bench.daemon.connect().ok("messages.after", json!({"since_rowid": 0}));
    let shown: Vec<&Value> = page["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!((shown, &page["next_rowid"]), (vec![&json!(2), &json!(3)], &json!(3)));
}

#[test]
fn a_preview_is_delivered_only_where_it_says_something_new() {
    let bench = bench(|_| {});
    let mut client = bench.daemon.watch();
    let preview = || json!({"text": LINK, "balloon_bundle_id": PREVIEW, "date": now()});
    bench.arrives(1, ANNS_CHAT, &format!("look at {LINK}"));
    assert_eq!(client.message()["id"], 1);
    bench.db.message(2, ANNS_CHAT, preview());
    bench.arrives(3, ANNS_CHAT, "something else");
    bench.db.message(4, ANNS_CHAT, preview());
    let (text, link) = (client.message(), client.message());
    assert_eq!((&text["id"], &link["id"]), (&json!(3), &json!(4)));
    assert_eq!(link["balloon_bundle_id"], PREVIEW);
    check_absent(&text, &["url_preview"]);
    eventually("the journal knows the preview", || bench.daemon.journal("guid-2"));
    assert_eq!(bench.daemon.journal("guid-2").unwrap()["verdict"], "folded");
}
