//! Rows of `attachment`.

use rusqlite::{OptionalExtension, Row};

use super::row::{integer, is, string};
use super::schema::{Schema, Table};
use super::{ChatDb, Error};
use crate::message::{Attachment, TransferState};

/// The select list that [`read`] reads, for `attachment a`. A column that this database lacks is NULL.
pub(super) fn columns(schema: &Schema) -> String {
    let names =
        ["guid", "filename", "transfer_name", "uti", "mime_type", "total_bytes", "is_sticker", "transfer_state"];
    names.map(|name| schema.column(Table::Attachment, "a", name)).join(", ")
}

/// Reads [`columns`], which begin at column `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> Attachment {
    let text = |at: usize| string(row, first + at).unwrap_or_default();
    Attachment {
        guid: text(0),
        filename: text(1),
        transfer_name: text(2),
        uti: text(3),
        mime_type: text(4),
        total_bytes: integer(row, first + 5).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
        is_sticker: is(row, first + 6),
        transfer_state: integer(row, first + 7).and_then(TransferState::from_column),
    }
}

impl ChatDb {
    /// The attachment with this guid.
    pub fn attachment(&self, guid: &str) -> Result<Option<Attachment>, Error> {
        if !self.schema.has(Table::Attachment, "guid") {
            return Ok(None);
        }
        self.read("look up an attachment", || {
            let sql = format!("SELECT {} FROM attachment a WHERE a.guid = ?1", columns(&self.schema));
            self.prepare(&sql)?.query_row([guid], |row| Ok(read(row, 0))).optional()
        })
    }
}
