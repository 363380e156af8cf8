//! The objects of `plugins.*`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::chain::{PluginReport, Source};

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
    /// The last lines that it wrote.
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

/// A line that a policy wrote.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PluginLogLine")]
pub struct LogLine<'a> {
    pub at: Date,
    pub level: &'a str,
    pub text: &'a str,
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
    pub fn new(report: &'a PluginReport) -> Plugin<'a> {
        let stats = &report.stats;
        let mean = stats.time.checked_div(u32::try_from(stats.calls).unwrap_or(u32::MAX));
        let line =
            |line: &'a crate::plugin::LogLine| LogLine { at: Date(line.at), level: line.level, text: &line.text };
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
            mean_us: mean.map_or(0, |mean| u64::try_from(mean.as_micros()).unwrap_or(u64::MAX)),
            log: report.log.iter().map(line).collect(),
            version: report.version.as_deref(),
            loaded_at: report.loaded_at.map(Date),
            broken: report.broken.as_deref(),
            refused: report.refused.as_deref(),
            last_failure: stats.last_failure.as_deref(),
        }
    }
}
