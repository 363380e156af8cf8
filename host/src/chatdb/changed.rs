//! Which of some messages were edited or taken back.

use super::load::json;
use super::row::integer;
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::edits;
use crate::message::RowId;
use jiff::Timestamp;

impl ChatDb {
    /// Those of `ids` that are not as they were sent, and when each was last changed.
    pub fn changed(&self, ids: &[RowId]) -> Result<Vec<(RowId, Timestamp)>, Error> {
        let has = |column| self.schema.has(Table::Message, column);
        if ids.is_empty() || !has("date_edited") && !has("date_retracted") {
            return Ok(Vec::new());
        }
        self.read("look for edited messages", || {
            let column = |name| self.schema.column(Table::Message, "m", name);
            let sql = format!(
                "SELECT m.ROWID, {}, {} FROM message m WHERE m.ROWID IN (SELECT value FROM json_each(?1))",
                column("date_edited"),
                column("date_retracted")
            );
            let mut statement = self.prepare(&sql)?;
            let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            let mut rows = statement.query([json(&ids)])?;
            let mut changed = Vec::new();
            while let Some(row) = rows.next()? {
                let at = edits::changed_at(integer(row, 1).unwrap_or(0), integer(row, 2).unwrap_or(0));
                changed.extend(at.map(|at| (RowId(integer(row, 0).unwrap_or(0)), at)));
            }
            Ok(changed)
        })
    }
}
