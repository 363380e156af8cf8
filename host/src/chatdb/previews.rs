//! Finding the other row of a link that was sent: the text of a preview, the previews of a text.

use jiff::Timestamp;
use rusqlite::params;

use super::load::json;
use super::row::{self, MessageRow, integer};
use super::schema::Table;
use super::{ChatDb, fold};
use crate::decode::date;
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

/// The last texts of some chats, and which previews of them were read with them.
pub(super) struct Texts<'chats> {
    pub chats: &'chats [i64],
    /// When the first and the last were sent. `None` where one of them has no date.
    pub sent: Option<(Timestamp, Timestamp)>,
    /// All rows up to this one were read.
    pub read: RowId,
}

/// Chats of `texts` in which there may be further previews of these.
pub(super) fn may_follow(db: &ChatDb, texts: &Texts<'_>) -> rusqlite::Result<Vec<ChatId>> {
    match sent_with(db, texts)? {
        Some(rows) if rows.is_empty() => Ok(Vec::new()),
        Some(rows) => with_previews(db, &rows),
        None => by_next_row(db, texts),
    }
}

/// Dates that are looked at before each chat is looked at instead: a single odd one may be years from the others.
const MOST_DATES: usize = 10_000;

/// Rows that are not read yet and have a date as previews of `texts` must have. From the index of dates alone, as rows
/// are nearly always written in the order of these.
fn sent_with(db: &ChatDb, texts: &Texts<'_>) -> rusqlite::Result<Option<Vec<i64>>> {
    let Some((first, last)) = texts.sent else { return Ok(None) };
    let last = last.saturating_add(fold::MAX_DELAY).unwrap_or(Timestamp::MAX);
    let mut statement = db.prepare(
        "SELECT m.ROWID FROM message m WHERE m.date BETWEEN ?1 AND ?2
         UNION ALL SELECT m.ROWID FROM message m WHERE m.date BETWEEN ?3 AND ?4",
    )?;
    let dates = [date::to_column(first), date::to_column(last), date::to_old_column(first), date::to_old_column(last)];
    let mut rows = statement.query(dates)?;
    let (mut found, mut seen) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen > MOST_DATES {
            return Ok(None);
        }
        found.extend(integer(row, 0).filter(|id| *id > texts.read.0));
    }
    Ok(Some(found))
}

/// The chats of those of `rows` that are previews.
fn with_previews(db: &ChatDb, rows: &[i64]) -> rusqlite::Result<Vec<ChatId>> {
    let sql = format!(
        "SELECT DISTINCT j.chat_id FROM json_each(?1) CROSS JOIN message m ON m.ROWID = json_each.value
         CROSS JOIN chat_message_join j ON j.message_id = m.ROWID WHERE {} = ?2",
        db.schema.column(Table::Message, "m", "balloon_bundle_id"),
    );
    let mut statement = db.prepare(&sql)?;
    let found = statement.query_map(params![json(rows), fold::URL_BALLOON], |row| row.get(0).map(ChatId))?;
    found.collect()
}

/// Those whose next row may be a preview, or a tapback before one.
fn by_next_row(db: &ChatDb, texts: &Texts<'_>) -> rusqlite::Result<Vec<ChatId>> {
    let column = |name| db.schema.column(Table::Message, "m", name);
    let sql = format!(
        "SELECT value FROM json_each(?1) WHERE (
             SELECT {} = ?3 OR {} <> 0 FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id
             WHERE j.chat_id = value AND j.message_id > ?2 ORDER BY j.message_id LIMIT 1)",
        column("balloon_bundle_id"),
        column("associated_message_type"),
    );
    let mut statement = db.prepare(&sql)?;
    let parameters = params![json(texts.chats), texts.read.0, fold::URL_BALLOON];
    let found = statement.query_map(parameters, |row| row.get(0).map(ChatId))?;
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
