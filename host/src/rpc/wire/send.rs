//! The objects of `send` and `message.send_status`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::chatdb::SendStatus;
use crate::message::{self, Chat};

/// A message left. What was not observed, because the database cannot be read, is left out.
#[derive(Serialize, JsonSchema)]
pub struct Sent<'a> {
    /// Always true: a failure is an error.
    pub ok: bool,
    #[schemars(extend("enum" = ["applescript"]))]
    pub transport: &'static str,
    /// The row of the message, or of its last piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<&'a str>,
    /// The same as `guid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_guid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<i64>,
    /// All pieces, where a long text was cut or a file came with it.
    pub parts: Vec<SentPart<'a>>,
}

/// One piece of what left.
#[derive(Serialize, JsonSchema)]
pub struct SentPart<'a> {
    pub id: i64,
    pub guid: &'a str,
}

/// A reaction was made, and seen.
#[derive(Serialize, JsonSchema)]
pub struct Reacted<'a> {
    /// Always true: a failure is an error.
    pub ok: bool,
    pub chat_id: i64,
    #[schemars(extend("enum" = ["love", "like", "dislike", "laugh", "emphasis", "question"]))]
    pub reaction_type: &'static str,
    pub reaction_emoji: &'a str,
    /// The row of the reaction.
    pub id: i64,
    pub guid: &'a str,
    /// The message that it stands on.
    pub reacted_to_guid: &'a str,
}

impl<'a> Sent<'a> {
    /// From the rows that were seen, and the chat that they were meant for.
    pub fn new(rows: &[&'a message::Message], chat: Option<&'a Chat>) -> Sent<'a> {
        let last = rows.last();
        let chat = last.and_then(|row| row.chat.as_deref()).or(chat);
        Sent {
            ok: true,
            transport: "applescript",
            id: last.map(|row| row.id.0),
            guid: last.map(|row| &*row.guid),
            message_id: last.map(|row| &*row.guid),
            service: last.map(|row| &*row.service),
            chat_guid: chat.map(|chat| &*chat.guid),
            chat_id: chat.map(|chat| chat.id.0),
            parts: rows.iter().map(|row| SentPart { id: row.id.0, guid: &row.guid }).collect(),
        }
    }
}

/// What Messages wrote down about a message that was sent.
#[derive(Serialize, JsonSchema)]
pub struct Delivery<'a> {
    pub ok: bool,
    /// As stored; as asked where it is not in the database.
    pub guid: &'a str,
    /// `pending` also where it is not in the database.
    #[schemars(extend("enum" = ["pending", "sent", "delivered", "failed"]))]
    pub send_state: &'static str,
    pub service: Option<&'a str>,
    pub checked_at: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Date>,
    /// Nothing where it is not in the database.
    pub status_fields: Option<StatusFields>,
}

/// The columns of its row; what the database does not have is false or 0.
#[derive(Serialize, JsonSchema)]
pub struct StatusFields {
    is_sent: bool,
    is_delivered: bool,
    is_finished: bool,
    error: i64,
    date_delivered: Option<Date>,
    date_read: Option<Date>,
    is_delayed: bool,
    is_prepared: bool,
    is_pending_satellite_send: bool,
    was_downgraded: bool,
}

impl StatusFields {
    pub fn new(status: &SendStatus) -> StatusFields {
        StatusFields {
            is_sent: status.is_sent,
            is_delivered: status.is_delivered,
            is_finished: status.is_finished,
            error: status.error,
            date_delivered: status.delivered_at.map(Date),
            date_read: status.read_at.map(Date),
            is_delayed: status.is_delayed,
            is_prepared: status.is_prepared,
            is_pending_satellite_send: status.is_pending_satellite_send,
            was_downgraded: status.was_downgraded,
        }
    }
}
