//! `imsgd top`: what the daemon does, drawn anew each second. It only asks, and changes nothing.

mod frame;
mod terminal;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use super::{Global, Where, client, look, status};
use crate::config::Config;
use frame::{History, Reading};
use terminal::Screen;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Sends of which is told.
const SENDS: i64 = 50;

/// Ctrl-C and Ctrl-D, which come as bytes.
const LEAVE: [u8; 4] = [b'q', b'Q', 3, 4];

/// Watch the daemon at work: messages, verdicts, lags, subscribers, sends and policies
#[derive(Args)]
pub struct Top {
    #[command(flatten)]
    at: Where,
    /// Print what there is to see now, and end; as it is where stdout is no terminal
    #[arg(long)]
    once: bool,
}

impl Top {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        if global.json {
            bail!("top is for people; programs have `imsgd status --json` and `imsgd journal --follow --json`");
        }
        let config = global.load(&self.at)?;
        let first = read(&config)?;
        let mut history = History::new(first);
        if self.once || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let _ = look::show(&history.frame());
            return Ok(ExitCode::SUCCESS);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let screen = Screen::take().context("the terminal could not be prepared")?;
        let ended = runtime.block_on(live(&config, &mut history, &screen));
        drop(screen);
        // A read of the keyboard that is under way cannot be taken back.
        runtime.shutdown_background();
        ended.map(|()| ExitCode::SUCCESS)
    }
}

/// Until somebody wants to leave. A daemon that ends may come again.
async fn live(config: &Config, history: &mut History, screen: &Screen) -> anyhow::Result<()> {
    let mut stops = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(terminate), Ok(interrupt), Ok(hangup)] = &mut stops else { bail!("signals could not be taken") };
    let mut resized = signal(SignalKind::window_change())?;
    let mut keys = tokio::io::stdin();
    let mut key = [0];
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    screen.draw(&history.frame())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
            read = keys.read(&mut key) => match read {
                Ok(1) if !LEAVE.contains(&key[0]) => {}
                _ => return Ok(()),
            },
            _ = resized.recv() => screen.draw(&history.frame())?,
            _ = ticks.tick() => {
                let of = config.clone();
                // Beside the keys, which are heard also while a daemon does not answer.
                let reading = tokio::task::spawn_blocking(move || read(&of));
                tokio::select! {
                    reading = reading => history.add(reading.context("no threads")?),
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                    read = keys.read(&mut key) => match read {
                        Ok(1) if !LEAVE.contains(&key[0]) => continue,
                        _ => return Ok(()),
                    },
                }
                screen.draw(&history.frame())?;
            }
        }
    }
}

/// Asks once.
fn read(config: &Config) -> anyhow::Result<Reading> {
    let none = || format!("no imsgd answers on {}; start one with `imsgd serve`", client::socket_of(config).display());
    let status = status::ask(client::connect(config).with_context(none)?)?;
    let sends = client::call(config, "outbox.list", &json!({"limit": SENDS})).unwrap_or(Value::Null);
    Ok(Reading { at: Instant::now(), status: look::harmless(status), sends: look::harmless(sends) })
}
