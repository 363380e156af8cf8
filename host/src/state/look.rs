//! A look at a state.db from another process than its daemon's: nothing is made, migrated or set aside.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::damage::is_damage;

/// What a look at the whole file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Whole,
    /// What is wrong with it.
    Damaged(String),
    /// It would have taken longer.
    OutOfTime,
}

/// Looks at the whole file, for no longer than `within`.
pub fn look(path: &Path, within: Duration) -> rusqlite::Result<Look> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(within)?;
    let interrupt = connection.get_interrupt_handle();
    let (done, is_done) = mpsc::channel::<()>();
    let found = std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut wait = within;
            // Again and again: what has not begun yet is not interrupted.
            while is_done.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
                wait = Duration::from_millis(1);
            }
        });
        let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        drop(done);
        found
    });
    match found {
        Ok(found) if found == "ok" => Ok(Look::Whole),
        Ok(found) => Ok(Look::Damaged(found.replace('\n', " "))),
        Err(error) if is_damage(&error) => Ok(Look::Damaged(error.to_string())),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(Look::OutOfTime),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDb;

    #[test]
    fn a_look_tells_whole_from_damaged_and_gives_up_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(StateDb::open(&path).unwrap());
        assert_eq!(look(&path, Duration::from_secs(60)), Ok(Look::Whole));
        std::fs::write(&path, vec![7; 8192]).unwrap();
        assert!(matches!(look(&path, Duration::from_secs(60)), Ok(Look::Damaged(_))));
        assert!(look(&folder.path().join("none"), Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_look_at_a_large_file_ends_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.db");
        let large = Connection::open(&path).unwrap();
        large
            .execute_batch(
                "CREATE TABLE t (a TEXT UNIQUE);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
                     INSERT INTO t SELECT hex(i * 7919) FROM n",
            )
            .unwrap();
        assert_eq!(look(&path, Duration::ZERO), Ok(Look::OutOfTime));
    }
}
