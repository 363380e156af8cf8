//! `imsgd consumers`: whose place in the stream is kept.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::lines::{local_time, text};
use super::{Global, Where, client};

#[derive(Args)]
pub struct Consumers {
    #[command(flatten)]
    at: Where,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List consumers, and how far behind each is
    List,
    /// Forget a consumer that does not come back
    Remove { consumer: String },
}

impl Consumers {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (method, params) = match &self.action {
            Action::List => ("consumers.list", json!({})),
            Action::Remove { consumer } => ("consumers.remove", json!({"consumer": consumer})),
        };
        client::show(global, &self.at, method, &params, |answer| {
            Ok(match &self.action {
                Action::List => list(answer),
                Action::Remove { consumer } => format!("{consumer} is forgotten\n"),
            })
        })
    }
}

fn list(answer: &Value) -> String {
    let consumers = answer["consumers"].as_array().cloned().unwrap_or_default();
    if consumers.is_empty() {
        return "no consumer has a name; `watch.subscribe` gives one with `consumer`\n".to_owned();
    }
    consumers.iter().map(line).collect()
}

fn line(consumer: &Value) -> String {
    let is_connected = consumer["connected"] == true;
    let presence = if is_connected { "connected" } else { "away" };
    let place = match consumer["behind_rows"].as_i64().unwrap_or(0) {
        0 => "nothing to catch up with".to_owned(),
        1 => "1 row behind".to_owned(),
        rows => format!("{rows} rows behind"),
    };
    let since = local_time(text(consumer, "moved_at"));
    format!("{}  {presence}, {place}, moved last at {since}\n", text(consumer, "name"))
}
