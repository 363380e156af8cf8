//! Rows that nobody wrote: who came and went, names of groups, shared locations.

use imsgd::sim::{Event, Incoming};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, OTHER_FRIEND, STRANGER, TestDaemon};

const GROUP: &str = "any;+;chat100000000000000001";
const OTHER_GROUP: &str = "any;+;chat100000000000000002";
const LISTED: &str = "any;+;chat100000000000000003";

/// One group in which everything is heard, one in which mentions are, and none else.
fn rules() -> String {
    format!(
        "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['{FRIEND}']\nmention_patterns = ['@bot']\n\
         [policy.groups.'{GROUP}']\nrequire_mention = false\n[policy.groups.'{LISTED}']\nrequire_mention = true\n"
    )
}

fn happens(group: &str, event: Event, other: Option<&str>, text: &str) -> Incoming {
    Incoming {
        group: Some(group.to_owned()),
        event: Some(event),
        other: other.map(str::to_owned),
        ..Incoming::new(FRIEND, text)
    }
}

#[test]
fn what_happens_in_an_admitted_group_is_told_as_an_event() {
    let daemon = TestDaemon::new(&rules());
    let mut client = daemon.watch();
    let events = [
        (Event::Added, Some(OTHER_FRIEND), "", json!({"kind": "participant_added", "handle": OTHER_FRIEND})),
        (Event::Renamed, None, "Pals", json!({"kind": "renamed", "name": "Pals"})),
        (Event::Photo, None, "", json!({"kind": "photo_changed"})),
        (Event::BackgroundRemoved, None, "", json!({"kind": "background_removed"})),
        (Event::Removed, Some(OTHER_FRIEND), "", json!({"kind": "participant_removed", "handle": OTHER_FRIEND})),
        (Event::Left, None, "", json!({"kind": "participant_left"})),
    ];
    for (event, other, text, expected) in events {
        daemon.receive(&happens(GROUP, event, other, text));
        let message = client.message();
        assert_eq!((&message["event"], &message["sender"]), (&expected, &json!(FRIEND)));
        assert_eq!((&message["text"], &message["policy"]["decided_by"]), (&json!(""), &json!("group")));
    }
    daemon.receive_in(GROUP, FRIEND, "hello");
    assert_eq!(client.message().get("event"), None);
}

#[test]
fn what_happens_where_policies_do_not_listen_is_told_to_nobody() {
    let daemon = TestDaemon::new(&rules());
    let mut client = daemon.watch();
    let unlisted = daemon.receive(&happens(OTHER_GROUP, Event::Renamed, None, "Secret"));
    let unmentioned = daemon.receive(&happens(LISTED, Event::Added, Some(STRANGER), ""));
    let stranger = Incoming { event: Some(Event::Location), ..Incoming::new(STRANGER, "") };
    let stranger = daemon.receive(&stranger);
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    let verdict = |guid: &str| daemon.journal(guid).unwrap()["verdict"].clone();
    assert_eq!((verdict(&unlisted.guid), verdict(&unmentioned.guid)), (json!("rejected"), json!("observed")));
    assert_eq!(verdict(&stranger.guid), "rejected");
    // Nor does an event ride along as context.
    daemon.receive_in(LISTED, FRIEND, "@bot hello");
    assert_eq!(client.message()["policy"]["context"], json!([]));
}

#[test]
fn history_names_events_for_programs_and_people() {
    let daemon = TestDaemon::new(FRIENDS);
    let shared = Incoming { event: Some(Event::Location), ..Incoming::new(FRIEND, "") };
    let chat = daemon.receive(&shared).chat_id.unwrap().0;
    daemon.receive(&Incoming { event: Some(Event::LocationStopped), from_me: true, ..shared });
    let answer = daemon.connect().ok("messages.history", json!({"chat_id": chat}));
    let kinds: Vec<_> = answer["messages"].as_array().unwrap().iter().map(|row| &row["event"]["kind"]).collect();
    assert_eq!(kinds, ["location_stopped", "location_shared"]);
    let lines = daemon.run(&["history", "--chat-id", &chat.to_string()]).stdout;
    assert!(lines.contains(&format!("[recv] {FRIEND}: [location shared]")), "{lines}");
}
