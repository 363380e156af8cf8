//! `imsgd outbox`: what was sent, and the switch that stops all sending.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Global, Where, client, print, session};
use crate::cli::lines::{local_time, text};
use crate::daemon::Role;
use crate::outbox::record::State;

#[derive(Args)]
pub struct Outbox {
    #[command(flatten)]
    at: Where,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List what was sent and what waits, the newest first; never the texts
    List {
        /// Show this many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
        /// Show only those in this state
        #[arg(long, value_name = "STATE", value_parser = State::NAMES)]
        state: Option<String>,
    },
    /// Hand nothing to Messages any more, until `resume`: no message, no reaction, no answer to a stranger
    Pause {
        /// Tell this to clients that want to send
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let messages leave again
    Resume,
}

impl Outbox {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (method, params) = match &self.action {
            Action::List { limit, state: Some(state) } => ("outbox.list", json!({"limit": limit, "state": state})),
            Action::List { limit, state: None } => ("outbox.list", json!({"limit": limit})),
            Action::Pause { reason: Some(reason) } => ("outbox.pause", json!({"reason": reason})),
            Action::Pause { reason: None } => ("outbox.pause", json!({})),
            Action::Resume => ("outbox.resume", json!({})),
        };
        session::with(global, &self.at, Role::Errand, async |mut session| {
            let answer = session.call(method, &params).await?;
            if let (Action::List { .. }, true) = (&self.action, global.json) {
                answer["sends"].as_array().into_iter().flatten().for_each(|send| print(&format!("{send}\n")));
                return Ok(ExitCode::SUCCESS);
            }
            client::tell(global, answer, |answer| {
                Ok(match &self.action {
                    Action::List { .. } => list(answer),
                    Action::Pause { .. } => "nothing is sent until `imsgd outbox resume`\n".to_owned(),
                    Action::Resume if answer["was_paused"] == true => "messages leave again\n".to_owned(),
                    Action::Resume => "sending was not paused\n".to_owned(),
                })
            })
        })
    }
}

fn list(answer: &Value) -> String {
    let mut out = paused(&answer["paused"]).map(|line| format!("{line}\n")).unwrap_or_default();
    let sends = answer["sends"].as_array().cloned().unwrap_or_default();
    if sends.is_empty() {
        out.push_str("nothing\n");
    }
    for send in &sends {
        let (state, kind, target) = (text(send, "state"), text(send, "kind"), text(send, "target"));
        let id = &send["id"];
        out.push_str(&format!("{id:>6}  {}  {state:11}  {kind:8}  {target}\n", local_time(text(send, "updated_at"))));
        if !text(send, "error").is_empty() {
            out.push_str(&format!("        {}\n", text(send, "error")));
        }
    }
    out
}

/// Of a pause, if there is one.
pub fn paused(pause: &Value) -> Option<String> {
    let since = pause["since"].as_str()?;
    let reason = pause["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    Some(format!("sending is paused since {}{reason}", local_time(since)))
}
