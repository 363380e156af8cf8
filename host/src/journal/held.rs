//! Held messages as their owner looks through them: page by page, in the order of their rows.

use rusqlite::{Connection, OptionalExtension, params};

use super::Entry;
use crate::message::RowId;

/// A place among the held messages: all that are not in the database any more share one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPlace(pub RowId, pub String);

impl HeldPlace {
    /// Before the first.
    pub fn start() -> HeldPlace {
        HeldPlace(RowId(-1), String::new())
    }

    pub fn of(entry: &Entry) -> HeldPlace {
        HeldPlace(entry.message, entry.guid.clone())
    }
}

/// Held messages after `after`, of everybody or of one `sender` (as compared).
pub fn held_page(
    connection: &Connection,
    sender: Option<&str>,
    after: &HeldPlace,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM journal INDEXED BY journal_held
         WHERE verdict = 'held' AND (message_rowid, guid) > (?1, ?2) AND (?3 IS NULL OR sender = ?3)
         ORDER BY message_rowid, guid LIMIT ?4",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map(params![after.0.0, after.1, sender, limit], Entry::from_row)?.collect()
}

/// The held message of this row, if it is one.
pub fn held_at(connection: &Connection, row: RowId) -> rusqlite::Result<Option<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM journal INDEXED BY journal_held WHERE verdict = 'held' AND message_rowid = ?1",
    )?;
    query.query_row([row.0], Entry::from_row).optional()
}
