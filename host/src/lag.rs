//! How late messages are, told apart by who was late: Messages in writing them, imsgd in seeing them, or a subscriber in
//! reading them.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

/// Of each of so many minutes the largest is known.
const MINUTES: usize = 60;

/// A tail that has not looked for this long is stuck: it looks every second.
const STUCK: Duration = Duration::from_secs(10);

/// Rows that Messages wrote this long ago, and that were not judged, wait for imsgd. A row may settle for two seconds.
const SETTLED: Duration = Duration::from_secs(5);

/// One kind of lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Of the last message.
    pub last: Option<Duration>,
    /// The largest of the last hour.
    pub largest: Option<Duration>,
}

/// All that is measured. Written by the tail and by who writes to subscribers.
#[derive(Default)]
pub struct Lag {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    written: Window,
    seen: Window,
    told: Window,
    looked_at: Option<Timestamp>,
}

/// What was measured up to now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot {
    /// From when a live message was sent until it was seen.
    pub written: Reading,
    /// From the last write to the database until its rows were seen.
    pub seen: Reading,
    /// From when a message was seen until its line was written to a subscriber's connection.
    pub told: Reading,
    /// When the database was last looked at.
    pub looked_at: Option<Timestamp>,
}

impl Lag {
    pub fn looked(&self, now: Timestamp) {
        self.inner.lock().looked_at = Some(now);
    }

    pub fn written(&self, sent_at: Timestamp, now: Timestamp) {
        self.inner.lock().written.add(since(sent_at, now), now);
    }

    pub fn seen(&self, changed_at: Timestamp, now: Timestamp) {
        self.inner.lock().seen.add(since(changed_at, now), now);
    }

    pub fn told(&self, seen_at: Timestamp) {
        let now = Timestamp::now();
        self.inner.lock().told.add(since(seen_at, now), now);
    }

    pub fn snapshot(&self) -> Snapshot {
        let inner = self.inner.lock();
        let now = Timestamp::now();
        let [written, seen, told] = [&inner.written, &inner.seen, &inner.told].map(|window| window.reading(now));
        Snapshot { written, seen, told, looked_at: inner.looked_at }
    }
}

/// Nothing where the clocks disagree.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

/// When the database, or what was written beside it, was last written to.
pub fn changed_at(database: &Path) -> Option<Timestamp> {
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let at = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    at(database).max(at(Path::new(&wal))).and_then(|at| at.try_into().ok())
}

/// The largest of each of the last minutes.
#[derive(Default)]
struct Window {
    last: Option<Duration>,
    largest: Vec<(i64, Duration)>,
}

impl Window {
    fn add(&mut self, lag: Duration, now: Timestamp) {
        self.last = Some(lag);
        let minute = now.as_second() / 60;
        match self.largest.last_mut() {
            Some((of, largest)) if *of == minute => *largest = (*largest).max(lag),
            _ => {
                if self.largest.len() == MINUTES {
                    self.largest.remove(0);
                }
                self.largest.push((minute, lag));
            }
        }
    }

    fn reading(&self, now: Timestamp) -> Reading {
        let first = now.as_second() / 60 - MINUTES as i64;
        let largest = self.largest.iter().filter(|(minute, _)| *minute > first).map(|(_, lag)| *lag).max();
        Reading { last: self.last, largest }
    }
}

/// Who is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    Nobody,
    /// imsgd has not found its place in the database.
    Starting,
    /// The database has rows that imsgd should have judged by now, or imsgd does not look at it any more.
    Imsgd,
}

/// What tells who is late.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub looked_at: Option<Timestamp>,
    pub changed_at: Option<Timestamp>,
    /// Rows of the database after the newest that was judged; none before imsgd has found its place.
    pub behind: Option<i64>,
    pub now: Timestamp,
}

impl Facts {
    pub fn late(&self) -> Late {
        let Some((behind, looked_at)) = self.behind.zip(self.looked_at) else { return Late::Starting };
        let is_stuck = since(looked_at, self.now) > STUCK;
        let is_overdue = behind > 0 && self.changed_at.is_some_and(|at| since(at, self.now) > SETTLED);
        if is_stuck || is_overdue { Late::Imsgd } else { Late::Nobody }
    }

    /// The same as a sentence, with what to do.
    pub fn sentence(&self) -> String {
        let ago = |at: Option<Timestamp>| {
            at.map_or("at an unknown time".to_owned(), |at| words(since(at, self.now)) + " ago")
        };
        let (changed, looked) = (ago(self.changed_at), ago(self.looked_at));
        match self.late() {
            Late::Starting => "imsgd has not found its place in the database yet; its log says why.".to_owned(),
            Late::Imsgd => format!(
                "imsgd is stalled: {} rows of the database are not judged, it last looked {looked}, and Messages last \
                 wrote {changed}. Its log says why; start it again.",
                self.behind.unwrap_or(0)
            ),
            Late::Nobody if self.behind > Some(0) => {
                format!("imsgd is working on the last {} rows; Messages wrote {changed}.", self.behind.unwrap_or(0))
            }
            Late::Nobody => format!(
                "imsgd has judged all that Messages has written; Messages last wrote {changed}. If newer messages are on \
                 another device, Messages is not writing: see that it is open and signed in."
            ),
        }
    }
}

/// A span of time for people.
pub fn words(span: Duration) -> String {
    match span.as_secs() {
        0 if span.as_millis() == 0 => format!("{} µs", span.as_micros()),
        0 => format!("{} ms", span.as_millis()),
        secs @ 1..120 => format!("{secs} s"),
        secs @ 120..7200 => format!("{} minutes", secs / 60),
        secs @ 7200..172_800 => format!("{} hours", secs / 3600),
        secs => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn the_largest_lag_is_forgotten_after_an_hour() {
        let mut window = Window::default();
        window.add(Duration::from_secs(9), at(0));
        window.add(Duration::from_secs(1), at(30 * 60));
        let reading = |at| {
            let Reading { last, largest } = window.reading(at);
            (last.map(|lag| lag.as_secs()), largest.map(|lag| lag.as_secs()))
        };
        assert_eq!(reading(at(31 * 60)), (Some(1), Some(9)));
        assert_eq!(reading(at(61 * 60)), (Some(1), Some(1)));
        assert_eq!(reading(at(200 * 60)), (Some(1), None));
    }

    #[test]
    fn who_is_late_is_told_apart() {
        let facts = |looked, changed, behind| Facts {
            looked_at: Some(at(looked)),
            changed_at: Some(at(changed)),
            behind: Some(behind),
            now: at(10_000),
        };
        let quiet = facts(9_999, 0, 0);
        assert_eq!(quiet.late(), Late::Nobody);
        assert!(quiet.sentence().contains("Messages is not writing"), "{}", quiet.sentence());
        let busy = facts(9_999, 9_999, 7);
        assert_eq!(busy.late(), Late::Nobody);
        assert!(busy.sentence().contains("working on the last 7 rows"), "{}", busy.sentence());
        for stalled in [facts(9_999, 9_900, 7), facts(9_000, 9_000, 0)] {
            assert_eq!(stalled.late(), Late::Imsgd);
            assert!(stalled.sentence().contains("imsgd is stalled"), "{}", stalled.sentence());
        }
        assert_eq!(Facts { behind: None, ..quiet }.late(), Late::Starting);
    }

    #[test]
    fn clocks_that_disagree_are_no_lag() {
        assert_eq!(since(at(5), at(1)), Duration::ZERO);
    }
}
