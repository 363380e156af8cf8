//! What other tables say of a stretch of rows of `message`, read at once and in their order.

use std::iter::Peekable;
use std::vec;

use super::ChatDb;
use super::row::{MessageRow, integer};
use crate::message::{ChatId, RowId};

/// The rows after one, up to and with another, in the order of their numbers.
pub(super) struct Stretch {
    /// Each row's first chat.
    chats: Peekable<vec::IntoIter<(i64, ChatId)>>,
    with_attachments: Peekable<vec::IntoIter<i64>>,
}

impl Stretch {
    pub fn read(db: &ChatDb, after: RowId, until: RowId) -> rusqlite::Result<Stretch> {
        // In the order of the index, whatever the chats' is: grouping would cost more than reading.
        let mut statement = db.prepare(
            "SELECT j.message_id, j.chat_id FROM chat_message_join j
             WHERE j.message_id > ?1 AND j.message_id <= ?2 ORDER BY j.message_id",
        )?;
        let mut rows = statement.query([after.0, until.0])?;
        let mut chats: Vec<(i64, ChatId)> = Vec::new();
        while let Some(row) = rows.next()? {
            let Some((message, chat)) = integer(row, 0).zip(integer(row, 1).map(ChatId)) else { continue };
            match chats.last_mut() {
                Some((last, first)) if *last == message => *first = chat.min(*first),
                _ => chats.push((message, chat)),
            }
        }
        let mut with_attachments = Vec::new();
        if db.schema.has_attachments() {
            let mut statement = db.prepare(
                "SELECT DISTINCT j.message_id FROM message_attachment_join j
                 WHERE j.message_id > ?1 AND j.message_id <= ?2 ORDER BY j.message_id",
            )?;
            let mut rows = statement.query([after.0, until.0])?;
            while let Some(row) = rows.next()? {
                with_attachments.extend(integer(row, 0));
            }
        }
        Ok(Stretch { chats: chats.into_iter().peekable(), with_attachments: with_attachments.into_iter().peekable() })
    }

    /// Tells `row` what belongs to it. Rows before it are not asked for any more.
    pub fn fill(&mut self, row: &mut MessageRow) {
        let id = row.message.id.0;
        while self.chats.next_if(|(message, _)| *message < id).is_some() {}
        row.chat_id = self.chats.next_if(|(message, _)| *message == id).map(|(_, chat)| chat);
        while self.with_attachments.next_if(|message| *message < id).is_some() {}
        row.has_attachments = self.with_attachments.next_if_eq(&id).is_some();
    }
}
