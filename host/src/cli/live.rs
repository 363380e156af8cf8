//! Following what the daemon tells, line by line: for commands with `--follow`.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::client;
use crate::config::Config;

/// A subscription.
pub struct Live(BufReader<UnixStream>);

impl Live {
    pub fn begin(config: &Config, method: &str, params: &Value) -> anyhow::Result<Live> {
        let mut stream = client::connect(config).context("no imsgd daemon answers; start one with `imsgd serve`")?;
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        stream.write_all(format!("{request}\n").as_bytes()).map_err(|_| anyhow!("could not ask the daemon"))?;
        let mut live = Live(BufReader::new(stream));
        let answer = live.next()?.unwrap_or_default();
        match answer.get("error") {
            Some(error) => Err(client::failure(error)),
            None => Ok(live),
        }
    }

    /// The next notification; none once the daemon has ended.
    pub fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) | Err(_) => Ok(None),
            Ok(_) => serde_json::from_str(&line).map(Some).context("the daemon gave no JSON"),
        }
    }
}

/// That nobody reads us any more is an end like any other.
pub fn unless_nobody_reads(shown: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    let is_broken_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match shown {
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
        shown => shown.map(|()| ExitCode::SUCCESS),
    }
}
