//! A database whose rows have other numbers: what was noted of messages, and where consumers are, follows them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Judge;
use crate::consumers::record::{self, Record};
use crate::journal;
use crate::message::{ChatId, RowId};
use crate::place::Place;

/// Guids that are looked up at a time.
const LOOK_UP: usize = 1000;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Journal(#[from] rusqlite::Error),
    #[error(transparent)]
    State(#[from] crate::state::Error),
    #[error(transparent)]
    Database(#[from] crate::chatdb::Error),
}

/// Where messages are now, by guid.
type Now = HashMap<String, (RowId, Option<ChatId>)>;

/// A new place, and what is to be said about it.
type Moved = (Place, Option<&'static str>);

const FOUND_EARLIER: &str = "the Messages database was replaced, and the last message of this consumer is not in the new \
                             one: it goes on after an earlier one, so that messages may come again";
const NOT_FOUND: &str = "the Messages database was replaced, and none of this consumer's messages is in the new one: it \
                         goes on where imsgd does, so that messages may be missed";

impl Judge {
    /// The stream goes on at `place`, in the new numbers.
    pub(super) fn follow_renumbered(&mut self, place: &Place) {
        self.waiting.clear();
        match self.renumber(place) {
            Ok((found, all)) => tracing::info!(found, of = all, "messages of the journal were looked up again"),
            Err(error) => tracing::error!(%error, "the journal has the numbers of another database"),
        }
    }

    fn renumber(&mut self, place: &Place) -> Result<(usize, usize), Error> {
        let before = journal::places(self.state.connection())?;
        let consumers = record::all(self.state.connection())?;
        let of_consumers = consumers.iter().map(|consumer| consumer.place.guid.to_string());
        let known: Vec<String> = before.iter().map(|(guid, _)| guid.clone()).chain(of_consumers).collect();
        let mut now = Now::new();
        for known in known.chunks(LOOK_UP) {
            now.extend(self.with_chatdb(|chatdb| chatdb.places(known))?);
        }
        let moved: Vec<(i64, Moved)> =
            consumers.iter().map(|consumer| (consumer.id, moved(consumer, &before, &now, place))).collect();
        self.state.renumber(&before, &now, &moved)?;
        let found = before.iter().filter(|(guid, _)| now.contains_key(guid)).count();
        Ok((found, before.len()))
    }
}

/// Where a consumer goes on: after the same message, or after the one before it that is still there.
fn moved(consumer: &Record, before: &[(String, RowId)], now: &Now, stream: &Place) -> Moved {
    let released = consumer.place.released;
    let at = |guid: &str| now.get(guid).map(|(row, _)| Place { row: *row, guid: guid.into(), released });
    if let Some(place) = at(&consumer.place.guid).filter(|_| !consumer.place.guid.is_empty()) {
        return (place, None);
    }
    let known = || before.iter().filter(|(guid, row)| row.0 > 0 && now.contains_key(guid));
    let earlier = known().filter(|(_, row)| *row <= consumer.place.row).max_by_key(|(_, row)| *row);
    if let Some(place) = earlier.and_then(|(guid, _)| at(guid)) {
        return (place, Some(FOUND_EARLIER));
    }
    let first = known().min_by_key(|(_, row)| *row).and_then(|(guid, _)| at(guid));
    match first {
        // It was before all that was judged, and still is.
        Some(first) => (Place { row: RowId(first.row.0 - 1), guid: Arc::default(), released }, None),
        None => (Place { released, ..stream.clone() }, Some(NOT_FOUND)),
    }
}
