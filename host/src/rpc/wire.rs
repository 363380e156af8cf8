//! The JSON objects of the protocol. The only types that are serialized; everything else is converted by hand, so
//! that no inner type becomes a promise to clients.

mod content;

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::chatdb::ChatSummary;
use crate::message::{self, ChatId, TapbackKind};
use crate::subscription::{Delivery, Published};

/// UTC with three fractional digits, as `imsg` writes every date.
pub fn date(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let mut text = String::with_capacity(24);
    if PRINTER.print_timestamp(&at, &mut text).is_err() {
        text.push_str("2001-01-01T00:00:00.000Z");
    }
    text
}

/// A message object, section 4.3 of the specification; fields without a value are left out.
#[derive(Serialize)]
pub struct Message<'a> {
    id: i64,
    chat_id: i64,
    guid: &'a str,
    sender: &'a str,
    text: &'a str,
    is_from_me: bool,
    created_at: String,
    attachments: Vec<Attachment<'a>>,
    reactions: Vec<Reaction<'a>>,
    chat_identifier: &'a str,
    chat_guid: &'a str,
    chat_name: &'a str,
    participants: &'a [String],
    is_group: bool,
    /// Not of `imsg`: what carried it.
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_guid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_originator_guid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_originator_part: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_sender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_caller_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balloon_bundle_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url_preview: Option<UrlPreview<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_read: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reaction: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction_emoji: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reaction_add: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reacted_to_guid: Option<&'a str>,
    /// Not of `imsg`, and only where they say something: what became of the message after it was sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_edited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<content::Edit<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_unsent: bool,
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    unsent_parts: &'a [u32],
    /// What drew a balloon, so that an empty text has a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<content::App<'a>>,
    /// What happened, in a row that is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<content::Event<'a>>,
    /// Section 4.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<content::Poll<'a>>,
    /// Live and replayed messages: everything up to this row has been delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<i64>,
    /// Delivered messages of others: what the policies said.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy<'a>>,
}

#[derive(Serialize)]
struct Policy<'a> {
    route: &'a str,
    labels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<&'a str>,
    arrival: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    context: &'a [ContextMessage],
}

/// An observed message that rides along with a delivered one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextMessage {
    pub id: i64,
    pub guid: String,
    pub sender: String,
    pub text: String,
    pub created_at: String,
    pub attachments: usize,
}

#[derive(Serialize)]
struct UrlPreview<'a> {
    id: i64,
    guid: &'a str,
    balloon_bundle_id: &'a str,
    created_at: String,
}

/// Section 4.8.
#[derive(Serialize)]
struct Attachment<'a> {
    filename: &'a str,
    transfer_name: &'a str,
    uti: &'a str,
    mime_type: &'a str,
    total_bytes: u64,
    is_sticker: bool,
    original_path: String,
    missing: bool,
}

#[derive(Serialize)]
struct Reaction<'a> {
    id: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    emoji: &'a str,
    sender: &'a str,
    is_from_me: bool,
    created_at: String,
}

impl<'a> Message<'a> {
    pub fn new(message: &'a message::Message, attachments: bool) -> Message<'a> {
        let chat = message.chat.as_deref();
        let tapback = message.tapback.as_ref();
        let quoted = message.quoted.as_ref();
        let edits = message.edits.as_ref();
        Message {
            id: message.id.0,
            chat_id: chat.map_or(0, |chat| chat.id.0),
            guid: &message.guid,
            sender: &message.sender,
            text: &message.text,
            is_from_me: message.is_from_me,
            created_at: date(message.sent_at),
            attachments: if attachments { message.attachments.iter().map(Attachment::new).collect() } else { vec![] },
            reactions: message.reactions.iter().filter_map(Reaction::new).collect(),
            chat_identifier: chat.map_or("", |chat| &chat.identifier),
            chat_guid: chat.map_or("", |chat| &chat.guid),
            chat_name: chat.map_or("", message::Chat::name),
            participants: chat.map_or(&[], |chat| &chat.participants),
            is_group: chat.is_some_and(|chat| chat.is_group),
            service: &message.service,
            reply_to_guid: message.reply_to_guid.as_deref(),
            thread_originator_guid: message.thread_originator_guid.as_deref(),
            thread_originator_part: message.thread_originator_part.as_deref(),
            reply_to_text: quoted.and_then(|quoted| quoted.text.as_deref()),
            reply_to_sender: quoted.and_then(|quoted| quoted.sender.as_deref()),
            destination_caller_id: message.destination_caller_id.as_deref().filter(|id| !id.is_empty()),
            balloon_bundle_id: message.balloon_bundle_id.as_deref().filter(|id| !id.is_empty()),
            url_preview: message.url_preview.as_ref().map(UrlPreview::new),
            is_read: message.is_read,
            date_read: message.read_at.map(date),
            is_reaction: tapback.map(|_| true),
            reaction_type: tapback.and_then(|tapback| decoded(&tapback.kind)).map(|(name, _)| name),
            reaction_emoji: tapback.and_then(|tapback| tapback.kind.emoji()),
            is_reaction_add: tapback.map(|tapback| tapback.is_add),
            reacted_to_guid: tapback.map(|tapback| tapback.target.as_str()),
            is_edited: edits.is_some_and(message::Edits::is_edited),
            edited_at: edits.map(|edits| date(edits.changed_at)),
            edits: edits.map(content::Edit::all).unwrap_or_default(),
            is_unsent: edits.is_some_and(|edits| edits.is_unsent),
            unsent_parts: edits.map_or(&[], |edits| &edits.unsent_parts),
            app: message.balloon_bundle_id.as_deref().and_then(content::App::new),
            event: message.event.as_ref().map(content::Event::new),
            poll: message.poll.as_deref().map(content::Poll::new),
            cursor: None,
            policy: None,
        }
    }
}

impl<'a> Message<'a> {
    pub fn with_policy(mut self, delivery: &'a Delivery) -> Message<'a> {
        self.policy = Some(Policy {
            route: &delivery.route,
            labels: &delivery.labels,
            decided_by: delivery.decided_by.as_deref(),
            arrival: delivery.arrival.name(),
            held: delivery.held,
            context: &delivery.context,
        });
        self
    }
}

/// Name and emoji of a kind of tapback; none for a custom one that does not tell its emoji. A sticker has no emoji.
fn decoded(kind: &TapbackKind) -> Option<(&'static str, &str)> {
    match kind {
        TapbackKind::Sticker => Some((kind.name(), "")),
        _ => kind.emoji().map(|emoji| (kind.name(), emoji)),
    }
}

/// The message object of a notification.
pub fn published(published: &Published, attachments: bool) -> String {
    let mut message = Message::new(&published.message, attachments);
    message.cursor = Some(published.cursor.0);
    if let Some(delivery) = &published.delivery {
        message = message.with_policy(delivery);
    }
    to_json(&message)
}

/// Compact JSON. None of the types here can fail to serialize: no map has keys that are no strings.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// JSON that is already written, as a value of a larger object.
pub fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_default()
}

impl From<&message::Message> for ContextMessage {
    fn from(message: &message::Message) -> ContextMessage {
        ContextMessage {
            id: message.id.0,
            guid: message.guid.clone(),
            sender: message.sender.clone(),
            text: message.text.clone(),
            created_at: date(message.sent_at),
            attachments: message.attachments.len(),
        }
    }
}

impl<'a> UrlPreview<'a> {
    fn new(preview: &'a message::UrlPreview) -> UrlPreview<'a> {
        UrlPreview {
            id: preview.id.0,
            guid: &preview.guid,
            balloon_bundle_id: &preview.balloon_bundle_id,
            created_at: date(preview.created_at),
        }
    }
}

impl<'a> Attachment<'a> {
    fn new(attachment: &'a message::Attachment) -> Attachment<'a> {
        let path = expand(&attachment.filename);
        Attachment {
            filename: &attachment.filename,
            transfer_name: &attachment.transfer_name,
            uti: &attachment.uti,
            mime_type: &attachment.mime_type,
            total_bytes: attachment.total_bytes,
            is_sticker: attachment.is_sticker,
            missing: !path.is_file(),
            original_path: path.display().to_string(),
        }
    }
}

impl<'a> Reaction<'a> {
    fn new(reaction: &'a message::Reaction) -> Option<Reaction<'a>> {
        let (kind, emoji) = decoded(&reaction.kind)?;
        Some(Reaction {
            id: reaction.id.0,
            kind,
            emoji,
            sender: &reaction.sender,
            is_from_me: reaction.is_from_me,
            created_at: date(reaction.created_at),
        })
    }
}

/// A path of chat.db, which may begin with the home folder's short form.
fn expand(filename: &str) -> PathBuf {
    match (filename.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(filename),
    }
}

/// A chat object, section 4.2.
#[derive(Serialize)]
pub struct Chat<'a> {
    id: i64,
    name: &'a str,
    identifier: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    guid: &'a str,
    display_name: &'a str,
    service: &'a str,
    is_group: bool,
    last_message_at: String,
    participants: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_login: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_addressed_handle: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_count: Option<u64>,
    /// Not of `imsg`: other chats with the same person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    linked_chat_ids: Vec<i64>,
}

/// A group object, section 4.2: one chat without what only lists have.
#[derive(Serialize)]
pub struct Group<'a> {
    id: i64,
    identifier: &'a str,
    guid: &'a str,
    name: &'a str,
    service: &'a str,
    is_group: bool,
    participants: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_login: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_addressed_handle: Option<&'a str>,
    /// Not of `imsg`: other chats with the same person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    linked_chat_ids: Vec<i64>,
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

impl<'a> Group<'a> {
    pub fn new(chat: &'a message::Chat, linked: &[ChatId]) -> Group<'a> {
        Group {
            id: chat.id.0,
            identifier: &chat.identifier,
            guid: &chat.guid,
            name: chat.display_name.as_deref().unwrap_or(&chat.identifier),
            service: &chat.service,
            is_group: chat.is_group,
            participants: &chat.participants,
            account_id: filled(&chat.account_id),
            account_login: filled(&chat.account_login),
            last_addressed_handle: filled(&chat.last_addressed_handle),
            linked_chat_ids: linked.iter().map(|chat| chat.0).collect(),
        }
    }
}

impl<'a> Chat<'a> {
    pub fn new(summary: &'a ChatSummary) -> Chat<'a> {
        let chat = &*summary.chat;
        Chat {
            id: chat.id.0,
            name: chat.name(),
            identifier: &chat.identifier,
            guid: &chat.guid,
            display_name: chat.display_name.as_deref().unwrap_or(&chat.identifier),
            service: &chat.service,
            is_group: chat.is_group,
            last_message_at: date(summary.last_message_at),
            participants: &chat.participants,
            account_id: filled(&chat.account_id),
            account_login: filled(&chat.account_login),
            last_addressed_handle: filled(&chat.last_addressed_handle),
            unread_count: summary.unread_count,
            linked_chat_ids: summary.linked.iter().map(|chat| chat.0).collect(),
        }
    }
}
