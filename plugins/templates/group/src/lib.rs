//! Answers in groups only when it is named, and keeps the rest as context.
//!
//! Configuration: `chats`, `names`. Keeps nothing in the store. Leaves groups that are not listed to the next policy.

use imsgd_plugin::{Decision, Entries, Group, Message, Policy, Words, export_policy};
use serde::Deserialize;

/// The plugin's own table of imsgd's configuration. A key that is not here is refused, and the error names the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Groups as `chat_id:42`, `chat_guid:…` or `chat_identifier:…`, or `*` for all.
    chats: Entries,
    /// Words that mean us, beside Messages' own @mention.
    names: Words,
}

/// What holds where the configuration says nothing.
impl Default for Config {
    fn default() -> Self {
        Self { chats: Entries::default(), names: Words::new(["bot"]) }
    }
}

/// Lives as long as its configuration is in force: good for what comes from there.
struct Named(Config);

impl Policy for Named {
    type Config = Config;

    /// An error refuses the plugin, and the version that ran before stays. What cannot be, as an empty name, is refused
    /// by the types of [`Config`] and does not come here.
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }
}

impl Group for Named {
    /// Asked about every message of a group; the first group policy that does not abstain decides.
    fn decide(&self, message: &Message) -> Decision {
        if !self.0.chats.matches(message) {
            return Decision::Abstain;
        }
        match self.is_named(message) {
            // By the usual route of that group; `Some(route)` is another one.
            true => Decision::Deliver(None),
            // Not delivered, but context for the next one that is.
            false => Decision::Observe,
        }
    }
}

impl Named {
    fn is_named(&self, message: &Message) -> bool {
        let ours = message.chat().own_addresses();
        if message.mentions().iter().any(|mentioned| ours.contains(mentioned)) {
            return true;
        }
        self.0.names.stand_in(&message.text())
    }
}

export_policy!(Named: Group);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    fn policy(config: &str) -> Named {
        Named::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    /// A message of group 42.
    fn said(text: &str) -> Message {
        let mut message = testing::message("+15551234567", text);
        message.chat.id = 42;
        message.chat.is_group = true;
        message
    }

    #[test]
    fn it_hears_its_name_and_mentions_and_observes_the_rest() {
        let policy = policy(r#"{"chats": ["chat_id:42"]}"#);
        assert_eq!(policy.decide(&said("Bot, what time is it?")), Decision::Deliver(None));
        assert_eq!(policy.decide(&said("The ferry leaves at nine.")), Decision::Observe);
        let mut mention = said("what time is it?");
        mention.mentions = mention.chat.own_addresses.clone();
        assert_eq!(policy.decide(&mention), Decision::Deliver(None));
    }

    #[test]
    fn other_groups_are_left_to_the_next_policy() {
        assert_eq!(policy(r#"{"chats": ["chat_id:7"]}"#).decide(&said("bot?")), Decision::Abstain);
    }
}
