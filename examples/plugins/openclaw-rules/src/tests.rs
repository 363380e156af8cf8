//! A gateway's rules, judged natively.

use imsgd_plugin::{parse_config, testing};

use super::*;

const ANN: &str = "+15551234567";
const EVE: &str = "+15559999999";

fn rules(json: &str) -> Rules {
    Rules::configure(parse_config(json).expect("configuration")).expect("policy")
}

fn refused(json: &str) -> String {
    Rules::configure(parse_config(json).expect("configuration")).err().expect("refused")
}

fn direct(json: &str, sender: &str) -> String {
    match rules(json).admit(&testing::message(sender, "hello")) {
        Admission::Admit(_) => "admit".into(),
        Admission::Reject(reason) => reason,
        Admission::Abstain => "abstain".into(),
    }
}

fn group(json: &str, sender: &str, text: &str) -> String {
    let mut message = testing::message(sender, text);
    message.chat.id = 42;
    message.chat.is_group = true;
    match rules(json).decide(&message) {
        Decision::Deliver(_) => "deliver".into(),
        Decision::Observe => "observe".into(),
        Decision::Reject(reason) => reason,
        Decision::Abstain => "abstain".into(),
    }
}

#[test]
fn direct_messages_go_by_dm_policy_and_allow_from() {
    assert_eq!(direct("{}", EVE), "abstain");
    let listed = r#"{"dmPolicy": "allowlist", "allowFrom": ["(555) 123-4567"]}"#;
    assert_eq!((direct(listed, ANN), direct(listed, EVE)), ("admit".into(), "not_in_allow_from".into()));
    assert_eq!(direct(r#"{"dmPolicy": "open"}"#, EVE), "not_in_allow_from");
    assert_eq!(direct(r#"{"dmPolicy": "open", "allowFrom": ["*"]}"#, EVE), "admit");
    assert_eq!(direct(r#"{"dmPolicy": "disabled", "allowFrom": ["*"]}"#, ANN), "dm_disabled");
    assert_eq!(direct(r#"{"allowFrom": [15551234567]}"#, ANN), "admit");
}

#[test]
fn people_of_groups_are_those_of_direct_messages_unless_listed_by_themselves() {
    let general = r#"{"allowFrom": ["+15551234567"], "groups": {"*": {"requireMention": false}}}"#;
    assert_eq!(group(general, ANN, "hello"), "deliver");
    assert_eq!(group(general, EVE, "hello"), "sender_not_in_group_allow_from");
    let own = r#"{"allowFrom": ["*"], "groupAllowFrom": [], "groups": {"42": {}}}"#;
    assert_eq!(group(own, ANN, "hello"), "sender_not_in_group_allow_from");
}

#[test]
fn a_groups_own_table_says_more_than_the_star() {
    let json = r#"{"groupPolicy": "open", "groups": {"*": {"requireMention": false}, "chat_id:42": {"requireMention": true}}}"#;
    assert_eq!(group(json, ANN, "hello"), "observe");
    assert_eq!(group(r#"{"groupPolicy": "open", "groups": {"7": {}}}"#, ANN, "hello"), "group_not_listed");
    assert_eq!(group(r#"{"groupPolicy": "disabled", "groups": {"42": {}}}"#, ANN, "hello"), "group_disabled");
}

#[test]
fn a_word_or_a_mention_is_needed_unless_the_table_says_otherwise() {
    let json = r#"{"groupPolicy": "open", "mentionPatterns": ["max"]}"#;
    assert_eq!(group(json, ANN, "hi Max!"), "deliver");
    assert_eq!(group(json, ANN, "the maximum"), "observe");
    let mut message = testing::message(ANN, "@max");
    message.mentions = vec!["+15550000000".into()];
    assert_eq!(rules(r#"{"groupPolicy": "open"}"#).decide(&message), Decision::Deliver(None));
}

#[test]
fn the_gateways_own_keys_are_left_alone_and_slips_are_not() {
    testing::reset();
    rules(r#"{"enabled": true, "cliPath": "imsg", "dbPath": null, "streaming": {"chunkMode": "newline"}}"#);
    assert!(testing::logged()[0].1.contains("cliPath, dbPath, enabled, streaming"));
    for (json, words) in [
        (r#"{"allowFron": []}"#, "did you mean `allowFrom`?"),
        (r#"{"dm_policy": "open"}"#, "did you mean `dmPolicy`?"),
        (r#"{"accounts": {"work": {}}}"#, "accounts: copy the object"),
        (r#"{"dmPolicy": "alowlist"}"#, "did you mean `allowlist`?"),
        (r#"{"groups": {"42": {"allowFrom": ["bob"]}}}"#, "groups: "),
        (r#"{"allowFrom": [true]}"#, "allowFrom: "),
    ] {
        let error = refused(json);
        assert!(error.contains(words), "{json}: {error}");
    }
}
