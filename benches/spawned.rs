//! Processes that are started, asked once, and end: from the start to the first line that they say.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::measure::Times;
use crate::server::IMSGD;

/// `imsgd`, with a database and its own state; it knows no daemon but one that was started like this.
pub fn imsgd(words: &[&str], db: &Path, state: &Path) -> Command {
    let mut command = Command::new(IMSGD);
    command.args(words).arg("--db").arg(db).arg("--config").arg(db.with_file_name("config.toml"));
    command.env("XDG_STATE_HOME", state);
    command
}

/// So many starts of `command`, after some to warm up. The line has to contain `expected`.
pub fn first_lines(runs: usize, command: &mut Command, request: &str, expected: &str) -> Result<Times> {
    for _ in 0..3 {
        first_line(command, request, expected)?;
    }
    let times = (0..runs).map(|_| first_line(command, request, expected)).collect::<Result<Vec<_>>>()?;
    Ok(Times::from(times.into_iter()))
}

/// From the start until the first line is complete. Then its input ends, and so does the process.
fn first_line(command: &mut Command, request: &str, expected: &str) -> Result<Duration> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut input = child.stdin.take().context("stdin")?;
    let mut output = BufReader::new(child.stdout.take().context("stdout")?);
    if !request.is_empty() {
        input.write_all(request.as_bytes())?;
    }
    let mut line = String::new();
    output.read_line(&mut line)?;
    let took = began.elapsed();
    drop(input);
    output.read_to_end(&mut Vec::new())?;
    let status = child.wait()?;
    ensure!(status.success() && line.contains(expected), "{command:?}: {status}, {line:?}");
    Ok(took)
}
