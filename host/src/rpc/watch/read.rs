//! One subscription as it reads the stream: what it missed, what comes, and over again where it fell behind or rows got
//! other numbers.

use std::sync::Arc;

use super::replay::{Past, next};
use super::sender::Sender;
use super::{Start, Stream, Subscribe};
use crate::consumers::{Kept, Lease, Parting};
use crate::place::{Place, Reset, ResetKind};
use crate::rpc::Service;
use crate::rpc::error::RpcError;
use crate::subscription::{Elsewhere, End, Item, Live, Published};
use crate::transport::Output;

pub(super) async fn run(stream: Stream, output: Output) {
    let kept = stream.kept();
    let Stream { service, number, subscribe, start, lease } = stream;
    let files = subscribe.shown.convert.then(|| service.files.clone());
    let contacts = service.readers.contacts().clone();
    let sender = Sender::new(output, number, subscribe.shown.attachments, files, contacts, kept);
    let Start { place, generation, lost } = start;
    let mut reading = Reading { service, subscribe, sender, place, generation, live: None, lease };
    if let Some(detail) = lost {
        reading.sender.reset(ResetKind::Lost, &detail, &reading.place).await;
    }
    if let Err(error) = reading.read().await {
        reading.sender.error(&error).await;
    }
}

struct Reading {
    service: Arc<Service>,
    subscribe: Subscribe,
    sender: Sender,
    /// Everything up to here was sent.
    place: Place,
    /// Of the numbers of rows.
    generation: u64,
    live: Option<Live>,
    lease: Option<Lease>,
}

/// The client is gone, or the stream has come to its end.
struct Ended;

impl Reading {
    async fn read(&mut self) -> Result<(), RpcError> {
        loop {
            let went_on = match self.catch_up().await? {
                Ok(live) => self.follow(live).await?,
                Err(Ended) => Err(Ended),
            };
            if went_on.is_err() {
                return Ok(());
            }
        }
    }

    /// Sends what was judged after the place, page by page, until it meets the live stream.
    async fn catch_up(&mut self) -> Result<Result<Live, Ended>, RpcError> {
        let mut head = self.service.hub.watch_head();
        loop {
            head.mark_unchanged();
            let (_, generation) = self.service.hub.place();
            if generation != self.generation {
                self.find_again().await?;
                continue;
            }
            let filter = self.subscribe.filter.clone();
            let to = match self.service.hub.attach(Some(&self.place), filter, self.subscribe.buffer) {
                Ok(live) => return Ok(Ok(live)),
                Err(Elsewhere::At(to)) => to,
                Err(Elsewhere::Nowhere) => {
                    let _ = head.changed().await;
                    continue;
                }
            };
            let with_reactions = self.subscribe.filter.reactions;
            let Past { published, place } = next(&self.service, &self.place, &to, with_reactions).await?;
            // What was read may be of another database than the place.
            if self.service.hub.place().1 != self.generation {
                continue;
            }
            for published in published {
                if self.subscribe.filter.wants(&published) && !self.send(&published).await {
                    return Ok(Err(Ended));
                }
            }
            self.place = place;
        }
    }

    /// Sends what comes, until the stream ends or has to be caught up with.
    async fn follow(&mut self, live: Live) -> Result<Result<(), Ended>, RpcError> {
        self.live = Some(live);
        while let Some(live) = &mut self.live {
            match live.queue.recv().await {
                Some(Item::Message(published)) => {
                    if !self.send(&published).await {
                        return Ok(Err(Ended));
                    }
                    self.place.clone_from(&published.place);
                }
                Some(Item::Reset(reset, generation)) => self.reset(&reset, generation).await?,
                None => break,
            }
        }
        let end = self.live.take().and_then(|live| live.end.get().cloned());
        match end {
            // Nobody who has a name is cut off: what it missed is read again.
            Some(End::Overflow(_)) if self.subscribe.consumer.is_some() => Ok(Ok(())),
            Some(End::Overflow(accepted)) => {
                self.sender.overflow(&accepted).await;
                Ok(Err(Ended))
            }
            Some(End::ShuttingDown) | None => Ok(Err(Ended)),
        }
    }

    fn kept(&self) -> Option<Arc<Kept>> {
        self.lease.as_ref().map(|lease| lease.kept.clone())
    }

    async fn send(&mut self, published: &Published) -> bool {
        self.sender.message(published).await
    }

    /// Rows have other numbers from here on.
    async fn reset(&mut self, reset: &Reset, generation: u64) -> Result<(), RpcError> {
        self.place.clone_from(&reset.place);
        self.generation = generation;
        self.sender.reset(reset.kind, &reset.detail, &reset.place).await;
        let Some(kept) = self.kept() else { return Ok(()) };
        // What was not acknowledged may be among what has other numbers now.
        let place = match self.look_up(&kept.place()).await? {
            Some(found) if kept.acks => found,
            _ => reset.place.clone(),
        };
        kept.renumber(place, reset.place.clone());
        Ok(())
    }

    /// Looks for the place under its new number, once the stream goes on.
    async fn find_again(&mut self) -> Result<(), RpcError> {
        let (now, generation) = super::now(&self.service).await?;
        let found = self.look_up(&self.place).await?;
        let kind = if found.is_some() { ResetKind::Renumbered } else { ResetKind::Lost };
        let detail = match kind {
            ResetKind::Renumbered => "the Messages database was replaced or renumbered: rows have other numbers",
            ResetKind::Lost => "the Messages database was replaced, and the place in the old one is not in the new one",
        };
        self.place = found.unwrap_or(now);
        self.generation = generation;
        self.sender.reset(kind, detail, &self.place).await;
        if let Some(kept) = self.kept() {
            let acked = self.look_up(&kept.place()).await?;
            kept.renumber(acked.unwrap_or_else(|| self.place.clone()), self.place.clone());
        }
        Ok(())
    }

    /// Where a place is now that rows have other numbers, by its guid.
    async fn look_up(&self, place: &Place) -> Result<Option<Place>, RpcError> {
        if place.guid.is_empty() {
            return Ok(None);
        }
        let guid = place.guid.clone();
        let row = self.service.readers.with(move |reader| reader.chatdb.rowid_of(&guid)).await?;
        Ok(row.map(|row| Place { row, ..place.clone() }))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.drained = self.live.as_ref().and_then(|live| self.service.hub.drained(live));
            lease.parting = if self.service.hub.is_stopping() { Parting::Ours } else { Parting::Theirs };
        }
    }
}
