//! File events on chat.db, its WAL and its folder, as hints that something may have changed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Ticks of one database. On macOS a watch belongs to a file and not to its name (kqueue), so it is set anew when
/// another file takes the name.
pub struct Changes {
    ticks: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    /// The folder, the database, its WAL and its shared memory, with the inode that is watched.
    watched: HashMap<PathBuf, Option<u64>>,
}

impl Changes {
    /// Without a watcher (too many of them on this system, say) there are no ticks, and the poll is all there is.
    pub fn watch(database: &Path) -> Changes {
        // One tick that waits is as good as many.
        let (sender, ticks) = sync_channel(1);
        let watcher = match watcher(sender) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "no file events: changes are found by polling once a second");
                None
            }
        };
        let mut paths = vec![database.to_owned(), with_suffix(database, "-wal")];
        paths.extend(database.parent().map(Path::to_owned));
        let mut changes = Changes { ticks, watcher, watched: paths.into_iter().map(|path| (path, None)).collect() };
        changes.rearm();
        changes
    }

    /// True when something may have changed, false when nothing did for `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        super::wait_on(&self.ticks, timeout)
    }

    /// Watches what is new under the names.
    pub fn rearm(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for (path, watched) in &mut self.watched {
            let inode = fs::metadata(path).ok().map(|metadata| metadata.ino());
            if inode == *watched {
                continue;
            }
            if watched.is_some() {
                // The file is gone or has another name: the watch may have gone with it.
                let _ = watcher.unwatch(path);
            }
            *watched = inode.filter(|_| watcher.watch(path, RecursiveMode::NonRecursive).is_ok());
        }
    }
}

fn watcher(ticks: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_change = !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. }));
        if is_change {
            let _ = ticks.try_send(());
        }
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
