//! The judge: one thread that owns the policy chain. It takes rows in order, comes to a verdict on each, commits it
//! with what the plugins keep, and only then lets subscribers hear of it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

mod change;
mod context;
mod echo;
mod held;
mod pairing;
mod renumbered;

pub use change::Preview;
pub use pairing::{Approval, PairingError, PairingState};

use crate::address::Normalizer;
use crate::chain::{Chain, Install, Installed, PluginReport};
use crate::chatdb::ChatDb;
use crate::journal::{self, Entry};
use crate::message::{Arrival, Change, ChatId, Message, RowId};
use crate::outbox::record;
use crate::outbox::unseen::Unseen;
use crate::policy::{Failure, Hold, Inbound, Verdict, judge};
use crate::state::{Batch, StateDb};
use crate::subscription::{Delivery, Hub, Published};

/// Rows of one transaction at most. Bounds what is judged again where a commit fails.
const BATCH_ROWS: usize = 200;

/// How long rows are gathered into one transaction while more of them wait.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// After a failed commit (a full disk, say), until it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A row of chat.db on its way to a verdict.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub message: Arc<Message>,
    pub arrival: Arrival,
    /// When it was first read.
    pub seen_at: Timestamp,
    /// Set where the row was handed on before, and is another now.
    pub change: Option<Change>,
}

/// What others ask of the judge.
pub enum Request {
    /// Verdicts on rows from before the journal began or that were edited since, without any trace of having been asked.
    Preview(Vec<Arrived>, oneshot::Sender<Vec<Preview>>),
    /// How an outgoing text becomes messages.
    Split {
        text: String,
        is_group: bool,
        recipient: Option<String>,
        reply: oneshot::Sender<Result<Vec<String>, Failure>>,
    },
    PairingList(oneshot::Sender<Result<PairingState, Failure>>),
    Approve(String, oneshot::Sender<Result<Approval, PairingError>>),
    Deny(String, oneshot::Sender<Result<String, PairingError>>),
    Revoke(String, oneshot::Sender<Result<bool, Failure>>),
    Install(Box<Install>, oneshot::Sender<Installed>),
    Plugins(oneshot::Sender<Vec<PluginReport>>),
    /// Notes where the stream begins, before any row.
    StartAt {
        place: RowId,
        guid: String,
        is_renumbered: bool,
    },
}

impl Request {
    /// What only the policies can answer, so that it waits until they are in force.
    fn needs_policies(&self) -> bool {
        !matches!(self, Request::Install(..) | Request::Plugins(_) | Request::StartAt { .. })
    }
}

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
    pub normalizer: Arc<Normalizer>,
}

pub struct Judge {
    chain: Chain,
    state: StateDb,
    hub: Arc<Hub>,
    settings: Settings,
    chatdb_path: PathBuf,
    chatdb: Option<ChatDb>,
    /// The last row that was judged.
    tail: Option<RowId>,
    /// Observed rows per chat that no delivered message has carried yet.
    waiting: HashMap<ChatId, VecDeque<journal::Observed>>,
    /// Rows that could not be committed, to be judged again.
    retry: VecDeque<Arrived>,
    echoes: echo::Echoes,
    /// Requests from before the first policies were in force.
    early: Vec<Request>,
    outbox_wake: Arc<tokio::sync::Notify>,
    stats: Arc<Stats>,
    unseen: Arc<Unseen>,
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

/// What one round of judging gathers before it is committed.
#[derive(Default)]
struct Round {
    batch: Batch,
    events: Vec<Arc<Published>>,
    rows: Vec<Arrived>,
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
    Rows(Vec<Arrived>),
    Retry,
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
            tail: None,
            waiting: HashMap::new(),
            retry: VecDeque::new(),
            echoes: echo::Echoes::default(),
            early: Vec::new(),
            outbox_wake: parts.outbox_wake,
            stats: parts.stats,
            unseen: parts.unseen,
        }
    }

    /// Runs until nobody can ask any more. Requests go before rows.
    pub fn run(
        mut self,
        runtime: &tokio::runtime::Handle,
        mut requests: mpsc::Receiver<Request>,
        mut rows: mpsc::Receiver<Vec<Arrived>>,
    ) {
        loop {
            let may_take_rows = self.chain.is_installed() && self.retry.is_empty();
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    request = requests.recv() => request.map_or(Next::Closed, Next::Request),
                    rows = rows.recv(), if may_take_rows => rows.map_or(Next::Closed, Next::Rows),
                    () = tokio::time::sleep(RETRY), if !self.retry.is_empty() => Next::Retry,
                }
            });
            match next {
                Next::Request(request) => self.answer(request),
                Next::Rows(rows) => self.take(rows.into(), &mut requests),
                Next::Retry => {
                    let rows = std::mem::take(&mut self.retry);
                    self.take(rows, &mut requests);
                }
                Next::Closed => return,
            }
        }
    }

    /// Judges rows in order. A request that comes meanwhile waits for one round at most.
    fn take(&mut self, mut rows: VecDeque<Arrived>, requests: &mut mpsc::Receiver<Request>) {
        while !rows.is_empty() {
            let began = Instant::now();
            let mut round = Round::default();
            while let Some(row) = rows.pop_front() {
                self.step(&row, &mut round);
                round.rows.push(row);
                if round.rows.len() >= BATCH_ROWS || began.elapsed() >= BATCH_TIME {
                    break;
                }
            }
            if let Err(unjudged) = self.commit(round) {
                self.retry = unjudged.into_iter().chain(rows).collect();
                return;
            }
            while let Ok(request) = requests.try_recv() {
                self.answer(request);
            }
        }
    }

    fn step(&mut self, row: &Arrived, round: &mut Round) {
        if let Some(change) = row.change {
            return self.step_change(row, change, round);
        }
        let message = &row.message;
        // A row that got its chat late lies behind the tail, and does not move it.
        let tail = round.batch.tail.as_ref().map(|(tail, _)| *tail).or(self.tail);
        if tail.is_none_or(|tail| message.id > tail) {
            round.batch.tail = Some((message.id, message.guid.clone()));
        }
        match (&message.chat, message.is_judged()) {
            (Some(_), is_judged) if message.preview_of.is_some() => {
                round.batch.entries.extend(is_judged.then(|| self.folded(row)));
            }
            (None, false) => {}
            (None, true) => round.batch.entries.push(self.unjoined(row)),
            (Some(_), false) => {
                round.events.push(Arc::new(Published::new(message.clone(), None, message.id)));
            }
            (Some(_), true) => match self.echo_of(message) {
                Some(own) => round.batch.entries.push(self.echo(row, &own)),
                None => self.step_inbound(row, false, round),
            },
        }
    }

    fn step_inbound(&mut self, row: &Arrived, was_held: bool, round: &mut Round) {
        let inbound = Arc::new(self.inbound(row));
        let began = Instant::now();
        let decision = judge(self.chain.members(), &inbound);
        let entry = Entry { judged_us: micros(began.elapsed()), ..blank_entry(row, &inbound.sender) };
        round.batch.entries.push(entry.decided(&decision));
        let message = &row.message;
        match decision.verdict {
            Verdict::Deliver { route, labels } => {
                let decided_by = decision.decided_by.map(|(name, _)| name);
                let context = self.take_context(message, round);
                let delivery = Delivery {
                    route,
                    first_route: None,
                    labels,
                    decided_by,
                    arrival: row.arrival,
                    held: was_held,
                    context,
                };
                let message = self.screened(&inbound);
                // A message that was held lies behind what was handed out since.
                let cursor = self.tail.map_or(message.id, |tail| tail.max(message.id));
                round.events.push(Arc::new(Published::new(message, Some(delivery), cursor)));
            }
            Verdict::Observe => self.observe(message),
            Verdict::Hold(Hold::Introduction(Some(challenge))) => {
                if let (Some(text), Some(chat)) = (challenge.reply, &message.chat) {
                    round.batch.replies.push(record::Draft::reply(&message.key(), chat, text));
                }
            }
            Verdict::Hold(_) | Verdict::Reject { .. } | Verdict::Drop { .. } => {}
        }
    }

    fn inbound(&self, row: &Arrived) -> Inbound {
        let message = &row.message;
        let sender = self.settings.normalizer.comparable(&message.sender);
        let direct_route = if self.settings.route_by_peer { format!("dm:{sender}") } else { "main".to_owned() };
        let as_group = message.chat.as_ref().is_some_and(|chat| {
            let is_listed = |key: &String| *key == chat.guid || *key == chat.identifier || *key == chat.id.to_string();
            chat.is_group || self.settings.group_chats.iter().any(is_listed)
        });
        Inbound {
            message: message.clone(),
            arrival: row.arrival,
            as_group,
            sender,
            direct_route,
            now: Timestamp::now(),
        }
    }

    /// A preview of a link that its text has: subscribers have heard of it with the text.
    fn folded(&self, row: &Arrived) -> Entry {
        let sender = self.settings.normalizer.comparable(&row.message.sender);
        let reason = row.message.preview_of.as_ref().map(|text| format!("the preview of a link in {text}"));
        Entry { verdict: journal::FOLDED.to_owned(), reason, ..blank_entry(row, &sender) }
    }

    /// Our own words, which the chat has once already.
    fn unjoined(&self, row: &Arrived) -> Entry {
        let sender = self.settings.normalizer.comparable(&row.message.sender);
        let reason = Some("never joined to a chat by Messages".to_owned());
        Entry { verdict: journal::UNJOINED.to_owned(), reason, ..blank_entry(row, &sender) }
    }

    /// Commits a round and publishes it; gives its rows back where that failed, as if they had never been judged.
    fn commit(&mut self, mut round: Round) -> Result<(), Vec<Arrived>> {
        round.batch.writes = self.chain.take_writes();
        if round.rows.is_empty() && round.batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.state.commit(&round.batch) {
            tracing::error!(%error, rows = round.rows.len(), "verdicts could not be kept; judging again in a moment");
            self.stats.inner.lock().last_error = Some(error.to_string());
            self.chain.reset_states(&self.state);
            self.waiting.clear();
            return Err(round.rows);
        }
        self.count(&round.batch.entries);
        if !round.batch.replies.is_empty() {
            self.outbox_wake.notify_one();
        }
        if let Some((head, _)) = round.batch.tail {
            self.tail = Some(head);
            self.hub.publish(&round.events, head);
        } else {
            // Released messages lie behind the head, and do not move it.
            self.hub.publish(&round.events, RowId(0));
        }
        Ok(())
    }

    fn count(&self, entries: &[Entry]) {
        let mut stats = self.stats.inner.lock();
        stats.last_error = None;
        for entry in entries {
            *stats.verdicts.entry(entry.verdict.clone()).or_default() += 1;
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
                let _ = self.commit(Round::default());
                drop(reply.send(pieces));
            }
            Request::PairingList(reply) => drop(reply.send(self.pairing_state())),
            Request::Approve(code, reply) => drop(reply.send(self.approve(&code))),
            Request::Deny(code, reply) => drop(reply.send(self.deny(&code))),
            Request::Revoke(address, reply) => drop(reply.send(self.revoke(&address))),
            Request::Install(install, reply) => drop(reply.send(self.install(*install))),
            Request::Plugins(reply) => drop(reply.send(self.chain.report())),
            Request::StartAt { place, guid, is_renumbered } => {
                if is_renumbered {
                    self.follow_renumbered();
                }
                if let Err(error) = self.state.set_tail(place, &guid) {
                    tracing::error!(%error, "the place in the stream could not be kept");
                }
                self.tail = Some(place);
                self.hub.start_at(place);
            }
        }
    }

    /// Commits what a plugin wrote outside of judging; what was not kept did not happen.
    fn keep_answer(&mut self) -> Result<(), Failure> {
        self.commit(Round::default()).map_err(|_| Failure("state.db could not be written; nothing was changed".into()))
    }

    fn install(&mut self, install: Install) -> Installed {
        let settings = install.settings.clone();
        let installed = self.chain.install(install, &self.state);
        if !installed.is_refused {
            self.waiting.clear();
            self.settings = settings;
        }
        for request in std::mem::take(&mut self.early) {
            self.answer(request);
        }
        if !installed.changed.is_empty() || !installed.removed.is_empty() {
            let released = self.release_failed();
            if released > 0 {
                tracing::info!(released, "messages that a failed policy had held were judged again");
            }
        }
        installed
    }
}

fn blank_entry(row: &Arrived, sender: &str) -> Entry {
    let message = &row.message;
    Entry {
        guid: message.key().into_owned(),
        message: message.id,
        chat: message.chat.as_ref().map_or(ChatId(0), |chat| chat.id),
        sender: sender.to_owned(),
        arrival: row.arrival,
        verdict: String::new(),
        decided_by: None,
        reason: None,
        route: None,
        labels: Vec::new(),
        sent_at: message.sent_at,
        seen_at: row.seen_at,
        judged_us: 0,
        failed: false,
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
