//! One send: resolved, cut into pieces, each handed to osascript and looked for in chat.db.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::applescript::{self, Order, Outcome};
use super::target::{self, Place};
use super::trace::{Handed, Trace};
use super::{Outbox, SendRequest, allow, attachment, pace, record};
use crate::address::Normalizer;
use crate::chatdb::{Among, ChatDb, target_keys};
use crate::judge;
use crate::message::{Chat, Message, RowId};
use crate::rpc::error::RpcError;
use crate::rpc::failure::Disposition;
use crate::rpc::wire;
use crate::state::notice;
use crate::transport::is_set;

/// How long the row of a sent message is waited for.
const VERIFY: Duration = Duration::from_secs(8);

/// How often it is looked for where no new row wakes us.
const VERIFY_STEP: Duration = Duration::from_millis(500);

/// What a child that is sending gets when the daemon stops.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// What is to be handed over next.
struct Piece<'a> {
    text: &'a str,
    file: Option<PathBuf>,
}

/// One send on its way.
struct Way<'a> {
    id: i64,
    place: &'a Place,
    db: Option<&'a ChatDb>,
    trace: &'a mut Trace,
}

impl Outbox {
    /// The place of a request, if it may be written to.
    pub(super) fn resolve(&self, request: &SendRequest, db: Result<&ChatDb, RpcError>) -> Result<Place, RpcError> {
        let config = self.parts.config.load_full();
        let normalizer =
            |region: &str| Normalizer::new(region).ok_or_else(|| RpcError::params(format!("unknown region {region}")));
        let own = normalizer(&config.messages.region)?;
        let other = request.region.as_deref().map(normalizer).transpose()?;
        let place = target::resolve(
            &request.target,
            request.service,
            other.as_ref().unwrap_or(&own),
            request.allow_sms_fallback,
            db.clone(),
        )?;
        allow::permit(&config.send.allow_to, &place, &own, db)?;
        Ok(place)
    }

    pub(super) async fn attempt(&self, request: &SendRequest, id: i64, trace: &mut Trace) -> Result<Value, RpcError> {
        let config = self.parts.config.load_full();
        let opened = ChatDb::open(&self.parts.chatdb).map_err(RpcError::from);
        let place = self.resolve(request, opened.as_ref().map_err(Clone::clone))?;
        let staged = request.file.as_deref().map(|file| attachment::stage(file, &config.staging_dir())).transpose()?;
        let pieces = self.split(&request.text, &place, staged.is_some()).await?;
        trace.pieces = pieces.len();
        let mut way = Way { id, place: &place, db: opened.as_ref().ok(), trace };
        let mut rows: Vec<Message> = Vec::new();
        for (index, text) in pieces.iter().enumerate() {
            let file = staged.clone().filter(|_| index + 1 == pieces.len());
            match self.send_piece(&Piece { text, file }, &mut way, &config.send).await {
                Ok(row) => rows.extend(row),
                // Some of the text is out, so that the whole can not be sent again safely.
                Err(error) if index > 0 && error.code != -32001 => {
                    let text = format!("{index} of {} parts were sent, then: {}", pieces.len(), detail(&error));
                    return Err(RpcError::may_have_completed(&text));
                }
                Err(error) => return Err(error),
            }
        }
        let rows: Vec<&Message> = rows.iter().collect();
        Ok(wire::to_value(&wire::send::Sent::new(&rows, place.chat.as_deref())))
    }

    async fn split(&self, text: &str, place: &Place, has_file: bool) -> Result<Vec<String>, RpcError> {
        if text.is_empty() && has_file {
            return Ok(vec![String::new()]);
        }
        let (reply, pieces) = oneshot::channel();
        let recipient = (!place.recipient.is_empty()).then(|| place.recipient.clone());
        let request = judge::Request::Split { text: text.to_owned(), is_group: place.is_group(), recipient, reply };
        let stopping = || RpcError::not_started("imsgd is stopping; nothing was sent");
        self.parts.judge.send(request).await.map_err(|_| stopping())?;
        let pieces = pieces.await.map_err(|_| stopping())?;
        let pieces =
            pieces.map_err(|failure| RpcError::not_started(&format!("the chunking policy failed: {failure}")))?;
        if pieces.iter().all(|piece| piece.trim().is_empty()) && !has_file {
            return Err(RpcError::params("text or file is required"));
        }
        Ok(pieces)
    }

    /// The row of the piece, or none where chat.db cannot be read.
    async fn send_piece(
        &self,
        piece: &Piece<'_>,
        way: &mut Way<'_>,
        config: &crate::config::Send,
    ) -> Result<Option<Message>, RpcError> {
        let before = match way.db {
            Some(db) => {
                let row = db.max_rowid()?;
                Some((row, db.guid_of(row)?.unwrap_or_default()))
            }
            None => None,
        };
        let place = way.place;
        let mut order = Order {
            recipient: place.recipient.clone(),
            text: piece.text.to_owned(),
            service: place.service.to_owned(),
            file: piece.file.clone(),
            chat: place.chat_key.clone(),
            recovery: place.recovery.clone(),
        };
        let mut outcome = self.hand_over(&order, before.clone(), way, config).await;
        let may_fall_back = place.sms_fallback && piece.file.is_none() && !piece.text.is_empty();
        if may_fall_back && matches!(outcome, Outcome::NotStarted(_)) {
            way.trace.handed.pop();
            order = Order { service: "sms".into(), chat: None, recovery: None, ..order };
            outcome = self.hand_over(&order, before, way, config).await;
        }
        match outcome {
            Outcome::NotStarted(detail) => {
                way.trace.handed.pop();
                self.parts.unseen.settle_last(way.id);
                Err(RpcError::not_started(&detail))
            }
            Outcome::Uncertain(detail) => {
                // It may have left all the same: a row says so.
                match way.db.and_then(|db| self.find(db, way).ok().flatten()) {
                    Some(row) => Ok(Some(self.seen(row, way))),
                    None => Err(RpcError::may_have_completed(&detail)),
                }
            }
            Outcome::StillRunning(detail) => Err(RpcError::automation(Disposition::StillInFlight, "send", &detail)),
            Outcome::Accepted => match way.db {
                None => {
                    self.parts.unseen.settle_last(way.id);
                    Ok(None)
                }
                Some(db) => {
                    let row = self.verify(db, &order, way).await?;
                    Ok(Some(self.seen(row, way)))
                }
            },
        }
    }

    /// Notes what became of the last piece.
    fn seen(&self, row: Message, way: &mut Way<'_>) -> Message {
        if let Err(error) = record::claim(self.parts.state.connection(), way.id, &row.guid).inspect_err(notice) {
            tracing::error!(%error, "the row of a send could not be written down");
        }
        if let Some(handed) = way.trace.handed.last_mut() {
            handed.row = Some((row.id, row.guid.clone()));
        }
        self.parts.unseen.settle_last(way.id);
        row
    }

    /// Writes down what is about to be handed over, and does it, unless the owner has paused sending.
    async fn hand_over(
        &self,
        order: &Order,
        before: Option<(RowId, String)>,
        way: &mut Way<'_>,
        config: &crate::config::Send,
    ) -> Outcome {
        let place = way.place;
        let of_chat = order.chat.as_ref().and(place.chat.as_ref()).map(|chat| chat.guid.clone());
        let handed = Handed {
            at: Timestamp::now(),
            before,
            chat: of_chat.filter(|guid| !guid.is_empty()).or_else(|| order.chat.clone()),
            recipient: order.recipient.clone(),
            service: order.service.clone(),
            text: Handed::key_of(&order.text),
            file: order.file.clone(),
            row: None,
        };
        way.trace.handed.push(handed.clone());
        if let Some(paused) = self.parts.switch.paused() {
            return Outcome::NotStarted(paused.refusal());
        }
        if let Err(error) = record::hand_over(self.parts.state.connection(), way.id, way.trace).inspect_err(notice) {
            return Outcome::NotStarted(format!("the send could not be written down: {error}"));
        }
        self.note_pace(place.chat_key.as_deref().unwrap_or(&place.recipient));
        self.parts.unseen.add(way.id, handed);
        let limit = Duration::from_secs(config.timeout_seconds);
        let osascript = self.parts.config.load().messages.osascript.clone();
        let outcome = self.unless_stopped(applescript::send(&osascript, order, limit)).await;
        if matches!(outcome, Outcome::NotStarted(_)) {
            self.parts.unseen.settle_last(way.id);
        }
        outcome
    }

    pub(super) fn note_pace(&self, target: &str) {
        let (chat, at) = (pace::chat_key(target), Timestamp::now());
        self.pace.borrow_mut().note(chat, at);
        let forget = at.checked_sub(pace::WINDOW).unwrap_or(Timestamp::MIN);
        if let Err(error) = record::note_handed(self.parts.state.connection(), chat, at, forget).inspect_err(notice) {
            tracing::warn!(%error, "when a message left could not be written down");
        }
    }

    /// When the daemon stops, the child gets a moment to end by itself.
    pub(super) async fn unless_stopped(&self, automation: impl Future<Output = Outcome>) -> Outcome {
        let mut stop = self.parts.stop.clone();
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
    async fn verify(&self, db: &ChatDb, order: &Order, way: &Way<'_>) -> Result<Message, RpcError> {
        let mut head = self.parts.hub.watch_head();
        let mut stop = self.parts.stop.clone();
        let deadline = tokio::time::Instant::now() + VERIFY;
        // It was handed over: a database that cannot be read leaves the outcome open, and is no failure.
        let mut unreadable;
        loop {
            head.mark_unchanged();
            match self.find(db, way) {
                Ok(Some(row)) => return Ok(row),
                Ok(None) => unreadable = None,
                Err(error) => unreadable = Some(error),
            }
            tokio::select! {
                _ = head.changed() => {}
                () = tokio::time::sleep(VERIFY_STEP) => {}
                () = tokio::time::sleep_until(deadline) => break,
                () = is_set(&mut stop) => break,
            }
        }
        if let Some(error) = unreadable {
            let error = detail(&error);
            return Err(RpcError::may_have_completed(&format!(
                "osascript succeeded, but chat.db could not be read to see whether the message left: {error}"
            )));
        }
        let what = if order.file.is_some() { "attachment" } else { "text" };
        let before =
            way.trace.handed.last().and_then(|handed| handed.before.as_ref()).map_or(RowId(0), |(row, _)| *row);
        let ghost = order.chat.as_ref().and_then(|key| {
            let mut keys = target_keys(key);
            // A chat of one service is named by it, but its handle is not.
            keys.extend(way.place.chat.iter().filter(|chat| !chat.is_group).map(|chat| chat.identifier.clone()));
            db.ghost(before, &keys).ok().flatten()
        });
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

    /// The row of the piece that was handed over last.
    fn find(&self, db: &ChatDb, way: &Way<'_>) -> Result<Option<Message>, RpcError> {
        let Some(handed) = way.trace.handed.last() else { return Ok(None) };
        let known: Option<Arc<Chat>> = way.place.chat.clone().filter(|_| handed.chat.is_some());
        let chat = match known {
            Some(chat) => Some(chat),
            None => handed.chat_in(db)?,
        };
        let (Some(chat), Some((after, _))) = (chat, &handed.before) else { return Ok(None) };
        let is_taken = |guid: &str| self.is_taken(guid);
        Ok(handed.find(db, &chat, &Among { after: *after, until: None, is_taken: &is_taken })?)
    }
}

fn detail(error: &RpcError) -> String {
    let detail = error.data.get("detail").and_then(Value::as_str);
    detail.map_or_else(|| error.data.to_string(), str::to_owned)
}
