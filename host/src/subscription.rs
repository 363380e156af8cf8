//! Who hears of what was judged: a filter and a bounded queue for each subscriber, over one stream (D1).

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc, watch};

use crate::attachments::Converted;
use crate::contacts::Contacts;
use crate::journal::Entry;
use crate::lag::Lag;
use crate::message::{Arrival, Change, ChatId, Message, RowId};
use crate::place::{Place, Reset};
use crate::rpc::wire;

/// A message on its way to subscribers. Turned into JSON at most once for each form that somebody asks for.
pub struct Published {
    pub message: Arc<Message>,
    /// How an inbound message was admitted; `None` for own messages and tapbacks, which are not judged.
    pub delivery: Option<Delivery>,
    /// Where to resume after it.
    pub place: Place,
    /// What happened to a message that was handed out before.
    pub change: Option<Change>,
    /// When it was seen, where it is announced because it was.
    pub seen_at: Option<Timestamp>,
    /// Without attachments, with them, and with what they were converted into.
    json: [OnceLock<Arc<str>>; 3],
    cursor: OnceLock<Arc<str>>,
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
    /// See [`crate::journal::Entry::released`].
    pub released: Option<i64>,
    pub context: Vec<wire::ContextMessage>,
}

impl Published {
    pub fn new(message: Arc<Message>, delivery: Option<Delivery>, place: Place) -> Published {
        let (json, cursor) = Default::default();
        Published { message, delivery, place, change: None, seen_at: None, json, cursor }
    }

    pub fn changed(message: Arc<Message>, delivery: Option<Delivery>, place: Place, change: Change) -> Published {
        Published { change: Some(change), ..Published::new(message, delivery, place) }
    }

    /// Its place as clients keep it, in JSON.
    pub fn cursor(&self) -> Arc<str> {
        self.cursor.get_or_init(|| wire::to_json(&self.place.cursor()).into()).clone()
    }

    pub fn seen(self, at: Timestamp) -> Published {
        Published { seen_at: Some(at), ..self }
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

/// What waits for a subscriber.
pub enum Item {
    Message(Arc<Published>),
    /// From here on, rows have other numbers, those of this generation.
    Reset(Arc<Reset>, u64),
}

/// Why a live subscription came to its end on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The queue was full; everything up to this place had been accepted.
    Overflow(Place),
    ShuttingDown,
}

/// The receiving side of a live subscription. When the queue is empty and closed, `end` says why.
pub struct Live {
    pub queue: mpsc::Receiver<Item>,
    pub end: Arc<OnceLock<End>>,
    /// Where it began.
    pub place: Place,
}

/// The stream is not at the place that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// It has gone on: what lies between has to be read first.
    At(Place),
    /// It has no place now: the tail looks for it.
    Nowhere,
}

/// Verdicts that wait for those who follow the journal; who is further behind misses some.
pub const VERDICTS_WAITING: usize = 1024;

/// Hands published messages to the subscribers.
pub struct Hub {
    /// Every verdict, once it is kept.
    pub verdicts: broadcast::Sender<Arc<Entry>>,
    pub lag: Lag,
    inner: Mutex<Inner>,
    /// Tells those who wait for a row that one came.
    head: watch::Sender<Option<RowId>>,
}

impl Default for Hub {
    fn default() -> Hub {
        Hub {
            verdicts: broadcast::channel(VERDICTS_WAITING).0,
            lag: Lag::default(),
            inner: Mutex::default(),
            head: watch::channel(None).0,
        }
    }
}

#[derive(Default)]
struct Inner {
    place: Option<Place>,
    /// Counts how often rows got other numbers. A place is good for one generation.
    generation: u64,
    is_stopping: bool,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    filter: Filter,
    queue: mpsc::Sender<Item>,
    end: Arc<OnceLock<End>>,
    /// That of the last message that went into the queue, or where it began.
    accepted: Place,
}

impl Hub {
    /// The last row that was handed out; `None` while the tail looks for its place.
    pub fn head(&self) -> Option<RowId> {
        self.inner.lock().place.as_ref().map(|place| place.row)
    }

    /// Where the stream is, and the generation of its rows' numbers.
    pub fn place(&self) -> (Option<Place>, u64) {
        let inner = self.inner.lock();
        (inner.place.clone(), inner.generation)
    }

    /// Starts a live subscription for all that comes after `from`, or from now on, if that is where the stream is.
    pub fn attach(&self, from: Option<&Place>, filter: Filter, buffer: usize) -> Result<Live, Elsewhere> {
        let mut inner = self.inner.lock();
        let Some(place) = inner.place.clone() else { return Err(Elsewhere::Nowhere) };
        if from.is_some_and(|from| !from.reaches(&place)) {
            return Err(Elsewhere::At(place));
        }
        let (sender, queue) = mpsc::channel(buffer);
        let end = Arc::new(OnceLock::new());
        inner.subscribers.push(Subscriber { filter, queue: sender, end: end.clone(), accepted: place.clone() });
        Ok(Live { queue, end, place })
    }

    /// Hands `events` to whoever wants them and moves the stream to `place`. Never waits: a subscriber whose queue is
    /// full is cut off with the place to resume from, so that it delays nobody else.
    pub fn publish(&self, events: &[Arc<Published>], place: &Place) {
        let mut inner = self.inner.lock();
        // Not while the tail looks for its place: these are still the old numbers.
        if let Some(current) = &mut inner.place {
            current.clone_from(place);
        }
        inner.subscribers.retain_mut(|subscriber| subscriber.offer(events));
        self.head.send_replace(Some(place.row));
    }

    /// Changes whenever rows were handed out.
    pub fn watch_head(&self) -> watch::Receiver<Option<RowId>> {
        self.head.subscribe()
    }

    /// The database is another one: until the stream starts again, no place is good.
    pub fn suspend(&self) {
        let mut inner = self.inner.lock();
        inner.place = None;
        inner.generation += 1;
    }

    /// Ends every subscription, as imsgd is stopping.
    pub fn stop(&self) {
        let mut inner = self.inner.lock();
        inner.is_stopping = true;
        for subscriber in inner.subscribers.drain(..) {
            let _ = subscriber.end.set(End::ShuttingDown);
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.inner.lock().is_stopping
    }

    /// Sets the place in the stream before the first message, and again where rows got other numbers, which everybody is
    /// told.
    pub fn start_at(&self, place: Place, reset: Option<Reset>) {
        let mut inner = self.inner.lock();
        if let Some(reset) = reset.map(Arc::new) {
            let generation = inner.generation;
            inner.subscribers.retain_mut(|subscriber| {
                subscriber.accepted = reset.place.clone();
                subscriber.put(Item::Reset(reset.clone(), generation))
            });
        }
        let row = place.row;
        inner.place = Some(place);
        drop(inner);
        // A subscription that came before waits for this.
        self.head.send_replace(Some(row));
    }

    pub fn subscriber_count(&self) -> usize {
        let mut inner = self.inner.lock();
        inner.subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        inner.subscribers.len()
    }

    /// How many messages wait for each, and how many may.
    pub fn queues(&self) -> Vec<(usize, usize)> {
        let inner = self.inner.lock();
        let open = inner.subscribers.iter().map(|subscriber| &subscriber.queue).filter(|queue| !queue.is_closed());
        open.map(|queue| (queue.max_capacity() - queue.capacity(), queue.max_capacity())).collect()
    }

    /// Messages that wait for those whose queue has no room for `more`; a queue that is too small for them is to be empty.
    pub fn waiting_without_room(&self, more: usize) -> usize {
        let waiting = |(waiting, most): (usize, usize)| if waiting + more > most { waiting } else { 0 };
        self.queues().into_iter().map(waiting).sum()
    }

    /// The place up to which `live` has been told everything that it wants: that of the stream, where nothing waits.
    pub fn drained(&self, live: &Live) -> Option<Place> {
        let inner = self.inner.lock();
        let is_drained = live.queue.is_empty() && live.end.get().is_none() && !live.queue.is_closed();
        inner.place.clone().filter(|_| is_drained)
    }
}

impl Subscriber {
    /// False when the subscriber is gone or cut off.
    fn offer(&mut self, events: &[Arc<Published>]) -> bool {
        for event in events {
            if !self.filter.wants(event) {
                continue;
            }
            if !self.put(Item::Message(event.clone())) {
                return false;
            }
            self.accepted.clone_from(&event.place);
        }
        true
    }

    fn put(&mut self, item: Item) -> bool {
        match self.queue.try_send(item) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                let _ = self.end.set(End::Overflow(self.accepted.clone()));
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
