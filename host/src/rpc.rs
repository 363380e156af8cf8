//! What each method does. A request comes in as a parsed envelope and leaves as a result or an error; how lines
//! travel is `transport`'s.

pub mod discover;
pub mod envelope;
pub mod error;
pub mod failure;
pub mod legacy;
pub mod param;
pub mod params;
pub mod wire;

mod attachments;
mod background;
mod chats;
mod config;
mod consumers;
pub mod feed;
mod held;
pub mod journal;
mod local;
mod messages;
mod outbox;
mod pairing;
pub mod plugins;
mod react;
pub mod replay;
pub mod scope;
mod send;
mod send_status;
mod stats;
mod status;
mod verdicts;
pub mod watch;

pub use attachments::LENGTH_MOST as PIECE_MOST;
pub use messages::EXPORT_ROWS;

use std::sync::Arc;

use arc_swap::ArcSwap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::attachments::Files;
use crate::config::{Config, Scope};
use crate::consumers::Consumers;
use crate::judge;
use crate::outbox as sending;
use crate::plugin::Logs;
use crate::readers::Readers;
use crate::reload::Reloader;
use crate::replay::Replays;
use crate::state;
use crate::subscription::Hub;
use error::RpcError;
use param::Param;
use params::Params;
use wire::status::Status;

/// What a method gives back: JSON that is already written.
pub type Answer = Result<Box<RawValue>, RpcError>;

/// All that methods work with. One for the whole process.
pub struct Service {
    pub config: Arc<ArcSwap<Config>>,
    pub readers: Arc<Readers>,
    pub files: Arc<Files>,
    pub hub: Arc<Hub>,
    pub consumers: Arc<Consumers>,
    pub judge: mpsc::Sender<judge::Request>,
    pub outbox: mpsc::Sender<sending::Job>,
    pub switch: Arc<sending::switch::Switch>,
    pub logs: Arc<Logs>,
    pub reloader: Reloader,
    pub replays: Arc<Replays>,
    pub stats: Arc<judge::Stats>,
    /// Places of subscriptions, over all connections.
    pub subscriptions: Arc<Semaphore>,
    /// Each state.db that was set aside.
    pub lost: Vec<state::Lost>,
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

/// A method that is carried out here, and what is published of it.
struct Method {
    name: &'static str,
    lane: Lane,
    params: &'static [Param],
    /// Absent from `methods` while chat.db cannot be read.
    needs_database: bool,
    /// What a connection must have to call it; nothing for what is about the connection itself.
    scope: Option<Scope>,
    about: &'static str,
    result: fn(&mut SchemaGenerator) -> Schema,
}

impl Method {
    const fn new(name: &'static str, lane: Lane, params: &'static [Param]) -> Method {
        let result = SchemaGenerator::subschema_for::<Value>;
        Method { name, lane, params, needs_database: false, scope: Some(Scope::Read), about: "", result }
    }

    const fn of_database(name: &'static str, lane: Lane, params: &'static [Param]) -> Method {
        Method { needs_database: true, ..Method::new(name, lane, params) }
    }

    const fn about(self, about: &'static str) -> Method {
        Method { about, ..self }
    }

    /// Most need `read`.
    const fn needs(self, scope: Scope) -> Method {
        Method { scope: Some(scope), ..self }
    }

    const fn for_all(self) -> Method {
        Method { scope: None, ..self }
    }

    /// The type of its result.
    const fn gives<T: JsonSchema>(self) -> Method {
        Method { result: SchemaGenerator::subschema_for::<T>, ..self }
    }
}

/// Carried out in two ways: as an answer, and as lines for a command that prints them.
pub const EXPORT: &str = "messages.export";

/// In the order in which they are advertised. The first three are where old clients look for them.
const METHODS: &[Method] = &[
    Method::new("initialize", Lane::Control, status::INITIALIZE).for_all()
        .gives::<Status<'_>>()
        .about("What this program is and what it can do now. Nobody needs to call it, and everybody may again."),
    Method::new("status", Lane::Read, &[]).for_all().gives::<Status<'_>>().about("The same as `initialize`."),
    Method::new("watch.unsubscribe", Lane::Control, watch::UNSUBSCRIBE).for_all()
        .gives::<wire::watch::Unsubscribed>()
        .about("Ends a subscription. Nothing of it follows the answer."),
    Method::of_database("chats.list", Lane::Read, chats::LIST)
        .gives::<wire::Chats<'_>>()
        .about("Chats, the one with the newest message first."),
    Method::of_database("chats.get", Lane::Read, chats::GET).gives::<wire::Group<'_>>().about("One chat."),
    Method::of_database("messages.stats", Lane::Read, stats::STATS)
        .gives::<wire::stats::Stats<'_>>()
        .about("How many messages there are, by chat, sender, service and day."),
    Method::of_database("messages.history", Lane::Read, messages::HISTORY)
        .gives::<wire::Messages<'_>>()
        .about("Messages of a chat, the newest first, whatever the policies said of them."),
    Method::of_database("messages.search", Lane::Read, messages::SEARCH)
        .gives::<wire::Messages<'_>>()
        .about("Messages with a text, the newest first, whatever the policies said of them."),
    Method::of_database("messages.after", Lane::Read, messages::AFTER)
        .gives::<wire::Page<'_>>()
        .about("What was delivered after a row, page by page."),
    Method::of_database(EXPORT, Lane::Read, messages::EXPORT)
        .gives::<wire::Page<'_>>()
        .about("All that is in some rows, tapbacks as messages too, whatever the policies said of them."),
    Method::of_database("messages.scheduled", Lane::Read, messages::SCHEDULED)
        .gives::<wire::scheduled::ScheduledMessages<'_>>()
        .about("Messages that are to be sent later, the next one first."),
    Method::of_database("watch.subscribe", Lane::Control, watch::SUBSCRIBE)
        .gives::<wire::watch::Subscribed>()
        .about("Begins a subscription: from now on its notifications come."),
    Method::new("watch.ack", Lane::Control, watch::ACK)
        .gives::<wire::watch::Acked>()
        .about("Acknowledges all messages up to a cursor: a consumer that comes back goes on after it."),
    Method::new("consumers.list", Lane::Read, &[])
        .gives::<wire::consumers::Consumers<'_>>()
        .about("Consumers by name, where they are and how far behind."),
    Method::new("consumers.remove", Lane::Mutation, consumers::REMOVE).needs(Scope::Policy)
        .gives::<wire::consumers::Removed>()
        .about("Forgets a consumer that no connection has."),
    Method::of_database("message.send_status", Lane::Read, send_status::SEND_STATUS)
        .gives::<wire::send::Delivery<'_>>()
        .about("What Messages wrote down about a message that was sent."),
    Method::of_database("attachments.read", Lane::Read, attachments::READ)
        .gives::<wire::attachment::AttachmentPiece<'_>>()
        .about("Bytes of an attachment, one piece after the other."),
    Method::new("send", Lane::Mutation, send::SEND).needs(Scope::Send).gives::<wire::send::Sent<'_>>().about(
        "Sends a message, and answers once it is seen in the database: within a second mostly, after 8 at most, and \
         later only where Messages itself hangs.",
    ),
    Method::of_database("react", Lane::Mutation, react::REACT).needs(Scope::Send)
        .gives::<wire::send::Reacted<'_>>()
        .about("Reacts to the newest message of a chat through Messages' own windows, and answers once that is seen."),
    Method::new("pairing.list", Lane::Read, &[]).needs(Scope::Policy)
        .gives::<wire::pairing::Pairings<'_>>()
        .about("Strangers who wait, and who was let in."),
    Method::new("pairing.approve", Lane::Mutation, pairing::CODE).needs(Scope::Policy)
        .gives::<wire::pairing::Approved<'_>>()
        .about("Lets a stranger in, and delivers what was held of theirs."),
    Method::new("pairing.deny", Lane::Mutation, pairing::CODE).needs(Scope::Policy)
        .gives::<wire::pairing::Denied<'_>>()
        .about("Turns a stranger's request down."),
    Method::new("pairing.revoke", Lane::Mutation, pairing::REVOKE).needs(Scope::Policy)
        .gives::<wire::pairing::Revoked>()
        .about("Takes an approval back."),
    Method::of_database("held.list", Lane::Read, held::LIST)
        .gives::<wire::held::HeldMessages<'_>>()
        .about("Messages that are held, and why, in the order of their rows; not what they say."),
    Method::of_database("held.show", Lane::Read, held::SHOW).needs(Scope::Policy)
        .gives::<wire::held::HeldShown<'_>>()
        .about("One held message with what it says."),
    Method::of_database("held.release", Lane::Mutation, held::CHOICE).needs(Scope::Policy)
        .gives::<wire::held::HeldHandled<'_>>()
        .about("Judges held messages again; a sender whom only nobody knows is let in this once."),
    Method::of_database("held.drop", Lane::Mutation, held::CHOICE).needs(Scope::Policy)
        .gives::<wire::held::HeldHandled<'_>>()
        .about("Makes held messages dropped ones, which are never delivered."),
    Method::of_database("journal.explain", Lane::Read, journal::EXPLAIN)
        .gives::<wire::journal::Explanation<'_>>()
        .about("What became of one message, who decided, and why."),
    Method::new("outbox.list", Lane::Read, outbox::LIST)
        .gives::<wire::outbox::Outgoing<'_>>()
        .about("What was sent and what waits to be sent, the newest first, without the texts."),
    // Not in the lane of what they stop.
    Method::new("outbox.pause", Lane::Control, outbox::PAUSE).needs(Scope::Send)
        .gives::<wire::outbox::SendingPaused>()
        .about("The owner's switch: hands nothing to Messages any more, also after a restart, until `outbox.resume`."),
    Method::new("outbox.resume", Lane::Control, &[]).needs(Scope::Policy)
        .gives::<wire::outbox::SendingResumed>()
        .about("Lets messages leave again."),
    Method::of_database("journal.list", Lane::Read, journal::feed::LIST)
        .gives::<wire::journal::JournalPage<'_>>()
        .about("What became of the last messages, the newest first."),
    Method::new("journal.subscribe", Lane::Control, journal::feed::SUBSCRIBE)
        .gives::<wire::watch::Subscribed>()
        .about("From now on tells of each verdict once it is kept. `watch.unsubscribe` ends it."),
    Method::new("plugins.list", Lane::Read, &[])
        .gives::<wire::plugins::Plugins<'_>>()
        .about("The policies, in the order in which they are asked."),
    Method::new("plugins.log", Lane::Read, plugins::LOG).needs(Scope::Policy)
        .gives::<wire::plugins::PluginLog<'_>>()
        .about("The last lines of one policy's log: what it wrote, and how it failed. Messages may be quoted in them."),
    Method::new("plugins.follow", Lane::Control, plugins::FOLLOW).needs(Scope::Policy)
        .gives::<wire::watch::Subscribed>()
        .about("From now on tells of each line of one policy's log. `watch.unsubscribe` ends it."),
    Method::new("plugins.reload", Lane::Mutation, &[]).needs(Scope::Policy)
        .gives::<wire::plugins::Reloaded<'_>>()
        .about("Reads configuration and plugins anew, now."),
    Method::of_database(replay::METHOD, Lane::Read, replay::REPLAY).needs(Scope::Policy).gives::<wire::replay::Replay<'_>>().about(
        "What other policies would have decided about the messages of the past, beside what is in force. Sends \
             nothing and keeps nothing; one at a time.",
    ),
    Method::new("policy.replay_stop", Lane::Control, &[]).needs(Scope::Policy)
        .gives::<wire::replay::ReplayStopped>()
        .about("Ends the replay that runs, which is answered with what it has so far."),
    Method::new("config.get", Lane::Read, config::GET).needs(Scope::Policy)
        .gives::<wire::config::ConfigValue>()
        .about("What the configuration file says of a key, or all that it says."),
    Method::new("config.set", Lane::Mutation, config::SET).needs(Scope::Policy).gives::<wire::config::ConfigChanged>().about(
        "Sets a key in the configuration file, and answers once that is in force. What is wrong is refused, and the \
         file stays as it is.",
    ),
    Method::new("config.unset", Lane::Mutation, config::UNSET).needs(Scope::Policy)
        .gives::<wire::config::ConfigChanged>()
        .about("Takes a key out of the configuration file, so that its default is in force."),
    Method::new("config.add", Lane::Mutation, config::ENTRY).needs(Scope::Policy)
        .gives::<wire::config::ConfigChanged>()
        .about("Adds one entry to a list in the configuration file, unless it is there."),
    Method::new("config.remove", Lane::Mutation, config::ENTRY).needs(Scope::Policy)
        .gives::<wire::config::ConfigChanged>()
        .about("Takes one entry out of a list in the configuration file, if it is there."),
    Method::of_database("accounts.list", Lane::Read, &[])
        .gives::<wire::local::Accounts<'_>>()
        .about("The owner's accounts, as chats name them."),
    Method::of_database("handles.whois", Lane::Read, local::ADDRESS)
        .gives::<wire::local::Whois<'_>>()
        .about("On which service an address can be reached, as far as earlier messages tell."),
    Method::new("contacts.lookup", Lane::Read, local::ADDRESS)
        .gives::<wire::local::ContactName<'_>>()
        .about("The name that the owner's contacts have for an address, after another look at them."),
    Method::new(legacy::METHOD, Lane::Control, legacy::COMPAT).for_all()
        .gives::<wire::watch::Compat>()
        .about("Says how this connection takes the parameters of the requests that follow."),
    Method::new(scope::METHOD, Lane::Control, scope::SCOPES)
        .for_all()
        .gives::<wire::scope::ConnectionScopes>()
        .about("Gives scopes of this connection up, for as long as it lasts, and tells which are left."),
    Method::of_database("chats.background", Lane::Read, background::BACKGROUND)
        .gives::<wire::background::Background<'_>>()
        .about("The picture behind a chat, as far as it is written down."),
    Method::new("rpc.discover", Lane::Control, &[]).for_all()
        .gives::<Map<String, Value>>()
        .about("The OpenRPC document of all this."),
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
    /// Carries out one request, all but those that belong to a connection (`watch.*`).
    pub async fn call(&self, request: envelope::Request) -> Answer {
        let (is_legacy, scopes) = (request.is_legacy, request.scopes);
        let Some(method) = method(&request.method) else { return Err(not_here(&request.method)) };
        let params = Params::new(method.name, request.params, method.params)?;
        match method.name {
            "initialize" => status::initialize(self, &params, scopes).await,
            "status" => status::status(self, scopes).await,
            "messages.after" => messages::after(self, params).await,
            "send" => send::send(self, params, is_legacy).await,
            "react" => react::react(self, &params).await,
            "pairing.list" => pairing::list(self).await,
            "pairing.approve" => pairing::approve(self, &params).await,
            "pairing.deny" => pairing::deny(self, &params).await,
            "pairing.revoke" => pairing::revoke(self, &params).await,
            "consumers.list" => consumers::list(self).await,
            "consumers.remove" => consumers::remove(self, &params).await,
            "held.list" => held::list(self, &params).await,
            "held.show" => held::show(self, &params).await,
            "held.release" => held::release(self, &params).await,
            "held.drop" => held::drop_held(self, &params).await,
            "journal.explain" => journal::explain(self, &params).await,
            "outbox.list" => outbox::list(self, &params).await,
            "outbox.pause" => outbox::pause(self, &params).await,
            "outbox.resume" => outbox::resume(self).await,
            "journal.list" => journal::feed::list(self, &params).await,
            "plugins.list" => plugins::list(self).await,
            "plugins.log" => plugins::log(self, &params),
            "plugins.reload" => plugins::reload(self).await,
            "policy.replay_stop" => replay::stop(self),
            "config.get" => config::get(self, &params).await,
            "config.set" => config::set(self, &params).await,
            "config.unset" => config::unset(self, &params).await,
            "config.add" => config::add(self, &params).await,
            "config.remove" => config::remove(self, &params).await,
            "rpc.discover" => answer(&discover::document()),
            _ => read_with(&self.readers, &self.files, method, params).await,
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

/// Carries out a method that only reads what macOS keeps, and so works without a daemon too. Refuses all others.
pub async fn read(readers: &Arc<Readers>, files: &Arc<Files>, name: &str, map: Map<String, Value>) -> Answer {
    let Some(method) = method(name) else { return Err(not_here(name)) };
    read_with(readers, files, method, Params::new(method.name, map, method.params)?).await
}

/// `messages.export`, for a command that has no daemon to ask: a line for each message, and whether there are more.
pub async fn export_lines(
    readers: &Arc<Readers>,
    files: &Arc<Files>,
    map: Map<String, Value>,
) -> Result<(Vec<u8>, bool), RpcError> {
    messages::export_lines(readers, files, &Params::new(EXPORT, map, messages::EXPORT)?).await
}

async fn read_with(readers: &Arc<Readers>, files: &Arc<Files>, method: &Method, params: Params) -> Answer {
    match method.name {
        "chats.list" => chats::list(readers, params).await,
        "chats.get" => chats::get(readers, &params).await,
        "chats.background" => background::background(readers, &params).await,
        "messages.stats" => stats::stats(readers, params).await,
        "messages.history" => messages::history(readers, files, params).await,
        "messages.search" => messages::search(readers, params).await,
        EXPORT => messages::export(readers, files, &params).await,
        "messages.scheduled" => messages::scheduled(readers, params).await,
        "message.send_status" => send_status::send_status(readers, &params).await,
        "attachments.read" => attachments::read(readers, files, params).await,
        "accounts.list" => local::accounts(readers).await,
        "handles.whois" => local::whois(readers, &params).await,
        "contacts.lookup" => local::lookup(readers, &params).await,
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
    Ok(wire::to_raw(value))
}
