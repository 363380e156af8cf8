//! Rounds: what is judged together is kept together, and only then handed out.

use std::sync::Arc;

use super::{Arrived, Judge};
use crate::journal::{self, Entry};
use crate::message::RowId;
use crate::place::Place;
use crate::policy::Failure;
use crate::state::Batch;
use crate::subscription::Published;

/// What one round of judging gathers before it is committed.
#[derive(Default)]
pub(super) struct Round {
    /// Where the stream is after it.
    pub place: Place,
    pub batch: Batch,
    pub events: Vec<Arc<Published>>,
    pub rows: Vec<Arrived>,
}

impl Judge {
    /// Commits a round and publishes it; gives its rows back where that failed, as if they had never been judged.
    pub(super) fn commit(&mut self, mut round: Round) -> Result<(), Vec<Arrived>> {
        round.batch.writes = self.chain.take_writes();
        if round.rows.is_empty() && round.batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.state.commit(&round.batch) {
            // Once, and not each time that it is tried again.
            if self.stats.inner.lock().last_error.replace(error.to_string()) != Some(error.to_string()) {
                tracing::error!(%error, rows = round.rows.len(), "verdicts could not be kept; judging again each second");
            }
            self.chain.reset_states(&self.state);
            self.waiting.clear();
            return Err(round.rows);
        }
        self.count(&round.batch.entries);
        if !round.batch.replies.is_empty() {
            self.outbox_wake.notify_one();
        }
        if self.hub.verdicts.receiver_count() > 0 {
            for entry in std::mem::take(&mut round.batch.entries) {
                let _ = self.hub.verdicts.send(Arc::new(entry));
            }
        }
        if let Some(place) = &mut self.place {
            place.clone_from(&round.place);
        }
        self.hub.publish(&round.events, &round.place);
        Ok(())
    }

    /// One that begins where the stream is.
    pub(super) fn round(&self) -> Round {
        Round { place: self.place.clone().unwrap_or_else(|| self.last_place()), ..Round::default() }
    }

    /// Where the stream was when it was last committed.
    pub(super) fn last_place(&self) -> Place {
        let released = journal::last_released(self.state.connection()).unwrap_or_else(|error| {
            tracing::error!(%error, "late deliveries could not be counted");
            0
        });
        let (row, guid) = self.state.tail().ok().flatten().unwrap_or((RowId(0), String::new()));
        Place { row, guid: guid.into(), released }
    }

    pub(super) fn count(&self, entries: &[Entry]) {
        let mut stats = self.stats.inner.lock();
        stats.last_error = None;
        for entry in entries {
            *stats.verdicts.entry(entry.verdict.clone()).or_default() += 1;
        }
    }

    /// Commits what a plugin wrote outside of judging; what was not kept did not happen.
    pub(super) fn keep_answer(&mut self) -> Result<(), Failure> {
        self.commit(self.round()).map_err(|_| Failure("state.db could not be written; nothing was changed".into()))
    }
}
