//! Two sets of policies over the same history: what the one would have decided otherwise than the other.
//!
//! One thread reads pages of chat.db, as the tail does, and another asks both sides about each message, in the order
//! of rows. Nothing is sent, and nothing is written: both sides begin with a copy of what the plugins keep, and what
//! they write stays in memory. A plugin that is the same on both sides is asked once, for as long as it keeps nothing.
//!
//! What a replay cannot know: what the owner did meanwhile (a pairing that was approved by hand was not, here), what
//! arrived while nothing judged (all messages are live ones), and what a message said before it was edited.

mod reading;
mod seat;
mod sides;
mod tally;
mod times;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::chatdb;
use crate::judge::Settings;
use crate::message::{Arrival, ChatId, Message, RowId};
use crate::plugin::PluginEngine;
use crate::policy::judge;
use crate::state::Stores;

pub use seat::PolicyTimes;
pub use sides::{Component, Side, candidate, present};
pub use tally::{Change, Class, Counts, Example, OfChat, Tally, Verdicts};
pub use turn::{Replays, Turn};

use seat::Seat;

/// How often is told how far it has come.
const TELL: Duration = Duration::from_millis(200);

/// Pages that are read ahead.
const AHEAD: usize = 4;

/// Which messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    pub chat: Option<ChatId>,
}

/// All that a replay works with.
pub struct Plan {
    pub chatdb: PathBuf,
    pub engine: PluginEngine,
    pub present: Side,
    pub candidate: Side,
    pub stores: Stores,
    pub span: Span,
    /// Examples of each change.
    pub examples: usize,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Row numbers that are behind it, and that there are in all: those of our own messages too.
    pub rows: u64,
    pub rows_in_all: u64,
    /// Messages that both sides have judged.
    pub judged: u64,
    pub different: u64,
    /// Messages that the candidate holds because one of its policies failed.
    pub failed: u64,
}

/// What came out.
pub struct Outcome {
    pub tally: Tally,
    pub progress: Progress,
    /// Of the present side, and of the candidate.
    pub policies: [Vec<PolicyTimes>; 2],
    pub took: Duration,
    /// It was told to stop before all was judged.
    pub is_stopped: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Candidate(String),
    #[error(transparent)]
    Database(#[from] chatdb::Error),
    #[error("the Messages database was replaced while it was read; try again")]
    Replaced,
    #[error("the thread that {0} did not start: {1}")]
    Thread(&'static str, std::io::Error),
    #[error("the thread that reads messages ended without a word")]
    Lost,
}

/// Messages to judge, of one page, and the last row that the page passed.
struct Page {
    messages: Vec<Arc<Message>>,
    last: RowId,
}

/// The rows from which to which, both exclusive and inclusive as in [`chatdb::Inbound`].
#[derive(Clone, Copy)]
struct Bounds {
    after: RowId,
    last: RowId,
}

/// Runs until all is judged, or `stop` is set. Takes a thread; starts one more.
pub fn run(plan: Plan, stop: &AtomicBool, tell: &mut dyn FnMut(Progress)) -> Result<Outcome, Error> {
    let began = Instant::now();
    let Plan { chatdb, engine, present, candidate, stores, span, examples } = plan;
    let settings = [present.settings, candidate.settings];
    let [mut now, mut then] =
        seat::seats(&engine, [(present.entrants, &settings[0]), (candidate.entrants, &settings[1])], &stores);
    // What is broken now already says nothing of the candidate.
    let broken_now: Vec<String> = now.iter().filter_map(Seat::refusal).collect();
    if let Some(why) = then.iter().filter_map(Seat::refusal).find(|why| !broken_now.contains(why)) {
        return Err(Error::Candidate(why));
    }
    let mut tally = Tally::new(examples);
    let mut progress = Progress::default();
    let mut is_stopped = false;
    std::thread::scope(|scope| {
        let (pages, read) = mpsc::sync_channel(AHEAD);
        let normalizer = settings[0].normalizer.clone();
        std::thread::Builder::new()
            .name("replay-reader".into())
            .spawn_scoped(scope, move || reading::run(&chatdb, &span, &normalizer, stop, &pages))
            .map_err(|error| Error::Thread("reads messages", error))?;
        let Bounds { after, last } = match read.recv().map_err(|_| Error::Lost)? {
            Ok(reading::Said::Bounds(bounds)) => bounds,
            Ok(reading::Said::Page(_)) => return Err(Error::Lost),
            Err(error) => return Err(error),
        };
        progress.rows_in_all = u64::try_from(last.0 - after.0).unwrap_or(0);
        let mut told: Option<Instant> = None;
        let mut tell = |progress: Progress, tally: &Tally| {
            if told.is_none_or(|told| told.elapsed() >= TELL) {
                told = Some(Instant::now());
                tell(counted(progress, tally));
            }
        };
        let mut is_complete = false;
        // Dropped at the end, which ends the reader too.
        for said in read {
            let reading::Said::Page(page) = said? else { return Err(Error::Lost) };
            for message in page.messages {
                if stop.load(Ordering::Relaxed) {
                    is_stopped = true;
                    return Ok(());
                }
                step(&message, &settings, [&mut now, &mut then], &mut tally);
                progress.rows = u64::try_from(message.id.0 - after.0).unwrap_or(0);
                tell(progress, &tally);
            }
            progress.rows = u64::try_from(page.last.0 - after.0).unwrap_or(0);
            is_complete = page.last == last;
            tell(progress, &tally);
        }
        // The reader ends early only where it is told to.
        is_stopped = !is_complete;
        Ok(())
    })?;
    Ok(Outcome {
        progress: counted(progress, &tally),
        policies: [now, then].map(|seats| seats.iter().map(Seat::times).collect()),
        tally,
        took: began.elapsed(),
        is_stopped,
    })
}

fn counted(progress: Progress, tally: &Tally) -> Progress {
    let failed = tally.verdicts[1].of(Class::Failed);
    Progress { judged: tally.judged, different: tally.different(), failed, ..progress }
}

/// One message on both sides. `host.now` is when it was sent.
fn step(message: &Arc<Message>, settings: &[Settings; 2], sides: [&mut Vec<Seat>; 2], tally: &mut Tally) {
    let inbound = |settings: &Settings| Arc::new(settings.inbound(message, Arrival::Live, message.sent_at));
    let first = inbound(&settings[0]);
    let second = if is_same(&settings[0], &settings[1]) { first.clone() } else { inbound(&settings[1]) };
    let [now, then] = sides;
    let decisions = [judge(now, &first), judge(then, &second)];
    tally.note(&first, decisions);
}

/// Does the same message look the same to both?
fn is_same(a: &Settings, b: &Settings) -> bool {
    a.route_by_peer == b.route_by_peer && a.group_chats == b.group_chats && Arc::ptr_eq(&a.normalizer, &b.normalizer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sim;

    fn plan(folder: &std::path::Path) -> Plan {
        let db = folder.join("chat.db");
        sim::init(&db, &sim::Options { chats: 5, messages: 3000, ..sim::Options::default() }).unwrap();
        let text = format!("server.plugins_dir = '{}'", folder.join("plugins").display());
        let config: Config = toml::from_str(&text).unwrap();
        let engine = PluginEngine::new().unwrap();
        let present = present(&engine, &config).unwrap();
        let candidate = candidate(&engine, &present, &config, Some(&config), None).unwrap();
        let span = Span { until: Some(Timestamp::UNIX_EPOCH), ..Span::default() };
        Plan { chatdb: db, engine, present, candidate, stores: Stores::default(), span, examples: 0 }
    }

    #[test]
    fn pages_with_nothing_to_judge_are_told_of_and_can_be_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        let whole = run(plan(folder.path()), &AtomicBool::new(false), &mut |progress| told.push(progress)).unwrap();
        assert_eq!((whole.is_stopped, whole.progress.rows), (false, whole.progress.rows_in_all));
        assert!(whole.progress.rows > 1000 && whole.progress.judged == 0 && !told.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let stopped = run(plan(folder.path()), &AtomicBool::new(true), &mut |_| {}).unwrap();
        assert!(stopped.is_stopped && stopped.progress.rows < stopped.progress.rows_in_all);
    }
}
