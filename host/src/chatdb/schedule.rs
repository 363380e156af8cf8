//! Messages that the owner wrote to be sent later.

use jiff::Timestamp;
use rusqlite::params;

use super::load::Loader;
use super::row::{self, MessageRow, integer};
use super::schema::Table;
use super::{ChatDb, Error};
use crate::decode::date;
use crate::message::Message;

#[derive(Clone, Debug)]
pub struct Scheduled {
    /// `sent_at` is when it is due.
    pub message: Message,
    /// As stored; 0 where the column is missing.
    pub schedule_type: i64,
    pub schedule_state: i64,
}

impl ChatDb {
    /// Scheduled messages that are due at `now` or later, soonest first. Empty without the columns, of which
    /// [`super::Features::scheduled_messages`] tells.
    pub fn scheduled(&self, now: Timestamp, limit: usize) -> Result<Vec<Scheduled>, Error> {
        if !self.schema.features().scheduled_messages {
            return Ok(Vec::new());
        }
        self.read("list scheduled messages", || {
            let column = |name| format!("COALESCE({}, 0)", self.schema.column(Table::Message, "m", name));
            let (kind, state) = (column("schedule_type"), column("schedule_state"));
            let sql = format!(
                "SELECT {}, {kind} AS schedule_type, {state} AS schedule_state FROM message m {}
                 WHERE m.date >= ?1 AND m.is_from_me = 1 AND ({kind} <> 0 OR {state} <> 0)
                 ORDER BY m.date, m.ROWID LIMIT ?2",
                self.columns,
                row::JOINS
            );
            let mut statement = self.prepare(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![date::to_column(now), limit])?;
            let (mut messages, mut schedules) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                messages.push(MessageRow::read(row));
                let schedule = |name| row.as_ref().column_index(name).map(|index| integer(row, index).unwrap_or(0));
                schedules.push((schedule("schedule_type")?, schedule("schedule_state")?));
            }
            Loader::new(self).fill(&mut messages)?;
            let scheduled = |(row, (schedule_type, schedule_state)): (MessageRow, _)| Scheduled {
                message: row.message,
                schedule_type,
                schedule_state,
            };
            Ok(messages.into_iter().zip(schedules).map(scheduled).collect())
        })
    }
}
