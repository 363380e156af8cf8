//! From the table `message` of a case to the message that the policy is asked about.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use toml::value::Datetime;

use crate::address::Normalizer;
use crate::config::nearest;
use crate::message::{Arrival, Attachment, Chat, ChatId, Message, Quoted, RowId};
use crate::policy::Inbound;

const SENDER: &str = "+15551234567";

/// What Messages would know as our own number, where a case does not say.
const OWN: &str = "+15550000000";

/// What a case says of a message. What it does not say is as in a message that has just arrived in a chat with its
/// sender.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageTable {
    /// As chat.db would have it.
    from: Option<String>,
    text: Option<String>,
    group: Option<bool>,
    chat: Option<ChatTable>,
    /// Addresses that the sender marked with Messages' own @mention.
    mentions: Option<Vec<String>>,
    attachments: Option<Vec<AttachmentTable>>,
    /// `live`, `catch-up` or `backfill`.
    arrival: Option<String>,
    reply_to: Option<QuotedTable>,
    sent_at: Option<Datetime>,
    id: Option<i64>,
    guid: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChatTable {
    id: Option<i64>,
    guid: Option<String>,
    identifier: Option<String>,
    name: Option<String>,
    /// `imessage`, `sms`, `rcs` or `other`.
    service: Option<String>,
    participants: Option<Vec<String>>,
    own_addresses: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttachmentTable {
    name: String,
    mime_type: Option<String>,
    /// Bytes.
    #[serde(default)]
    size: u64,
    #[serde(default)]
    is_sticker: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotedTable {
    guid: String,
    sender: Option<String>,
    text: Option<String>,
}

impl MessageTable {
    /// This, and what `base` says where this says nothing.
    pub fn over(self, base: Option<&MessageTable>) -> MessageTable {
        let base = base.cloned().unwrap_or_default();
        MessageTable {
            from: self.from.or(base.from),
            text: self.text.or(base.text),
            group: self.group.or(base.group),
            chat: self.chat.or(base.chat),
            mentions: self.mentions.or(base.mentions),
            attachments: self.attachments.or(base.attachments),
            arrival: self.arrival.or(base.arrival),
            reply_to: self.reply_to.or(base.reply_to),
            sent_at: self.sent_at.or(base.sent_at),
            id: self.id.or(base.id),
            guid: self.guid.or(base.guid),
        }
    }

    /// As the host would have it from chat.db. An error says what is wrong.
    pub fn inbound(self, now: Timestamp, normalizer: &Normalizer) -> Result<Inbound, String> {
        let raw = self.from.unwrap_or_else(|| SENDER.to_owned());
        let is_group = self.group.unwrap_or(false);
        let chat = self.chat.unwrap_or_default();
        let own = own_addresses(chat.own_addresses.as_deref())?;
        let service = service(chat.service.as_deref())?;
        let quoted = self.reply_to.map(|quoted| Quoted { guid: quoted.guid, sender: quoted.sender, text: quoted.text });
        let sent_at = self.sent_at.map(|written| timestamp(&written)).transpose()?.unwrap_or(now);
        let message = Message {
            id: RowId(self.id.unwrap_or(1)),
            guid: self.guid.unwrap_or_else(|| "00000000-0000-0000-0000-000000000001".to_owned()),
            sender: raw.clone(),
            is_from_me: false,
            text: self.text.unwrap_or_default(),
            sent_at,
            service: service.to_owned(),
            event: None,
            attachments: self.attachments.unwrap_or_default().into_iter().map(AttachmentTable::attachment).collect(),
            reactions: Vec::new(),
            mentions: self.mentions.unwrap_or_default(),
            tapback: None,
            reply_to_guid: quoted.as_ref().map(|quoted| quoted.guid.clone()),
            thread_originator_guid: None,
            thread_originator_part: None,
            quoted,
            destination_caller_id: own[0].clone(),
            balloon_bundle_id: None,
            url_preview: None,
            preview_of: None,
            is_read: None,
            read_at: None,
            edits: None,
            poll: None,
            chat: Some(Arc::new(chat.chat(&raw, is_group, service, &own))),
        };
        Ok(Inbound {
            message: Arc::new(message),
            arrival: arrival(self.arrival.as_deref())?,
            as_group: is_group,
            sender: normalizer.comparable(&raw),
            direct_route: "main".to_owned(),
            now,
        })
    }
}

impl ChatTable {
    fn chat(self, sender: &str, is_group: bool, service: &str, own: &[Option<String>; 3]) -> Chat {
        let (sign, identifier) = if is_group { ('+', "chat1") } else { ('-', sender) };
        let identifier = self.identifier.unwrap_or_else(|| identifier.to_owned());
        Chat {
            id: ChatId(self.id.unwrap_or(1)),
            guid: self.guid.unwrap_or_else(|| format!("{service};{sign};{identifier}")),
            identifier,
            display_name: self.name,
            service: service.to_owned(),
            is_group,
            participants: self.participants.unwrap_or_else(|| vec![sender.to_owned()]),
            account_id: None,
            account_login: own[1].as_ref().map(|own| format!("E:{own}")),
            last_addressed_handle: own[2].clone(),
        }
    }
}

impl AttachmentTable {
    fn attachment(self) -> Attachment {
        Attachment {
            guid: String::new(),
            filename: self.name.clone(),
            transfer_name: self.name,
            uti: String::new(),
            mime_type: self.mime_type.unwrap_or_default(),
            total_bytes: self.size,
            is_sticker: self.is_sticker,
            transfer_state: None,
        }
    }
}

/// The places where chat.db has them: with the message, as the account's login, with the chat.
fn own_addresses(written: Option<&[String]>) -> Result<[Option<String>; 3], String> {
    let Some(written) = written else { return Ok([Some(OWN.to_owned()), None, None]) };
    if written.len() > 3 {
        return Err("`own_addresses` has room for three: chat.db tells no more".to_owned());
    }
    Ok(std::array::from_fn(|place| written.get(place).cloned()))
}

/// As chat.db spells it.
fn service(written: Option<&str>) -> Result<&'static str, String> {
    const NAMES: [(&str, &str); 4] = [("imessage", "iMessage"), ("sms", "SMS"), ("rcs", "RCS"), ("other", "other")];
    let written = written.unwrap_or("imessage");
    let found = NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(written));
    found.map(|(_, column)| column).ok_or_else(|| no_such("service", written, NAMES.map(|(name, _)| name)))
}

fn arrival(written: Option<&str>) -> Result<Arrival, String> {
    let names = [Arrival::Live, Arrival::CatchUp, Arrival::Backfill].map(Arrival::name);
    written.map_or(Ok(Arrival::Live), |name| Arrival::from_name(name).ok_or_else(|| no_such("arrival", name, names)))
}

fn no_such<const N: usize>(key: &str, written: &str, known: [&str; N]) -> String {
    match nearest(written, known.into_iter()) {
        Some(nearest) => format!("`{key}` cannot be \"{written}\"; did you mean \"{nearest}\"?"),
        None => format!("`{key}` cannot be \"{written}\": one of {}", known.join(", ")),
    }
}

/// A moment, which needs an offset from UTC.
pub fn timestamp(written: &Datetime) -> Result<Timestamp, String> {
    written.to_string().parse().map_err(|_| format!("{written} is no moment: write it as 2026-03-01T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Inbound, String> {
        let table: MessageTable = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        table.inbound(Timestamp::UNIX_EPOCH, &Normalizer::new("US").unwrap())
    }

    #[test]
    fn a_message_that_says_nothing_has_just_arrived_in_a_chat_with_its_sender() {
        let inbound = read("").unwrap();
        let chat = inbound.message.chat.as_ref().unwrap();
        assert_eq!((inbound.sender.as_str(), inbound.arrival, inbound.as_group), (SENDER, Arrival::Live, false));
        assert_eq!((chat.guid.as_str(), chat.is_group), ("iMessage;-;+15551234567", false));
        assert_eq!(inbound.message.sent_at, inbound.now);
        assert_eq!(inbound.message.destination_caller_id.as_deref(), Some(OWN));
    }

    #[test]
    fn a_sender_is_compared_as_the_host_compares_it() {
        for (from, sender) in [("(555) 123-4567", SENDER), ("Ann@Example.COM", "ann@example.com"), ("22395", "22395")] {
            let inbound = read(&format!("from = '{from}'")).unwrap();
            assert_eq!((inbound.sender.as_str(), inbound.message.sender.as_str()), (sender, from));
        }
    }

    #[test]
    fn all_that_a_policy_may_ask_of_a_message_can_be_said() {
        let inbound = read(
            "from = '+15551234567'\ntext = 'hi'\ngroup = true\narrival = 'backfill'\nmentions = ['+15550000000']\n\
            id = 9\nguid = 'G'\nsent_at = 2026-03-01T12:00:00+01:00\nreply_to = { guid = 'P', text = 'before' }\n\
            attachments = [{ name = 'a.gif', mime_type = 'image/gif', size = 7, is_sticker = true }]\n\
            chat = { id = 42, name = 'Family', service = 'SMS', participants = ['a@b.c'], own_addresses = ['x@y.z', 'me@y.z'] }",
        )
        .unwrap();
        let (message, chat) = (&inbound.message, inbound.message.chat.as_ref().unwrap());
        assert!(inbound.as_group && chat.is_group && message.attachments[0].is_sticker);
        assert_eq!((message.id, message.guid.as_str(), inbound.arrival), (RowId(9), "G", Arrival::Backfill));
        assert_eq!((chat.id, chat.guid.as_str(), chat.name()), (ChatId(42), "SMS;+;chat1", "Family"));
        assert_eq!(message.sent_at.to_string(), "2026-03-01T11:00:00Z");
        assert_eq!(chat.account_login.as_deref(), Some("E:me@y.z"));
        assert_eq!(message.quoted.as_ref().unwrap().text.as_deref(), Some("before"));
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, words) in [
            ("arrival = 'catchup'", "did you mean \"catch-up\"?"),
            ("chat = { service = 'pigeon' }", "one of imessage, sms, rcs, other"),
            ("chat = { own_addresses = ['a', 'b', 'c', 'd'] }", "room for three"),
            ("sent_at = 2026-03-01", "is no moment"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_case_says_more_than_the_defaults() {
        let table = |text: &str| toml::from_str::<MessageTable>(text).unwrap();
        let both = table("text = 'mine'").over(Some(&table("text = 'theirs'\nfrom = 'a@b.c'")));
        assert_eq!((both.text.as_deref(), both.from.as_deref()), (Some("mine"), Some("a@b.c")));
    }
}
