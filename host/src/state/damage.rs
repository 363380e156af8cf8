//! A state.db that cannot be trusted: noticed, set aside, and a new one begun with what is safe to keep.
//!
//! Whoever meets damage while the daemon runs leaves a mark beside the file, and the daemon stops; launchd starts it
//! again, and the next start looks at the whole file. An ordinary start does not, since that takes time.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, params, params_from_iter};
use tokio::sync::Notify;

use super::{Error, StateDb};

pub(crate) const SCHEMA_2: &str = "
CREATE TABLE state_lost (
    path TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    kept INTEGER NOT NULL
);
";

/// What plugins keep is never taken over: an older page could let somebody in who was revoked since.
const LEFT_BEHIND: &[&str] = &["store", "state_lost"];

/// The file of this process, where it is to be watched.
static WATCHED: OnceLock<PathBuf> = OnceLock::new();

/// What was met, once it was.
static MET: OnceLock<String> = OnceLock::new();
static TOLD: Notify = Notify::const_new();

/// A state.db that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    pub path: PathBuf,
    pub at: Timestamp,
    pub reason: String,
    /// Rows that the new file has from it.
    pub kept: i64,
}

/// Opens the daemon's state.db, and sets one aside that is damaged. `look` reads what a start needs.
pub fn open<T>(path: &Path, look: impl Fn(&StateDb) -> Result<T, Error>) -> Result<(StateDb, T), Error> {
    let try_open = || -> Result<(StateDb, T), Error> {
        let state = StateDb::open(path)?;
        let seen = look(&state)?;
        Ok((state, seen))
    };
    let reason = if marked(path).try_exists().unwrap_or(false) { problem_of(path) } else { None };
    let reason = match reason {
        Some(reason) => reason,
        None => match try_open() {
            Err(error) if error.is_damage() => error.to_string(),
            result => return result.inspect(|_| watch(path)),
        },
    };
    set_aside(path, &reason)?;
    try_open().inspect(|_| watch(path))
}

fn watch(path: &Path) {
    let _ = fs::remove_file(marked(path));
    let _ = WATCHED.set(path.to_owned());
}

/// Files that were set aside and are still there.
pub fn lost(state: &StateDb) -> Result<Vec<Lost>, Error> {
    let mut query = state.connection().prepare("SELECT path, at, reason, kept FROM state_lost ORDER BY at")?;
    let rows = query.query_map([], |row| {
        let at = Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Lost { path: PathBuf::from(row.get::<_, String>(0)?), at, reason: row.get(2)?, kept: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// To be told of every error of state.db: where it means damage, the daemon stops.
pub fn notice(error: &rusqlite::Error) {
    let Some(path) = WATCHED.get().filter(|_| is_damage(error)) else { return };
    if MET.set(error.to_string()).is_err() {
        return;
    }
    // Where this cannot be written, the next start finds out by itself or stops again.
    let _ = fs::write(marked(path), error.to_string());
    tracing::error!(path = %path.display(), %error, "state.db is damaged; stopping, so that the next start sets it aside");
    TOLD.notify_waiters();
    TOLD.notify_one();
}

/// Waits until damage was met.
pub async fn met() {
    if MET.get().is_none() {
        TOLD.notified().await;
    }
}

/// The damage that was met, if any.
pub fn problem() -> Option<&'static str> {
    MET.get().map(String::as_str)
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn marked(path: &Path) -> PathBuf {
    with_suffix(path, ".suspect")
}

/// What a look at the whole file finds.
fn problem_of(path: &Path) -> Option<String> {
    let look = || -> rusqlite::Result<String> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
    };
    match look() {
        Ok(found) if found == "ok" => {
            tracing::info!("state.db was looked through after an error, and is whole");
            None
        }
        Ok(found) => Some(found.replace('\n', " ")),
        Err(error) if is_damage(&error) => Some(error.to_string()),
        // Opening it says what it is.
        Err(_) => None,
    }
}

/// Gives the file another name and begins a new one, with what can be read of the old one.
fn set_aside(path: &Path, reason: &str) -> Result<(), Error> {
    let aside = free_name(path);
    for suffix in ["", "-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::SetAside { path: path.to_owned(), reason: reason.to_owned(), source });
            }
            _ => {}
        }
    }
    let state = StateDb::open(path)?;
    let kept = salvage(&aside, state.connection());
    state.connection().execute(
        "INSERT OR REPLACE INTO state_lost (path, at, reason, kept) VALUES (?1, ?2, ?3, ?4)",
        params![aside.to_string_lossy(), Timestamp::now().as_millisecond(), reason, kept],
    )?;
    tracing::error!(
        aside = %aside.display(), reason, kept,
        "state.db was damaged and is set aside; a new one was begun. Who was paired has to be approved again"
    );
    Ok(())
}

fn free_name(path: &Path) -> PathBuf {
    let now = Timestamp::now().as_second();
    let name = |number: i64| with_suffix(path, &format!(".corrupt-{}", now + number));
    (0..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0))
}

/// Copies every table but what plugins keep, row by row, and gives how many rows there were.
fn salvage(from: &Path, to: &Connection) -> i64 {
    let Ok(from) = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE) else { return 0 };
    let tables = names(to, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let wanted = tables.unwrap_or_default().into_iter().filter(|table| !LEFT_BEHIND.contains(&table.as_str()));
    // In one transaction: a commit for each row would take minutes.
    let began = to.execute_batch("BEGIN");
    let kept: i64 = wanted.map(|table| salvage_table(&from, to, &table)).sum();
    let settled = to.execute_batch(
        // The code in an answer that waits is not known any more.
        "UPDATE outbox SET state = 'failed', text = NULL WHERE text IS NOT NULL AND state = 'queued';
         INSERT OR IGNORE INTO tail (only_row, message_rowid, guid)
             SELECT 1, message_rowid, guid FROM journal ORDER BY message_rowid DESC LIMIT 1",
    );
    if let Err(error) = began.and(settled).and_then(|()| to.execute_batch("COMMIT")) {
        tracing::error!(%error, "what was kept of the damaged state.db could not be settled");
    }
    kept
}

fn salvage_table(from: &Connection, to: &Connection, table: &str) -> i64 {
    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
    let (Ok(had), Ok(has)) = (names(from, &columns), names(to, &columns)) else { return 0 };
    let columns: Vec<String> = has.into_iter().filter(|column| had.contains(column)).collect();
    if columns.is_empty() {
        return 0;
    }
    let (list, marks) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
    let insert = format!("INSERT OR IGNORE INTO {table} ({list}) VALUES ({marks})");
    let mut kept = 0;
    // From both ends towards what cannot be read.
    let key = key_of(from, table);
    for direction in ["ASC", "DESC"] {
        let order: Vec<String> = key.iter().map(|column| format!("{column} {direction}")).collect();
        let select = format!("SELECT {list} FROM {table} NOT INDEXED ORDER BY {}", order.join(", "));
        let copied = from.prepare(&select).and_then(|mut select| {
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let values: Vec<rusqlite::types::Value> =
                    (0..columns.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
                kept += to.execute(&insert, params_from_iter(values)).unwrap_or(0) as i64;
            }
            Ok(())
        });
        match copied {
            Ok(()) => break,
            Err(error) => tracing::warn!(table, %error, "not all of a table of the damaged state.db could be read"),
        }
    }
    kept
}

/// What the rows of a table are ordered by in the file.
fn key_of(connection: &Connection, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT name FROM pragma_table_info('{table}') WHERE pk > 0
             AND (SELECT wr FROM pragma_table_list WHERE name = '{table}') ORDER BY pk"
    );
    match names(connection, &sql) {
        Ok(key) if !key.is_empty() => key,
        _ => vec!["rowid".to_owned()],
    }
}

fn names(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
