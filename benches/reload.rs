//! A policy's file is replaced while messages are judged: how soon the new one judges, and what becomes of the messages.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use imsgd::plugin::{PluginEngine, compile, version_of};
use imsgd::sim::{Incoming, Session};
use serde_json::{Value, json};

use crate::measure::Times;
use crate::report::{Report, Row};
use crate::server::{Client, Server};

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

pub fn run(report: &mut Report) -> Result<()> {
    let server = Server::configured(BEFORE.0, BEFORE.1, OPEN)?;
    let policy = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist/allowlist.wasm"))?;
    let file = server.db().with_file_name("plugins").join("allowlist.wasm");
    fs::create_dir(file.with_file_name(""))?;
    fs::write(&file, build(&policy, u8::MAX))?;
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
        let times = replacements(&policy, &file, &told);
        is_over.store(true, Ordering::Relaxed);
        let failed = |_| anyhow::anyhow!("a thread failed");
        let sent = writing.join().map_err(failed)??;
        Ok::<_, anyhow::Error>((times?, sent, reading.join().map_err(failed)??))
    })?;
    let failures = asking.call("plugins.list", json!({}))?["plugins"].clone();
    let failures: u64 = failures.as_array().into_iter().flatten().filter_map(|one| one["failures"].as_u64()).sum();
    let held = asking.call("journal.list", json!({"verdict": "held"}))?["entries"].as_array().map_or(0, Vec::len);
    report.section(
        "Reload",
        &format!(
            "Another build of `allowlist` ({} kB) is renamed into the plugins folder, {REPLACED} times, while a message comes each \
             millisecond or so; from the rename to the first verdict that names the new version.",
            policy.len() / 1000
        ),
    );
    let is_reached = times.median() <= MOST && failures == 0 && held == 0;
    report.row(
        Row::times("from the file to the first verdict by it", &times).goal("≤ 150 ms, 0 failed calls", is_reached),
    );
    report.row(Row::times("of that: compiling it, where nothing else runs", &compiled(&policy)?));
    report.row(Row::new("calls that failed").with("median", failures.to_string()));
    report.row(Row::new("messages held").with("median", held.to_string()));
    report.row(Row::new("messages written").with("median", sent.to_string()));
    report.row(Row::new("messages delivered").with("median", delivered.to_string()));
    report.note(
        "A file is read once nothing has changed for a moment, and compiled on all processors while messages are judged on them. \
         To pass this, code would have to be compiled with less care, and run slower, or be kept from one version to the next.",
    );
    Ok(())
}

fn compiled(policy: &[u8]) -> Result<Times> {
    let engine = PluginEngine::new().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let builds: Vec<Vec<u8>> = (0..REPLACED).map(|number| build(policy, number as u8)).collect();
    Times::of(&builds, |bytes| compile(&engine, bytes).map(drop).map_err(|refusal| anyhow::anyhow!("{refusal}")))
}

/// From each rename to the first verdict by what was renamed.
fn replacements(policy: &[u8], file: &Path, told: &Receiver<(String, Instant)>) -> Result<Times> {
    let mut times = Vec::with_capacity(REPLACED);
    for number in 0..REPLACED {
        let bytes = build(policy, number as u8);
        let version = version_of(&bytes);
        let beside = file.with_extension("new");
        fs::write(&beside, &bytes)?;
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

/// Another file that does the same: a section that nobody reads makes it one.
fn build(policy: &[u8], number: u8) -> Vec<u8> {
    let mut bytes = policy.to_vec();
    bytes.extend([0, 7, 5, b'b', b'u', b'i', b'l', b'd', number]);
    bytes
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
