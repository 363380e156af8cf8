//! Unread counts of all chats at once: unread rows are few, and an index finds them.

use std::collections::{HashMap, HashSet};

use super::fold::URL_BALLOON;
use super::row::{integer, str};
use super::schema::Table;
use super::{ChatDb, previews};
use crate::message::{ChatId, RowId};

/// Unread inbound messages by chat, without what nobody wrote (renames, joins) and with a link and its preview as one.
/// `None` where the database has no read state.
pub(super) fn counts(db: &ChatDb) -> rusqlite::Result<Option<HashMap<ChatId, u64>>> {
    if !db.schema.features().unread_state {
        return Ok(None);
    }
    let written = if db.schema.has(Table::Message, "item_type") { "AND m.item_type = 0" } else { "" };
    let sql = format!(
        "SELECT j.chat_id, m.ROWID, {} FROM message m JOIN chat_message_join j ON j.message_id = m.ROWID
         WHERE m.is_read = 0 AND m.is_from_me = 0 {written}",
        db.schema.column(Table::Message, "m", "balloon_bundle_id")
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut counted: HashMap<ChatId, HashSet<RowId>> = HashMap::new();
    let mut previews = Vec::new();
    while let Some(row) = rows.next()? {
        let (Some(chat), Some(id)) = (integer(row, 0).map(ChatId), integer(row, 1).map(RowId)) else { continue };
        if str(row, 2).as_deref() == Some(URL_BALLOON) {
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
    Ok(Some(counted.into_iter().map(|(chat, ids)| (chat, ids.len() as u64)).collect()))
}
