//! TCC.db, in which macOS writes down who was granted what. Only read, and readable only with Full Disk Access.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

/// Who may read everything.
pub const FULL_DISK_ACCESS: &str = "kTCCServiceSystemPolicyAllFiles";
/// Who may control which program.
pub const AUTOMATION: &str = "kTCCServiceAppleEvents";
/// Messages, as Automation names it.
pub const MESSAGES: &str = "com.apple.MobileSMS";

/// `auth_value` of what is granted; 3 is limited, which is said of photos only.
const GRANTED: i64 = 2;

/// What macOS wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A bundle identifier or a path.
    pub client: String,
    pub is_granted: bool,
    /// What the client had to be when it was granted, compiled.
    pub requirement: Option<Vec<u8>>,
}

/// The entry for one of `clients`, or why it could not be read. For Automation that about Messages.
pub fn entry(path: &Path, service: &str, clients: &[String]) -> Result<Option<Entry>, String> {
    // Opened once by hand: SQLite does not say why it could not.
    std::fs::File::open(path).map_err(|error| format!("{} may not be read: {error}", path.display()))?;
    let read = || -> rusqlite::Result<Option<Entry>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let mut query = connection.prepare(
            "SELECT client, auth_value, csreq FROM access
                 WHERE service = ?1 AND client = ?2 AND (service <> ?3 OR indirect_object_identifier = ?4)",
        )?;
        let mut found: Option<Entry> = None;
        for client in clients {
            let mut rows = query.query(params![service, client, AUTOMATION, MESSAGES])?;
            while let Some(row) = rows.next()? {
                let is_granted = row.get::<_, i64>(1)? == GRANTED;
                // One of several that is granted is enough.
                if found.as_ref().is_none_or(|found| is_granted && !found.is_granted) {
                    found = Some(Entry { client: row.get(0)?, is_granted, requirement: row.get(2)? });
                }
            }
        }
        Ok(found)
    };
    read().map_err(|error| format!("{} could not be understood: {error}", path.display()))
}
