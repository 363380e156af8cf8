//! Held messages: judged again when the policy that failed on them is replaced, or their sender is let in.

use super::step::Turn;
use super::{Arrived, Judge};
use crate::journal::{self, Entry};
use crate::message::RowId;
use crate::state;

/// Held messages that are judged again at a time.
const RELEASE_ROWS: usize = 100;

impl Judge {
    /// Judges again what was held because a policy failed. How many got a verdict.
    pub(super) fn release_failed(&mut self) -> usize {
        self.release(true, |_| true)
    }

    pub(super) fn release_of(&mut self, address: &str) -> usize {
        self.release(false, |entry| entry.sender == address)
    }

    fn release(&mut self, failed: bool, wanted: impl Fn(&Entry) -> bool) -> usize {
        let mut released = 0;
        let mut after = RowId(0);
        loop {
            let held = journal::held(self.state.connection(), failed, after, RELEASE_ROWS).inspect_err(state::notice);
            let held = held.unwrap_or_else(|error| {
                tracing::error!(%error, "held messages could not be read");
                Vec::new()
            });
            let Some(last) = held.last() else { return released };
            after = last.message;
            let wanted: Vec<Entry> = held.into_iter().filter(|entry| wanted(entry)).collect();
            match self.judge_again(&wanted) {
                Some(count) => released += count,
                None => return released,
            }
        }
    }

    /// `None` where chat.db or state.db cannot be used now: what is held stays held.
    fn judge_again(&mut self, entries: &[Entry]) -> Option<usize> {
        if entries.is_empty() {
            return Some(0);
        }
        let ids: Vec<RowId> = entries.iter().map(|entry| entry.message).collect();
        let messages = match self.read(&ids) {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(%error, "held messages stay held");
                return None;
            }
        };
        let mut round = self.round();
        for entry in entries {
            let message = messages.iter().find(|message| message.key() == entry.guid);
            if let Some(message) = message.filter(|message| message.chat.is_some()) {
                let row =
                    Arrived { message: message.clone(), arrival: entry.arrival, seen_at: entry.seen_at, change: None };
                self.step_inbound(&row, Turn::Held, &mut round);
            }
        }
        let released = round.batch.entries.iter().filter(|entry| entry.verdict != "held").count();
        self.commit(round).ok().map(|()| released)
    }
}
