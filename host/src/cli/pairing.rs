//! `imsgd pairing`: who waits to be let in, and the owner's answer.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Global, Where, client};
use crate::cli::lines::{local_time, text};

#[derive(Args)]
pub struct Pairing {
    #[command(flatten)]
    at: Where,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the requests that wait, and who was let in
    List,
    /// Let the sender in who was given this code, and deliver what waited
    Approve { code: String },
    /// Turn the request with this code down
    Deny { code: String },
    /// Take an approval back
    Revoke { address: String },
}

impl Pairing {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (method, params) = match &self.action {
            Action::List => ("pairing.list", json!({})),
            Action::Approve { code } => ("pairing.approve", json!({"code": code})),
            Action::Deny { code } => ("pairing.deny", json!({"code": code})),
            Action::Revoke { address } => ("pairing.revoke", json!({"address": address})),
        };
        client::show(global, &self.at, method, &params, |answer| self.words(answer))
    }

    fn words(&self, answer: &Value) -> anyhow::Result<String> {
        Ok(match &self.action {
            Action::List => list(answer),
            Action::Approve { .. } => {
                let released = answer["released"].as_u64().unwrap_or(0);
                let messages = if released == 1 { "message" } else { "messages" };
                format!("{} may write now; {released} held {messages} judged again\n", text(answer, "address"))
            }
            Action::Deny { .. } => format!("{} was turned down\n", text(answer, "address")),
            Action::Revoke { address } if answer["was_paired"] == true => format!("{address} may not write any more\n"),
            Action::Revoke { address } => {
                anyhow::bail!("{address} was not paired; `imsgd pairing list` shows who is")
            }
        })
    }
}

fn list(answer: &Value) -> String {
    let array = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let (pending, paired) = (array("pending"), array("paired"));
    let mut out = String::new();
    if pending.is_empty() {
        out.push_str("nobody waits\n");
    }
    for request in &pending {
        let (code, address) = (text(request, "code"), text(request, "address"));
        out.push_str(&format!("{code}  {address}  until {}\n", local_time(text(request, "expires_at"))));
    }
    if !paired.is_empty() {
        out.push_str("paired:\n");
    }
    for address in &paired {
        out.push_str(&format!("  {}\n", address.as_str().unwrap_or_default()));
    }
    out
}
