//! Counts of messages and media, over everything or one chat.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Row, params};

use super::fold::URL_BALLOON;
use super::row::{integer, is, str, string};
use super::schema::Table;
use super::{ChatDb, Error, chats, previews};
use crate::decode::{date, tapback};
use crate::message::{Chat, ChatId, RowId};

/// Stands for a name that is empty or missing.
const UNKNOWN: &str = "unknown";

/// What is counted.
#[derive(Clone, Debug)]
pub struct StatsQuery {
    /// `None` for all messages.
    pub chat: Option<ChatId>,
    /// Whose midnights separate the days.
    pub time_zone: TimeZone,
    pub include_media: bool,
}

/// Counts without tapbacks and without previews that belong to a text. A message in several chats counts once, and
/// once in each of them. All lists have the greatest count first, but `dates` the earliest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub sent: u64,
    pub received: u64,
    pub chats: Vec<(ChatName, u64)>,
    /// Of received messages.
    pub senders: Vec<(String, u64)>,
    pub services: Vec<(String, u64)>,
    pub dates: Vec<(Date, u64)>,
    /// Where it was asked for and the database has attachments.
    pub media: Option<MediaStats>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaStats {
    pub total: MediaCount,
    /// By uti and MIME type.
    pub types: Vec<((String, String), MediaCount)>,
    pub chats: Vec<(ChatName, MediaCount)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaCount {
    pub attachments: u64,
    pub bytes: u64,
}

/// A chat as statistics name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChatName {
    pub id: ChatId,
    pub identifier: String,
    pub name: String,
    pub service: String,
}

impl ChatDb {
    pub fn stats(&self, query: &StatsQuery) -> Result<Stats, Error> {
        self.read("count messages", || {
            let mut tally = Tally::default();
            tally.messages(self, query)?;
            if query.include_media && self.schema.has_attachments() {
                tally.media = Some(MediaTally::default());
                tally.attachments(self, query)?;
            }
            tally.finish(self)
        })
    }
}

#[derive(Default)]
struct Tally {
    sent: u64,
    received: u64,
    chats: HashMap<ChatId, u64>,
    senders: HashMap<String, u64>,
    services: HashMap<String, u64>,
    dates: BTreeMap<Date, u64>,
    /// Previews that are part of another message, in the chats where they are.
    folded: HashSet<(Option<ChatId>, RowId)>,
    media: Option<MediaTally>,
}

#[derive(Default)]
struct MediaTally {
    total: MediaCount,
    types: HashMap<(String, String), MediaCount>,
    chats: HashMap<ChatId, MediaCount>,
}

impl Tally {
    fn messages(&mut self, db: &ChatDb, query: &StatsQuery) -> rusqlite::Result<()> {
        let column = |name| db.schema.column(Table::Message, "m", name);
        let sql = format!(
            "SELECT j.chat_id, m.ROWID, {}, {}, m.is_from_me, m.date, m.service, h.id
             FROM message m LEFT JOIN chat_message_join j ON j.message_id = m.ROWID
             LEFT JOIN handle h ON h.ROWID = m.handle_id
             WHERE ?1 IS NULL OR j.chat_id = ?1 ORDER BY m.ROWID, j.chat_id",
            column("associated_message_type"),
            column("balloon_bundle_id"),
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(params![query.chat.map(|chat| chat.0)])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (chat, id) = (integer(row, 0).map(ChatId), RowId(row.get(1)?));
            if tapback::is_tapback(integer(row, 2).unwrap_or(0)) || self.fold(db, chat, id, row)? {
                continue;
            }
            if let Some(chat) = chat {
                *self.chats.entry(chat).or_default() += 1;
            }
            if last.replace(id) != Some(id) {
                self.message(query, row);
            }
        }
        Ok(())
    }

    fn fold(&mut self, db: &ChatDb, chat: Option<ChatId>, id: RowId, row: &Row<'_>) -> rusqlite::Result<bool> {
        let Some(in_chat) = chat.filter(|_| str(row, 3).as_deref() == Some(URL_BALLOON)) else { return Ok(false) };
        let is_folded = previews::text_of_preview(db, in_chat, id)?.is_some();
        if is_folded {
            self.folded.insert((chat, id));
        }
        Ok(is_folded)
    }

    fn message(&mut self, query: &StatsQuery, row: &Row<'_>) {
        if is(row, 4) {
            self.sent += 1;
        } else {
            self.received += 1;
            *self.senders.entry(named(row, 7)).or_default() += 1;
        }
        let day = date::from_column(integer(row, 5)).to_zoned(query.time_zone.clone()).date();
        *self.dates.entry(day).or_default() += 1;
        *self.services.entry(named(row, 6)).or_default() += 1;
    }

    fn attachments(&mut self, db: &ChatDb, query: &StatsQuery) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT j.chat_id, a.message_id, {}, f.ROWID, f.uti, f.mime_type, f.total_bytes
             FROM message_attachment_join a JOIN attachment f ON f.ROWID = a.attachment_id
             JOIN message m ON m.ROWID = a.message_id LEFT JOIN chat_message_join j ON j.message_id = m.ROWID
             WHERE ?1 IS NULL OR j.chat_id = ?1",
            db.schema.column(Table::Message, "m", "associated_message_type")
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(params![query.chat.map(|chat| chat.0)])?;
        let (mut seen, mut seen_in_chat) = (HashSet::new(), HashSet::new());
        let media = self.media.get_or_insert_default();
        while let Some(row) = rows.next()? {
            let (chat, id) = (integer(row, 0).map(ChatId), RowId(row.get(1)?));
            if tapback::is_tapback(integer(row, 2).unwrap_or(0)) || self.folded.contains(&(chat, id)) {
                continue;
            }
            let file: i64 = row.get(3)?;
            let bytes = integer(row, 6).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
            if seen.insert(file) {
                media.total.add(bytes);
                media.types.entry((named(row, 4), named(row, 5))).or_default().add(bytes);
            }
            if let Some(chat) = chat
                && seen_in_chat.insert((chat, file))
            {
                media.chats.entry(chat).or_default().add(bytes);
            }
        }
        Ok(())
    }

    fn finish(self, db: &ChatDb) -> rusqlite::Result<Stats> {
        let media_chats = self.media.iter().flat_map(|media| media.chats.keys());
        let ids: Vec<i64> = self.chats.keys().chain(media_chats).map(|id| id.0).collect();
        let known = chats::load_all(db, &ids)?;
        let name = |id| ChatName::of(id, known.get(&id).map(Arc::as_ref));
        let media = self.media.map(|media| MediaStats {
            total: media.total,
            types: ranked(media.types),
            chats: ranked_by(media.chats, name),
        });
        Ok(Stats {
            sent: self.sent,
            received: self.received,
            chats: ranked_by(self.chats, name),
            senders: ranked(self.senders),
            services: ranked(self.services),
            dates: self.dates.into_iter().collect(),
            media,
        })
    }
}

impl MediaCount {
    fn add(&mut self, bytes: u64) {
        self.attachments += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl ChatName {
    fn of(id: ChatId, chat: Option<&Chat>) -> ChatName {
        let known = |value: &str| if value.trim().is_empty() { UNKNOWN.to_owned() } else { value.to_owned() };
        ChatName {
            id,
            identifier: chat.map(|chat| chat.identifier.clone()).unwrap_or_default(),
            name: known(chat.map_or("", Chat::name)),
            service: known(chat.map_or("", |chat| &chat.service)),
        }
    }
}

fn named(row: &Row<'_>, index: usize) -> String {
    string(row, index).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| UNKNOWN.to_owned())
}

fn ranked<K: Ord + Hash, C: Ord>(counts: HashMap<K, C>) -> Vec<(K, C)> {
    let mut ranked: Vec<(K, C)> = counts.into_iter().collect();
    ranked.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    ranked
}

/// As [`ranked`]; the ids, by which chats are equal in count are ordered, become names.
fn ranked_by<C: Ord>(counts: HashMap<ChatId, C>, name: impl Fn(ChatId) -> ChatName) -> Vec<(ChatName, C)> {
    ranked(counts).into_iter().map(|(id, count)| (name(id), count)).collect()
}
