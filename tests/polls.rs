//! Polls and votes, from chat.db to a client.

use imsgd::sim::Incoming;
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, HOSTILE, Home, OTHER_FRIEND, TestDaemon};

#[test]
fn a_poll_and_the_votes_in_it_arrive_with_what_they_say() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let options = ["Pizza", "Sushi"].map(str::to_owned).to_vec();
    let asked = daemon.receive(&Incoming { poll_options: options, ..Incoming::new(FRIEND, "Dinner?") });
    let message = client.message();
    let poll = &message["poll"];
    assert_eq!((&poll["kind"], &poll["event"]), (&json!("created"), &json!("imessage.poll.created")));
    assert_eq!((&poll["question"], &poll["poll_guid"]), (&json!("Dinner?"), &json!(asked.guid)));
    let expected = json!([{"id": "choice-1", "text": "Pizza"}, {"id": "choice-2", "text": "Sushi"}]);
    assert_eq!((&poll["options"], &poll["creator"]), (&expected, &json!(FRIEND)));
    assert_eq!((poll.get("votes"), poll.get("original_guid")), (None, None));
    assert_eq!(poll["metadata"]["query_keys"], json!(["c", "src"]));
    assert_eq!(message["app"], json!({"name": "Polls", "bundle_id": "com.apple.messages.Polls"}));

    daemon.receive(&Incoming {
        votes: vec!["choice-2".to_owned()],
        target: Some(asked.guid.clone()),
        ..Incoming::new(OTHER_FRIEND, "")
    });
    let message = client.message();
    let vote = json!({
        "option_id": "choice-2", "option_text": "Sushi", "participant": OTHER_FRIEND, "event_type": "selected",
    });
    let poll = &message["poll"];
    assert_eq!((&poll["kind"], &poll["poll_guid"]), (&json!("vote"), &json!(asked.guid)));
    assert_eq!((&poll["vote"], &poll["votes"]), (&vote, &json!([vote])));
    assert_eq!(poll["participants"], json!([OTHER_FRIEND]));

    let lines = daemon.run(&["history", "--chat-id", &asked.chat_id.unwrap().to_string()]).stdout;
    assert!(lines.contains("Poll: Dinner? [Pizza | Sushi]"), "{lines}");
    let lines = daemon.run(&["history", "--chat-id", &message["chat_id"].to_string()]).stdout;
    assert!(lines.contains("Poll: voted for Sushi"), "{lines}");
}

#[test]
fn a_payload_that_cannot_be_read_shows_only_its_size() {
    let daemon = TestDaemon::new(FRIENDS);
    let options = vec!["Pizza".to_owned()];
    let asked = daemon.receive(&Incoming { poll_options: options, ..Incoming::new(FRIEND, "Dinner?") });
    let connection = rusqlite::Connection::open(daemon.db()).unwrap();
    connection.execute("UPDATE message SET payload_data = x'0102ff'", []).unwrap();
    let answer = daemon.connect().ok("messages.history", json!({"chat_id": asked.chat_id.unwrap().0}));
    let poll = &answer["messages"][0]["poll"];
    let bundle = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.messages.Polls";
    let expected = json!({
        "kind": "unknown", "event": "imessage.poll.unknown", "poll_guid": asked.guid,
        "metadata": {"bundle_id": bundle, "payload_bytes": 3},
    });
    assert_eq!(*poll, expected);
}

#[test]
fn policies_read_what_a_poll_says() {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'drop', only_text = 'bad'")));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let poll = |question: &str, choice: &str| {
        let options = vec!["Pizza".to_owned(), choice.to_owned()];
        daemon.receive(&Incoming { poll_options: options, ..Incoming::new(FRIEND, question) })
    };
    let dropped = [poll("a bad question", "Sushi"), poll("Dinner?", "bad Sushi")];
    poll("Dinner?", "Sushi");
    assert_eq!(client.message()["poll"]["question"], "Dinner?");
    for message in dropped {
        assert_eq!(daemon.journal(&message.guid).unwrap()["verdict"], "dropped");
    }
    // The question may come as a message behind the poll, which is dropped and must not come with the poll after all.
    let asked = poll("", "Tacos");
    assert_eq!(client.message()["poll"].get("question"), None);
    let caption = daemon.receive_from(FRIEND, "bad question");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    let connection = rusqlite::Connection::open(daemon.db()).unwrap();
    let name = "UPDATE message SET reply_to_guid = ? WHERE guid = ?";
    connection.execute(name, [&asked.guid, &caption.guid]).unwrap();
    let after = client.ok("messages.after", json!({"since_rowid": asked.rowid.0 - 1}));
    let texts: Vec<_> = after["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["fence"]);
}
