//! What messages have beside their text: edits.

use serde::Serialize;

use super::date;
use crate::message;

/// One version of one part of a message. The first is what was sent, the last is what is there now.
#[derive(Serialize)]
pub(super) struct Edit<'a> {
    part: u32,
    text: &'a str,
    edited_at: String,
}

impl<'a> Edit<'a> {
    pub(super) fn all(edits: &'a message::Edits) -> Vec<Edit<'a>> {
        let each = edits.versions.iter();
        each.map(|version| Edit { part: version.part, text: &version.text, edited_at: date(version.written_at) })
            .collect()
    }
}
