//! The process that measures peers: a request a line, and a line of JSON for each.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::build::Peers;
use super::contest::{Cost, REPEATS};

pub struct Process {
    child: Child,
    writer: ChildStdin,
    reader: BufReader<ChildStdout>,
}

/// One engine in one way of being handed messages.
pub struct Peer {
    pub number: usize,
    pub engine: String,
    /// `whole`, `shared` or `only_read`.
    pub handing: String,
    /// What the engine says of itself.
    pub version: Option<String>,
}

impl Process {
    pub fn start(peers: &Peers, lists: &Value, messages: &[Value], measured: usize) -> Result<(Process, Vec<Peer>)> {
        let mut child = Command::new(&peers.program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let writer = child.stdin.take().context("its stdin")?;
        let reader = BufReader::new(child.stdout.take().context("its stdout")?);
        let mut process = Process { child, writer, reader };
        let start = json!({"start": {
            "lists": lists,
            "messages": messages,
            "measured": measured,
            "repeats": REPEATS,
            "module": peers.extism_module,
        }});
        let answer = process.ask(&start)?;
        let text = |peer: &Value, key: &str| peer[key].as_str().map(str::to_owned);
        let peer = |(number, peer): (usize, &Value)| Peer {
            number,
            engine: text(peer, "engine").unwrap_or_default(),
            handing: text(peer, "handing").unwrap_or_default(),
            version: text(peer, "version"),
        };
        let peers = answer.as_array().into_iter().flatten().enumerate().map(peer).collect();
        Ok((process, peers))
    }

    /// What becomes of each message: `pass`, `reject`, `observe` or `drop`.
    pub fn verdicts(&mut self, peer: &Peer) -> Result<Vec<String>> {
        let answer = self.ask(&json!({"judge": peer.number}))?;
        Ok(serde_json::from_value(answer)?)
    }

    pub fn pass(&mut self, number: usize) -> Result<Cost> {
        let answer = self.ask(&json!({"measure": number}))?;
        let time = |key: &str| {
            let nanoseconds = answer[key].as_f64().context("a time")?;
            anyhow::Ok(Duration::from_nanos(nanoseconds as u64))
        };
        Ok(Cost { mean: time("mean")?, p99: time("p99")? })
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.writer, "{request}")?;
        self.writer.flush()?;
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the process of the peers has ended");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
