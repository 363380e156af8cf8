//! What belongs to message rows but stands in other tables.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::OptionalExtension;

use super::ChatDb;
use super::attachment;
use super::chats;
use super::polls;
use super::row::{self, MessageRow, blob, integer};
use super::schema::Table;
use crate::decode::property_list::{self, Fuel};
use crate::message::{Chat, ChatId, Message, Quoted, RowId};

/// Serves one call, so nothing that it remembers is out of date.
pub(super) struct Loader<'db> {
    db: &'db ChatDb,
    parents: HashMap<String, Option<Quoted>>,
}

impl<'db> Loader<'db> {
    pub fn new(db: &'db ChatDb) -> Loader<'db> {
        Loader { db, parents: HashMap::new() }
    }

    /// Fills in chats, attachments and quoted parents.
    pub fn fill(mut self, rows: &mut [MessageRow]) -> rusqlite::Result<()> {
        self.attachments(rows)?;
        let chats = self.chats(rows)?;
        for row in rows.iter_mut() {
            row.message.chat = row.chat_id.and_then(|id| chats.get(&id).cloned());
            self.transcription(row)?;
            self.quoted(&mut row.message)?;
        }
        polls::fill(self.db, rows)
    }

    fn chats(&self, rows: &[MessageRow]) -> rusqlite::Result<HashMap<ChatId, Arc<Chat>>> {
        let mut ids: Vec<i64> = rows.iter().filter_map(|row| row.chat_id).map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = chats::load_all(self.db, &ids)?;
        // A join may name a chat that has no row. The message still belongs to that chat and no other.
        let chat = |id| found.remove(&id).unwrap_or_else(|| Arc::new(chats::nameless(id)));
        Ok(ids.into_iter().map(ChatId).map(chat).map(|chat| (chat.id, chat)).collect())
    }

    fn attachments(&self, rows: &mut [MessageRow]) -> rusqlite::Result<()> {
        let with_some = rows.iter().enumerate().filter(|(_, row)| row.has_attachments);
        let index: HashMap<RowId, usize> = with_some.map(|(index, row)| (row.message.id, index)).collect();
        if index.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = index.keys().map(|id| id.0).collect();
        let sql = format!(
            "SELECT j.message_id, {}
             FROM message_attachment_join j JOIN attachment a ON a.ROWID = j.attachment_id
             WHERE j.message_id IN (SELECT value FROM json_each(?1)) ORDER BY j.message_id, j.ROWID",
            attachment::columns(&self.db.schema)
        );
        let mut statement = self.db.prepare(&sql)?;
        let mut found = statement.query([json(&ids)])?;
        while let Some(row) = found.next()? {
            let message = integer(row, 0).and_then(|id| index.get(&RowId(id)));
            if let Some(&message) = message {
                rows[message].message.attachments.push(attachment::read(row, 1));
            }
        }
        Ok(())
    }

    /// What was said in an audio message stands for its text.
    pub fn transcription(&self, row: &mut MessageRow) -> rusqlite::Result<()> {
        if !row.is_audio || !row.has_attachments || !self.db.schema.has(Table::Attachment, "user_info") {
            return Ok(());
        }
        let mut statement = self.db.prepare(
            "SELECT a.user_info FROM message_attachment_join j JOIN attachment a ON a.ROWID = j.attachment_id
             WHERE j.message_id = ?1 ORDER BY j.ROWID LIMIT 1",
        )?;
        let spoken = statement.query_row([row.message.id.0], |found| Ok(spoken(blob(found, 0)))).optional()?;
        if let Some(Some(spoken)) = spoken {
            row.message.text = spoken;
        }
        Ok(())
    }

    fn quoted(&mut self, message: &mut Message) -> rusqlite::Result<()> {
        let parents = [&message.thread_originator_guid, &message.reply_to_guid];
        for guid in parents.into_iter().flatten() {
            let parent = match self.parents.get(guid) {
                Some(known) => known.clone(),
                None => {
                    let parent = self.parent(guid)?;
                    self.parents.insert(guid.clone(), parent.clone());
                    parent
                }
            };
            if parent.is_some() {
                message.quoted = parent;
                return Ok(());
            }
        }
        Ok(())
    }

    fn parent(&self, guid: &str) -> rusqlite::Result<Option<Quoted>> {
        if !self.db.schema.has(Table::Message, "guid") {
            return Ok(None);
        }
        let sql = format!("SELECT {} FROM message m {} WHERE m.guid = ?1", self.db.own_columns, row::JOINS);
        let mut statement = self.db.prepare(&sql)?;
        statement
            .query_row([guid], |found| {
                let message = MessageRow::read(found).message;
                let non_empty = |text: String| (!text.is_empty()).then_some(text);
                Ok(Quoted { guid: message.guid, sender: non_empty(message.sender), text: non_empty(message.text) })
            })
            .optional()
    }
}

fn spoken(user_info: &[u8]) -> Option<String> {
    let info = property_list::read(user_info, &mut Fuel::default())?;
    let spoken = info.get("audio-transcription")?.text()?;
    (!spoken.is_empty()).then(|| spoken.to_owned())
}

/// A list of ids as `json_each` takes it: one bound value whatever the length, so the statement can be cached.
pub(super) fn json(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}

/// As [`json`], for strings.
pub(super) fn json_strings(strings: &[String]) -> String {
    serde_json::to_string(strings).unwrap_or_else(|_| "[]".to_owned())
}
