//! What was handed to Messages and has not been seen in chat.db: what a row that looks like another's may be.
//!
//! Messages marks a row of ours as ours a moment after it has written it, at times. Until then it reads as if the other
//! had written the same.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rusqlite::Connection;

use super::record;
use super::trace::{Handed, LATE};
use crate::chatdb::text_key;
use crate::message::Message;

/// Pieces that are remembered. More than leave within [`LATE`] at the usual pace.
const REMEMBERED: usize = 1024;

/// Pieces with the number of their send, the oldest first.
pub type Pieces = Vec<(i64, Handed)>;

#[derive(Default)]
pub struct Unseen {
    pieces: ArcSwap<Pieces>,
}

impl Unseen {
    /// What an earlier daemon left.
    pub fn load(connection: &Connection) -> rusqlite::Result<Unseen> {
        let since = Timestamp::now().checked_sub(LATE).unwrap_or(Timestamp::MIN);
        let mut pieces = Pieces::new();
        for record in record::unseen(connection, since)? {
            let handed = record.trace.into_iter().flat_map(|trace| trace.handed);
            pieces.extend(handed.filter(|handed| handed.row.is_none()).map(|handed| (record.id, handed)));
        }
        Ok(Unseen { pieces: ArcSwap::from_pointee(pieces) })
    }

    pub fn add(&self, id: i64, handed: Handed) {
        self.change(|pieces| {
            if pieces.len() >= REMEMBERED {
                pieces.remove(0);
            }
            pieces.push((id, handed.clone()));
        });
    }

    /// The last piece of the send was seen, or surely never left.
    pub fn settle_last(&self, id: i64) {
        self.change(|pieces| {
            if let Some(last) = pieces.iter().rposition(|(of, _)| *of == id) {
                pieces.remove(last);
            }
        });
    }

    /// All of the send was seen.
    pub fn settle(&self, id: i64) {
        self.change(|pieces| pieces.retain(|(of, _)| *of != id));
    }

    fn change(&self, change: impl Fn(&mut Pieces)) {
        let now = Timestamp::now();
        self.pieces.rcu(|pieces| {
            let mut pieces = Pieces::clone(pieces);
            pieces.retain(|(_, handed)| is_open(handed, now));
            change(&mut pieces);
            pieces
        });
    }

    /// To be taken before the rows are read that it is asked about: what is seen meanwhile is marked in them.
    pub fn pieces(&self) -> Arc<Pieces> {
        self.pieces.load_full()
    }
}

fn is_open(handed: &Handed, now: Timestamp) -> bool {
    now.duration_since(handed.at) <= LATE
}

/// Whether `message`, which is not marked as ours, may be one of these all the same.
pub fn may_be(pieces: &Pieces, message: &Message) -> bool {
    if pieces.is_empty() || message.is_from_me || message.text.is_empty() {
        return false;
    }
    let (key, now) = (text_key(&message.text), Timestamp::now());
    pieces.iter().any(|(_, handed)| is_open(handed, now) && handed.looks_like(message, &key))
}
