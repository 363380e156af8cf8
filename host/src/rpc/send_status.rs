//! `message.send_status`: what Messages wrote down about a message that was sent.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::Date;
use super::wire::send::{Delivery, StatusFields};
use super::{Answer, answer};
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
    answer(&Delivery {
        ok: true,
        guid: found.as_ref().map_or(&guid, |found| &found.guid),
        send_state: found.as_ref().map_or("pending", state),
        service: found.as_ref().and_then(|found| found.service.as_deref()).filter(|service| !service.is_empty()),
        checked_at: Date(Timestamp::now()),
        delivered_at: found.as_ref().and_then(|found| found.delivered_at).map(Date),
        status_fields: found.as_ref().map(StatusFields::new),
    })
}

fn state(status: &SendStatus) -> &'static str {
    match status {
        status if status.error != 0 => "failed",
        status if status.is_delivered || status.delivered_at.is_some() => "delivered",
        status if status.is_sent => "sent",
        _ => "pending",
    }
}
