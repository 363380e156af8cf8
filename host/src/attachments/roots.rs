//! The folders from which files may be read, and opening a file so that it cannot be any other.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::config::expand;

/// What of a pattern is no plain name.
const SIGNS: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// Folders, and patterns of folders. A file is in one of them where its real path is, with all symlinks resolved.
#[derive(Clone, Debug)]
pub struct Roots(Vec<Root>);

#[derive(Clone, Debug)]
struct Root {
    /// The leading part without signs. Resolved whenever a file is looked for: a link in it is the owner's own.
    folder: PathBuf,
    /// What the path below the folder, or a folder above the file, has to look like. `None`: anything.
    below: Option<GlobMatcher>,
}

/// A file of a root, open for reading.
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    /// Without any symlink.
    pub path: PathBuf,
    pub bytes: u64,
    pub modified: SystemTime,
}

/// Why a file is not opened.
#[derive(Debug)]
pub enum Refusal {
    /// There is no path, or no such file.
    Missing,
    /// A folder, or something else without bytes of its own.
    NoFile,
    /// It lies outside of all roots, or was moved there meanwhile.
    Outside,
    Unreadable(io::Error),
}

/// A file that is in a root, before it is opened.
struct Place {
    folder: PathBuf,
    below: PathBuf,
}

impl Roots {
    /// Patterns are absolute or begin with `~/`. `*` and `?` do not match a `/`, `**` does.
    pub fn new(patterns: &[String]) -> Result<Roots, String> {
        patterns.iter().map(|pattern| Root::new(pattern)).collect::<Result<_, _>>().map(Roots)
    }

    /// These folders and nothing else, whatever signs are in their names.
    pub fn folders(folders: impl IntoIterator<Item = PathBuf>) -> Roots {
        Roots(folders.into_iter().map(|folder| Root { folder, below: None }).collect())
    }

    /// Opens the file if it lies in a root. A link or another file that takes its place meanwhile is not followed.
    pub fn open(&self, path: &Path) -> Result<Opened, Refusal> {
        self.find(path)?.open()
    }

    fn find(&self, path: &Path) -> Result<Place, Refusal> {
        // A relative path would mean whatever folder we happen to be in.
        if !path.is_absolute() {
            return Err(Refusal::Missing);
        }
        let real = fs::canonicalize(path).map_err(Refusal::from)?;
        self.0.iter().find_map(|root| root.place(&real)).ok_or(Refusal::Outside)
    }
}

impl Root {
    fn new(pattern: &str) -> Result<Root, String> {
        let path = expand(Path::new(pattern));
        let wrong = |what: &str| format!("`{pattern}` {what}");
        if !path.is_absolute() {
            return Err(wrong("is neither an absolute path nor one that begins with ~/"));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(wrong("has .. in it; name the folder itself"));
        }
        let is_plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(SIGNS);
        let folder: PathBuf = path.components().take_while(is_plain).collect();
        let below: PathBuf = path.components().skip_while(is_plain).collect();
        let Some(below) = below.to_str().filter(|below| !below.is_empty()) else {
            return Ok(Root { folder, below: None });
        };
        let glob = GlobBuilder::new(below).literal_separator(true).build().map_err(|error| error.to_string())?;
        Ok(Root { folder, below: Some(glob.compile_matcher()) })
    }

    fn place(&self, real: &Path) -> Option<Place> {
        let folder = fs::canonicalize(&self.folder).ok()?;
        let below = real.strip_prefix(&folder).ok()?.to_owned();
        let is_in = match &self.below {
            None => true,
            Some(glob) => below.ancestors().any(|part| !part.as_os_str().is_empty() && glob.is_match(part)),
        };
        match (is_in, below.as_os_str().is_empty()) {
            (false, _) => None,
            (true, false) => Some(Place { folder, below }),
            // The root is this very file.
            (true, true) => Some(Place { below: real.file_name()?.into(), folder: real.parent()?.to_owned() }),
        }
    }
}

impl Place {
    /// Goes down from the root one name at a time and follows no link, so that what was found there is what is opened.
    fn open(&self) -> Result<Opened, Refusal> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut at = rustix::fs::open(&self.folder, flags | OFlags::DIRECTORY, Mode::empty())?;
        let mut names = self.below.iter().peekable();
        while let Some(name) = names.next() {
            let more = if names.peek().is_some() { OFlags::DIRECTORY } else { OFlags::NONBLOCK };
            at = step(&at, name, flags | more)?;
        }
        let file = File::from(at);
        let metadata = file.metadata().map_err(Refusal::Unreadable)?;
        if !metadata.is_file() {
            return Err(Refusal::NoFile);
        }
        let modified = metadata.modified().map_err(Refusal::Unreadable)?;
        Ok(Opened { file, path: self.folder.join(&self.below), bytes: metadata.len(), modified })
    }
}

fn step(folder: &OwnedFd, name: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Refusal {
        match error {
            Errno::NOENT => Refusal::Missing,
            // A link stands where there was none when the path was resolved.
            Errno::LOOP | Errno::NOTDIR => Refusal::Outside,
            other => Refusal::Unreadable(other.into()),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        match error.kind() {
            // A name with a NUL in it is no file's.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => Refusal::Missing,
            _ => Refusal::Unreadable(error),
        }
    }
}

#[cfg(test)]
mod tests;
