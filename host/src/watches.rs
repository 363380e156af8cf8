//! Watches of files and folders by name, as hints that something may have changed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// On macOS a watch belongs to a file and not to its name (kqueue), so it is set anew when another file takes the name.
pub struct Watches {
    watcher: RecommendedWatcher,
    /// Names, with the inode that is watched.
    watched: HashMap<PathBuf, Option<u64>>,
}

impl Watches {
    /// Fails where the system has no watch left to give. `changed` is called on a thread of the watcher's.
    pub fn new(changed: impl Fn() + Send + 'static) -> notify::Result<Watches> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_change = !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. }));
            if is_change {
                changed();
            }
        })?;
        Ok(Watches { watcher, watched: HashMap::new() })
    }

    /// Watches these names from now on, and no others.
    pub fn set(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut before = std::mem::take(&mut self.watched);
        self.watched = paths.into_iter().map(|path| before.remove_entry(&path).unwrap_or((path, None))).collect();
        for path in before.into_iter().filter_map(|(path, watched)| watched.map(|_| path)) {
            let _ = self.watcher.unwatch(&path);
        }
        self.rearm();
    }

    /// Watches what is new under the names.
    pub fn rearm(&mut self) {
        for (path, watched) in &mut self.watched {
            let inode = fs::metadata(path).ok().map(|metadata| metadata.ino());
            if inode == *watched {
                continue;
            }
            if watched.is_some() {
                // The file is gone or has another name: the watch may have gone with it.
                let _ = self.watcher.unwatch(path);
            }
            *watched = inode.filter(|_| self.watcher.watch(path, RecursiveMode::NonRecursive).is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_takes_the_name_of_another_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db-wal");
        fs::write(&path, "first").unwrap();
        let (sender, changes) = channel();
        let mut watches = Watches::new(move || {
            let _ = sender.send(());
        })
        .unwrap();
        watches.set([path.clone()]);
        let first = watches.watched[&path];
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::write(&path, "second").unwrap();
        watches.rearm();
        let second = watches.watched[&path];
        assert_eq!(second, Some(fs::metadata(&path).unwrap().ino()));
        assert_ne!(first, second);
        fs::write(&path, "and more").unwrap();
        changes.recv_timeout(Duration::from_secs(30)).unwrap();
        fs::remove_file(&path).unwrap();
        watches.rearm();
        assert_eq!(watches.watched[&path], None);
    }
}
