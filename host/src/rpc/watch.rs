//! `watch.subscribe` and `watch.unsubscribe`: what a subscription asks for, what it missed, and what comes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::RpcError;
use super::messages::Shown;
use super::param::{ATTACHMENTS, CHAT_ID, CONVERT_ATTACHMENTS, END, INCLUDE_REACTIONS, PARTICIPANTS, Param, START};
use super::params::Params;
use super::wire::watch::{Overflow, StreamError, StreamFailure};
use super::{Service, verdicts, wire};
use crate::attachments::Files;
use crate::contacts::Contacts;
use crate::message::{Message, RowId};
use crate::readers::Reader;
use crate::subscription::{End, Filter, Live, Published};
use crate::transport::{Line, Output};

pub const SUBSCRIBE: &[Param] = &[
    CHAT_ID,
    Param::integer("since_rowid")
        .selector()
        .about("First what came after this row. Absent or 0: only what comes; -1: everything."),
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
];

pub const UNSUBSCRIBE: &[Param] = &[Param::integer("subscription")
    .at_least(1)
    .required()
    .selector()
    .about("The number that `watch.subscribe` gave.")];

/// Rows of the past that are read at a time.
const PAGE: usize = 200;

/// A checked `watch.subscribe`.
pub struct Subscribe {
    filter: Filter,
    /// Exclusive; `None` for only what comes.
    since: Option<RowId>,
    shown: Shown,
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
        let since = match since {
            None | Some(0) => None,
            Some(cursor) => Some(RowId(cursor.max(0))),
        };
        Ok(Subscribe { filter, since, shown, buffer })
    }
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
}

enum Start {
    Live(Live),
    After(RowId),
}

impl Stream {
    /// Takes a place in the stream. What is published from now on is not missed.
    pub async fn open(service: Arc<Service>, number: u64, subscribe: Subscribe) -> Result<Stream, RpcError> {
        service.readers.with(|_| Ok::<_, RpcError>(())).await?;
        let start = match subscribe.since {
            Some(cursor) => Start::After(cursor),
            None => match service.hub.attach(None, subscribe.filter.clone(), subscribe.buffer) {
                Ok(live) => Start::Live(live),
                Err(_) => return Err(RpcError::internal("the stream has no place for a subscription")),
            },
        };
        Ok(Stream { service, number, subscribe, start })
    }

    /// Sends until the client or the stream ends it.
    pub async fn run(self, output: Output) {
        let Stream { service, number, subscribe, start } = self;
        let files = subscribe.shown.convert.then(|| service.files.clone());
        let (attachments, contacts) = (subscribe.shown.attachments, service.readers.contacts().clone());
        let sender = Sender { output, number, prefix: prefix(number), attachments, files, contacts };
        let live = match start {
            Start::Live(live) => Ok(Some(live)),
            Start::After(cursor) => replay(&service, &subscribe, cursor, &sender).await,
        };
        match live {
            Ok(Some(live)) => sender.follow(live).await,
            Ok(None) => {}
            Err(error) => sender.error(&error).await,
        }
    }
}

struct Sender {
    output: Output,
    number: u64,
    prefix: Arc<str>,
    attachments: bool,
    /// Where attachments are to be converted.
    files: Option<Arc<Files>>,
    contacts: Arc<Contacts>,
}

/// Converts for all who ask for it. Only they wait.
async fn converted(files: &Files, published: &Published, contacts: &Contacts) -> Arc<str> {
    if let Some(json) = published.json_converted() {
        return json;
    }
    let converted = files.converted(&[&published.message.attachments]).await;
    published.convert(converted.first().map_or(&[], Vec::as_slice), contacts)
}

fn prefix(number: u64) -> Arc<str> {
    format!(r#"{{"jsonrpc":"2.0","method":"message","params":{{"subscription":{number},"message":"#).into()
}

impl Sender {
    /// False when the client is gone.
    async fn message(&self, published: &Published) -> bool {
        let json = match &self.files {
            Some(files) if Files::may_convert(&published.message.attachments) => {
                converted(files, published, &self.contacts).await
            }
            _ => published.json(self.attachments, &self.contacts),
        };
        let line = match published.change {
            None => Line::Message { prefix: self.prefix.clone(), json },
            Some(change) => Line::Whole(format!(
                r#"{{"jsonrpc":"2.0","method":"message.updated","params":{{"subscription":{},"message":{json},"change":"{}"}}}}"#,
                self.number,
                change.name()
            )),
        };
        self.output.send(line).await
    }

    async fn notify(&self, method: &str, params: &impl serde::Serialize) {
        let params = wire::to_json(params);
        let line = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#);
        self.output.send(Line::Whole(line)).await;
    }

    async fn follow(&self, mut live: Live) {
        while let Some(published) = live.queue.recv().await {
            if !self.message(&published).await {
                return;
            }
        }
        match live.end.get() {
            Some(End::Overflow(accepted)) => {
                let params = Overflow {
                    subscription: self.number,
                    resume_after_rowid: accepted.0,
                    reason: "buffer_limit_exceeded",
                    terminal: true,
                };
                self.notify("watch.overflow", &params).await;
            }
            Some(End::Reset(reason)) => {
                let error = RpcError { code: -32002, message: "Database unavailable", data: json!(reason) };
                self.error(&error).await;
            }
            Some(End::ShuttingDown) | None => {}
        }
    }

    async fn error(&self, error: &RpcError) {
        let text = error.data.as_str().map_or_else(|| error.data.to_string(), str::to_owned);
        let failure = StreamFailure { message: text, code: error.code };
        let params = StreamError { subscription: self.number, error: failure, terminal: true };
        self.notify("error", &params).await;
    }
}

/// Sends what was judged after `cursor`, page by page, until it meets the live stream. `None` when the client is gone.
async fn replay(
    service: &Arc<Service>,
    subscribe: &Subscribe,
    mut cursor: RowId,
    sender: &Sender,
) -> Result<Option<Live>, RpcError> {
    let mut head_changes = service.hub.watch_head();
    loop {
        let head = match service.hub.attach(Some(cursor), subscribe.filter.clone(), subscribe.buffer) {
            Ok(live) => return Ok(Some(live)),
            Err(Some(head)) => head,
            Err(None) => {
                // The tail has not found its place yet.
                let _ = head_changes.changed().await;
                continue;
            }
        };
        let with_reactions = subscribe.filter.reactions;
        let page = service.readers.with(move |reader| Page::read(reader, cursor, head, with_reactions)).await?;
        cursor = page.last;
        for published in page.judged(service).await? {
            if subscribe.filter.wants(&published) && !sender.message(&published).await {
                return Ok(None);
            }
        }
    }
}

/// Rows of the past.
struct Page {
    rows: Vec<Arc<Message>>,
    /// Everything up to this row has been looked at.
    last: RowId,
}

impl Page {
    fn read(reader: &Reader, after: RowId, head: RowId, with_reactions: bool) -> Result<Page, RpcError> {
        let rows = reader.chatdb.rows_after(after, PAGE)?;
        let is_full = rows.len() == PAGE;
        let mut rows: Vec<Message> =
            rows.into_iter().map(|row| row.message).filter(|message| message.id <= head).collect();
        let last = match rows.last() {
            Some(message) if is_full => message.id,
            _ => head,
        };
        if with_reactions {
            reader.chatdb.reactions(&mut rows)?;
        }
        Ok(Page { rows: rows.into_iter().map(Arc::new).collect(), last })
    }

    /// What of this page may be delivered.
    async fn judged(mut self, service: &Service) -> Result<Vec<Published>, RpcError> {
        let mut deliveries = verdicts::deliveries(service, &mut self.rows).await?;
        let published =
            self.rows.into_iter().filter(|message| message.chat.is_some() && message.preview_of.is_none()).filter_map(
                |message| {
                    let (id, is_judged) = (message.id, message.is_judged());
                    let delivery = deliveries.remove(&id);
                    (!is_judged || delivery.is_some()).then(|| Published::new(message, delivery, id))
                },
            );
        Ok(published.collect())
    }
}
