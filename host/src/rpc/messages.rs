//! `messages.history`.

use serde::Serialize;

use super::params::Params;
use super::{Answer, Service, answer, wire};
use crate::chatdb::History;

pub const HISTORY_KEYS: &[&str] =
    &["chat_id", "limit", "participants", "start", "end", "attachments", "convert_attachments"];

#[derive(Serialize)]
struct Messages<'a> {
    messages: Vec<wire::Message<'a>>,
}

pub async fn history(service: &Service, params: Params) -> Answer {
    let query = History {
        chat: params.required_chat_id()?,
        limit: params.limit(50)?,
        participants: params.strings("participants")?,
        start: params.date("start")?,
        end: params.date("end")?,
    };
    let attachments = params.flag(&["attachments"])?;
    params.flag(&["convert_attachments"])?;
    let messages = service.readers.with(move |reader| reader.chatdb.history(&query)).await?;
    answer(&Messages { messages: messages.iter().map(|message| wire::Message::new(message, attachments)).collect() })
}
