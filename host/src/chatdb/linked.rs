//! Chats with one person that Messages keeps in several rows: one for each service, or for number and e-mail address.

use std::collections::{BTreeSet, HashMap};

use super::load::json;
use super::row::integer;
use super::schema::Table;
use super::{ChatDb, Error};
use crate::message::ChatId;

impl ChatDb {
    /// The other chats of the same person or conversation, for each of `ids` that has such, ascending.
    pub fn linked(&self, ids: &[ChatId]) -> Result<HashMap<ChatId, Vec<ChatId>>, Error> {
        self.read("look for chats of the same person", || linked(self, ids))
    }
}

pub(super) fn linked(db: &ChatDb, ids: &[ChatId]) -> rusqlite::Result<HashMap<ChatId, Vec<ChatId>>> {
    let mut links: HashMap<ChatId, BTreeSet<ChatId>> = HashMap::new();
    if !db.schema.has_table(Table::Chat) {
        return Ok(HashMap::new());
    }
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    for sql in queries(db) {
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([json(&ids)])?;
        while let Some(row) = rows.next()? {
            if let (Some(chat), Some(other)) = (integer(row, 0), integer(row, 1))
                && chat != other
            {
                links.entry(ChatId(chat)).or_default().insert(ChatId(other));
            }
        }
    }
    Ok(links.into_iter().map(|(chat, others)| (chat, others.into_iter().collect())).collect())
}

/// Pairs of a wanted chat and one linked to it. All but the last look up every row by an index. For people no index
/// exists, but there are not many handles.
fn queries(db: &ChatDb) -> Vec<String> {
    let has = |table, column| db.schema.has(table, column);
    let wanted = "c.ROWID IN (SELECT value FROM json_each(?1))";
    let direct = |chat: &str| {
        let style = db.schema.column(Table::Chat, chat, "style");
        format!("COALESCE({style}, 0) <> 43 AND instr({chat}.guid, ';+;') = 0")
    };
    let both = format!("{wanted} AND {} AND {}", direct("c"), direct("o"));
    let mut queries = vec![format!(
        "SELECT c.ROWID, o.ROWID FROM chat c JOIN chat o ON o.chat_identifier = c.chat_identifier
         WHERE {both} AND c.chat_identifier <> ''"
    )];
    if has(Table::Chat, "group_id") {
        // Messages' own name for a conversation, whatever carries it.
        queries.push(format!(
            "SELECT c.ROWID, o.ROWID FROM chat c JOIN chat o ON o.group_id = c.group_id
             WHERE {wanted} AND c.group_id <> ''"
        ));
    }
    if db.schema.has_table(Table::ChatHandleJoin) {
        let to_person = "chat c CROSS JOIN chat_handle_join j ON j.chat_id = c.ROWID
                         CROSS JOIN handle h ON h.ROWID = j.handle_id CROSS JOIN handle p ON p.id = h.id";
        let to_chat = "CROSS JOIN chat_handle_join k ON k.handle_id = p.ROWID CROSS JOIN chat o ON o.ROWID = k.chat_id";
        queries.push(format!("SELECT c.ROWID, o.ROWID FROM {to_person} {to_chat} WHERE {both}"));
        if has(Table::Handle, "person_centric_id") {
            let same =
                "CROSS JOIN handle s ON s.person_centric_id = p.person_centric_id CROSS JOIN handle q ON q.id = s.id";
            let to_chat = to_chat.replace("p.ROWID", "q.ROWID");
            queries.push(format!(
                "SELECT c.ROWID, o.ROWID FROM {to_person} {same} {to_chat} WHERE {both} AND p.person_centric_id <> ''"
            ));
        }
    }
    queries
}
