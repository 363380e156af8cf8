//! Held messages that the owner releases or drops by hand.

use std::sync::Arc;
use std::time::Instant;

use super::step::{Judged, Turn};
use super::{Arrived, Judge, Round};
use crate::chatdb;
use crate::journal::{self, Entry, HeldPlace};
use crate::message::{Message, RowId};
use crate::policy::{self, OWNER};
use crate::state;

/// Messages of one step. What comes meanwhile waits for one at most.
const STEP: usize = 100;

/// The reason of what the owner dropped.
const DROPPED: &str = "dropped_by_owner";

/// One step of an order of the owner's.
#[derive(Clone, Debug)]
pub struct ByHand {
    pub deed: Deed,
    /// One message; none for all of `sender`.
    pub one: Option<HeldPlace>,
    /// Whose, in any spelling; none for everybody's.
    pub sender: Option<String>,
    /// Where the step before ended.
    pub after: HeldPlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Judge it again, and take the owner's word for a sender whom nobody knows.
    Release,
    /// Never deliver it.
    Drop,
}

/// What one step did.
#[derive(Debug, Default)]
pub struct Handled {
    /// With their verdicts now, in the order of their rows.
    pub entries: Vec<Entry>,
    /// Held messages that are not in the database any more, so that they could not be released.
    pub missing: usize,
    /// Where the next step begins, if there is more.
    pub next: Option<HeldPlace>,
}

#[derive(Debug, thiserror::Error)]
pub enum HandError {
    #[error(transparent)]
    Database(#[from] chatdb::Error),
    #[error(transparent)]
    Journal(#[from] state::Error),
    #[error("state.db could not be written; what is held stays held")]
    NotKept,
}

impl Judge {
    pub(super) fn by_hand(&mut self, order: &ByHand) -> Result<Handled, HandError> {
        let held = self.chosen(order)?;
        let next = (held.len() == STEP).then(|| held.last().map(HeldPlace::of)).flatten();
        let mut round = self.round();
        let mut missing = 0;
        match order.deed {
            Deed::Drop => round.batch.entries.extend(held.into_iter().map(dropped)),
            Deed::Release => {
                let messages = self.still_there(&held)?;
                for entry in &held {
                    match messages.iter().find(|message| message.key() == entry.guid) {
                        Some(message) => self.release_by_hand(entry, message, &mut round),
                        None => missing += 1,
                    }
                }
            }
        }
        let entries = round.batch.entries.clone();
        self.commit(round).map_err(|_| HandError::NotKept)?;
        Ok(Handled { entries, missing, next })
    }

    fn chosen(&self, order: &ByHand) -> Result<Vec<Entry>, HandError> {
        let connection = self.state.connection();
        if let Some(HeldPlace(row, guid)) = &order.one {
            let entry = journal::of(connection, *row, guid).map_err(state::Error::from)?;
            return Ok(entry.filter(|entry| entry.verdict == "held").into_iter().collect());
        }
        let sender = order.sender.as_ref().map(|sender| self.settings.normalizer.comparable(sender));
        let held = journal::held_page(connection, sender.as_deref(), &order.after, STEP);
        Ok(held.map_err(state::Error::from)?)
    }

    fn still_there(&mut self, held: &[Entry]) -> Result<Vec<Arc<Message>>, HandError> {
        let ids: Vec<RowId> = held.iter().map(|entry| entry.message).collect();
        let mut messages = self.read(&ids)?;
        messages.retain(|message| message.chat.is_some());
        Ok(messages)
    }

    /// Admission leaves no trace, so that nobody gets a code or an answer because of this.
    fn release_by_hand(&mut self, entry: &Entry, message: &Arc<Message>, round: &mut Round) {
        let row = Arrived { message: message.clone(), arrival: entry.arrival, seen_at: entry.seen_at, change: None };
        let inbound = Arc::new(self.inbound(&row));
        let began = Instant::now();
        self.chain.begin_stages();
        self.chain.set_dry(true);
        let admitted = policy::admit(self.chain.members(), &inbound);
        self.chain.set_dry(false);
        let decision = policy::judge_released(self.chain.members(), &inbound, admitted);
        let judged = Judged { inbound, decision, took: began.elapsed() };
        self.conclude(&row, judged, Turn::Held, round);
    }
}

fn dropped(entry: Entry) -> Entry {
    Entry {
        verdict: "dropped".to_owned(),
        decided_by: Some((OWNER.to_owned(), String::new())),
        reason: Some(DROPPED.to_owned()),
        failed: false,
        ..entry
    }
}
