//! The tail: one thread that follows chat.db in ROWID order and hands each row to the judge once it is complete.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

mod arrival;
mod changes;
mod landmarks;
mod ours;
mod recent;

use crate::chatdb::{self, ChatDb, TailRow};
use crate::judge::{Arrived, FromTail, Request, StartAt};
use crate::lag;
use crate::message::{Arrival, RowId};
use crate::outbox::unseen::{Pieces, Unseen};
use crate::place::ResetKind;
use crate::readers::Readers;
use crate::subscription::Hub;
use arrival::Arrivals;
use changes::Changes;
pub use landmarks::LANDMARKS;
use landmarks::Landmarks;
use recent::Recent;

/// Rows read at a time.
const PAGE: usize = 200;

/// How often the database is asked whether it changed. File events only make it sooner.
const POLL: Duration = Duration::from_secs(1);

/// How long the rows behind an incomplete one wait for it. Messages writes row, chat and text within milliseconds.
const SETTLE: Duration = Duration::from_secs(2);

/// How soon an incomplete row is looked at again where no event comes.
const SETTLE_STEP: Duration = Duration::from_millis(50);

/// An event comes when the WAL file is written, shortly before the commit can be seen: looks after an event that
/// showed nothing, each twice as long after the one before.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LOOKS: u32 = 6;

/// Between two looks, however many events come: what is written before a large commit shows nothing.
const BREATH: Duration = Duration::from_micros(200);

/// How long a row that had no chat is remembered, in case that Messages joins it after all.
const LATE_JOIN: Duration = Duration::from_secs(600);

/// Rows without a chat that are remembered.
const LATE_JOINS: usize = 1000;

/// Where the tail hands its rows, and how it is told to stop.
pub struct Outlets {
    pub judge: mpsc::Sender<FromTail>,
    pub requests: mpsc::Sender<Request>,
    pub hub: Arc<Hub>,
    pub readers: Arc<Readers>,
    pub unseen: Arc<Unseen>,
}

impl Outlets {
    /// Has everybody close what is of replaced files.
    fn let_go(&self) {
        self.readers.let_go();
        // A judge that is gone has nothing open.
        let _ = self.requests.blocking_send(Request::LetGo);
    }
}

/// Follows the database at `path` after `place`, until the judge is gone.
pub struct Tail {
    path: PathBuf,
    place: Option<Place>,
    outlets: Outlets,
    landmarks: Landmarks,
    late: Vec<(RowId, Instant)>,
    recent: Recent,
    /// Why the database could not be followed when it was last tried.
    problem: Option<String>,
}

/// The judge does not take rows any more: the daemon is stopping.
struct Stopped;

/// A row with its guid.
type Place = (RowId, String);

/// Why one file is not followed any more.
enum Ended {
    Stopped,
    Replaced,
}

impl Tail {
    /// `passed` are messages before `place`, the newest first.
    pub fn new(path: &Path, place: Option<Place>, passed: Vec<Place>, outlets: Outlets) -> Tail {
        let landmarks = Landmarks::new(passed);
        let recent = Recent::default();
        Tail { path: path.to_owned(), place, outlets, landmarks, late: Vec::new(), recent, problem: None }
    }

    pub fn run(mut self) {
        let mut changes = Changes::watch(&self.path);
        loop {
            if self.outlets.judge.is_closed() {
                return;
            }
            let ended = self.follow(&mut changes);
            self.outlets.let_go();
            match ended {
                Ok(Ended::Stopped) => return,
                Ok(Ended::Replaced) => continue,
                Err(error) => self.report(&error),
            }
            changes.wait(POLL);
            changes.rearm();
        }
    }

    /// Says a problem once, however often it is met.
    fn report(&mut self, error: &chatdb::Error) {
        let problem = error.to_string();
        if self.problem.as_ref() != Some(&problem) {
            tracing::warn!("{problem}");
            self.problem = Some(problem);
        }
    }

    /// Follows one file, until it is another one or cannot be read.
    fn follow(&mut self, changes: &mut Changes) -> Result<Ended, chatdb::Error> {
        let db = ChatDb::open(&self.path)?;
        let mut arrivals = match self.find_place(&db)? {
            Some(arrivals) => arrivals,
            None => return Ok(Ended::Stopped),
        };
        let mut version = None;
        let mut head_since: Option<(RowId, Instant)> = None;
        loop {
            let seen = db.data_version()?;
            self.outlets.hub.lag.looked(Timestamp::now());
            let is_settling = head_since.is_some();
            if version != Some(seen) || is_settling {
                let is_first = version.replace(seen).is_none();
                let caught_up = self.catch_up(&db, &mut arrivals, &mut head_since)?;
                if caught_up.is_err() || self.changes(&db)?.is_err() {
                    return Ok(Ended::Stopped);
                }
                if is_first {
                    self.problem = None;
                    tracing::info!(path = %self.path.display(), "following the Messages database");
                }
            }
            let timeout = if head_since.is_some() { SETTLE_STEP } else { POLL };
            if changes.wait(timeout) {
                look_until_changed(&db, version, changes)?;
            }
            if self.outlets.judge.is_closed() {
                return Ok(Ended::Stopped);
            }
            if !db.is_current() {
                tracing::warn!(
                    "the Messages database or its -wal file was replaced; looking for our place in the new one"
                );
                return Ok(Ended::Replaced);
            }
            changes.rearm();
        }
    }

    /// Hands on all rows that are there, up to the first that is not complete.
    fn catch_up(
        &mut self,
        db: &ChatDb,
        arrivals: &mut Arrivals,
        head_since: &mut Option<(RowId, Instant)>,
    ) -> Result<Result<(), Stopped>, chatdb::Error> {
        if self.late_joins(db, arrivals)?.is_err() {
            return Ok(Err(Stopped));
        }
        loop {
            let after = self.place.as_ref().map_or(RowId(0), |(place, _)| *place);
            let pieces = self.outlets.unseen.pieces();
            let rows = db.rows_after(after, PAGE)?;
            let is_full = rows.len() == PAGE;
            let (ready, is_blocked) = self.ready(db, rows, &pieces, arrivals, head_since)?;
            for row in &ready {
                self.landmarks.pass(row.message.id, &row.message.guid);
            }
            if let Some(last) = ready.last() {
                self.place = Some((last.message.id, last.message.guid.clone()));
                self.measure(&ready);
                if self.hand(ready).is_err() {
                    return Ok(Err(Stopped));
                }
            }
            if is_blocked || !is_full {
                return Ok(Ok(()));
            }
        }
    }

    /// The rows before the first that still waits for some of itself, and whether there is one.
    fn ready(
        &mut self,
        db: &ChatDb,
        rows: Vec<TailRow>,
        pieces: &Pieces,
        arrivals: &mut Arrivals,
        head_since: &mut Option<(RowId, Instant)>,
    ) -> Result<(Vec<Arrived>, bool), chatdb::Error> {
        let now = Timestamp::now();
        let mut ready = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.message.id;
            if arrivals.is_new(id) && (!row.complete || ours::may_become_ours(db, &row.message, pieces)?) {
                let since = match *head_since {
                    Some((waiting, since)) if waiting == id => since,
                    _ => Instant::now(),
                };
                *head_since = Some((id, since));
                if since.elapsed() < SETTLE {
                    return Ok((ready, true));
                }
                if row.message.chat.is_none() && self.late.len() < LATE_JOINS {
                    self.late.push((id, since));
                }
            }
            if let Some(damage) = row.damage {
                tracing::warn!(row = id.0, %damage, "a message is damaged and shown without what could not be read");
            }
            let arrival = arrivals.classify(id, row.message.sent_at, now);
            self.recent.note(&row.message, arrival);
            ready.push(Arrived { message: Arc::new(row.message), arrival, seen_at: now, change: None });
        }
        *head_since = None;
        Ok((ready, false))
    }

    /// How late Messages was with these rows, and how late we are.
    fn measure(&self, rows: &[Arrived]) {
        let lag = &self.outlets.hub.lag;
        let mut live = rows.iter().filter(|row| row.arrival == Arrival::Live).peekable();
        if let Some(first) = live.peek()
            && let Some(changed_at) = lag::changed_at(&self.path)
        {
            lag.seen(changed_at, first.seen_at);
        }
        live.for_each(|row| lag.written(row.message.sent_at, row.seen_at));
    }

    /// Rows that were given up for want of a chat and have one now.
    fn late_joins(&mut self, db: &ChatDb, arrivals: &mut Arrivals) -> Result<Result<(), Stopped>, chatdb::Error> {
        self.late.retain(|(_, since)| since.elapsed() < LATE_JOIN);
        if self.late.is_empty() {
            return Ok(Ok(()));
        }
        let ids: Vec<RowId> = self.late.iter().map(|(id, _)| *id).collect();
        let joined: Vec<_> = db.rows(&ids)?.into_iter().filter(|row| row.message.chat.is_some()).collect();
        if joined.is_empty() {
            return Ok(Ok(()));
        }
        self.late.retain(|(id, _)| !joined.iter().any(|row| row.message.id == *id));
        let now = Timestamp::now();
        let rows = joined.into_iter().map(|row| {
            let arrival = arrivals.classify(row.message.id, row.message.sent_at, now);
            self.recent.note(&row.message, arrival);
            Arrived { message: Arc::new(row.message), arrival, seen_at: now, change: None }
        });
        let rows = rows.collect();
        Ok(self.hand(rows))
    }

    /// Hands on what was edited or taken back. In one stream with the rows, so that none is told to have changed before
    /// it is told.
    fn changes(&mut self, db: &ChatDb) -> Result<Result<(), Stopped>, chatdb::Error> {
        let changes = self.recent.changes(db)?;
        if changes.is_empty() {
            return Ok(Ok(()));
        }
        let seen_at = Timestamp::now();
        let row = |(message, change)| Arrived {
            message: Arc::new(message),
            arrival: Arrival::Live,
            seen_at,
            change: Some(change),
        };
        Ok(self.hand(changes.into_iter().map(row).collect()))
    }

    fn hand(&self, rows: Vec<Arrived>) -> Result<(), Stopped> {
        self.outlets.judge.blocking_send(FromTail::Rows(rows)).map_err(|_| Stopped)
    }

    /// The last row that was judged, and whether rows have other numbers now, so that nothing that was noted of them
    /// holds. No place on the first start, and in another database.
    fn look_for_place(&self, db: &ChatDb) -> Result<(Option<Place>, bool), chatdb::Error> {
        let Some((row, guid)) = &self.place else { return Ok((None, false)) };
        if row.0 == 0 {
            // There was no message yet.
            return Ok((self.place.clone(), false));
        }
        if db.guid_of(*row)?.as_ref() == Some(guid) {
            return Ok((self.place.clone(), false));
        }
        if guid.is_empty() {
            return Ok((None, true));
        }
        if let Some(row) = db.rowid_of(guid)? {
            return Ok((Some((row, guid.clone())), true));
        }
        let Some(landmark) = self.landmarks.find(db)? else { return Ok((None, true)) };
        // Where the numbers up to the place have been used, and none is there, it was deleted. Otherwise this is an older
        // state of the same database, which uses them again.
        let next = db.rows_after(landmark.0, 1)?;
        let is_deleted = db.last_used_rowid()? >= Some(*row) && next.iter().all(|next| next.message.id > *row);
        Ok(if is_deleted { (self.place.clone(), false) } else { (Some(landmark), true) })
    }

    /// Finds where to go on in `db`: after the last row that was judged, wherever it is now, or else at the end.
    /// `None` when the judge is gone.
    fn find_place(&mut self, db: &ChatDb) -> Result<Option<Arrivals>, chatdb::Error> {
        let head = db.max_rowid()?;
        let (found, is_moved) = self.look_for_place(db)?;
        let reset = is_moved.then(|| reset(found.is_some()));
        let place = match found {
            Some(place) => place,
            None => (head, db.guid_of(head)?.unwrap_or_default()),
        };
        if let Some((_, detail)) = &reset {
            tracing::warn!(row = place.0.0, "{detail}");
            self.late.clear();
            self.outlets.hub.suspend();
        }
        let start = FromTail::StartAt(StartAt { row: place.0, guid: place.1.clone(), reset });
        if self.outlets.judge.blocking_send(start).is_err() {
            return Ok(None);
        }
        let before = db.rows_after(RowId(place.0.0 - PAGE as i64), PAGE)?;
        let before = || before.iter().map(|row| &row.message).filter(|message| message.id <= place.0);
        // What was put into an empty database behind our back is new only where it is fresh.
        let was_empty = place.0.0 == 0 && head.0 > 0;
        let newest = before().map(|message| message.sent_at).max().or(was_empty.then(Timestamp::now));
        self.recent.restart(before());
        self.place = Some(place);
        Ok(Some(Arrivals::new(head, newest)))
    }
}

/// What it means for others that rows have other numbers.
fn reset(is_found: bool) -> (ResetKind, String) {
    if is_found {
        let detail =
            "the Messages database was replaced or renumbered: rows have other numbers, and the stream goes on";
        (ResetKind::Renumbered, detail.to_owned())
    } else {
        let detail = "the Messages database was replaced by another one: the stream goes on at its end";
        (ResetKind::Lost, detail.to_owned())
    }
}

/// After an event: looks a few times, ever less often, until the database says that it changed. Each further event
/// begins that anew, as the last one may come before what it is about can be seen.
fn look_until_changed(db: &ChatDb, version: Option<i64>, changes: &mut Changes) -> Result<(), chatdb::Error> {
    let began = Instant::now();
    let mut looks = 0;
    while looks < LOOKS && began.elapsed() < POLL {
        if Some(db.data_version()?) != version {
            return Ok(());
        }
        std::thread::sleep(BREATH);
        looks = if changes.wait(FIRST_LOOK * 2u32.pow(looks)) { 0 } else { looks + 1 };
    }
    Ok(())
}

/// What wakes the tail: a file event or nothing for a while.
fn wait_on(ticks: &Receiver<()>, timeout: Duration) -> bool {
    match ticks.recv_timeout(timeout) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout) => false,
        // The watcher is gone, so the poll is all there is.
        Err(RecvTimeoutError::Disconnected) => {
            std::thread::sleep(timeout);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{self, Incoming};

    #[test]
    fn a_commit_after_the_last_of_many_events_is_seen_without_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        sim::init(&path, &sim::Options { chats: 0, messages: 0, ..sim::Options::default() }).unwrap();
        let db = ChatDb::open(&path).unwrap();
        let version = db.data_version().unwrap();
        let (tick, mut changes) = Changes::by_hand();
        let writer = std::thread::spawn(move || {
            for _ in 0..LOOKS * 2 {
                tick.send(()).unwrap();
            }
            sim::receive(&path, &Incoming::new("+14155550101", "x")).unwrap();
            tick
        });
        look_until_changed(&db, Some(version), &mut changes).unwrap();
        assert_ne!(db.data_version().unwrap(), version);
        drop(writer.join().unwrap());
    }
}
