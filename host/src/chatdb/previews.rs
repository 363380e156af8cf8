//! Finding the other row of a link that was sent: the text of a preview, the previews of a text.

use rusqlite::params;

use super::load::json;
use super::row::{self, MessageRow};
use super::schema::Table;
use super::{ChatDb, fold};
use crate::message::{ChatId, Message, RowId};

/// How many rows before a preview are looked at to find its text. More previews and tapbacks than this never stand
/// between the two.
const MAX_DISTANCE: usize = 64;

/// The text that the preview in row `id` belongs to, if it has one.
pub(super) fn text_of_preview(db: &ChatDb, chat: ChatId, id: RowId) -> rusqlite::Result<Option<MessageRow>> {
    let sql = format!("SELECT {} FROM message m {} WHERE m.ROWID = ?1", db.columns, row::JOINS);
    let mut statement = db.prepare(&sql)?;
    let preview = statement.query_row([id.0], |row| Ok(MessageRow::read(row)))?;
    text_of(db, chat, &preview)
}

/// The guid of the text that `message` is only a preview of. None where the text lacks the link: then the preview
/// says something new.
pub(super) fn text_repeated_by(db: &ChatDb, message: &Message) -> rusqlite::Result<Option<String>> {
    let Some(chat) = message.chat.as_ref().filter(|_| fold::is_preview_message(message)) else { return Ok(None) };
    let text = text_of_preview(db, chat.id, message.id)?;
    Ok(text.filter(|text| fold::has_link(&text.message, message)).map(|text| text.message.guid))
}

pub(super) fn text_of(db: &ChatDb, chat: ChatId, preview: &MessageRow) -> rusqlite::Result<Option<MessageRow>> {
    let sql = format!(
        "SELECT {} FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id {}
         WHERE j.chat_id = ?1 AND j.message_id < ?2 ORDER BY j.message_id DESC",
        db.columns,
        row::JOINS
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(params![chat.0, preview.message.id.0])?;
    let mut between = Vec::new();
    for _ in 0..MAX_DISTANCE {
        let Some(row) = rows.next()? else { break };
        let row = MessageRow::read_in(chat, row);
        if row.is_tapback() {
            continue;
        }
        if fold::is_preview(&row) {
            between.push(row);
            continue;
        }
        let belong = fold::belongs(preview, &row) && between.iter().all(|other| fold::belongs(other, &row));
        return Ok(belong.then_some(row));
    }
    Ok(None)
}

/// Those of `chats` whose first row after row `after` may be a preview, or a tapback before one.
pub(super) fn may_follow(db: &ChatDb, chats: &[i64], after: RowId) -> rusqlite::Result<Vec<ChatId>> {
    let column = |name| db.schema.column(Table::Message, "m", name);
    let sql = format!(
        "SELECT value FROM json_each(?1) WHERE (
             SELECT {} = ?3 OR {} <> 0 FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id
             WHERE j.chat_id = value AND j.message_id > ?2 ORDER BY j.message_id LIMIT 1)",
        column("balloon_bundle_id"),
        column("associated_message_type"),
    );
    let mut statement = db.prepare(&sql)?;
    let found = statement.query_map(params![json(chats), after.0, fold::URL_BALLOON], |row| row.get(0).map(ChatId))?;
    found.collect()
}

/// Attaches the previews that come after row `after` and belong to `text`.
pub(super) fn attach_following(db: &ChatDb, chat: ChatId, text: &mut MessageRow, after: RowId) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {} FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id {}
         WHERE j.chat_id = ?1 AND j.message_id > ?2 ORDER BY j.message_id",
        db.columns,
        row::JOINS
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query(params![chat.0, after.0])?;
    while let Some(row) = rows.next()? {
        let row = MessageRow::read(row);
        if fold::belongs(&row, text) {
            fold::attach(&mut text.message, &row.message);
        } else if !row.is_tapback() {
            break;
        }
    }
    Ok(())
}
