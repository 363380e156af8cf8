//! Commands that read: the same lines through a daemon and without one.

use imsgd::sim::Incoming;
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, OTHER_FRIEND, TestDaemon};

const GROUP: &str = "any;+;chat100000000000000001";

/// Runs `check` on a direct chat (1) and a group (2), asking the daemon, and again once that is gone.
fn both_ways(check: impl Fn(&TestDaemon)) {
    let mut daemon = TestDaemon::new(FRIENDS);
    let direct = daemon.receive_from(FRIEND, "hello");
    let group = daemon.receive(&Incoming {
        group: Some(GROUP.to_owned()),
        group_name: Some("Trip".to_owned()),
        ..Incoming::new(FRIEND, "first")
    });
    daemon.receive_in(GROUP, OTHER_FRIEND, "second");
    assert_eq!((direct.chat_id.unwrap().0, group.chat_id.unwrap().0), (1, 2));
    check(&daemon);
    daemon.terminate();
    check(&daemon);
}

fn printed(daemon: &TestDaemon, command: &[&str]) -> String {
    let run = daemon.run(command);
    assert!(run.status.success(), "{command:?}: {run:?}");
    run.stdout
}

fn objects(daemon: &TestDaemon, command: &[&str]) -> Vec<Value> {
    let printed = printed(daemon, &[command, &["--json"]].concat());
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fields of an object, in the order in which they are asked for.
fn fields(object: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| object[*name].clone()).collect()
}

#[test]
fn chats_are_listed_with_who_is_in_them_newest_first() {
    both_ways(|daemon| {
        let chats = objects(daemon, &["chats"]);
        let names = ["id", "is_group", "guid", "display_name", "unread_count"];
        assert_eq!(fields(&chats[0], &names), json!([2, true, GROUP, "Trip", 2]));
        assert_eq!(chats[0]["participants"], json!([FRIEND, OTHER_FRIEND]));
        let names = ["id", "is_group", "identifier", "unread_count"];
        assert_eq!(fields(&chats[1], &names), json!([1, false, FRIEND, 1]));
        assert_eq!(chats.len(), 2);
        let lines = printed(daemon, &["chats"]);
        assert!(lines.starts_with("[2] Trip (chat100000000000000001)"), "{lines}");
        assert_eq!(printed(daemon, &["chats", "--limit", "1"]).lines().count(), 1);
    });
}

#[test]
fn a_group_is_shown_with_everything_that_is_known_of_it() {
    both_ways(|daemon| {
        let group = &objects(daemon, &["group", "--chat-id", "2"])[0];
        let names = ["id", "identifier", "guid", "name", "service", "is_group"];
        let identifier = GROUP.trim_start_matches("any;+;");
        assert_eq!(fields(group, &names), json!([2, identifier, GROUP, "Trip", "iMessage", true]));
        assert_eq!(group["participants"], json!([FRIEND, OTHER_FRIEND]));
        let lines = printed(daemon, &["group", "--chat-id", "2"]);
        for line in ["id: 2", "identifier: chat100000000000000001", "name: Trip", "is_group: true", "participants:"] {
            assert!(lines.lines().any(|shown| shown == line), "{line}: {lines}");
        }
        assert!(lines.lines().any(|line| line == format!("  - {FRIEND}")), "{lines}");
    });
}

#[test]
fn history_has_the_whole_chat_in_each_message() {
    both_ways(|daemon| {
        let messages = objects(daemon, &["history", "--chat-id", "1"]);
        let names = ["text", "is_group", "chat_identifier", "chat_guid", "chat_name"];
        let guid = format!("any;-;{FRIEND}");
        assert_eq!(fields(&messages[0], &names), json!(["hello", false, FRIEND, guid, FRIEND]));
        assert_eq!(messages[0]["participants"], json!([FRIEND]));
        let of_group = objects(daemon, &["history", "--chat-id", "2", "--limit", "5"]);
        let texts: Vec<&Value> = of_group.iter().map(|message| &message["text"]).collect();
        assert_eq!(texts, ["second", "first"]);
        assert_eq!(printed(daemon, &["history", "--chat-id", "99"]), "");
    });
}

#[test]
fn a_search_tells_in_which_chat_it_found_what() {
    both_ways(|daemon| {
        let found = objects(daemon, &["search", "--query", "ell", "--match", "contains"]);
        assert_eq!(found.len(), 1);
        assert_eq!(fields(&found[0], &["text", "chat_id"]), json!(["hello", 1]));
        assert_eq!(objects(daemon, &["search", "--query", "ell", "--match", "exact"]), Vec::<Value>::new());
    });
}
