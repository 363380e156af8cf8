//! Who hears of what was judged: a filter and a bounded queue for each subscriber, over one stream (D1).

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use crate::attachments::Converted;
use crate::contacts::Contacts;
use crate::message::{Arrival, Change, ChatId, Message, RowId};
use crate::rpc::wire;

/// A message on its way to subscribers. Turned into JSON at most once for each form that somebody asks for.
pub struct Published {
    pub message: Arc<Message>,
    /// How an inbound message was admitted; `None` for own messages and tapbacks, which are not judged.
    pub delivery: Option<Delivery>,
    /// Everything up to this row has been handed out: where to resume.
    pub cursor: RowId,
    /// What happened to a message that was handed out before.
    pub change: Option<Change>,
    /// Without attachments, with them, and with what they were converted into.
    json: [OnceLock<Arc<str>>; 3],
}

/// What the policies said of a delivered message.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub route: String,
    /// Where it was delivered to before it was edited, if that is another route. Only who takes both hears of it.
    pub first_route: Option<String>,
    pub labels: Vec<String>,
    pub decided_by: Option<String>,
    pub arrival: Arrival,
    /// Was held before, and is delivered after all.
    pub held: bool,
    pub context: Vec<wire::ContextMessage>,
}

impl Published {
    pub fn new(message: Arc<Message>, delivery: Option<Delivery>, cursor: RowId) -> Published {
        Published { message, delivery, cursor, change: None, json: Default::default() }
    }

    pub fn changed(message: Arc<Message>, delivery: Option<Delivery>, cursor: RowId, change: Change) -> Published {
        Published { change: Some(change), ..Published::new(message, delivery, cursor) }
    }

    /// The message object, with or without its attachments. The names in it are those that are known when the first
    /// subscriber gets it.
    pub fn json(&self, attachments: bool, contacts: &Contacts) -> Arc<str> {
        let render = || wire::published(self, attachments, &[], &contacts.catalog()).into();
        self.json[usize::from(attachments)].get_or_init(render).clone()
    }

    /// The message object with its attachments and what they were converted into, where somebody asked for it before.
    pub fn json_converted(&self) -> Option<Arc<str>> {
        self.json[2].get().cloned()
    }

    /// The same, for all who ask from now on.
    pub fn convert(&self, converted: &[Option<Converted>], contacts: &Contacts) -> Arc<str> {
        let render = || wire::published(self, true, converted, &contacts.catalog()).into();
        self.json[2].get_or_init(render).clone()
    }
}

/// What a subscriber wants to hear of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub chat: Option<ChatId>,
    /// Addresses as stored, lower case; empty for everybody.
    pub participants: Vec<String>,
    /// Inclusive.
    pub start: Option<Timestamp>,
    /// Exclusive.
    pub end: Option<Timestamp>,
    pub reactions: bool,
    /// Edits and retractions of messages that were delivered.
    pub edits: bool,
    /// Old messages that iCloud or a restore wrote just now.
    pub backfill: bool,
    /// Routes, where `group:*` stands for all that begin so; empty for all. Own messages have no route.
    pub routes: Vec<String>,
}

impl Filter {
    pub fn wants(&self, published: &Published) -> bool {
        let message = &*published.message;
        let delivery = published.delivery.as_ref();
        self.chat.is_none_or(|chat| message.chat.as_ref().is_some_and(|of| of.id == chat))
            && (self.reactions || message.tapback.is_none())
            && (self.edits || published.change.is_none())
            && (self.backfill || delivery.is_none_or(|delivery| delivery.arrival != Arrival::Backfill))
            && self.start.is_none_or(|start| message.sent_at >= start)
            && self.end.is_none_or(|end| message.sent_at < end)
            && (self.participants.is_empty()
                || self.participants.iter().any(|wanted| *wanted == message.sender.to_lowercase()))
            && delivery.is_none_or(|delivery| {
                self.wants_route(&delivery.route)
                    && delivery.first_route.as_deref().is_none_or(|route| self.wants_route(route))
            })
    }

    fn wants_route(&self, route: &str) -> bool {
        self.routes.is_empty()
            || self.routes.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(prefix) => route.starts_with(prefix),
                None => route == wanted,
            })
    }
}

/// Why a live subscription came to its end on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The queue was full; everything up to this row had been accepted.
    Overflow(RowId),
    /// The database under the stream is another one now.
    Reset(String),
    ShuttingDown,
}

/// The receiving side of a live subscription. When the queue is empty and closed, `end` says why.
pub struct Live {
    pub queue: mpsc::Receiver<Arc<Published>>,
    pub end: Arc<OnceLock<End>>,
}

/// Hands published messages to the subscribers.
pub struct Hub {
    inner: Mutex<Inner>,
    /// Tells those who wait for a row that one came.
    head: watch::Sender<Option<RowId>>,
}

impl Default for Hub {
    fn default() -> Hub {
        Hub { inner: Mutex::default(), head: watch::channel(None).0 }
    }
}

#[derive(Default)]
struct Inner {
    head: Option<RowId>,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    filter: Filter,
    queue: mpsc::Sender<Arc<Published>>,
    end: Arc<OnceLock<End>>,
    /// The last row that went into the queue, or the one it began after.
    accepted: RowId,
}

impl Hub {
    /// The last row that was handed out; `None` before the tail has found its place.
    pub fn head(&self) -> Option<RowId> {
        self.inner.lock().head
    }

    /// Starts a live subscription for all that comes after `cursor`, if that is where the stream is. Otherwise tells
    /// where it is, so that the rows between can be read first.
    pub fn attach(&self, cursor: Option<RowId>, filter: Filter, buffer: usize) -> Result<Live, Option<RowId>> {
        let mut inner = self.inner.lock();
        if let Some(cursor) = cursor
            && inner.head.is_none_or(|head| cursor < head)
        {
            return Err(inner.head);
        }
        let (sender, queue) = mpsc::channel(buffer);
        let end = Arc::new(OnceLock::new());
        let accepted = cursor.or(inner.head).unwrap_or(RowId(0));
        inner.subscribers.push(Subscriber { filter, queue: sender, end: end.clone(), accepted });
        Ok(Live { queue, end })
    }

    /// Hands `events` to whoever wants them and moves the head. Never waits: a subscriber whose queue is full is cut
    /// off with the place to resume from, so that it delays nobody else.
    pub fn publish(&self, events: &[Arc<Published>], head: RowId) {
        let mut inner = self.inner.lock();
        inner.head = inner.head.max(Some(head));
        inner.subscribers.retain_mut(|subscriber| subscriber.offer(events));
        self.head.send_replace(inner.head);
    }

    /// Changes whenever rows were handed out.
    pub fn watch_head(&self) -> watch::Receiver<Option<RowId>> {
        self.head.subscribe()
    }

    /// Forgets the place in the stream and ends every subscription, saying why.
    pub fn end_all(&self, end: &End) {
        let mut inner = self.inner.lock();
        for subscriber in inner.subscribers.drain(..) {
            let _ = subscriber.end.set(end.clone());
        }
        if matches!(end, End::Reset(_)) {
            inner.head = None;
        }
    }

    /// Sets the place in the stream before the first message.
    pub fn start_at(&self, head: RowId) {
        self.inner.lock().head = Some(head);
        // A subscription that came before waits for this.
        self.head.send_replace(Some(head));
    }

    pub fn subscriber_count(&self) -> usize {
        let mut inner = self.inner.lock();
        inner.subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        inner.subscribers.len()
    }
}

impl Subscriber {
    /// False when the subscriber is gone or cut off.
    fn offer(&mut self, events: &[Arc<Published>]) -> bool {
        for event in events.iter().filter(|event| self.filter.wants(event)) {
            match self.queue.try_send(event.clone()) {
                Ok(()) => self.accepted = self.accepted.max(event.message.id),
                Err(mpsc::error::TrySendError::Full(_)) => {
                    let _ = self.end.set(End::Overflow(self.accepted));
                    return false;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
