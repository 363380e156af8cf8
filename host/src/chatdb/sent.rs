//! Finding the rows that Messages wrote for what we asked it to send, and the service an address is known on.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use unicode_normalization::UnicodeNormalization;

use super::load::Loader;
use super::row::{self, MessageRow, integer, str};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::date;
use crate::message::{Chat, Message, RowId};

/// The service on which an address is known to be reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownService {
    IMessage,
    Sms,
}

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

    /// The newest outgoing message after row `after` in `chat` with this text.
    pub fn sent_text(&self, after: RowId, chat: &Chat, text: &str) -> Result<Option<Message>, Error> {
        let wanted = comparable(text);
        self.read("look for a sent message", || {
            let mut found = outgoing(self, after, chat, |row| comparable(&row.message.text) == wanted)?;
            found.truncate(1);
            Loader::new(self).fill(&mut found)?;
            Ok(found.pop().map(|row| row.message))
        })
    }

    /// The one outgoing message after row `after` in `chat` that has the file at `path` attached. Two are none: which
    /// of them it is cannot be known.
    pub fn sent_file(&self, after: RowId, chat: &Chat, path: &Path) -> Result<Option<Message>, Error> {
        self.read("look for a sent file", || {
            let mut found = outgoing(self, after, chat, |row| row.has_attachments)?;
            Loader::new(self).fill(&mut found)?;
            let is_wanted = |message: &Message| message.attachments.iter().any(|file| is_at(&file.filename, path));
            let mut found = found.into_iter().map(|row| row.message).filter(is_wanted);
            Ok(found.next().filter(|_| found.next().is_none()))
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
    after: RowId,
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
    let mut rows = statement.query(params![chat.id.0, after.0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let row = MessageRow::read_in(chat.id, row);
        if !row.is_tapback() && wanted(&row) {
            found.push(row);
        }
    }
    Ok(found)
}

/// Messages may store another normalization than it was given, and trims what it sends.
fn comparable(text: &str) -> String {
    text.trim().nfc().collect()
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
