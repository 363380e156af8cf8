//! Unread counts of chats: unread rows are few, and an index finds them.

use std::collections::{HashMap, HashSet};

use rusqlite::params_from_iter;

use super::fold::URL_BALLOON;
use super::load::json;
use super::row::{integer, str};
use super::schema::Table;
use super::{ChatDb, previews};
use crate::message::{ChatId, RowId};

/// Unread inbound messages by chat, of all chats or only those `among`, without what nobody wrote (renames, joins) and
/// with a link and its preview as one. Chats without unread messages are left out. `None` where the database has no
/// read state.
pub(super) fn counts(db: &ChatDb, among: Option<&[ChatId]>) -> rusqlite::Result<Option<HashMap<ChatId, u64>>> {
    if !db.schema.features().unread_state {
        return Ok(None);
    }
    let column = |name| db.schema.column(Table::Message, "m", name);
    let filter = if among.is_some() { "AND +j.chat_id IN (SELECT value FROM json_each(?1))" } else { "" };
    // What kind of row it is stands in no condition: SQLite would then fetch every unread row of the database before
    // it looks which chat it is in. The `+` keeps it from looking for every row in every chat.
    let sql = format!(
        "SELECT j.chat_id, m.ROWID, {}, {} FROM message m CROSS JOIN chat_message_join j ON j.message_id = m.ROWID
         WHERE m.is_read = 0 AND m.is_from_me = 0 {filter}",
        column("item_type"),
        column("balloon_bundle_id")
    );
    let ids = among.map(|chats| json(&chats.iter().map(|chat| chat.0).collect::<Vec<_>>()));
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(ids))?;
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
    Ok(Some(counted.into_iter().map(|(chat, ids)| (chat, ids.len() as u64)).collect()))
}
