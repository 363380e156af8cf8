//! Fresh or not (D3): tells what was written just now from what a sync or a restore brought.

use jiff::{SignedDuration, Timestamp};

use crate::decode::date;
use crate::message::{Arrival, RowId};

/// Older than this when first seen is not fresh. Gateways draw the line for backlog at the same age.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Classifies rows in the order in which they are seen.
///
/// - *backfill*: not fresh, and older than what had already been seen by more than the same span: the conversation
///   had gone on, and this was added behind its back;
/// - *catch-up*: written before we watched, or not fresh but in the ordinary course of things, as after a night of
///   sleep;
/// - *live*: all else, also what has no date, which reads as one from long ago.
pub struct Arrivals {
    /// The last row that was there when we began to watch.
    head_at_start: RowId,
    newest: Option<Timestamp>,
}

impl Arrivals {
    /// `newest` is the latest date among the rows that were judged before.
    pub fn new(head_at_start: RowId, newest: Option<Timestamp>) -> Arrivals {
        Arrivals { head_at_start, newest }
    }

    /// Was this row written while we watched?
    pub fn is_new(&self, id: RowId) -> bool {
        id > self.head_at_start
    }

    pub fn classify(&mut self, id: RowId, sent_at: Timestamp, now: Timestamp) -> Arrival {
        if sent_at == date::from_column(None) {
            return if self.is_new(id) { Arrival::Live } else { Arrival::CatchUp };
        }
        let is_fresh = now.duration_since(sent_at) <= FRESH;
        let is_behind = self.newest.is_some_and(|newest| newest.duration_since(sent_at) > FRESH);
        // A date from the future, off a wrong clock, must not make all that follows look old.
        if sent_at <= now {
            self.newest = self.newest.max(Some(sent_at));
        }
        if !is_fresh && is_behind {
            Arrival::Backfill
        } else if !is_fresh || !self.is_new(id) {
            Arrival::CatchUp
        } else {
            Arrival::Live
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hour * 3600).unwrap()
    }

    #[test]
    fn what_is_written_while_we_watch_is_live() {
        let mut arrivals = Arrivals::new(RowId(10), Some(at(0)));
        assert_eq!(arrivals.classify(RowId(11), at(5), at(5)), Arrival::Live);
    }

    #[test]
    fn what_was_written_while_we_were_down_is_catch_up() {
        let mut arrivals = Arrivals::new(RowId(12), Some(at(0)));
        assert_eq!(arrivals.classify(RowId(11), at(2), at(9)), Arrival::CatchUp);
        assert_eq!(arrivals.classify(RowId(12), at(9), at(9)), Arrival::CatchUp);
        assert_eq!(arrivals.classify(RowId(13), at(9), at(9)), Arrival::Live);
    }

    #[test]
    fn a_night_of_sleep_is_not_backfill() {
        let mut arrivals = Arrivals::new(RowId(10), Some(at(0)));
        for (row, hour) in [(11, 1), (12, 4), (13, 7)] {
            assert_eq!(arrivals.classify(RowId(row), at(hour), at(8)), Arrival::CatchUp);
        }
    }

    #[test]
    fn old_rows_that_a_sync_writes_are_backfill() {
        let mut arrivals = Arrivals::new(RowId(10), Some(at(100)));
        for row in 11..20 {
            assert_eq!(arrivals.classify(RowId(row), at(row - 10), at(100)), Arrival::Backfill);
        }
        assert_eq!(arrivals.classify(RowId(20), at(100), at(100)), Arrival::Live);
    }

    #[test]
    fn what_has_no_date_is_not_old() {
        let mut arrivals = Arrivals::new(RowId(10), Some(at(0)));
        assert_eq!(arrivals.classify(RowId(10), date::from_column(None), at(1)), Arrival::CatchUp);
        assert_eq!(arrivals.classify(RowId(11), date::from_column(None), at(9)), Arrival::Live);
        assert_eq!(
            arrivals.classify(RowId(12), at(1), at(9)),
            Arrival::CatchUp,
            "it says nothing of those that follow"
        );
    }

    #[test]
    fn a_date_from_the_future_does_not_age_the_rest() {
        let mut arrivals = Arrivals::new(RowId(10), Some(at(0)));
        assert_eq!(arrivals.classify(RowId(11), at(1000), at(1)), Arrival::Live);
        assert_eq!(arrivals.classify(RowId(12), at(1), at(1)), Arrival::Live);
    }
}
