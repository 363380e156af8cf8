//! What comes while a policy is developed: verdicts, and lines that are typed.

use std::io::{self, BufRead};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::cli::look::{self, FAINT, paint};
use crate::cli::session::Session;
use crate::cli::{journal, print};

pub(super) enum Heard {
    Verdict(Value),
    Missed(u64),
    Typed(String),
    /// Nothing will be typed any more.
    AllTyped,
    /// The daemon is gone.
    Ended,
}

/// Hands on the verdicts of a subscription to the journal.
pub(super) async fn verdicts(mut session: Session, tell: mpsc::Sender<Heard>) {
    loop {
        let heard = match session.next().await {
            Ok(Some(mut said)) => match said["method"].as_str() {
                Some("journal") => Heard::Verdict(said["params"]["entry"].take()),
                Some("journal.missed") => Heard::Missed(said["params"]["missed"].as_u64().unwrap_or_default()),
                _ => continue,
            },
            Ok(None) | Err(_) => Heard::Ended,
        };
        let is_last = matches!(heard, Heard::Ended);
        if tell.send(heard).await.is_err() || is_last {
            return;
        }
    }
}

/// Hands on what is typed, from a thread of its own: nothing else can wait for stdin.
pub(super) fn lines(tell: mpsc::Sender<Heard>) -> io::Result<()> {
    let read = move || {
        for line in io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
            if tell.blocking_send(Heard::Typed(line)).is_err() {
                return;
            }
        }
        let _ = tell.blocking_send(Heard::AllTyped);
    };
    std::thread::Builder::new().name("typed".into()).spawn(read).map(drop)
}

/// As `imsgd journal` shows it, with how long the policy in hand took.
pub(super) fn show(entry: Value, policy: &str, json: bool) {
    if json {
        return print(&format!("{entry}\n"));
    }
    let stages = entry["stages"].as_array().cloned().unwrap_or_default();
    let took = stages
        .iter()
        .find(|stage| stage["policy"] == policy)
        .map_or_else(|| format!("{policy} was not asked"), |stage| format!("{policy} took {} µs", stage["us"]));
    let line = journal::line(&look::harmless(entry));
    let _ = look::show(&format!("{} {}\n", line.trim_end(), paint(FAINT, format!("({took})"))));
}
