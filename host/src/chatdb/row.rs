//! One row of `message`: the columns that every reader selects, and what they are read into.

use std::array;
use std::borrow::Cow;
use std::mem;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::fold;
use super::schema::{Schema, Table};
use crate::decode::{self, date, event, tapback};
use crate::message::{ChatId, Event, Message, RowId, Tapback};

mod damage;

pub use damage::Damage;

/// The joins that [`columns`] needs, to stand after `message m` in a FROM clause.
pub(super) const JOINS: &str = "LEFT JOIN handle h ON h.ROWID = m.handle_id";

/// The select list that [`MessageRow::read`] reads, in the order of its `column` constants.
pub(super) fn columns(schema: &Schema) -> String {
    let has_attachments = if schema.has_attachments() {
        "EXISTS (SELECT 1 FROM message_attachment_join a WHERE a.message_id = m.ROWID)"
    } else {
        "0"
    };
    list(schema, has_attachments, "(SELECT MIN(c.chat_id) FROM chat_message_join c WHERE c.message_id = m.ROWID)")
}

/// As [`columns`], for whoever knows in which chats rows are and which have attachments, or does not ask.
pub(super) fn own_columns(schema: &Schema) -> String {
    list(schema, "0", "NULL")
}

fn list(schema: &Schema, has_attachments: &str, chat: &str) -> String {
    let message = |name| schema.column(Table::Message, "m", name);
    // The three only have a meaning together.
    let association = |name| if schema.features().reactions { message(name) } else { "NULL".to_owned() };
    let columns: [String; column::COUNT] = [
        "m.ROWID".to_owned(),
        message("guid"),
        "m.text".to_owned(),
        message("attributedBody"),
        "m.date".to_owned(),
        "m.is_from_me".to_owned(),
        "m.service".to_owned(),
        message("item_type"),
        message("group_action_type"),
        message("group_title"),
        message("other_handle"),
        // Rows of messages have 0 there, or in some versions nobody's.
        format!(
            "CASE WHEN {} <> 0 THEN (SELECT o.id FROM handle o WHERE o.ROWID = {}) END",
            message("item_type"),
            message("other_handle")
        ),
        message("share_status"),
        "m.handle_id".to_owned(),
        "h.id".to_owned(),
        message("destination_caller_id"),
        association("associated_message_type"),
        association("associated_message_guid"),
        message("associated_message_emoji"),
        message("reply_to_guid"),
        message("thread_originator_guid"),
        message("thread_originator_part"),
        message("balloon_bundle_id"),
        message("is_read"),
        message("date_read"),
        message("is_audio_message"),
        message("cache_has_attachments"),
        has_attachments.to_owned(),
        message("date_edited"),
        message("date_retracted"),
        // Large, and of no use for the many rows that nobody changed.
        format!(
            "CASE WHEN COALESCE({}, 0) <> 0 OR COALESCE({}, 0) <> 0 THEN {} END",
            message("date_edited"),
            message("date_retracted"),
            message("message_summary_info")
        ),
        chat.to_owned(),
    ];
    columns.join(", ")
}

mod column {
    pub(super) const ROWID: usize = 0;
    pub(super) const GUID: usize = 1;
    pub(super) const TEXT: usize = 2;
    pub(super) const BODY: usize = 3;
    pub(super) const DATE: usize = 4;
    pub(super) const IS_FROM_ME: usize = 5;
    pub(super) const SERVICE: usize = 6;
    pub(super) const ITEM_TYPE: usize = 7;
    pub(super) const GROUP_ACTION_TYPE: usize = 8;
    pub(super) const GROUP_TITLE: usize = 9;
    pub(super) const OTHER_HANDLE: usize = 10;
    pub(super) const OTHER_ADDRESS: usize = 11;
    pub(super) const SHARE_STATUS: usize = 12;
    pub(super) const HANDLE_ID: usize = 13;
    pub(super) const HANDLE: usize = 14;
    pub(super) const DESTINATION_CALLER_ID: usize = 15;
    pub(super) const ASSOCIATED_TYPE: usize = 16;
    pub(super) const ASSOCIATED_GUID: usize = 17;
    pub(super) const ASSOCIATED_EMOJI: usize = 18;
    pub(super) const REPLY_TO_GUID: usize = 19;
    pub(super) const THREAD_ORIGINATOR_GUID: usize = 20;
    pub(super) const THREAD_ORIGINATOR_PART: usize = 21;
    pub(super) const BALLOON_BUNDLE_ID: usize = 22;
    pub(super) const IS_READ: usize = 23;
    pub(super) const DATE_READ: usize = 24;
    pub(super) const IS_AUDIO: usize = 25;
    pub(super) const CACHE_HAS_ATTACHMENTS: usize = 26;
    pub(super) const HAS_ATTACHMENTS: usize = 27;
    pub(super) const DATE_EDITED: usize = 28;
    pub(super) const DATE_RETRACTED: usize = 29;
    pub(super) const SUMMARY: usize = 30;
    pub(super) const CHAT_ID: usize = 31;
    pub(super) const COUNT: usize = 32;

    /// Have a meaning in rows that are no messages.
    pub(super) const OF_EVENTS: [usize; 5] =
        [GROUP_ACTION_TYPE, GROUP_TITLE, OTHER_HANDLE, OTHER_ADDRESS, SHARE_STATUS];
}

/// Values by their place in the select list. What is not there is NULL.
pub(super) trait Values {
    fn value(&self, index: usize) -> ValueRef<'_>;
}

impl Values for Row<'_> {
    fn value(&self, index: usize) -> ValueRef<'_> {
        self.get_ref(index).unwrap_or(ValueRef::Null)
    }
}

/// All that [`columns`] selects: SQLite is asked for each once, as asking costs more than looking at what it says.
struct Columns<'row>([ValueRef<'row>; column::COUNT]);

impl<'row> Columns<'row> {
    fn of(row: &'row Row<'_>) -> Columns<'row> {
        let is_message = matches!(row.value(column::ITEM_TYPE), ValueRef::Integer(event::MESSAGE) | ValueRef::Null);
        let is_left_out = |index| is_message && column::OF_EVENTS.contains(&index);
        Columns(array::from_fn(|index| if is_left_out(index) { ValueRef::Null } else { row.value(index) }))
    }
}

impl Values for Columns<'_> {
    fn value(&self, index: usize) -> ValueRef<'_> {
        self.0.get(index).copied().unwrap_or(ValueRef::Null)
    }
}

/// A row as read from `message` alone. Chat, attachments, quoted parent and reactions are filled in by `load`.
#[derive(Clone, Debug)]
pub(super) struct MessageRow {
    pub message: Message,
    pub chat_id: Option<ChatId>,
    pub handle_id: i64,
    pub associated_type: i64,
    pub is_audio: bool,
    pub has_attachments: bool,
    /// Without a date, it reads as one from 2001.
    pub has_date: bool,
    pub damage: Option<Damage>,
    /// As many attachments as the row itself says that it has.
    expected_attachments: usize,
}

impl MessageRow {
    pub fn read(row: &Row<'_>) -> MessageRow {
        let row = &Columns::of(row);
        let id = RowId(integer(row, column::ROWID).unwrap_or(0));
        let mut body = decode::body(blob(row, column::BODY));
        let text = text(row, &mut body);
        let tapback = tapback(row, &text);
        let is_from_me = is(row, column::IS_FROM_ME);
        let (is_read, read_at) = if is_from_me { (None, None) } else { read_state(row) };
        let destination_caller_id = string(row, column::DESTINATION_CALLER_ID);
        let balloon_bundle_id = string(row, column::BALLOON_BUNDLE_ID);
        let thread =
            if tapback.is_some() { Thread::default() } else { Thread::read(row, balloon_bundle_id.as_deref()) };
        let edits = decode::edits::edits(&decode::edits::Columns {
            date_edited: integer(row, column::DATE_EDITED).unwrap_or(0),
            date_retracted: integer(row, column::DATE_RETRACTED).unwrap_or(0),
            summary: blob(row, column::SUMMARY),
            is_empty: text.is_empty() && body.attachment_guids.is_empty(),
        });
        let has_cached = usize::from(is(row, column::CACHE_HAS_ATTACHMENTS));
        MessageRow {
            chat_id: integer(row, column::CHAT_ID).map(ChatId),
            handle_id: integer(row, column::HANDLE_ID).unwrap_or(0),
            associated_type: integer(row, column::ASSOCIATED_TYPE).unwrap_or(0),
            is_audio: is(row, column::IS_AUDIO),
            has_attachments: is(row, column::HAS_ATTACHMENTS),
            has_date: integer(row, column::DATE).is_some(),
            damage: Damage::of(row, body.warning),
            expected_attachments: body.attachment_guids.len().max(has_cached),
            message: Message {
                id,
                guid: string(row, column::GUID).unwrap_or_default(),
                chat: None,
                sender: string(row, column::HANDLE).or_else(|| destination_caller_id.clone()).unwrap_or_default(),
                is_from_me,
                text,
                sent_at: date::from_column(integer(row, column::DATE)),
                service: string(row, column::SERVICE).unwrap_or_default(),
                event: event(row),
                attachments: Vec::new(),
                reactions: Vec::new(),
                mentions: addresses(body.mentions),
                tapback,
                reply_to_guid: thread.reply_to_guid,
                thread_originator_guid: thread.originator_guid,
                thread_originator_part: thread.originator_part,
                quoted: None,
                destination_caller_id,
                balloon_bundle_id,
                url_preview: None,
                preview_of: None,
                is_read,
                read_at,
                edits,
                poll: None,
            },
        }
    }

    /// As [`MessageRow::read`], for readers of one chat: a row may be in several.
    pub fn read_in(chat: ChatId, row: &Row<'_>) -> MessageRow {
        MessageRow { chat_id: Some(chat), ..MessageRow::read(row) }
    }

    pub fn is_tapback(&self) -> bool {
        self.message.tapback.is_some()
    }

    /// Whether Messages has written all that belongs to this row. Chat and attachments have to be filled in before.
    pub fn is_complete(&self) -> bool {
        let has_attachments = self.message.attachments.len() >= self.expected_attachments;
        // What was changed was complete before, and an unsent message has no text left.
        let is_edited = self.message.edits.is_some();
        self.message.chat.is_some() && (is_edited || has_attachments && self.has_content())
    }

    fn has_content(&self) -> bool {
        let message = &self.message;
        !message.text.is_empty()
            || !message.attachments.is_empty()
            || message.is_from_me
            || message.event.is_some()
            || self.associated_type != 0
            || message.balloon_bundle_id.is_some()
    }
}

/// What a row says about the message that it answers.
#[derive(Default)]
struct Thread {
    reply_to_guid: Option<String>,
    originator_guid: Option<String>,
    originator_part: Option<String>,
}

impl Thread {
    fn read(row: &Columns<'_>, balloon_bundle_id: Option<&str>) -> Thread {
        let associated_guid = str(row, column::ASSOCIATED_GUID).unwrap_or_default();
        let originator_guid = string(row, column::THREAD_ORIGINATOR_GUID);
        // Messages sets `reply_to_guid` on ordinary rows too, to the row before them. It means a reply only in a
        // thread; in a preview it names the text that the preview belongs to.
        let means_reply = originator_guid.is_some() || balloon_bundle_id == Some(fold::URL_BALLOON);
        let reply = str(row, column::REPLY_TO_GUID).filter(|_| means_reply);
        let reply = match reply.as_deref().map(tapback::target) {
            Some(guid) if !guid.is_empty() => guid,
            _ => tapback::target(&associated_guid),
        };
        Thread {
            reply_to_guid: (!reply.is_empty()).then(|| reply.to_owned()),
            originator_guid,
            originator_part: string(row, column::THREAD_ORIGINATOR_PART),
        }
    }
}

/// What was said, else what the column has, else what the body has.
fn text(row: &Columns<'_>, body: &mut decode::Body) -> String {
    let spoken = body.transcription.take().filter(|spoken| is(row, column::IS_AUDIO) && !spoken.is_empty());
    spoken.or_else(|| string(row, column::TEXT)).unwrap_or_else(|| mem::take(&mut body.text))
}

fn tapback(row: &Columns<'_>, text: &str) -> Option<Tapback> {
    tapback::tapback(&tapback::Columns {
        associated_type: integer(row, column::ASSOCIATED_TYPE).unwrap_or(0),
        associated_guid: &str(row, column::ASSOCIATED_GUID).unwrap_or_default(),
        emoji: str(row, column::ASSOCIATED_EMOJI).as_deref(),
        text,
    })
}

fn event(row: &Columns<'_>) -> Option<Event> {
    let number = |index| integer(row, index).unwrap_or(0);
    // So that nothing is copied for the many rows that are messages.
    if number(column::ITEM_TYPE) == event::MESSAGE {
        return None;
    }
    event::event(&event::Columns {
        item_type: number(column::ITEM_TYPE),
        group_action_type: number(column::GROUP_ACTION_TYPE),
        group_title: str(row, column::GROUP_TITLE).as_deref(),
        handle_id: number(column::HANDLE_ID),
        other_handle: number(column::OTHER_HANDLE),
        other_address: str(row, column::OTHER_ADDRESS).as_deref(),
        share_status: number(column::SHARE_STATUS),
    })
}

fn read_state(row: &Columns<'_>) -> (Option<bool>, Option<Timestamp>) {
    let is_read = flag(row, column::IS_READ);
    let read_at = integer(row, column::DATE_READ).filter(|&date| date > 0 && is_read == Some(true));
    (is_read, read_at.map(|date| date::from_column(Some(date))))
}

fn addresses(mentions: Vec<decode::Mention>) -> Vec<String> {
    let mut addresses = Vec::with_capacity(mentions.len());
    for mention in mentions {
        if !addresses.contains(&mention.address) {
            addresses.push(mention.address);
        }
    }
    addresses
}

// A column of an unexpected storage class reads as if it were NULL: a single odd row must not stop a reader.

pub(super) fn integer(row: &impl Values, index: usize) -> Option<i64> {
    match row.value(index) {
        ValueRef::Integer(value) => Some(value),
        _ => None,
    }
}

pub(super) fn flag(row: &impl Values, index: usize) -> Option<bool> {
    integer(row, index).map(|value| value != 0)
}

pub(super) fn is(row: &impl Values, index: usize) -> bool {
    flag(row, index) == Some(true)
}

/// A text that is not empty.
pub(super) fn str<'row>(row: &'row impl Values, index: usize) -> Option<Cow<'row, str>> {
    match row.value(index) {
        // What is well-formed, as nearly all is, is found so in a fraction of the time.
        ValueRef::Text(bytes) if !bytes.is_empty() => {
            Some(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed))
        }
        _ => None,
    }
}

/// A text that is not empty.
pub(super) fn string(row: &impl Values, index: usize) -> Option<String> {
    str(row, index).map(Cow::into_owned)
}

pub(super) fn blob(row: &impl Values, index: usize) -> &[u8] {
    match row.value(index) {
        ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}
