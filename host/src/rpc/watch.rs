//! `watch.*`: what a subscription asks for, where it begins, and what moves its place.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

mod read;
mod replay;
mod sender;

use super::Service;
use super::error::RpcError;
use super::messages::Shown;
use super::param::{ATTACHMENTS, CHAT_ID, CONVERT_ATTACHMENTS, END, INCLUDE_REACTIONS, PARTICIPANTS, Param, START};
use super::params::Params;
use crate::consumers::{Identity, Kept, Lease, NAME_BYTES, Refusal};
use crate::message::RowId;
use crate::place::Place;
use crate::subscription::Filter;
use crate::transport::Output;

pub const SUBSCRIBE: &[Param] = &[
    CHAT_ID,
    Param::integer("since_rowid")
        .selector()
        .about("First what came after this row. Absent or 0: only what comes; -1: everything. Of a consumer: where it \
                begins when it is new."),
    PARTICIPANTS,
    START,
    END,
    ATTACHMENTS,
    CONVERT_ATTACHMENTS,
    INCLUDE_REACTIONS,
    // Rows leave when they are complete, which is sooner than any debounce: a bound on waiting that is kept anyway.
    Param::integer("debounce_ms")
        .or(&["debounceMs"])
        .at_least(0)
        .default(500)
        .about("How long a row may wait for its other parts."),
    Param::integer("buffer_limit")
        .or(&["bufferLimit"])
        .at_least(1)
        .at_most(4096)
        .default(256)
        .about("How many messages may wait for this subscriber before it is cut off with `watch.overflow`."),
    Param::texts("routes")
        .selector()
        .about("Only these routes; `group:*` stands for all that begin so. Absent or empty: all."),
    Param::flag("include_edits").about("Also `message.updated`, when a delivered message is edited or unsent."),
    Param::flag("include_backfill").about("Also old messages that a sync or a restore wrote only now."),
    Param::text("consumer").selector().about(
        "Keep the place of this subscription under a name, and go on there whenever it subscribes again. One connection \
         at a time.",
    ),
    Param::flag("ack").about(
        "The place moves with `watch.ack` only, so that what was not acknowledged comes again. Without it, the place \
         moves with what was written.",
    ),
];

pub const ACK: &[Param] = &[
    Param::integer("subscription").at_least(1).required().selector().about("The number that `watch.subscribe` gave."),
    Param::text("cursor").required().selector().about("That of the last message that need not come again."),
];

pub const UNSUBSCRIBE: &[Param] = &[Param::integer("subscription")
    .at_least(1)
    .required()
    .selector()
    .about("The number that `watch.subscribe` gave.")];

/// How long a subscription waits for the tail to find its place, which takes milliseconds.
const FIND_PLACE: Duration = Duration::from_secs(5);

/// A checked `watch.subscribe`.
pub struct Subscribe {
    filter: Filter,
    /// Exclusive; `None` for only what comes.
    since: Option<RowId>,
    shown: Shown,
    consumer: Option<String>,
    acks: bool,
    /// It said where it begins, so that it knows of cursors.
    knows_cursors: bool,
    pub buffer: usize,
}

impl Subscribe {
    pub fn check(map: serde_json::Map<String, Value>) -> Result<Subscribe, RpcError> {
        let params = Params::new("watch.subscribe", map, SUBSCRIBE)?;
        let since = params.integer("since_rowid")?;
        let shown = Shown::check(&params)?;
        let filter = Filter {
            chat: params.chat_id()?,
            participants: params.texts("participants")?.iter().map(|one| one.to_lowercase()).collect(),
            start: params.date("start")?,
            end: params.date("end")?,
            reactions: params.flag("include_reactions")?,
            edits: params.flag("include_edits")?,
            backfill: params.flag("include_backfill")?,
            routes: params.texts("routes")?,
        };
        params.integer("debounce_ms")?;
        let buffer = params.count("buffer_limit")?;
        let consumer = params.text("consumer")?;
        let acks = params.flag("ack")?;
        check_consumer(consumer.as_deref(), acks)?;
        let knows_cursors = since.is_some();
        let since = match since {
            None | Some(0) => None,
            Some(cursor) => Some(RowId(cursor.max(0))),
        };
        Ok(Subscribe { filter, since, shown, consumer, acks, knows_cursors, buffer })
    }

    /// As what its place is kept, if it is.
    fn identity(&self, resume_within: Duration) -> Option<Identity> {
        if let Some(name) = self.consumer.clone() {
            return Some(Identity::Named { name, acks: self.acks });
        }
        if self.knows_cursors || resume_within.is_zero() {
            return None;
        }
        let asked = format!("{:?} {:?} {}", self.filter, self.shown, self.buffer);
        let request = Sha256::digest(asked).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Identity::Nameless { request, within: resume_within })
    }
}

fn check_consumer(name: Option<&str>, acks: bool) -> Result<(), RpcError> {
    match name {
        None if acks => Err(RpcError::params("ack needs a consumer, whose place it moves")),
        None => Ok(()),
        Some(name) if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) => Err(
            RpcError::params(format!("consumer must have between 1 and {NAME_BYTES} bytes, and no control character")),
        ),
        Some(_) => Ok(()),
    }
}

/// Checks `watch.ack` and gives the subscription's number and the place.
pub fn acked(map: serde_json::Map<String, Value>) -> Result<(u64, Place), RpcError> {
    let params = Params::new("watch.ack", map, ACK)?;
    let number = params.required_integer("subscription")?;
    let cursor = params.text("cursor")?.unwrap_or_default();
    let place = Place::from_cursor(&cursor)
        .ok_or_else(|| RpcError::params("cursor is none that a message of this subscription had"))?;
    Ok((u64::try_from(number).map_err(RpcError::internal)?, place))
}

/// Checks `watch.unsubscribe` and gives the subscription's number.
pub fn unsubscribed(map: serde_json::Map<String, Value>) -> Result<u64, RpcError> {
    let params = Params::new("watch.unsubscribe", map, UNSUBSCRIBE)?;
    let number = params.required_integer("subscription")?;
    u64::try_from(number).map_err(RpcError::internal)
}

/// A subscription that has its place in the stream, but has not sent anything.
pub struct Stream {
    service: Arc<Service>,
    number: u64,
    subscribe: Subscribe,
    start: Start,
    lease: Option<Lease>,
}

/// Where a subscription begins.
struct Start {
    place: Place,
    /// Of the numbers of rows.
    generation: u64,
    /// Why that is not where it was, in a sentence.
    lost: Option<String>,
}

impl Stream {
    /// Takes a place in the stream. What is published from now on is not missed.
    pub async fn open(service: Arc<Service>, number: u64, subscribe: Subscribe) -> Result<Stream, RpcError> {
        service.readers.with(|_| Ok::<_, RpcError>(())).await?;
        let (now, generation) = now(&service).await?;
        let place = match subscribe.since {
            // Whoever knows rows only cannot know of late deliveries before.
            Some(row) => Place { row, guid: Arc::default(), ..now },
            None => now,
        };
        let mut start = Start { place, generation, lost: None };
        let mut lease = None;
        if let Some(identity) = subscribe.identity(service.config.load().server.resume_within.0) {
            let opened = service.consumers.open(identity, start.place.clone()).await?;
            start.place = opened.place;
            start.lost = opened.lost;
            lease = Some(opened.lease);
        }
        Ok(Stream { service, number, subscribe, start, lease })
    }

    /// What keeps its place, where something does.
    pub fn kept(&self) -> Option<Arc<Kept>> {
        self.lease.as_ref().map(|lease| lease.kept.clone())
    }

    /// Sends until the client or the stream ends it.
    pub async fn run(self, output: Output) {
        read::run(self, output).await;
    }
}

/// Where the stream is.
async fn now(service: &Service) -> Result<(Place, u64), RpcError> {
    let mut head = service.hub.watch_head();
    let found = async {
        loop {
            head.mark_unchanged();
            if let (Some(place), generation) = service.hub.place() {
                return Some((place, generation));
            }
            head.changed().await.ok()?;
        }
    };
    let found = tokio::time::timeout(FIND_PLACE, found).await;
    found
        .ok()
        .flatten()
        .ok_or_else(|| RpcError::busy("imsgd has not found its place in the database; try again in a moment"))
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> RpcError {
        match refusal {
            Refusal::InUse { .. } | Refusal::TooMany => RpcError::busy(&refusal.to_string()),
            Refusal::Unknown(_) => RpcError::params(refusal.to_string()),
            Refusal::State(_) => RpcError::internal(refusal),
        }
    }
}
