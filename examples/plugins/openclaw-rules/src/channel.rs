//! What is written under `channels.imessage`, in OpenClaw's own spelling.

use std::collections::BTreeMap;

use imsgd_plugin::address::{ChatEntry, Entries};
use imsgd_plugin::{Chat, Words, parse_config};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The object as it was copied.
pub(crate) type Written = BTreeMap<String, Value>;

const OURS: [&str; 6] = ["dmPolicy", "allowFrom", "groupPolicy", "groupAllowFrom", "groups", "mentionPatterns"];

/// What counts of it.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) dm_policy: DmPolicy,
    pub(crate) allow_from: People,
    pub(crate) group_policy: GroupPolicy,
    group_allow_from: Option<People>,
    pub(crate) groups: BTreeMap<String, GroupTable>,
    /// Words. A gateway has them elsewhere, under `messages.groupChat`.
    pub(crate) mention_patterns: Words,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DmPolicy {
    #[default]
    Pairing,
    Allowlist,
    Open,
    Disabled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupPolicy {
    #[default]
    Allowlist,
    Open,
    Disabled,
}

/// One of `groups`. What it says of tools and skills is the gateway's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GroupTable {
    pub(crate) require_mention: Option<bool>,
    pub(crate) allow_from: Option<People>,
}

/// A list in which numbers may be written without quotes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<Entry>")]
pub(crate) struct People(pub(crate) Entries);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, an e-mail address, a chat or `*`")]
enum Entry {
    Text(String),
    Number(u64),
}

impl TryFrom<Vec<Entry>> for People {
    type Error = String;

    fn try_from(list: Vec<Entry>) -> Result<Self, String> {
        let spelled = list.into_iter().map(|entry| match entry {
            Entry::Text(text) => text,
            // Without its plus: nobody writes the country code of no country.
            Entry::Number(number) if number >= 10_000_000_000 => format!("+{number}"),
            Entry::Number(number) => number.to_string(),
        });
        Entries::try_from(spelled.collect::<Vec<_>>()).map(Self)
    }
}

impl Channel {
    /// Who may speak in groups that say nothing of it.
    pub(crate) fn people(&self) -> &People {
        self.group_allow_from.as_ref().unwrap_or(&self.allow_from)
    }

    /// The group's own table, with what `*` says where it says nothing.
    pub(crate) fn table_of(&self, chat: &Chat) -> Option<GroupTable> {
        let any = self.groups.get("*");
        let own = self.groups.iter().find(|(name, _)| names(name, chat)).map(|(_, table)| table);
        let (own, any) = (own.or(any)?, any.cloned().unwrap_or_default());
        Some(GroupTable {
            require_mention: own.require_mention.or(any.require_mention),
            allow_from: own.allow_from.clone().or(any.allow_from),
        })
    }
}

/// As `chat_id:42`, or a bare id, guid or identifier.
fn names(name: &str, chat: &Chat) -> bool {
    match ChatEntry::parse(name) {
        Ok(Some(entry)) => entry.matches(chat),
        _ => name == chat.id().to_string() || name == chat.guid() || name == chat.identifier(),
    }
}

/// What counts, and the keys that do not. A key that looks like one of ours is a slip, and a rule that would be lost.
pub(crate) fn read(mut written: Written) -> Result<(Channel, Vec<String>), String> {
    let channel = Channel {
        dm_policy: take(&mut written, "dmPolicy")?.unwrap_or_default(),
        allow_from: take(&mut written, "allowFrom")?.unwrap_or_default(),
        group_policy: take(&mut written, "groupPolicy")?.unwrap_or_default(),
        group_allow_from: take(&mut written, "groupAllowFrom")?,
        groups: take(&mut written, "groups")?.unwrap_or_default(),
        mention_patterns: take(&mut written, "mentionPatterns")?.unwrap_or_default(),
    };
    if written.contains_key("accounts") {
        return Err("accounts: copy the object of the account that is meant".into());
    }
    let folded = |key: &str| key.replace(['_', '-'], "").to_lowercase();
    for key in written.keys() {
        let near = OURS.iter().find(|ours| strsim::damerau_levenshtein(&folded(ours), &folded(key)) <= 2);
        if let Some(near) = near {
            return Err(format!("{key}: unknown key (did you mean `{near}`?)"));
        }
    }
    Ok((channel, written.into_keys().collect()))
}

/// Null is as good as nothing.
fn take<T: DeserializeOwned>(written: &mut Written, key: &str) -> Result<Option<T>, String> {
    match written.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => parse_config(&value.to_string()).map(Some).map_err(|error| format!("{key}: {error}")),
    }
}
