//! What others wrote, in ROWID order: all that policies are asked about, without the rows that they never see.

use jiff::Timestamp;
use rusqlite::params;

use super::{ChatDb, Error, TailRow, previews, row};
use crate::decode::date;
use crate::message::{ChatId, RowId};

/// Which rows.
#[derive(Clone, Copy, Debug)]
pub struct Inbound {
    /// Exclusive.
    pub after: RowId,
    /// Inclusive.
    pub last: RowId,
    /// `None` for all chats, with rows that are in none.
    pub chat: Option<ChatId>,
    pub limit: usize,
}

impl ChatDb {
    /// The first row that is not older than `since`. Rows behind it may be: old messages are imported late.
    pub fn first_since(&self, since: Timestamp) -> Result<Option<RowId>, Error> {
        self.read("find the first message of a span", || {
            let mut statement = self.prepare("SELECT MIN(ROWID) FROM message WHERE date >= ?1")?;
            statement.query_row([date::to_column(since)], |found| Ok(row::integer(found, 0).map(RowId)))
        })
    }

    /// The next rows that are not our own, as [`ChatDb::rows_after`] reads them: each page is a snapshot of its own.
    pub fn inbound(&self, which: &Inbound) -> Result<Vec<TailRow>, Error> {
        let limit = i64::try_from(which.limit).unwrap_or(i64::MAX);
        let not_ours = "COALESCE(m.is_from_me, 0) = 0";
        self.read("read received messages", || {
            let mut rows = match which.chat {
                None => {
                    let sql = format!(
                        "SELECT {} FROM message m {} WHERE m.ROWID > ?1 AND m.ROWID <= ?2 AND {not_ours}
                         ORDER BY m.ROWID LIMIT ?3",
                        self.columns,
                        row::JOINS
                    );
                    self.filled(&sql, params![which.after.0, which.last.0, limit])?
                }
                Some(chat) => {
                    let sql = format!(
                        "SELECT {} FROM chat_message_join j CROSS JOIN message m ON m.ROWID = j.message_id {}
                         WHERE j.chat_id = ?4 AND j.message_id > ?1 AND j.message_id <= ?2 AND {not_ours}
                         ORDER BY j.message_id LIMIT ?3",
                        self.columns,
                        row::JOINS
                    );
                    self.filled(&sql, params![which.after.0, which.last.0, limit, chat.0])?
                }
            };
            for row in &mut rows {
                row.message.preview_of = previews::text_repeated_by(self, &row.message)?;
            }
            Ok(rows)
        })
    }
}
