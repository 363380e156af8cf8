//! A log file that does not grow for ever: one that is full makes room for the next, and the oldest goes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Kept at the same time, the one that is written included.
pub const FILES: usize = 5;

/// Writes to `path`; those that were full before have `.1`, the youngest, to `.4` behind their name. For their owner only.
pub struct Rotating {
    path: PathBuf,
    /// Bytes of one file. A line that is longer has a file for itself.
    most: u64,
    file: File,
    size: u64,
}

impl Rotating {
    /// Goes on where the file ends.
    pub fn open(path: &Path, most: u64) -> io::Result<Rotating> {
        let path = std::path::absolute(path)?;
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let (file, size) = opened(&path)?;
        Ok(Rotating { path, most, file, size })
    }

    fn make_room(&mut self) -> io::Result<()> {
        for number in (0..FILES - 1).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.open_again()
    }

    fn open_again(&mut self) -> io::Result<()> {
        (self.file, self.size) = opened(&self.path)?;
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        if number > 0 {
            path.push(format!(".{number}"));
        }
        path.into()
    }
}

impl Write for Rotating {
    /// One line, which is not cut.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.file.metadata()?.nlink() == 0 {
            // Somebody cleaned up.
            self.open_again()?;
        }
        if self.size > 0 && self.size + line.len() as u64 > self.most && self.make_room().is_err() {
            // Something is in the way of the old ones: better to lose these than to grow, or to say nothing more.
            self.file.set_len(0)?;
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn opened(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Empties the file that stderr goes to, where it is one and has more than `most` bytes: launchd only ever appends.
pub fn shorten_stderr(most: u64) {
    let Ok(file) = io::stderr().as_fd().try_clone_to_owned().map(File::from) else { return };
    if file.metadata().is_ok_and(|found| found.is_file() && found.len() > most) {
        let _ = file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn files(folder: &Path) -> Vec<(String, u64)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let found = entry.metadata().unwrap();
                assert_eq!(found.permissions().mode() & 0o777, 0o600);
                (entry.file_name().into_string().unwrap(), found.len())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn only_so_many_files_of_so_many_bytes_are_kept_also_across_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/imsgd.log");
        for start in 0..10 {
            let mut log = Rotating::open(&path, 100).unwrap();
            for line in 0..7 {
                writeln!(log, "start {start}, line {line}, and more of it").unwrap();
            }
        }
        let found = files(path.parent().unwrap());
        assert_eq!(found.len(), FILES, "{found:?}");
        assert!(found.iter().all(|(_, size)| (1..=100).contains(size)), "{found:?}");
        let whole: String = (0..FILES)
            .rev()
            .map(|number| fs::read_to_string(Rotating::open(&path, 100).unwrap().numbered(number)).unwrap())
            .collect();
        assert!(whole.ends_with("start 9, line 6, and more of it\n"), "{whole}");
        assert!(whole.lines().all(|line| line.starts_with("start ") && line.ends_with("of it")), "{whole}");
    }

    #[test]
    fn a_line_that_is_longer_than_a_file_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imsgd.log");
        let mut log = Rotating::open(&path, 10).unwrap();
        for line in ["short\n", "a line that is longer than that\n", "short\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(files(folder.path()).iter().map(|(_, size)| *size).collect::<Vec<_>>(), [6, 32, 6]);
    }

    #[test]
    fn a_log_that_cannot_be_put_aside_begins_anew_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imsgd.log");
        fs::create_dir(folder.path().join("imsgd.log.4")).unwrap();
        let mut log = Rotating::open(&path, 20).unwrap();
        for number in 0..100 {
            log.write_all(format!("line {number:3} of it\n").as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "line  99 of it\n");
    }

    #[test]
    fn a_log_that_somebody_removed_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imsgd.log");
        let mut log = Rotating::open(&path, 1000).unwrap();
        log.write_all(b"before\n").unwrap();
        fs::remove_file(&path).unwrap();
        log.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
    }
}
