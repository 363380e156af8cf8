//! What plugins keep, read without a trace: for who judges beside the daemon and must not write.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY, Error};

/// Keys and values of each plugin, by its name.
pub type Stores = HashMap<String, BTreeMap<String, Vec<u8>>>;

/// What all plugins keep in the state.db at `path`, as of one moment. Nothing where there is no such file.
pub fn stores(path: &Path) -> Result<Stores, Error> {
    if !path.exists() {
        return Ok(Stores::new());
    }
    let open = |source| Error::Open { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.busy_timeout(BUSY).map_err(open)?;
    let mut query = connection.prepare("SELECT plugin, key, value FROM store")?;
    let mut rows = query.query([])?;
    let mut stores = Stores::new();
    while let Some(row) = rows.next()? {
        stores.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    Ok(stores)
}
