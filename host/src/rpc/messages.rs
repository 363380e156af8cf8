//! `messages.history`, `messages.search`, `messages.after` and `messages.scheduled`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::error::RpcError;
use super::params::Params;
use super::{Answer, Service, answer, verdicts, wire};
use crate::chatdb::{After, History, Scheduled, Search, TextMatch};
use crate::message::{self, RowId};
use crate::readers::{Reader, Readers};

pub const HISTORY_KEYS: &[&str] =
    &["chat_id", "limit", "participants", "start", "end", "attachments", "convert_attachments"];
pub const SEARCH_KEYS: &[&str] = &["query", "match", "limit"];
pub const AFTER_KEYS: &[&str] =
    &["since_rowid", "chat_id", "limit", "attachments", "convert_attachments", "include_reactions"];
pub const SCHEDULED_KEYS: &[&str] = &["limit"];

/// Messages of one page at most; a longer answer would keep a connection's line for too long.
const PAGE_MOST: i64 = 500;
const PAGE: i64 = 100;

/// Found messages at most: a search reads until it has them.
const FOUND_MOST: usize = 100;

const NO_SCHEDULE: &str = "scheduled messages are unavailable because this Messages database has no schedule columns";

#[derive(Serialize)]
struct Messages<'a> {
    messages: Vec<wire::Message<'a>>,
}

fn messages(messages: &[message::Message], attachments: bool) -> Answer {
    answer(&Messages { messages: messages.iter().map(|message| wire::Message::new(message, attachments)).collect() })
}

pub async fn history(readers: &Arc<Readers>, params: Params) -> Answer {
    let query = History {
        chat: params.required_chat_id()?,
        limit: params.limit(50)?,
        participants: params.strings("participants")?,
        start: params.date("start")?,
        end: params.date("end")?,
    };
    let attachments = params.flag(&["attachments"])?;
    params.flag(&["convert_attachments"])?;
    messages(&readers.with(move |reader| reader.chatdb.history(&query)).await?, attachments)
}

pub async fn search(readers: &Arc<Readers>, params: Params) -> Answer {
    let text = params.string(&["query"])?.unwrap_or_default().trim().to_owned();
    if text.is_empty() {
        return Err(RpcError::params("query must be a non-empty string"));
    }
    let matching = match params.string(&["match"])?.as_deref() {
        None | Some("contains") => TextMatch::Contains,
        Some("exact") => TextMatch::Exact,
        Some(_) => return Err(RpcError::params("match must be contains or exact")),
    };
    let out_of_range = || RpcError::params(format!("limit must be between 1 and {FOUND_MOST}"));
    let limit = params.limit(50).map_err(|error| if params.has_integer("limit") { out_of_range() } else { error })?;
    if limit > FOUND_MOST {
        return Err(out_of_range());
    }
    let query = Search { text, matching, limit };
    messages(&readers.with(move |reader| reader.chatdb.search(&query)).await?, false)
}

#[derive(Serialize)]
struct Page<'a> {
    messages: Vec<wire::Message<'a>>,
    next_rowid: i64,
    has_more: bool,
}

/// A page of what was delivered: messages that the policies kept from subscribers are not in it, but are passed by.
pub async fn after(service: &Service, params: Params) -> Answer {
    let since = params.integer(&["since_rowid"])?.filter(|since| *since >= -1);
    let since = since.ok_or_else(|| RpcError::params("since_rowid must be a non-negative integer"))?;
    let limit = params.integer(&["limit"])?.unwrap_or(PAGE);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(RpcError::params(format!("limit must be an integer between 1 and {PAGE_MOST}")));
    }
    let query = After {
        since: RowId(since.max(0)),
        chat: params.chat_id()?,
        limit: usize::try_from(limit).unwrap_or(1),
        include_reactions: params.flag(&["include_reactions"])?,
    };
    let attachments = params.flag(&["attachments"])?;
    params.flag(&["convert_attachments"])?;
    let page = service.readers.with(move |reader| reader.chatdb.after(&query)).await?;
    let mut rows: Vec<Arc<message::Message>> = page.messages.into_iter().map(Arc::new).collect();
    let deliveries = verdicts::deliveries(service, &mut rows).await?;
    let is_shown = |row: &&Arc<message::Message>| !row.is_judged() || deliveries.contains_key(&row.id);
    let shown = rows.iter().filter(is_shown).map(|row| {
        let message = wire::Message::new(row, attachments);
        match deliveries.get(&row.id) {
            Some(delivery) => message.with_policy(delivery),
            None => message,
        }
    });
    answer(&Page { messages: shown.collect(), next_rowid: page.next_rowid.0, has_more: page.has_more })
}

pub async fn scheduled(readers: &Arc<Readers>, params: Params) -> Answer {
    let limit = params.limit(50)?;
    let read = move |reader: &Reader| {
        if !reader.chatdb.schema().features().scheduled_messages {
            return Err(RpcError::params(NO_SCHEDULE));
        }
        Ok(reader.chatdb.scheduled(Timestamp::now(), limit)?)
    };
    let scheduled = readers.with(read).await?;
    answer(&json!({"messages": scheduled.iter().map(scheduled_object).collect::<Vec<_>>()}))
}

/// Section 4.6.
fn scheduled_object(scheduled: &Scheduled) -> serde_json::Value {
    let message = &scheduled.message;
    let chat = message.chat.as_deref();
    let name = chat.map_or("", |chat| chat.display_name.as_deref().unwrap_or(&chat.identifier));
    json!({
        "id": message.id.0,
        "guid": message.guid,
        "chat_id": chat.map_or(0, |chat| chat.id.0),
        "chat_identifier": chat.map_or("", |chat| &chat.identifier),
        "chat_guid": chat.map_or("", |chat| &chat.guid),
        "chat_name": name,
        "text": message.text,
        "service": message.service,
        "scheduled_at": wire::date(message.sent_at),
        "schedule_type": scheduled.schedule_type,
        "schedule_state": scheduled.schedule_state,
    })
}
