//! `imsgd watch`: messages as they come, one line each.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::look::{self, Reader};
use super::session::{self, Session};
use super::{Global, Where, lines, say, values};
use crate::daemon::Role;

/// Print messages as they come
///
/// Shows what the policies deliver, as every client of imsgd gets it: messages of strangers that are held, and those
/// that a policy dropped, are not there. `history` and `search` have all that Messages has.
///
/// Where no daemon serves the database, this command follows and judges by itself, and serves others on the socket
/// meanwhile. Strangers are not answered by it; that waits for `imsgd serve`.
#[derive(Args)]
pub struct Watch {
    /// Only this chat: its `id`, as `chats` shows it
    #[arg(long, value_name = "ID", value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: Option<i64>,
    /// Begin after this message, and go on with what comes; -1 for all there is
    #[arg(long, value_name = "ID", value_parser = values::cursor, allow_negative_numbers = true)]
    since_rowid: Option<i64>,
    /// Longest time to wait for the rest of a message; one that is complete is never waited for
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = values::duration)]
    debounce: Duration,
    /// Only messages of these handles
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "HANDLE")]
    participants: Vec<String>,
    /// Not before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Only these routes; `group:*` is all that begin so
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "ROUTE")]
    routes: Vec<String>,
    /// Name the attachments
    #[arg(long)]
    attachments: bool,
    /// Convert attachments that few programs can read
    #[arg(long)]
    convert_attachments: bool,
    /// Show reactions too
    #[arg(long)]
    reactions: bool,
    /// Show a message again when it is edited or unsent
    #[arg(long)]
    include_edits: bool,
    /// Needs imsg's private bridge into Messages, which imsgd does not have
    #[arg(long, hide = true)]
    bb_events: bool,
    #[command(flatten)]
    at: Where,
}

/// Why nothing more is printed for now.
enum End {
    /// Nobody reads us any more, or we were asked to stop.
    Quiet,
    /// We were too slow, and were cut off after this row.
    Overflow(i64),
}

impl Watch {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        if self.bb_events {
            bail!("--bb-events needs imsg's private bridge into Messages, which imsgd does not have");
        }
        let json = global.json;
        session::with(global, &self.at, Role::Watch, async |mut session| {
            if !session.is_daemon {
                return self.follow(&mut session, json).await;
            }
            tokio::select! {
                end = self.follow(&mut session, json) => end,
                asked = asked_to_stop() => Ok(asked.map(|()| ExitCode::SUCCESS)?),
            }
        })
    }

    async fn follow(&self, session: &mut Session, json: bool) -> anyhow::Result<ExitCode> {
        let mut since = self.since_rowid;
        loop {
            session.call("watch.subscribe", &self.params(since, json)).await?;
            match self.print_what_comes(session, json).await? {
                End::Quiet => return Ok(ExitCode::SUCCESS),
                End::Overflow(row) => {
                    say(&format!(
                        "this reader was too slow and missed messages; they follow now. \
                         `--since-rowid {row}` would begin there too"
                    ));
                    // 0 would be the end of the stream, not the beginning.
                    since = Some(if row > 0 { row } else { -1 });
                }
            }
        }
    }

    async fn print_what_comes(&self, session: &mut Session, json: bool) -> anyhow::Result<End> {
        let mut cursor = None;
        while let Some(mut notification) = session.next().await? {
            let mut params = notification["params"].take();
            match notification["method"].as_str() {
                Some("message" | "message.updated") => {
                    let mut message = params["message"].take();
                    if let Some(change) = params["change"].as_str() {
                        message["change"] = change.into();
                    }
                    cursor = message["cursor"].as_i64().or(cursor);
                    match self.print(message, json) {
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(End::Quiet),
                        printed => printed?,
                    }
                }
                Some("watch.overflow") => return Ok(End::Overflow(params["resume_after_rowid"].as_i64().unwrap_or(0))),
                Some("error") => return Err(anyhow!("{}", lines::text(&params["error"], "message"))),
                _ => {}
            }
        }
        match (session.is_daemon, cursor) {
            (false, _) => Ok(End::Quiet),
            (true, Some(row)) => bail!("the imsgd daemon has ended; `--since-rowid {row}` goes on from here"),
            (true, None) => bail!("the imsgd daemon has ended"),
        }
    }

    /// With `--json` reactions are always told of the messages that have them, and only printed where asked for.
    fn params(&self, since: Option<i64>, json: bool) -> Value {
        let mut params = json!({
            "participants": values::handles(&self.participants),
            "routes": values::handles(&self.routes),
            "attachments": true,
            "convert_attachments": self.convert_attachments,
            "include_reactions": self.reactions || json,
            "include_edits": self.include_edits,
            "debounce_ms": u64::try_from(self.debounce.as_millis()).unwrap_or(u64::MAX / 2),
        });
        let given = [
            ("chat_id", json!(self.chat_id)),
            // Saying where it begins, it is not taken for the one that ran before it.
            ("since_rowid", json!(since.unwrap_or(0))),
            ("start", json!(self.start)),
            ("end", json!(self.end)),
        ];
        for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            params[key] = value;
        }
        params
    }

    fn print(&self, message: Value, json: bool) -> io::Result<()> {
        match json {
            _ if message["is_reaction"] == true && !self.reactions => Ok(()),
            true => print_line(&format!("{message}\n")),
            false => {
                let message = look::harmless(message);
                look::show(&lines::message(&message, Some(self.attachments), Reader::of_stdout()))
            }
        }
    }
}

async fn asked_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

fn print_line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}
