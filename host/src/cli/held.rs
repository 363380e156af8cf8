//! `imsgd held`: messages that are held, and the owner's word on them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::look::{FAINT, NAME, NEWS, Reader, paint};
use super::{Global, Where, client, lines};
use crate::cli::lines::{local_time, text};

#[derive(Args)]
pub struct Held {
    #[command(flatten)]
    at: Where,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List what is held, and why; not what it says
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        /// Go on after the message with this guid
        #[arg(long, value_name = "GUID")]
        after: Option<String>,
    },
    /// Show one message with what it says
    Show {
        /// The message's guid or ROWID
        message: String,
    },
    /// Judge again, and let in whoever is only unknown
    ///
    /// What a policy would refuse or cannot judge stays out all the same, and is told.
    Release(Choice),
    /// Never deliver it
    Drop(Choice),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// The message's guid or ROWID
    message: Option<String>,
    /// All that this address wrote
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// All that is held
    #[arg(long)]
    all: bool,
}

/// By number or guid.
pub fn named(message: &str) -> Value {
    match message.parse::<i64>() {
        Ok(rowid) => json!({"rowid": rowid}),
        Err(_) => json!({"guid": message}),
    }
}

impl Choice {
    fn params(&self) -> Value {
        match (&self.message, &self.sender) {
            (Some(message), _) => named(message),
            (None, Some(sender)) => json!({"sender": sender}),
            (None, None) => json!({"all": self.all}),
        }
    }
}

impl Held {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (method, params) = match &self.action {
            Action::List { limit, after: None } => ("held.list", json!({"limit": limit})),
            Action::List { limit, after: Some(after) } => ("held.list", json!({"limit": limit, "after": after})),
            Action::Show { message } => ("held.show", named(message)),
            Action::Release(choice) => ("held.release", choice.params()),
            Action::Drop(choice) => ("held.drop", choice.params()),
        };
        client::show(global, &self.at, method, &params, |answer| {
            Ok(match &self.action {
                Action::List { .. } => list(answer),
                Action::Show { .. } => shown(answer),
                Action::Release(_) | Action::Drop(_) => handled(answer),
            })
        })
    }
}

fn list(answer: &Value) -> String {
    let held = answer["held"].as_array().map(Vec::as_slice).unwrap_or_default();
    if held.is_empty() {
        return "nothing is held\n".to_owned();
    }
    let mut out: String = held.iter().map(line).collect();
    if let Some(next) = answer["next"].as_str().filter(|_| answer["total"].as_u64() > Some(held.len() as u64)) {
        out.push_str(&format!("{} in all; more with --after {next}\n", answer["total"]));
    }
    out
}

/// `ROW GUID since DATE SENDER in chat N: CAUSE`
fn line(held: &Value) -> String {
    let sender = held["sender_name"].as_str().unwrap_or_else(|| text(held, "sender"));
    let since = paint(FAINT, local_time(text(held, "held_since")));
    let (id, guid) = (&held["id"], paint(FAINT, text(held, "guid")));
    format!("{id}  {guid}  {since}  {} in chat {}: {}\n", paint(NAME, sender), held["chat_id"], cause(held))
}

fn cause(held: &Value) -> String {
    match text(held, "cause") {
        "policy_failed" => {
            format!("the policy {} failed: {}", text(&held["policy"], "name"), text(held, "reason"))
        }
        _ => "its sender waits to be let in".to_owned(),
    }
}

fn shown(answer: &Value) -> String {
    let mut out = line(&answer["held"]);
    match answer["message"].is_object() {
        true => out.push_str(&lines::message(&answer["message"], Some(true), Reader::of_stdout())),
        false => out.push_str("It is not in the Messages database any more.\n"),
    }
    out
}

fn handled(answer: &Value) -> String {
    let mut out = String::new();
    for outcome in answer["messages"].as_array().into_iter().flatten() {
        let by = text(&outcome["decided_by"], "name");
        let why = match (text(outcome, "reason"), by) {
            (_, "owner") => String::new(),
            ("", by) => format!(", by the policy {by}"),
            (reason, by) => format!(", by the policy {by}: {reason}"),
        };
        let verdict = match text(outcome, "verdict") {
            "held" => paint(NEWS, "still held"),
            other => other.to_owned(),
        };
        out.push_str(&format!("{}  {}  {verdict}{why}\n", outcome["id"], paint(NAME, text(outcome, "sender"))));
    }
    let counts = answer["verdicts"].as_object().into_iter().flatten();
    let mut counts: Vec<String> = counts.map(|(verdict, count)| format!("{count} {verdict}")).collect();
    if answer["missing"].as_u64() > Some(0) {
        counts.push(format!("{} not in the Messages database any more", answer["missing"]));
    }
    out.push_str(&format!("{}\n", if counts.is_empty() { "nothing was held".to_owned() } else { counts.join(", ") }));
    out
}
