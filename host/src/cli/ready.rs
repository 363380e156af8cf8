//! Waiting until the daemon can read the messages: its permission counts, not that of whoever asks.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use super::{client, status};
use crate::cli::lines::text;
use crate::config::Config;

/// How often the daemon is asked. macOS tells nobody that it gave a permission.
const LOOK: Duration = Duration::from_millis(500);

/// macOS gives a permission to a process when it starts: one that waits for it is started anew.
const RESTART: Duration = Duration::from_secs(10);

/// What may help a daemon that cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// It cannot: somebody has to be told.
    Tell,
    /// It still cannot: a new process may.
    Restart,
}

/// Waits until somebody takes the daemon's socket's connections, which it does before it can read.
pub async fn answers(config: &Config, within: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    while client::connect(config).is_none() {
        if began.elapsed() >= within {
            let socket = client::socket_of(config);
            bail!("nobody answers on {} within {} s", socket.display(), within.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Asks the daemon until it can read, and then how many messages there are.
pub async fn wait(config: &Config, within: Duration, mut nudge: impl AsyncFnMut(Nudge)) -> anyhow::Result<u64> {
    let began = Instant::now();
    let mut nudged: Option<Instant> = None;
    loop {
        let problem = match client::connect(config).map(status::ask) {
            Some(Ok(answer)) if answer["database"]["ready"] == true => {
                let stats = client::call(config, "messages.stats", &json!({}))?;
                return Ok(stats["total_messages"].as_u64().unwrap_or_default());
            }
            Some(Ok(answer)) => {
                match nudged {
                    None => nudge(Nudge::Tell).await,
                    Some(at) if at.elapsed() > RESTART => nudge(Nudge::Restart).await,
                    Some(_) => {}
                }
                if nudged.is_none_or(|at| at.elapsed() > RESTART) {
                    nudged = Some(Instant::now());
                }
                text(&answer["database"], "error").to_owned()
            }
            Some(Err(error)) => format!("{error:#}"),
            None => format!("nobody answers on {}", client::socket_of(config).display()),
        };
        if began.elapsed() >= within {
            bail!(
                "imsgd could not read the messages within {} s: {problem}; `imsgd doctor` tells more, and \
                 `imsgd install` waits again",
                within.as_secs()
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}
