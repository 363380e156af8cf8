//! The objects of `messages.scheduled`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::chatdb::Scheduled;

/// Messages that are to be sent later, the next one first.
#[derive(Serialize, JsonSchema)]
pub struct ScheduledMessages<'a> {
    pub messages: Vec<ScheduledMessage<'a>>,
}

/// A message that is to be sent later.
#[derive(Serialize, JsonSchema)]
pub struct ScheduledMessage<'a> {
    id: i64,
    guid: &'a str,
    chat_id: i64,
    chat_identifier: &'a str,
    chat_guid: &'a str,
    chat_name: &'a str,
    text: &'a str,
    service: &'a str,
    scheduled_at: Date,
    /// As Messages wrote it.
    schedule_type: i64,
    /// As Messages wrote it.
    schedule_state: i64,
}

impl<'a> ScheduledMessage<'a> {
    pub fn new(scheduled: &'a Scheduled) -> ScheduledMessage<'a> {
        let message = &scheduled.message;
        let chat = message.chat.as_deref();
        ScheduledMessage {
            id: message.id.0,
            guid: &message.guid,
            chat_id: chat.map_or(0, |chat| chat.id.0),
            chat_identifier: chat.map_or("", |chat| &chat.identifier),
            chat_guid: chat.map_or("", |chat| &chat.guid),
            chat_name: chat.map_or("", |chat| chat.display_name.as_deref().unwrap_or(&chat.identifier)),
            text: &message.text,
            service: &message.service,
            scheduled_at: Date(message.sent_at),
            schedule_type: scheduled.schedule_type,
            schedule_state: scheduled.schedule_state,
        }
    }
}
