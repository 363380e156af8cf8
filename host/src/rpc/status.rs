//! `initialize` and `status`: what this program is, what it can do now, and how it has been doing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::Date;
use super::wire::consumers::Consumer;
use super::wire::plugins::Plugin;
use super::wire::status::{
    Bridge, Capabilities, ConfigState, Contacts, Database, Engine, Lag, LagReading, OwnState, StateLost, Status,
    Subscriber,
};
use super::{Answer, METHODS, Method, Service, answer, supported_methods};
use crate::config::Scopes;
use crate::journal;
use crate::judge::Request;
use crate::lag::{self, Facts, Late};
use crate::message::RowId;
use crate::state::notice;

/// How long the judge may take to tell of its plugins, which are left out then.
const JUDGE_WITHIN: Duration = Duration::from_secs(2);

/// The version of the protocol, not of the program.
const PROTOCOL_VERSION: i64 = 1;

pub const INITIALIZE: &[Param] =
    &[Param::integer("protocol_version").default(PROTOCOL_VERSION).about("The version that the client speaks.")];

pub async fn initialize(service: &Service, params: &Params, scopes: Scopes) -> Answer {
    match params.integer("protocol_version")? {
        None | Some(PROTOCOL_VERSION) => status(service, scopes).await,
        Some(other) => Err(RpcError::params(format!(
            "unsupported protocol_version {other}; supported version is {PROTOCOL_VERSION}"
        ))),
    }
}

pub async fn status(service: &Service, scopes: Scopes) -> Answer {
    let probe = service.readers.with(|reader| {
        let held = journal::held_by(reader.state()?.connection()).inspect_err(notice).unwrap_or_default();
        Ok::<_, RpcError>((reader.chatdb.schema().features(), held, reader.chatdb.max_rowid()?))
    });
    let probed = probe.await;
    let path = service.readers.chatdb_path().display().to_string();
    let database = match &probed {
        Ok((features, ..)) => Database { path, ready: true, features: Some((*features).into()), error: None },
        Err(error) => Database { path, ready: false, features: None, error: Some(database_error(error)) },
    };
    let is_ready = probed.is_ok();
    let has_schedule = probed.as_ref().is_ok_and(|(features, ..)| features.scheduled_messages);
    let is_usable = |method: &&Method| {
        let is_possible = match method.name {
            "messages.scheduled" => has_schedule,
            _ => is_ready || !method.needs_database,
        };
        is_possible && method.scope.is_none_or(|scope| scopes.has(scope))
    };
    // A judge that hangs is a state too, and `lag` tells of it.
    let reports = tokio::time::timeout(JUDGE_WITHIN, service.ask(Request::Plugins)).await;
    let reports = reports.unwrap_or_else(|_| Ok(Vec::new()))?;
    let stats = service.stats.snapshot();
    let nothing = BTreeMap::new();
    let held = probed.as_ref().map_or(&nothing, |(_, held, _)| held);
    // Where state.db cannot be read there is more to say than this.
    let consumers = service.consumers.list().await.unwrap_or_default();
    let head = service.hub.head();
    let config = service.config.load();
    answer(&Status {
        version: env!("CARGO_PKG_VERSION"),
        protocol_version: PROTOCOL_VERSION,
        database,
        bridge: Bridge { ready: false, error: "imsgd has no private bridge into Messages" },
        contacts: contacts(service),
        methods: METHODS.iter().filter(is_usable).map(|method| method.name).collect(),
        supported_methods: supported_methods().collect(),
        capabilities: Capabilities { engine: Engine { version: env!("CARGO_PKG_VERSION") }, features: BTreeMap::new() },
        imsgd: OwnState {
            pid: std::process::id(),
            executable: std::env::current_exe().ok().map(|path| path.display().to_string()),
            config: ConfigState { path: config.path.display().to_string(), error: service.reloader.config_error() },
            state_dir: config.state_dir().display().to_string(),
            scopes: scopes.names(),
            head: head.map(|head| head.0),
            subscriptions: service.hub.subscriber_count(),
            subscribers: service
                .hub
                .queues()
                .into_iter()
                .map(|(waiting, buffer)| Subscriber { waiting, buffer })
                .collect(),
            consumers: consumers.iter().map(|report| Consumer::new(report, head)).collect(),
            sending_paused: service.switch.paused().map(Into::into),
            held: held.values().sum(),
            verdicts: stats.verdicts.iter().map(|(verdict, count)| (verdict.as_str(), *count)).collect(),
            last_error: stats.last_error.as_deref(),
            state_lost: service.lost.iter().filter(|lost| lost.path.exists()).map(StateLost::from).collect(),
            lag: lag(service, probed.as_ref().ok().map(|(.., newest)| *newest)),
            plugins: reports.iter().map(|report| Plugin::new(report, held)).collect(),
        },
    })
}

fn lag(service: &Service, newest: Option<RowId>) -> Lag {
    let measured = service.hub.lag.snapshot();
    let behind = newest.zip(service.hub.head()).map(|(newest, head)| (newest.0 - head.0).max(0));
    let changed_at = lag::changed_at(service.readers.chatdb_path());
    let facts = Facts { looked_at: measured.looked_at, changed_at, behind, now: Timestamp::now() };
    Lag {
        messages: LagReading::new(measured.written),
        imsgd: LagReading::new(measured.seen),
        subscribers: LagReading::new(measured.told),
        rows_behind: behind,
        database_changed_at: changed_at.map(Date),
        database_looked_at: measured.looked_at.map(Date),
        late: match facts.late() {
            Late::Nobody => "nobody",
            Late::Starting => "starting",
            Late::Imsgd => "imsgd",
        },
        sentence: facts.sentence(),
    }
}

/// From what was read before: nothing is waited for.
fn contacts(service: &Service) -> Contacts {
    let error = service.readers.contacts().catalog().problem().map(str::to_owned);
    Contacts { available: error.is_none(), error }
}

fn database_error(error: &RpcError) -> String {
    let detail = error.data.get("detail").unwrap_or(&error.data);
    detail.as_str().map_or_else(|| detail.to_string(), str::to_owned)
}
