//! `imsgd attachments read`: the file of an attachment, through the daemon, so that a person or a program on another
//! machine needs no other way to it.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::read::ask;
use super::{Global, Where, print, say};
use crate::config::Config;

#[derive(Args)]
pub struct Attachments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write the file of an attachment to stdout, or with --out to a file
    Read(Read),
}

#[derive(Args)]
struct Read {
    /// The attachment's guid, as `imsgd history --json` shows it
    #[arg(long)]
    guid: String,
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What it was converted into: AAC of CAF, PNG of GIF, JPEG of HEIC
    #[arg(long)]
    converted: bool,
    #[command(flatten)]
    at: Where,
}

impl Attachments {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let Action::Read(read) = self.action;
        let config = global.load(&read.at)?;
        match &read.out {
            Some(out) => {
                let last = save(&config, &read, out)?;
                if global.json {
                    print(&format!("{}\n", summary(&last, out)));
                } else {
                    say(&format!("{}: {} bytes, {}", out.display(), last["total_bytes"], last["mime_type"]));
                }
            }
            None if global.json => {
                pieces(&config, &read, |piece| writeln!(io::stdout(), "{piece}").context("could not write to stdout"))?;
            }
            None if io::stdout().is_terminal() => bail!("stdout is a terminal; name a file with --out, or redirect it"),
            None => {
                let mut stdout = io::stdout();
                pieces(&config, &read, |piece| write_piece(&mut stdout, piece))?;
                stdout.flush().context("could not write to stdout")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks for one piece after the other, hands each to `take`, and gives the last.
fn pieces(config: &Config, read: &Read, mut take: impl FnMut(&Value) -> anyhow::Result<()>) -> anyhow::Result<Value> {
    let mut offset = 0;
    let mut total = None;
    loop {
        let params =
            json!({"guid": read.guid, "offset": offset, "length": crate::rpc::PIECE_MOST, "converted": read.converted});
        let piece = ask(config, "attachments.read", params)?;
        let length = piece["length"].as_u64().context("the daemon did not say how much it read")?;
        ensure!(
            *total.get_or_insert_with(|| piece["total_bytes"].clone()) == piece["total_bytes"],
            "the attachment has changed while it was read; try again"
        );
        take(&piece)?;
        offset += length;
        if piece["eof"] == true {
            ensure!(piece["total_bytes"] == offset, "the attachment has changed while it was read; try again");
            return Ok(piece);
        }
        ensure!(length > 0, "the daemon stopped in the middle of the attachment; try again");
    }
}

fn write_piece(to: &mut impl Write, piece: &Value) -> anyhow::Result<()> {
    let data = piece["data"].as_str().context("the daemon gave no data")?;
    let bytes = BASE64_STANDARD.decode(data).context("the daemon gave data that is not base64")?;
    to.write_all(&bytes).context("could not write what was read")
}

/// Writes beside `out` first, so that a half of a file is never taken for the whole.
fn save(config: &Config, read: &Read, out: &Path) -> anyhow::Result<Value> {
    let name = out.file_name().with_context(|| format!("{} names no file", out.display()))?.to_string_lossy();
    ensure!(!out.is_dir(), "{} is a folder; name a file in it", out.display());
    let partial = out.with_file_name(format!(".{name}.{}", std::process::id()));
    let saved = save_as(config, read, &partial)
        .and_then(|last| fs::rename(&partial, out).with_context(|| not_written(out)).map(|()| last));
    if saved.is_err() {
        let _ = fs::remove_file(&partial);
    }
    saved
}

fn save_as(config: &Config, read: &Read, path: &Path) -> anyhow::Result<Value> {
    let mut options = File::options();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).with_context(|| not_written(path))?;
    pieces(config, read, |piece| write_piece(&mut file, piece))
}

fn not_written(path: &Path) -> String {
    format!("could not write {}", path.display())
}

fn summary(last: &Value, out: &Path) -> Value {
    let mut summary = json!({"path": out.display().to_string()});
    for key in ["guid", "total_bytes", "mime_type", "uti", "transfer_name", "converted"] {
        summary[key] = last[key].clone();
    }
    summary
}
