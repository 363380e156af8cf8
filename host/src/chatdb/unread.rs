//! Unread counts of chats: unread rows are few, and an index finds them.

use std::cell::RefCell;
use std::collections::HashMap;

use super::fold::URL_BALLOON;
use super::load::json;
use super::row::{integer, str};
use super::schema::Table;
use super::{ChatDb, previews};
use crate::message::{ChatId, RowId};

/// What is unread in one version of the database.
pub(super) struct Unread {
    version: i64,
    /// Of any kind, as the index has them. Only the rows themselves tell which of them somebody wrote.
    rows: HashMap<ChatId, Vec<RowId>>,
    /// Of the chats that were asked for.
    counts: HashMap<ChatId, u64>,
}

/// The last that was read; kept while nothing is written.
pub(super) type Latest = RefCell<Option<Unread>>;

/// Unread inbound messages of `chat`, without what nobody wrote (renames, joins) and with a link and its preview as one.
/// `None` where the database has no read state.
pub(super) fn count(db: &ChatDb, chat: ChatId) -> rusqlite::Result<Option<u64>> {
    if !db.schema.features().unread_state {
        return Ok(None);
    }
    let version: i64 = db.prepare("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    let mut latest = db.unread.borrow_mut();
    let unread = match &mut *latest {
        Some(unread) if unread.version == version => unread,
        other => other.insert(Unread { version, rows: rows(db)?, counts: HashMap::new() }),
    };
    let Some(rows) = unread.rows.get(&chat) else { return Ok(Some(0)) };
    if let Some(count) = unread.counts.get(&chat) {
        return Ok(Some(*count));
    }
    let count = written(db, chat, rows)?;
    unread.counts.insert(chat, count);
    Ok(Some(count))
}

/// Answered by indexes alone: where each row lies in the file would cost more than all the rest.
fn rows(db: &ChatDb) -> rusqlite::Result<HashMap<ChatId, Vec<RowId>>> {
    let mut statement = db.prepare(
        "SELECT j.chat_id, m.ROWID FROM message m CROSS JOIN chat_message_join j ON j.message_id = m.ROWID
         WHERE m.is_read = 0 AND m.is_from_me = 0",
    )?;
    let mut found = statement.query([])?;
    let mut rows: HashMap<ChatId, Vec<RowId>> = HashMap::new();
    while let Some(row) = found.next()? {
        if let (Some(chat), Some(id)) = (integer(row, 0), integer(row, 1)) {
            rows.entry(ChatId(chat)).or_default().push(RowId(id));
        }
    }
    Ok(rows)
}

/// How many of `rows` somebody wrote.
fn written(db: &ChatDb, chat: ChatId, rows: &[RowId]) -> rusqlite::Result<u64> {
    let column = |name| db.schema.column(Table::Message, "m", name);
    let sql = format!(
        "SELECT m.ROWID, {}, {} FROM message m WHERE m.ROWID IN (SELECT value FROM json_each(?1))",
        column("item_type"),
        column("balloon_bundle_id")
    );
    let mut statement = db.prepare(&sql)?;
    let ids: Vec<i64> = rows.iter().map(|id| id.0).collect();
    let mut found = statement.query([json(&ids)])?;
    let mut count = 0;
    while let Some(row) = found.next()? {
        let id = RowId(row.get(0)?);
        if integer(row, 1).is_some_and(|item_type| item_type != 0) {
            continue;
        }
        let is_preview = str(row, 2).as_deref() == Some(URL_BALLOON);
        // The text of a preview is counted by itself, or has been read.
        if is_preview && previews::text_of_preview(db, chat, id)?.is_some() {
            continue;
        }
        count += 1;
    }
    Ok(count)
}
