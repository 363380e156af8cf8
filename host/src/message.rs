//! The domain types that all parts speak: messages, chats, handles and their ids. No serde, SQL or WIT here.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// `message.ROWID`: the order in which rows were written, stable within one database only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// `chat.ROWID`: stable within one database only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId(pub i64);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What carries a message, as `message.service` and `chat.service_name` spell it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    IMessage,
    Sms,
    Rcs,
    Other(Box<str>),
}

impl Service {
    pub fn from_column(value: &str) -> Service {
        match value {
            "iMessage" | "iMessageLite" => Service::IMessage,
            "SMS" => Service::Sms,
            "RCS" => Service::Rcs,
            other => Service::Other(other.into()),
        }
    }
}

/// A conversation: one row of `chat` with its participants.
#[derive(Clone, Debug)]
pub struct Chat {
    pub id: ChatId,
    /// For example `iMessage;-;+15551234567` or `any;+;chat831415926`; empty where chat.db has none.
    pub guid: String,
    /// The other's address in a direct chat, `chat…` in a group.
    pub identifier: String,
    /// `display_name` as stored: `None` for NULL, often empty in direct chats.
    pub display_name: Option<String>,
    /// `service_name` as stored.
    pub service: String,
    /// `chat.style` is 43, or where the column is missing, the guid or identifier contains `;+;`.
    pub is_group: bool,
    /// `handle.id` of the others, ordered bytewise, without repeats.
    pub participants: Vec<String>,
    pub account_id: Option<String>,
    pub account_login: Option<String>,
    pub last_addressed_handle: Option<String>,
}

impl Chat {
    /// What a person would call this chat: its display name, else its identifier.
    pub fn name(&self) -> &str {
        match self.display_name.as_deref() {
            Some(name) if !name.is_empty() => name,
            _ => &self.identifier,
        }
    }
}

/// One row of `attachment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub guid: String,
    /// As stored, often with a leading `~`.
    pub filename: String,
    pub transfer_name: String,
    pub uti: String,
    pub mime_type: String,
    pub total_bytes: u64,
    pub is_sticker: bool,
    /// `None` where the row does not say, or says what nobody has explained.
    pub transfer_state: Option<TransferState>,
}

/// `attachment.transfer_state`: how far Messages is with a file. The numbers are IMCore's `IMFileTransferState`, as
/// Barcelona (`IMFileTransfer+StateBound.swift`) has them; Apple does not document them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferState {
    Archiving,
    /// To be fetched: announced and not asked for, or removed from this Mac to save space.
    WaitingForAccept,
    Accepted,
    Preparing,
    Transferring,
    Finalizing,
    Finished,
    Error,
    RecoverableError,
}

impl TransferState {
    const ALL: [(i64, TransferState, &str); 9] = [
        (-1, TransferState::Archiving, "archiving"),
        (0, TransferState::WaitingForAccept, "waiting_for_accept"),
        (1, TransferState::Accepted, "accepted"),
        (2, TransferState::Preparing, "preparing"),
        (3, TransferState::Transferring, "transferring"),
        (4, TransferState::Finalizing, "finalizing"),
        (5, TransferState::Finished, "finished"),
        (6, TransferState::Error, "error"),
        (7, TransferState::RecoverableError, "recoverable_error"),
    ];

    pub const NAMES: [&'static str; 9] = {
        let mut names = [""; 9];
        let mut at = 0;
        while at < names.len() {
            names[at] = TransferState::ALL[at].2;
            at += 1;
        }
        names
    };

    pub fn from_column(value: i64) -> Option<TransferState> {
        TransferState::ALL.into_iter().find(|(number, ..)| *number == value).map(|(_, state, _)| state)
    }

    pub fn name(self) -> &'static str {
        TransferState::ALL.into_iter().find(|(_, state, _)| *state == self).map_or("", |(.., name)| name)
    }
}

/// The kinds of tapback that Messages knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TapbackKind {
    Love,
    Like,
    Dislike,
    Laugh,
    Emphasis,
    Question,
    /// Any emoji; `None` where the row does not tell which.
    Custom(Option<String>),
    /// A picture, which is the row's attachment.
    Sticker,
}

impl TapbackKind {
    pub fn name(&self) -> &'static str {
        match self {
            TapbackKind::Love => "love",
            TapbackKind::Like => "like",
            TapbackKind::Dislike => "dislike",
            TapbackKind::Laugh => "laugh",
            TapbackKind::Emphasis => "emphasis",
            TapbackKind::Question => "question",
            TapbackKind::Custom(_) => "custom",
            TapbackKind::Sticker => "sticker",
        }
    }

    pub fn emoji(&self) -> Option<&str> {
        Some(match self {
            TapbackKind::Love => "❤️",
            TapbackKind::Like => "👍",
            TapbackKind::Dislike => "👎",
            TapbackKind::Laugh => "😂",
            TapbackKind::Emphasis => "‼️",
            TapbackKind::Question => "❓",
            TapbackKind::Custom(emoji) => return emoji.as_deref(),
            TapbackKind::Sticker => return None,
        })
    }
}

/// What makes a row a reaction to another message rather than a message of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tapback {
    pub kind: TapbackKind,
    /// False where the row takes an earlier tapback away.
    pub is_add: bool,
    /// The guid of the message reacted to, without `p:0/` or `bp:`.
    pub target: String,
}

/// A tapback that stands on a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub id: RowId,
    pub kind: TapbackKind,
    pub sender: String,
    pub is_from_me: bool,
    pub created_at: Timestamp,
}

/// The message that an inline reply answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    pub guid: String,
    pub sender: Option<String>,
    pub text: Option<String>,
}

/// The link preview that Messages wrote as a row of its own after the text it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPreview {
    pub id: RowId,
    pub guid: String,
    pub balloon_bundle_id: String,
    pub created_at: Timestamp,
}

/// What became of a message after it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edits {
    /// When it was last edited or taken back.
    pub changed_at: Timestamp,
    /// Each part that was edited, with all its versions: as it was sent first, as it is now last.
    pub versions: Vec<Version>,
    /// Numbers of the parts that were taken back, ascending.
    pub unsent_parts: Vec<u32>,
    /// Nothing of it is left.
    pub is_unsent: bool,
}

impl Edits {
    /// Something was written anew, and not only taken back.
    pub fn is_edited(&self) -> bool {
        !self.versions.is_empty() || self.unsent_parts.is_empty() && !self.is_unsent
    }
}

/// What happened to a message that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Edited,
    /// All of it or a part of it was taken back.
    Unsent,
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Change::Edited => "edited",
            Change::Unsent => "unsent",
        }
    }
}

/// What one part of a message said from `written_at` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Text, attachments and text again are parts 0, 1 and 2.
    pub part: u32,
    pub text: String,
    pub written_at: Timestamp,
}

/// What happened in a conversation without a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    /// The new name of a group.
    pub name: Option<String>,
    /// To whom it was done, as stored. Who did it is the sender of the row.
    pub handle: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    ParticipantAdded,
    ParticipantRemoved,
    ParticipantLeft,
    /// A participant has another number or address from now on.
    AddressChanged,
    Renamed,
    PhotoChanged,
    PhotoRemoved,
    BackgroundSet,
    BackgroundRemoved,
    LocationShared,
    LocationStopped,
    /// A voice message was kept from expiring.
    AudioKept,
    SharePlay,
    /// Something that later versions of Messages know.
    Other,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            EventKind::ParticipantAdded => "participant_added",
            EventKind::ParticipantRemoved => "participant_removed",
            EventKind::ParticipantLeft => "participant_left",
            EventKind::AddressChanged => "address_changed",
            EventKind::Renamed => "renamed",
            EventKind::PhotoChanged => "photo_changed",
            EventKind::PhotoRemoved => "photo_removed",
            EventKind::BackgroundSet => "background_set",
            EventKind::BackgroundRemoved => "background_removed",
            EventKind::LocationShared => "location_shared",
            EventKind::LocationStopped => "location_stopped",
            EventKind::AudioKept => "audio_kept",
            EventKind::SharePlay => "shareplay",
            EventKind::Other => "other",
        }
    }
}

/// What a row says of a poll: its question and choices, or votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub kind: PollKind,
    /// The guid of the row that began the poll; a row that adds choices has its own.
    pub guid: String,
    pub question: Option<String>,
    /// Without repeats of an id.
    pub options: Vec<PollOption>,
    pub votes: Vec<PollVote>,
    /// The guid that a vote or an update names, without its prefix.
    pub original_guid: Option<String>,
    /// As stored.
    pub creator: Option<String>,
    /// Sorted, without repeats.
    pub participants: Vec<String>,
    pub metadata: PollMetadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollKind {
    Created,
    Vote,
    /// The payload could not be read.
    Unknown,
}

impl PollKind {
    pub fn name(self) -> &'static str {
        match self {
            PollKind::Created => "created",
            PollKind::Vote => "vote",
            PollKind::Unknown => "unknown",
        }
    }
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollOption {
    pub id: String,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollVote {
    pub option_id: String,
    /// Where the poll that it is about is known.
    pub option_text: Option<String>,
    pub participant: Option<String>,
    /// `selected` or `removed`, or what the payload says.
    pub event_type: String,
    /// As the payload spells it.
    pub server_time: Option<String>,
}

/// What the payload is like, without anything of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollMetadata {
    pub bundle_id: Option<String>,
    pub associated_message_type: i64,
    pub payload_bytes: usize,
    pub summary_bytes: usize,
    /// Of the first address in the payload, lower case; empty where there is none.
    pub url_scheme: String,
    pub url_host: String,
    /// Sorted, without repeats.
    pub query_keys: Vec<String>,
}

/// One row of `message`, decoded.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: RowId,
    pub guid: String,
    /// `None` until Messages has joined the row to a chat.
    pub chat: Option<Arc<Chat>>,
    /// `handle.id`, else `destination_caller_id`, else empty; as stored.
    pub sender: String,
    pub is_from_me: bool,
    /// The `text` column, else the decoded `attributedBody`; U+FFFC stands where an attachment is.
    pub text: String,
    /// The epoch of chat.db, 2001-01-01, where the row has no date.
    pub sent_at: Timestamp,
    /// `message.service` as stored.
    pub service: String,
    /// Set where this is no message but a rename, a join, a leave and the like.
    pub event: Option<Event>,
    pub attachments: Vec<Attachment>,
    /// Filled only by the readers that were asked for reactions.
    pub reactions: Vec<Reaction>,
    /// Addresses marked with Messages' own @mention, as stored.
    pub mentions: Vec<String>,
    pub tapback: Option<Tapback>,
    pub reply_to_guid: Option<String>,
    pub thread_originator_guid: Option<String>,
    pub thread_originator_part: Option<String>,
    /// Where the parent row exists.
    pub quoted: Option<Quoted>,
    pub destination_caller_id: Option<String>,
    pub balloon_bundle_id: Option<String>,
    pub url_preview: Option<UrlPreview>,
    /// The guid of the text that says all that this row does: Messages wrote it as the preview of a link in there.
    pub preview_of: Option<String>,
    /// Inbound rows of databases that have the column.
    pub is_read: Option<bool>,
    pub read_at: Option<Timestamp>,
    /// Where it is not as it was sent any more.
    pub edits: Option<Edits>,
    /// Filled in where the row is a poll, a vote, or adds choices.
    pub poll: Option<Box<Poll>>,
}

impl Message {
    /// Policies have a say in what others write and in the pictures that they react with. Own messages and other tapbacks
    /// go to whoever asks for them.
    pub fn is_judged(&self) -> bool {
        !self.is_from_me && self.tapback.as_ref().is_none_or(|tapback| tapback.kind == TapbackKind::Sticker)
    }
}

impl Message {
    /// What tells it from others in what is kept of it: the guid, and for a damaged row without one, row and date.
    pub fn key(&self) -> Cow<'_, str> {
        if self.guid.is_empty() {
            Cow::Owned(format!("row {} of {}", self.id, self.sent_at))
        } else {
            Cow::Borrowed(&self.guid)
        }
    }

    /// It may say something else now than when it was first read: it was edited, or is a poll, whose question comes in a
    /// row behind it.
    pub fn may_differ(&self) -> bool {
        let is_edited = self.edits.as_ref().is_some_and(|edits| !edits.is_unsent);
        is_edited || self.poll.as_ref().is_some_and(|poll| poll.kind == PollKind::Created)
    }

    /// All that clients will read: the text, a poll's question, choices and votes, a group's new name. For policies,
    /// which have to see whatever gets past them.
    pub fn words(&self) -> Cow<'_, str> {
        let name = self.event.as_ref().and_then(|event| event.name.as_deref());
        let mut said: Vec<&str> = name.into_iter().collect();
        if let Some(poll) = &self.poll {
            said.extend(poll.question.as_deref());
            said.extend(poll.options.iter().map(|option| option.text.as_str()));
            said.extend(poll.votes.iter().filter_map(|vote| vote.option_text.as_deref()));
        }
        if said.is_empty() {
            return Cow::Borrowed(&self.text);
        }
        let own = Some(self.text.as_str()).filter(|text| !text.is_empty());
        Cow::Owned(own.into_iter().chain(said).collect::<Vec<_>>().join("\n"))
    }
}

/// How a row reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// Written moments ago, while we were watching.
    Live,
    /// Written while we were down or the Mac was away, as part of the conversation's ordinary course.
    CatchUp,
    /// An old message that iCloud or a restore wrote just now.
    Backfill,
}

impl Arrival {
    pub fn name(self) -> &'static str {
        match self {
            Arrival::Live => "live",
            Arrival::CatchUp => "catch-up",
            Arrival::Backfill => "backfill",
        }
    }

    pub fn from_name(name: &str) -> Option<Arrival> {
        [Arrival::Live, Arrival::CatchUp, Arrival::Backfill].into_iter().find(|arrival| arrival.name() == name)
    }
}
