//! The JSON objects of the protocol. The only types that are serialized; everything else is converted by hand, so
//! that no inner type becomes a promise to clients. What is said here of types and fields is published with them.

pub mod attachment;
pub mod background;
pub mod config;
pub mod consumers;
mod content;
pub mod error;
pub mod held;
pub mod journal;
pub mod local;
pub mod outbox;
pub mod pairing;
pub mod plugins;
pub mod replay;
pub mod scheduled;
pub mod scope;
pub mod send;
pub mod stats;
pub mod status;
pub mod watch;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::attachments::Converted;
use crate::chatdb::ChatSummary;
use crate::contacts::Catalog;
use crate::message::{self, ChatId, TapbackKind};
use crate::subscription::{Delivery, Published};

use attachment::Attachment;

/// UTC with three fractional digits, as `imsg` writes every date.
pub fn date(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let mut text = String::with_capacity(24);
    if PRINTER.print_timestamp(&at, &mut text).is_err() {
        text.push_str("2001-01-01T00:00:00.000Z");
    }
    text
}

/// A moment, as [`date`] writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub Timestamp);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date(self.0))
    }
}

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Chats, the one with the newest message first.
#[derive(Serialize, JsonSchema)]
pub struct Chats<'a> {
    pub chats: Vec<Chat<'a>>,
}

/// Messages, the newest first.
#[derive(Serialize, JsonSchema)]
pub struct Messages<'a> {
    pub messages: Vec<Message<'a>>,
}

/// What follows a row, in the order of rows.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessagesPage")]
pub struct Page<'a> {
    pub messages: Vec<Message<'a>>,
    /// The last row that was looked at, which is where to go on: `since_rowid` of the next request.
    pub next_rowid: i64,
    /// Is there more? A page may be empty and yet have more after it.
    pub has_more: bool,
}

/// A message. Fields without a value are left out.
#[derive(Serialize, JsonSchema)]
pub struct Message<'a> {
    /// Its row in the database of Messages.
    id: i64,
    /// The chat's row; 0 where Messages has not put it into a chat.
    chat_id: i64,
    guid: &'a str,
    /// Phone number or e-mail address of who wrote it.
    sender: &'a str,
    text: &'a str,
    is_from_me: bool,
    created_at: Date,
    /// Empty unless attachments were asked for.
    attachments: Vec<Attachment<'a>>,
    /// Tapbacks that stand. Subscriptions fill this only with `include_reactions`.
    reactions: Vec<Reaction<'a>>,
    chat_identifier: &'a str,
    chat_guid: &'a str,
    chat_name: &'a str,
    /// The others in the chat.
    participants: &'a [String],
    is_group: bool,
    /// Who wrote it, where the owner's contacts know.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<&'a str>,
    /// What carried it, as `iMessage`, `SMS` or `RCS`.
    service: &'a str,
    /// The message that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_guid: Option<&'a str>,
    /// The first message of the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_originator_guid: Option<&'a str>,
    /// Which part of that message the thread is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_originator_part: Option<&'a str>,
    /// What the answered message says, where it is in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_sender: Option<&'a str>,
    /// Which of the owner's addresses it was sent to or from.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_caller_id: Option<&'a str>,
    /// The extension that shows it, for link previews, polls and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    balloon_bundle_id: Option<&'a str>,
    /// The preview of the link in the text, which is a row of its own in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    url_preview: Option<UrlPreview<'a>>,
    /// Received messages: has the owner read it?
    #[serde(skip_serializing_if = "Option::is_none")]
    is_read: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_read: Option<Date>,
    /// True for the row of a tapback.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reaction: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = KINDS))]
    reaction_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction_emoji: Option<&'a str>,
    /// False where the tapback was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_reaction_add: Option<bool>,
    /// The message that the tapback is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    reacted_to_guid: Option<&'a str>,
    /// Some part was edited. Absent where none was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_edited: bool,
    /// Of the last edit or retraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Date>,
    /// What each edited part has said, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<content::Edit<'a>>,
    /// All of it was taken back. Absent where it was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_unsent: bool,
    /// The parts that were taken back.
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    unsent_parts: &'a [u32],
    /// What drew a balloon, so that an empty text has a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<content::App<'a>>,
    /// What happened, in a row that is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<content::Event<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<content::Poll<'a>>,
    /// Notifications: everything up to this row has been delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<i64>,
    /// Delivered messages of others: what the policies said.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy<'a>>,
}

/// Names of tapbacks.
const KINDS: [&str; 8] = ["love", "like", "dislike", "laugh", "emphasis", "question", "custom", "sticker"];

/// How a message came into sight.
pub(super) const ARRIVALS: [&str; 3] = ["live", "catch-up", "backfill"];

/// What the policies said of a message.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessagePolicy")]
struct Policy<'a> {
    /// Where it goes: subscriptions pick by it.
    route: &'a str,
    labels: &'a [String],
    /// The policy that admitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<&'a str>,
    /// `live`, `catch-up` (written while nobody watched) or `backfill` (an old one that a sync wrote only now).
    #[schemars(extend("enum" = ARRIVALS))]
    arrival: &'static str,
    /// True where it was held before, and released.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    /// Messages of the same chat that were observed, but not delivered, since the last one that was.
    context: Vec<Context<'a>>,
}

/// An observed message that rides along with a delivered one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ContextMessage")]
struct Context<'a> {
    id: i64,
    guid: &'a str,
    sender: &'a str,
    /// Who wrote it, where the owner's contacts know.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<&'a str>,
    text: &'a str,
    created_at: Date,
    /// How many attachments it has.
    attachments: usize,
}

/// What is kept of an observed message until it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextMessage {
    pub id: i64,
    pub guid: String,
    pub sender: String,
    pub text: String,
    pub created_at: Date,
    pub attachments: usize,
}

/// The row of a link's preview.
#[derive(Serialize, JsonSchema)]
struct UrlPreview<'a> {
    id: i64,
    guid: &'a str,
    balloon_bundle_id: &'a str,
    created_at: Date,
}

/// A tapback that stands.
#[derive(Serialize, JsonSchema)]
struct Reaction<'a> {
    /// The tapback's row.
    id: i64,
    #[serde(rename = "type")]
    #[schemars(extend("enum" = KINDS))]
    kind: &'static str,
    emoji: &'a str,
    sender: &'a str,
    /// Whose it is, where the owner's contacts know.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<&'a str>,
    is_from_me: bool,
    created_at: Date,
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
            created_at: Date(message.sent_at),
            attachments: if attachments { message.attachments.iter().map(Attachment::new).collect() } else { vec![] },
            reactions: message.reactions.iter().filter_map(Reaction::new).collect(),
            chat_identifier: chat.map_or("", |chat| &chat.identifier),
            chat_guid: chat.map_or("", |chat| &chat.guid),
            chat_name: chat.map_or("", message::Chat::name),
            participants: chat.map_or(&[], |chat| &chat.participants),
            is_group: chat.is_some_and(|chat| chat.is_group),
            sender_name: None,
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
            date_read: message.read_at.map(Date),
            is_reaction: tapback.map(|_| true),
            reaction_type: tapback.and_then(|tapback| decoded(&tapback.kind)).map(|(name, _)| name),
            reaction_emoji: tapback.and_then(|tapback| tapback.kind.emoji()),
            is_reaction_add: tapback.map(|tapback| tapback.is_add),
            reacted_to_guid: tapback.map(|tapback| tapback.target.as_str()),
            is_edited: edits.is_some_and(message::Edits::is_edited),
            edited_at: edits.map(|edits| Date(edits.changed_at)),
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
            context: delivery.context.iter().map(Context::new).collect(),
        });
        self
    }

    /// Names everybody in it whom `names` knows: after all else is in it.
    pub fn named(mut self, names: &'a Catalog) -> Message<'a> {
        if !self.is_from_me {
            self.sender_name = names.name(self.sender);
        }
        for reaction in self.reactions.iter_mut().filter(|reaction| !reaction.is_from_me) {
            reaction.sender_name = names.name(reaction.sender);
        }
        for context in self.policy.iter_mut().flat_map(|policy| &mut policy.context) {
            context.sender_name = names.name(context.sender);
        }
        self
    }
}

impl Message<'_> {
    /// Says of each attachment which file it was converted into. `converted` has one for each, in the same order.
    pub fn with_converted(mut self, converted: &[Option<Converted>]) -> Self {
        for (attachment, converted) in self.attachments.iter_mut().zip(converted) {
            converted.iter().for_each(|converted| attachment.set_converted(converted));
        }
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

/// The message object of a notification. `converted` is empty, or has one for each attachment.
pub fn published(published: &Published, attachments: bool, converted: &[Option<Converted>], names: &Catalog) -> String {
    let mut message = Message::new(&published.message, attachments).with_converted(converted);
    message.cursor = Some(published.place.row.0);
    if let Some(delivery) = &published.delivery {
        message = message.with_policy(delivery);
    }
    to_json(&message.named(names))
}

/// Compact JSON. None of the types here can fail to serialize: no map has keys that are no strings.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// As [`to_json`], for what is kept or put into something larger.
pub fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// As [`to_json`], a line for each.
pub fn to_lines<T: Serialize>(values: impl ExactSizeIterator<Item = T>) -> Vec<u8> {
    /// More than most messages have: what is not used costs nothing.
    const LINE: usize = 1_024;
    let mut lines = Vec::with_capacity(values.len() * LINE);
    for value in values {
        // Neither of the two can fail, the one as in `to_json`, the other as memory can always be written to.
        let _ = serde_json::to_writer(&mut lines, &value);
        lines.push(b'\n');
    }
    lines
}

/// As [`to_json`], as a value of a larger object.
pub fn to_raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_default()
}

impl From<&message::Message> for ContextMessage {
    fn from(message: &message::Message) -> ContextMessage {
        ContextMessage {
            id: message.id.0,
            guid: message.guid.clone(),
            sender: message.sender.clone(),
            text: message.text.clone(),
            created_at: Date(message.sent_at),
            attachments: message.attachments.len(),
        }
    }
}

impl<'a> Context<'a> {
    fn new(message: &'a ContextMessage) -> Context<'a> {
        let ContextMessage { id, guid, sender, text, created_at, attachments } = message;
        let (id, created_at, attachments) = (*id, *created_at, *attachments);
        Context { id, guid, sender, sender_name: None, text, created_at, attachments }
    }
}

impl<'a> UrlPreview<'a> {
    fn new(preview: &'a message::UrlPreview) -> UrlPreview<'a> {
        UrlPreview {
            id: preview.id.0,
            guid: &preview.guid,
            balloon_bundle_id: &preview.balloon_bundle_id,
            created_at: Date(preview.created_at),
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
            sender_name: None,
            is_from_me: reaction.is_from_me,
            created_at: Date(reaction.created_at),
        })
    }
}

/// A chat, as lists have it.
#[derive(Serialize, JsonSchema)]
pub struct Chat<'a> {
    /// Its row in the database of Messages.
    id: i64,
    /// What a person would call it: its display name, else its identifier.
    name: &'a str,
    identifier: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    guid: &'a str,
    /// As stored; the identifier where there is none.
    display_name: &'a str,
    /// Whom a direct chat is with, where the owner's contacts know.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_name: Option<&'a str>,
    service: &'a str,
    is_group: bool,
    last_message_at: Date,
    /// The others in it.
    participants: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_login: Option<&'a str>,
    /// Which of the owner's addresses was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_addressed_handle: Option<&'a str>,
    /// Absent where the database does not tell what was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_count: Option<u64>,
    /// Other chats with the same person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    linked_chat_ids: Vec<i64>,
}

/// One chat, without what only lists have.
#[derive(Serialize, JsonSchema)]
pub struct Group<'a> {
    /// Its row in the database of Messages.
    id: i64,
    identifier: &'a str,
    guid: &'a str,
    /// The display name, which may be empty; the identifier where there is none.
    name: &'a str,
    service: &'a str,
    is_group: bool,
    /// The others in it.
    participants: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_login: Option<&'a str>,
    /// Which of the owner's addresses was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_addressed_handle: Option<&'a str>,
    /// Other chats with the same person.
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
            contact_name: None,
            service: &chat.service,
            is_group: chat.is_group,
            last_message_at: Date(summary.last_message_at),
            participants: &chat.participants,
            account_id: filled(&chat.account_id),
            account_login: filled(&chat.account_login),
            last_addressed_handle: filled(&chat.last_addressed_handle),
            unread_count: summary.unread_count,
            linked_chat_ids: summary.linked.iter().map(|chat| chat.0).collect(),
        }
    }

    /// By the address that the chat is with, else by the only one in it.
    pub fn named(mut self, names: &'a Catalog) -> Chat<'a> {
        if !self.is_group {
            let only = || if let [only] = self.participants { names.name(only) } else { None };
            self.contact_name = names.name(self.identifier).or_else(only);
        }
        self
    }
}
