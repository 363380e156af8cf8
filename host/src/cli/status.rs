//! `imsgd status`: one screen about the daemon and its database. Always exits with 0: not running is a status too.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::look::{self, NAME, paint};
use super::{Global, Where, client, outbox, print};
use crate::chatdb::ChatDb;
use crate::cli::lines::text;
use crate::config::Config;
use crate::doctor;

pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    pub at: Where,
    /// Ask as any other program would.
    #[arg(skip)]
    pub as_client: bool,
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
        let connect = if self.as_client { client::connect_as_client } else { client::connect };
        let asked = connect(&config).map(ask).transpose();
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
        status["running"] = Value::Null;
        status["database"] = json!({"ready": false, "error": error.to_string()});
        print(&format!("{status}\n"));
    } else {
        let title = title();
        let error = look::harmless_text(&error.to_string());
        let _ = look::show(&format!(
            "{title}configuration  {error}\n               A daemon that runs goes on with the one before.\n"
        ));
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
    let mut line = |name: &str, text: &str| out.push_str(&wrapped(name, text));
    let of_database = answer.as_ref().map_or_else(|| database(config), |answer| answer["database"].clone());
    let path = text(&of_database, "path");
    match of_database["ready"] == true {
        true => line("database", &format!("{path} (readable)")),
        false => line("database", &format!("{path}: {}", text(&of_database, "error"))),
    }
    let Some(answer) = answer else {
        let text = problem.map(|problem| format!("runs, but gave no status: {problem}"));
        line("daemon", &text.unwrap_or_else(|| "not running; start it with `imsgd serve`".to_owned()));
        return out;
    };
    let own = &answer["imsgd"];
    line("daemon", &format!("running, process {}", own["pid"]));
    line("socket", &client::socket_of(config).display().to_string());
    line("configuration", text(&own["config"], "path"));
    if let Some(error) = own["config"]["error"].as_str() {
        line("", &format!("refused, the one before is in force: {error}"));
    }
    line("contacts", answer["contacts"]["error"].as_str().unwrap_or("readable"));
    let names = own["consumers"].as_array().map_or(0, Vec::len);
    line("subscriptions", &format!("{}, and {names} consumers with a kept place", own["subscriptions"]));
    line("judged", &judged(own));
    line("held", &own["held"].to_string());
    if let Some(paused) = outbox::paused(&own["sending_paused"]) {
        line("sending", &format!("{paused}; `imsgd outbox resume` ends that"));
    }
    line("lag", &doctor::readings(&own["lag"]));
    line("", text(&own["lag"], "sentence"));
    if let Some(error) = own["last_error"].as_str() {
        line("problem", error);
    }
    for lost in own["state_lost"].as_array().into_iter().flatten() {
        let (path, reason) = (text(lost, "path"), text(lost, "reason"));
        line("state lost", &format!("{path} was damaged ({reason}): who was paired has to be approved again"));
    }
    out.push_str("plugins\n");
    out.push_str(&plugins(own));
    out
}

/// How often each verdict was given since the start.
pub(super) fn judged(own: &Value) -> String {
    let verdicts = own["verdicts"].as_object().cloned().unwrap_or_default();
    let mut counts: Vec<String> = verdicts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    counts.sort_unstable();
    if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") }
}

/// Of a terminal, and of the names before what is said.
const COLUMNS: usize = 80;
const NAME_COLUMNS: usize = 15;

/// A named line, with what does not fit below it. What has no blanks stays whole, so that a path can be copied.
fn wrapped(name: &str, text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| look::width(line));
        match lines.last_mut() {
            Some(last) if line == 0 => last.push_str(word),
            Some(last) if NAME_COLUMNS + line + 1 + look::width(word) <= COLUMNS => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names.zip(&lines).map(|(name, line)| format!("{}{line}\n", look::padded(name, NAME_COLUMNS))).collect()
}

/// A line for each, and what is wrong with it; `imsgd plugin list` tells more.
fn plugins(own: &Value) -> String {
    let plugins = own["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let columns = plugins.iter().map(|plugin| look::width(text(plugin, "name"))).max().unwrap_or(0);
    let mut out = String::new();
    for plugin in plugins {
        let name = look::padded(text(plugin, "name"), columns);
        let counts = format!("{} calls, {} failed, {} held", plugin["calls"], plugin["failures"], plugin["held"]);
        let times = match (plugin["p50_us"].as_u64(), plugin["p99_us"].as_u64()) {
            (Some(half), Some(most)) => format!("  p50 {half} µs, p99 {most} µs"),
            _ => String::new(),
        };
        out.push_str(&format!("  {name}  {:7}  {counts}{times}\n", text(plugin, "state")));
        for key in ["broken", "refused", "last_failure"] {
            if let Some(problem) = plugin[key].as_str() {
                out.push_str(&wrapped("", &format!("{}: {problem}", key.replace('_', " "))));
            }
        }
    }
    out
}
