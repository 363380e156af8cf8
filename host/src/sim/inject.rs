//! `sim receive`: messages from the command line, or from a stream of JSON lines at whatever pace they come.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Command, FromArgMatches};
use serde_json::{Map, Value, json};

use super::receive::{Incoming, Received, Session};

/// How long it pauses where it is ahead of its rate.
const TICK: Duration = Duration::from_millis(5);

#[derive(clap::Args)]
pub struct Args {
    /// Simulated database
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Read one JSON object per line, whose keys are the flags below; answer each with a line
    #[arg(long, conflicts_with_all = ["count", "prefix"])]
    stdin: bool,
    /// Write N messages, each in a commit of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// Write at most so many of the N messages a second
    #[arg(long, value_name = "N", conflicts_with = "stdin", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Text of each of the N messages, followed by its number
    #[arg(long, conflicts_with = "text")]
    prefix: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    message: Incoming,
}

pub fn run(args: Args, input: impl BufRead, mut output: impl Write) -> Result<()> {
    let mut session = Session::open(&args.db)?;
    if args.stdin {
        return stream(&mut session, input, output);
    }
    let began = Instant::now();
    for number in 1..=args.count {
        if let Some(rate) = args.rate {
            let due = Duration::from_secs_f64((number - 1) as f64 / f64::from(rate));
            // Not for each one: a pause is longer than what it takes to write some.
            if due.saturating_sub(began.elapsed()) > TICK {
                std::thread::sleep(TICK);
            }
        }
        let mut message = args.message.clone();
        if let Some(prefix) = &args.prefix {
            message.text = format!("{prefix}{number}");
        }
        let received = session.receive(&message)?;
        if args.json {
            print_line(&mut output, &described(&received))?;
        } else {
            writeln!(output, "{} {}", received.rowid, received.guid)?;
        }
    }
    Ok(())
}

/// Answers each line once its message is committed, so that a reader can tell how long anything after that took.
pub fn stream(session: &mut Session, input: impl BufRead, mut output: impl Write) -> Result<()> {
    let mut command = <Incoming as clap::Args>::augment_args(Command::new("line").no_binary_name(true));
    for (number, line) in input.lines().enumerate() {
        let line = line.context("could not read stdin")?;
        if line.trim().is_empty() {
            continue;
        }
        let received = parse(&mut command, &line)
            .and_then(|message| session.receive(&message))
            .with_context(|| format!("line {}", number + 1))?;
        print_line(&mut output, &described(&received))?;
    }
    Ok(())
}

/// A line is a command line in another spelling: `{"from": "+1…", "group_name": "Pals"}` is
/// `--from +1… --group-name Pals`. So both have the same names, defaults and checks.
fn parse(command: &mut Command, line: &str) -> Result<Incoming> {
    let object: Map<String, Value> = serde_json::from_str(line).context("not a JSON object")?;
    let mut flags = Vec::new();
    for (key, value) in &object {
        let flag = key.replace('_', "-");
        match value {
            Value::Null | Value::Bool(false) => {}
            Value::Bool(true) => flags.push(format!("--{flag}")),
            Value::String(text) => flags.push(format!("--{flag}={text}")),
            Value::Number(number) => flags.push(format!("--{flag}={number}")),
            Value::Array(items) => {
                for item in items {
                    let Value::String(text) = item else { bail!("{key:?} must be an array of strings") };
                    flags.push(format!("--{flag}={text}"));
                }
            }
            Value::Object(_) => bail!("{key:?} must not be an object"),
        }
    }
    let matches = command.try_get_matches_from_mut(flags)?;
    Ok(Incoming::from_arg_matches(&matches)?)
}

fn described(received: &Received) -> Value {
    json!({
        "rowid": received.rowid.0,
        "guid": received.guid,
        "chat_id": received.chat_id.map(|chat| chat.0),
        "committed_at_ns": received.committed_at.as_nanosecond() as i64,
    })
}

fn print_line(output: &mut impl Write, line: &Value) -> Result<()> {
    writeln!(output, "{line}")?;
    output.flush()?;
    Ok(())
}
