//! state.db, and the disks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Finding, Seen, text};
use crate::state::{self, Look};

/// Less than this, and a few attachments or a system update fill it.
const LITTLE: u64 = 1 << 30;
/// Less than this, and SQLite may fail at the next write.
const NOTHING: u64 = 100 << 20;

/// How long the look at the whole of state.db may take.
const LOOK: Duration = Duration::from_secs(3);

pub fn findings(seen: &Seen) -> Vec<Finding> {
    let folder = seen.config.state_dir();
    vec![judging(seen), state_db(&folder.join("state.db")), lost(seen, &folder), disk(seen, &folder)]
}

/// What the judge met last: it says so for as long as it cannot keep verdicts.
fn judging(seen: &Seen) -> Finding {
    let Some(own) = seen.own() else { return Finding::unknown("judging", "no daemon answers") };
    match own["last_error"].as_str() {
        None => Finding::ok("judging", "verdicts are kept"),
        Some(error) => Finding::error("judging", "Verdicts cannot be written down: messages wait and nothing is sent.")
            .seen(error)
            .next("see to the disk and to state.db (`disk`, `state_db`); it goes on by itself"),
    }
}

fn state_db(path: &Path) -> Finding {
    let shown = path.display();
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::unknown("state_db", "no daemon has made it yet").seen(shown.to_string());
        }
        Err(error) => {
            let found = Finding::error("state_db", "state.db cannot be reached.").seen(format!("{shown}: {error}"));
            return found.next(format!("ls -l '{shown}'"));
        }
    };
    let size = format!("{shown}: {}", megabytes(bytes));
    match state::look(path, LOOK) {
        Ok(Look::Whole) => Finding::ok("state_db", format!("whole, {}", megabytes(bytes))).seen(size),
        Ok(Look::Damaged(problem)) => Finding::error("state_db", "state.db is damaged.")
            .seen(format!("{shown}: {problem}"))
            .next("start the daemon again: it sets the file aside and keeps what can be read of it"),
        Ok(Look::OutOfTime) => {
            let seconds = LOOK.as_secs();
            Finding::unknown("state_db", format!("a look at all of it takes more than {seconds} seconds")).seen(size)
        }
        Err(error) => Finding::error("state_db", "state.db cannot be read.")
            .seen(format!("{shown}: {error}"))
            .next(format!("ls -l '{shown}'; it has to be yours, with mode 0600")),
    }
}

/// The daemon's word, and files that were set aside before it was started.
fn lost(seen: &Seen, folder: &Path) -> Finding {
    let told = seen.own().and_then(|own| own["state_lost"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let mut evidence: Vec<String> =
        told.iter().map(|lost| format!("{}: {}", text(lost, "path"), text(lost, "reason"))).collect();
    if evidence.is_empty() {
        evidence.extend(set_aside(folder).iter().map(|path| path.display().to_string()));
    }
    if evidence.is_empty() {
        return Finding::ok("state_lost", "none was damaged");
    }
    let found =
        Finding::warning("state_lost", "A damaged state.db was set aside: who was paired has to be approved again.");
    let found = evidence.into_iter().fold(found, Finding::seen);
    found.next(format!("{}; when all is well again, remove the files named above", seen.command("pairing list")))
}

fn set_aside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_aside = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("state.db.corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    entries.filter(is_aside).collect()
}

pub fn disk(seen: &Seen, folder: &Path) -> Finding {
    let mut least: Option<(u64, String)> = None;
    for path in [folder, seen.config.messages.db.parent().unwrap_or(Path::new("/"))] {
        // What is not there yet will be where its folder is.
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let Ok(volume) = rustix::fs::statvfs(there) else { continue };
        let free = volume.f_bavail.saturating_mul(volume.f_frsize);
        if least.as_ref().is_none_or(|(least, _)| free < *least) {
            least = Some((free, there.display().to_string()));
        }
    }
    match least {
        None => Finding::unknown("disk", "the system does not tell how much room there is"),
        Some((free, path)) => room(free, &path),
    }
}

fn room(free: u64, path: &str) -> Finding {
    let seen = format!("{} free where {path} is", megabytes(free));
    let next = format!("make room on that volume: df -h '{path}'");
    match free {
        ..NOTHING => Finding::error("disk", "The disk is full, or nearly.").seen(seen).next(next),
        NOTHING..LITTLE => Finding::warning("disk", "Little room is left on the disk.").seen(seen).next(next),
        LITTLE.. => Finding::ok("disk", format!("{} free", megabytes(free))).seen(seen),
    }
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{} KB", bytes.div_ceil(1000)),
        1_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn a_disk_is_little_before_it_is_full() {
        assert_eq!(room(5 << 30, "/").severity, Severity::Ok);
        assert_eq!(room(500 << 20, "/").severity, Severity::Warning);
        assert_eq!(room(50 << 20, "/").severity, Severity::Error);
    }
}
