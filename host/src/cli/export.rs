//! `imsgd export`: all messages as JSON lines, read by several threads and printed in order.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::read::Alone;
use super::waiting::Waiting;
use super::{Global, Where, client, values};
use crate::config::Config;
use crate::rpc::{self, EXPORT_ROWS};

/// Readers at most: what they read is printed by one.
const READERS: usize = 8;

/// What a reader may have ready that is not printed yet.
const AHEAD: usize = 2;

const LOST: &str = "the imsgd daemon has ended; `--since-rowid` with the last `id` goes on from there";

/// Write all messages as JSON lines, oldest first
///
/// Each line is a message as `history --json` has it, in the order in which Messages wrote them; tapbacks are messages
/// too, with `is_reaction`. What the policies said of them does not count. To go on later, give the greatest `id` as
/// `--since-rowid`; what changed in older messages is not told then.
#[derive(Args)]
pub struct Export {
    /// Only messages after this one
    #[arg(long, value_name = "ID", default_value_t = 0, value_parser = values::cursor, allow_negative_numbers = true)]
    since_rowid: i64,
    /// Convert CAF, GIF and HEIC into forms that models take
    #[arg(long)]
    convert_attachments: bool,
    #[command(flatten)]
    at: Where,
}

impl Export {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = global.load(&self.at)?;
        let waiting = Waiting::begin("exporting");
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(READERS));
        let sources = Source::several(&config, count)?;
        let (since, step) = (self.since_rowid.max(0), i64::try_from(EXPORT_ROWS * count)?);
        thread::scope(|scope| {
            let parts = sources.into_iter().zip((since..).step_by(EXPORT_ROWS)).map(|(source, first)| {
                let (send, parts) = sync_channel(AHEAD);
                let params = |since| self.params(since);
                scope.spawn(move || source.read(first, step, params, &send));
                parts
            });
            print_in_turn(&parts.collect::<Vec<_>>())
        })?;
        drop(waiting);
        Ok(ExitCode::SUCCESS)
    }

    fn params(&self, since: i64) -> Value {
        json!({
            "since_rowid": since,
            "limit": EXPORT_ROWS,
            "attachments": true,
            "convert_attachments": self.convert_attachments,
        })
    }
}

/// Some messages, a line each.
type Part = anyhow::Result<Vec<u8>>;

/// The first part of each, then the next of each, until one has no more or nobody reads us.
fn print_in_turn(readers: &[Receiver<Part>]) -> anyhow::Result<()> {
    let mut stdout = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    for reader in readers.iter().cycle() {
        let Ok(part) = reader.recv() else { break };
        let part = part?;
        if !is_read(stdout.write_all(&part))? {
            return Ok(());
        }
    }
    is_read(stdout.flush())?;
    Ok(())
}

/// False once whoever read us has what they wanted.
fn is_read(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("could not write to stdout"),
    }
}

/// Who answers one reader.
enum Source {
    Daemon(BufReader<UnixStream>),
    /// Nobody serves.
    Ourselves(Alone, Runtime),
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<Page<'a>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    has_more: bool,
}

impl Source {
    fn several(config: &Config, count: usize) -> anyhow::Result<Vec<Source>> {
        let mut sources = Vec::with_capacity(count);
        match client::connect(config) {
            Some(first) => {
                let others = (1..count).map(|_| client::connected(config, client::connect));
                for stream in std::iter::once(Ok(first)).chain(others) {
                    sources.push(Source::Daemon(BufReader::with_capacity(1 << 20, stream?)));
                }
            }
            None => {
                let alone = Alone::new(config)?;
                for _ in 0..count {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    sources.push(Source::Ourselves(alone.clone(), runtime));
                }
            }
        }
        Ok(sources)
    }

    /// Reads what begins after `since`, then what begins `step` rows after that, as long as somebody wants it.
    fn read(mut self, mut since: i64, step: i64, params: impl Fn(i64) -> Value, parts: &SyncSender<Part>) {
        loop {
            let (part, has_more) = match self.page(&params(since)) {
                Ok((lines, has_more)) => (Ok(lines), has_more),
                Err(error) => (Err(error), false),
            };
            if parts.send(part).is_err() || !has_more {
                return;
            }
            since += step;
        }
    }

    fn page(&mut self, params: &Value) -> anyhow::Result<(Vec<u8>, bool)> {
        match self {
            Source::Daemon(stream) => {
                let request = json!({"jsonrpc": "2.0", "id": 1, "method": rpc::EXPORT, "params": params});
                stream.get_mut().write_all(format!("{request}\n").as_bytes()).context(LOST)?;
                let mut line = String::new();
                ensure!(stream.read_line(&mut line).context(LOST)? > 0, LOST);
                let answer: Answer<'_> = serde_json::from_str(&line).context("the daemon gave no JSON")?;
                match (answer.result, answer.error) {
                    (Some(page), _) => Ok(page.lines()),
                    (None, error) => Err(client::failure(&error.unwrap_or_default())),
                }
            }
            Source::Ourselves(alone, runtime) => {
                let map: Map<String, Value> = serde_json::from_value(params.clone())?;
                runtime.block_on(alone.export(map))
            }
        }
    }
}

impl Page<'_> {
    fn lines(&self) -> (Vec<u8>, bool) {
        let mut lines = Vec::with_capacity(self.messages.iter().map(|message| message.get().len() + 1).sum());
        for message in &self.messages {
            lines.extend_from_slice(message.get().as_bytes());
            lines.push(b'\n');
        }
        (lines, self.has_more)
    }
}
