//! The resumable scan: messages in the order in which rows were written, a page at a time.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use rusqlite::params_from_iter;

use super::load::Loader;
use super::previews::Texts;
use super::row::{self, MessageRow};
use super::stretch::Stretch;
use super::{ChatDb, Error, fold, previews, reactions};
use crate::message::{ChatId, Message, RowId};

/// Rows that one page may consume, so that a long stretch of tapbacks does not keep the connection for long.
const MAX_CONSUMED: usize = 5_000;

/// Where a page starts and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct After {
    /// Exclusive.
    pub since: RowId,
    /// `None` for all chats, with rows that are in none.
    pub chat: Option<ChatId>,
    /// Counts messages as a person sees them.
    pub limit: usize,
    /// Shows tapback rows as messages.
    pub include_reactions: bool,
}

#[derive(Clone, Debug)]
pub struct Page {
    /// Oldest first, with reactions filled in.
    pub messages: Vec<Message>,
    /// The last row that the page consumed, shown or not. The next page starts after it.
    pub next_rowid: RowId,
    pub has_more: bool,
}

impl ChatDb {
    pub fn after(&self, query: &After) -> Result<Page, Error> {
        self.read("read a page of messages", || {
            let mut scan = Scan::new(query, END);
            let has_more = scan.run(self, &self.columns, |_| ())?;
            if has_more {
                scan.attach_following(self)?;
            }
            let next_rowid = scan.next;
            Ok(Page { messages: scan.into_messages(self, reactions::fill)?, next_rowid, has_more })
        })
    }

    /// As [`ChatDb::after`] with reactions and in all chats, but what is on a page depends on numbers of rows alone, so
    /// that several can be read at the same time: those of the next `count` after `since`, [`MAX_CONSUMED`] at most.
    pub fn span(&self, since: RowId, count: usize) -> Result<Page, Error> {
        self.read("read messages", || {
            let count = count.min(MAX_CONSUMED);
            let until = RowId(since.0.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)));
            let query = After { since, chat: None, limit: count, include_reactions: true };
            let mut scan = Scan::new(&query, until);
            let mut stretch = Stretch::read(self, since, until)?;
            scan.run(self, &self.own_columns, |row| stretch.fill(row))?;
            scan.attach_following(self)?;
            let last = self.prepare("SELECT MAX(ROWID) FROM message")?.query_row([], |row| Ok(row::integer(row, 0)))?;
            let has_more = last.is_some_and(|last| last > until.0);
            let next_rowid = if has_more { until } else { scan.next };
            Ok(Page { messages: scan.into_messages(self, reactions::fill_named)?, next_rowid, has_more })
        })
    }
}

/// After every row.
const END: RowId = RowId(i64::MAX);

struct Scan<'query> {
    query: &'query After,
    /// The last row that may be on the page.
    until: RowId,
    shown: Vec<MessageRow>,
    next: RowId,
    /// For each chat seen on this page, where in `shown` the text stands that the next preview may belong to; `None`
    /// after a preview that did not belong.
    texts: HashMap<ChatId, Option<usize>, RandomState>,
}

impl<'query> Scan<'query> {
    fn new(query: &'query After, until: RowId) -> Scan<'query> {
        Scan { query, until, shown: Vec::new(), next: query.since, texts: HashMap::default() }
    }

    /// Consumes rows up to the first that has no room on the page; returns whether there is one. `complete` adds to each
    /// what `columns` leave out.
    fn run(&mut self, db: &ChatDb, columns: &str, mut complete: impl FnMut(&mut MessageRow)) -> rusqlite::Result<bool> {
        let from = match self.query.chat {
            Some(_) => "chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id",
            None => "message m",
        };
        let filter = match self.query.chat {
            Some(_) => "j.chat_id = ?3 AND j.message_id > ?1 AND j.message_id <= ?2 ORDER BY j.message_id",
            None => "m.ROWID > ?1 AND m.ROWID <= ?2 ORDER BY m.ROWID",
        };
        let sql = format!("SELECT {columns} FROM {from} {} WHERE {filter}", row::JOINS);
        let mut statement = db.prepare(&sql)?;
        let parameters = [Some(self.query.since.0), Some(self.until.0), self.query.chat.map(|chat| chat.0)];
        let mut rows = statement.query(params_from_iter(parameters.into_iter().flatten()))?;
        let mut consumed = 0;
        while let Some(row) = rows.next()? {
            let mut row = MessageRow::read(row);
            complete(&mut row);
            row.chat_id = self.query.chat.or(row.chat_id);
            consumed += 1;
            if consumed > MAX_CONSUMED {
                return Ok(true);
            }
            let id = row.message.id;
            if !self.consume(db, row)? {
                return Ok(true);
            }
            self.next = id;
        }
        Ok(false)
    }

    /// Shows, folds or passes over a row; false if it would have to be shown and there is no room.
    fn consume(&mut self, db: &ChatDb, row: MessageRow) -> rusqlite::Result<bool> {
        let has_room = self.shown.len() < self.query.limit;
        if row.is_tapback() {
            if self.query.include_reactions {
                if has_room {
                    self.shown.push(row);
                }
                return Ok(has_room);
            }
            return Ok(true);
        }
        if fold::is_preview(&row)
            && let Some(chat) = row.chat_id
        {
            match self.texts.get(&chat) {
                Some(Some(text)) if fold::belongs(&row, &self.shown[*text]) => {
                    fold::attach(&mut self.shown[*text].message, &row.message);
                    return Ok(true);
                }
                Some(_) => {}
                // The text came with an earlier page, and the preview with it.
                None if previews::text_of(db, chat, &row)?.is_some() => return Ok(true),
                None => {}
            }
        }
        if has_room {
            if let Some(chat) = row.chat_id {
                let text = (!fold::is_preview(&row)).then_some(self.shown.len());
                self.texts.insert(chat, text);
            }
            self.shown.push(row);
        }
        Ok(has_room)
    }

    /// Attaches the previews that follow the last texts of the page. The next page will pass over them.
    fn attach_following(&mut self, db: &ChatDb) -> rusqlite::Result<()> {
        let texts = self.texts.iter().filter_map(|(chat, text)| Some((chat.0, &self.shown[(*text)?])));
        let date = |row: &MessageRow| row.has_date.then_some(row.message.sent_at);
        let (chats, dates): (Vec<i64>, Vec<Option<Timestamp>>) = texts.map(|(chat, row)| (chat, date(row))).unzip();
        if chats.is_empty() {
            return Ok(());
        }
        let sent = dates.iter().min().copied().flatten().zip(dates.iter().max().copied().flatten());
        let texts = Texts { chats: &chats, sent, read: self.next };
        for chat in previews::may_follow(db, &texts)? {
            if let Some(Some(index)) = self.texts.get(&chat) {
                previews::attach_following(db, chat, &mut self.shown[*index], self.next)?;
            }
        }
        Ok(())
    }

    fn into_messages(
        mut self,
        db: &ChatDb,
        fill_reactions: impl FnOnce(&ChatDb, &mut [Message]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<Vec<Message>> {
        Loader::new(db).fill(&mut self.shown)?;
        let mut messages: Vec<Message> = self.shown.into_iter().map(|row| row.message).collect();
        fill_reactions(db, &mut messages)?;
        Ok(messages)
    }
}
