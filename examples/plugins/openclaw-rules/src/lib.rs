//! Judges by the rules that an OpenClaw gateway has under `channels.imessage`, copied as they are.
//!
//! Configuration: `dmPolicy`, `allowFrom`, `groupPolicy`, `groupAllowFrom`, `groups` and `mentionPatterns` count; the
//! gateway's other keys are left alone. Keeps nothing in the store. Rejects with `dm_disabled`, `not_in_allow_from`,
//! `group_disabled`, `group_not_listed` or `sender_not_in_group_allow_from`.

use imsgd_plugin::{Admission, Allowlist, Decision, Group, Message, Policy, export_policy, host};

mod channel;

use channel::{Channel, DmPolicy, GroupPolicy};

struct Rules(Channel);

impl Policy for Rules {
    type Config = channel::Written;

    fn configure(config: Self::Config) -> Result<Self, String> {
        let (channel, left_alone) = channel::read(config)?;
        if !left_alone.is_empty() {
            host::log(host::Level::Info, &format!("says nothing about who may write: {}", left_alone.join(", ")));
        }
        Ok(Self(channel))
    }
}

impl Allowlist for Rules {
    fn admit(&self, message: &Message) -> Admission {
        if self.0.dm_policy == DmPolicy::Disabled {
            return Admission::Reject("dm_disabled".into());
        }
        if self.0.allow_from.0.matches(message) {
            return Admission::Admit(None);
        }
        match self.0.dm_policy {
            // imsgd's own pairing is asked next.
            DmPolicy::Pairing => Admission::Abstain,
            // Everybody, but only with `*`, which would have matched.
            _ => Admission::Reject("not_in_allow_from".into()),
        }
    }
}

impl Group for Rules {
    fn decide(&self, message: &Message) -> Decision {
        if self.0.group_policy == GroupPolicy::Disabled {
            return Decision::Reject("group_disabled".into());
        }
        let table = self.0.table_of(&message.chat());
        if table.is_none() && !self.0.groups.is_empty() {
            return Decision::Reject("group_not_listed".into());
        }
        let table = table.unwrap_or_default();
        let people = table.allow_from.as_ref().unwrap_or(self.0.people());
        // Nobody is in an empty list.
        if self.0.group_policy == GroupPolicy::Allowlist && !people.0.matches(message) {
            return Decision::Reject("sender_not_in_group_allow_from".into());
        }
        match table.require_mention.unwrap_or(true) && !self.is_mentioned(message) {
            true => Decision::Observe,
            false => Decision::Deliver(None),
        }
    }
}

impl Rules {
    /// By Messages' own @mention of one of our addresses, or by a word in the text.
    fn is_mentioned(&self, message: &Message) -> bool {
        let mentions = message.mentions();
        let is_marked = !mentions.is_empty() && {
            let ours = message.chat().own_addresses();
            mentions.iter().any(|address| ours.contains(address))
        };
        is_marked || { self.0.mention_patterns.stand_in(&message.text()) }
    }
}

export_policy!(Rules: Allowlist, Group);

#[cfg(test)]
mod tests;
