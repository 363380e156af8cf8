//! The bundled group policy: which groups we hear, whom in them, and what is said to us.
//!
//! Configuration: `group_policy`, `group_allow_from`, `deny_from`, `mention_patterns` and a table for each
//! group under `groups`; `history_limit` is for the host. Keeps nothing in the store. Rejects with `denied`,
//! `group_disabled`, `group_not_listed` or `sender_not_in_group_allow_from`.

use imsgd_plugin::address::Entries;
use imsgd_plugin::{Decision, Group, Message, Policy, export_policy};
use serde::Deserialize;
use serde::de::IgnoredAny;

mod groups;
mod mention;

use groups::{Groups, Settings};
use mention::Patterns;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    group_policy: GroupPolicy,
    /// Empty means everybody in a group that is heard.
    group_allow_from: Entries,
    deny_from: Entries,
    mention_patterns: Patterns,
    groups: Groups,
    /// How many observed messages go along with the next delivered one, which the host sees to.
    #[serde(rename = "history_limit")]
    _history_limit: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GroupPolicy {
    /// Only groups that are listed.
    #[default]
    Allowlist,
    /// Any group.
    Open,
    Disabled,
}

impl Policy for Rules {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        Ok(config)
    }
}

impl Group for Rules {
    fn decide(&self, message: &Message) -> Decision {
        if self.deny_from.matches(message) {
            return Decision::Reject("denied".into());
        }
        if self.group_policy == GroupPolicy::Disabled {
            return Decision::Reject("group_disabled".into());
        }
        let settings = self.groups.of(&message.chat());
        if self.group_policy == GroupPolicy::Allowlist && !self.hears(message, settings.is_some()) {
            return Decision::Reject("group_not_listed".into());
        }
        let settings = settings.unwrap_or_default();
        if !self.may_speak(message, &settings) {
            return Decision::Reject("sender_not_in_group_allow_from".into());
        }
        if settings.require_mention.unwrap_or(true) && !self.is_mentioned(message) {
            return Decision::Observe;
        }
        Decision::Deliver(settings.route)
    }
}

impl Rules {
    /// A group is heard if it has a table, or an entry of `group_allow_from` names it. Where no group has a
    /// table, the people in `group_allow_from` are heard in every group, as gateways have it.
    fn hears(&self, message: &Message, listed: bool) -> bool {
        listed
            || (self.groups.is_empty() && !self.group_allow_from.is_empty())
            || self.group_allow_from.matches_chat(message)
    }

    fn may_speak(&self, message: &Message, settings: &Settings) -> bool {
        let allowed = settings.allow_from.as_ref().unwrap_or(&self.group_allow_from);
        allowed.is_empty() || allowed.matches(message)
    }

    /// By Messages' own @mention of one of our addresses, or by a pattern in the text.
    fn is_mentioned(&self, message: &Message) -> bool {
        let mentions = message.mentions();
        if !mentions.is_empty() {
            let ours = message.chat().own_addresses();
            if mentions.iter().any(|address| ours.contains(address)) {
                return true;
            }
        }
        !self.mention_patterns.is_empty() && self.mention_patterns.match_in(&message.text())
    }
}

export_policy!(Rules: Group);

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;
    use imsgd_plugin::testing;

    use super::*;

    const ANN: &str = "+15551234567";
    const EVE: &str = "+15559999999";
    const US: &str = "+15550000000";

    /// A message of group 42.
    fn message(sender: &str, text: &str) -> Message {
        let mut message = testing::message(sender, text);
        message.chat.id = 42;
        message.chat.guid = "iMessage;+;chat99".into();
        message.chat.identifier = "chat99".into();
        message.chat.is_group = true;
        message.chat.own_addresses = vec![US.into()];
        message
    }

    fn decide(config: &str, message: &Message) -> String {
        let policy = Rules::configure(parse_config(config).expect("configuration")).expect("policy");
        match policy.decide(message) {
            Decision::Deliver(route) => format!("deliver {}", route.unwrap_or_default()).trim_end().into(),
            Decision::Observe => "observe".into(),
            Decision::Reject(reason) => format!("reject {reason}"),
            Decision::Abstain => "abstain".into(),
        }
    }

    /// What becomes of Ann's message to group 42, in words.
    fn check(config: &str, text: &str, expected: &str) {
        assert_eq!(decide(config, &message(ANN, text)), expected, "{config} {text}");
    }

    #[test]
    fn by_default_no_group_is_heard() {
        check("{}", "hello", "reject group_not_listed");
    }

    #[test]
    fn a_listed_group_is_heard_by_each_of_its_names() {
        for name in ["42", "chat_id:42", "iMessage;+;chat99", "chat99", "chat_guid:iMessage;+;chat99", "*"] {
            check(&format!(r#"{{"groups": {{"{name}": {{"require_mention": false}}}}}}"#), "hello", "deliver");
        }
        check(r#"{"groups": {"43": {"require_mention": false}}}"#, "hello", "reject group_not_listed");
    }

    #[test]
    fn without_a_mention_where_one_is_needed_a_message_is_observed() {
        check(r#"{"groups": {"42": {}}}"#, "hello", "observe");
    }

    #[test]
    fn a_mention_of_one_of_our_addresses_is_delivered() {
        let mut sent = message(ANN, "@Max hello");
        sent.mentions = vec![EVE.into()];
        assert_eq!(decide(r#"{"groups": {"42": {}}}"#, &sent), "observe");
        sent.mentions.push(US.into());
        assert_eq!(decide(r#"{"groups": {"42": {}}}"#, &sent), "deliver");
    }

    #[test]
    fn a_text_that_matches_a_pattern_is_delivered() {
        let config = r#"{"groups": {"42": {}}, "mention_patterns": ["max", "^hey bot\\b"]}"#;
        check(config, "ask Max!", "deliver");
        check(config, "Hey bot, help", "deliver");
        check(config, "the maximum", "observe");
    }

    #[test]
    fn the_star_gives_what_a_group_does_not_say() {
        let config = r#"{"groups": {"*": {"require_mention": false, "route": "all"}, "42": {"route": "family"}}}"#;
        check(config, "hello", "deliver family");
        check(r#"{"groups": {"*": {"route": "all"}, "42": {"require_mention": false}}}"#, "hello", "deliver all");
    }

    #[test]
    fn only_listed_senders_speak_in_a_listed_group() {
        let config = r#"{"groups": {"42": {"require_mention": false}}, "group_allow_from": ["+15551234567"]}"#;
        check(config, "hello", "deliver");
        assert_eq!(decide(config, &message(EVE, "hello")), "reject sender_not_in_group_allow_from");
    }

    #[test]
    fn a_groups_own_allow_from_replaces_the_general_one() {
        let config = r#"{"groups": {"42": {"require_mention": false, "allow_from": ["+15559999999"]}}, "group_allow_from": ["+15551234567"]}"#;
        check(config, "hello", "reject sender_not_in_group_allow_from");
        assert_eq!(decide(config, &message(EVE, "hello")), "deliver");
    }

    #[test]
    fn without_tables_listed_senders_are_heard_in_every_group() {
        let config = r#"{"group_allow_from": ["+15551234567"], "mention_patterns": ["max"]}"#;
        check(config, "max?", "deliver");
        check(config, "hello", "observe");
        assert_eq!(decide(config, &message(EVE, "max?")), "reject sender_not_in_group_allow_from");
    }

    #[test]
    fn a_chat_in_group_allow_from_is_a_listed_group() {
        let config = r#"{"groups": {"7": {}}, "group_allow_from": ["chat_id:42"], "mention_patterns": ["max"]}"#;
        check(config, "max?", "deliver");
    }

    #[test]
    fn open_hears_every_group_but_still_asks_who_speaks() {
        check(r#"{"group_policy": "open"}"#, "hello", "observe");
        check(r#"{"group_policy": "open", "mention_patterns": ["max"]}"#, "max?", "deliver");
        check(
            r#"{"group_policy": "open", "group_allow_from": ["+15559999999"]}"#,
            "hello",
            "reject sender_not_in_group_allow_from",
        );
    }

    #[test]
    fn disabled_rejects_a_listed_group() {
        check(r#"{"group_policy": "disabled", "groups": {"42": {}}}"#, "hello", "reject group_disabled");
    }

    #[test]
    fn deny_from_wins() {
        check(
            r#"{"groups": {"42": {"require_mention": false}}, "deny_from": ["+15551234567"]}"#,
            "hello",
            "reject denied",
        );
    }

    #[test]
    fn an_unknown_key_of_a_group_is_an_error_with_its_path() {
        let error = parse_config::<Rules>(r#"{"groups": {"42": {"require_mentions": false}}}"#).expect_err("refused");
        assert!(error.starts_with("groups.42.require_mentions: "), "{error}");
        assert!(error.ends_with("(did you mean `require_mention`?)"), "{error}");
    }

    #[test]
    fn the_hosts_own_key_is_accepted() {
        parse_config::<Rules>(r#"{"history_limit": 50}"#).expect("accepted");
    }
}
