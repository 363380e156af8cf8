//! Messages that change after they were sent.

use imsgd::sim;
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, TestDaemon};

fn history(daemon: &TestDaemon, chat: i64) -> Vec<Value> {
    let answer = daemon.connect().ok("messages.history", json!({"chat_id": chat}));
    answer["messages"].as_array().unwrap().clone()
}

#[test]
fn an_edited_message_shows_its_present_text_and_every_version() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let message = daemon.receive_from(FRIEND, "at nine");
    let before = client.message();
    for key in ["is_edited", "edited_at", "edits", "is_unsent", "unsent_parts"] {
        assert_eq!(before.get(key), None, "{key}");
    }
    sim::edit(&daemon.db(), &message.guid, "at ten").unwrap();
    sim::edit(&daemon.db(), &message.guid, "at eleven").unwrap();
    let edited = &history(&daemon, message.chat_id.unwrap().0)[0];
    assert_eq!((&edited["text"], &edited["is_edited"]), (&json!("at eleven"), &json!(true)));
    assert_eq!(edited.get("is_unsent"), None);
    let versions = edited["edits"].as_array().unwrap();
    let texts: Vec<_> = versions.iter().map(|version| (&version["part"], version["text"].as_str().unwrap())).collect();
    assert_eq!(texts, [(&json!(0), "at nine"), (&json!(0), "at ten"), (&json!(0), "at eleven")]);
    // The list keeps dates as doubles, which round.
    let at = |date: &Value| date.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert!((at(&versions[0]["edited_at"]) - at(&before["created_at"])).abs() <= 1, "{edited} {before}");
    assert!(edited["edited_at"].as_str() > before["created_at"].as_str(), "{edited}");
}

#[test]
fn an_unsent_message_says_so() {
    let daemon = TestDaemon::new(FRIENDS);
    let message = daemon.receive_from(FRIEND, "never mind");
    sim::unsend(&daemon.db(), &message.guid).unwrap();
    let unsent = &history(&daemon, message.chat_id.unwrap().0)[0];
    assert_eq!(
        (&unsent["text"], &unsent["is_unsent"], &unsent["unsent_parts"]),
        (&json!(""), &json!(true), &json!([0]))
    );
    assert_eq!((unsent.get("is_edited"), unsent.get("edits")), (None, None));
}
