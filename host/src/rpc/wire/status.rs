//! The objects of `initialize` and `status`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use super::consumers::Consumer;
use super::outbox::Paused;
use super::plugins::Plugin;
use crate::{chatdb, lag, state};

/// What this program is, what it can do now, and how it has been doing.
#[derive(Serialize, JsonSchema)]
pub struct Status<'a> {
    pub version: &'static str,
    /// The version of the protocol, not of the program.
    pub protocol_version: i64,
    pub database: Database,
    pub bridge: Bridge,
    pub contacts: Contacts,
    /// What this connection can call now.
    pub methods: Vec<&'static str>,
    /// What is known, also what can only be refused.
    pub supported_methods: Vec<&'static str>,
    pub capabilities: Capabilities,
    pub imsgd: OwnState<'a>,
}

/// The database of Messages.
#[derive(Serialize, JsonSchema)]
pub struct Database {
    pub path: String,
    pub ready: bool,
    /// Where it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Where it is not: why, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the columns of the database allow.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseFeatures")]
pub struct Features {
    unread_state: bool,
    scheduled_messages: bool,
    reactions: bool,
    reply_context: bool,
    routing_metadata: bool,
    balloon_payloads: bool,
}

impl From<chatdb::Features> for Features {
    fn from(features: chatdb::Features) -> Features {
        let chatdb::Features {
            unread_state,
            scheduled_messages,
            reactions,
            reply_context,
            routing_metadata,
            balloon_payloads,
        } = features;
        Features { unread_state, scheduled_messages, reactions, reply_context, routing_metadata, balloon_payloads }
    }
}

/// The private bridge of `imsg`, which imsgd does not have.
#[derive(Serialize, JsonSchema)]
pub struct Bridge {
    pub ready: bool,
    pub error: &'static str,
}

/// The owner's contacts, as they were read last.
#[derive(Serialize, JsonSchema)]
pub struct Contacts {
    pub available: bool,
    /// Where they are not: why, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct Capabilities {
    pub engine: Engine,
    /// By name, which version of each.
    pub features: BTreeMap<&'static str, i64>,
}

#[derive(Serialize, JsonSchema)]
pub struct Engine {
    pub version: &'static str,
}

/// How the daemon itself is doing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DaemonState")]
pub struct OwnState<'a> {
    pub pid: u32,
    /// The program that runs: the one that needs the permissions. Left out where the system does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    pub config: ConfigState,
    pub state_dir: String,
    /// Of `read`, `send` and `policy`, those that this connection has.
    pub scopes: Vec<&'static str>,
    /// The newest row that has been judged. Nothing before the first look.
    pub head: Option<i64>,
    /// How many there are now.
    pub subscriptions: usize,
    /// Each of them.
    pub subscribers: Vec<Subscriber>,
    pub consumers: Vec<Consumer<'a>>,
    /// Where the owner paused sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending_paused: Option<Paused>,
    /// How many messages are held.
    pub held: i64,
    /// How often each verdict was given since the start.
    pub verdicts: BTreeMap<&'a str, u64>,
    pub last_error: Option<&'a str>,
    pub lag: Lag,
    /// Each state.db that was damaged and set aside, until its owner removes the file. Empty ones are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state_lost: Vec<StateLost>,
    pub plugins: Vec<Plugin<'a>>,
}

/// Who hears of what is delivered, and how far behind it is.
#[derive(Serialize, JsonSchema)]
pub struct Subscriber {
    /// Messages that wait for it to read.
    pub waiting: usize,
    /// How many may, before it is cut off: its `buffer_limit`.
    pub buffer: usize,
}

/// A state.db that was damaged: a new one was begun, and who was paired has to be approved again.
#[derive(Serialize, JsonSchema)]
pub struct StateLost {
    /// The damaged file.
    pub path: String,
    /// When it was set aside.
    pub at: String,
    /// What was wrong with it.
    pub reason: String,
    /// How many rows of it the new one has: the place in the stream, verdicts and sends, but nothing of plugins.
    pub kept: i64,
}

impl From<&state::Lost> for StateLost {
    fn from(lost: &state::Lost) -> StateLost {
        let state::Lost { path, at, reason, kept } = lost;
        StateLost { path: path.display().to_string(), at: at.to_string(), reason: reason.clone(), kept: *kept }
    }
}

/// How late messages are, told apart by who was late.
#[derive(Serialize, JsonSchema)]
pub struct Lag {
    /// From when a live message was sent until imsgd saw it: Messages and the network.
    pub messages: LagReading,
    /// From the last write to the database until imsgd saw its rows.
    pub imsgd: LagReading,
    /// From when imsgd saw a message until its line was written to a subscriber's connection.
    pub subscribers: LagReading,
    /// Rows of the database after the newest that was judged. Null while that is not known.
    pub rows_behind: Option<i64>,
    /// When the database was last written to.
    pub database_changed_at: Option<Date>,
    /// When imsgd last looked whether it was.
    pub database_looked_at: Option<Date>,
    #[schemars(extend("enum" = ["nobody", "starting", "imsgd"]))]
    pub late: &'static str,
    /// Who is late, for people.
    pub sentence: String,
}

/// One kind of lag, in microseconds. Null where nothing was measured.
#[derive(Serialize, JsonSchema)]
pub struct LagReading {
    /// Of the last message.
    pub last_us: Option<u64>,
    /// The largest of the last hour.
    pub largest_us: Option<u64>,
}

impl LagReading {
    pub fn new(reading: lag::Reading) -> LagReading {
        let micros = |lag: Option<Duration>| lag.and_then(|lag| u64::try_from(lag.as_micros()).ok());
        LagReading { last_us: micros(reading.last), largest_us: micros(reading.largest) }
    }
}

/// The configuration in force.
#[derive(Serialize, JsonSchema)]
pub struct ConfigState {
    pub path: String,
    /// Why the file as it is now is not the one in force.
    pub error: Option<String>,
}
