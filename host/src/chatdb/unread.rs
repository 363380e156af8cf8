//! Unread counts of chats: unread rows are few, and an index finds them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::fold::URL_BALLOON;
use super::row::{integer, str};
use super::schema::Table;
use super::{ChatDb, previews};
use crate::message::{ChatId, RowId};

/// By chat; chats without unread messages are left out.
pub(super) type Counts = HashMap<ChatId, u64>;

/// What was counted, and the version of the database that it was counted in.
pub(super) type Counted = RefCell<Option<(i64, Arc<Counts>)>>;

/// Unread inbound messages by chat, without what nobody wrote (renames, joins) and with a link and its preview as one.
/// `None` where the database has no read state. Counted once while nothing is written.
pub(super) fn counts(db: &ChatDb) -> rusqlite::Result<Option<Arc<Counts>>> {
    if !db.schema.features().unread_state {
        return Ok(None);
    }
    let version: i64 = db.prepare("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
    if let Some((of, counts)) = &*db.unread.borrow()
        && *of == version
    {
        return Ok(Some(counts.clone()));
    }
    let counts = Arc::new(count(db)?);
    db.unread.replace(Some((version, counts.clone())));
    Ok(Some(counts))
}

fn count(db: &ChatDb) -> rusqlite::Result<Counts> {
    let column = |name| db.schema.column(Table::Message, "m", name);
    // What kind of row it is stands in no condition: SQLite would then look for an index that has it.
    let sql = format!(
        "SELECT j.chat_id, m.ROWID, {}, {} FROM message m CROSS JOIN chat_message_join j ON j.message_id = m.ROWID
         WHERE m.is_read = 0 AND m.is_from_me = 0",
        column("item_type"),
        column("balloon_bundle_id")
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut counted: HashMap<ChatId, HashSet<RowId>> = HashMap::new();
    let mut previews = Vec::new();
    while let Some(row) = rows.next()? {
        let (Some(chat), Some(id)) = (integer(row, 0).map(ChatId), integer(row, 1).map(RowId)) else { continue };
        if integer(row, 2).is_some_and(|item_type| item_type != 0) {
            continue;
        }
        if str(row, 3).as_deref() == Some(URL_BALLOON) {
            previews.push((chat, id));
        } else {
            counted.entry(chat).or_default().insert(id);
        }
    }
    for (chat, id) in previews {
        match previews::text_of_preview(db, chat, id)? {
            // Its text is counted by itself, or has been read.
            Some(_) => {}
            None => {
                counted.entry(chat).or_default().insert(id);
            }
        }
    }
    Ok(counted.into_iter().map(|(chat, ids)| (chat, ids.len() as u64)).collect())
}
