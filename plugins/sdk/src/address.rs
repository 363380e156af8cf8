//! Entries of lists such as `allow_from`: who, or which chat, is meant.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{Chat, Message, host};

/// A list of [`Entry`]s, read from a list of strings. However long, it is not gone through for each message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Entries {
    has_anyone: bool,
    addresses: BTreeSet<String>,
    chats: Vec<ChatEntry>,
}

impl Entries {
    pub fn is_empty(&self) -> bool {
        !self.has_anyone && self.addresses.is_empty() && self.chats.is_empty()
    }

    /// Whether the message's sender or chat is listed.
    pub fn matches(&self, message: &Message) -> bool {
        // Each question to the host has its price.
        self.has_anyone
            || !self.addresses.is_empty() && self.addresses.contains(&message.sender().address())
            || self.matches_chat(message)
    }

    /// Whether the message's chat is listed, whoever its sender is.
    pub fn matches_chat(&self, message: &Message) -> bool {
        if self.chats.is_empty() {
            return false;
        }
        let chat = message.chat();
        self.chats.iter().any(|entry| entry.matches(&chat))
    }
}

impl TryFrom<Vec<String>> for Entries {
    type Error = String;

    fn try_from(list: Vec<String>) -> Result<Self, String> {
        let mut entries = Self::default();
        for entry in list {
            match Entry::parse(&entry)? {
                Entry::Anyone => entries.has_anyone = true,
                Entry::Address(address) => drop(entries.addresses.insert(address)),
                Entry::Chat(chat) => entries.chats.push(chat),
            }
        }
        Ok(entries)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `*`
    Anyone,
    /// E.164 number or lower-case e-mail address.
    Address(String),
    Chat(ChatEntry),
}

/// A chat by one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEntry {
    Id(i64),
    Guid(String),
    Identifier(String),
}

/// As gateways spell them, in any case.
const CHAT_ID: [&str; 3] = ["chat_id:", "chatid:", "chat:"];
const CHAT_GUID: [&str; 3] = ["chat_guid:", "chatguid:", "guid:"];
const CHAT_IDENTIFIER: [&str; 3] = ["chat_identifier:", "chatidentifier:", "chatident:"];
/// These say over which service to *send*. In a list of people they say nothing, as in the gateways whose
/// lists are copied here.
const SERVICE: [&str; 3] = ["imessage:", "sms:", "auto:"];

impl Entry {
    pub fn parse(raw: &str) -> Result<Self, String> {
        let entry = raw.trim();
        if entry == "*" {
            return Ok(Self::Anyone);
        }
        if let Some(rest) = strip_any(entry, &SERVICE) {
            return Self::parse(rest);
        }
        if let Some(chat) = ChatEntry::parse(entry)? {
            return Ok(Self::Chat(chat));
        }
        host::normalize(entry).map(Self::Address).ok_or_else(|| {
            format!("`{raw}` is no phone number, e-mail address, chat (`chat_id:42`, `chat_guid:…`, `chat_identifier:…`) or `*`")
        })
    }
}

impl ChatEntry {
    /// None where the entry has none of the prefixes of a chat.
    pub fn parse(entry: &str) -> Result<Option<Self>, String> {
        let parsed = if let Some(id) = strip_any(entry, &CHAT_ID) {
            Self::Id(id.parse().map_err(|_| format!("`{entry}`: a chat id is a whole number"))?)
        } else if let Some(guid) = strip_any(entry, &CHAT_GUID) {
            Self::Guid(guid.into())
        } else if let Some(identifier) = strip_any(entry, &CHAT_IDENTIFIER) {
            Self::Identifier(identifier.into())
        } else {
            return Ok(None);
        };
        match &parsed {
            Self::Guid(name) | Self::Identifier(name) if name.is_empty() => {
                Err(format!("`{entry}`: nothing after the prefix"))
            }
            _ => Ok(Some(parsed)),
        }
    }

    pub fn matches(&self, chat: &Chat) -> bool {
        match self {
            Self::Id(id) => *id == chat.id(),
            Self::Guid(guid) => *guid == chat.guid(),
            Self::Identifier(identifier) => *identifier == chat.identifier(),
        }
    }
}

fn strip_any<'a>(entry: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| {
        let (head, rest) = entry.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| rest.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::message;

    fn entries(list: &[&str]) -> Entries {
        Entries::try_from(list.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("entries")
    }

    #[test]
    fn a_number_is_found_in_any_common_spelling() {
        let sent = message("+15551234567", "");
        for spelling in [
            "+15551234567",
            "+1 (555) 123-4567",
            "555.123.4567",
            " iMessage:+15551234567 ",
            "sms:5551234567",
            "auto:+1 555 123 4567",
        ] {
            assert!(entries(&[spelling]).matches(&sent), "{spelling}");
        }
        assert!(!entries(&["+15551234568"]).matches(&sent));
        assert!(!entries(&[]).matches(&sent));
    }

    #[test]
    fn an_email_address_is_found_in_any_case() {
        assert!(entries(&["Ann@Example.COM"]).matches(&message("ann@example.com", "")));
    }

    #[test]
    fn a_chat_is_found_by_each_of_its_names() {
        let mut sent = message("+15551234567", "");
        sent.chat.id = 42;
        sent.chat.guid = "iMessage;+;chat99".into();
        sent.chat.identifier = "chat99".into();
        for entry in [
            "chat_id:42",
            "chatid:42",
            "CHAT:42",
            "imessage:chat_id:42",
            "chat_guid:iMessage;+;chat99",
            "chatguid:iMessage;+;chat99",
            "guid: iMessage;+;chat99",
            "chat_identifier:chat99",
            "chatidentifier:chat99",
            "chatident:chat99",
        ] {
            assert!(entries(&[entry]).matches(&sent), "{entry}");
            assert!(entries(&[entry]).matches_chat(&sent), "{entry}");
        }
        for entry in ["chat_id:43", "chat_guid:chat99", "chat_identifier:99", "*", "+15551234567"] {
            assert!(!entries(&[entry]).matches_chat(&sent), "{entry}");
        }
    }

    #[test]
    fn a_sender_without_an_address_is_matched_by_nothing_but_the_star() {
        let sent = message("", "");
        assert!(!entries(&["+15551234567", "ann@example.com"]).matches(&sent));
        assert!(entries(&["*"]).matches(&sent));
    }

    #[test]
    fn an_entry_that_names_nobody_is_an_error_that_shows_it() {
        for entry in ["bob", "", "chat_id:", "chat_id:x", "chat_guid:", "imessage:", "**"] {
            let error = Entry::parse(entry).expect_err(entry);
            assert!(error.contains(&format!("`{}`", entry.trim_start_matches("imessage:"))), "{error}");
        }
    }
}
