//! Keeps the journal within its bounds: the oldest entries go, a few at a time and between messages.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::Judge;
use crate::journal::{self, Bounds, Pruned, Which};
use crate::state::Error;

/// Entries of one step, which takes a few milliseconds.
const STEP: usize = 250;

/// Between steps when nothing else is to be done.
const PAUSE: Duration = Duration::from_millis(10);

/// After the start, and after a failure.
const SOON: Duration = Duration::from_secs(2);

/// When nothing arrives, entries grow old all the same.
const SELDOM: Duration = Duration::from_secs(3600);

/// Verdicts after which the size is looked at. As many entries and a quarter more go then: space that becomes free is
/// inside of pages first, so that their number alone would take away much more than is needed.
const LOOK_EVERY: usize = 500;

pub(super) struct Pruner {
    /// When a step is due, if no verdict comes before.
    next: Instant,
    /// Verdicts since the size was looked at.
    verdicts: usize,
    /// Entries that have to go because of the size.
    owed: usize,
    is_aging: bool,
    /// Seen before this, in milliseconds, nothing is left that may go.
    from: i64,
    /// Held messages that went since this was last said.
    held_gone: usize,
}

impl Pruner {
    pub fn new() -> Pruner {
        let next = Instant::now() + SOON;
        Pruner { next, verdicts: 0, owed: 0, is_aging: false, from: i64::MIN, held_gone: 0 }
    }

    /// How long until a step is due.
    pub fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// The bounds may have become others.
    pub fn look_soon(&mut self) {
        self.next = Instant::now();
    }
}

impl Judge {
    /// After verdicts were kept: takes away about as much as came, where the journal is full.
    pub(super) fn prune_after(&mut self, verdicts: usize) {
        self.pruner.verdicts += verdicts;
        if self.pruner.verdicts >= LOOK_EVERY {
            self.try_prune(Judge::look_at_size);
        }
        if self.pruner.owed > 0 {
            self.try_prune(Judge::prune_step);
        }
    }

    /// While there is nothing else to do.
    pub(super) fn prune_idle(&mut self) {
        let is_under_way = self.pruner.is_aging || self.pruner.owed > 0;
        self.pruner.next = Instant::now() + SELDOM;
        if is_under_way {
            return self.try_prune(Judge::prune_step);
        }
        self.pruner.from = i64::MIN;
        self.pruner.is_aging = true;
        self.try_prune(|judge| {
            judge.owe_excess()?;
            judge.prune_step()
        });
    }

    fn try_prune(&mut self, step: impl FnOnce(&mut Judge) -> Result<(), Error>) {
        if let Err(error) = step(self) {
            let text = "old entries of the journal could not be taken away";
            match error.is_busy() {
                true => tracing::debug!(%error, "{text} yet"),
                false => tracing::warn!(%error, "{text}"),
            }
            self.pruner.next = Instant::now() + SOON;
        }
    }

    fn look_at_size(&mut self) -> Result<(), Error> {
        let verdicts = std::mem::take(&mut self.pruner.verdicts);
        let is_full = journal::used_bytes(self.state.connection())? > self.settings.journal.max_bytes;
        self.pruner.owed = if is_full { self.pruner.owed.max(verdicts + verdicts / 4) } else { 0 };
        Ok(())
    }

    /// Where the bound is a new one, the file may be far from it.
    fn owe_excess(&mut self) -> Result<(), Error> {
        let Bounds { max_bytes, .. } = self.settings.journal;
        let used = journal::used_bytes(self.state.connection())?;
        if used > max_bytes {
            let excess = journal::count(self.state.connection())?.saturating_mul(used - max_bytes) / used;
            self.pruner.owed = usize::try_from(excess).unwrap_or(usize::MAX).max(STEP);
        }
        Ok(())
    }

    fn prune_step(&mut self) -> Result<(), Error> {
        if self.pruner.is_aging {
            let keep: SignedDuration = self.settings.journal.keep;
            let before = Timestamp::now().checked_sub(keep).unwrap_or(Timestamp::MIN);
            let pruned = self.prune(Which::Before(before))?;
            self.pruner.owed = self.pruner.owed.saturating_sub(pruned.entries);
            self.pruner.is_aging = pruned.entries == STEP;
        } else {
            let mut pruned = self.prune(Which::Oldest)?;
            if pruned.entries == 0 {
                pruned = self.state.prune_journal(Which::OldestHeld, i64::MIN, STEP)?;
                self.pruner.held_gone += pruned.entries;
            }
            // Nothing is left that may go: something else fills the file.
            let is_over = pruned.entries == 0;
            self.pruner.owed = if is_over { 0 } else { self.pruner.owed.saturating_sub(pruned.entries) };
        }
        let is_done = !self.pruner.is_aging && self.pruner.owed == 0;
        if is_done && self.pruner.held_gone > 0 {
            let gone = std::mem::take(&mut self.pruner.held_gone);
            tracing::warn!(
                gone,
                "the journal is full of held messages, and the oldest are held no more: they are in history, but will \
                 not be released. `imsgd held` looks through them, and journal.max_mb makes room for more"
            );
        }
        if !is_done {
            self.pruner.next = Instant::now() + PAUSE;
        }
        Ok(())
    }

    fn prune(&mut self, which: Which) -> Result<Pruned, Error> {
        let pruned = self.state.prune_journal(which, self.pruner.from, STEP)?;
        self.pruner.from = pruned.until;
        Ok(pruned)
    }
}
