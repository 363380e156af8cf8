//! The journal as its owner looks through it: newest first, page by page.

use rusqlite::{Connection, params};

use super::Entry;
use crate::message::ChatId;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub verdict: Option<String>,
    pub chat: Option<ChatId>,
    /// As compared.
    pub sender: Option<String>,
}

impl Wanted {
    pub fn wants(&self, entry: &Entry) -> bool {
        self.verdict.as_ref().is_none_or(|verdict| *verdict == entry.verdict)
            && self.chat.is_none_or(|chat| chat == entry.chat)
            && self.sender.as_ref().is_none_or(|sender| *sender == entry.sender)
    }
}

/// Entries in the order in which messages were seen, the newest first; older than `before`, where there is one.
pub fn list(
    connection: &Connection,
    wanted: &Wanted,
    before: Option<&Entry>,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM journal INDEXED BY journal_seen
         WHERE seen_at <= ?1 AND (seen_at, message_rowid, guid) < (?1, ?2, ?3)
           AND (?4 IS NULL OR verdict = ?4) AND (?5 IS NULL OR chat_id = ?5) AND (?6 IS NULL OR sender = ?6)
         ORDER BY seen_at DESC, message_rowid DESC, guid DESC LIMIT ?7",
    )?;
    let (seen, row, guid) = match before {
        Some(entry) => (entry.seen_at.as_millisecond(), entry.message.0, entry.guid.as_str()),
        None => (i64::MAX, i64::MAX, ""),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let chat = wanted.chat.map(|chat| chat.0);
    query.query_map(params![seen, row, guid, wanted.verdict, chat, wanted.sender, limit], Entry::from_row)?.collect()
}
