//! Polls with what other rows say of them.

use serde_json::{Value, json};

use super::Fixture;
use super::fixture::{BOB, DIRECT, Draft, START};
use crate::chatdb::History;
use crate::message::Poll;

const BUNDLE: &str = "com.apple.messages.Polls";

impl Draft<'_> {
    fn poll(self, document: &Value) -> Self {
        self.set("balloon_bundle_id", BUNDLE.to_owned()).set("payload_data", document.to_string().into_bytes())
    }
}

fn choices(choices: &[(&str, &str)]) -> Value {
    let choice = |(id, text): &(&str, &str)| json!({"optionIdentifier": id, "text": text});
    json!({"orderedPollOptions": choices.iter().map(choice).collect::<Vec<_>>()})
}

fn polls(fixture: &Fixture) -> Vec<Option<Poll>> {
    let rows = fixture.open().rows_after(START, 100).unwrap();
    rows.into_iter().map(|row| row.message.poll.map(|poll| *poll)).collect()
}

/// A vote in row `id` for choice `b` of a poll.
fn vote<'a>(fixture: &'a Fixture, id: i64, of: &str) -> Draft<'a> {
    let document = json!({"votes": [{"voteOptionIdentifier": "b"}]}).to_string().into_bytes();
    fixture.message(id).tapback(4000, of).set("payload_data", document)
}

fn voted(poll: &Option<Poll>) -> (&str, Option<&str>) {
    let poll = poll.as_ref().unwrap();
    (poll.guid.as_str(), poll.votes[0].option_text.as_deref())
}

#[test]
fn a_poll_stands_at_its_own_row_only() {
    let fixture = Fixture::new();
    fixture.message(1).poll(&choices(&[("a", "Pizza")])).write();
    fixture.text(2, "text");
    fixture.message(3).set("balloon_bundle_id", "com.example".to_owned()).write();
    let history = fixture.open().history(&History::newest(DIRECT, 10)).unwrap();
    let polls: Vec<bool> = history.iter().map(|message| message.poll.is_some()).collect();
    assert_eq!(polls, [false, false, true]);
    assert_eq!(history[2].poll.as_ref().unwrap().creator.as_deref(), Some("+15550001111"));
}

#[test]
fn the_question_is_the_first_message_behind_the_poll_that_names_it() {
    let fixture = Fixture::new();
    fixture.message(1).poll(&choices(&[("a", "Pizza")])).write();
    let caption = |id, text: &str| fixture.message(id).text(text).set("reply_to_guid", "guid-1".to_owned());
    caption(2, "  ").write();
    caption(3, "in a thread").set("thread_originator_guid", "guid-1".to_owned()).write();
    caption(4, "later").at(90).write();
    caption(5, " Dinner? ").at(50).write();
    caption(6, "a reaction").tapback(2000, "guid-1").at(1).write();
    fixture.text(7, "nothing of it");
    assert_eq!(polls(&fixture)[0].as_ref().unwrap().question.as_deref(), Some("Dinner?"));
}

#[test]
fn a_vote_names_its_choice_also_where_that_was_added_later() {
    let fixture = Fixture::new();
    fixture.message(1).poll(&choices(&[("a", "Pizza")])).write();
    vote(&fixture, 2, "guid-1").from(BOB).write();
    fixture.message(3).poll(&choices(&[("a", "Pizza"), ("b", "Sushi")])).tapback(2, "p/guid-1").write();
    vote(&fixture, 4, "p:0/guid-1").write();
    fixture.message(5).poll(&choices(&[("c", "Tacos")])).tapback(2, "guid-3").write();
    // Whoever votes on a row that added choices votes in the poll.
    vote(&fixture, 6, "bp:guid-5").write();
    vote(&fixture, 7, "gone").write();
    let polls = polls(&fixture);
    for row in [1, 3, 5] {
        assert_eq!(voted(&polls[row]), ("guid-1", Some("Sushi")), "{row}");
    }
    assert_eq!(voted(&polls[6]), ("gone", None));
    assert_eq!(polls[2].as_ref().unwrap().guid, "guid-3");
}

#[test]
fn rows_that_add_to_each_other_end_somewhere() {
    let fixture = Fixture::new();
    fixture.message(1).poll(&choices(&[("a", "Pizza")])).tapback(2, "guid-2").write();
    fixture.message(2).poll(&choices(&[("b", "Sushi")])).tapback(2, "guid-1").write();
    vote(&fixture, 3, "guid-1").write();
    assert_eq!(voted(&polls(&fixture)[2]).1, Some("Sushi"));
}

#[test]
fn a_database_without_payloads_has_polls_that_cannot_be_read() {
    let fixture = Fixture::new();
    fixture.message(1).poll(&choices(&[("a", "Pizza")])).write();
    fixture.run("ALTER TABLE message DROP COLUMN payload_data; ALTER TABLE message DROP COLUMN message_summary_info");
    assert_eq!(polls(&fixture)[0].as_ref().unwrap().kind.name(), "unknown");
}
