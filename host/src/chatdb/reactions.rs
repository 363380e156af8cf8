//! The tapbacks that stand on messages now: all tapback rows of a message, played in the order of their dates.

use std::collections::{HashMap, HashSet};

use super::load::json_strings;
use super::named::Named;
use super::row::{blob, integer, is, str, string};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::{self, date, tapback};
use crate::message::{Message, Reaction, RowId, Tapback, TapbackKind};

/// Parts of a message that can be reacted to even where it does not look as if it had so many.
const LEAST_PARTS: usize = 8;

/// Rows that are looked at for each message to save looking for all ways in which it may be named. Each costs a
/// fortieth of that.
const LOOKED_AT_PER_MESSAGE: usize = 8;

impl ChatDb {
    /// Fills in `reactions` of all `messages` at once.
    pub fn reactions(&self, messages: &mut [Message]) -> Result<(), Error> {
        self.read("read reactions", || fill(self, messages))
    }
}

/// As [`fill`], for a reader of everything: looks at all tapbacks first, once.
pub(super) fn fill_named(db: &ChatDb, messages: &mut [Message]) -> rusqlite::Result<()> {
    if !db.schema.features().reactions {
        return Ok(());
    }
    Named::refresh(db)?;
    let named = db.named.borrow();
    fill_some(db, messages, |guid| named.as_ref().is_none_or(|named| named.may_have(guid)))
}

pub(super) fn fill(db: &ChatDb, messages: &mut [Message]) -> rusqlite::Result<()> {
    if !db.schema.features().reactions {
        return Ok(());
    }
    fill_some(db, messages, |_| true)
}

/// Those that are not `wanted` have none.
fn fill_some(db: &ChatDb, messages: &mut [Message], wanted: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let mut index = HashMap::new();
    for (number, message) in messages.iter_mut().enumerate() {
        message.reactions.clear();
        if !message.guid.is_empty() && message.tapback.is_none() && wanted(&message.guid) {
            index.insert(message.guid.clone(), number);
        }
    }
    if index.is_empty() {
        return Ok(());
    }
    let mut spellings = Vec::new();
    let otherwise = named_otherwise(db, index.len() * LOOKED_AT_PER_MESSAGE)?;
    for &number in index.values() {
        let message = &messages[number];
        let is_named = otherwise.as_ref().is_none_or(|guids| guids.contains(&message.guid));
        spell(message, is_named, &mut spellings);
    }
    let mut statement = db.prepare(&sql(db))?;
    let mut rows = statement.query([json_strings(&spellings)])?;
    while let Some(row) = rows.next()? {
        let body = if str(row, 5).is_none() { decode::body(blob(row, 6)).text } else { String::new() };
        let tapback = tapback::tapback(&tapback::Columns {
            associated_type: integer(row, 3).unwrap_or(0),
            associated_guid: &str(row, 4).unwrap_or_default(),
            emoji: str(row, 7).as_deref(),
            text: str(row, 5).as_deref().unwrap_or(&body),
        });
        let Some(tapback) = tapback else { continue };
        let Some(&number) = index.get(&tapback.target) else { continue };
        let reaction = Reaction {
            id: RowId(integer(row, 0).unwrap_or(0)),
            kind: tapback.kind.clone(),
            sender: string(row, 8).unwrap_or_default(),
            is_from_me: is(row, 2),
            created_at: date::from_column(integer(row, 1)),
        };
        play(&mut messages[number].reactions, reaction, &tapback);
    }
    Ok(())
}

fn sql(db: &ChatDb) -> String {
    let message = |name| db.schema.column(Table::Message, "m", name);
    // Each spelling once, so a join will do: what `IN` gathers first costs as much as all of the lookups.
    format!(
        "SELECT m.ROWID, m.date, m.is_from_me, m.associated_message_type, m.associated_message_guid, m.text, {}, {}, h.id
         FROM json_each(?1) CROSS JOIN message m ON m.associated_message_guid = json_each.value
         LEFT JOIN handle h ON h.ROWID = m.handle_id ORDER BY m.date, m.ROWID",
        message("attributedBody"),
        message("associated_message_emoji")
    )
}

/// The guids that some row of the database names otherwise than `p:0/GUID`, which nearly all tapbacks do. `None` where
/// there are more than `most` such rows.
fn named_otherwise(db: &ChatDb, most: usize) -> rusqlite::Result<Option<HashSet<String>>> {
    // `0` is what follows `/`.
    let mut statement = db.prepare(
        "SELECT m.associated_message_guid FROM message m
         WHERE m.associated_message_guid > '' AND m.associated_message_guid < 'p:0/'
         UNION ALL SELECT m.associated_message_guid FROM message m WHERE m.associated_message_guid >= 'p:00'",
    )?;
    let mut rows = statement.query([])?;
    let (mut guids, mut seen) = (HashSet::new(), 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen > most {
            return Ok(None);
        }
        guids.extend(str(row, 0).map(|guid| tapback::target(&guid).to_owned()));
    }
    Ok(Some(guids))
}

/// The ways in which a tapback may name `message`: by its first part, or all. Equality on each is what the index can
/// answer, unlike `LIKE`.
fn spell(message: &Message, all: bool, spellings: &mut Vec<String>) {
    let guid = &message.guid;
    spellings.push(format!("p:0/{guid}"));
    if all {
        let parts = LEAST_PARTS.max(2 * message.attachments.len() + 1);
        spellings.push(guid.clone());
        spellings.push(format!("bp:{guid}"));
        spellings.extend((1..parts).map(|part| format!("p:{part}/{guid}")));
    }
}

fn play(reactions: &mut Vec<Reaction>, reaction: Reaction, tapback: &Tapback) {
    let same_person = |other: &Reaction| other.sender == reaction.sender && other.is_from_me == reaction.is_from_me;
    let is_unknown = reaction.kind == TapbackKind::Custom(None);
    let known = reactions.iter().position(|other| {
        // A removal that does not say which emoji takes the person's first.
        same_person(other)
            && (other.kind == reaction.kind || is_unknown && matches!(other.kind, TapbackKind::Custom(_)))
    });
    match (tapback.is_add, known) {
        (true, _) if is_unknown => {}
        (true, Some(index)) => reactions[index] = reaction,
        (true, None) => reactions.push(reaction),
        (false, Some(index)) => {
            reactions.remove(index);
        }
        (false, None) => {}
    }
}
