//! The judge: one thread that owns the policy chain. It takes rows in order, comes to a verdict on each, commits it
//! with what the plugins keep, and only then lets subscribers hear of it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

mod ask;
mod by_hand;
mod change;
mod commit;
mod context;
mod echo;
mod held;
mod pairing;
mod prune;
mod renumbered;
mod step;

pub use ask::{Arrived, FromTail, InForce, Request, StartAt};
pub use by_hand::{ByHand, Deed, HandError, Handled};
pub use change::Preview;
pub use echo::{Echoes, is_to_ourselves};
pub use pairing::{Approval, PairingError, PairingState};

use commit::Round;

use crate::address::Normalizer;
use crate::chain::{Chain, Install, Installed};
use crate::chatdb::ChatDb;
use crate::journal;
use crate::message::{ChatId, Message, RowId};
use crate::outbox::unseen::Unseen;
use crate::place::{Place, Reset};
use crate::state::StateDb;
use crate::subscription::Hub;

/// Rows of one transaction at most. Bounds what is judged again where a commit fails.
const BATCH_ROWS: usize = 200;

/// Rows at a time that readers may not keep up with.
const CROWD: usize = 20;

/// How long rows are gathered into one transaction while more of them wait.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// How long a round waits for readers that have no room for the next, and how often it looks. Only what comes in a crowd
/// is held up by it, by 50 µs a message at most, and only while it helps: who is cut off reads everything again.
const READERS_CATCH_UP: Duration = Duration::from_millis(10);
const READERS_LOOK: Duration = Duration::from_millis(2);

/// After a failed commit (a full disk, say), until it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the configuration tells the judge itself.
#[derive(Clone)]
pub struct Settings {
    /// Observed messages that ride along with the next delivered one of their chat.
    pub history_limit: usize,
    /// Route each direct message by its sender instead of to `main`.
    pub route_by_peer: bool,
    /// Direct chats (by id, guid or identifier) that the configuration lists under groups.
    pub group_chats: Vec<String>,
    /// Deliver what was held when its sender is approved.
    pub release_held: bool,
    pub journal: journal::Bounds,
    pub normalizer: Arc<Normalizer>,
}

pub struct Judge {
    chain: Chain,
    state: StateDb,
    hub: Arc<Hub>,
    settings: Settings,
    chatdb_path: PathBuf,
    chatdb: Option<ChatDb>,
    /// Where the stream is, once the tail has found that.
    place: Option<Place>,
    /// What the tail handed on and cannot be taken yet.
    ahead: Option<FromTail>,
    /// Observed rows per chat that no delivered message has carried yet.
    waiting: HashMap<ChatId, VecDeque<journal::Observed>>,
    /// Rows that could not be committed, to be judged again.
    retry: VecDeque<Arrived>,
    /// When: however often somebody asks for something meanwhile.
    retry_at: Instant,
    echoes: Echoes,
    /// Policies changed since those that failed were asked again.
    may_be_repaired: bool,
    /// Requests from before the first policies were in force.
    early: Vec<Request>,
    outbox_wake: Arc<tokio::sync::Notify>,
    stats: Arc<Stats>,
    unseen: Arc<Unseen>,
    pruner: prune::Pruner,
}

/// Counters that `status` shows.
#[derive(Default)]
pub struct Stats {
    inner: parking_lot::Mutex<StatsInner>,
}

#[derive(Clone, Default)]
pub struct StatsInner {
    pub verdicts: HashMap<String, u64>,
    pub last_error: Option<String>,
}

impl Stats {
    pub fn snapshot(&self) -> StatsInner {
        self.inner.lock().clone()
    }
}

/// What the judge is made of.
pub struct Parts {
    pub chain: Chain,
    pub state: StateDb,
    pub hub: Arc<Hub>,
    pub settings: Settings,
    pub chatdb_path: PathBuf,
    pub outbox_wake: Arc<tokio::sync::Notify>,
    pub stats: Arc<Stats>,
    pub unseen: Arc<Unseen>,
}

enum Next {
    Request(Request),
    FromTail(FromTail),
    Retry,
    Prune,
    Closed,
}

impl Judge {
    pub fn new(parts: Parts) -> Judge {
        Judge {
            chain: parts.chain,
            state: parts.state,
            hub: parts.hub,
            settings: parts.settings,
            chatdb_path: parts.chatdb_path,
            chatdb: None,
            place: None,
            ahead: None,
            waiting: HashMap::new(),
            retry: VecDeque::new(),
            retry_at: Instant::now(),
            echoes: Echoes::default(),
            may_be_repaired: false,
            early: Vec::new(),
            outbox_wake: parts.outbox_wake,
            stats: parts.stats,
            unseen: parts.unseen,
            pruner: prune::Pruner::new(),
        }
    }

    /// Runs until nobody can ask any more. Requests go before rows.
    pub fn run(
        mut self,
        runtime: &tokio::runtime::Runtime,
        mut requests: mpsc::Receiver<Request>,
        mut from_tail: mpsc::Receiver<FromTail>,
    ) {
        loop {
            let may_prune = self.chain.is_installed() && self.retry.is_empty();
            let prune_in = self.pruner.wait();
            let retry_in = self.retry_at.saturating_duration_since(Instant::now());
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    request = requests.recv() => request.map_or(Next::Closed, Next::Request),
                    next = from_tail.recv(), if self.ahead.is_none() => next.map_or(Next::Closed, Next::FromTail),
                    () = tokio::time::sleep(retry_in), if !self.retry.is_empty() => Next::Retry,
                    () = tokio::time::sleep(prune_in), if may_prune => Next::Prune,
                }
            });
            match next {
                Next::Request(request) => self.answer(request),
                Next::FromTail(next) => self.ahead = Some(next),
                Next::Retry => {
                    let rows = std::mem::take(&mut self.retry);
                    self.take(rows, &mut requests);
                }
                Next::Prune => self.prune_idle(),
                Next::Closed => return,
            }
            self.go_on(&mut requests);
        }
    }

    /// Takes what the tail handed on, if its turn has come: rows wait for policies, and everything for what is in front
    /// of it.
    fn go_on(&mut self, requests: &mut mpsc::Receiver<Request>) {
        match self.ahead.take() {
            Some(FromTail::StartAt(start)) if self.retry.is_empty() => self.start_at(start),
            Some(FromTail::Rows(rows)) if self.retry.is_empty() && self.chain.is_installed() => {
                self.take(rows.into(), requests);
            }
            not_yet => self.ahead = not_yet,
        }
    }

    /// Judges rows in order. A request that comes meanwhile waits for one round at most.
    fn take(&mut self, mut rows: VecDeque<Arrived>, requests: &mut mpsc::Receiver<Request>) {
        while !rows.is_empty() {
            let began = Instant::now();
            let mut round = self.round();
            let is_crowd = rows.len() >= CROWD;
            while let Some(row) = rows.pop_front() {
                self.step(&row, &mut round);
                round.rows.push(row);
                if round.rows.len() >= BATCH_ROWS || began.elapsed() >= BATCH_TIME {
                    break;
                }
            }
            let verdicts = round.batch.entries.len();
            if let Err(unjudged) = self.commit(round) {
                self.retry = unjudged.into_iter().chain(rows).collect();
                self.retry_at = Instant::now() + RETRY;
                return;
            }
            self.prune_after(verdicts);
            if is_crowd {
                self.wait_for_readers();
            }
            while let Ok(request) = requests.try_recv() {
                self.answer(request);
            }
        }
    }

    fn wait_for_readers(&self) {
        let began = Instant::now();
        let mut least = usize::MAX;
        loop {
            let waiting = self.hub.waiting_without_room(BATCH_ROWS);
            if waiting == 0 || waiting >= least || began.elapsed() >= READERS_CATCH_UP {
                return;
            }
            least = waiting;
            std::thread::sleep(READERS_LOOK);
        }
    }

    fn read(&mut self, ids: &[RowId]) -> Result<Vec<Arc<Message>>, crate::chatdb::Error> {
        let rows = self.with_chatdb(|chatdb| chatdb.rows(ids))?;
        Ok(rows.into_iter().map(|row| Arc::new(row.message)).collect())
    }

    fn with_chatdb<T>(
        &mut self,
        read: impl FnOnce(&ChatDb) -> Result<T, crate::chatdb::Error>,
    ) -> Result<T, crate::chatdb::Error> {
        let current = self.chatdb.take().filter(ChatDb::is_current);
        let chatdb = match current {
            Some(chatdb) => chatdb,
            None => ChatDb::open(&self.chatdb_path)?,
        };
        let result = read(&chatdb)?;
        self.chatdb = Some(chatdb);
        Ok(result)
    }

    fn answer(&mut self, request: Request) {
        if request.needs_policies() && !self.chain.is_installed() {
            return self.early.push(request);
        }
        // Whoever asked may be gone by now; what was done stands all the same.
        match request {
            Request::Preview(rows, reply) => drop(reply.send(self.preview(&rows))),
            Request::Split { text, is_group, recipient, reply } => {
                let pieces = self.chain.split(text, is_group, recipient.as_deref());
                let _ = self.commit(self.round());
                drop(reply.send(pieces));
            }
            Request::PairingList(reply) => drop(reply.send(self.pairing_state())),
            Request::Approve(code, reply) => drop(reply.send(self.approve(&code))),
            Request::Deny(code, reply) => drop(reply.send(self.deny(&code))),
            Request::Revoke(address, reply) => drop(reply.send(self.revoke(&address))),
            Request::ByHand(order, reply) => drop(reply.send(self.by_hand(&order))),
            Request::Install(install, reply) => drop(reply.send(self.install(*install))),
            Request::Rehearse(install, reply) => drop(reply.send(self.chain.rehearse(&install, &self.state))),
            Request::Plugins(reply) => drop(reply.send(self.chain.report())),
            Request::InForce(reply) => {
                let (engine, entrants) = self.chain.entrants();
                drop(reply.send(InForce { engine, entrants, settings: self.settings.clone() }));
            }
            Request::LetGo => self.chatdb = self.chatdb.take().filter(ChatDb::is_current),
        }
    }

    fn start_at(&mut self, start: StartAt) {
        let StartAt { row, guid, reset } = start;
        let place = Place { row, guid: guid.as_str().into(), released: self.last_place().released };
        if reset.is_some() {
            self.follow_renumbered(&place);
        }
        if let Err(error) = self.state.set_tail(row, &guid) {
            tracing::error!(%error, "the place in the stream could not be kept");
        }
        let reset = reset.map(|(kind, detail)| Reset { kind, detail, place: place.clone() });
        self.place = Some(place.clone());
        self.hub.start_at(place, reset);
        self.release_repaired();
    }

    fn install(&mut self, install: Install) -> Installed {
        let settings = install.settings.clone();
        let installed = self.chain.install(install, &self.state);
        if !installed.is_refused {
            self.waiting.clear();
            self.settings = settings;
            self.pruner.look_soon();
        }
        for request in std::mem::take(&mut self.early) {
            self.answer(request);
        }
        if !installed.changed.is_empty() || !installed.removed.is_empty() {
            self.may_be_repaired = true;
            self.release_repaired();
        }
        installed
    }

    /// Judges again what failed policies held, once they are others, and there is a stream to hand it out on.
    fn release_repaired(&mut self) {
        if self.place.is_none() || !std::mem::take(&mut self.may_be_repaired) {
            return;
        }
        let released = self.release_failed();
        if released > 0 {
            tracing::info!(released, "messages that a failed policy had held were judged again");
        }
    }
}
