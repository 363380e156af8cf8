//! The objects of `plugins.*`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::chain::{PluginReport, Source};
use crate::plugin;

/// The policies, in the order in which they are asked.
#[derive(Serialize, JsonSchema)]
pub struct Plugins<'a> {
    pub plugins: Vec<Plugin<'a>>,
}

/// A policy, and how it does.
#[derive(Serialize, JsonSchema)]
pub struct Plugin<'a> {
    pub name: &'a str,
    /// `bundled`, or its file.
    pub source: String,
    /// What it answers to.
    pub interfaces: Vec<&'static str>,
    /// `broken`: it judges nothing, and what it would judge is held. `refused`: it never could be loaded.
    #[schemars(extend("enum" = ["ready", "broken", "refused"]))]
    pub state: &'static str,
    pub calls: u64,
    pub failures: u64,
    /// Microseconds for a call, on average.
    pub mean_us: u64,
    /// Microseconds that half of the calls stayed within, to an eighth. Absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// The same of 99 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u64>,
    /// Messages that are held now because of it: it failed on them, or wants their senders to introduce themselves.
    pub held: i64,
    /// Bytes of memory that its instance has. Absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<usize>,
    /// The last few lines of its log; `plugins.log` has more.
    pub log: Vec<LogLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded_at: Option<Date>,
    /// Why it judges nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<&'a str>,
    /// Why its newest file is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<&'a str>,
}

/// A line of a policy's log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginLogLine")]
pub struct LogLine<'a> {
    /// Counts the lines of all policies since imsgd was started: later lines have greater numbers.
    pub number: u64,
    pub at: Date,
    /// Who wrote it. `imsgd` tells of failures, refusals, and of versions that come into force.
    #[schemars(extend("enum" = ["plugin", "imsgd"]))]
    pub by: &'static str,
    #[schemars(extend("enum" = ["debug", "info", "warn", "error"]))]
    pub level: &'a str,
    pub text: &'a str,
}

impl<'a> LogLine<'a> {
    pub fn new(line: &'a plugin::LogLine) -> LogLine<'a> {
        let by = if line.by_host { "imsgd" } else { "plugin" };
        LogLine { number: line.number, at: Date(line.at), by, level: line.level, text: &line.text }
    }
}

/// The log of one policy, the oldest line first.
#[derive(Serialize, JsonSchema)]
pub struct PluginLog<'a> {
    pub name: &'a str,
    pub lines: Vec<LogLine<'a>>,
}

/// Notification `plugin.log`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginLogNotification")]
pub struct LogNotification<'a> {
    pub subscription: u64,
    /// The name of the policy.
    pub plugin: &'a str,
    pub line: LogLine<'a>,
}

/// Notification `plugin.log.missed`: the client read too slowly. `plugins.log` has what is kept of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginLogMissed")]
pub struct LinesMissed {
    pub subscription: u64,
    /// How many lines, of all policies together.
    pub missed: u64,
}

/// What reading configuration and plugins anew has changed.
#[derive(Serialize, JsonSchema)]
pub struct Reloaded<'a> {
    /// Was nothing refused?
    pub ok: bool,
    pub changed: &'a [String],
    pub removed: &'a [String],
    pub refused: Vec<RefusedPlugin<'a>>,
}

/// A plugin that was not taken. Where an older version ran, it still does.
#[derive(Serialize, JsonSchema)]
pub struct RefusedPlugin<'a> {
    pub name: &'a str,
    pub reason: &'a str,
}

impl<'a> Plugin<'a> {
    /// `held`: how many messages each policy holds now.
    pub fn new(report: &'a PluginReport, held: &BTreeMap<String, i64>) -> Plugin<'a> {
        let stats = &report.stats;
        let mean = stats.time.checked_div(u32::try_from(stats.calls).unwrap_or(u32::MAX));
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Plugin {
            name: &report.name,
            source: match &report.source {
                Source::Bundled => "bundled".to_owned(),
                Source::File(path) => path.display().to_string(),
            },
            interfaces: report.interfaces.iter().map(|interface| interface.name()).collect(),
            state: match (&report.broken, &report.version) {
                (Some(_), _) => "broken",
                (None, Some(_)) => "ready",
                (None, None) => "refused",
            },
            calls: stats.calls,
            failures: stats.failures,
            mean_us: mean.map_or(0, micros),
            p50_us: stats.times.percentile(50).map(micros),
            p99_us: stats.times.percentile(99).map(micros),
            held: held.get(&report.name).copied().unwrap_or(0),
            memory_bytes: report.memory_bytes,
            log: report.log.iter().map(LogLine::new).collect(),
            version: report.version.as_deref(),
            loaded_at: report.loaded_at.map(Date),
            broken: report.broken.as_deref(),
            refused: report.refused.as_deref(),
            last_failure: stats.last_failure.as_deref(),
        }
    }
}
