//! The outbox: one worker that sends one message after another. Each send is written down before it is tried, handed
//! to Messages at most once, and looked for in chat.db afterwards.

pub mod allow;
pub mod applescript;
mod attachment;
mod attempt;
pub mod pace;
mod queue;
pub mod react;
pub mod record;
mod settle;
pub mod switch;
pub mod target;
pub mod trace;
pub mod unseen;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::chatdb::ChatDb;
use crate::judge;
use crate::rpc::error::RpcError;
use crate::rpc::failure::Disposition;
use crate::rpc::params::ChatSelector;
use crate::state::{StateDb, notice};
use crate::subscription::Hub;
use crate::transport::is_set;
use pace::{Limits, Pace, chat_key};
use queue::{Entry, Next, Queue};
use record::{Draft, Kind, State};
use switch::Switch;
use target::{Service, Target};
use trace::Trace;
use unseen::Unseen;

/// Requests to send that wait at most, each with its text; more are refused. As many as one connection may have.
pub const QUEUE: usize = 128;

/// Sends between two looks for finished ones that are too old.
const CLEAN_EVERY: u32 = 100;

/// A send as a client asked for it, checked but not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRequest {
    pub target: Target,
    /// The name that the client used for it, where it did.
    pub named: Option<String>,
    pub service: Service,
    pub text: String,
    pub file: Option<PathBuf>,
    pub region: Option<String>,
    pub allow_sms_fallback: bool,
    pub idempotency_key: Option<String>,
}

/// What Messages is to do.
#[derive(Clone, Debug)]
pub enum Task {
    Send(SendRequest),
    React(react::React),
}

impl Task {
    pub fn key(&self) -> Option<&str> {
        match self {
            Task::Send(request) => request.idempotency_key.as_deref(),
            Task::React(_) => None,
        }
    }

    fn hash(&self) -> String {
        match self {
            Task::Send(request) => fingerprint(request),
            Task::React(_) => "reaction".to_owned(),
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Task::Send(_) => "send",
            Task::React(_) => "react",
        }
    }

    fn not_started(&self, detail: &str) -> RpcError {
        RpcError::automation(Disposition::NotStarted, self.operation(), detail)
    }
}

pub struct Job {
    pub task: Task,
    pub reply: oneshot::Sender<Result<Value, RpcError>>,
}

/// What the worker works with.
pub struct Parts {
    pub state: StateDb,
    pub chatdb: PathBuf,
    pub judge: mpsc::Sender<judge::Request>,
    pub hub: Arc<Hub>,
    pub config: Arc<arc_swap::ArcSwap<crate::config::Config>>,
    pub switch: Arc<Switch>,
    pub unseen: Arc<Unseen>,
    /// Says that an answer to a stranger waits in state.db.
    pub wake: Arc<Notify>,
    /// Else their answers stay in state.db, for whoever has the lock next.
    pub answers_strangers: bool,
    /// Becomes true when the daemon stops: what is in hand is brought to an end, nothing new is begun.
    pub stop: watch::Receiver<bool>,
}

/// The worker.
pub struct Outbox {
    parts: Parts,
    pace: RefCell<Pace>,
    /// The failure after which nothing may be handed to Messages until a restart.
    blocked: OnceCell<RpcError>,
    finished: Cell<u32>,
    /// Sends whose end could not be written down. Answers among them would be fetched again and again.
    unwritten: RefCell<BTreeSet<i64>>,
}

/// What is being sent.
struct Running<'a> {
    entry: Entry,
    work: Pin<Box<dyn Future<Output = Result<Value, RpcError>> + 'a>>,
}

impl<'a> Running<'a> {
    fn begin(outbox: &'a Outbox, entry: Entry) -> Running<'a> {
        let (task, id) = (entry.task.clone(), entry.id);
        Running { entry, work: Box::pin(async move { outbox.carry_out(&task, id).await }) }
    }
}

impl Outbox {
    pub fn new(parts: Parts) -> Outbox {
        let since = Timestamp::now().checked_sub(pace::WINDOW).unwrap_or(Timestamp::MIN);
        let recent =
            record::handed_since(parts.state.connection(), since).inspect_err(notice).unwrap_or_else(|error| {
                tracing::error!(%error, "what was sent lately could not be read");
                Vec::new()
            });
        let pace = RefCell::new(Pace::new(recent));
        Outbox { parts, pace, blocked: OnceCell::new(), finished: Cell::new(0), unwritten: RefCell::default() }
    }

    pub async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        self.settle_what_was_left();
        self.clean();
        let mut queue = Queue::default();
        let mut running: Option<Running<'_>> = None;
        let mut stop = self.parts.stop.clone();
        let mut paused = self.parts.switch.subscribe();
        loop {
            let mut turn = None;
            if running.is_none() && !*stop.borrow() {
                self.fetch_answers(&mut queue);
                match queue.next(&mut self.pace.borrow_mut(), self.limits(), Timestamp::now()) {
                    Next::Go(entry) => running = Some(Running::begin(&self, *entry)),
                    Next::Wait(at) => turn = Some(at),
                    Next::Nothing => {}
                }
            }
            tokio::select! {
                biased;
                () = is_set(&mut stop) => break,
                result = ended(&mut running) => {
                    if let Some(Running { entry, .. }) = running.take() {
                        entry.answer(&result);
                        self.refuse_if_barred(&mut queue);
                    }
                }
                _ = paused.changed() => self.refuse_if_barred(&mut queue),
                job = jobs.recv() => match job {
                    Some(job) => self.take(job, &mut queue, running.as_mut().map(|running| &mut running.entry)),
                    None => break,
                },
                () = self.parts.wake.notified() => {}
                () = until(turn), if turn.is_some() => {}
            }
        }
        if let Some(Running { entry, work }) = running {
            entry.answer(&work.await);
        }
        self.refuse_all(&mut queue, |task| task.not_started("imsgd is stopping; nothing was sent"));
        jobs.close();
        while let Ok(Job { task, reply }) = jobs.try_recv() {
            let _ = reply.send(Err(task.not_started("imsgd is stopping; nothing was sent")));
        }
    }

    fn limits(&self) -> Limits {
        let config = self.parts.config.load();
        Limits { chat: config.send.per_chat_per_minute, all: config.send.per_minute }
    }

    /// Takes answers to strangers from state.db, which wait there while nothing may be sent.
    fn fetch_answers(&self, queue: &mut Queue) {
        let is_barred = self.blocked.get().is_some() || self.parts.switch.paused().is_some();
        let room = QUEUE.saturating_sub(queue.len());
        if !self.parts.answers_strangers || is_barred || room == 0 {
            return;
        }
        let after = queue.last_answer().unwrap_or(0);
        let records = record::waiting_answers(self.parts.state.connection(), after, room).inspect_err(notice);
        let records = records.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Vec::new()
        });
        for record in records.into_iter().filter(|record| !self.unwritten.borrow().contains(&record.id)) {
            let Some(reply) = record.reply else { continue };
            let chat = chat_key(&reply.chat_guid).to_owned();
            let task = Task::Send(SendRequest {
                target: Target::Chat(ChatSelector::Guid(reply.chat_guid)),
                named: None,
                service: Service::Auto,
                text: reply.text,
                file: None,
                region: None,
                allow_sms_fallback: false,
                idempotency_key: None,
            });
            queue.push(Entry { id: record.id, task, chat, replies: Vec::new(), is_answer: true });
        }
    }

    /// Answers a request, or gives it a place in the queue.
    fn take(&self, job: Job, queue: &mut Queue, running: Option<&mut Entry>) {
        let Job { task, reply } = job;
        let key = task.key();
        let open =
            key.and_then(|key| running.filter(|entry| entry.task.key() == Some(key)).or_else(|| queue.of_key(key)));
        if let Some(open) = open {
            if open.task.hash() == task.hash() {
                open.replies.push(reply);
            } else {
                let _ = reply.send(Err(other_request()));
            }
            return;
        }
        match self.admit(&task, queue.len()) {
            Ok(Admitted::Earlier(answer)) => drop(reply.send(*answer)),
            Ok(Admitted::New { id, chat }) => {
                queue.push(Entry { id, task, chat, replies: vec![reply], is_answer: false });
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Writes a request down, unless it was made before or must not be carried out.
    fn admit(&self, task: &Task, waiting: usize) -> Result<Admitted, RpcError> {
        let connection = self.parts.state.connection();
        let kept = |error: rusqlite::Error| {
            task.not_started(&format!("the request could not be written down, so it was not tried: {error}"))
        };
        let request = task.hash();
        let earlier = task
            .key()
            .map(|key| record::by_key(connection, key).inspect_err(notice))
            .transpose()
            .map_err(kept)?
            .flatten();
        if let Some(answer) = earlier.as_ref().and_then(|record| self.earlier(record, &request)) {
            return Ok(Admitted::Earlier(Box::new(answer)));
        }
        if let Some(refusal) = self.bar(task) {
            return Err(refusal);
        }
        if waiting >= QUEUE {
            return Err(RpcError::busy(
                "as many messages as may wait are waiting to be sent; nothing was sent of this one",
            ));
        }
        let target = self.target_of(task)?;
        let chat = chat_key(&target).to_owned();
        if let Some(record) = earlier {
            record::requeue(connection, record.id).inspect_err(notice).map_err(kept)?;
            return Ok(Admitted::New { id: record.id, chat });
        }
        let kind = if matches!(task, Task::React(_)) { Kind::Reaction } else { Kind::Send };
        let idempotency_key = task.key().map(str::to_owned);
        record::insert(connection, &Draft { kind, target, idempotency_key, request, reply: None })
            .inspect_err(notice)
            .map_err(kept)?;
        Ok(Admitted::New { id: connection.last_insert_rowid(), chat })
    }

    /// Why nothing may be handed to Messages now, if so.
    fn bar(&self, task: &Task) -> Option<RpcError> {
        if let Some(failure) = self.blocked.get() {
            return Some(RpcError::lane_blocked(failure));
        }
        self.parts.switch.paused().map(|paused| task.not_started(&paused.refusal()))
    }

    fn refuse_if_barred(&self, queue: &mut Queue) {
        if self.blocked.get().is_some() || self.parts.switch.paused().is_some() {
            let gone = |task: &Task| task.not_started("sending was paused for a moment; nothing was sent");
            self.refuse_all(queue, |task| self.bar(task).unwrap_or_else(|| gone(task)));
        }
    }

    fn refuse_all(&self, queue: &mut Queue, refusal: impl Fn(&Task) -> RpcError) {
        for entry in queue.clear() {
            let error = refusal(&entry.task);
            self.finish(entry.id, State::Failed, &json!({"error": error.to_json()}), None);
            entry.answer(&Err(error));
        }
    }

    /// The chat or the recipient that a task is for, if that may be written to.
    fn target_of(&self, task: &Task) -> Result<String, RpcError> {
        match task {
            Task::Send(request) => {
                let db = ChatDb::open(&self.parts.chatdb).map_err(RpcError::from);
                let place = self.resolve(request, db.as_ref().map_err(Clone::clone))?;
                Ok(place.chat_key.unwrap_or(place.recipient))
            }
            Task::React(react) => {
                let db = ChatDb::open(&self.parts.chatdb)?;
                let chat = react::chat_of(&db, react.chat)?;
                self.permit(&chat, &db)?;
                Ok(chat.guid.clone())
            }
        }
    }

    /// Does it, and writes down how it ended.
    async fn carry_out(&self, task: &Task, id: i64) -> Result<Value, RpcError> {
        let mut trace = Trace::default();
        let result = match task {
            Task::Send(request) => self.attempt(request, id, &mut trace).await,
            Task::React(react) => self.react(react, id).await,
        };
        let (state, outcome) = match &result {
            Ok(value) => (State::Seen, json!({"result": value})),
            Err(error) if error.code == -32001 => (State::Unconfirmed, json!({"error": error.to_json()})),
            Err(error) => (State::Failed, json!({"error": error.to_json()})),
        };
        self.finish(id, state, &outcome, Some(&trace).filter(|trace| trace.pieces > 0));
        if state != State::Unconfirmed {
            self.parts.unseen.settle(id);
        }
        if let Err(error) = &result
            && error.data["disposition"] == Disposition::StillInFlight.name()
        {
            tracing::error!("osascript could not be stopped; nothing more is sent until imsgd is started again");
            let _ = self.blocked.set(error.clone());
        }
        self.finished.set(self.finished.get() + 1);
        if self.finished.get().is_multiple_of(CLEAN_EVERY) {
            self.clean();
        }
        result
    }

    fn finish(&self, id: i64, state: State, outcome: &Value, trace: Option<&Trace>) {
        if let Err(error) = record::finish(self.parts.state.connection(), id, state, outcome, trace).inspect_err(notice)
        {
            tracing::error!(%error, "how a send ended could not be written down");
            self.unwritten.borrow_mut().insert(id);
        }
    }

    fn clean(&self) {
        match record::clean(self.parts.state.connection(), Timestamp::now()).inspect_err(notice) {
            Ok(0) => {}
            Ok(deleted) => tracing::debug!(deleted, "old sends were forgotten"),
            Err(error) => tracing::error!(%error, "old sends could not be deleted"),
        }
    }
}

/// Where a request goes.
enum Admitted {
    /// It was made before, and this became of it.
    Earlier(Box<Result<Value, RpcError>>),
    New {
        id: i64,
        chat: String,
    },
}

async fn ended(running: &mut Option<Running<'_>>) -> Result<Value, RpcError> {
    match running {
        Some(running) => running.work.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Timestamp>) {
    let wait = at.and_then(|at| Duration::try_from(at.duration_since(Timestamp::now())).ok());
    tokio::time::sleep(wait.unwrap_or_default()).await;
}

fn other_request() -> RpcError {
    RpcError::params("idempotency_key was used for another request")
}

/// Tells one request from another without keeping its text. A name stays the same one when its number changes.
fn fingerprint(request: &SendRequest) -> String {
    use sha2::{Digest, Sha256};
    let mut said = SendRequest { idempotency_key: None, ..request.clone() };
    if said.named.is_some() {
        said.target = Target::Recipient(String::new());
    }
    let said = format!("{said:?}");
    Sha256::digest(said.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
