//! Messages' database: the only module that opens chat.db, and it only ever reads.
//!
//! A [`ChatDb`] is one connection to one file. It stays with that file when another takes its place at the path; its
//! owner asks [`ChatDb::is_current`] and opens the new one. Every method reads one snapshot.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::decode::date;
use crate::message::{Message, RowId};

mod accounts;
mod attachment;
mod background;
mod changed;
mod chats;
mod fold;
mod history;
mod inbound;
mod linked;
mod load;
mod named;
mod opened;
mod own_tapback;
mod page;
mod places;
mod polls;
mod previews;
mod reactions;
mod row;
mod schedule;
mod schema;
mod search;
mod sent;
mod stats;
mod stretch;
mod unread;

#[cfg(test)]
mod tests;

pub use accounts::Account;
pub use background::{Background, BackgroundEvent};
pub use chats::{ChatSummary, target_keys};
pub use history::History;
pub use inbound::Inbound;
pub use own_tapback::OwnTapback;
pub use page::{After, Page};
pub use row::Damage;
pub use schedule::Scheduled;
pub use search::{Search, TextMatch};

pub use schema::{Features, Schema, Table};
pub use sent::{Among, KnownService, SendStatus, text_key};
pub use stats::{ChatName, MediaCount, MediaStats, Stats, StatsQuery};

use load::Loader;
use named::Named;
use opened::Opened;
pub use opened::wait_for_close;
use row::MessageRow;

/// Messages writes in short transactions. Longer than this, and something holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than there are different statements, so that none is prepared twice.
const STATEMENTS: usize = 64;

/// How much of the file a connection keeps in memory.
#[derive(Clone, Copy, Debug)]
pub enum Cache {
    /// The upper levels of all indexes of a large database, for whoever answers again and again.
    Large,
    /// For whoever reads through once: in this little, pages are still in the processor's own caches when the next take
    /// their place.
    Small,
}

impl Cache {
    fn kib(self) -> i64 {
        match self {
            Cache::Large => 16 << 10,
            Cache::Small => 4 << 10,
        }
    }
}
/// Rows whose greatest date counts as the newest: imported old messages may be the last rows.
const NEWEST_ROWS: i64 = 100;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no Messages database at {}; sign in to Messages, or name another file with --db", path.display())]
    Missing { path: PathBuf },
    #[error("cannot read the Messages database {}{}", path.display(), hint(source.as_ref()))]
    Unreadable {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{} is not a Messages database: {detail}", path.display())]
    NotMessages { path: PathBuf, detail: String },
    #[error("cannot {what} in the Messages database")]
    Query {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        #[source]
        source: rusqlite::Error,
    },
}

impl Error {
    /// The database that the error is about, where it says.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::Missing { path } | Error::Unreadable { path, .. } | Error::NotMessages { path, .. } => Some(path),
            Error::Query { .. } => None,
        }
    }

    /// Were the files replaced, and is there still a connection of ours to the old ones?
    pub fn is_superseded(&self) -> bool {
        let Error::Unreadable { source, .. } = self else { return false };
        source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }

    /// True where there is no database to ask, rather than no answer from it.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Error::Missing { .. } | Error::Unreadable { .. } | Error::NotMessages { .. } => true,
            Error::Query { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::CannotOpen
                        | ErrorCode::PermissionDenied
                        | ErrorCode::AuthorizationForStatementDenied
                        | ErrorCode::NotADatabase
                        | ErrorCode::DatabaseCorrupt
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                )
            ),
        }
    }
}

/// What to do about a database that cannot be read.
fn hint(source: &(dyn std::error::Error + 'static)) -> &'static str {
    let sqlite = source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    if matches!(sqlite, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) {
        return "; another program has it locked: try again once that has ended";
    }
    match source.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => {
            "; give imsgd Full Disk Access in System Settings, Privacy & Security, and start it again"
        }
        Some(io::ErrorKind::ResourceBusy) => "; its files were replaced just now: try again in a moment",
        Some(io::ErrorKind::NotFound) => "; its -wal file is missing: a copy needs the -wal and -shm files too",
        _ => "; check that it is the right file, and that imsgd has Full Disk Access in System Settings",
    }
}

/// Which file a path named when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    pub device: u64,
    pub inode: u64,
}

impl FileIdentity {
    pub fn of(path: &Path) -> io::Result<FileIdentity> {
        let metadata = fs::metadata(path)?;
        Ok(FileIdentity { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// A row as the tail needs it.
#[derive(Clone, Debug)]
pub struct TailRow {
    pub message: Message,
    /// False while Messages has yet to write some of it: its chat, its text or its attachments.
    pub complete: bool,
    /// What of it could not be read, if anything.
    pub damage: Option<Damage>,
}

/// One open chat.db.
pub struct ChatDb {
    connection: Connection,
    /// After the connection, which is closed first.
    opened: Opened,
    path: PathBuf,
    schema: Schema,
    /// The select list of `row::columns`, which depends on the schema.
    columns: String,
    /// That of `row::own_columns`.
    own_columns: String,
    unread: unread::Latest,
    chats: RefCell<chats::Kept>,
    named: RefCell<Option<Named>>,
    #[cfg(test)]
    prepared: RefCell<std::collections::BTreeSet<String>>,
}

impl ChatDb {
    /// Succeeds only where messages can be read.
    pub fn open(path: &Path) -> Result<ChatDb, Error> {
        ChatDb::open_with(path, Cache::Large)
    }

    pub fn open_with(path: &Path, cache: Cache) -> Result<ChatDb, Error> {
        let unreadable =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Unreadable { path: path.to_owned(), source };
        let mut opened = Opened::begin(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !path.exists() => Error::Missing { path: path.to_owned() },
            io::ErrorKind::UnexpectedEof => Error::NotMessages { path: path.to_owned(), detail: error.to_string() },
            _ => unreadable(error.into()),
        })?;
        let (connection, schema) = connect(path, cache).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => {
                Error::NotMessages { path: path.to_owned(), detail: "it is not an SQLite database".to_owned() }
            }
            _ => unreadable(error.into()),
        })?;
        opened.finish().map_err(|error| unreadable(error.into()))?;
        if let Some(detail) = schema.missing() {
            return Err(Error::NotMessages { path: path.to_owned(), detail });
        }
        let (columns, own_columns) = (row::columns(&schema), row::own_columns(&schema));
        Ok(ChatDb {
            connection,
            opened,
            path: path.to_owned(),
            schema,
            columns,
            own_columns,
            unread: unread::Latest::default(),
            chats: RefCell::default(),
            named: RefCell::default(),
            #[cfg(test)]
            prepared: Default::default(),
        })
    }

    /// False once the path names another file, or none, or the -wal and -shm files beside it are others.
    pub fn is_current(&self) -> bool {
        self.opened.is_current()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn identity(&self) -> FileIdentity {
        self.opened.database()
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Changes whenever another connection has written to the file.
    pub fn data_version(&self) -> Result<i64, Error> {
        self.version().map_err(|source| Error::Query { what: "read the data version", source })
    }

    fn version(&self) -> rusqlite::Result<i64> {
        self.prepare("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// 0 in an empty database.
    pub fn max_rowid(&self) -> Result<RowId, Error> {
        self.value("find the last message", "SELECT COALESCE(MAX(ROWID), 0) FROM message", |row| row.get(0).map(RowId))
    }

    /// The greatest number that a row has ever had. `None` where that is not known.
    pub fn last_used_rowid(&self) -> Result<Option<RowId>, Error> {
        self.read("find the last number of a message", || {
            let sql = "SELECT COUNT(*) FROM pragma_table_info('sqlite_sequence')";
            if self.prepare(sql)?.query_row([], |row| row.get::<_, i64>(0))? == 0 {
                return Ok(None);
            }
            let mut statement = self.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'message'")?;
            Ok(statement.query_row([], |row| Ok(row::integer(row, 0).map(RowId))).optional()?.flatten())
        })
    }

    /// `None` where there is no such row; empty where the row has none.
    pub fn guid_of(&self, id: RowId) -> Result<Option<String>, Error> {
        self.read("look up a message", || {
            let guid = self.schema.column(Table::Message, "m", "guid");
            let mut statement = self.prepare(&format!("SELECT {guid} FROM message m WHERE m.ROWID = ?1"))?;
            statement.query_row([id.0], |row| Ok(row::string(row, 0).unwrap_or_default())).optional()
        })
    }

    pub fn rowid_of(&self, guid: &str) -> Result<Option<RowId>, Error> {
        if !self.schema.has(Table::Message, "guid") {
            return Ok(None);
        }
        self.read("look up a message", || {
            let mut statement = self.prepare("SELECT MAX(ROWID) FROM message WHERE guid = ?1")?;
            statement.query_row([guid], |row| Ok(row::integer(row, 0).map(RowId)))
        })
    }

    /// The greatest date among the last rows. `None` in an empty database.
    pub fn newest_date(&self) -> Result<Option<Timestamp>, Error> {
        self.read("find the newest message", || {
            let mut statement =
                self.prepare("SELECT MAX(date) FROM (SELECT date FROM message ORDER BY ROWID DESC LIMIT ?1)")?;
            statement.query_row([NEWEST_ROWS], |row| Ok(row::integer(row, 0).map(|date| date::from_column(Some(date)))))
        })
    }

    /// The next `limit` rows in ROWID order: every row, tapbacks and rows without a chat too, and each once.
    pub fn rows_after(&self, after: RowId, limit: usize) -> Result<Vec<TailRow>, Error> {
        self.read("read new messages", || {
            let sql = format!(
                "SELECT {} FROM message m {} WHERE m.ROWID > ?1 ORDER BY m.ROWID LIMIT ?2",
                self.columns,
                row::JOINS
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = self.filled(&sql, params![after.0, limit])?;
            for row in &mut rows {
                row.message.preview_of = previews::text_repeated_by(self, &row.message)?;
            }
            Ok(rows)
        })
    }

    /// The rows with these ids that exist, in ROWID order.
    pub fn rows(&self, ids: &[RowId]) -> Result<Vec<TailRow>, Error> {
        self.read("read messages again", || {
            let sql = format!(
                "SELECT {} FROM message m {} WHERE m.ROWID IN (SELECT value FROM json_each(?1)) ORDER BY m.ROWID",
                self.columns,
                row::JOINS
            );
            let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            self.filled(&sql, params![load::json(&ids)])
        })
    }

    fn filled(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<TailRow>> {
        let mut statement = self.prepare(sql)?;
        let mut rows: Vec<MessageRow> =
            statement.query_map(params, |row| Ok(MessageRow::read(row)))?.collect::<rusqlite::Result<_>>()?;
        Loader::new(self).fill(&mut rows)?;
        let read = |row: MessageRow| TailRow { complete: row.is_complete(), damage: row.damage, message: row.message };
        Ok(rows.into_iter().map(read).collect())
    }

    fn value<T>(
        &self,
        what: &'static str,
        sql: &str,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let value = self.prepare(sql).and_then(|mut statement| statement.query_row([], read));
        value.map_err(|source| Error::Query { what, source })
    }

    /// The only way to a statement, so that a test can look at the plans of all of them.
    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        #[cfg(test)]
        self.prepared.borrow_mut().insert(sql.to_owned());
        self.connection.prepare_cached(sql)
    }

    /// Runs `queries` on one snapshot.
    fn read<T>(&self, what: &'static str, queries: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, Error> {
        let snapshot = self.connection.unchecked_transaction();
        // Dropped at the end, which rolls back: there is nothing to commit.
        let result = snapshot.and_then(|_snapshot| queries());
        result.map_err(|source| Error::Query { what, source })
    }
}

fn connect(path: &Path, cache: Cache) -> rusqlite::Result<(Connection, Schema)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -cache.kib())?;
    // Some indexes of `message` are partial. SQLite looks at bound values to see whether one of these will do, and then
    // prepares the statement anew each time that it is bound, which costs more than most of our queries do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let schema = Schema::probe(&connection)?;
    Ok((connection, schema))
}

fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri + "?mode=ro"
}
