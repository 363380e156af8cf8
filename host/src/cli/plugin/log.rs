//! `imsgd plugin log`: what a plugin wrote, and what befell it.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::lines::text;
use crate::cli::live::{self, Live};
use crate::cli::look::{FAINT, NAME, NEWS, WRONG, padded, paint};
use crate::cli::{Global, Where, client, look, say};

#[derive(Args)]
pub struct Log {
    /// The plugin's name, as `imsgd plugin list` shows it
    name: String,
    /// Show so many of the last lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    lines: u8,
    /// Go on with each line as it is written
    #[arg(long, short = 'f')]
    follow: bool,
    #[command(flatten)]
    at: Where,
}

impl Log {
    pub fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
        live::unless_nobody_reads(self.show(global))
    }

    fn show(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(&self.at)?;
        // Before the past is read, so that nothing falls between.
        let live = match self.follow {
            true => Some(Live::begin(&config, "plugins.follow", &json!({"name": self.name}))?),
            false => None,
        };
        let log = client::call(&config, "plugins.log", &json!({"name": self.name, "limit": self.lines}))?;
        let lines = log["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
        if lines.is_empty() && !global.json {
            say(&format!("{} has written nothing yet", self.name));
        }
        lines.iter().try_for_each(|line| print(line, global.json))?;
        // What came while the past was read is in both.
        let shown = lines.last().and_then(|line| line["number"].as_u64()).unwrap_or(0);
        let Some(mut live) = live else { return Ok(()) };
        while let Some(said) = live.next()? {
            let (line, number) = (&said["params"]["line"], said["params"]["line"]["number"].as_u64());
            match said["method"].as_str() {
                Some("plugin.log") if number > Some(shown) => print(line, global.json)?,
                Some("plugin.log.missed") => {
                    say(&format!("this reader was too slow and missed {} lines", said["params"]["missed"]));
                }
                _ => {}
            }
        }
        bail!("the imsgd daemon has ended")
    }
}

fn print(line: &Value, json: bool) -> std::io::Result<()> {
    look::show(&match json {
        true => format!("{line}\n"),
        false => shown(&look::harmless(line.clone())),
    })
}

fn when(date: &str) -> String {
    let at = date.parse::<Timestamp>().map(|at| at.to_zoned(TimeZone::system()));
    at.map_or_else(|_| date.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// `TIME LEVEL TEXT`, with `imsgd:` before what the plugin did not write itself.
pub fn shown(line: &Value) -> String {
    let level = text(line, "level");
    let style = match level {
        "error" => WRONG,
        "warn" => NEWS,
        _ => FAINT,
    };
    let at = paint(FAINT, when(text(line, "at")));
    let by = if text(line, "by") == "imsgd" { paint(NAME, "imsgd: ") } else { String::new() };
    // Further lines stand under the first, so that no text can look like a line of its own.
    format!("{at} {} {by}{}\n", paint(style, padded(level, 5)), text(line, "text").replace('\n', "\n    "))
}
