//! Finding the rows that Messages wrote for what we asked it to send, and the service an address is known on.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use super::load::Loader;
use super::row::{self, MessageRow, integer, str};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::date;
use crate::message::{Chat, ChatId, Message, RowId};

/// The service on which an address is known to be reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownService {
    IMessage,
    Sms,
}

/// Which outgoing rows may be what was sent.
#[derive(Clone, Copy)]
pub struct Among<'a> {
    pub after: RowId,
    /// Not sent later than this.
    pub until: Option<Timestamp>,
    /// Whether the message with this guid is known to be another send's.
    pub is_taken: &'a dyn Fn(&str) -> bool,
}

/// The two rows of a message to ourselves are written one right after the other, but others may come between them.
const TWIN_ROWS: i64 = 1000;

/// And they have the same date, but for the time that the way through the network takes.
const TWIN_SECONDS: i64 = 60;

/// What became of a row that was sent. Columns that the database lacks read as 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendStatus {
    /// As stored.
    pub guid: String,
    pub service: Option<String>,
    pub error: i64,
    pub is_sent: bool,
    pub is_delivered: bool,
    pub is_finished: bool,
    pub is_delayed: bool,
    pub is_prepared: bool,
    pub is_pending_satellite_send: bool,
    pub was_downgraded: bool,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

impl ChatDb {
    /// `guid` in any case.
    pub fn send_status(&self, guid: &str) -> Result<Option<SendStatus>, Error> {
        if !self.schema.has(Table::Message, "guid") {
            return Ok(None);
        }
        self.read("look up a sent message", || {
            // Guids are written in one case or the other, and an index compares bytes.
            let spellings = [guid.to_owned(), guid.to_uppercase(), guid.to_lowercase()];
            let mut statement = self.prepare(&send_status_sql(self))?;
            statement.query_row(spellings, |row| Ok(SendStatus::read(row))).optional()
        })
    }

    /// The newest outgoing message in `chat` whose text has this key (see [`text_key`]).
    pub fn sent_text(&self, among: &Among<'_>, chat: &Chat, key: &str) -> Result<Option<Message>, Error> {
        self.read("look for a sent message", || {
            let mut found = outgoing(self, among, chat, |row| text_key(&row.message.text) == key)?;
            found.truncate(1);
            Loader::new(self).fill(&mut found)?;
            Ok(found.pop().map(|row| row.message))
        })
    }

    /// The one outgoing message in `chat` that has the file at `path` attached. Two are none: which of them it is
    /// cannot be known.
    pub fn sent_file(&self, among: &Among<'_>, chat: &Chat, path: &Path) -> Result<Option<Message>, Error> {
        self.read("look for a sent file", || {
            let mut found = outgoing(self, among, chat, |row| row.has_attachments)?;
            Loader::new(self).fill(&mut found)?;
            let is_wanted = |message: &Message| message.attachments.iter().any(|file| is_at(&file.filename, path));
            let mut found = found.into_iter().map(|row| row.message).filter(is_wanted);
            Ok(found.next().filter(|_| found.next().is_none()))
        })
    }

    /// The outgoing message in `chat` with the text of `row` that was written closest to it, [`TWIN_ROWS`] away at
    /// most and within [`TWIN_SECONDS`]: what the row is the twin of, where both are in a chat with ourselves.
    pub fn own_twin(&self, row: &Message, is_taken: &dyn Fn(&str) -> bool) -> Result<Option<Message>, Error> {
        let Some(chat) = &row.chat else { return Ok(None) };
        let key = text_key(&row.text);
        let is_near = |other: &Message| {
            let apart = other.sent_at.duration_since(row.sent_at).as_secs().abs();
            (other.id.0 - row.id.0).abs() <= TWIN_ROWS && apart <= TWIN_SECONDS
        };
        let after = RowId(row.id.0.saturating_sub(TWIN_ROWS + 1));
        self.read("look for the twin of a message", || {
            let among = Among { after, until: None, is_taken };
            let found =
                outgoing(self, &among, chat, |other| is_near(&other.message) && text_key(&other.message.text) == key)?;
            Ok(found.into_iter().map(|row| row.message).min_by_key(|other| (other.id.0 - row.id.0).abs()))
        })
    }

    /// Whether anybody else has ever written in one of `chats`.
    pub fn has_inbound(&self, chats: &[ChatId]) -> Result<bool, Error> {
        self.read("look for a message of somebody else", || {
            let mut statement = self.prepare(
                "SELECT 1 FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id
                 WHERE j.chat_id = ?1 AND m.is_from_me = 0 LIMIT 1",
            )?;
            for chat in chats {
                if statement.exists([chat.0])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// An outgoing row after row `after`, addressed to one of `keys` (see [`super::target_keys`]), that Messages left
    /// empty and in no chat: a send that went nowhere.
    pub fn ghost(&self, after: RowId, keys: &[String]) -> Result<Option<RowId>, Error> {
        self.read("look for a failed send", || {
            let sql = format!(
                "SELECT {} FROM message m {} WHERE m.ROWID > ?1 AND m.is_from_me = 1 ORDER BY m.ROWID DESC",
                self.columns,
                row::JOINS
            );
            let mut statement = self.prepare(&sql)?;
            let mut rows = statement.query([after.0])?;
            while let Some(found) = rows.next()? {
                let MessageRow { message, chat_id, handle_id, has_attachments, .. } = MessageRow::read(found);
                let is_empty = message.text.is_empty() && !has_attachments && chat_id.is_none();
                if is_empty && handle_id != 0 && keys.contains(&message.sender) {
                    return Ok(Some(message.id));
                }
            }
            Ok(None)
        })
    }

    /// What earlier messages with `address` tell about the service that reaches it.
    pub fn known_service(&self, address: &str) -> Result<Option<KnownService>, Error> {
        if !self.schema.has(Table::Handle, "service") {
            return Ok(None);
        }
        self.read("look up the service of an address", || {
            let mut statement = self.prepare("SELECT ROWID, service FROM handle WHERE id = ?1")?;
            let mut known = None;
            for spelling in spellings(address) {
                let mut handles = statement.query([spelling])?;
                while let Some(handle) = handles.next()? {
                    match str(handle, 1).as_deref() {
                        Some("iMessage" | "iMessageLite") if has_success(self, handle.get(0)?)? => {
                            return Ok(Some(KnownService::IMessage));
                        }
                        Some("SMS") => known = Some(KnownService::Sms),
                        _ => {}
                    }
                }
            }
            Ok(known)
        })
    }
}

const STATUS_COLUMNS: [&str; 10] = [
    "error",
    "is_sent",
    "is_delivered",
    "is_finished",
    "is_delayed",
    "is_prepared",
    "is_pending_satellite_send",
    "was_downgraded",
    "date_delivered",
    "date_read",
];

fn send_status_sql(db: &ChatDb) -> String {
    let columns = STATUS_COLUMNS.map(|name| db.schema.column(Table::Message, "m", name)).join(", ");
    format!(
        "SELECT m.guid, m.service, {columns} FROM message m WHERE m.guid IN (?1, ?2, ?3) ORDER BY m.ROWID DESC LIMIT 1"
    )
}

impl SendStatus {
    fn read(row: &Row<'_>) -> SendStatus {
        let is = |index| row::is(row, index);
        let at = |index| integer(row, index).filter(|&date| date > 0).map(|date| date::from_column(Some(date)));
        SendStatus {
            guid: row::string(row, 0).unwrap_or_default(),
            service: row::string(row, 1),
            error: integer(row, 2).unwrap_or(0),
            is_sent: is(3),
            is_delivered: is(4),
            is_finished: is(5),
            is_delayed: is(6),
            is_prepared: is(7),
            is_pending_satellite_send: is(8),
            was_downgraded: is(9),
            delivered_at: at(10),
            read_at: at(11),
        }
    }
}

/// Outgoing rows of `chat` that are `wanted`, newest first.
fn outgoing(
    db: &ChatDb,
    among: &Among<'_>,
    chat: &Chat,
    wanted: impl Fn(&MessageRow) -> bool,
) -> rusqlite::Result<Vec<MessageRow>> {
    let sql = format!(
        "SELECT {} FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id {}
         WHERE j.chat_id = ?1 AND j.message_id > ?2 AND m.is_from_me = 1 ORDER BY j.message_id DESC",
        db.columns,
        row::JOINS
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(params![chat.id.0, among.after.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let row = MessageRow::read_in(chat.id, row);
        let is_among = among.until.is_none_or(|until| row.message.sent_at <= until);
        if !row.is_tapback() && is_among && wanted(&row) && !(among.is_taken)(&row.message.guid) {
            found.push(row);
        }
    }
    Ok(found)
}

/// Tells one text from another without keeping it. Messages may store another normalization than it was given, and
/// trims what it sends.
pub fn text_key(text: &str) -> String {
    let comparable: String = text.trim().nfc().collect();
    Sha256::digest(comparable.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `filename`, as the attachment table has it, names `path`. The home folder in `~/…` is not resolved: paths
/// of sent files end in a folder of their own.
fn is_at(filename: &str, path: &Path) -> bool {
    match filename.strip_prefix("~/") {
        Some(below_home) => !below_home.is_empty() && path.ends_with(below_home),
        None => Path::new(filename) == path,
    }
}

/// Whether a message with this handle was ever not in error.
fn has_success(db: &ChatDb, handle: i64) -> rusqlite::Result<bool> {
    let error = if db.schema.has(Table::Message, "error") { "AND error = 0" } else { "" };
    let sql = format!("SELECT 1 FROM message WHERE handle_id = ?1 {error} LIMIT 1");
    let mut statement = db.prepare(&sql)?;
    Ok(statement.query_row([handle], |_| Ok(())).optional()?.is_some())
}

/// The ways in which `handle.id` may spell an address.
fn spellings(address: &str) -> Vec<String> {
    let address = address.trim();
    let mut spellings = vec![address.to_owned()];
    if address.contains('@') {
        spellings.push(address.to_lowercase());
    } else {
        let digits: String = address.chars().filter(char::is_ascii_digit).collect();
        match digits.len() {
            0 => {}
            10 => spellings.extend([format!("1{digits}"), format!("+1{digits}")]),
            11.. if digits.starts_with('1') => spellings.extend([digits[1..].to_owned(), format!("+{digits}")]),
            _ => spellings.push(format!("+{digits}")),
        }
        spellings.push(digits);
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}
