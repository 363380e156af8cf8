//! A policy's file is replaced while messages are judged: how soon the new one judges, and what becomes of the messages.

mod alone;
mod edits;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use imsgd::plugin::version_of;
use imsgd::reload::SETTLE;
use imsgd::sim::{Incoming, Session};
use serde_json::{Value, json};

use crate::measure::Times;
use crate::report::{Report, Row};
use crate::server::{Client, Server};
use edits::Edited;

const BEFORE: (usize, usize) = (20, 10_000);
const REPLACED: usize = 20;
const MOST: Duration = Duration::from_millis(150);

/// Between two messages.
const GAP: Duration = Duration::from_millis(1);
/// Between a verdict by the new version and the next replacement.
const PAUSE: Duration = Duration::from_millis(200);

const OPEN: &str = "[server]\nscopes = ['read', 'policy']\n[policy]\nallow_from = ['*']\ndm_policy = 'open'\n";
/// In the place of the bundled policy of this name.
const OWN: &str =
    "[[plugin]]\nname = 'allowlist'\npath = 'allowlist.wasm'\nconfig = { allow_from = ['*'], dm_policy = 'open' }\n";

/// What was seen while the file was replaced.
struct Seen {
    times: Times,
    failures: u64,
    held: usize,
    sent: usize,
    delivered: usize,
}

pub fn run(report: &mut Report) -> Result<()> {
    eprintln!("building {REPLACED} edits of the policy allowlist");
    let edited = Edited::prepare()?;
    let versions = (0..=REPLACED).map(|number| edited.build(number)).collect::<Result<Vec<_>>>()?;
    let seen = replace(&versions)?;
    let alone = alone::measure(&versions)?;
    report.section(
        "Reload",
        &format!(
            "`allowlist` ({} kB) is edited, built, and renamed into the plugins folder, {REPLACED} times, while a message comes each \
             millisecond or so; from the rename to the first verdict that names the new version.",
            versions.iter().map(Vec::len).max().unwrap_or_default() / 1000
        ),
    );
    let is_reached = seen.times.median() <= MOST && seen.failures == 0 && seen.held == 0;
    let row = Row::times("from the file to the first verdict by it", &seen.times);
    report.row(row.goal("≤ 150 ms, 0 failed calls", is_reached));
    report.row(Row::new("of that: until nothing has changed for a moment").time("median", SETTLE));
    report.row(Row::times("compiling it, where nothing else runs", &alone.compiling));
    report.row(Row::times("starting and configuring it, where nothing else runs", &alone.starting));
    report.row(Row::new("calls that failed").with("median", seen.failures.to_string()));
    report.row(Row::new("messages held").with("median", seen.held.to_string()));
    report.row(Row::new("messages written").with("median", seen.sent.to_string()));
    report.row(Row::new("messages delivered").with("median", seen.delivered.to_string()));
    report.note(
        "A file is read once nothing has changed for a moment, and compiled on all processors while messages are judged on them. \
         To be quicker, code would have to be compiled with less care, and run slower, or be kept from one version to the next.",
    );
    Ok(())
}

/// By all but the first, which is there before.
fn replace(versions: &[Vec<u8>]) -> Result<Seen> {
    let server = Server::configured(BEFORE.0, BEFORE.1, OPEN)?;
    let file = server.db().with_file_name("plugins").join("allowlist.wasm");
    fs::create_dir(file.with_file_name(""))?;
    let (first, others) = versions.split_first().context("no version")?;
    fs::write(&file, first)?;
    fs::write(server.db().with_file_name("config.toml"), format!("{OPEN}{OWN}"))?;
    let mut asking = server.connect()?;
    asking.call("plugins.reload", json!({}))?;

    let mut subscriber = server.connect()?;
    subscriber.call("watch.subscribe", json!({}))?;
    let mut journal = server.connect()?;
    journal.call("journal.subscribe", json!({}))?;
    let (tell, told) = channel();
    let is_over = AtomicBool::new(false);
    let (times, sent, delivered) = std::thread::scope(|scope| {
        scope.spawn(|| verdicts(&mut journal, &tell));
        let reading = scope.spawn(|| delivered(&mut subscriber));
        let writing = scope.spawn(|| write(&server, &is_over));
        let times = replacements(others, &file, &told);
        is_over.store(true, Ordering::Relaxed);
        let failed = |_| anyhow::anyhow!("a thread failed");
        let sent = writing.join().map_err(failed)??;
        Ok::<_, anyhow::Error>((times?, sent, reading.join().map_err(failed)??))
    })?;
    let failures = asking.call("plugins.list", json!({}))?["plugins"].clone();
    let failures = failures.as_array().into_iter().flatten().filter_map(|one| one["failures"].as_u64()).sum();
    let held = asking.call("journal.list", json!({"verdict": "held"}))?["entries"].as_array().map_or(0, Vec::len);
    Ok(Seen { times, failures, held, sent, delivered })
}

/// From each rename to the first verdict by what was renamed.
fn replacements(versions: &[Vec<u8>], file: &Path, told: &Receiver<(String, Instant)>) -> Result<Times> {
    let mut times = Vec::with_capacity(versions.len());
    for bytes in versions {
        let version = version_of(bytes);
        let beside = file.with_extension("new");
        fs::write(&beside, bytes)?;
        let began = Instant::now();
        fs::rename(&beside, file)?;
        loop {
            let (judged_by, at) =
                told.recv_timeout(Duration::from_secs(20)).context("no verdict by the new version")?;
            if judged_by == version {
                times.push(at - began);
                break;
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(Times::from(times.into_iter()))
}

/// Who says that everything was written.
const LAST: &str = "+14155559999";

fn message(from: &str) -> Incoming {
    let text = "Shall we have dinner at the usual place tomorrow?".to_owned();
    Incoming { from: Some(from.to_owned()), text, ..Incoming::default() }
}

/// How many were written before the last.
fn write(server: &Server, is_over: &AtomicBool) -> Result<usize> {
    let mut session = Session::open(&server.db())?;
    let mut sent = 0;
    while !is_over.load(Ordering::Relaxed) {
        session.receive(&message("+14155550123"))?;
        sent += 1;
        std::thread::sleep(GAP);
    }
    session.receive(&message(LAST))?;
    Ok(sent)
}

/// How many came before the last.
fn delivered(subscriber: &mut Client) -> Result<usize> {
    let mut delivered = 0;
    while !subscriber.notification()?.contains(LAST) {
        delivered += 1;
    }
    Ok(delivered)
}

/// Tells which version decided, and when the verdict was here.
fn verdicts(journal: &mut Client, tell: &Sender<(String, Instant)>) -> Result<()> {
    loop {
        let line = journal.line()?;
        let at = Instant::now();
        let verdict: Value = serde_json::from_str(&line)?;
        ensure!(verdict["method"] == "journal", "{line}");
        let entry = &verdict["params"]["entry"];
        if entry["sender"] == LAST {
            return Ok(());
        }
        let version = entry["decided_by"]["version"].as_str().unwrap_or_default();
        let _ = tell.send((version.to_owned(), at));
    }
}
