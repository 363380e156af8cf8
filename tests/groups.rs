//! Groups: heard where they are listed, spoken for where we are mentioned.

use imsgd::sim::{Incoming, OWNER};
use serde_json::{Value, json};

use crate::harness::{FRIEND, OTHER_FRIEND, STRANGER, TestDaemon};

const GROUP: &str = "any;+;chat100000000000000001";
const RULES: &str = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['*']\ndm_policy = 'open'\n\
    mention_patterns = ['@bot']\n[policy.groups.'any;+;chat100000000000000001']\nrequire_mention = true\n";

fn context(message: &Value) -> Vec<&str> {
    message["policy"]["context"].as_array().unwrap().iter().map(|said| said["text"].as_str().unwrap()).collect()
}

#[test]
fn what_is_said_without_a_mention_rides_along_with_the_next_mention_once() {
    let daemon = TestDaemon::new(RULES);
    let mut client = daemon.watch();
    let first = daemon.receive_in(GROUP, FRIEND, "lunch?");
    daemon.receive_in(GROUP, OTHER_FRIEND, "yes, where");
    daemon.receive_in(GROUP, STRANGER, "@bot find us a place");
    let message = client.message();
    assert_eq!(message["text"], "@bot find us a place");
    assert_eq!((&message["is_group"], &message["policy"]["decided_by"]), (&json!(true), &json!("group")));
    assert_eq!(message["policy"]["route"], format!("group:{}", first.chat_id.unwrap().0));
    assert_eq!(context(&message), ["lunch?", "yes, where"]);
    assert_eq!(message["policy"]["context"][0]["sender"], FRIEND);
    daemon.receive_in(GROUP, FRIEND, "and then?");
    daemon.receive_in(GROUP, FRIEND, "@bot thanks");
    assert_eq!(context(&client.message()), ["and then?"]);
    daemon.receive_in(GROUP, FRIEND, "@bot bye");
    assert_eq!(context(&client.message()), [""; 0]);
}

#[test]
fn a_mention_by_messages_itself_counts() {
    let daemon = TestDaemon::new(RULES);
    let mut client = daemon.watch();
    let mention = |text: &str, address: &str| Incoming {
        group: Some(GROUP.to_owned()),
        mentions: vec![address.to_owned()],
        ..Incoming::new(FRIEND, text)
    };
    daemon.receive(&mention("hey @pal look", STRANGER));
    daemon.receive(&mention("hey @owner look", OWNER));
    let message = client.message();
    assert_eq!(message["text"], "hey @owner look");
    assert_eq!(context(&message), ["hey @pal look"]);
}

#[test]
fn context_that_waits_survives_a_kill() {
    let mut daemon = TestDaemon::new(RULES);
    let mut client = daemon.watch();
    daemon.receive_in(GROUP, FRIEND, "before");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.watch();
    let mention = daemon.receive_in(GROUP, FRIEND, "@bot after");
    assert_eq!(context(&client.message()), ["before"]);
    // Whoever was away gets it with the same context.
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": mention.rowid.0 - 1}));
    assert_eq!(context(&late.message()), ["before"]);
}

#[test]
fn a_group_that_nobody_listed_is_not_heard() {
    let daemon = TestDaemon::new(RULES);
    let mut client = daemon.watch();
    let said = daemon.receive_in("any;+;chat900000000000000009", FRIEND, "@bot do something");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    assert_eq!(daemon.journal(&said.guid).unwrap()["reason"], "group_not_listed");
}

#[test]
fn one_gateway_can_take_the_groups_and_another_the_rest() {
    let daemon = TestDaemon::new(RULES);
    let (mut groups, mut rest) = (daemon.connect(), daemon.connect());
    groups.subscribe(json!({"routes": ["group:*"]}));
    rest.subscribe(json!({"routes": ["main"]}));
    daemon.receive_from(FRIEND, "direct");
    daemon.receive_in(GROUP, FRIEND, "@bot in the group");
    daemon.receive_from(FRIEND, "direct again");
    assert_eq!(groups.texts(1), ["@bot in the group"]);
    assert_eq!(rest.texts(2), ["direct", "direct again"]);
}

#[test]
fn what_waits_from_an_old_database_is_not_looked_for_in_another() {
    let mut daemon =
        TestDaemon::new(&RULES.replace("mention_patterns", "deny_from = ['+14155550199']\nmention_patterns"));
    let mut client = daemon.watch();
    let observed = daemon.receive_in(GROUP, FRIEND, "lunch?");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    daemon.kill();
    crate::database::replace_database(&daemon);
    daemon.start_again();
    let mut client = daemon.watch();
    let denied = daemon.receive_in(GROUP, STRANGER, "@bot the words of a stranger");
    assert_eq!((denied.rowid, denied.chat_id), (observed.rowid, observed.chat_id));
    let mention = daemon.receive_in(GROUP, FRIEND, "@bot hello");
    let message = client.message();
    assert_eq!((&message["id"], context(&message)), (&json!(mention.rowid.0), vec![]));
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": -1}));
    assert_eq!(context(&late.message()), [""; 0]);
}

#[test]
fn context_follows_its_messages_to_other_numbers() {
    let mut daemon = TestDaemon::new(RULES);
    let mut client = daemon.watch();
    daemon.receive_in(GROUP, FRIEND, "breakfast?");
    let first = daemon.receive_in(GROUP, FRIEND, "@bot first");
    assert_eq!(context(&client.message()), ["breakfast?"]);
    daemon.receive_in(GROUP, FRIEND, "lunch?");
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    daemon.kill();
    crate::database::renumber(&daemon);
    daemon.start_again();
    let mut client = daemon.watch();
    daemon.receive_in(GROUP, FRIEND, "@bot second");
    assert_eq!(context(&client.message()), ["lunch?"]);
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": first.rowid.0 + 999}));
    assert_eq!(context(&late.message()), ["breakfast?"]);
}
