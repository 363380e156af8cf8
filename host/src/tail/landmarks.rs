//! Messages by which a database is known again when the last one has been deleted.

use std::collections::VecDeque;

use crate::chatdb::{ChatDb, Error};
use crate::message::RowId;

/// How many are remembered. One that is left is enough; who deletes this many at once deletes conversations.
pub const LANDMARKS: usize = 32;

/// The last messages that were passed, with their guids.
pub struct Landmarks(VecDeque<(RowId, String)>);

impl Landmarks {
    /// The newest first.
    pub fn new(passed: Vec<(RowId, String)>) -> Landmarks {
        Landmarks(passed.into())
    }

    pub fn pass(&mut self, row: RowId, guid: &str) {
        if guid.is_empty() {
            return;
        }
        self.0.truncate(LANDMARKS - 1);
        self.0.push_front((row, guid.to_owned()));
    }

    /// The newest that is where it was.
    pub fn find(&self, db: &ChatDb) -> Result<Option<(RowId, String)>, Error> {
        for (row, guid) in &self.0 {
            if db.guid_of(*row)?.as_ref() == Some(guid) {
                return Ok(Some((*row, guid.clone())));
            }
        }
        Ok(None)
    }
}
