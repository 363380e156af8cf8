//! `imsgd status`: one screen about the daemon and its database. Always exits with 0: not running is a status too.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::look::{self, NAME, paint};
use super::{Global, Where, client, outbox, plugin, print};
use crate::chatdb::ChatDb;
use crate::cli::lines::text;
use crate::config::Config;
use crate::doctor;

pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    pub at: Where,
}

impl Status {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = match global.load(&self.at) {
            Ok(config) => config,
            Err(error) => {
                broken(&error, global.json);
                return Ok(ExitCode::SUCCESS);
            }
        };
        let asked = client::connect(&config).map(ask).transpose();
        let problem = asked.as_ref().err().map(ToString::to_string);
        let answer = asked.unwrap_or_default();
        if global.json {
            print(&format!("{}\n", for_probes(answer, &config, problem)));
        } else {
            let _ = look::show(&screen(&answer.map(look::harmless), &config, problem.as_deref()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A daemon that does not answer is a status too.
pub(super) fn ask(stream: UnixStream) -> anyhow::Result<Value> {
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    client::call_on(stream, "status", &json!({}))
}

/// Of a configuration that cannot be read, no more can be said.
fn broken(error: &anyhow::Error, json: bool) {
    if json {
        let mut status = own();
        status["running"] = false.into();
        status["database"] = json!({"ready": false, "error": error.to_string()});
        print(&format!("{status}\n"));
    } else {
        let title = title();
        let _ = look::show(&format!("{title}configuration  {}\n", look::harmless_text(&error.to_string())));
    }
}

fn title() -> String {
    format!("{}\nversion        {}\n", paint(NAME, "imsgd Status Report"), env!("CARGO_PKG_VERSION"))
}

/// What `imsg status --json` says, for whoever probes with it, and all that the daemon says beside.
fn for_probes(answer: Option<Value>, config: &Config, problem: Option<String>) -> Value {
    let mut status = own();
    status["running"] = (answer.is_some() || problem.is_some()).into();
    if let Some(problem) = problem {
        status["problem"] = problem.into();
    }
    match answer {
        Some(Value::Object(of_daemon)) => {
            for (key, value) in of_daemon {
                status[key] = value;
            }
        }
        _ => status["database"] = database(config),
    }
    status
}

fn own() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "basic_features": true,
        "advanced_features": false,
        "typing_indicators": false,
        "read_receipts": false,
        "sip": "unknown",
        "message": "imsgd reads and sends without a private bridge",
        "bridge_version": 0,
        "v2_ready": false,
        "selectors": {},
        "rpc_methods": crate::rpc::supported_methods().filter(|name| *name != "send.tracked").collect::<Vec<_>>(),
        "capabilities": {"engine": {"version": env!("CARGO_PKG_VERSION")}, "features": {}},
    })
}

fn database(config: &Config) -> Value {
    let path = config.messages.db.display().to_string();
    match ChatDb::open(&config.messages.db) {
        Ok(_) => json!({"path": path, "ready": true}),
        Err(error) => json!({"path": path, "ready": false, "error": error.to_string()}),
    }
}

fn screen(answer: &Option<Value>, config: &Config, problem: Option<&str>) -> String {
    let mut out = title();
    let mut line = |name: &str, text: String| out.push_str(&format!("{name:14} {text}\n"));
    let of_database = answer.as_ref().map_or_else(|| database(config), |answer| answer["database"].clone());
    let path = text(&of_database, "path");
    match of_database["ready"] == true {
        true => line("database", format!("{path} (readable)")),
        false => line("database", format!("{path}: {}", text(&of_database, "error"))),
    }
    let Some(answer) = answer else {
        let text = problem.map(|problem| format!("runs, but gave no status: {problem}"));
        line("daemon", text.unwrap_or_else(|| "not running; start it with `imsgd serve`".to_owned()));
        return out;
    };
    let own = &answer["imsgd"];
    line("daemon", format!("running, process {}", own["pid"]));
    line("socket", client::socket_of(config).display().to_string());
    line("configuration", text(&own["config"], "path").to_owned());
    if let Some(error) = own["config"]["error"].as_str() {
        line("", format!("refused, the one before is in force: {error}"));
    }
    match answer["contacts"]["error"].as_str() {
        Some(problem) => line("contacts", problem.to_owned()),
        None => line("contacts", "readable".to_owned()),
    }
    line("subscriptions", own["subscriptions"].to_string());
    let verdicts = own["verdicts"].as_object().cloned().unwrap_or_default();
    let mut counts: Vec<String> = verdicts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    counts.sort_unstable();
    line("judged", if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") });
    if let Some(paused) = outbox::paused(&own["sending_paused"]) {
        line("sending", format!("{paused}; `imsgd outbox resume` ends that"));
    }
    line("held", own["held"].to_string());
    line("lag", doctor::readings(&own["lag"]));
    line("", text(&own["lag"], "sentence").to_owned());
    if let Some(error) = own["last_error"].as_str() {
        line("problem", error.to_owned());
    }
    for lost in own["state_lost"].as_array().into_iter().flatten() {
        let (path, reason) = (text(lost, "path"), text(lost, "reason"));
        line("state lost", format!("{path} was damaged ({reason}): who was paired has to be approved again"));
    }
    out.push_str("plugins\n");
    for row in plugin::table(own).lines() {
        out.push_str(&format!("  {row}\n"));
    }
    out
}
