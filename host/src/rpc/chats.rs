//! `chats.list` and `chats.get`.

use std::sync::Arc;

use serde::Serialize;

use super::error::RpcError;
use super::params::Params;
use super::{Answer, answer, wire};
use crate::chatdb;
use crate::readers::{Reader, Readers};

pub const LIST_KEYS: &[&str] = &["limit", "unread_only", "unreadOnly"];

const NO_READ_STATE: &str = "unread_only is unavailable because this Messages database has no read-state column";

#[derive(Serialize)]
struct Chats<'a> {
    chats: Vec<wire::Chat<'a>>,
}

pub async fn list(readers: &Arc<Readers>, params: Params) -> Answer {
    let limit = params.limit(20)?;
    let unread_only = params.flag(&["unread_only", "unreadOnly"])?;
    let read = move |reader: &Reader| {
        if unread_only && !reader.chatdb.schema().features().unread_state {
            return Err(RpcError::params(NO_READ_STATE));
        }
        Ok(reader.chatdb.chats(limit, unread_only)?)
    };
    let chats = readers.with(read).await?;
    answer(&Chats { chats: chats.iter().map(wire::Chat::new).collect() })
}

pub async fn get(readers: &Arc<Readers>, params: &Params) -> Answer {
    let id = params.required_chat_id()?;
    let read = move |reader: &Reader| Ok::<_, chatdb::Error>((reader.chatdb.chat(id)?, reader.chatdb.linked(&[id])?));
    let (chat, mut linked) = readers.with(read).await?;
    let chat = chat.ok_or_else(|| RpcError::params(format!("Chat not found: {id}")))?;
    let linked = linked.remove(&id).unwrap_or_default();
    answer(&wire::Group::new(&chat, &linked))
}
