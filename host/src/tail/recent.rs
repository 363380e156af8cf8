//! Messages that may still be edited or taken back: those handed on lately, looked at again when the database changed.
//!
//! Nothing in chat.db finds a change by its date, as no index of Messages' has one. But Messages allows edits for 15
//! minutes after a message was sent and taking it back for 2, so that few rows are left to ask for by their ids.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::chatdb::{self, ChatDb};
use crate::message::{Arrival, Change, Message, RowId};

/// How long a message is looked at, counted while the computer is awake: what happened during its sleep arrives when
/// that ends. More than the 15 minutes, for devices whose clock or network is slow.
const OPEN: Duration = Duration::from_secs(20 * 60);

/// Messages at most, the newest.
const MOST: usize = 300;

#[derive(Default)]
pub(super) struct Recent {
    rows: VecDeque<Known>,
}

/// A message, as it was when we last looked.
struct Known {
    id: RowId,
    noted: Instant,
    changed_at: Option<Timestamp>,
    unsent_parts: usize,
}

impl Known {
    fn new(message: &Message) -> Known {
        let edits = message.edits.as_ref();
        Known {
            id: message.id,
            noted: Instant::now(),
            changed_at: edits.map(|edits| edits.changed_at),
            unsent_parts: edits.map_or(0, |edits| edits.unsent_parts.len()),
        }
    }
}

impl Recent {
    /// Starts again with messages that were handed on before.
    pub fn restart<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) {
        self.rows.clear();
        let open = SignedDuration::try_from(OPEN).unwrap_or(SignedDuration::MAX);
        let now = Timestamp::now();
        messages.filter(|message| now.duration_since(message.sent_at) <= open).for_each(|message| self.add(message));
    }

    pub fn note(&mut self, message: &Message, arrival: Arrival) {
        if arrival != Arrival::Backfill {
            self.add(message);
        }
    }

    fn add(&mut self, message: &Message) {
        // Nobody edits a reaction, and the preview of a link changes with its text.
        if message.tapback.is_some() || message.preview_of.is_some() {
            return;
        }
        if self.rows.len() == MOST {
            self.rows.pop_front();
        }
        self.rows.push_back(Known::new(message));
    }

    /// The messages that were changed since this was last asked, as they are now.
    pub fn changes(&mut self, db: &ChatDb) -> Result<Vec<(Message, Change)>, chatdb::Error> {
        self.rows.retain(|known| known.noted.elapsed() < OPEN);
        let ids: Vec<RowId> = self.rows.iter().map(|known| known.id).collect();
        let changed: Vec<RowId> = db
            .changed(&ids)?
            .into_iter()
            .filter(|(id, at)| self.rows.iter().any(|known| known.id == *id && known.changed_at != Some(*at)))
            .map(|(id, _)| id)
            .collect();
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        for row in db.rows(&changed)? {
            let Some(known) = self.rows.iter_mut().find(|known| known.id == row.message.id) else { continue };
            let now = Known { noted: known.noted, ..Known::new(&row.message) };
            let is_unsent = row.message.edits.as_ref().is_some_and(|edits| edits.is_unsent);
            let change =
                if is_unsent || now.unsent_parts > known.unsent_parts { Change::Unsent } else { Change::Edited };
            *known = now;
            changes.push((row.message, change));
        }
        Ok(changes)
    }
}
