//! Asking the running daemon: one request over its socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::failure::Failure;
use super::{Global, Where, look, print};
use crate::config::Config;
use crate::daemon;

/// Between two looks whether a daemon listens: there is no event for a file that is not there yet.
const STEP: Duration = Duration::from_millis(50);

/// Where the daemon of this database listens: what it wrote down, or where one would.
pub fn socket_of(config: &Config) -> PathBuf {
    listens(config).unwrap_or_else(|| config.socket())
}

/// Where the command line says; else where the daemon that runs for this database says. Somebody else's may answer where
/// the configuration says.
fn listens(config: &Config) -> Option<PathBuf> {
    match config.is_socket_named() {
        true => Some(config.socket()),
        false => daemon::running(&config.state_dir().join("daemon.lock")).and_then(|holder| holder.socket),
    }
}

/// Connects to the daemon as its owner, who may do everything; `None` where there is none. Whoever names a socket is
/// served as that one serves.
pub fn connect(config: &Config) -> Option<UnixStream> {
    let owners = Some(config.owner_socket()).filter(|_| !config.is_socket_named());
    owners.and_then(|path| UnixStream::connect(path).ok()).or_else(|| connect_as_client(config))
}

/// Connects to the daemon as any other program would.
pub fn connect_as_client(config: &Config) -> Option<UnixStream> {
    UnixStream::connect(listens(config)?).ok()
}

/// As `connect` does, or who is missing.
pub fn connected(config: &Config, connect: fn(&Config) -> Option<UnixStream>) -> anyhow::Result<UnixStream> {
    connect(config).ok_or_else(|| {
        let (socket, db) = (socket_of(config), &config.messages.db);
        let (socket, db) = (socket.display(), db.display());
        let account = config.account.iter().map(|name| format!(" --account {name}")).collect::<String>();
        anyhow!("no imsgd answers on {socket} for the database {db}; start one with `imsgd serve{account}`")
    })
}

/// As any other program, once the daemon listens, which it may do `within` this time.
pub fn awaited(config: &Config, within: Duration) -> anyhow::Result<UnixStream> {
    let began = Instant::now();
    loop {
        match connected(config, connect_as_client) {
            Err(_) if began.elapsed() < within => std::thread::sleep(STEP),
            connected => return connected,
        }
    }
}

/// Calls one method of the running daemon.
pub fn call(config: &Config, method: &str, params: &Value) -> anyhow::Result<Value> {
    call_on(connected(config, connect)?, method, params)
}

/// Calls one method of the running daemon, and prints what it says: as JSON, or in `words`.
pub fn show(
    global: &Global,
    at: &Where,
    method: &str,
    params: &Value,
    words: impl FnOnce(&Value) -> anyhow::Result<String>,
) -> anyhow::Result<ExitCode> {
    tell(global, call(&global.load(at)?, method, params)?, words)
}

/// Prints an answer: as JSON, or in `words`.
pub fn tell(
    global: &Global,
    answer: Value,
    words: impl FnOnce(&Value) -> anyhow::Result<String>,
) -> anyhow::Result<ExitCode> {
    match global.json {
        true => print(&format!("{answer}\n")),
        // A reader that is gone is no error.
        false => drop(look::show(&words(&look::harmless(answer))?)),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn call_on(mut stream: UnixStream, method: &str, params: &Value) -> anyhow::Result<Value> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    stream.write_all(format!("{request}\n").as_bytes()).context("could not ask the daemon")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the daemon did not answer")?;
    let mut answer: Value = serde_json::from_str(&line).context("the daemon gave no JSON")?;
    match answer.get("error") {
        Some(error) => Err(failure(error)),
        None => Ok(answer["result"].take()),
    }
}

/// What a JSON-RPC error says, for people.
pub fn failure(error: &Value) -> anyhow::Error {
    Failure::new(error).into()
}
