//! The journal after the database got other ROWIDs, as when it was rebuilt or is another Mac's.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, params};

use crate::message::{ChatId, RowId};

/// Stands for a message that is not in the database.
const NOWHERE: RowId = RowId(0);

/// Where each message of the journal was.
pub fn places(connection: &Connection) -> rusqlite::Result<Vec<(String, RowId)>> {
    let mut query = connection.prepare("SELECT guid, message_rowid FROM journal")?;
    query.query_map([], |row| Ok((row.get(0)?, RowId(row.get(1)?))))?.collect()
}

/// Gives entries the places where their messages are now. What is nowhere keeps its verdict, and is never taken for
/// the message that has its number.
pub(crate) fn renumber(
    transaction: &Transaction<'_>,
    before: &[(String, RowId)],
    now: &HashMap<String, (RowId, Option<ChatId>)>,
) -> rusqlite::Result<()> {
    super::bounds::forget_pruned(transaction)?;
    let mut put = transaction.prepare(
        "UPDATE OR REPLACE journal SET message_rowid = ?3, chat_id = ?4 WHERE message_rowid = ?1 AND guid = ?2",
    )?;
    let mut moved: HashMap<RowId, RowId> = HashMap::new();
    for (guid, row) in before {
        match now.get(guid) {
            Some((to, chat)) => {
                moved.insert(*row, *to);
                put.execute(params![row.0, guid, to.0, chat.map_or(0, |chat| chat.0)])?;
            }
            None => drop(put.execute(params![row.0, guid, NOWHERE.0, 0])?),
        }
    }
    let carried: Vec<(RowId, String, RowId)> = transaction
        .prepare("SELECT message_rowid, guid, context_for FROM journal WHERE context_for IS NOT NULL")?
        .query_map([], |row| Ok((RowId(row.get(0)?), row.get(1)?, RowId(row.get(2)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put = transaction.prepare("UPDATE journal SET context_for = ?3 WHERE message_rowid = ?1 AND guid = ?2")?;
    for (row, guid, carrier) in carried {
        put.execute(params![row.0, guid, moved.get(&carrier).unwrap_or(&NOWHERE).0])?;
    }
    Ok(())
}
