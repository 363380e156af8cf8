//! Finding the tapback that Messages wrote for one that we asked it for.

use rusqlite::{OptionalExtension, params};

use super::row::{integer, str, string};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::tapback;
use crate::message::{ChatId, RowId, TapbackKind};

/// A tapback of ours, as its row tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTapback {
    pub id: RowId,
    pub guid: String,
    /// Guid of the message that it stands on.
    pub target: String,
}

impl ChatDb {
    /// The first tapback of ours after row `after` that adds this kind of reaction to a message of `chat`. Custom ones
    /// are not looked for. A row that has no chat yet is none.
    pub fn own_tapback(&self, after: RowId, chat: ChatId, kind: &TapbackKind) -> Result<Option<OwnTapback>, Error> {
        let Some(associated_type) = tapback::added(kind).filter(|_| self.schema.features().reactions) else {
            return Ok(None);
        };
        self.read("look for a reaction", || {
            let mut statement = self.prepare(
                "SELECT m.ROWID, m.guid, m.associated_message_guid FROM message m
                 WHERE m.ROWID > ?1 AND m.is_from_me = 1 AND m.associated_message_type = ?2
                   AND EXISTS (SELECT 1 FROM chat_message_join j WHERE j.chat_id = ?3 AND j.message_id = m.ROWID)
                 ORDER BY m.ROWID LIMIT 1",
            )?;
            let found = statement.query_row(params![after.0, associated_type, chat.0], |row| {
                Ok(OwnTapback {
                    id: RowId(integer(row, 0).unwrap_or(0)),
                    guid: string(row, 1).unwrap_or_default(),
                    target: tapback::target(&str(row, 2).unwrap_or_default()).to_owned(),
                })
            });
            found.optional()
        })
    }

    /// How many chats have this identifier.
    pub fn chats_of(&self, identifier: &str) -> Result<usize, Error> {
        if !self.schema.has_table(Table::Chat) {
            return Ok(0);
        }
        self.read("count the chats of an identifier", || {
            let mut statement = self.prepare("SELECT COUNT(*) FROM chat WHERE chat_identifier = ?1")?;
            statement.query_row([identifier], |row| Ok(integer(row, 0).and_then(|count| count.try_into().ok())))
        })
        .map(|count| count.unwrap_or(0))
    }
}
