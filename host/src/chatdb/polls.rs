//! Polls: their payloads, which are read for rows that may be polls and no others, and what other rows say of them.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use super::ChatDb;
use super::load::{json, json_strings};
use super::row::{MessageRow, blob, integer, str, string};
use super::schema::Table;
use crate::decode::{self, poll, tapback};
use crate::message::{ChatId, Poll, PollKind, PollOption, RowId};

/// Messages writes the question of a poll as a message behind it. Rows of the chat that are looked at to find it.
const MAX_DISTANCE: i64 = 64;
/// Rows that each add choices to the one before.
const MAX_UPDATES: usize = 8;

/// Fills in `poll`. Chats have to be filled in before.
pub(super) fn fill(db: &ChatDb, rows: &mut [MessageRow]) -> rusqlite::Result<()> {
    let is_candidate =
        |row: &MessageRow| poll::is_candidate(row.message.balloon_bundle_id.as_deref(), row.associated_type);
    if !db.schema.features().reactions || !rows.iter().any(is_candidate) {
        return Ok(());
    }
    let mut loader = Loader { db, options: HashMap::new() };
    for row in rows.iter_mut().filter(|row| is_candidate(row)) {
        row.message.poll = loader.poll(row)?.map(Box::new);
    }
    Ok(())
}

struct Loader<'db> {
    db: &'db ChatDb,
    /// The choices of each poll by its guid, which may be that of any of its rows.
    options: HashMap<String, Source>,
}

/// What is known of a poll from its first row and those that add choices.
#[derive(Clone, Default)]
struct Source {
    guid: String,
    options: Vec<PollOption>,
}

/// A row with what makes it a poll.
struct Payload {
    guid: String,
    associated_type: i64,
    associated_guid: String,
    poll: Option<Poll>,
}

impl Loader<'_> {
    fn poll(&mut self, row: &MessageRow) -> rusqlite::Result<Option<Poll>> {
        let sql = format!("{} WHERE m.ROWID = ?1", self.select());
        let mut statement = self.db.prepare(&sql)?;
        let sender = &row.message.sender;
        let payload = statement.query_row([row.message.id.0], |found| Ok(read(found, sender))).optional()?;
        let Some(mut poll) = payload.and_then(|payload| payload.poll) else { return Ok(None) };
        match (&poll.original_guid, row.chat_id) {
            (Some(original), _) if row.associated_type == poll::VOTE => {
                let source = self.source(original)?;
                poll.guid.clone_from(&source.guid);
                for vote in &mut poll.votes {
                    let option = source.options.iter().find(|option| option.id == vote.option_id);
                    vote.option_text = option.map(|option| option.text.clone()).filter(|text| !text.is_empty());
                }
            }
            (_, Some(chat)) if poll.kind == PollKind::Created && poll.question.is_none() => {
                poll.question = self.caption(chat, row.message.id, &row.message.guid)?;
            }
            _ => {}
        }
        Ok(Some(poll))
    }

    fn select(&self) -> String {
        let column = |name| self.db.schema.column(Table::Message, "m", name);
        format!(
            "SELECT m.guid, m.associated_message_type, m.associated_message_guid, {}, {}, {} FROM message m",
            column("balloon_bundle_id"),
            column("payload_data"),
            column("message_summary_info")
        )
    }

    /// The poll that `guid` is a row of.
    fn source(&mut self, guid: &str) -> rusqlite::Result<Source> {
        if let Some(known) = self.options.get(guid) {
            return Ok(known.clone());
        }
        let first = self.first_row(guid)?;
        let mut source =
            Source { guid: first.as_ref().map_or(guid, |first| &first.guid).to_owned(), options: Vec::new() };
        let updates = self.updates(&source.guid)?;
        for poll in first.into_iter().chain(updates).filter_map(|row| row.poll) {
            for option in poll.options {
                if !source.options.iter().any(|known| known.id == option.id) {
                    source.options.push(option);
                }
            }
        }
        self.options.insert(guid.to_owned(), source.clone());
        Ok(source)
    }

    /// The row that began the poll: `guid` may be one that added choices.
    fn first_row(&self, guid: &str) -> rusqlite::Result<Option<Payload>> {
        let sql = format!("{} WHERE m.guid = ?1", self.select());
        let mut statement = self.db.prepare(&sql)?;
        let mut guid = guid.to_owned();
        let mut first = None;
        for _ in 0..MAX_UPDATES {
            let Some(row) = statement.query_row([&guid], |found| Ok(read(found, ""))).optional()? else { break };
            let target = tapback::target(&row.associated_guid).to_owned();
            let is_update = row.associated_type == poll::UPDATE && !target.is_empty();
            first = Some(row);
            if !is_update {
                break;
            }
            guid = target;
        }
        Ok(first)
    }

    fn updates(&self, guid: &str) -> rusqlite::Result<Vec<Payload>> {
        let sql = format!(
            "{} WHERE m.associated_message_guid IN (SELECT value FROM json_each(?1)) AND m.associated_message_type = ?2
             ORDER BY m.date, m.ROWID LIMIT ?3",
            self.select()
        );
        let mut statement = self.db.prepare(&sql)?;
        let spellings = ["", "p/", "p:0/", "bp:"].map(|prefix| format!("{prefix}{guid}"));
        let most = i64::try_from(MAX_UPDATES).unwrap_or(i64::MAX);
        let rows =
            statement.query_map(params![json_strings(&spellings), poll::UPDATE, most], |found| Ok(read(found, "")))?;
        rows.collect()
    }

    /// The text of the earliest message that names the poll in its own column. No index has that column, so that only
    /// rows shortly behind the poll are looked at.
    fn caption(&self, chat: ChatId, poll: RowId, guid: &str) -> rusqlite::Result<Option<String>> {
        if !self.db.schema.has(Table::Message, "reply_to_guid") || guid.is_empty() {
            return Ok(None);
        }
        let mut near = self.db.prepare(
            "SELECT message_id FROM chat_message_join WHERE chat_id = ?1 AND message_id > ?2
             ORDER BY message_id LIMIT ?3",
        )?;
        let near = near.query_map([chat.0, poll.0, MAX_DISTANCE], |row| row.get(0))?;
        let near: Vec<i64> = near.collect::<rusqlite::Result<_>>()?;
        let column = |name| self.db.schema.column(Table::Message, "m", name);
        let sql = format!(
            "SELECT m.text, {} FROM message m WHERE m.ROWID IN (SELECT value FROM json_each(?1)) AND m.reply_to_guid = ?2
             AND COALESCE(m.associated_message_type, 0) = 0 AND COALESCE({}, '') = '' ORDER BY m.date, m.ROWID",
            column("attributedBody"),
            column("thread_originator_guid")
        );
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query(params![json(&near), guid])?;
        while let Some(row) = rows.next()? {
            let text = string(row, 0).unwrap_or_else(|| decode::body(blob(row, 1)).text);
            if !text.trim().is_empty() {
                return Ok(Some(text.trim().to_owned()));
            }
        }
        Ok(None)
    }
}

fn read(row: &rusqlite::Row<'_>, sender: &str) -> Payload {
    let (guid, associated_guid) = (string(row, 0).unwrap_or_default(), string(row, 2).unwrap_or_default());
    let associated_type = integer(row, 1).unwrap_or(0);
    let poll = poll::poll(&poll::Columns {
        guid: &guid,
        sender,
        bundle_id: str(row, 3).as_deref(),
        associated_type,
        associated_guid: &associated_guid,
        payload: blob(row, 4),
        summary: blob(row, 5),
    });
    Payload { guid, associated_type, associated_guid, poll }
}
