//! Messages by their text.
//!
//! Most texts stand inside of archives, where SQL cannot see them: every row is decoded, newest first, until there are
//! enough hits.

use std::collections::HashSet;

use super::load::Loader;
use super::row::{self, MessageRow};
use super::{ChatDb, Error, fold, previews};
use crate::message::{Message, RowId};

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
    let loader = Loader::new(db);
    let sql = format!("SELECT {} FROM message m {} ORDER BY m.date DESC, m.ROWID DESC", db.columns, row::JOINS);
    let mut statement = db.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut hits: Vec<MessageRow> = Vec::new();
    let mut seen: HashSet<RowId> = HashSet::new();
    while hits.len() < query.limit
        && let Some(row) = rows.next()?
    {
        let mut row = MessageRow::read(row);
        loader.transcription(&mut row)?;
        if row.is_tapback() || !query.finds(&row.message.text, &wanted) {
            continue;
        }
        let hit = logical(db, row, |text| query.finds(text, &wanted))?;
        if seen.insert(hit.message.id) {
            hits.push(hit);
        }
    }
    hits.sort_by_key(|row| std::cmp::Reverse((row.message.sent_at, row.message.id)));
    Ok(hits)
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
