//! The owner's switch: while it is off, nothing is handed to Messages. Kept in state.db, so that a restart does not
//! turn it on again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use crate::state::{self, StateDb};

/// Since when nothing is sent, and what the owner said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    pub since: Timestamp,
    pub reason: Option<String>,
}

impl Paused {
    /// What a request is refused with.
    pub fn refusal(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!(
            "the owner paused sending on {}{reason}; nothing was handed to Messages. `imsgd outbox resume` on that Mac, or \
             the method outbox.resume, lets messages leave again",
            self.since.strftime("%Y-%m-%d %H:%M UTC")
        )
    }
}

pub struct Switch {
    path: PathBuf,
    paused: watch::Sender<Option<Paused>>,
}

impl Switch {
    /// As it is in the state.db at `path`, on which `connection` is open.
    pub fn load(path: &Path, connection: &Connection) -> rusqlite::Result<Switch> {
        let query = "SELECT since, reason FROM outbox_pause";
        let paused = connection.query_row(query, [], |row| {
            let since = Timestamp::from_millisecond(row.get(0)?).unwrap_or(Timestamp::UNIX_EPOCH);
            Ok(Paused { since, reason: row.get(1)? })
        });
        Ok(Switch { path: path.to_owned(), paused: watch::Sender::new(paused.optional()?) })
    }

    pub fn paused(&self) -> Option<Paused> {
        self.paused.borrow().clone()
    }

    pub fn subscribe(&self) -> watch::Receiver<Option<Paused>> {
        self.paused.subscribe()
    }

    /// From now on nothing is sent, also where that cannot be written down. Blocks.
    pub fn pause(&self, reason: Option<String>) -> Result<Paused, state::Error> {
        let since = self.paused().map_or_else(Timestamp::now, |paused| paused.since);
        let paused = Paused { since, reason };
        self.paused.send_replace(Some(paused.clone()));
        let put = "INSERT OR REPLACE INTO outbox_pause (only_row, since, reason) VALUES (1, ?1, ?2)";
        StateDb::open(&self.path)?.connection().execute(put, params![since.as_millisecond(), paused.reason])?;
        Ok(paused)
    }

    /// Lets messages leave again; false where they did all the time. Blocks.
    pub fn resume(&self) -> Result<bool, state::Error> {
        StateDb::open(&self.path)?.connection().execute("DELETE FROM outbox_pause", [])?;
        Ok(self.paused.send_replace(None).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_until_it_is_ended_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let state = StateDb::open(&path).unwrap();
        let switch = Switch::load(&path, state.connection()).unwrap();
        assert_eq!(switch.paused(), None);
        let paused = switch.pause(Some("the bot went mad".into())).unwrap();
        assert!(paused.refusal().contains("(the bot went mad)") && paused.refusal().contains("outbox resume"));
        let again = Switch::load(&path, state.connection()).unwrap();
        assert_eq!(again.paused().and_then(|paused| paused.reason), paused.reason);
        assert!(switch.resume().unwrap());
        assert!(!switch.resume().unwrap());
        assert_eq!(Switch::load(&path, state.connection()).unwrap().paused(), None);
    }
}
