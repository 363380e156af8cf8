//! The file itself: created in WAL mode with Apple's schema, and marked, so that nothing real is ever written to.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// `PRAGMA application_id` of a simulated database ("isim"). Apple's have 0.
pub const MARK: i32 = 0x6973_696d;

/// `_ClientVersion` of the database that the schema was taken from.
const CLIENT_VERSION: i32 = 18_036;

/// Makes a new file, fills it through `fill` in one transaction, then adds the indexes.
pub fn create(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    ensure!(!path.exists(), "{} exists already", path.display());
    let result = build(path, fill);
    if result.is_err() {
        // The cause of the failure matters more than a file that cannot be removed.
        let _ = std::fs::remove_file(path);
    }
    result.with_context(|| format!("could not create {}", path.display()))
}

fn build(path: &Path, fill: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
    let connection = Connection::open(path)?;
    // Without a journal until it is full: nobody else knows of the file yet, and a failed start is thrown away.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")?;
    connection.pragma_update(None, "application_id", MARK)?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.execute_batch("BEGIN")?;
    fill(&connection)?;
    connection.execute_batch("COMMIT")?;
    connection.execute_batch(include_str!("indexes.sql"))?;
    set_up(&connection)?;
    // The first write in WAL mode, so that a -wal file is there from the start.
    let property = "INSERT INTO _SqliteDatabaseProperties (key, value) VALUES ('_ClientVersion', ?)";
    connection.execute(property, [CLIENT_VERSION.to_string()])?;
    Ok(())
}

/// Opens a file that [`create`] made; any other is refused.
pub fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).with_context(|| {
        format!("could not open {} (`imsgd sim init` and `imsgd sim contacts` make one)", path.display())
    })?;
    let mark: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .with_context(|| format!("could not read {}", path.display()))?;
    if mark != MARK {
        bail!("{} is not a simulated database; the simulation writes to nothing else", path.display());
    }
    set_up(&connection)?;
    Ok(connection)
}

/// Ways of writing that every connection to a simulated database has.
pub fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Nothing here has to outlive a power cut, and tests must not wait for the disk.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")?;
    // Messages keeps its connection open, so on a Mac the -wal file is always there. Ours come and go, and without
    // this the last one to close would take the file away under those who watch it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_the_simulation_did_not_make_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE message (text)").unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("not a simulated database"));
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        std::fs::write(&path, "precious").unwrap();
        assert!(create(&path, |_| Ok(())).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_file_whose_filling_failed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        assert!(create(&path, |_| bail!("no")).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn the_wal_file_outlives_the_last_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        create(&path, |_| Ok(())).unwrap();
        open(&path).unwrap().execute_batch("INSERT INTO kvtable (key, value) VALUES ('a', x'00')").unwrap();
        assert!(folder.path().join("chat.db-wal").exists());
    }
}
