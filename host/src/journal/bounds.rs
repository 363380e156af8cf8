//! How much of the past the journal keeps. What goes is treated like what came before imsgd: never announced by itself,
//! and judged anew, without a trace, for who asks for it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::message::RowId;

/// Between which rows entries have gone; of use while rows keep their numbers.
pub(crate) const SCHEMA: &str = "
CREATE TABLE pruned (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    first_rowid INTEGER NOT NULL,
    last_rowid INTEGER NOT NULL
);
";

/// The newest entries, which stay however large the file is: what fills it then is something else.
const FLOOR: i64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub keep: SignedDuration,
    /// Of the whole of state.db, without what is free in it.
    pub max_bytes: u64,
}

/// Which entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What was seen before this time, and is not held.
    Before(Timestamp),
    /// The oldest ones that are not held.
    Oldest,
    /// The oldest ones that are held.
    OldestHeld,
}

/// What one step took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    pub entries: usize,
    /// When the last of them was seen, in milliseconds: the next step begins here.
    pub until: i64,
}

/// Bytes in use.
pub fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// How many entries there are. Reads an index from one end to the other.
pub fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let query = "SELECT COUNT(*) FROM journal INDEXED BY journal_seen";
    let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Takes away at most `limit` entries that were seen at or after `from`, the oldest first. The last late delivery stays:
/// the next one is numbered after it.
pub(crate) fn prune(transaction: &Transaction<'_>, which: Which, from: i64, limit: usize) -> rusqlite::Result<Pruned> {
    let before = match which {
        Which::Before(time) => time.as_millisecond(),
        Which::Oldest | Which::OldestHeld => newest_that_may_go(transaction)?,
    };
    let chosen = match which {
        Which::OldestHeld => {
            "SELECT message_rowid, guid FROM journal INDEXED BY journal_held
             WHERE verdict = 'held' AND seen_at >= ?1 AND seen_at < ?2 ORDER BY message_rowid LIMIT ?3"
        }
        _ => {
            "SELECT message_rowid, guid FROM journal INDEXED BY journal_seen
             WHERE verdict <> 'held' AND seen_at >= ?1 AND seen_at < ?2
               AND (released IS NULL OR released < (SELECT MAX(released) FROM journal INDEXED BY journal_released
                   WHERE released IS NOT NULL))
             ORDER BY seen_at LIMIT ?3"
        }
    };
    let mut delete = transaction.prepare_cached(&format!(
        "DELETE FROM journal WHERE (message_rowid, guid) IN ({chosen}) RETURNING message_rowid, seen_at"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let gone: Vec<(i64, i64)> = delete
        .query_map(params![from, before, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let rows = || gone.iter().map(|(row, _)| *row);
    if let (Some(first), Some(last)) = (rows().min(), rows().max()) {
        let mut note = transaction.prepare_cached(
            "INSERT INTO pruned VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE
             SET first_rowid = MIN(first_rowid, ?1), last_rowid = MAX(last_rowid, ?2)",
        )?;
        note.execute([first, last])?;
    }
    let until = gone.iter().map(|(_, seen)| *seen).max().unwrap_or(from);
    Ok(Pruned { entries: gone.len(), until })
}

/// What was seen before this may go, in milliseconds.
fn newest_that_may_go(connection: &Connection) -> rusqlite::Result<i64> {
    let mut query = connection.prepare_cached(
        "SELECT seen_at FROM journal INDEXED BY journal_seen ORDER BY seen_at DESC LIMIT 1 OFFSET ?1",
    )?;
    Ok(query.query_row([FLOOR], |row| row.get(0)).optional()?.unwrap_or(i64::MIN))
}

/// May the journal have had an entry for this row, and have it no more?
pub fn is_pruned(connection: &Connection, row: RowId) -> rusqlite::Result<bool> {
    let mut query = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM pruned WHERE ?1 BETWEEN first_rowid AND last_rowid)")?;
    query.query_row([row.0], |found| found.get(0))
}

/// Rows have other numbers now.
pub(super) fn forget_pruned(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM pruned", []).map(drop)
}
