//! Finding the rows that Messages wrote for what we asked it to send, and the service an address is known on.

use std::path::Path;

use rusqlite::{OptionalExtension, params};
use unicode_normalization::UnicodeNormalization;

use super::load::Loader;
use super::row::{self, MessageRow, str};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::message::{Chat, Message, RowId};

/// The service on which an address is known to be reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownService {
    IMessage,
    Sms,
}

impl ChatDb {
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
