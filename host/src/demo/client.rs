//! A gateway as small as can be: one JSON object per line, over a socket or a child's pipes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long anything may take before the demo says that it did not happen.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    output: Box<dyn Write + Send>,
    lines: Receiver<Value>,
    waiting: VecDeque<Value>,
    last_id: u64,
}

impl Client {
    pub fn new(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> Client {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(input).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { return };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Client { output: Box::new(output), lines, waiting: VecDeque::new(), last_id: 0 }
    }

    /// The result of one request. Notifications that come first are kept.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(self.output, "{request}").context("the daemon is gone")?;
        self.output.flush()?;
        loop {
            let mut line = self.line(method)?;
            if line["id"] != id {
                self.waiting.push_back(line);
            } else if let Some(error) = line.get("error") {
                bail!("{method}: {error}");
            } else {
                return Ok(line["result"].take());
            }
        }
    }

    /// The next message notification.
    pub fn message(&mut self) -> Result<Value> {
        let mut line = match self.waiting.pop_front() {
            Some(line) => line,
            None => self.line("a message")?,
        };
        if line["method"] != "message" {
            bail!("instead of a message: {line}");
        }
        Ok(line["params"]["message"].take())
    }

    fn line(&mut self, what: &str) -> Result<Value> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("waited {} s for {what}", PATIENCE.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("the connection ended while waiting for {what}"),
        }
    }
}
