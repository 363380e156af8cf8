//! `chats.background`: the picture behind a chat. Not a method of `imsg`, which only has it on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::RpcError;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::wire::background::{Background, Cached};
use super::{Answer, answer};
use crate::readers::{Reader, Readers};

pub const BACKGROUND: &[Param] = &[CHAT_ID.required().about("The chat's row.")];

pub async fn background(readers: &Arc<Readers>, params: &Params) -> Answer {
    let id = params.required_chat_id()?;
    let read = move |reader: &Reader| {
        let found = reader.chatdb.background(id)?.ok_or_else(|| RpcError::params("chat not found"))?;
        let channel = found.1.channel_guid.as_deref();
        let caches = channel.and_then(|channel| reader.chatdb.background_caches(channel));
        Ok::<_, RpcError>((found, caches.map(|(own, watch)| (looked_for(own), looked_for(watch)))))
    };
    let ((chat, background), caches) = readers.with(read).await?;
    answer(&Background::new(&chat, &background, caches))
}

fn looked_for(path: PathBuf) -> Cached {
    let exists = path.exists();
    (path.display().to_string(), exists)
}
