//! Tapbacks that stand on messages (9.2).

use serde_json::{Value, json};

use super::{Bench, each, ids};
use crate::harness::{ANN, ANNS_CHAT, ASSOCIATIONS, SmallDb, date_at};

fn bench(write: impl FnOnce(&SmallDb)) -> Bench {
    Bench::new(|path| {
        let db = SmallDb::create(path).with("message", ASSOCIATIONS);
        write(&db);
        db
    })
}

#[test]
fn tapbacks_of_several_people_stand_on_a_message_by_date() {
    let mut bench = bench(|db| {
        db.text(1, ANNS_CHAT, "party");
        db.associate(2, ANNS_CHAT, 2000, "p:0/guid-1", json!({"handle_id": 2}));
        db.associate(3, ANNS_CHAT, 2001, "p:0/guid-1", json!({"handle_id": 0, "is_from_me": 1}));
        db.associate(4, ANNS_CHAT, 2003, "p:0/guid-1", json!({}));
        db.associate(5, ANNS_CHAT, 2006, "p:0/guid-1", json!({"text": "Reacted 🎉 to “party”"}));
    });
    let history = bench.history(ANNS_CHAT);
    assert_eq!(ids(&history), [1]);
    let reaction = |id, kind, emoji, sender, is_from_me| json!({"id": id, "type": kind, "emoji": emoji, "sender": sender, "is_from_me": is_from_me, "created_at": date_at(id)});
    let expected = json!([
        reaction(2, "love", "❤️", "bob@example.com", false),
        reaction(3, "like", "👍", "", true),
        reaction(4, "laugh", "😂", ANN, false),
        reaction(5, "custom", "🎉", ANN, false),
    ]);
    assert_eq!(history[0]["reactions"], expected);
    assert_eq!(bench.after(0)[0]["reactions"], expected);
}

#[test]
fn every_kind_of_tapback_has_its_name_and_emoji() {
    let kinds = [
        (2000, "love", "❤️"),
        (2001, "like", "👍"),
        (2002, "dislike", "👎"),
        (2003, "laugh", "😂"),
        (2004, "emphasis", "‼️"),
        (2005, "question", "❓"),
        (2006, "custom", "🎉"),
    ];
    let mut bench = bench(|db| {
        db.text(1, ANNS_CHAT, "x");
        for (id, (kind, ..)) in (2..).zip(kinds) {
            db.associate(id, ANNS_CHAT, kind, "p:0/guid-1", json!({"text": "Reacted 🎉 to “x”"}));
        }
        db.associate(20, ANNS_CHAT, 2006, "p:0/guid-1", json!({"text": "no emoji"}));
        db.associate(21, ANNS_CHAT, 9999, "p:0/guid-1", json!({}));
    });
    let reactions = bench.history(ANNS_CHAT).pop().unwrap()["reactions"].take();
    let said: Vec<Value> = reactions.as_array().unwrap().iter().map(|one| json!([one["type"], one["emoji"]])).collect();
    assert_eq!(said, kinds.map(|(_, name, emoji)| json!([name, emoji])));
    let rows = bench.messages("messages.after", json!({"since_rowid": 1, "include_reactions": true}));
    assert_eq!(each(&rows, "reaction_type")[..7], kinds.map(|(_, name, _)| json!(name)));
    assert_eq!(each(&rows[..8], "is_reaction"), [true; 8], "also the one whose emoji nobody knows");
    assert_eq!((rows[7].get("reaction_type"), rows[7].get("reaction_emoji")), (None, None));
    assert_eq!((&rows[8]["id"], rows[8].get("is_reaction")), (&json!(21), None), "9999 is no tapback");
}

#[test]
fn what_was_taken_away_does_not_stand() {
    let mut bench = bench(|db| {
        for id in 1..=4 {
            db.text(id, ANNS_CHAT, "x");
        }
        db.associate(5, ANNS_CHAT, 2000, "p:0/guid-1", json!({}));
        db.associate(6, ANNS_CHAT, 3000, "p:0/guid-1", json!({}));
        db.associate(7, ANNS_CHAT, 2001, "guid-2", json!({}));
        db.associate(8, ANNS_CHAT, 2001, "bp:guid-2", json!({"handle_id": 2}));
        db.associate(9, ANNS_CHAT, 2006, "guid-3", json!({"text": "Reacted 🎉 to “x”"}));
        db.associate(10, ANNS_CHAT, 3006, "guid-3", json!({"text": "Removed a reaction from “x”"}));
        db.associate(11, ANNS_CHAT, 3001, "guid-4", json!({}));
    });
    let standing: Vec<Value> = bench
        .history(ANNS_CHAT)
        .iter()
        .map(|message| each(message["reactions"].as_array().unwrap(), "id").into())
        .collect();
    assert_eq!(standing, [json!([]), json!([]), json!([7, 8]), json!([])]);
}
