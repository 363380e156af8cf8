//! The objects of `consumers.*`, and of `status` about them.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::consumers::Report;
use crate::message::RowId;

/// Who has a name and a place in the stream.
#[derive(Serialize, JsonSchema)]
pub struct Consumers<'a> {
    pub consumers: Vec<Consumer<'a>>,
}

/// One of them.
#[derive(Serialize, JsonSchema)]
pub struct Consumer<'a> {
    pub name: &'a str,
    /// Does it acknowledge? Otherwise its place moves with what is written to it.
    pub ack: bool,
    /// Does a connection have it now?
    pub connected: bool,
    /// Where it goes on, as `watch.ack` takes it.
    pub cursor: String,
    /// The same as a row.
    pub resume_after_rowid: i64,
    /// How many rows of the database, of whatever kind, lie between its place and what was judged last. 0 where it has
    /// taken all that there was for it.
    pub behind_rows: i64,
    pub created_at: Date,
    /// When its place was last kept.
    pub moved_at: Date,
}

impl<'a> Consumer<'a> {
    pub fn new(report: &'a Report, head: Option<RowId>) -> Consumer<'a> {
        let behind = head.map_or(0, |head| (head.0 - report.place.row.0).max(0));
        Consumer {
            name: &report.name,
            ack: report.acks,
            connected: report.is_connected,
            cursor: report.place.cursor(),
            resume_after_rowid: report.place.row.0,
            behind_rows: if report.is_settled { 0 } else { behind },
            created_at: Date(report.created_at),
            moved_at: Date(report.moved_at),
        }
    }
}

/// It is forgotten.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConsumerRemoved")]
pub struct Removed {
    pub ok: bool,
}
