//! The judge: one thread that owns the policy chain. It takes rows in order, comes to a verdict on each, commits it
//! with what the plugins keep, and only then lets subscribers hear of it.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

mod by_hand;
mod change;
mod context;
mod echo;
mod held;
mod pairing;
mod prune;
mod renumbered;

pub use by_hand::{ByHand, Deed, HandError, Handled};
pub use change::Preview;
pub use pairing::{Approval, PairingError, PairingState};

use crate::address::Normalizer;
use crate::chain::{Chain, Install, Installed, PluginReport};
use crate::chatdb::ChatDb;
use crate::journal::{self, Entry};
use crate::message::{Arrival, Change, ChatId, Message, RowId};
use crate::outbox::record;
use crate::outbox::unseen::Unseen;
use crate::place::{Place, Reset, ResetKind};
use crate::policy::{Decision, Failure, Hold, Inbound, Verdict, judge};
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
    /// The owner releases or drops held messages, some at a time.
    ByHand(ByHand, oneshot::Sender<Result<Handled, HandError>>),
    Install(Box<Install>, oneshot::Sender<Installed>),
    Plugins(oneshot::Sender<Vec<PluginReport>>),
    /// Closes chat.db where its files were replaced: nobody can open them anew before.
    LetGo,
}

/// What the tail hands on, in order.
pub enum FromTail {
    Rows(Vec<Arrived>),
    /// The rows that follow come after this one. The first thing that the tail says, and again when it has lost its place.
    StartAt(StartAt),
}

/// Where the stream begins.
pub struct StartAt {
    pub row: RowId,
    pub guid: String,
    /// Rows have other numbers than before: how, and in words.
    pub reset: Option<(ResetKind, String)>,
}

impl Request {
    /// What only the policies can answer, so that it waits until they are in force.
    fn needs_policies(&self) -> bool {
        !matches!(self, Request::Install(..) | Request::Plugins(_) | Request::LetGo)
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
    echoes: echo::Echoes,
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

/// What one round of judging gathers before it is committed.
#[derive(Default)]
struct Round {
    /// Where the stream is after it.
    place: Place,
    batch: Batch,
    events: Vec<Arc<Published>>,
    rows: Vec<Arrived>,
}

/// A verdict on one inbound message.
struct Judged {
    inbound: Arc<Inbound>,
    decision: Decision,
    took: Duration,
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

/// When a row is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    InOrder,
    /// The stream has passed it.
    Late,
    /// So it has, since the row was held.
    Held,
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
            echoes: echo::Echoes::default(),
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
        // A row that got its chat late lies behind the stream, and does not move it.
        let is_late = message.id <= round.place.row;
        if !is_late {
            round.place.row = message.id;
            round.place.guid = message.guid.as_str().into();
            round.batch.tail = Some((message.id, message.guid.clone()));
        }
        match (&message.chat, message.is_judged()) {
            (Some(_), is_judged) if message.preview_of.is_some() => {
                round.batch.entries.extend(is_judged.then(|| self.folded(row)));
            }
            (None, false) => {}
            (None, true) => round.batch.entries.push(self.unjoined(row)),
            (Some(_), false) => {
                let published = Published::new(message.clone(), None, round.place.clone());
                round.events.push(Arc::new(published.seen(row.seen_at)));
            }
            (Some(_), true) => match self.echo_of(message) {
                Some(own) => round.batch.entries.push(self.echo(row, &own)),
                None => self.step_inbound(row, if is_late { Turn::Late } else { Turn::InOrder }, round),
            },
        }
    }

    fn step_inbound(&mut self, row: &Arrived, turn: Turn, round: &mut Round) {
        let inbound = Arc::new(self.inbound(row));
        let began = Instant::now();
        self.chain.begin_stages();
        let decision = judge(self.chain.members(), &inbound);
        let judged = Judged { inbound, decision, took: began.elapsed() };
        self.conclude(row, judged, turn, round);
    }

    /// Adds to the round what follows from a verdict.
    fn conclude(&mut self, row: &Arrived, judged: Judged, turn: Turn, round: &mut Round) {
        let Judged { inbound, decision, took } = judged;
        let (is_delivered, was_held) = (matches!(decision.verdict, Verdict::Deliver { .. }), turn == Turn::Held);
        if is_delivered && turn != Turn::InOrder {
            round.place.released += 1;
        }
        let released = (is_delivered && turn != Turn::InOrder).then_some(round.place.released);
        let waited = inbound.now.duration_since(row.seen_at).as_micros();
        let entry = Entry {
            judged_us: micros(took),
            waited_us: i64::try_from(waited).unwrap_or(i64::MAX).max(0),
            stages: self.chain.stages(),
            was_held,
            released,
            ..blank_entry(row, &inbound.sender)
        };
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
                    released,
                    context,
                };
                let message = self.screened(&inbound);
                let published = Published::new(message, Some(delivery), round.place.clone());
                // What was held waited for somebody else.
                round.events.push(Arc::new(if was_held { published } else { published.seen(row.seen_at) }));
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
            // Once, and not each time that it is tried again.
            if self.stats.inner.lock().last_error.replace(error.to_string()) != Some(error.to_string()) {
                tracing::error!(%error, rows = round.rows.len(), "verdicts could not be kept; judging again each second");
            }
            self.chain.reset_states(&self.state);
            self.waiting.clear();
            return Err(round.rows);
        }
        self.count(&round.batch.entries);
        if !round.batch.replies.is_empty() {
            self.outbox_wake.notify_one();
        }
        if self.hub.verdicts.receiver_count() > 0 {
            for entry in std::mem::take(&mut round.batch.entries) {
                let _ = self.hub.verdicts.send(Arc::new(entry));
            }
        }
        if let Some(place) = &mut self.place {
            place.clone_from(&round.place);
        }
        self.hub.publish(&round.events, &round.place);
        Ok(())
    }

    /// One that begins where the stream is.
    fn round(&self) -> Round {
        Round { place: self.place.clone().unwrap_or_else(|| self.last_place()), ..Round::default() }
    }

    /// Where the stream was when it was last committed.
    fn last_place(&self) -> Place {
        let released = journal::last_released(self.state.connection()).unwrap_or_else(|error| {
            tracing::error!(%error, "late deliveries could not be counted");
            0
        });
        let (row, guid) = self.state.tail().ok().flatten().unwrap_or((RowId(0), String::new()));
        Place { row, guid: guid.into(), released }
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
                let _ = self.commit(self.round());
                drop(reply.send(pieces));
            }
            Request::PairingList(reply) => drop(reply.send(self.pairing_state())),
            Request::Approve(code, reply) => drop(reply.send(self.approve(&code))),
            Request::Deny(code, reply) => drop(reply.send(self.deny(&code))),
            Request::Revoke(address, reply) => drop(reply.send(self.revoke(&address))),
            Request::ByHand(order, reply) => drop(reply.send(self.by_hand(&order))),
            Request::Install(install, reply) => drop(reply.send(self.install(*install))),
            Request::Plugins(reply) => drop(reply.send(self.chain.report())),
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

    /// Commits what a plugin wrote outside of judging; what was not kept did not happen.
    fn keep_answer(&mut self) -> Result<(), Failure> {
        self.commit(self.round()).map_err(|_| Failure("state.db could not be written; nothing was changed".into()))
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

fn blank_entry(row: &Arrived, sender: &str) -> Entry {
    let message = &row.message;
    Entry {
        guid: message.key().into_owned(),
        message: message.id,
        chat: message.chat.as_ref().map_or(ChatId(0), |chat| chat.id),
        sender: journal::bounded(sender, journal::SENDER_BYTES),
        arrival: row.arrival,
        verdict: String::new(),
        decided_by: None,
        reason: None,
        route: None,
        labels: Vec::new(),
        sent_at: message.sent_at,
        seen_at: row.seen_at,
        judged_us: 0,
        waited_us: 0,
        stages: String::new(),
        carried_by: None,
        failed: false,
        was_held: false,
        released: None,
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
