//! A file that the owner writes too, as it lies on the disk: read, and replaced in one step. The configuration is one, a
//! case file another.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

/// Counts what this process replaces, so that no two have the same name beside the file.
static REPLACED: AtomicU64 = AtomicU64::new(0);

/// The mode of a file that was not there before: addresses are in it.
const MODE: u32 = 0o600;

/// The file as it was read.
pub struct File {
    /// What the name leads to: a symlink stays one.
    path: PathBuf,
    text: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("could not write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{0} was changed by somebody else meanwhile, and is left as it is; do it again")]
    Changed(PathBuf),
}

impl File {
    pub fn read(path: &Path) -> Result<File, Error> {
        let is_absent = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let found = if is_absent { Ok(path.to_owned()) } else { fs::canonicalize(path) };
        let path = found.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let text = text_of(&path)?;
        Ok(File { path, text })
    }

    pub fn is_there(&self) -> bool {
        self.text.is_some()
    }

    /// Empty where it is not there.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Whoever looks sees the one before or this one, whole. Refused where the file is not as it was read.
    pub fn replace(&self, text: &str) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(failed)?;
        let mode = fs::metadata(&self.path).map_or(MODE, |metadata| metadata.permissions().mode() & 0o7777);
        // Not an extension that the watch of the folder takes for ours.
        let number = REPLACED.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".config-{}-{number}.partial", std::process::id()));
        let _ = fs::remove_file(&beside);
        let written = self.write_beside(&beside, text, mode);
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn write_beside(&self, beside: &Path, text: &str, mode: u32) -> Result<(), Error> {
        let failed = |source| Error::Write { path: self.path.clone(), source };
        let mut file = OpenOptions::new().create_new(true).write(true).mode(MODE).open(beside).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // One after the other: the daemon and a command may be at it at the same time.
        let folder = fs::File::open(self.path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        if text_of(&self.path)? != self.text {
            return Err(Error::Changed(self.path.clone()));
        }
        fs::rename(beside, &self.path).map_err(failed)
    }
}

fn text_of(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_symlink_stays_one_and_the_mode_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles/imsgd.toml"), folder.path().join("config.toml"));
        fs::create_dir(real.parent().unwrap()).unwrap();
        fs::write(&real, "a").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("dotfiles/imsgd.toml", &link).unwrap();
        let file = File::read(&link).unwrap();
        assert_eq!(file.text(), "a");
        file.replace("b").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&real).unwrap().as_str(), mode(&real)), ("b", 0o640));
        assert_eq!(fs::read_dir(real.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "a").unwrap();
        let file = File::read(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(matches!(file.replace("ours"), Err(Error::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn whoever_writes_at_the_same_time_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let write = |line: String| loop {
            let file = File::read(&path).unwrap();
            match file.replace(&format!("{}{line}\n", file.text())) {
                Ok(()) => break,
                Err(Error::Changed(_)) => {}
                Err(error) => panic!("{error}"),
            }
        };
        std::thread::scope(|scope| {
            for writer in 0..8 {
                scope.spawn(move || (0..20).for_each(|number| write(format!("{writer} {number}"))));
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 160);
    }

    #[test]
    fn a_file_that_was_not_there_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imsgd/config.toml");
        let file = File::read(&path).unwrap();
        assert_eq!(file.text(), "");
        file.replace("a").unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
