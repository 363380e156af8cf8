//! File events on chat.db, its WAL and its folder, as hints that something may have changed.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use crate::watches::Watches;

/// Ticks of one database.
pub struct Changes {
    ticks: Receiver<()>,
    watches: Option<Watches>,
}

impl Changes {
    /// Without a watcher (too many of them on this system, say) there are no ticks, and the poll is all there is.
    pub fn watch(database: &Path) -> Changes {
        // One tick that waits is as good as many.
        let (sender, ticks) = sync_channel(1);
        let tick = move || {
            let _ = sender.try_send(());
        };
        let mut watches = match Watches::new(tick) {
            Ok(watches) => Some(watches),
            Err(error) => {
                tracing::warn!(%error, "no file events: changes are found by polling once a second");
                None
            }
        };
        if let Some(watches) = &mut watches {
            let mut paths = vec![database.to_owned(), with_suffix(database, "-wal")];
            paths.extend(database.parent().map(Path::to_owned));
            watches.set(paths);
        }
        Changes { ticks, watches }
    }

    /// One whose ticks are given by the test.
    #[cfg(test)]
    pub fn by_hand() -> (std::sync::mpsc::SyncSender<()>, Changes) {
        let (sender, ticks) = sync_channel(1);
        (sender, Changes { ticks, watches: None })
    }

    /// True when something may have changed, false when nothing did for `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        super::wait_on(&self.ticks, timeout)
    }

    /// Watches what is new under the names.
    pub fn rearm(&mut self) {
        if let Some(watches) = &mut self.watches {
            watches.rearm();
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
