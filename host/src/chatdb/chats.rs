//! Chats: one by id, the one that a target means, and the list with newest activity and unread counts.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Row;

use super::load::json;
use super::row::{integer, str, string};
use super::schema::Table;
use super::{ChatDb, Error, linked, unread};
use crate::decode::date;
use crate::message::{Chat, ChatId};

/// `chat.style` of a group; 45 is a direct chat.
const GROUP_STYLE: i64 = 43;

/// One entry of the list of chats.
#[derive(Clone, Debug)]
pub struct ChatSummary {
    pub chat: Arc<Chat>,
    pub last_message_at: Timestamp,
    /// `None` where the database does not know what has been read.
    pub unread_count: Option<u64>,
    /// Other chats of the same person.
    pub linked: Vec<ChatId>,
}

impl ChatDb {
    /// Newest activity first. `unread_only` narrows before the limit counts; without read state it leaves nothing.
    pub fn chats(&self, limit: usize, unread_only: bool) -> Result<Vec<ChatSummary>, Error> {
        self.read("list the chats", || {
            unread::refresh(self, unread_only)?;
            let has_unread = |id| unread::count(self, id).map(|count| count.is_some_and(|count| count > 0));
            let active = by_activity(self, limit, |id| if unread_only { has_unread(id) } else { Ok(true) })?;
            let ids: Vec<i64> = active.iter().map(|(id, _)| id.0).collect();
            let mut chats = load_all(self, &ids)?;
            let active_ids: Vec<ChatId> = active.iter().map(|(id, _)| *id).collect();
            let mut links = linked::linked(self, &active_ids)?;
            let mut summaries = Vec::with_capacity(active.len());
            for (id, last_message_at) in active {
                let Some(chat) = chats.remove(&id) else { continue };
                let unread_count = unread::count(self, id)?;
                summaries.push(ChatSummary {
                    chat,
                    last_message_at,
                    unread_count,
                    linked: links.remove(&id).unwrap_or_default(),
                });
            }
            Ok(summaries)
        })
    }

    pub fn chat(&self, id: ChatId) -> Result<Option<Arc<Chat>>, Error> {
        self.read("read a chat", || load(self, id))
    }

    /// The chat that `target`, a guid or identifier in any of its spellings, means. Chats of a `preferred` service
    /// come first, then the newest.
    pub fn chat_for_target(&self, target: &str, preferred: &[&str]) -> Result<Option<Arc<Chat>>, Error> {
        self.read("find a chat", || matching(self, &target_keys(target), preferred))
    }

    /// As [`ChatDb::chat_for_target`], but `target` has to be spelled as it is stored.
    pub fn chat_exact(&self, target: &str) -> Result<Option<Arc<Chat>>, Error> {
        self.read("find a chat", || matching(self, &[target.trim().to_owned()], &[]))
    }
}

/// The values of `chat.guid`, `chat.chat_identifier` or `handle.id` that `target` may stand for.
pub fn target_keys(target: &str) -> Vec<String> {
    let target = target.trim();
    let mut keys = vec![target.to_owned()];
    for (polarity, other) in [("any;+;", "any;-;"), ("any;-;", "any;+;")] {
        if let Some(bare) = target.strip_prefix(polarity) {
            keys.push(format!("{other}{bare}"));
            keys.push(bare.to_owned());
        }
    }
    keys.retain(|key| !key.is_empty());
    keys
}

fn matching(db: &ChatDb, keys: &[String], preferred: &[&str]) -> rusqlite::Result<Option<Arc<Chat>>> {
    if !db.schema.has_table(Table::Chat) {
        return Ok(None);
    }
    let mut statement = db.prepare(
        "SELECT ROWID, service_name FROM chat WHERE chat_identifier = ?1
         UNION SELECT ROWID, service_name FROM chat WHERE guid = ?1",
    )?;
    let mut best: Option<(bool, ChatId)> = None;
    for key in keys {
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            let service = str(row, 1).unwrap_or_default();
            let candidate = (preferred.contains(&service.as_ref()), ChatId(row.get(0)?));
            best = best.max(Some(candidate));
        }
    }
    match best {
        Some((_, id)) => load(db, id),
        None => Ok(None),
    }
}

/// Chats with messages and when the last one was sent, newest first.
fn by_activity(
    db: &ChatDb,
    limit: usize,
    wanted: impl Fn(ChatId) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Vec<(ChatId, Timestamp)>> {
    if !db.schema.has_table(Table::Chat) {
        return Ok(Vec::new());
    }
    match lately_active(db, limit, &wanted)? {
        Some(active) => Ok(active),
        None => ever_active(db, limit, &wanted),
    }
}

/// Messages that are looked at for each chat of the list, before all chats are asked for their last one.
const RECENT_PER_CHAT: i64 = 50;
const MOST_RECENT: i64 = 10_000;

/// The same from the newest messages alone; `None` where they are not of so many chats.
fn lately_active(
    db: &ChatDb,
    limit: usize,
    wanted: impl Fn(ChatId) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Option<Vec<(ChatId, Timestamp)>>> {
    let mut statement = db.prepare(
        "SELECT c.ROWID, m.date FROM message m CROSS JOIN chat_message_join j ON j.message_id = m.ROWID
         CROSS JOIN chat c ON c.ROWID = j.chat_id WHERE m.date > 0 ORDER BY m.date DESC LIMIT ?1",
    )?;
    let recent = i64::try_from(limit).unwrap_or(i64::MAX).saturating_mul(RECENT_PER_CHAT).min(MOST_RECENT);
    let mut rows = statement.query([recent])?;
    let mut active: Vec<(ChatId, i64)> = Vec::new();
    let mut met = HashSet::new();
    while let Some(row) = rows.next()? {
        let (id, date) = (ChatId(row.get(0)?), integer(row, 1).unwrap_or(0));
        // Chats with one date are in the order of their ids, so all of them have to be there.
        if active.len() >= limit && active.last().is_none_or(|(_, last)| *last != date) {
            active.sort_by_key(|(id, date)| Reverse((*date, *id)));
            active.truncate(limit);
            return Ok(Some(active.into_iter().map(|(id, at)| (id, date::from_column(Some(at)))).collect()));
        }
        if met.insert(id) && wanted(id)? {
            active.push((id, date));
        }
    }
    Ok(None)
}

fn ever_active(
    db: &ChatDb,
    limit: usize,
    wanted: impl Fn(ChatId) -> rusqlite::Result<bool>,
) -> rusqlite::Result<Vec<(ChatId, Timestamp)>> {
    let from_messages = "(SELECT MAX(m.date) FROM chat_message_join j JOIN message m ON m.ROWID = j.message_id
                          WHERE j.chat_id = c.ROWID)";
    let from_joins = "(SELECT MAX(j.message_date) FROM chat_message_join j WHERE j.chat_id = c.ROWID)";
    let newest = if db.schema.has(Table::ChatMessageJoin, "message_date") {
        // Joins that were written without their date have 0.
        format!("COALESCE(NULLIF({from_joins}, 0), {from_messages})")
    } else {
        from_messages.to_owned()
    };
    // Only a chat without a date has to be asked whether it has messages at all.
    let sql = format!(
        "WITH active AS MATERIALIZED (SELECT c.ROWID AS id, {newest} AS newest FROM chat c)
         SELECT id, newest FROM active
         WHERE newest IS NOT NULL OR EXISTS (SELECT 1 FROM chat_message_join j WHERE j.chat_id = id)
         ORDER BY newest DESC, id DESC"
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut active = Vec::new();
    while active.len() < limit
        && let Some(row) = rows.next()?
    {
        let id = ChatId(row.get(0)?);
        if wanted(id)? {
            active.push((id, date::from_column(integer(row, 1))));
        }
    }
    Ok(active)
}

pub(super) fn load(db: &ChatDb, id: ChatId) -> rusqlite::Result<Option<Arc<Chat>>> {
    Ok(load_all(db, &[id.0])?.remove(&id))
}

/// Chats that a connection keeps at most, more than most people have: some megabytes. Somebody who reads page after page
/// meets the same ones again.
const MOST_KEPT: usize = 4_096;

/// Chats as they are in one version of the database; kept while nothing is written.
#[derive(Default)]
pub(super) struct Kept {
    version: i64,
    chats: HashMap<ChatId, Arc<Chat>>,
}

pub(super) fn load_all(db: &ChatDb, ids: &[i64]) -> rusqlite::Result<HashMap<ChatId, Arc<Chat>>> {
    let mut kept = db.chats.borrow_mut();
    let version = db.version()?;
    if kept.version != version {
        *kept = Kept { version, chats: HashMap::new() };
    }
    let new: Vec<i64> = ids.iter().copied().filter(|id| !kept.chats.contains_key(&ChatId(*id))).collect();
    let mut chats = if new.is_empty() { HashMap::new() } else { read_all(db, &new)? };
    if kept.chats.len() + chats.len() <= MOST_KEPT {
        kept.chats.extend(chats.iter().map(|(id, chat)| (*id, chat.clone())));
    }
    chats.extend(
        ids.iter().filter_map(|id| kept.chats.get_key_value(&ChatId(*id))).map(|(id, chat)| (*id, chat.clone())),
    );
    Ok(chats)
}

fn read_all(db: &ChatDb, ids: &[i64]) -> rusqlite::Result<HashMap<ChatId, Arc<Chat>>> {
    if !db.schema.has_table(Table::Chat) {
        return Ok(HashMap::new());
    }
    let column = |name| db.schema.column(Table::Chat, "c", name);
    let sql = format!(
        "SELECT c.ROWID, c.guid, c.chat_identifier, c.display_name, c.service_name, {}, {}, {}, {}
         FROM chat c WHERE c.ROWID IN (SELECT value FROM json_each(?1))",
        column("style"),
        column("account_id"),
        column("account_login"),
        column("last_addressed_handle"),
    );
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([json(ids)])?;
    let mut chats = HashMap::new();
    while let Some(row) = rows.next()? {
        let chat = read(row)?;
        chats.insert(chat.id, chat);
    }
    participants(db, ids, &mut chats)?;
    Ok(chats.into_iter().map(|(id, chat)| (id, Arc::new(chat))).collect())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let guid = string(row, 1).unwrap_or_default();
    let identifier = string(row, 2).unwrap_or_default();
    let is_group = match integer(row, 5) {
        Some(style) if style != 0 => style == GROUP_STYLE,
        _ => guid.contains(";+;") || identifier.contains(";+;"),
    };
    Ok(Chat {
        id: ChatId(row.get(0)?),
        guid,
        identifier,
        display_name: row.get::<_, Option<String>>(3).unwrap_or_default(),
        service: string(row, 4).unwrap_or_default(),
        is_group,
        participants: Vec::new(),
        account_id: string(row, 6),
        account_login: string(row, 7),
        last_addressed_handle: string(row, 8),
    })
}

fn participants(db: &ChatDb, ids: &[i64], chats: &mut HashMap<ChatId, Chat>) -> rusqlite::Result<()> {
    if !db.schema.has_table(Table::ChatHandleJoin) {
        return Ok(());
    }
    let mut statement = db.prepare(
        "SELECT j.chat_id, h.id FROM chat_handle_join j JOIN handle h ON h.ROWID = j.handle_id
         WHERE j.chat_id IN (SELECT value FROM json_each(?1))",
    )?;
    let mut rows = statement.query([json(ids)])?;
    while let Some(row) = rows.next()? {
        if let (Some(id), Some(handle)) = (integer(row, 0), string(row, 1))
            && let Some(chat) = chats.get_mut(&ChatId(id))
        {
            chat.participants.push(handle);
        }
    }
    for chat in chats.values_mut() {
        chat.participants.sort_unstable();
        chat.participants.dedup();
    }
    Ok(())
}

/// Stands for a chat that is joined to but has no row.
pub(super) fn nameless(id: ChatId) -> Chat {
    Chat {
        id,
        guid: String::new(),
        identifier: String::new(),
        display_name: None,
        service: String::new(),
        is_group: false,
        participants: Vec::new(),
        account_id: None,
        account_login: None,
        last_addressed_handle: None,
    }
}
