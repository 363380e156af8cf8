//! The newest messages of one chat.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::params_from_iter;

use super::load::Loader;
use super::row::{self, MessageRow};
use super::schema::Table;
use super::{ChatDb, Error, fold, previews, reactions};
use crate::decode::date;
use crate::message::{ChatId, Message, RowId};

/// Which messages of a chat are wanted.
#[derive(Clone, Debug)]
pub struct History {
    pub chat: ChatId,
    /// Counts messages as a person sees them: a link with its preview is one.
    pub limit: usize,
    /// Empty for everybody's; compared without regard to ASCII case.
    pub participants: Vec<String>,
    /// Inclusive.
    pub start: Option<Timestamp>,
    /// Exclusive.
    pub end: Option<Timestamp>,
}

impl History {
    /// The newest `limit` messages of `chat`.
    pub fn newest(chat: ChatId, limit: usize) -> History {
        History { chat, limit, participants: Vec::new(), start: None, end: None }
    }

    fn wants(&self, message: &Message) -> bool {
        self.start.is_none_or(|start| message.sent_at >= start)
            && self.end.is_none_or(|end| message.sent_at < end)
            && (self.participants.is_empty()
                || self.participants.iter().any(|participant| participant.eq_ignore_ascii_case(&message.sender)))
    }
}

impl ChatDb {
    /// Newest first, without tapback rows, with reactions filled in.
    pub fn history(&self, query: &History) -> Result<Vec<Message>, Error> {
        self.read("read the history of a chat", || {
            let mut rows = select(self, query)?;
            rows.sort_by_key(|row| std::cmp::Reverse((row.message.sent_at, row.message.id)));
            Loader::new(self).fill(&mut rows)?;
            let mut messages: Vec<Message> = rows.into_iter().map(|row| row.message).collect();
            reactions::fill(self, &mut messages)?;
            Ok(messages)
        })
    }
}

/// Steps through the chat from its newest row until there are enough messages.
fn select(db: &ChatDb, query: &History) -> rusqlite::Result<Vec<MessageRow>> {
    let mut chosen: Vec<MessageRow> = Vec::new();
    let mut place: HashMap<RowId, usize> = HashMap::new();
    let mut statement = db.prepare(&newest_first(db, query)?)?;
    let end = query.end.map(date::to_column);
    let mut rows = statement.query(params_from_iter([Some(query.chat.0), end].into_iter().flatten()))?;
    while chosen.len() < query.limit
        && let Some(row) = rows.next()?
    {
        let row = MessageRow::read_in(query.chat, row);
        if row.has_date && query.start.is_some_and(|start| row.message.sent_at < start) {
            break;
        }
        if row.is_tapback() || !query.wants(&row.message) || place.contains_key(&row.message.id) {
            continue;
        }
        let text = if fold::is_preview(&row) { previews::text_of(db, query.chat, &row)? } else { None };
        let Some(mut text) = text.filter(|text| query.wants(&text.message)) else {
            place.insert(row.message.id, chosen.len());
            chosen.push(row);
            continue;
        };
        if let Some(&index) = place.get(&text.message.id) {
            fold::attach(&mut chosen[index].message, &row.message);
        } else {
            fold::attach(&mut text.message, &row.message);
            place.insert(text.message.id, chosen.len());
            chosen.push(text);
        }
    }
    Ok(chosen)
}

/// What does not stand in the order of its date, as a message without one, is not filtered here.
fn newest_first(db: &ChatDb, query: &History) -> rusqlite::Result<String> {
    let select = format!(
        "SELECT {} FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id {} WHERE j.chat_id = ?1",
        db.columns,
        row::JOINS
    );
    Ok(match (has_join_dates(db, query.chat)?, query.end) {
        (true, None) => format!("{select} ORDER BY j.message_date DESC, j.message_id DESC"),
        (true, Some(_)) => {
            format!("{select} AND j.message_date <= ?2 ORDER BY j.message_date DESC, j.message_id DESC")
        }
        (false, None) => format!("{select} ORDER BY m.date DESC, m.ROWID DESC"),
        (false, Some(_)) => {
            format!("{select} AND (m.date <= ?2 OR typeof(m.date) <> 'integer') ORDER BY m.date DESC, m.ROWID DESC")
        }
    })
}

/// Whether all joins of a chat carry their message's date, so that their index gives the order.
fn has_join_dates(db: &ChatDb, chat: ChatId) -> rusqlite::Result<bool> {
    if !db.schema.has(Table::ChatMessageJoin, "message_date") {
        return Ok(false);
    }
    let mut statement = db.prepare(
        "SELECT COALESCE((SELECT message_date FROM chat_message_join WHERE chat_id = ?1
         ORDER BY message_date LIMIT 1), 0) > 0",
    )?;
    statement.query_row([chat.0], |row| row.get(0))
}
