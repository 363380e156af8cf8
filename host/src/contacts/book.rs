//! The files of an address book: one database for cards that are on this Mac only, and one for each account. Core Data
//! made them; which columns there are differs between versions of macOS.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};

use super::catalog::{Card, NameParts};

const FILE: &str = "AddressBook-v22.abcddb";
const SOURCES: &str = "Sources";

/// How long a database may be locked by who writes to it. Then its cards stay as they were read before.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// A file that was written to less than this before it was read may be written to again without another date.
const DATE_STEP: Duration = Duration::from_secs(1);

/// Why a database was not read.
#[derive(Debug)]
pub(super) enum Failure {
    Gone,
    Denied,
    /// May be over the next time.
    Passing(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Failure::Gone,
            io::ErrorKind::PermissionDenied => Failure::Denied,
            _ => Failure::Passing(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Passing(error.to_string())
    }
}

/// The databases of the address book in `folder`: the Mac's own first, then the accounts' by their ids.
pub(super) fn databases(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    // Where this is not allowed, that of the files in it is not either, but would look as if they were not there.
    fs::read_dir(folder)?;
    let mut sources: Vec<PathBuf> = match fs::read_dir(folder.join(SOURCES)) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path().join(FILE))).collect::<io::Result<_>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    sources.sort_unstable();
    sources.insert(0, folder.join(FILE));
    sources.retain(|path| !matches!(path.try_exists(), Ok(false)));
    Ok(sources)
}

/// What has to be watched to hear of changes to `databases`, which are those in `folder`.
pub(super) fn watched(folder: &Path, databases: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::from([folder.to_owned(), folder.join(SOURCES)]);
    for database in databases {
        paths.extend(database.parent().map(Path::to_owned));
        paths.extend([database.clone(), wal(database)]);
    }
    paths
}

fn wal(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

/// By what can be told whether a database has been written to: its files' inodes, lengths and dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    main: FileStamp,
    wal: Option<FileStamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    length: u64,
    modified: SystemTime,
}

impl Stamp {
    pub(super) fn of(database: &Path) -> Result<Stamp, Failure> {
        let metadata = fs::metadata(database)?;
        if !metadata.is_file() {
            // To open a pipe would be to wait for somebody to write to it.
            return Err(Failure::Passing("it is not a file".to_owned()));
        }
        let wal = fs::metadata(wal(database)).ok().map(|metadata| FileStamp::new(&metadata)).transpose()?;
        Ok(Stamp { main: FileStamp::new(&metadata)?, wal })
    }

    /// Old enough that a later write must have another date.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let last = self.wal.iter().map(|wal| wal.modified).fold(self.main.modified, SystemTime::max);
        // A date in the future, from before the clock was set, says nothing and is not waited for.
        now.duration_since(last).map_or(true, |age| age >= DATE_STEP)
    }
}

impl FileStamp {
    fn new(metadata: &fs::Metadata) -> io::Result<FileStamp> {
        Ok(FileStamp { inode: metadata.ino(), length: metadata.len(), modified: metadata.modified()? })
    }
}

/// All cards of one database, in the order in which they were made.
pub(super) fn read(path: &Path) -> Result<Vec<Card>, Failure> {
    let before = Stamp::of(path)?;
    let mut header = [0; 20];
    let length = File::open(path)?.take(20).read(&mut header)?;
    // Bytes 18 and 19 are the file format's write and read versions; 2 is WAL.
    let is_wal = length == header.len() && header[18..] == [2, 2];
    // Without its -wal the file is all there is. SQLite would make that file anew, which we must not.
    let is_alone = is_wal && before.wal.is_none();
    let cards = cards(&open(path, is_alone)?)?;
    if is_alone && Stamp::of(path)? != before {
        return Err(Failure::Passing("it was written to while it was read".to_owned()));
    }
    Ok(cards)
}

fn open(path: &Path, is_alone: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        match byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            true => uri.push(char::from(byte)),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str(if is_alone { "?mode=ro&immutable=1" } else { "?mode=ro" });
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn cards(connection: &Connection) -> rusqlite::Result<Vec<Card>> {
    let snapshot = connection.unchecked_transaction()?;
    let mut handles = handles(&snapshot, "ZABCDPHONENUMBER", &["ZFULLNUMBER"])?;
    for (owner, addresses) in self::handles(&snapshot, "ZABCDEMAILADDRESS", &["ZADDRESS", "ZADDRESSNORMALIZED"])? {
        handles.entry(owner).or_default().extend(addresses);
    }
    let columns = Columns::of(&snapshot, "ZABCDRECORD")?;
    if !columns.has("Z_PK") {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT Z_PK, {}, {}, {}, {} FROM ZABCDRECORD ORDER BY Z_PK",
        columns.or_null("ZFIRSTNAME"),
        columns.or_null("ZLASTNAME"),
        columns.or_null("ZNICKNAME"),
        columns.or_null("ZORGANIZATION"),
    );
    let mut statement = snapshot.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        // Groups are records too, but have no numbers.
        let Some(handles) = handles.get(&row.get(0)?) else { continue };
        let parts =
            NameParts { given: text(row, 1), family: text(row, 2), nickname: text(row, 3), organization: text(row, 4) };
        cards.extend(Card::new(&parts, handles));
    }
    Ok(cards)
}

/// The values of a table that belong to cards, by card, in the card's order. `columns`: the first that there is.
fn handles(connection: &Connection, table: &str, columns: &[&str]) -> rusqlite::Result<HashMap<i64, Vec<String>>> {
    let known = Columns::of(connection, table)?;
    let mut handles: HashMap<i64, Vec<String>> = HashMap::new();
    let (Some(column), true) = (columns.iter().find(|column| known.has(column)), known.has("ZOWNER")) else {
        return Ok(handles);
    };
    let order = known.or_null("ZORDERINGINDEX");
    let sql = format!("SELECT ZOWNER, {column} FROM {table} ORDER BY ZOWNER, {order}, ROWID");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let (Ok(owner), Some(handle)) = (row.get(0), text(row, 1)) {
            handles.entry(owner).or_default().push(handle);
        }
    }
    Ok(handles)
}

struct Columns(BTreeSet<String>);

impl Columns {
    fn of(connection: &Connection, table: &str) -> rusqlite::Result<Columns> {
        let mut statement = connection.prepare("SELECT upper(name) FROM pragma_table_info(?1)")?;
        let columns = statement.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Columns(columns))
    }

    fn has(&self, column: &str) -> bool {
        self.0.contains(column)
    }

    fn or_null<'a>(&self, column: &'a str) -> &'a str {
        if self.has(column) { column } else { "NULL" }
    }
}

/// A value that is no text is as good as none: it costs its card a name or a number, and the others nothing.
fn text(row: &Row<'_>, index: usize) -> Option<String> {
    match row.get_ref(index) {
        Ok(ValueRef::Text(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        Ok(ValueRef::Integer(number)) => Some(number.to_string()),
        _ => None,
    }
}
