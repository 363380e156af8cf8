//! `message.send_status`: what Messages wrote down about a message that was sent.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::{Answer, answer, wire};
use crate::chatdb::SendStatus;
use crate::readers::Readers;

pub const SEND_STATUS: &[Param] =
    &[Param::text("guid").required().about("The message that was sent, as `send` named it.")];

pub async fn send_status(readers: &Arc<Readers>, params: &Params) -> Answer {
    let guid = params.text("guid")?.unwrap_or_default().trim().to_owned();
    if guid.is_empty() {
        return Err(RpcError::params("guid is required"));
    }
    let asked = guid.clone();
    let found = readers.with(move |reader| reader.chatdb.send_status(&asked)).await?;
    let mut object = json!({
        "ok": true,
        "guid": found.as_ref().map_or(&guid, |found| &found.guid),
        "send_state": found.as_ref().map_or("pending", state),
        "service": found.as_ref().and_then(|found| found.service.as_deref()).filter(|service| !service.is_empty()),
        "checked_at": wire::date(Timestamp::now()),
        "status_fields": found.as_ref().map(fields),
    });
    if let Some(delivered_at) = found.and_then(|found| found.delivered_at) {
        object["delivered_at"] = wire::date(delivered_at).into();
    }
    answer(&object)
}

fn state(status: &SendStatus) -> &'static str {
    match status {
        status if status.error != 0 => "failed",
        status if status.is_delivered || status.delivered_at.is_some() => "delivered",
        status if status.is_sent => "sent",
        _ => "pending",
    }
}

fn fields(status: &SendStatus) -> Value {
    json!({
        "is_sent": status.is_sent,
        "is_delivered": status.is_delivered,
        "is_finished": status.is_finished,
        "error": status.error,
        "date_delivered": status.delivered_at.map(wire::date),
        "date_read": status.read_at.map(wire::date),
        "is_delayed": status.is_delayed,
        "is_prepared": status.is_prepared,
        "is_pending_satellite_send": status.is_pending_satellite_send,
        "was_downgraded": status.was_downgraded,
    })
}
