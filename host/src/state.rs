//! state.db: the journal, what plugins keep, the outbox and the tail's place. One file, written by this daemon only.

use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};

mod damage;
mod look;
mod stores;

pub use damage::{Lost, lost, met, notice, open, problem};
pub use look::{Look, look};
pub use stores::{Stores, stores};

use crate::consumers::record as consumers;
use crate::journal::{self, Entry, Observed};
use crate::message::{ChatId, RowId};
use crate::outbox::record;
use crate::place::Place;
use crate::plugin::StoreWrites;
use crate::policy::Interface;

/// What a statement waits for another connection of ours; a transaction here takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// What the -wal file keeps on the disk once a long reader or a burst is over. SQLite writes it into the database after
/// each 4 MiB.
const WAL_BYTES: i64 = 8 << 20;

/// The schema, step by step: a file has had as many of them as its `user_version` says, and gets the rest when it is
/// opened. A step that was released is never changed.
const STEPS: &[&[&str]] = &[
    &[SCHEMA, journal::SCHEMA, record::SCHEMA],
    &[journal::SCHEMA_2, record::SCHEMA_2, consumers::SCHEMA, damage::SCHEMA_2, journal::bounds::SCHEMA],
    &[journal::SCHEMA_3],
];

const SCHEMA: &str = "
CREATE TABLE tail (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    message_rowid INTEGER NOT NULL,
    guid TEXT NOT NULL
);
CREATE TABLE store (
    plugin TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (plugin, key)
) WITHOUT ROWID;
CREATE TABLE plugin (
    name TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    interfaces TEXT NOT NULL
);
";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not open {path}: {source}. Check that its folder exists and is yours")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("could not create {path}: {source}")]
    Create { path: PathBuf, source: std::io::Error },
    #[error("{path} was written by a newer imsgd (schema {found}, this one knows {}). Upgrade imsgd", STEPS.len())]
    Newer { path: PathBuf, found: i64 },
    #[error("{path} is damaged ({reason}), and could not be renamed: {source}. Move it away, and start imsgd again")]
    SetAside { path: PathBuf, reason: String, source: std::io::Error },
    #[error("state.db: {0}")]
    Query(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        notice(&error);
        Error::Query(error)
    }
}

impl Error {
    /// The file cannot be trusted any more.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Open { source, .. } | Error::Query(source) => damage::is_damage(source),
            _ => false,
        }
    }

    /// Another connection is writing; the same will do a little later.
    pub fn is_busy(&self) -> bool {
        matches!(self, Error::Query(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }
}

/// One connection to state.db. Each thread that writes has its own.
pub struct StateDb {
    connection: Connection,
}

/// All that one step of the judge changes, in one transaction: no verdict without its plugin's state, and none of
/// both without the tail's place (D5).
#[derive(Default)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// Observed messages that ride along with a delivered one: (delivered, observed).
    pub contexts: Vec<(RowId, Vec<Observed>)>,
    pub writes: Vec<(String, StoreWrites)>,
    /// Answers to strangers, to be sent once.
    pub replies: Vec<record::Draft>,
    pub tail: Option<(RowId, String)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        let Batch { entries, contexts, writes, replies, tail } = self;
        entries.is_empty() && contexts.is_empty() && writes.is_empty() && replies.is_empty() && tail.is_none()
    }
}

impl StateDb {
    pub fn open(path: &Path) -> Result<StateDb, Error> {
        // Created by hand first: SQLite would make it readable for others, and its side files take its mode.
        // Never opened where it is there: to close it again would drop the locks of all our connections
        // (sqlite.org/howtocorrupt, 2.2), and whoever else closed it then would take the -wal file away under us.
        match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
            Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::Create { path: path.to_owned(), source });
            }
            _ => {}
        }
        let open = |source| Error::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(open)?;
        connection.busy_timeout(BUSY).map_err(open)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(open)?;
        // A killed process loses nothing with this; after a power cut the last verdicts are come to again.
        connection.pragma_update(None, "synchronous", "normal").map_err(open)?;
        connection.pragma_update(None, "foreign_keys", "on").map_err(open)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES).map_err(open)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection, path)?;
        Ok(StateDb { connection })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn transaction(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction()
    }

    pub fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        for entry in &batch.entries {
            journal::put(&transaction, entry)?;
        }
        for (delivered, observed) in &batch.contexts {
            journal::put_context(&transaction, *delivered, observed)?;
        }
        for (plugin, writes) in &batch.writes {
            put_store(&transaction, plugin, writes)?;
        }
        for reply in &batch.replies {
            record::insert(&transaction, reply)?;
        }
        if let Some((rowid, guid)) = &batch.tail {
            let mut put = transaction
                .prepare_cached("INSERT OR REPLACE INTO tail (only_row, message_rowid, guid) VALUES (1, ?1, ?2)")?;
            put.execute(params![rowid.0, guid])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// See [`journal::bounds::prune`]. Waits for nobody: there is time for this later.
    pub fn prune_journal(&mut self, which: journal::Which, from: i64, limit: usize) -> Result<journal::Pruned, Error> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let pruned = self.prune_now(which, from, limit);
        self.connection.busy_timeout(BUSY)?;
        pruned
    }

    fn prune_now(&mut self, which: journal::Which, from: i64, limit: usize) -> Result<journal::Pruned, Error> {
        let transaction = self.connection.transaction()?;
        let pruned = journal::bounds::prune(&transaction, which, from, limit)?;
        transaction.commit()?;
        Ok(pruned)
    }

    /// Gives messages their new numbers, see [`journal::renumber`], and consumers, by id, their new places, with what is
    /// to be said about those.
    pub fn renumber(
        &mut self,
        before: &[(String, RowId)],
        now: &HashMap<String, (RowId, Option<ChatId>)>,
        places: &[(i64, (Place, Option<&str>))],
    ) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        journal::renumber(&transaction, before, now)?;
        for (id, (place, lost)) in places {
            consumers::renumber(&transaction, *id, place, *lost)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The last row that was judged, with its guid.
    pub fn tail(&self) -> Result<Option<(RowId, String)>, Error> {
        let query = "SELECT message_rowid, guid FROM tail";
        Ok(self.connection.query_row(query, [], |row| Ok((RowId(row.get(0)?), row.get(1)?))).optional()?)
    }

    pub fn set_tail(&self, rowid: RowId, guid: &str) -> Result<(), Error> {
        let put = "INSERT OR REPLACE INTO tail (only_row, message_rowid, guid) VALUES (1, ?1, ?2)";
        self.connection.execute(put, params![rowid.0, guid])?;
        Ok(())
    }

    /// All that `plugin` keeps.
    pub fn plugin_state(&self, plugin: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut query = self.connection.prepare_cached("SELECT key, value FROM store WHERE plugin = ?1")?;
        let rows = query.query_map([plugin], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remembers what a plugin offers, so that its place is kept shut where it cannot be loaded later.
    pub fn remember_plugin(&self, name: &str, version: &str, interfaces: &[Interface]) -> Result<(), Error> {
        let interfaces: Vec<&str> = interfaces.iter().map(|interface| interface.name()).collect();
        let put = "INSERT OR REPLACE INTO plugin (name, version, interfaces) VALUES (?1, ?2, ?3)";
        self.connection.execute(put, params![name, version, interfaces.join(" ")])?;
        Ok(())
    }

    pub fn forget_plugin(&self, name: &str) -> Result<(), Error> {
        self.connection.execute("DELETE FROM plugin WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Plugins that were loaded before, and what each offered.
    pub fn remembered_plugins(&self) -> Result<Vec<(String, Vec<Interface>)>, Error> {
        let mut query = self.connection.prepare("SELECT name, interfaces FROM plugin ORDER BY name")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let mut known = Vec::new();
        for row in rows {
            let (name, interfaces) = row?;
            known.push((name, interfaces.split(' ').filter_map(Interface::from_name).collect()));
        }
        Ok(known)
    }
}

fn put_store(transaction: &Transaction<'_>, plugin: &str, writes: &StoreWrites) -> Result<(), Error> {
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO store (plugin, key, value) VALUES (?1, ?2, ?3)")?;
    let mut delete = transaction.prepare_cached("DELETE FROM store WHERE plugin = ?1 AND key = ?2")?;
    for (key, value) in writes {
        match value {
            Some(value) => put.execute(params![plugin, key, value])?,
            None => delete.execute(params![plugin, key])?,
        };
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let missing = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
    let Some(missing) = missing else { return Err(Error::Newer { path: path.to_owned(), found }) };
    for batch in missing.iter().copied().flatten() {
        transaction.execute_batch(batch)?;
    }
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut state = StateDb::open(&path).unwrap();
        let writes = StoreWrites::from([("a".into(), Some(b"1".to_vec())), ("b".into(), Some(b"2".to_vec()))]);
        let batch =
            Batch { writes: vec![("p".into(), writes)], tail: Some((RowId(7), "G7".into())), ..Batch::default() };
        state.commit(&batch).unwrap();
        let gone = StoreWrites::from([("a".into(), None)]);
        state.commit(&Batch { writes: vec![("p".into(), gone)], ..Batch::default() }).unwrap();
        drop(state);
        let state = StateDb::open(&path).unwrap();
        assert_eq!(state.plugin_state("p").unwrap(), BTreeMap::from([("b".to_owned(), b"2".to_vec())]));
        assert_eq!(state.plugin_state("q").unwrap(), BTreeMap::new());
        assert_eq!(state.tail().unwrap(), Some((RowId(7), "G7".to_owned())));
    }

    #[test]
    fn state_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = StateDb::open(&path).unwrap();
        state.set_tail(RowId(1), "G").unwrap();
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_file_of_the_first_schema_is_brought_up_to_date_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let old = Connection::open(&path).unwrap();
        STEPS[0].iter().for_each(|batch| old.execute_batch(batch).unwrap());
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute_batch(
            "INSERT INTO tail VALUES (1, 7, 'G7');
             INSERT INTO journal (guid, message_rowid, chat_id, sender, arrival, verdict, sent_at, seen_at, judged_us)
             VALUES ('G7', 7, 1, 'ann', 'live', 'held', 1, 2, 3), ('G6', 6, 1, 'bob', 'live', 'delivered', 1, 1, 3);",
        )
        .unwrap();
        drop(old);
        let state = StateDb::open(&path).unwrap();
        assert_eq!(state.tail().unwrap(), Some((RowId(7), "G7".to_owned())));
        let entry = journal::of(&state.connection, RowId(7), "G7").unwrap().unwrap();
        assert_eq!((entry.sender.as_str(), entry.verdict.as_str(), entry.judged_us), ("ann", "held", 3));
        assert_eq!(journal::of(&state.connection, RowId(6), "G7").unwrap(), None);
        assert_eq!(journal::anywhere(&state.connection, "G6").unwrap().unwrap().message, RowId(6));
        let schema = |state: &StateDb| -> Vec<String> {
            let mut query = state.connection.prepare("SELECT sql FROM sqlite_schema ORDER BY name").unwrap();
            query.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap().flat_map(Result::unwrap).collect()
        };
        let fresh = StateDb::open(&folder.path().join("fresh.db")).unwrap();
        assert_eq!(schema(&state), schema(&fresh));
    }

    #[test]
    fn the_log_that_a_long_reader_kept_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut state = StateDb::open(&path).unwrap();
        let mut write = |number: u8| {
            let writes = StoreWrites::from([("a".into(), Some(vec![number; 1 << 20]))]);
            state.commit(&Batch { writes: vec![("p".into(), writes)], ..Batch::default() }).unwrap();
        };
        let reader = StateDb::open(&path).unwrap();
        reader.connection.execute_batch("BEGIN; SELECT * FROM store").unwrap();
        (0..20).for_each(&mut write);
        let bytes = || std::fs::metadata(folder.path().join("state.db-wal")).unwrap().len();
        assert!(bytes() > 2 * WAL_BYTES as u64, "{}", bytes());
        reader.connection.execute_batch("COMMIT").unwrap();
        (20..24).for_each(&mut write);
        assert!(bytes() <= WAL_BYTES as u64, "{}", bytes());
    }

    #[test]
    fn pruning_waits_for_no_other_connection_and_says_that_it_was_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut state = StateDb::open(&path).unwrap();
        let other = StateDb::open(&path).unwrap();
        other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = state.prune_journal(journal::Which::Oldest, i64::MIN, 1).unwrap_err();
        assert!(error.is_busy() && !error.is_damage(), "{error}");
        other.connection.execute_batch("COMMIT").unwrap();
        state.prune_journal(journal::Which::Oldest, i64::MIN, 1).unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        StateDb::open(&path).unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(StateDb::open(&path), Err(Error::Newer { found: 99, .. })));
    }
}
