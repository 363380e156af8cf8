//! The tables under `groups`: which one is a chat's.

use std::collections::BTreeMap;

use imsgd_plugin::Chat;
use imsgd_plugin::Entries;
use imsgd_plugin::address::ChatEntry;
use serde::Deserialize;

/// What one group's table says. What it leaves out, the table of `*` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) require_mention: Option<bool>,
    /// Instead of `group_allow_from`; as there, an empty list means everybody.
    pub(crate) allow_from: Option<Entries>,
    /// For subscribers to pick by, instead of the host's `group:<chat_id>`.
    pub(crate) route: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Settings>")]
pub(crate) struct Groups {
    any: Option<Settings>,
    /// Already joined with those of `*`.
    listed: Vec<(Name, Settings)>,
}

#[derive(Debug)]
enum Name {
    Exact(ChatEntry),
    /// A guid or an identifier, without a prefix that says which.
    Either(String),
}

impl Groups {
    pub(crate) fn is_empty(&self) -> bool {
        self.any.is_none() && self.listed.is_empty()
    }

    /// None where the chat is not listed. Two tables of one chat are the owner's slip; the first, by the
    /// order of their names, is taken.
    pub(crate) fn of(&self, chat: &Chat) -> Option<Settings> {
        let own = self.listed.iter().find(|(name, _)| name.matches(chat)).map(|(_, settings)| settings);
        own.or(self.any.as_ref()).cloned()
    }
}

impl TryFrom<BTreeMap<String, Settings>> for Groups {
    type Error = String;

    fn try_from(mut tables: BTreeMap<String, Settings>) -> Result<Self, String> {
        let any = tables.remove("*");
        let otherwise = any.clone().unwrap_or_default();
        let listed = tables
            .into_iter()
            .map(|(name, own)| {
                let settings = Settings {
                    require_mention: own.require_mention.or(otherwise.require_mention),
                    allow_from: own.allow_from.or_else(|| otherwise.allow_from.clone()),
                    route: own.route.or_else(|| otherwise.route.clone()),
                };
                Ok((Name::parse(name.trim())?, settings))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { any, listed })
    }
}

impl Name {
    fn parse(name: &str) -> Result<Self, String> {
        if let Ok(id) = name.parse() {
            return Ok(Self::Exact(ChatEntry::Id(id)));
        }
        match ChatEntry::parse(name)? {
            Some(entry) => Ok(Self::Exact(entry)),
            None if name.is_empty() => Err("a group's name is empty".into()),
            None => Ok(Self::Either(name.into())),
        }
    }

    fn matches(&self, chat: &Chat) -> bool {
        match self {
            Self::Exact(entry) => entry.matches(chat),
            Self::Either(name) => *name == chat.guid() || *name == chat.identifier(),
        }
    }
}
