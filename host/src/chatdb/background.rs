//! The picture behind a chat, section 7.13 of the specification.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use plist::{Dictionary, Value};
use rusqlite::OptionalExtension;

use super::row::{blob, integer, string};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::date;
use crate::message::{Chat, ChatId, RowId};

/// What a chat's background is, as far as it is written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Background {
    /// What Messages calls the channel of the picture.
    pub channel_guid: Option<String>,
    pub asset_url: Option<String>,
    pub asset_id: Option<String>,
    pub object_id: Option<String>,
    pub file_size: Option<i64>,
    pub poster_version: Option<i64>,
    pub communication_safety_state: Option<i64>,
    pub version: Option<i64>,
    pub latest_event: Option<BackgroundEvent>,
}

impl Background {
    pub fn is_set(&self) -> bool {
        self.channel_guid.is_some() || self.asset_url.is_some()
    }
}

/// Somebody set a background, or took it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackgroundEvent {
    pub id: RowId,
    pub guid: String,
    pub is_set: bool,
    pub at: Timestamp,
}

/// `message.item_type` of changes to a group, and `group_action_type` of the two that are about its background.
const GROUP_ACTION: i64 = 3;
const SET: i64 = 4;
const CLEAR: i64 = 6;

impl ChatDb {
    /// `None` where there is no such chat.
    pub fn background(&self, id: ChatId) -> Result<Option<(Arc<Chat>, Background)>, Error> {
        self.read("read the background of a chat", || {
            let Some(chat) = super::chats::load(self, id)? else { return Ok(None) };
            let mut background = properties(self, id)?;
            background.latest_event = latest_event(self, id)?;
            Ok(Some((chat, background)))
        })
    }

    /// Where Messages keeps the pictures of this channel: for itself, and for watches.
    pub fn background_caches(&self, channel_guid: &str) -> Option<(PathBuf, PathBuf)> {
        // What names a file of the cache must not lead out of it.
        let is_name = !channel_guid.is_empty() && !channel_guid.contains(['/', '\0']) && !channel_guid.starts_with('.');
        let folder = self.path().parent().filter(|_| is_name)?.join("TranscriptBackgroundCache");
        Some((folder.join(channel_guid), folder.join(format!("{channel_guid}-watchBackground"))))
    }
}

fn properties(db: &ChatDb, id: ChatId) -> rusqlite::Result<Background> {
    if !db.schema.has(Table::Chat, "properties") {
        return Ok(Background::default());
    }
    let mut statement = db.prepare("SELECT properties FROM chat WHERE ROWID = ?1")?;
    let found = statement.query_row([id.0], |row| Ok(decoded(blob(row, 0)))).optional()?;
    Ok(found.flatten().unwrap_or_default())
}

/// A damaged property list says nothing, and neither does a value of another kind than it should be.
fn decoded(bytes: &[u8]) -> Option<Background> {
    let properties: Dictionary = plist::from_bytes(bytes).ok()?;
    let of = properties.get("backgroundProperties")?.as_dictionary()?;
    let text = |key: &str| of.get(key).and_then(Value::as_string).filter(|text| !text.is_empty()).map(str::to_owned);
    let number = |key: &str| {
        let value = of.get(key)?;
        value.as_signed_integer().or_else(|| value.as_boolean().map(i64::from))
    };
    Some(Background {
        channel_guid: text("trabaid"),
        asset_url: text("trabar"),
        asset_id: text("trabas"),
        object_id: text("traboid"),
        file_size: number("trabafs"),
        poster_version: number("trabapv"),
        communication_safety_state: number("trabaCommSafety"),
        version: number("trabav"),
        latest_event: None,
    })
}

/// The newest by date, not by row: a sync writes old ones late.
fn latest_event(db: &ChatDb, id: ChatId) -> rusqlite::Result<Option<BackgroundEvent>> {
    let has = |column| db.schema.has(Table::Message, column);
    if !has("item_type") || !has("group_action_type") {
        return Ok(None);
    }
    let sql = format!(
        "SELECT m.ROWID, {}, m.group_action_type, m.date
         FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id
         WHERE j.chat_id = ?1 AND m.item_type = {GROUP_ACTION} AND m.group_action_type IN ({SET}, {CLEAR})
         ORDER BY m.date DESC, m.ROWID DESC LIMIT 1",
        db.schema.column(Table::Message, "m", "guid")
    );
    let mut statement = db.prepare(&sql)?;
    let event = statement.query_row([id.0], |row| {
        Ok(BackgroundEvent {
            id: RowId(integer(row, 0).unwrap_or(0)),
            guid: string(row, 1).unwrap_or_default(),
            is_set: integer(row, 2) == Some(SET),
            at: date::from_column(integer(row, 3)),
        })
    });
    event.optional()
}
