//! `imsgd export`: all messages as JSON lines, read by several threads and printed in order.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, ensure};
use clap::Args;
use rustix::fs::{FileType, fstat};
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
        // A sign would stand among the lines, or on a pager.
        let waiting = is_file(io::stdout()).then(|| Waiting::begin("exporting"));
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(READERS));
        let sources = Source::several(&config, count)?;
        let rows = i64::try_from(EXPORT_ROWS)?;
        let (mut first, step) = (self.since_rowid.max(0), rows * i64::try_from(count)?);
        thread::scope(|scope| {
            let mut readers = Vec::with_capacity(count);
            for source in sources {
                let (send, parts) = sync_channel(AHEAD);
                let (since, params) = (first, |since| self.params(since));
                scope.spawn(move || source.read(since, step, params, &send));
                readers.push(parts);
                first = first.saturating_add(rows);
            }
            print_in_turn(&readers, BufWriter::with_capacity(256 << 10, io::stdout().lock()))
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

fn is_file(output: impl AsFd) -> bool {
    fstat(output).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

/// Some messages, a line each.
struct Part {
    lines: Vec<u8>,
    /// There were rows after these when they were read.
    has_more: bool,
}

/// The first part of each, then the next of each, up to the first that had nothing after it: what others have read of
/// later rows came meanwhile, and there may be rows between.
fn print_in_turn(readers: &[Receiver<anyhow::Result<Part>>], mut output: impl Write) -> anyhow::Result<()> {
    for reader in readers.iter().cycle() {
        let Ok(part) = reader.recv() else { break };
        let part = part?;
        if !is_read(output.write_all(&part.lines))? {
            return Ok(());
        }
        if !part.has_more {
            break;
        }
    }
    is_read(output.flush())?;
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
                let others = (1..count).map(|_| client::connect(config));
                for stream in std::iter::once(Some(first)).chain(others) {
                    sources.push(Source::Daemon(BufReader::with_capacity(1 << 20, stream.context(LOST)?)));
                }
            }
            None => {
                let alone = Alone::new(config)?;
                for _ in 0..count {
                    // With two threads that read in turn, each would have the other's memory in its caches.
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_all().max_blocking_threads(1).build()?;
                    sources.push(Source::Ourselves(alone.another(), runtime));
                }
            }
        }
        Ok(sources)
    }

    /// Reads what begins after `since`, then what begins `step` rows after that, as long as somebody wants it.
    fn read(
        mut self,
        mut since: i64,
        step: i64,
        params: impl Fn(i64) -> Value,
        parts: &SyncSender<anyhow::Result<Part>>,
    ) {
        loop {
            let part = self.part(&params(since));
            let is_last = !part.as_ref().is_ok_and(|part| part.has_more);
            if parts.send(part).is_err() || is_last {
                return;
            }
            since = since.saturating_add(step);
        }
    }

    fn part(&mut self, params: &Value) -> anyhow::Result<Part> {
        match self {
            Source::Daemon(stream) => {
                let request = json!({"jsonrpc": "2.0", "id": 1, "method": rpc::EXPORT, "params": params});
                stream.get_mut().write_all(format!("{request}\n").as_bytes()).context(LOST)?;
                let mut line = String::new();
                ensure!(stream.read_line(&mut line).context(LOST)? > 0, LOST);
                let answer: Answer<'_> = serde_json::from_str(&line).context("the daemon gave no JSON")?;
                match (answer.result, answer.error) {
                    (Some(page), _) => Ok(page.into_part()),
                    (None, error) => Err(client::failure(&error.unwrap_or_default())),
                }
            }
            Source::Ourselves(alone, runtime) => {
                let map: Map<String, Value> = serde_json::from_value(params.clone())?;
                let (lines, has_more) = runtime.block_on(alone.export(map))?;
                Ok(Part { lines, has_more })
            }
        }
    }
}

impl Page<'_> {
    fn into_part(self) -> Part {
        let mut lines = Vec::with_capacity(self.messages.iter().map(|message| message.get().len() + 1).sum());
        for message in &self.messages {
            lines.extend_from_slice(message.get().as_bytes());
            lines.push(b'\n');
        }
        Part { lines, has_more: self.has_more }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    type Parts<'a> = &'a [(&'a str, bool)];

    /// What two readers have, one after the other.
    fn readers(first: Parts<'_>, second: Parts<'_>) -> Vec<Receiver<anyhow::Result<Part>>> {
        let reader = |parts: Parts<'_>| {
            let (send, receive) = sync_channel(parts.len());
            for (lines, has_more) in parts {
                send.send(Ok(Part { lines: lines.as_bytes().to_vec(), has_more: *has_more })).unwrap();
            }
            receive
        };
        vec![reader(first), reader(second)]
    }

    fn printed(readers: &[Receiver<anyhow::Result<Part>>]) -> String {
        let mut output = Vec::new();
        print_in_turn(readers, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn readers_are_printed_in_turn() {
        let readers = readers(&[("1 ", true), ("3 ", true), ("5", false)], &[("2 ", true), ("4 ", true), ("", false)]);
        assert_eq!(printed(&readers), "1 2 3 4 5");
    }

    #[test]
    fn what_came_after_the_last_row_was_read_is_left_for_the_next_export() {
        // Row 3 came too late for the first reader, and row 4 did not for the second.
        let readers = readers(&[("1 ", true), ("", false)], &[("2", true), ("4", false)]);
        assert_eq!(printed(&readers), "1 2");
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error_after_what_stands_before_it() {
        let (send, failed) = sync_channel(1);
        send.send(Err(anyhow!("no"))).unwrap();
        let mut readers = readers(&[("1", true), ("3", false)], &[]);
        readers[1] = failed;
        let mut output = Vec::new();
        assert_eq!(print_in_turn(&readers, &mut output).unwrap_err().to_string(), "no");
        assert_eq!(output, b"1");
    }
}
