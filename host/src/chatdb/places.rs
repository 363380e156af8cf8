//! Where messages are, by their guids.

use std::collections::HashMap;

use super::load::json_strings;
use super::row::{integer, string};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::message::{ChatId, RowId};

/// The row of a message and the chat that it belongs to.
pub type Place = (RowId, Option<ChatId>);

impl ChatDb {
    /// The places of those messages that are there.
    pub fn places(&self, guids: &[String]) -> Result<HashMap<String, Place>, Error> {
        if !self.schema.has(Table::Message, "guid") {
            return Ok(HashMap::new());
        }
        self.read("look up messages", || {
            let mut statement = self.prepare(
                "SELECT m.guid, m.ROWID, (SELECT MIN(c.chat_id) FROM chat_message_join c WHERE c.message_id = m.ROWID)
                 FROM message m WHERE m.guid IN (SELECT value FROM json_each(?1))",
            )?;
            let mut rows = statement.query([json_strings(guids)])?;
            let mut places = HashMap::new();
            while let Some(row) = rows.next()? {
                if let (Some(guid), Some(id)) = (string(row, 0), integer(row, 1)) {
                    places.insert(guid, (RowId(id), integer(row, 2).map(ChatId)));
                }
            }
            Ok(places)
        })
    }
}
