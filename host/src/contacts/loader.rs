//! The thread that reads address books when they change, and makes catalogs of what it read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use super::book::{self, Failure, Stamp};
use super::catalog::{Card, Catalog};
use super::{Settings, Shared};
use crate::watches::Watches;

/// After a change, until files are read: cards come in bursts, each in several writes.
const SETTLE: Duration = Duration::from_millis(100);
/// A burst is not waited for longer than this.
const SETTLE_MOST: Duration = Duration::from_secs(2);

/// After a file that was written to just now was read, until it is looked at once more.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// After a failure that may pass by itself, at first; each time twice as long as the time before.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);

pub(super) struct Loader {
    shared: Arc<Shared>,
    /// What was read last of each database, kept while it cannot be read.
    books: BTreeMap<PathBuf, Book>,
    /// Those of the catalog that is in force; `None` when that has no names.
    in_force: Option<Settings>,
    watches: Option<Watches>,
    retry: Duration,
}

struct Book {
    cards: Arc<[Card]>,
    stamp: Stamp,
    is_settled: bool,
}

/// What became of the databases of one folder.
#[derive(Default)]
struct Outcome {
    is_changed: bool,
    is_denied: bool,
    /// The last failure that may pass.
    passing: Option<String>,
}

impl Loader {
    pub(super) fn new(shared: Arc<Shared>) -> Loader {
        Loader { shared, books: BTreeMap::new(), in_force: None, watches: None, retry: RETRY }
    }

    /// Until the [`super::Contacts`] are dropped.
    pub(super) fn run(mut self, tick: &SyncSender<()>, ticks: &Receiver<()>) {
        let tick = tick.clone();
        let watches = Watches::new(move || {
            let _ = tick.try_send(());
        });
        match watches {
            Ok(watches) => self.watches = Some(watches),
            Err(error) => tracing::warn!(%error, "no file events: changed contacts are noticed within half a minute"),
        }
        while !self.shared.is_stopped.load(Ordering::Relaxed) {
            let waiting = std::mem::take(&mut *self.shared.waiting.lock());
            let next = self.load();
            for looked in waiting {
                let _ = looked.send(());
            }
            self.wait(ticks, next);
        }
    }

    /// Until there is a reason to look again: a tick, or `next` is over.
    fn wait(&self, ticks: &Receiver<()>, next: Option<Duration>) {
        let woken = match next {
            Some(next) => ticks.recv_timeout(next).is_ok(),
            None => ticks.recv().is_ok(),
        };
        let began = Instant::now();
        while woken && began.elapsed() < SETTLE_MOST && !self.is_hurried() {
            if let Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) = ticks.recv_timeout(SETTLE) {
                return;
            }
        }
    }

    fn is_hurried(&self) -> bool {
        self.shared.is_stopped.load(Ordering::Relaxed) || !self.shared.waiting.lock().is_empty()
    }

    /// Looks at the files, and reads those that were written to. Says after what time to look again without being
    /// told to.
    pub(super) fn load(&mut self) -> Option<Duration> {
        self.shared.note_check();
        let settings = self.shared.settings.lock().clone();
        let Some(folder) = settings.folder.clone() else {
            if let Some(watches) = &mut self.watches {
                watches.set([]);
            }
            self.forget("contacts are turned off (messages.contacts is false)", &settings);
            return None;
        };
        if self.in_force.as_ref().is_some_and(|in_force| in_force.folder != settings.folder) {
            self.books.clear();
        }
        let databases = match book::databases(&folder) {
            Ok(databases) => databases,
            Err(Failure::Passing(detail)) => return Some(self.postpone(&folder, &detail, &settings)),
            Err(Failure::Gone) => Vec::new(),
            Err(Failure::Denied) => {
                self.forget(&denied(&folder), &settings);
                return None;
            }
        };
        // Before they are read, so that nothing is missed in between.
        if let Some(watches) = &mut self.watches {
            watches.set(book::watched(&folder, &databases));
        }
        let outcome = self.read(&databases);
        if self.books.is_empty() {
            return match outcome {
                Outcome { passing: Some(detail), .. } => Some(self.postpone(&folder, &detail, &settings)),
                Outcome { is_denied, .. } => {
                    self.forget(&if is_denied { denied(&folder) } else { missing(&folder) }, &settings);
                    None
                }
            };
        }
        if outcome.is_changed || self.in_force.as_ref() != Some(&settings) {
            self.put_in_force(settings);
        }
        if let Some(detail) = outcome.passing {
            tracing::debug!(detail, "an address book cannot be read now; what was read before stays");
            return Some(self.later());
        }
        self.retry = RETRY;
        self.books.values().any(|book| !book.is_settled).then_some(SECOND_LOOK)
    }

    fn read(&mut self, databases: &[PathBuf]) -> Outcome {
        let mut outcome = Outcome::default();
        let before = self.books.len();
        self.books.retain(|path, _| databases.contains(path));
        outcome.is_changed |= self.books.len() != before;
        for path in databases {
            match self.read_one(path) {
                Ok(is_changed) => outcome.is_changed |= is_changed,
                Err(Failure::Passing(detail)) => outcome.passing = Some(detail),
                Err(failure) => {
                    outcome.is_denied |= matches!(failure, Failure::Denied);
                    outcome.is_changed |= self.books.remove(path).is_some();
                }
            }
        }
        outcome
    }

    /// Whether it was read.
    fn read_one(&mut self, path: &Path) -> Result<bool, Failure> {
        let stamp = Stamp::of(path)?;
        if self.books.get(path).is_some_and(|book| book.is_settled && book.stamp == stamp) {
            return Ok(false);
        }
        let is_settled = stamp.is_settled(SystemTime::now());
        let cards = book::read(path)?.into();
        self.books.insert(path.to_owned(), Book { cards, stamp, is_settled });
        Ok(true)
    }

    fn put_in_force(&mut self, settings: Settings) {
        // In the order of the folder: the Mac's own cards come before those of accounts.
        let mut books: Vec<(&PathBuf, &Book)> = self.books.iter().collect();
        books.sort_by_key(|(path, _)| path.components().count());
        let catalog = Catalog::new(books.into_iter().map(|(_, book)| book.cards.clone()).collect(), &settings);
        match &self.in_force {
            None => tracing::info!(cards = catalog.card_count(), "contacts are read"),
            Some(_) => tracing::debug!(cards = catalog.card_count(), "contacts are read again"),
        }
        self.shared.current.store(Arc::new(catalog));
        self.in_force = Some(settings);
    }

    /// There are no contacts, or no right to read them: what was read before is not kept either.
    fn forget(&mut self, problem: &str, settings: &Settings) {
        self.books.clear();
        self.in_force = None;
        self.retry = RETRY;
        self.put_problem(problem, settings);
    }

    /// A failure that may pass: what was read before stays.
    fn postpone(&mut self, folder: &Path, detail: &str, settings: &Settings) -> Duration {
        if self.in_force.is_none() {
            self.put_problem(&format!("the contacts in {} cannot be read now: {detail}", folder.display()), settings);
        }
        self.later()
    }

    fn put_problem(&self, problem: &str, settings: &Settings) {
        if self.shared.current.load().problem() != Some(problem) {
            tracing::info!("no names of contacts: {problem}");
        }
        self.shared.current.store(Arc::new(Catalog::unavailable(problem, settings)));
    }

    fn later(&mut self) -> Duration {
        let retry = self.retry;
        self.retry = (retry * 2).min(RETRY_MOST);
        retry
    }
}

fn missing(folder: &Path) -> String {
    format!("there is no address book in {}", folder.display())
}

fn denied(folder: &Path) -> String {
    let folder = folder.display();
    format!("cannot read {folder}; give imsgd Full Disk Access in System Settings, Privacy & Security")
}
