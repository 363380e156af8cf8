//! Which Messages databases this process has open, with which -wal and -shm files.
//!
//! SQLite shares more between the connections of one process than its API shows, and both matter here, where another
//! program owns the file:
//!
//! - POSIX locks belong to the process: closing any descriptor of a file drops all locks on it (sqlite.org/howtocorrupt,
//!   2.2). So the file is opened for a look at its header once, and stays open for as long as a connection to it does.
//!   Without its locks, the last of Messages' own connections would delete the -wal file under us.
//! - The wal-index (-shm) is mapped once for all connections to one file. Where -wal and -shm were deleted and made
//!   anew, a new connection would read the new log with the old index for as long as one old connection is open. So
//!   none is opened until all of them are closed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::FileIdentity;

/// A header is this long; what is shorter holds nothing that SQLite could read.
const HEADER: usize = 100;

/// Process-wide as SQLite's own sharing is.
static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Told whenever a connection was closed.
static CLOSED: Condvar = Condvar::new();

/// Waits until some connection is closed, so that what was refused for its sake may be tried again.
pub fn wait_for_close(timeout: Duration) {
    CLOSED.wait_for(&mut OPEN.lock(), timeout);
}

struct Entry {
    database: FileIdentity,
    file: File,
    /// Known once the first connection has read something.
    sides: Option<Sides>,
    connections: usize,
}

/// The files beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sides {
    wal: Option<FileIdentity>,
    shm: Option<FileIdentity>,
}

impl Sides {
    fn of(path: &Path) -> Sides {
        let beside = |suffix| FileIdentity::of(&with_suffix(path, suffix)).ok();
        Sides { wal: beside("-wal"), shm: beside("-shm") }
    }

    /// Are `later` the same files? SQLite makes a -shm file where there is none.
    fn became(self, later: Sides) -> bool {
        self.wal == later.wal && (self.shm.is_none() || self.shm == later.shm)
    }
}

/// A place among the connections of one file. Must be dropped after the connection.
pub struct Opened {
    path: PathBuf,
    database: FileIdentity,
    sides: Sides,
}

impl Opened {
    /// Before a connection is made.
    pub fn begin(path: &Path) -> io::Result<Opened> {
        let database = FileIdentity::of(path)?;
        let sides = Sides::of(path);
        let mut open = OPEN.lock();
        let entry = entry(&mut open, path, database)?;
        if entry.sides.is_some_and(|known| known != sides) {
            return Err(superseded());
        }
        entry.connections += 1;
        // From here on dropped where it goes wrong.
        let opened = Opened { path: path.to_owned(), database, sides };
        let checked = check_header(&entry.file, sides.wal.is_some());
        drop(open);
        checked.map(|()| opened)
    }

    /// After the connection has read something.
    pub fn finish(&mut self) -> io::Result<()> {
        let sides = Sides::of(&self.path);
        let mut open = OPEN.lock();
        let known = open.iter_mut().find(|entry| entry.database == self.database).map(|entry| &mut entry.sides);
        let is_same = known.is_none_or(|known| *known.get_or_insert(sides) == sides);
        if !is_same || !self.sides.became(sides) || FileIdentity::of(&self.path)? != self.database {
            return Err(superseded());
        }
        self.sides = sides;
        Ok(())
    }

    /// False once the path, or the names beside it, are those of other files.
    pub fn is_current(&self) -> bool {
        FileIdentity::of(&self.path).is_ok_and(|identity| identity == self.database)
            && Sides::of(&self.path) == self.sides
    }

    pub fn database(&self) -> FileIdentity {
        self.database
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = OPEN.lock();
        if let Some(at) = open.iter().position(|entry| entry.database == self.database) {
            open[at].connections -= 1;
            if open[at].connections == 0 {
                open.swap_remove(at);
            }
        }
        CLOSED.notify_all();
    }
}

fn entry<'a>(open: &'a mut Vec<Entry>, path: &Path, database: FileIdentity) -> io::Result<&'a mut Entry> {
    let at = match open.iter().position(|entry| entry.database == database) {
        Some(at) => at,
        None => {
            if fs::metadata(path)?.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if (metadata.dev(), metadata.ino()) != (database.device, database.inode) {
                // Another file took the name just now, and it may be one that is open.
                return Err(superseded());
            }
            open.push(Entry { database, file, sides: None, connections: 0 });
            open.len() - 1
        }
    };
    Ok(&mut open[at])
}

/// A database in WAL mode is more than its main file. A copy of that alone may lack the newest messages, and to read it
/// SQLite would have to create the other files beside it. Beside an empty file, SQLite would delete them.
fn check_header(file: &File, has_wal: bool) -> io::Result<()> {
    let mut header = [0; HEADER];
    let length = read_at(file, &mut header)?;
    if length == 0 && has_wal {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"));
    }
    // Bytes 18 and 19 are the file format's write and read versions; 2 is WAL.
    let is_wal = length == HEADER && header[18..20] == [2, 2];
    if is_wal && !has_wal {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "it is in WAL mode but without its -wal file; copy that and the -shm file too",
        ));
    }
    Ok(())
}

fn read_at(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

fn superseded() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "its files were replaced, and reads of the old ones have yet to end")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
