//! `messages.stats`: how many messages, by chat, sender, service and day.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::error::RpcError;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::{Answer, answer, wire};
use crate::chatdb::{Stats, StatsQuery};
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
    answer(&wire::stats::Stats::new(&stats, &zone_name))
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
