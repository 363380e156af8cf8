//! `messages.stats`: how many messages, by chat, sender, service and day.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::error::RpcError;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::{Answer, answer};
use crate::chatdb::{ChatName, MediaCount, MediaStats, Stats, StatsQuery};
use crate::readers::{Reader, Readers};

pub const STATS: &[Param] = &[
    CHAT_ID.refusal("must be a positive rowid (received {value})"),
    Param::text("time_zone").about("An IANA name, for `dates`. Absent: the zone of the machine."),
    Param::flag("include_media").about("Also count attachments."),
];

const NO_MEDIA: &str = "media statistics are unavailable because attachment tables are missing";

pub async fn stats(readers: &Arc<Readers>, params: Params) -> Answer {
    let chat = params.chat_id()?;
    let time_zone = match params.text("time_zone")? {
        None => TimeZone::system(),
        Some(name) => {
            let invalid = |_| RpcError::params(format!("invalid IANA time zone: {name}"));
            TimeZone::get(&name).map_err(invalid)?
        }
    };
    let include_media = params.flag("include_media")?;
    let zone_name = time_zone.iana_name().unwrap_or("UTC").to_owned();
    let query = StatsQuery { chat, time_zone, include_media };
    let stats = readers.with(move |reader| count(reader, &query)).await?;
    answer(&object(&stats, &zone_name))
}

fn count(reader: &Reader, query: &StatsQuery) -> Result<Stats, RpcError> {
    if let Some(chat) = query.chat
        && reader.chatdb.chat(chat)?.is_none()
    {
        return Err(RpcError::params(format!("chat_id {chat} does not exist")));
    }
    if query.include_media && !reader.chatdb.schema().has_attachments() {
        return Err(RpcError::params(NO_MEDIA));
    }
    Ok(reader.chatdb.stats(query)?)
}

/// Section 4.7.
fn object(stats: &Stats, zone: &str) -> Value {
    let chats = stats.chats.iter().map(|(chat, count)| {
        let mut object = named(chat);
        object.insert("service".to_owned(), json!(chat.service));
        object.insert("message_count".to_owned(), json!(count));
        Value::Object(object)
    });
    let mut object = json!({
        "total_messages": stats.sent + stats.received,
        "sent_messages": stats.sent,
        "received_messages": stats.received,
        "time_zone": zone,
        "chats": chats.collect::<Vec<_>>(),
        "senders": counted("handle", &stats.senders),
        "services": counted("service", &stats.services),
        "dates": stats
            .dates
            .iter()
            .map(|(date, count)| json!({"date": date.to_string(), "message_count": count}))
            .collect::<Vec<_>>(),
    });
    if let Some(of_media) = &stats.media {
        object["media"] = media(of_media);
    }
    object
}

fn counted(key: &str, counts: &[(String, u64)]) -> Vec<Value> {
    counts.iter().map(|(name, count)| json!({key: name, "message_count": count})).collect()
}

fn named(chat: &ChatName) -> Map<String, Value> {
    let fields = [("chat_id", json!(chat.id.0)), ("identifier", json!(chat.identifier)), ("name", json!(chat.name))];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn media(stats: &MediaStats) -> Value {
    let with_count = |mut object: Map<String, Value>, count: &MediaCount| {
        object.insert("attachment_count".to_owned(), json!(count.attachments));
        object.insert("total_bytes".to_owned(), json!(count.bytes));
        Value::Object(object)
    };
    let types = stats.types.iter().map(|((uti, mime), count)| {
        let object = [("uti".to_owned(), json!(uti)), ("mime_type".to_owned(), json!(mime))];
        with_count(object.into_iter().collect(), count)
    });
    json!({
        "total_attachments": stats.total.attachments,
        "total_bytes": stats.total.bytes,
        "types": types.collect::<Vec<_>>(),
        "chats": stats.chats.iter().map(|(chat, count)| with_count(named(chat), count)).collect::<Vec<_>>(),
    })
}
