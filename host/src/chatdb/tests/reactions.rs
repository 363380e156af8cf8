//! The tapbacks that stand on a message.

use super::Fixture;
use super::fixture::{BOB, DIRECT};
use crate::chatdb::History;
use crate::message::{Reaction, RowId};

fn of(fixture: &Fixture, id: i64) -> Vec<Reaction> {
    let db = fixture.open();
    let mut messages: Vec<_> = db.rows(&[RowId(id)]).unwrap().into_iter().map(|row| row.message).collect();
    db.reactions(&mut messages).unwrap();
    messages.remove(0).reactions
}

/// Row, emoji, sender, and whether it is ours.
fn summary(reactions: &[Reaction]) -> Vec<(i64, &str, &str, bool)> {
    let mut summary = Vec::new();
    for Reaction { id, kind, sender, is_from_me, .. } in reactions {
        summary.push((id.0, kind.emoji().unwrap_or("none"), sender.as_str(), *is_from_me));
    }
    summary
}

#[test]
fn reactions_of_several_people_come_by_date() {
    let fixture = Fixture::new();
    fixture.text(1, "party");
    fixture.message(2).tapback(2000, "p:0/guid-1").at(20).write();
    fixture.message(3).tapback(2001, "guid-1").own().at(30).write();
    fixture.message(4).tapback(2003, "bp:guid-1").from(BOB).at(10).write();
    fixture.message(5).tapback(2006, "p:3/guid-1").from(BOB).text("Reacted 🎉 to “party”").at(40).write();
    fixture.message(6).tapback(2006, "p:0/guid-1").set("associated_message_emoji", "🦊".to_owned()).at(50).write();
    let expected = [
        (4, "😂", "bob@example.com", false),
        (2, "❤️", "+15550001111", false),
        (3, "👍", "", true),
        (5, "🎉", "bob@example.com", false),
        (6, "🦊", "+15550001111", false),
    ];
    assert_eq!(summary(&of(&fixture, 1)), expected);
}

#[test]
fn a_message_is_found_by_each_of_its_names_however_many_others_have_such_names() {
    for others in [0, 100] {
        let fixture = Fixture::new();
        fixture.text(1, "party");
        fixture.message(2).tapback(2000, "p:0/guid-1").write();
        fixture.message(3).tapback(2001, "p:3/guid-1").from(BOB).write();
        for id in 10..10 + others {
            fixture.message(id).tapback(2000, &format!("p:{}/guid-{id}", 1 + id % 3)).write();
        }
        let found: Vec<i64> = of(&fixture, 1).iter().map(|reaction| reaction.id.0).collect();
        assert_eq!(found, [2, 3], "{others}");
    }
}

#[test]
fn a_removal_takes_back_only_its_own() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).tapback(2001, "p:0/guid-1").write();
    fixture.message(3).tapback(2001, "p:0/guid-1").from(BOB).write();
    fixture.message(4).tapback(2000, "p:0/guid-1").write();
    fixture.message(5).tapback(3001, "p:0/guid-1").write();
    fixture.message(6).tapback(3005, "p:0/guid-1").write();
    assert_eq!(of(&fixture, 1).iter().map(|reaction| reaction.id.0).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn a_custom_removal_without_emoji_takes_the_persons_first() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).tapback(2006, "guid-1").set("associated_message_emoji", "🎉".to_owned()).write();
    fixture.message(3).tapback(2006, "guid-1").set("associated_message_emoji", "🦊".to_owned()).write();
    fixture.message(4).tapback(3006, "guid-1").text("Removed a reaction from “x”").write();
    assert_eq!(of(&fixture, 1).iter().map(|reaction| reaction.id.0).collect::<Vec<_>>(), [3]);
}

#[test]
fn an_unknown_custom_reaction_is_left_out() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).tapback(2006, "guid-1").text("Reacted with a sticker to “8”").write();
    fixture.message(3).tapback(9999, "guid-1").write();
    assert!(of(&fixture, 1).is_empty());
}

#[test]
fn every_part_of_a_message_with_many_attachments_counts() {
    let fixture = Fixture::new();
    fixture.text(1, "album");
    for attachment in 1..=20 {
        fixture.attach(1, attachment, "a.png");
    }
    fixture.message(2).tapback(2000, "p:19/guid-1").write();
    assert_eq!(of(&fixture, 1).len(), 1);
}

#[test]
fn reactions_stay_with_their_message() {
    let fixture = Fixture::new();
    fixture.text(1, "one");
    fixture.text(2, "two");
    fixture.message(3).tapback(2000, "p:0/guid-1").write();
    fixture.message(4).tapback(3000, "p:0/guid-1").write();
    fixture.message(5).tapback(2001, "guid-2").write();
    let messages = fixture.open().history(&History::newest(DIRECT, 9)).unwrap();
    let counts: Vec<_> = messages.iter().map(|message| (message.id.0, message.reactions.len())).collect();
    assert_eq!(counts, [(2, 1), (1, 0)]);
}

#[test]
fn a_sticker_is_a_reaction_until_it_is_taken_back() {
    let fixture = Fixture::new();
    fixture.text(1, "x");
    fixture.message(2).tapback(2007, "p:0/guid-1").write();
    fixture.message(3).tapback(2007, "p:0/guid-1").from(BOB).write();
    fixture.message(4).tapback(3007, "p:0/guid-1").write();
    let kinds: Vec<_> = of(&fixture, 1).iter().map(|one| (one.id.0, one.kind.name())).collect();
    assert_eq!(kinds, [(3, "sticker")]);
    let history = fixture.open().history(&History::newest(DIRECT, 10)).unwrap();
    assert_eq!(history.len(), 1);
}
