//! `sim edit` and `sim unsend`: a row that is there already changes, in one transaction as in Messages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::{body, database, plists, rows};
use crate::message::RowId;

#[derive(clap::Args)]
pub struct EditArgs {
    #[command(flatten)]
    target: Target,
    /// What it says from now on
    #[arg(long)]
    text: String,
}

#[derive(clap::Args)]
pub struct UnsendArgs {
    #[command(flatten)]
    target: Target,
}

#[derive(clap::Args)]
struct Target {
    /// Simulated database
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Guid of the message
    #[arg(long)]
    guid: String,
}

impl EditArgs {
    pub fn run(&self) -> Result<()> {
        edit(&self.target.db, &self.target.guid, &self.text)
    }
}

impl UnsendArgs {
    pub fn run(&self) -> Result<()> {
        unsend(&self.target.db, &self.target.guid)
    }
}

/// What a row has before it changes.
struct Before {
    id: RowId,
    date: i64,
    text: Option<String>,
    body: Option<Vec<u8>>,
    summary: Option<Vec<u8>>,
}

/// Gives the only part of a message another text.
pub fn edit(path: &Path, guid: &str, text: &str) -> Result<()> {
    change(path, guid, |connection, before, now| {
        let written = || before.text.as_deref().and_then(|text| body::text(text).attributed_body);
        let was = before.body.clone().or_else(written).unwrap_or_default();
        let content = body::text(text);
        let is = content.attributed_body.clone().unwrap_or_default();
        let history = plists::edited(before.summary.as_deref(), (was, before.date), (is, now));
        rows::update_content(connection, before.id, &content)?;
        connection
            .prepare_cached("UPDATE message SET date_edited = ?, message_summary_info = ? WHERE ROWID = ?")?
            .execute((now, history, before.id.0))?;
        Ok(())
    })
}

/// Takes all of a message back: the row stays, without its content.
pub fn unsend(path: &Path, guid: &str) -> Result<()> {
    change(path, guid, |connection, before, now| {
        let length = before.text.as_deref().map_or(1, |text| text.encode_utf16().count() as i64);
        rows::update_content(connection, before.id, &rows::Content { part_count: 1, ..rows::Content::default() })?;
        connection
            .prepare_cached(
                "UPDATE message SET date_edited = ?1, date_retracted = ?1, message_summary_info = ?2 WHERE ROWID = ?3",
            )?
            .execute((now, plists::unsent(length), before.id.0))?;
        Ok(())
    })
}

fn change(path: &Path, guid: &str, write: impl FnOnce(&Connection, &Before, i64) -> Result<()>) -> Result<()> {
    let connection = database::open(path)?;
    let transaction = rusqlite::Transaction::new_unchecked(&connection, rusqlite::TransactionBehavior::Immediate)?;
    let sql = "SELECT ROWID, date, text, attributedBody, message_summary_info FROM message WHERE guid = ?";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Before {
            id: RowId(row.get(0)?),
            date: row.get(1)?,
            text: row.get(2)?,
            body: row.get(3)?,
            summary: row.get(4)?,
        })
    };
    let before = transaction.query_row(sql, [guid], read).optional()?;
    let before = before.with_context(|| format!("there is no message {guid}"))?;
    write(&transaction, &before, rows::apple_date(Timestamp::now()))?;
    transaction.commit()?;
    Ok(())
}
