//! Names of people, from the address books of macOS: read in the background, only ever read, and never waited for by
//! a message.
//!
//! A [`Catalog`] never changes; a newer one takes its place. One thread makes them: at the start, when a file of an
//! address book changes, and when somebody wants to be sure ([`Contacts::fresh`]).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::oneshot;

mod book;
mod catalog;
mod loader;
#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Found};

use crate::address::Normalizer;
use crate::config::Config;
use loader::Loader;

/// A look at the files that nobody asked for follows the one before after this time, and only if names are wanted: a
/// permission that was granted gives no event.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// How long one who wants the newest names waits for them.
const FRESH_WITHIN: Duration = Duration::from_secs(5);

/// Which address books are read, and how.
#[derive(Clone)]
pub struct Settings {
    /// The `AddressBook` folder; `None` for no contacts at all.
    folder: Option<PathBuf>,
    region: String,
    normalizer: Arc<Normalizer>,
}

impl Settings {
    /// `None` where `region` is not the code of one.
    pub fn new(folder: Option<PathBuf>, region: &str) -> Option<Settings> {
        let normalizer = Arc::new(Normalizer::new(region)?);
        Some(Settings { folder, region: region.to_owned(), normalizer })
    }

    pub fn of(config: &Config) -> Option<Settings> {
        Settings::new(config.contacts_dir(), &config.messages.region)
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Settings) -> bool {
        (&self.folder, &self.region) == (&other.folder, &other.region)
    }
}

/// The names that are known now.
pub struct Contacts {
    shared: Arc<Shared>,
    reading: Reading,
}

enum Reading {
    /// A thread reads, and is woken by a tick.
    Background(SyncSender<()>),
    /// For a program that prints something and ends.
    AtFirstUse(Once),
}

/// What the thread that reads and those who want names have in common.
struct Shared {
    current: ArcSwap<Catalog>,
    settings: Mutex<Settings>,
    /// Who waits for the next look at the files to be over.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
    began: Instant,
    /// Milliseconds after `began` of the last look at the files.
    checked: AtomicU64,
    is_stopped: AtomicBool,
}

impl Shared {
    fn new(settings: Settings) -> Shared {
        let none = Catalog::unavailable("the contacts have not been read yet", &settings);
        Shared {
            current: ArcSwap::from_pointee(none),
            settings: Mutex::new(settings),
            waiting: Mutex::default(),
            began: Instant::now(),
            checked: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note_check(&self) {
        self.checked.store(self.now(), Ordering::Relaxed);
    }

    fn is_check_due(&self) -> bool {
        let age = self.now().saturating_sub(self.checked.load(Ordering::Relaxed));
        u128::from(age) >= CHECK_EVERY.as_millis()
    }
}

impl Contacts {
    /// Starts the thread that reads, and does not wait for it.
    pub fn start(settings: Settings) -> std::io::Result<Contacts> {
        // One tick that waits is as good as many.
        let (tick, ticks) = sync_channel(1);
        let shared = Arc::new(Shared::new(settings));
        let loader = Loader::new(shared.clone());
        let watched = tick.clone();
        std::thread::Builder::new().name("contacts".into()).spawn(move || loader.run(&watched, &ticks))?;
        Ok(Contacts { shared, reading: Reading::Background(tick) })
    }

    /// Reads when names are first asked for, which then takes as long as it takes.
    pub fn at_first_use(settings: Settings) -> Contacts {
        Contacts { shared: Arc::new(Shared::new(settings)), reading: Reading::AtFirstUse(Once::new()) }
    }

    /// What is known now. Does not wait where a thread reads.
    pub fn catalog(&self) -> Arc<Catalog> {
        match &self.reading {
            Reading::Background(_) if self.shared.is_check_due() => {
                self.shared.note_check();
                self.tick();
            }
            Reading::Background(_) => {}
            Reading::AtFirstUse(once) => once.call_once(|| {
                Loader::new(self.shared.clone()).load();
            }),
        }
        self.shared.current.load_full()
    }

    /// What is known after another look at the files; what was known before, where that takes too long.
    pub async fn fresh(&self) -> Arc<Catalog> {
        if let Reading::Background(_) = self.reading {
            let (reply, looked) = oneshot::channel();
            self.shared.waiting.lock().push(reply);
            self.tick();
            let _ = tokio::time::timeout(FRESH_WITHIN, looked).await;
        }
        self.catalog()
    }

    /// What reads numbers as those of contacts are read. Nothing is read for this.
    pub fn normalizer(&self) -> Arc<Normalizer> {
        self.shared.settings.lock().normalizer.clone()
    }

    /// Other settings, from the next look at the files on, which is soon.
    pub fn configure(&self, settings: Settings) {
        let before = std::mem::replace(&mut *self.shared.settings.lock(), settings.clone());
        if before != settings {
            self.tick();
        }
    }

    fn tick(&self) {
        if let Reading::Background(tick) = &self.reading {
            let _ = tick.try_send(());
        }
    }
}

impl Drop for Contacts {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        self.tick();
    }
}
