//! The outbox: one worker that sends one message after another. Each send is written down before it is tried, handed
//! to Messages at most once, and looked for in chat.db afterwards.

pub mod applescript;
mod attachment;
pub mod react;
pub mod record;
pub mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::address::Normalizer;
use crate::chatdb::{ChatDb, target_keys};
use crate::judge;
use crate::message::{Chat, Message, RowId};
use crate::rpc::error::RpcError;
use crate::rpc::params::ChatSelector;
use crate::rpc::wire;
use crate::state::{StateDb, notice};
use crate::subscription::Hub;
use crate::transport::is_set;
use applescript::{Order, Outcome};
use record::{Draft, Record, State};
use target::{Place, Service, Target};

/// Requests to send that wait at most; more are refused.
pub const QUEUE: usize = 128;

/// How long the row of a sent message is waited for.
const VERIFY: Duration = Duration::from_secs(8);

/// How often it is looked for where no new row wakes us.
const VERIFY_STEP: Duration = Duration::from_millis(500);

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

pub struct Job {
    pub task: Task,
    pub reply: oneshot::Sender<Result<Value, RpcError>>,
}

/// What the worker works with.
pub struct Outbox {
    pub state: StateDb,
    pub chatdb: PathBuf,
    pub judge: mpsc::Sender<judge::Request>,
    pub hub: Arc<Hub>,
    pub config: Arc<arc_swap::ArcSwap<crate::config::Config>>,
    /// Says that an answer to a stranger waits in state.db.
    pub wake: Arc<Notify>,
    /// Else their answers stay in state.db, for whoever has the lock next.
    pub answers_strangers: bool,
    /// Becomes true when the daemon stops: what is in hand is brought to an end, nothing new is begun.
    pub stop: watch::Receiver<bool>,
}

/// A part that was seen in chat.db, or sent without a look where chat.db cannot be read.
struct Part {
    row: Option<Message>,
}

impl Outbox {
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        self.settle_what_was_left();
        let mut stop = self.stop.clone();
        loop {
            self.send_replies().await;
            tokio::select! {
                biased;
                () = is_set(&mut stop) => break,
                job = jobs.recv() => match job {
                    Some(job) => {
                        let result = match &job.task {
                            Task::Send(request) => self.send(request).await,
                            Task::React(react) => self.react(react).await,
                        };
                        let _ = job.reply.send(result);
                    }
                    None => break,
                },
                () = self.wake.notified() => {}
            }
        }
        jobs.close();
        while let Ok(job) = jobs.try_recv() {
            let _ = job.reply.send(Err(RpcError::not_started("imsgd is stopping; nothing was sent")));
        }
    }

    /// Says of each send that a killed daemon left behind what can be said: what was never handed over has failed,
    /// what was handed over nobody can know.
    fn settle_what_was_left(&mut self) {
        let connection = self.state.connection();
        let left = record::open(connection).inspect_err(notice).unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Vec::new()
        });
        for record in left.iter().filter(|record| record.reply.is_none() || record.state == State::Handed) {
            let (state, error) = match record.state {
                State::Queued => (State::Failed, RpcError::not_started("imsgd was stopped before this was sent")),
                _ => {
                    let text = "imsgd was stopped while Messages had this; look into the chat before sending it again";
                    (State::Unconfirmed, RpcError::may_have_completed(text))
                }
            };
            let outcome = json!({"error": error.to_json()});
            if let Err(error) = record::finish(connection, record.id, state, &outcome) {
                tracing::error!(%error, "the outbox could not be written");
            }
        }
    }

    /// Sends the answers to strangers that wait in state.db.
    async fn send_replies(&mut self) {
        loop {
            if !self.answers_strangers || *self.stop.borrow() {
                return;
            }
            let next = record::next_reply(self.state.connection()).inspect_err(notice);
            let record = match next {
                Ok(Some(record)) => record,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the outbox could not be read");
                    return;
                }
            };
            let Some(reply) = record.reply.clone() else { return };
            let request = SendRequest {
                target: Target::Chat(ChatSelector::Guid(reply.chat_guid)),
                named: None,
                service: Service::Auto,
                text: reply.text,
                file: None,
                region: None,
                allow_sms_fallback: false,
                idempotency_key: None,
            };
            if let Err(error) = self.carry_out(&request, record.id).await {
                tracing::warn!(error = %error.data, "the answer to a stranger could not be sent");
            }
        }
    }

    async fn send(&mut self, request: &SendRequest) -> Result<Value, RpcError> {
        let hash = fingerprint(request);
        let draft = Draft { idempotency_key: request.idempotency_key.clone(), request: hash.clone(), reply: None };
        let kept = |error: rusqlite::Error| {
            RpcError::not_started(&format!("the send could not be written down, so it was not tried: {error}"))
        };
        let connection = self.state.connection();
        let id = if record::insert(connection, &draft).inspect_err(notice).map_err(kept)? {
            connection.last_insert_rowid()
        } else {
            let key = request.idempotency_key.as_deref().unwrap_or_default();
            let record = record::by_key(connection, key).inspect_err(notice).map_err(kept)?;
            let record = record.ok_or_else(|| RpcError::internal("the outbox lost a row"))?;
            match earlier(&record, &hash) {
                Some(answer) => return answer,
                None => {
                    record::requeue(connection, record.id).inspect_err(notice).map_err(kept)?;
                    record.id
                }
            }
        };
        self.carry_out(request, id).await
    }

    /// Sends and writes down how it ended.
    async fn carry_out(&mut self, request: &SendRequest, id: i64) -> Result<Value, RpcError> {
        let result = self.attempt(request, id).await;
        let (state, outcome) = match &result {
            Ok(value) => (State::Seen, json!({"result": value})),
            Err(error) if error.code == -32001 => (State::Unconfirmed, json!({"error": error.to_json()})),
            Err(error) => (State::Failed, json!({"error": error.to_json()})),
        };
        if let Err(error) = record::finish(self.state.connection(), id, state, &outcome).inspect_err(notice) {
            tracing::error!(%error, "how a send ended could not be written down");
        }
        result
    }

    async fn attempt(&mut self, request: &SendRequest, id: i64) -> Result<Value, RpcError> {
        let config = self.config.load_full();
        let opened = ChatDb::open(&self.chatdb).map_err(RpcError::from);
        let db = opened.as_ref();
        let region = request.region.as_deref().unwrap_or(&config.messages.region);
        let normalizer = Normalizer::new(region).ok_or_else(|| RpcError::params(format!("unknown region {region}")))?;
        let place = target::resolve(
            &request.target,
            request.service,
            &normalizer,
            request.allow_sms_fallback,
            db.map_err(Clone::clone),
        )?;
        let staged = request.file.as_deref().map(|file| attachment::stage(file, &config.staging_dir())).transpose()?;
        let pieces = self.split(&request.text, &place, staged.is_some()).await?;
        let mut parts: Vec<Part> = Vec::new();
        for (index, text) in pieces.iter().enumerate() {
            let file = staged.clone().filter(|_| index + 1 == pieces.len());
            record::set_state(self.state.connection(), id, State::Handed)
                .inspect_err(notice)
                .map_err(|error| RpcError::not_started(&format!("the send could not be written down: {error}")))?;
            let sent = self.send_part(text, file, &place, db.ok(), &config.send).await;
            match sent {
                Ok(part) => parts.push(part),
                // Some of the text is out, so that the whole can not be sent again safely.
                Err(error) if index > 0 && error.code != -32001 => {
                    let text = format!("{index} of {} parts were sent, then: {}", pieces.len(), detail(&error));
                    return Err(RpcError::may_have_completed(&text));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answer(&place, &parts))
    }

    async fn split(&self, text: &str, place: &Place, has_file: bool) -> Result<Vec<String>, RpcError> {
        if text.is_empty() && has_file {
            return Ok(vec![String::new()]);
        }
        let (reply, pieces) = oneshot::channel();
        let recipient = (!place.recipient.is_empty()).then(|| place.recipient.clone());
        let request = judge::Request::Split { text: text.to_owned(), is_group: place.is_group(), recipient, reply };
        let stopping = || RpcError::not_started("imsgd is stopping; nothing was sent");
        self.judge.send(request).await.map_err(|_| stopping())?;
        let pieces = pieces.await.map_err(|_| stopping())?;
        let pieces =
            pieces.map_err(|failure| RpcError::not_started(&format!("the chunking policy failed: {failure}")))?;
        if pieces.iter().all(|piece| piece.trim().is_empty()) && !has_file {
            return Err(RpcError::params("text or file is required"));
        }
        Ok(pieces)
    }

    async fn send_part(
        &mut self,
        text: &str,
        file: Option<PathBuf>,
        place: &Place,
        db: Option<&ChatDb>,
        config: &crate::config::Send,
    ) -> Result<Part, RpcError> {
        let before = match db {
            Some(db) => db.max_rowid()?,
            None => RowId(0),
        };
        let mut order = Order {
            recipient: place.recipient.clone(),
            text: text.to_owned(),
            service: place.service.to_owned(),
            file: file.clone(),
            chat: place.chat_key.clone(),
            recovery: place.recovery.clone(),
        };
        let mut outcome = self.hand_over(&order, config).await;
        let may_fall_back = place.sms_fallback && file.is_none() && !text.is_empty();
        if may_fall_back && matches!(outcome, Outcome::NotStarted(_)) {
            order = Order { service: "sms".into(), chat: None, recovery: None, ..order };
            outcome = self.hand_over(&order, config).await;
        }
        match outcome {
            Outcome::NotStarted(detail) => Err(RpcError::not_started(&detail)),
            Outcome::Uncertain(detail) => {
                // It may have left all the same: a row says so.
                match db.and_then(|db| self.find(db, before, &order, place).ok().flatten()) {
                    Some(row) => Ok(Part { row: Some(row) }),
                    None => Err(RpcError::may_have_completed(&detail)),
                }
            }
            Outcome::Accepted => match db {
                None => Ok(Part { row: None }),
                Some(db) => self.verify(db, before, &order, place).await.map(|row| Part { row: Some(row) }),
            },
        }
    }

    async fn hand_over(&self, order: &Order, config: &crate::config::Send) -> Outcome {
        let limit = Duration::from_secs(config.timeout_seconds);
        let osascript = self.config.load().messages.osascript.clone();
        self.unless_stopped(applescript::send(&osascript, order, limit)).await
    }

    /// When the daemon stops, the child gets a moment to end by itself.
    async fn unless_stopped(&self, automation: impl Future<Output = Outcome>) -> Outcome {
        let mut stop = self.stop.clone();
        let stopped = async {
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            outcome = automation => outcome,
            () = stopped => Outcome::Uncertain("imsgd was stopped while osascript ran".to_owned()),
        }
    }

    /// Waits for the row that Messages writes. Every new row is a reason to look.
    async fn verify(&self, db: &ChatDb, before: RowId, order: &Order, place: &Place) -> Result<Message, RpcError> {
        let mut head = self.hub.watch_head();
        let mut stop = self.stop.clone();
        let deadline = tokio::time::Instant::now() + VERIFY;
        loop {
            head.mark_unchanged();
            if let Some(row) = self.find(db, before, order, place)? {
                return Ok(row);
            }
            tokio::select! {
                _ = head.changed() => {}
                () = tokio::time::sleep(VERIFY_STEP) => {}
                () = tokio::time::sleep_until(deadline) => break,
                () = is_set(&mut stop) => break,
            }
        }
        let what = if order.file.is_some() { "attachment" } else { "text" };
        let ghost = order.chat.as_ref().and_then(|key| db.ghost(before, &target_keys(key)).ok().flatten());
        Err(RpcError::may_have_completed(&match ghost {
            Some(row) => format!(
                "Messages wrote an unjoined empty outgoing row ({row}) instead of the message: it was most likely not sent"
            ),
            None => format!(
                "osascript succeeded, but no matching outgoing {what} row was observed within {} seconds",
                VERIFY.as_secs()
            ),
        }))
    }

    fn find(&self, db: &ChatDb, before: RowId, order: &Order, place: &Place) -> Result<Option<Message>, RpcError> {
        let Some(chat) = chat_of(db, order, place)? else { return Ok(None) };
        let found = match &order.file {
            Some(file) if order.text.is_empty() => db.sent_file(before, &chat, file)?,
            _ => db.sent_text(before, &chat, &order.text)?,
        };
        Ok(found)
    }
}

/// What a child that is sending gets when the daemon stops.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// The chat in which the row must appear. A first message makes the chat, so it is looked for each time.
fn chat_of(db: &ChatDb, order: &Order, place: &Place) -> Result<Option<Arc<Chat>>, RpcError> {
    if let (Some(_), Some(chat)) = (&order.chat, &place.chat) {
        return Ok(Some(chat.clone()));
    }
    if let Some(key) = &order.chat {
        return Ok(db.chat_for_target(key, &[])?);
    }
    let (prefix, services): (_, &[&str]) =
        if order.service == "sms" { ("SMS", &["SMS"]) } else { ("iMessage", &["iMessage", "iMessageLite"]) };
    for key in
        [format!("{prefix};-;{}", order.recipient), format!("any;-;{}", order.recipient), order.recipient.clone()]
    {
        if let Some(chat) = db.chat_for_target(&key, services)? {
            return Ok(Some(chat));
        }
    }
    Ok(None)
}

/// What a request under a key that was used before is answered with; `None` where it may be tried again.
fn earlier(record: &Record, hash: &str) -> Option<Result<Value, RpcError>> {
    if record.request != hash {
        return Some(Err(RpcError::params("idempotency_key was used for another request")));
    }
    let outcome = record.outcome.as_ref();
    match record.state {
        State::Queued | State::Failed => None,
        State::Seen => {
            let result = outcome.and_then(|outcome| outcome.get("result")).cloned().unwrap_or(Value::Null);
            Some(Ok(result))
        }
        State::Handed | State::Unconfirmed => {
            let said = outcome.and_then(|outcome| outcome.pointer("/error/data/detail")).and_then(Value::as_str);
            Some(Err(RpcError::may_have_completed(said.unwrap_or("the outcome of this send is not known"))))
        }
    }
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

fn answer(place: &Place, parts: &[Part]) -> Value {
    let rows: Vec<&Message> = parts.iter().filter_map(|part| part.row.as_ref()).collect();
    wire::to_value(&wire::send::Sent::new(&rows, place.chat.as_deref()))
}

fn detail(error: &RpcError) -> String {
    let detail = error.data.get("detail").and_then(Value::as_str);
    detail.map_or_else(|| error.data.to_string(), str::to_owned)
}
