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
    /// Sorted. Rows of any kind: only the rows themselves tell which of them somebody wrote.
    rows: Vec<RowId>,
    /// How many rows of chats may still be looked at, chat by chat, before the chats of all unread rows are looked up.
    left: usize,
    by_chat: Option<HashMap<ChatId, Vec<RowId>>>,
    /// Of the chats that were asked for.
    counts: HashMap<ChatId, u64>,
}

/// The last that was read; kept while nothing is written.
pub(super) type Latest = RefCell<Option<Unread>>;

/// Reads what is unread now, before [`count`] is asked; `of_all` where that will be of most chats.
pub(super) fn refresh(db: &ChatDb, of_all: bool) -> rusqlite::Result<()> {
    if !db.schema.features().unread_state {
        return Ok(());
    }
    let version = db.version()?;
    let mut latest = db.unread.borrow_mut();
    let unread = match &mut *latest {
        Some(unread) if unread.version == version => unread,
        other => other.insert(Unread::read(db, version)?),
    };
    if of_all && unread.by_chat.is_none() {
        unread.by_chat = Some(by_chat(db)?);
    }
    Ok(())
}

/// Unread inbound messages of `chat`, without what nobody wrote (renames, joins) and with a link and its preview as one.
/// `None` where the database has no read state.
pub(super) fn count(db: &ChatDb, chat: ChatId) -> rusqlite::Result<Option<u64>> {
    let mut latest = db.unread.borrow_mut();
    let Some(unread) = &mut *latest else { return Ok(None) };
    if let Some(count) = unread.counts.get(&chat) {
        return Ok(Some(*count));
    }
    let count = match &*unread.of_chat(db, chat)? {
        [] => 0,
        rows => written(db, chat, rows)?,
    };
    unread.counts.insert(chat, count);
    Ok(Some(count))
}

impl Unread {
    /// From the index alone: where each row lies in the file would cost more than all the rest.
    fn read(db: &ChatDb, version: i64) -> rusqlite::Result<Unread> {
        let mut statement = db.prepare("SELECT m.ROWID FROM message m WHERE m.is_read = 0 AND m.is_from_me = 0")?;
        let mut rows: Vec<RowId> =
            statement.query_map([], |row| row.get(0).map(RowId))?.collect::<rusqlite::Result<_>>()?;
        rows.sort_unstable();
        // Looking up the chat of a row costs as much as passing by two rows of a chat.
        Ok(Unread { version, left: 2 * rows.len(), rows, by_chat: None, counts: HashMap::new() })
    }

    fn of_chat(&mut self, db: &ChatDb, chat: ChatId) -> rusqlite::Result<Vec<RowId>> {
        if self.by_chat.is_none() {
            if let Some(rows) = self.among_rows_of(db, chat)? {
                return Ok(rows);
            }
            self.by_chat = Some(by_chat(db)?);
        }
        Ok(self.by_chat.as_ref().and_then(|chats| chats.get(&chat)).cloned().unwrap_or_default())
    }

    /// `None` where the chat has too many rows since the first unread one.
    fn among_rows_of(&mut self, db: &ChatDb, chat: ChatId) -> rusqlite::Result<Option<Vec<RowId>>> {
        let Some(first) = self.rows.first() else { return Ok(Some(Vec::new())) };
        let mut statement =
            db.prepare("SELECT message_id FROM chat_message_join WHERE chat_id = ?1 AND message_id >= ?2")?;
        let mut found = statement.query([chat.0, first.0])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            if self.left == 0 {
                return Ok(None);
            }
            self.left -= 1;
            rows.extend(integer(row, 0).map(RowId).filter(|id| self.rows.binary_search(id).is_ok()));
        }
        Ok(Some(rows))
    }
}

fn by_chat(db: &ChatDb) -> rusqlite::Result<HashMap<ChatId, Vec<RowId>>> {
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
