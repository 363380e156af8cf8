//! The folder of what was converted: names that change with the file, and a bound on what is kept.

use std::fs::{self, DirBuilder, File, FileTimes};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::Opened;

/// What is kept at most: this many bytes, and nothing that was not used for so long.
pub const MOST_BYTES: u64 = 1 << 30;
pub const UNUSED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// A use is written down when the last one is longer ago, so that most uses only read.
const USE_STEP: Duration = Duration::from_secs(3600);

/// Hidden files are half-made. One that is this old was left by a process that was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Characters of the original's name that are kept.
const STEM: usize = 48;

/// `<stem>-<16 hex of SHA-256 over path, size and time of change>.<ending>`
pub fn name(original: &Opened, ending: &str) -> String {
    let stem = original.path.file_stem().unwrap_or_default().to_string_lossy();
    // Hidden files are what is half-made.
    let stem: String =
        stem.trim_start_matches('.').chars().map(|c| if c.is_control() { '_' } else { c }).take(STEM).collect();
    let modified = original.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(original.path.as_os_str().as_bytes());
    digest.update(format!("|{}|{}", original.bytes, modified.as_nanos()));
    let hex: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{stem}-{hex}.{ending}")
}

/// The converted file of this name, if it is there. Notes that it is used.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    let metadata = fs::symlink_metadata(&path).ok().filter(|found| found.is_file() && found.len() > 0)?;
    let now = SystemTime::now();
    let is_noted = metadata.modified().is_ok_and(|used| now.duration_since(used).is_ok_and(|since| since < USE_STEP));
    if !is_noted {
        let note = File::options().append(true).open(&path);
        // Without the note it is only forgotten sooner.
        let _ = note.and_then(|file| file.set_times(FileTimes::new().set_modified(now)));
    }
    Some(path)
}

/// Makes the folder where it is not there, for nobody else to look into.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes what was not used for `unused_for`, and what was used longest ago until no more than `most` bytes are left.
/// The newest stays, whatever its size.
pub fn prune(folder: &Path, most: u64, unused_for: Duration) -> io::Result<()> {
    let now = SystemTime::now();
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may have removed it.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let used = metadata.modified()?;
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        let limit = if is_hidden { ABANDONED_AFTER } else { unused_for };
        if now.duration_since(used).is_ok_and(|since| since > limit) {
            let _ = fs::remove_file(entry.path());
        } else if !is_hidden {
            kept.push((used, metadata.len(), entry.path()));
        }
    }
    kept.sort_unstable();
    let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
    kept.pop();
    for (_, bytes, path) in kept {
        if total <= most {
            break;
        }
        if fs::remove_file(path).is_ok() {
            total -= bytes;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn write(folder: &Path, name: &str, bytes: usize, age: Duration) {
        let file = File::create(folder.join(name)).unwrap();
        file.set_len(bytes as u64).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::now() - age)).unwrap();
    }

    fn left(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    fn opened(path: &str, bytes: u64, modified: SystemTime) -> Opened {
        Opened { file: File::open("/dev/null").unwrap(), path: path.into(), bytes, modified }
    }

    #[test]
    fn a_name_tells_the_file_and_changes_with_it() {
        let then = SystemTime::UNIX_EPOCH + DAY;
        let of = |path: &str, bytes, modified| name(&opened(path, bytes, modified), "m4a");
        let usual = of("/a/Audio Message.caf", 10, then);
        assert!(usual.starts_with("Audio Message-") && usual.ends_with(".m4a"), "{usual}");
        assert_eq!(usual.len(), "Audio Message-".len() + 16 + ".m4a".len());
        assert_eq!(usual, of("/a/Audio Message.caf", 10, then));
        for other in [
            of("/b/Audio Message.caf", 10, then),
            of("/a/Audio Message.caf", 11, then),
            of("/a/Audio Message.caf", 10, then + Duration::from_nanos(100)),
        ] {
            assert_ne!(usual, other);
        }
        let long = of(&format!("/a/{}.caf", "ü".repeat(60)), 1, then);
        assert_eq!(long.chars().take_while(|c| *c == 'ü').count(), 48);
        assert!(!of("/a/..caf", 1, then).starts_with('.') && !of("/a/a\nb.caf", 1, then).contains('\n'));
    }

    #[test]
    fn what_was_not_used_for_long_goes_and_what_is_used_stays() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "old-1.png", 1, 40 * DAY);
        write(folder.path(), "old-2.png", 1, 40 * DAY);
        write(folder.path(), "new.png", 1, DAY);
        write(folder.path(), ".half-made", 1, Duration::ZERO);
        write(folder.path(), ".left-behind", 1, DAY);
        assert!(find(folder.path(), "old-1.png").is_some());
        prune(folder.path(), MOST_BYTES, UNUSED_FOR).unwrap();
        assert_eq!(left(folder.path()), [".half-made", "new.png", "old-1.png"]);
    }

    #[test]
    fn over_the_bound_what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
            write(folder.path(), name, 100, age * DAY);
        }
        prune(folder.path(), 250, UNUSED_FOR).unwrap();
        assert_eq!(left(folder.path()), ["a", "b"]);
        prune(folder.path(), 10, UNUSED_FOR).unwrap();
        assert_eq!(left(folder.path()), ["a"], "the newest stays");
    }

    #[test]
    fn only_a_whole_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "empty.png", 0, Duration::ZERO);
        write(folder.path(), "whole.png", 1, Duration::ZERO);
        fs::create_dir(folder.path().join("folder.png")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("whole.png"), folder.path().join("link.png")).unwrap();
        let found = |name: &str| find(folder.path(), name).is_some();
        assert!(found("whole.png"));
        assert!(!found("empty.png") && !found("none.png") && !found("folder.png") && !found("link.png"));
    }
}
