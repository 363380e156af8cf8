//! `plugins.list`, `plugins.log`, `plugins.follow` and `plugins.reload`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::RpcError;
use super::feed::{Feed, notification};
use super::param::Param;
use super::params::Params;
use super::wire::plugins::{
    LinesMissed, LogLine, LogNotification, Plugin, PluginLog, Plugins, RefusedPlugin, Reloaded,
};
use super::{Answer, Service, answer};
use crate::config;
use crate::journal;
use crate::judge::Request;
use crate::plugin::log::{LINES_WAITING, Log, Said};
use crate::state::notice;

const NAME: Param = Param::text("name").required().about("Which policy, as `plugins.list` names it.");

pub const LOG: &[Param] =
    &[NAME, Param::integer("limit").at_least(1).at_most(100).default(100).about("How many of the last lines.")];
pub const FOLLOW: &[Param] = &[NAME];

pub async fn list(service: &Service) -> Answer {
    let reports = service.ask(Request::Plugins).await?;
    let held = service.readers.with_state(|state| journal::held_by(state.connection()).inspect_err(notice));
    // Where state.db cannot be read, `status` says so.
    let held = held.await.ok().and_then(Result::ok).unwrap_or_default();
    answer(&Plugins { plugins: reports.iter().map(|report| Plugin::new(report, &held)).collect() })
}

fn find(service: &Service, params: &Params) -> Result<(String, Log), RpcError> {
    let name = params.required_text("name")?;
    match service.logs.find(&name) {
        Some(log) => Ok((name, log)),
        None => {
            let names = service.logs.names();
            let nearest = config::nearest(&name, names.iter().map(String::as_str));
            let hint = nearest.map_or("`plugins.list` has them".to_owned(), |name| format!("did you mean `{name}`?"));
            Err(RpcError::params(format!("there is no plugin `{name}`; {hint}")))
        }
    }
}

pub fn log(service: &Service, params: &Params) -> Answer {
    let (name, log) = find(service, params)?;
    let lines = log.last(params.count("limit")?);
    answer(&PluginLog { name: &name, lines: lines.iter().map(LogLine::new).collect() })
}

/// Every line of one plugin from now on.
pub fn open(service: Arc<Service>, number: u64, map: Map<String, Value>) -> Result<(Feed<Said>, usize), RpcError> {
    let lines = service.logs.follow();
    let (name, _) = find(&service, &Params::new("plugins.follow", map, FOLLOW)?)?;
    let said = move |said: &Said| {
        let is_wanted = *said.plugin == *name;
        is_wanted.then(|| {
            let (plugin, line) = (&*said.plugin, LogLine::new(&said.line));
            notification("plugin.log", &LogNotification { subscription: number, plugin, line })
        })
    };
    let missed = move |missed| notification("plugin.log.missed", &LinesMissed { subscription: number, missed });
    Ok((Feed::new(lines, said, missed), LINES_WAITING))
}

/// Reads configuration and plugins anew, now.
pub async fn reload(service: &Service) -> Answer {
    let installed = service.reloader.reload().await.map_err(RpcError::internal)?;
    let refused: Vec<_> = installed.refused.iter().map(|(name, reason)| RefusedPlugin { name, reason }).collect();
    answer(&Reloaded { ok: refused.is_empty(), changed: &installed.changed, removed: &installed.removed, refused })
}
