//! Which messages some tapback names: for whoever reads so much that it pays to look at all tapbacks first.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::ChatDb;
use super::row::str;
use crate::decode::tapback;

/// Tapbacks that are looked at: some megabytes.
const MOST: usize = 200_000;

/// As in one version of the database.
pub(super) struct Named {
    version: i64,
    hasher: RandomState,
    /// Hashes of guids; `None` where there are too many.
    guids: Option<HashSet<u64, RandomState>>,
}

impl Named {
    /// Reads the index of all tapbacks, unless nothing was written since it was read.
    pub fn refresh(db: &ChatDb) -> rusqlite::Result<()> {
        let version = db.version()?;
        if db.named.borrow().as_ref().is_none_or(|named| named.version != version) {
            *db.named.borrow_mut() = Some(Named::read(db, version)?);
        }
        Ok(())
    }

    fn read(db: &ChatDb, version: i64) -> rusqlite::Result<Named> {
        let mut statement =
            db.prepare("SELECT m.associated_message_guid FROM message m WHERE m.associated_message_guid > ''")?;
        let mut rows = statement.query([])?;
        let (hasher, mut guids) = (RandomState::default(), HashSet::default());
        while let Some(row) = rows.next()? {
            if guids.len() == MOST {
                return Ok(Named { version, hasher, guids: None });
            }
            guids.extend(str(row, 0).map(|guid| hasher.hash_one(tapback::target(&guid))));
        }
        Ok(Named { version, hasher, guids: Some(guids) })
    }

    /// False only where none names it.
    pub fn may_have(&self, guid: &str) -> bool {
        self.guids.as_ref().is_none_or(|guids| guids.contains(&self.hasher.hash_one(guid)))
    }
}
