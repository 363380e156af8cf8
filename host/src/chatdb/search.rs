//! Messages by their text.
//!
//! Most texts stand inside of archives, where SQL cannot see them: every row is decoded, newest first, until there are
//! enough hits. Dates and places in the file need not agree, so rows are fetched in blocks, each in the order of the
//! file, and each longer than the one before: a hit among the newest is found after a few rows, and a search through
//! everything reads the file nearly from end to end.

use std::collections::HashSet;

use rusqlite::OptionalExtension;

use super::load::Loader;
use super::row::{self, MessageRow};
use super::schema::Table;
use super::{ChatDb, Error, fold, previews};
use crate::decode;
use crate::message::{Message, RowId};

/// Rows looked at before the first hit can be known, and at a time later on.
const FIRST_BLOCK: usize = 512;
const LAST_BLOCK: usize = 1 << 18;

#[derive(Clone, Debug)]
pub struct Search {
    pub text: String,
    pub matching: TextMatch,
    pub limit: usize,
}

/// How a text has to match, without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    Contains,
    Exact,
}

impl Search {
    fn finds(&self, text: &str, wanted: &str) -> bool {
        let text = text.to_lowercase();
        match self.matching {
            TextMatch::Contains => text.contains(wanted),
            TextMatch::Exact => text == wanted,
        }
    }
}

impl ChatDb {
    /// Newest first, without tapback rows and without reactions.
    pub fn search(&self, query: &Search) -> Result<Vec<Message>, Error> {
        self.read("search", || {
            let mut hits = select(self, query)?;
            Loader::new(self).fill(&mut hits)?;
            Ok(hits.into_iter().map(|row| row.message).collect())
        })
    }
}

fn select(db: &ChatDb, query: &Search) -> rusqlite::Result<Vec<MessageRow>> {
    let wanted = query.text.to_lowercase();
    let mut newest_first = db.prepare("SELECT m.ROWID FROM message m ORDER BY m.date DESC, m.ROWID DESC")?;
    let mut ids = newest_first.query([])?;
    let mut hits: Vec<MessageRow> = Vec::new();
    let mut seen: HashSet<RowId> = HashSet::new();
    let mut block = FIRST_BLOCK;
    while hits.len() < query.limit {
        let ids = next(&mut ids, block)?;
        if ids.is_empty() {
            break;
        }
        for id in candidates(db, query, &wanted, &ids)? {
            let Some(row) = full_row(db, id)? else { continue };
            if hits.len() == query.limit || row.is_tapback() || !query.finds(&row.message.text, &wanted) {
                continue;
            }
            let hit = logical(db, row, |text| query.finds(text, &wanted))?;
            if seen.insert(hit.message.id) {
                hits.push(hit);
            }
        }
        block = LAST_BLOCK.min(block * 4);
    }
    hits.sort_by_key(|row| std::cmp::Reverse((row.message.sent_at, row.message.id)));
    Ok(hits)
}

fn next(ids: &mut rusqlite::Rows<'_>, most: usize) -> rusqlite::Result<Vec<RowId>> {
    let mut block = Vec::with_capacity(most);
    while block.len() < most
        && let Some(row) = ids.next()?
    {
        block.push(RowId(row.get(0)?));
    }
    Ok(block)
}

/// Those of `ids` that may be hits, in the same order. Looks at nothing but their texts, in the order in which they
/// stand in the file.
fn candidates(db: &ChatDb, query: &Search, wanted: &str, ids: &[RowId]) -> rusqlite::Result<Vec<RowId>> {
    let column = |name| db.schema.column(Table::Message, "m", name);
    let sql = format!(
        "SELECT m.text, {}, {} FROM message m WHERE m.ROWID = ?1",
        column("attributedBody"),
        column("is_audio_message")
    );
    let mut statement = db.prepare(&sql)?;
    let mut in_file: Vec<(RowId, usize)> = ids.iter().enumerate().map(|(rank, id)| (*id, rank)).collect();
    in_file.sort_unstable();
    let mut found = Vec::new();
    for (id, rank) in in_file {
        let is_candidate = |row: &rusqlite::Row<'_>| {
            // What was said in an audio message stands elsewhere.
            let is_match = || match row::str(row, 0) {
                Some(text) => query.finds(&text, wanted),
                None => query.finds(&decode::body(row::blob(row, 1)).text, wanted),
            };
            Ok(row::is(row, 2) || is_match())
        };
        if statement.query_row([id.0], is_candidate).optional()? == Some(true) {
            found.push((rank, id));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn full_row(db: &ChatDb, id: RowId) -> rusqlite::Result<Option<MessageRow>> {
    let sql = format!("SELECT {} FROM message m {} WHERE m.ROWID = ?1", db.columns, row::JOINS);
    let row = db.prepare(&sql)?.query_row([id.0], |row| Ok(MessageRow::read(row))).optional()?;
    let Some(mut row) = row else { return Ok(None) };
    Loader::new(db).transcription(&mut row)?;
    Ok(Some(row))
}

/// The message that a person sees where `row` is: a text with its previews, or in place of a preview its text, if that
/// is a hit too.
fn logical(db: &ChatDb, mut row: MessageRow, is_hit: impl Fn(&str) -> bool) -> rusqlite::Result<MessageRow> {
    let Some(chat) = row.chat_id else { return Ok(row) };
    if !fold::is_preview(&row) {
        let id = row.message.id;
        previews::attach_following(db, chat, &mut row, id)?;
        return Ok(row);
    }
    let Some(mut text) = previews::text_of(db, chat, &row)? else { return Ok(row) };
    let id = text.message.id;
    previews::attach_following(db, chat, &mut text, id)?;
    Ok(if is_hit(&text.message.text) { text } else { row })
}
