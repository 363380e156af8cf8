//! `policy.replay`: what other policies would have decided. On threads of its own, and one at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::error::RpcError;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::wire::replay::{Replay, ReplayProgress, ReplayStopped};
use super::{Answer, Service, answer, wire};
use crate::config::Config;
use crate::contacts::{self, Contacts};
use crate::judge::{InForce, Request};
use crate::plugin::{COMPONENT_BYTES, PluginEngine};
use crate::replay::{self, Component, Outcome, Plan, Progress, Side, Span};
use crate::roster;
use crate::state;
use crate::transport::{Line, Output};

pub const METHOD: &str = "policy.replay";

/// The longest text of a configuration, in bytes.
const CONFIG_BYTES: usize = 1 << 20;

/// Plugins of a configuration. Each is started.
const PLUGINS: usize = 64;

pub const REPLAY: &[Param] = &[
    Param::text("plugin").about(
        "The candidate: a component in base64, as long as a line may be. It takes the place of the plugin of its name.",
    ),
    Param::text("plugin_path").about("Instead: the path of a component where the daemon runs."),
    Param::text("name").about("The name of that plugin. Absent: that of the file, without its extension."),
    Param::text("config").about("The candidate: the text of a whole configuration file, as if it were in force."),
    Param::date("since").about("Only messages that were not sent before this time."),
    Param::date("until").about("Only messages that were sent before this time."),
    CHAT_ID,
    Param::integer("examples").at_least(0).at_most(50).default(3).about("Examples of each change at most."),
    Param::integer("limit").at_least(1).at_most(1000).default(20).about("Senders at most, and as many chats."),
];

/// A plugin to try.
struct Tried {
    name: String,
    component: Given,
}

enum Given {
    Bytes(Vec<u8>),
    /// Read on the thread that works with it: it may be large, and its disk slow.
    Path(PathBuf),
}

impl Tried {
    fn read(self) -> Result<Component, RpcError> {
        let bytes = match self.component {
            Given::Bytes(bytes) => bytes,
            Given::Path(path) => roster::read_file(&path)
                .map_err(|error| RpcError::params(format!("could not read {}: {error}", path.display())))?,
        };
        Ok(Component { name: self.name, bytes })
    }
}

/// What is asked for.
struct Asked {
    tried: Option<Tried>,
    /// Read, but for where its relative paths begin.
    config: Option<Config>,
    span: Span,
    examples: usize,
    limit: usize,
}

impl Asked {
    fn read(params: &Params) -> Result<Asked, RpcError> {
        let (examples, limit) = (params.count("examples")?, params.count("limit")?);
        let span = Span { since: params.date("since")?, until: params.date("until")?, chat: params.chat_id()? };
        let tried = tried(params)?;
        let config = params.text("config")?.map(|text| config(&text)).transpose()?;
        if tried.is_none() && config.is_none() {
            let text = "nothing to compare with what is in force: name a candidate, as plugin, plugin_path or config";
            return Err(RpcError::params(text));
        }
        Ok(Asked { tried, config, span, examples, limit })
    }

    /// Beside `present`, which `config` has put in force.
    fn run(self, beside: Beside<'_>, stop: &AtomicBool, tell: &mut dyn FnMut(Progress)) -> Result<Outcome, RpcError> {
        let Beside { engine, present, config, chatdb, state } = beside;
        // As if it stood where the other one does.
        let wanted = self.config.map(|mut wanted| {
            wanted.path.clone_from(&config.path);
            wanted
        });
        let component = self.tried.map(Tried::read).transpose()?;
        let candidate = replay::candidate(&engine, &present, config, wanted.as_ref(), component)?;
        let stores = state::stores(state)?;
        let (span, examples) = (self.span, self.examples);
        let plan = Plan { chatdb: chatdb.to_owned(), engine, present, candidate, stores, span, examples };
        Ok(replay::run(plan, stop, tell)?)
    }
}

/// What judges now, and where.
struct Beside<'a> {
    engine: PluginEngine,
    present: Side,
    config: &'a Config,
    chatdb: &'a Path,
    state: &'a Path,
}

fn tried(params: &Params) -> Result<Option<Tried>, RpcError> {
    let (given, path, name) = (params.text("plugin")?, params.text("plugin_path")?, params.text("name")?);
    let name = |of_path: Option<&Path>| {
        let stem = of_path.and_then(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        let name = name.clone().or(stem).filter(|name| !name.is_empty());
        name.ok_or_else(|| RpcError::params("name is required with plugin"))
    };
    match (given, path) {
        (None, None) if params.has("name") => Err(RpcError::params("name says what plugin or plugin_path is called")),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(RpcError::params("use only one of plugin, plugin_path")),
        (Some(text), None) => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| RpcError::params("plugin is no base64"))?;
            if bytes.len() as u64 > COMPONENT_BYTES {
                return Err(RpcError::params(format!("plugin is larger than {COMPONENT_BYTES} bytes")));
            }
            Ok(Some(Tried { name: name(None)?, component: Given::Bytes(bytes) }))
        }
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            Ok(Some(Tried { name: name(Some(&path))?, component: Given::Path(path) }))
        }
    }
}

fn config(text: &str) -> Result<Config, RpcError> {
    if text.len() > CONFIG_BYTES {
        return Err(RpcError::params(format!("config is longer than {CONFIG_BYTES} bytes")));
    }
    let config = Config::parse(text, Path::new("the candidate's configuration"))
        .map_err(|error| RpcError::params(error.to_string()))?;
    match config.plugin.len() {
        ..=PLUGINS => Ok(config),
        count => Err(RpcError::params(format!("config has {count} plugins, and a replay takes {PLUGINS} at most"))),
    }
}

/// Runs beside what the daemon does, tells `output` how far it has come, and stops where nobody listens any more.
pub async fn replay(service: &Service, params: Map<String, Value>, output: &Output, id: Option<&Value>) -> Answer {
    // A notification could never be answered.
    let id = id.ok_or_else(|| RpcError::invalid_request("policy.replay needs an id"))?;
    let asked = Asked::read(&Params::new(METHOD, params, REPLAY)?)?;
    let limit = asked.limit;
    let busy = || RpcError::busy("another replay is running; policy.replay_stop ends it");
    let turn = service.replays.begin().ok_or_else(busy)?;
    let InForce { engine, entrants, settings } = service.ask(Request::InForce).await?;
    let (config, readers) = (service.config.load_full(), service.readers.clone());
    // Nobody waits any more where this task is gone.
    let ending = turn.ending();
    let (tell, mut told) = mpsc::channel(1);
    let (finish, mut finished) = oneshot::channel();
    let run = move || {
        let present = Side { entrants, settings };
        let (chatdb, state) = (readers.chatdb_path(), readers.state_path());
        let beside = Beside { engine, present, config: &config, chatdb, state };
        // Who reads slowly is told less often.
        let mut tell = |progress| {
            let _ = tell.try_send(progress);
        };
        let outcome = asked.run(beside, &turn.stop(), &mut tell);
        // The client may never read what came out.
        drop(turn);
        let _ = finish.send(outcome);
    };
    std::thread::Builder::new().name("replay".into()).spawn(run).map_err(RpcError::internal)?;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut finished => break outcome.map_err(RpcError::internal)??,
            Some(progress) = told.recv() => {
                if !output.send(Line::Whole(notification(id, progress))).await {
                    ending.end();
                }
            }
        }
    };
    answer(&Replay::new(&outcome, limit, &service.readers.contacts().catalog()))
}

fn notification(request: &Value, progress: Progress) -> String {
    let params = wire::to_json(&told_as(request, progress));
    format!(r#"{{"jsonrpc":"2.0","method":"policy.replay.progress","params":{params}}}"#)
}

fn told_as(request: &Value, progress: Progress) -> ReplayProgress<'_> {
    let Progress { rows, rows_in_all, judged, different, failed } = progress;
    ReplayProgress { request, rows, rows_in_all, judged, different, failed }
}

/// As a client is told it.
pub fn progress(request: &Value, progress: Progress) -> Value {
    wire::to_value(&told_as(request, progress))
}

/// Ends the replay that runs, whoever asked for it.
pub fn stop(service: &Service) -> Answer {
    answer(&ReplayStopped { ok: true, stopped: service.replays.end() })
}

/// The same where no daemon runs: beside what `config` would put in force.
pub fn alone(config: &Config, params: Map<String, Value>, stop: &AtomicBool, tell: &mut dyn FnMut(Progress)) -> Answer {
    let asked = Asked::read(&Params::new(METHOD, params, REPLAY)?)?;
    let limit = asked.limit;
    let engine = PluginEngine::new().map_err(RpcError::internal)?;
    let present = replay::present(&engine, config)?;
    let state = config.state_dir().join("state.db");
    let beside = Beside { engine, present, config, chatdb: &config.messages.db, state: &state };
    let outcome = asked.run(beside, stop, tell)?;
    let names = contacts::Settings::of(config);
    let names = names.ok_or_else(|| RpcError::internal("messages.region is not the code of a region"))?;
    answer(&Replay::new(&outcome, limit, &Contacts::at_first_use(names).catalog()))
}

impl From<replay::Error> for RpcError {
    fn from(error: replay::Error) -> RpcError {
        match error {
            replay::Error::Candidate(why) => RpcError::params(format!("the candidate is refused: {why}")),
            replay::Error::Database(error) => error.into(),
            replay::Error::Replaced | replay::Error::Thread(..) | replay::Error::Lost => RpcError::internal(error),
        }
    }
}
