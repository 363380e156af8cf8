//! `chats.list` and `chats.get`.

use std::sync::Arc;

use super::error::RpcError;
use super::param::{CHAT_ID, LIMIT, Param};
use super::params::Params;
use super::{Answer, answer, wire};
use crate::chatdb;
use crate::readers::{Reader, Readers};

pub const LIST: &[Param] =
    &[LIMIT.default(20), Param::flag("unread_only").or(&["unreadOnly"]).about("Only chats with unread messages.")];
pub const GET: &[Param] = &[CHAT_ID.required().about("The chat's row.")];

const NO_READ_STATE: &str = "unread_only is unavailable because this Messages database has no read-state column";

pub async fn list(readers: &Arc<Readers>, params: Params) -> Answer {
    let limit = params.count("limit")?;
    let unread_only = params.flag("unread_only")?;
    let read = move |reader: &Reader| {
        if unread_only && !reader.chatdb.schema().features().unread_state {
            return Err(RpcError::params(NO_READ_STATE));
        }
        Ok(reader.chatdb.chats(limit, unread_only)?)
    };
    let chats = readers.with(read).await?;
    let names = readers.contacts().catalog();
    answer(&wire::Chats { chats: chats.iter().map(|chat| wire::Chat::new(chat).named(&names)).collect() })
}

pub async fn get(readers: &Arc<Readers>, params: &Params) -> Answer {
    let id = params.required_chat_id()?;
    let read = move |reader: &Reader| Ok::<_, chatdb::Error>((reader.chatdb.chat(id)?, reader.chatdb.linked(&[id])?));
    let (chat, mut linked) = readers.with(read).await?;
    let chat = chat.ok_or_else(|| RpcError::params(format!("Chat not found: {id}")))?;
    let linked = linked.remove(&id).unwrap_or_default();
    answer(&wire::Group::new(&chat, &linked))
}
