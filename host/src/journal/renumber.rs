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
    let mut put = transaction.prepare("UPDATE journal SET message_rowid = ?2, chat_id = ?3 WHERE guid = ?1")?;
    let mut moved: HashMap<RowId, RowId> = HashMap::new();
    for (guid, row) in before {
        match now.get(guid) {
            Some((to, chat)) => {
                moved.insert(*row, *to);
                put.execute(params![guid, to.0, chat.map_or(0, |chat| chat.0)])?;
            }
            None => drop(put.execute(params![guid, NOWHERE.0, 0])?),
        }
    }
    let carried: Vec<(String, RowId)> = transaction
        .prepare("SELECT guid, context_for FROM journal WHERE context_for IS NOT NULL")?
        .query_map([], |row| Ok((row.get(0)?, RowId(row.get(1)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put = transaction.prepare("UPDATE journal SET context_for = ?2 WHERE guid = ?1")?;
    for (guid, carrier) in carried {
        put.execute(params![guid, moved.get(&carrier).unwrap_or(&NOWHERE).0])?;
    }
    Ok(())
}
