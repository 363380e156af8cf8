//! `imsgd policy replay`: by the running daemon, so that only it needs permission, else by ourselves.

use std::io::{self, IsTerminal};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::report;
use crate::cli::look::{self, Reader};
use crate::cli::{Global, Where, client, print, values};
use crate::config::{Config, Overrides};
use crate::rpc;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Show what other policies would have decided about past messages
///
/// The candidate is what is in force with `--plugin` in place of the plugin of that name (or beside the others), or
/// what the file of `--config` would put in force, or both. Nothing is sent, and neither policies nor journal keep
/// anything of it.
#[derive(Args)]
pub struct Replay {
    /// Only messages since then: a span such as `30d` or `12h`, a date, or a time in RFC 3339
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    since: Option<jiff::Timestamp>,
    /// Only messages before then
    #[arg(long, value_name = "WHEN", value_parser = values::moment)]
    until: Option<jiff::Timestamp>,
    /// Only this chat: its `id`, as `chats` shows it
    #[arg(long, visible_alias = "chat", value_name = "ID")]
    #[arg(value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: Option<i64>,
    /// The candidate: a component
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// What that plugin is called, if not as its file
    #[arg(long, value_name = "NAME", requires = "plugin")]
    name: Option<String>,
    /// The configuration that is in force, if it is not in its usual place: `--config` names the candidate here
    #[arg(long, value_name = "FILE", conflicts_with = "account")]
    against: Option<PathBuf>,
    /// Examples of each change at most
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=50))]
    examples: u8,
    /// Senders at most, and as many chats
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    at: Where,
}

impl Replay {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let Where { db, socket } = self.at.clone();
        let (config, account) = (self.against.clone(), global.account.clone());
        let config = Config::load(&Overrides { config, account, db, socket })?;
        let params = self.params(global)?;
        let sign = Sign::new();
        let answer = match client::connect(&config) {
            Some(stream) => ask(stream, &params, &sign)?,
            None => alone(&config, params, &sign)?,
        };
        drop(sign);
        let Some(answer) = answer else { return Ok(ExitCode::from(INTERRUPTED)) };
        let is_stopped = answer["stopped_early"] == true;
        if global.json {
            print(&format!("{answer}\n"));
        } else {
            let _ = look::show(&report::text_of(&look::harmless(answer), Reader::of_stdout()));
        }
        if is_stopped {
            crate::cli::say("stopped early: this is of the oldest messages only");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn params(&self, global: &Global) -> anyhow::Result<Map<String, Value>> {
        let mut params = Map::new();
        let mut give = |key: &str, value: Value| {
            if !value.is_null() {
                params.insert(key.to_owned(), value);
            }
        };
        if let Some(path) = &self.plugin {
            // The daemon has another folder.
            let path = std::path::absolute(path).with_context(|| format!("could not find {}", path.display()))?;
            give("plugin_path", json!(path));
        }
        if let Some(path) = &global.config {
            let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
            give("config", json!(text));
        }
        give("name", json!(self.name));
        give("since", json!(self.since.map(|at| at.to_string())));
        give("until", json!(self.until.map(|at| at.to_string())));
        give("chat_id", json!(self.chat_id));
        give("examples", json!(self.examples));
        give("limit", json!(self.limit));
        Ok(params)
    }
}

/// How far it has come, on stderr, for people.
struct Sign(ProgressBar);

impl Sign {
    fn new() -> Sign {
        if !io::stderr().is_terminal() {
            return Sign(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}% {msg} {elapsed}, {eta} to go") {
            bar.set_style(style);
        }
        Sign(bar)
    }

    fn show(&self, progress: &Value) {
        let number = |key: &str| progress[key].as_u64().unwrap_or_default();
        self.0.set_length(number("rows_in_all"));
        self.0.set_position(number("rows"));
        let failed = match number("failed") {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        self.0.set_message(format!("{} judged, {} different{failed}", number("judged"), number("different")));
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Has the daemon do it. None where it was interrupted twice.
fn ask(stream: UnixStream, params: &Map<String, Value>, sign: &Sign) -> anyhow::Result<Option<Value>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        stream.set_nonblocking(true)?;
        let (input, mut output) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let mut lines = BufReader::new(input).lines();
        let mut say = async |id: u8, method: &str, params: &Map<String, Value>| {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
            output.write_all(format!("{request}\n").as_bytes()).await.context("could not ask the daemon")
        };
        say(1, rpc::replay::METHOD, params).await?;
        let mut is_stopping = false;
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let line = line.context("the daemon was lost")?.ok_or_else(|| anyhow!("the daemon has ended"))?;
                    let mut line: Value = serde_json::from_str(&line).context("the daemon gave no JSON")?;
                    if line["method"] == "policy.replay.progress" {
                        sign.show(&line["params"]);
                        if is_stopping {
                            // What was asked first may have come before there was anything to stop.
                            say(2, "policy.replay_stop", &Map::new()).await?;
                        }
                    } else if let Some(error) = line.get("error").filter(|_| line["id"] == 1) {
                        return Err(client::failure(error));
                    } else if line["id"] == 1 {
                        return Ok(Some(line["result"].take()));
                    }
                }
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    if is_stopping {
                        return Ok(None);
                    }
                    is_stopping = true;
                    say(2, "policy.replay_stop", &Map::new()).await?;
                }
            }
        }
    })
}

/// Does it in this process.
fn alone(config: &Config, params: Map<String, Value>, sign: &Sign) -> anyhow::Result<Option<Value>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if asked.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(INTERRUPTED));
            }
        }
    });
    let mut tell = |progress| sign.show(&rpc::replay::progress(&Value::Null, progress));
    let answer = rpc::replay::alone(config, params, &stop, &mut tell);
    runtime.shutdown_background();
    let answer = answer.map_err(|error| client::failure(&error.to_json()))?;
    Ok(Some(serde_json::from_str(answer.get())?))
}
