//! `imsgd journal`: what became of the last messages, and of each that comes.

use std::collections::HashSet;
use std::io;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::live::{self, Live};
use super::look::{FAINT, NAME, NEWS, WRONG, paint};
use super::{Global, Where, client, look, values};
use crate::cli::lines::{local_time, text};
use crate::rpc::wire::journal::VERDICTS;

/// Show what became of the last messages; not what they say
#[derive(Args)]
pub struct Journal {
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Only this verdict
    #[arg(long, value_parser = VERDICTS)]
    verdict: Option<String>,
    /// Only this chat: its `id`, as `chats` shows it
    #[arg(long, value_name = "ID", value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: Option<i64>,
    /// Only messages of this address
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Go on with each verdict as it is given
    #[arg(long, short = 'f')]
    follow: bool,
    #[command(flatten)]
    at: Where,
}

impl Journal {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        live::unless_nobody_reads(self.show(global))
    }

    fn show(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(&self.at)?;
        let mut params = json!({});
        let given =
            [("verdict", json!(self.verdict)), ("chat_id", json!(self.chat_id)), ("sender", json!(self.sender))];
        for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            params[key] = value;
        }
        // Before the past is read, so that nothing falls between.
        let live = match self.follow {
            true => Some(Live::begin(&config, "journal.subscribe", &params)?),
            false => None,
        };
        params["limit"] = self.limit.into();
        let page = client::call(&config, "journal.list", &params)?;
        let mut shown = HashSet::new();
        for entry in page["entries"].as_array().into_iter().flatten().rev() {
            shown.insert((text(entry, "guid").to_owned(), text(entry, "verdict").to_owned()));
            print(entry.clone(), global.json)?;
        }
        let Some(mut live) = live else { return Ok(()) };
        while let Some(mut said) = live.next()? {
            let mut params = said["params"].take();
            match said["method"].as_str() {
                Some("journal") => {
                    let entry = params["entry"].take();
                    if !shown.remove(&(text(&entry, "guid").to_owned(), text(&entry, "verdict").to_owned())) {
                        print(entry, global.json)?;
                    }
                }
                Some("journal.missed") => {
                    super::say(&format!("this reader was too slow and missed {} verdicts", params["missed"]));
                }
                _ => {}
            }
        }
        bail!("the imsgd daemon has ended")
    }
}

fn print(entry: Value, json: bool) -> io::Result<()> {
    match json {
        true => look::show(&format!("{entry}\n")),
        false => look::show(&line(&look::harmless(entry))),
    }
}

/// `TIME VERDICT SENDER chat N row N, by POLICY: REASON`
pub fn line(entry: &Value) -> String {
    let verdict = text(entry, "verdict");
    let style = match verdict {
        "delivered" => NAME,
        "held" => NEWS,
        "rejected" | "dropped" => WRONG,
        _ => FAINT,
    };
    let sender = entry["sender_name"].as_str().unwrap_or_else(|| text(entry, "sender"));
    let by = match text(&entry["decided_by"], "name") {
        "" => String::new(),
        by => format!(" by {by}"),
    };
    let reason = match (text(entry, "reason"), text(entry, "route")) {
        ("", "") => String::new(),
        ("", route) => format!(" to {route}"),
        (reason, _) => format!(": {reason}"),
    };
    let late = match text(entry, "arrival") {
        "live" => String::new(),
        arrival => paint(FAINT, format!(" ({arrival})")),
    };
    let at = paint(FAINT, local_time(text(entry, "seen_at")));
    let place = paint(FAINT, format!("chat {} row {}", entry["chat_id"], entry["id"]));
    let verdict = paint(style, look::padded(verdict, 9));
    format!("{at} {verdict} {} {place}{by}{reason}{late}\n", paint(NAME, sender))
}
