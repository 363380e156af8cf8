//! What each method does. A request comes in as a parsed envelope and leaves as a result or an error; how lines
//! travel is `transport`'s.

pub mod envelope;
pub mod error;
pub mod params;
pub mod wire;

mod chats;
mod journal;
mod messages;
mod pairing;
mod plugins;
mod send;
mod send_status;
mod stats;
mod status;
mod verdicts;
pub mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::judge;
use crate::outbox;
use crate::readers::Readers;
use crate::reload::Reloader;
use crate::subscription::Hub;
use error::RpcError;
use params::Params;

/// What a method gives back: JSON that is already written.
pub type Answer = Result<Box<RawValue>, RpcError>;

/// All that methods work with. One for the whole process.
pub struct Service {
    pub config: Arc<ArcSwap<Config>>,
    pub readers: Arc<Readers>,
    pub hub: Arc<Hub>,
    pub judge: mpsc::Sender<judge::Request>,
    pub outbox: mpsc::Sender<outbox::Job>,
    pub reloader: Reloader,
    pub stats: Arc<judge::Stats>,
}

/// Which queue of its connection a method waits in (section 2.5 of the specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// One at a time, in order.
    Control,
    /// A few at a time; answers may overtake each other.
    Read,
    /// One at a time, in order: what changes something.
    Mutation,
}

/// A method that runs on its own, without knowing its connection.
struct Method {
    name: &'static str,
    lane: Lane,
    /// Absent from `methods` while chat.db cannot be read.
    needs_database: bool,
}

const fn method(name: &'static str, lane: Lane, needs_database: bool) -> Method {
    Method { name, lane, needs_database }
}

/// In the order in which they are advertised. The first three are where old clients look for them.
const METHODS: &[Method] = &[
    method("initialize", Lane::Control, false),
    method("status", Lane::Read, false),
    method("watch.unsubscribe", Lane::Control, false),
    method("chats.list", Lane::Read, true),
    method("chats.get", Lane::Read, true),
    method("messages.stats", Lane::Read, true),
    method("messages.history", Lane::Read, true),
    method("messages.search", Lane::Read, true),
    method("messages.after", Lane::Read, true),
    method("messages.scheduled", Lane::Read, true),
    method("watch.subscribe", Lane::Control, true),
    method("message.send_status", Lane::Read, true),
    method("send", Lane::Mutation, false),
    method("pairing.list", Lane::Read, false),
    method("pairing.approve", Lane::Mutation, false),
    method("pairing.deny", Lane::Mutation, false),
    method("pairing.revoke", Lane::Mutation, false),
    method("journal.explain", Lane::Read, true),
    method("plugins.list", Lane::Read, false),
    method("plugins.reload", Lane::Mutation, false),
];

/// Methods of `imsg` that only work with a private helper inside Messages, and what they are called there.
const BRIDGE_METHODS: &[(&str, &str)] = &[
    ("typing", "typing"),
    ("read", "read"),
    ("send.tracked", "send-message"),
    ("send.rich", "send-message"),
    ("send.attachment", "send-attachment"),
    ("send.multipart", "send-multipart"),
    ("send.sticker", "send-sticker"),
    ("poll.send", "send-poll"),
    ("messages.poll.send", "send-poll"),
    ("poll.vote", "vote-poll"),
    ("messages.poll.vote", "vote-poll"),
    ("poll.unvote", "unvote-poll"),
    ("polls.unvote", "unvote-poll"),
    ("messages.poll.unvote", "unvote-poll"),
    ("tapback", "send-reaction"),
    ("message.edit", "edit-message"),
    ("message.unsend", "unsend-message"),
    ("message.delete", "delete-message"),
    ("message.notifyAnyways", "notify-anyways"),
    ("chats.create", "create-chat"),
    ("chats.delete", "delete-chat"),
    ("chats.markUnread", "mark-chat-unread"),
    ("group.rename", "set-display-name"),
    ("group.setIcon", "update-group-photo"),
    ("group.addParticipant", "add-participant"),
    ("group.removeParticipant", "remove-participant"),
    ("group.leave", "leave-chat"),
    ("contacts.shareContactCard", "name-photo-share"),
];

/// Bridge methods that only read.
const BRIDGE_READS: &[&str] = &["handles.check", "contacts.shouldShareContact"];

/// All methods that this program knows, also those that it can only refuse.
pub fn supported_methods() -> impl Iterator<Item = &'static str> {
    let own = METHODS.iter().map(|method| method.name);
    let bridge = BRIDGE_METHODS.iter().map(|(name, _)| *name).chain(BRIDGE_READS.iter().copied());
    own.chain(bridge).chain(["bridge.events.subscribe"])
}

pub fn lane(method: &str) -> Lane {
    let known = METHODS.iter().find(|known| known.name == method).map(|known| known.lane);
    let of_bridge = || BRIDGE_METHODS.iter().any(|(name, _)| *name == method).then_some(Lane::Mutation);
    known.or_else(of_bridge).unwrap_or(Lane::Control)
}

impl Service {
    /// Carries out one request, all but the two that belong to a connection (`watch.*`).
    pub async fn call(&self, request: envelope::Request) -> Answer {
        let map = request.params;
        let method = request.method.as_str();
        match method {
            "initialize" => status::initialize(self, &Params::new(method, map, &["protocol_version"])?).await,
            "status" => {
                Params::new(method, map, &[])?;
                status::status(self).await
            }
            "messages.after" => messages::after(self, Params::new(method, map, messages::AFTER_KEYS)?).await,
            "send" => send::send(self, Params::new(method, map, send::KEYS)?).await,
            "pairing.list" => {
                Params::new(method, map, &[])?;
                pairing::list(self).await
            }
            "pairing.approve" => pairing::approve(self, &Params::new(method, map, &["code"])?).await,
            "pairing.deny" => pairing::deny(self, &Params::new(method, map, &["code"])?).await,
            "pairing.revoke" => pairing::revoke(self, &Params::new(method, map, &["address"])?).await,
            "journal.explain" => journal::explain(self, &Params::new(method, map, &["guid", "rowid"])?).await,
            "plugins.list" => {
                Params::new(method, map, &[])?;
                plugins::list(self).await
            }
            "plugins.reload" => {
                Params::new(method, map, &[])?;
                plugins::reload(self).await
            }
            _ => read(&self.readers, method, map).await,
        }
    }

    /// Asks the judge and waits for its answer.
    async fn ask<R>(&self, request: impl FnOnce(oneshot::Sender<R>) -> judge::Request) -> Result<R, RpcError> {
        let (reply, answer) = oneshot::channel();
        let stopping = || RpcError::busy("server is shutting down");
        self.judge.send(request(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}

/// Carries out a method that only reads chat.db, and so works without a daemon too. Refuses all others.
pub async fn read(readers: &Arc<Readers>, method: &str, map: Map<String, Value>) -> Answer {
    match method {
        "chats.list" => chats::list(readers, Params::new(method, map, chats::LIST_KEYS)?).await,
        "chats.get" => chats::get(readers, &Params::new(method, map, &["chat_id"])?).await,
        "messages.stats" => stats::stats(readers, Params::new(method, map, stats::KEYS)?).await,
        "messages.history" => messages::history(readers, Params::new(method, map, messages::HISTORY_KEYS)?).await,
        "messages.search" => messages::search(readers, Params::new(method, map, messages::SEARCH_KEYS)?).await,
        "messages.scheduled" => messages::scheduled(readers, Params::new(method, map, messages::SCHEDULED_KEYS)?).await,
        "message.send_status" => send_status::send_status(readers, &Params::new(method, map, &["guid"])?).await,
        "bridge.events.subscribe" => Err(RpcError::bridge_unavailable("Bridge events unavailable")),
        other if BRIDGE_READS.contains(&other) => Err(RpcError::bridge_unavailable("Bridge unavailable")),
        other => match BRIDGE_METHODS.iter().find(|(name, _)| *name == other) {
            Some((_, operation)) => Err(RpcError::needs_bridge(operation)),
            None => Err(RpcError::method_not_found(other)),
        },
    }
}

fn answer(value: &impl serde::Serialize) -> Answer {
    Ok(wire::raw(wire::to_json(value)))
}
