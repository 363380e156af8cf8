//! Places in the stream of what was judged, and cursors, which are places as clients keep them (D6).

use std::sync::Arc;

use crate::message::RowId;

/// Everything up to this row has been handed out, and of what was delivered after the stream had passed its row
/// everything up to this number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub row: RowId,
    /// Of the message in that row, by which it is found again under another number; empty where there is none.
    pub guid: Arc<str>,
    /// The last late delivery, see [`crate::journal::Entry::released`].
    pub released: i64,
}

impl Default for Place {
    /// Before everything.
    fn default() -> Place {
        Place { row: RowId(0), guid: Arc::default(), released: 0 }
    }
}

impl Place {
    /// Has everything been handed out here that had been there?
    pub fn reaches(&self, other: &Place) -> bool {
        self.row >= other.row && self.released >= other.released
    }

    /// As clients keep it. They are told nothing of its parts.
    pub fn cursor(&self) -> String {
        format!("{}.{}.{}", self.row.0, self.released, self.guid)
    }

    pub fn from_cursor(cursor: &str) -> Option<Place> {
        let mut parts = cursor.splitn(3, '.');
        let row = parts.next()?.parse().ok()?;
        let released = parts.next()?.parse().ok()?;
        Some(Place { row: RowId(row), released, guid: parts.next()?.into() })
    }
}

/// Why rows have other numbers than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    pub kind: ResetKind,
    /// In a sentence, for people.
    pub detail: String,
    /// Where the stream goes on.
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetKind {
    /// The place was found again: nothing is missed, but rows have other numbers.
    Renumbered,
    /// It was not: messages may come again, or be missed.
    Lost,
}

impl ResetKind {
    pub fn name(self) -> &'static str {
        match self {
            ResetKind::Renumbered => "renumbered",
            ResetKind::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let place = Place { row: RowId(12), guid: "A.B-C".into(), released: 3 };
        assert_eq!(Place::from_cursor(&place.cursor()), Some(place));
        assert_eq!(Place::from_cursor(&Place::default().cursor()), Some(Place::default()));
        for cursor in ["", "12", "12.x.G", "12.3", "x.3.G", "99999999999999999999.0.G"] {
            assert_eq!(Place::from_cursor(cursor), None, "{cursor}");
        }
    }

    #[test]
    fn a_place_reaches_another_only_by_row_and_release() {
        let at = |row, released| Place { row: RowId(row), released, guid: Arc::default() };
        assert!(at(5, 1).reaches(&at(5, 1)) && at(6, 2).reaches(&at(5, 1)));
        assert!(!at(6, 0).reaches(&at(5, 1)) && !at(4, 2).reaches(&at(5, 1)));
    }
}
