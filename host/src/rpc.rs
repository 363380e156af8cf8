//! What each method does. A request comes in as a parsed envelope and leaves as a result or an error; how lines
//! travel is `transport`'s.

pub mod envelope;
pub mod error;
pub mod param;
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
use param::Param;
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

/// A method that is carried out here.
struct Method {
    name: &'static str,
    lane: Lane,
    params: &'static [Param],
    /// Absent from `methods` while chat.db cannot be read.
    needs_database: bool,
}

impl Method {
    const fn new(name: &'static str, lane: Lane, params: &'static [Param]) -> Method {
        Method { name, lane, params, needs_database: false }
    }

    const fn of_database(name: &'static str, lane: Lane, params: &'static [Param]) -> Method {
        Method { needs_database: true, ..Method::new(name, lane, params) }
    }
}

/// In the order in which they are advertised. The first three are where old clients look for them.
const METHODS: &[Method] = &[
    Method::new("initialize", Lane::Control, status::INITIALIZE),
    Method::new("status", Lane::Read, &[]),
    Method::new("watch.unsubscribe", Lane::Control, watch::UNSUBSCRIBE),
    Method::of_database("chats.list", Lane::Read, chats::LIST),
    Method::of_database("chats.get", Lane::Read, chats::GET),
    Method::of_database("messages.stats", Lane::Read, stats::STATS),
    Method::of_database("messages.history", Lane::Read, messages::HISTORY),
    Method::of_database("messages.search", Lane::Read, messages::SEARCH),
    Method::of_database("messages.after", Lane::Read, messages::AFTER),
    Method::of_database("messages.scheduled", Lane::Read, messages::SCHEDULED),
    Method::of_database("watch.subscribe", Lane::Control, watch::SUBSCRIBE),
    Method::of_database("message.send_status", Lane::Read, send_status::SEND_STATUS),
    Method::new("send", Lane::Mutation, send::SEND),
    Method::new("pairing.list", Lane::Read, &[]),
    Method::new("pairing.approve", Lane::Mutation, pairing::CODE),
    Method::new("pairing.deny", Lane::Mutation, pairing::CODE),
    Method::new("pairing.revoke", Lane::Mutation, pairing::REVOKE),
    Method::of_database("journal.explain", Lane::Read, journal::EXPLAIN),
    Method::new("plugins.list", Lane::Read, &[]),
    Method::new("plugins.reload", Lane::Mutation, &[]),
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

fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

pub fn lane(name: &str) -> Lane {
    let of_bridge = || BRIDGE_METHODS.iter().any(|(bridge, _)| *bridge == name).then_some(Lane::Mutation);
    method(name).map(|method| method.lane).or_else(of_bridge).unwrap_or(Lane::Control)
}

impl Service {
    /// Carries out one request, all but the two that belong to a connection (`watch.*`).
    pub async fn call(&self, request: envelope::Request) -> Answer {
        let Some(method) = method(&request.method) else { return Err(not_here(&request.method)) };
        let params = Params::new(method.name, request.params, method.params)?;
        match method.name {
            "initialize" => status::initialize(self, &params).await,
            "status" => status::status(self).await,
            "messages.after" => messages::after(self, params).await,
            "send" => send::send(self, params).await,
            "pairing.list" => pairing::list(self).await,
            "pairing.approve" => pairing::approve(self, &params).await,
            "pairing.deny" => pairing::deny(self, &params).await,
            "pairing.revoke" => pairing::revoke(self, &params).await,
            "journal.explain" => journal::explain(self, &params).await,
            "plugins.list" => plugins::list(self).await,
            "plugins.reload" => plugins::reload(self).await,
            _ => read_with(&self.readers, method, params).await,
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
pub async fn read(readers: &Arc<Readers>, name: &str, map: Map<String, Value>) -> Answer {
    let Some(method) = method(name) else { return Err(not_here(name)) };
    read_with(readers, method, Params::new(method.name, map, method.params)?).await
}

async fn read_with(readers: &Arc<Readers>, method: &Method, params: Params) -> Answer {
    match method.name {
        "chats.list" => chats::list(readers, params).await,
        "chats.get" => chats::get(readers, &params).await,
        "messages.stats" => stats::stats(readers, params).await,
        "messages.history" => messages::history(readers, params).await,
        "messages.search" => messages::search(readers, params).await,
        "messages.scheduled" => messages::scheduled(readers, params).await,
        "message.send_status" => send_status::send_status(readers, &params).await,
        name => Err(not_here(name)),
    }
}

/// What a method is answered with that is not carried out here.
fn not_here(name: &str) -> RpcError {
    if name == "bridge.events.subscribe" {
        return RpcError::bridge_unavailable("Bridge events unavailable");
    }
    if BRIDGE_READS.contains(&name) {
        return RpcError::bridge_unavailable("Bridge unavailable");
    }
    match BRIDGE_METHODS.iter().find(|(bridge, _)| *bridge == name) {
        Some((_, operation)) => RpcError::needs_bridge(operation),
        None => RpcError::method_not_found(name),
    }
}

/// What a method gives back, of its object.
pub fn answer(value: &impl serde::Serialize) -> Answer {
    Ok(wire::raw(wire::to_json(value)))
}
