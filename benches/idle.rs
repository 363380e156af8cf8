//! What a daemon costs that does nothing, and what memory it keeps after it did much.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use imsgd::config::BUNDLED;
use imsgd::plugin::{PluginEngine, compile};
use imsgd::sim::{Incoming, Session};
use rusqlite::Connection;
use serde_json::json;

use crate::report::{Report, Row, shown};
use crate::server::{Client, Server};

const BEFORE: (usize, usize) = (20, 10_000);

/// Looked at for so long, after what a start leaves to do is done, and threads that waited for more work have ended: what
/// one ran is not counted any more when it has.
const IDLE: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(15);

/// Of one core.
const SHARE: f64 = 0.001;
const MEMORY_BYTES: u64 = 30_000_000;

const FIRST: usize = 100_000;
const ALL: usize = 1_000_000;
/// Received together, and read by the subscriber before the next.
const STEP: usize = 2_000;
/// What does not count as growth: a page cache may happen to be fuller by so much.
const SLACK_BYTES: u64 = 1_000_000;

pub fn idle(report: &mut Report) -> Result<()> {
    let server = Server::start(BEFORE.0, BEFORE.1)?;
    let _subscriber = subscribed(&server)?;
    std::thread::sleep(QUIET);
    report.section(
        "Idle",
        &format!(
            "Four policies, one subscriber, {} messages in the database, and nothing happens for {} s. From Linux's `/proc`: time on \
             processors and voluntary context switches of all threads.",
            BEFORE.1,
            IDLE.as_secs()
        ),
    );
    let (processor, wake_ups, began) = (server.processor_time(), wake_ups(&server), Instant::now());
    std::thread::sleep(IDLE);
    let took = began.elapsed();
    if let (Some(before), Some(after)) = (processor, server.processor_time()) {
        let share = after.saturating_sub(before).as_secs_f64() / took.as_secs_f64();
        let row = Row::new("processor").with("value", format!("{:.3} % of a core", share * 100.0));
        report.row(row.goal("≤ 0.1 %", share <= SHARE));
        report.row(Row::new("processor, in all").with("value", shown(after.saturating_sub(before))));
    }
    if let (Some(before), Some(after)) = (wake_ups, self::wake_ups(&server)) {
        let rate = after.saturating_sub(before) as f64 / took.as_secs_f64();
        report.row(Row::new("wake-ups").with("value", format!("{rate:.1} a second")));
    }
    if let Some(memory) = Memory::of(&server) {
        report.row(memory.row("memory (RSS)").goal("≤ 30 MB", memory.all * 1024 <= MEMORY_BYTES));
    }
    let (theirs, code) = (policies_memory(&server)?, code()?);
    drop(server);
    for bundled in [&["allowlist"][..], &[]] {
        let config = format!("[policy]\nbundled = {bundled:?}\n");
        let server = Server::with(BEFORE.0, BEFORE.1, &config, bundled.len())?;
        let _subscriber = subscribed(&server)?;
        std::thread::sleep(QUIET);
        if let Some(memory) = Memory::of(&server) {
            report.row(memory.row(&format!("memory, policies: {}", bundled.len())));
            if bundled.is_empty() {
                report.row(Row::new("of four: their own memory, in which they run").with("value", megabytes(theirs)));
                report.row(Row::new("of four: their compiled code").with("value", megabytes(code)));
                let least = megabytes(memory.all * 1024 + theirs + code);
                report.row(
                    Row::new("without a policy, and these two: if nothing of compiling were left").with("value", least),
                );
            }
        }
    }
    report.note(
        "Files are pages of the program itself, which the system maps in passing and takes back when it needs them; what is the \
         daemon's own is the rest. Without a policy nothing is compiled: the difference is what policies are made of, the \
         compiler's pages, and what it leaves to the allocator. To be rid of the latter two, policies would have to be compiled by \
         another process, and their code be taken over unchecked.",
    );
    Ok(())
}

/// What the policies have for themselves, in bytes.
fn policies_memory(server: &Server) -> Result<u64> {
    let listed = server.connect()?.call("plugins.list", json!({}))?;
    Ok(listed["plugins"].as_array().into_iter().flatten().filter_map(|plugin| plugin["memory_bytes"].as_u64()).sum())
}

/// What the bundled policies are compiled into, in bytes.
fn code() -> Result<u64> {
    let engine = PluginEngine::new().map_err(|error| anyhow!("{error:#}"))?;
    let mut bytes = 0;
    for name in BUNDLED {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist").join(format!("{name}.wasm"));
        let compiled = compile(&engine, &fs::read(file)?)?;
        bytes += compiled.pre.component().serialize().map_err(|error| anyhow!("{error:#}"))?.len() as u64;
    }
    Ok(bytes)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub fn growth(report: &mut Report) -> Result<()> {
    let server = Server::start(BEFORE.0, BEFORE.1)?;
    let mut subscriber = subscribed(&server)?;
    report.section(
        "Memory after many messages",
        &format!(
            "{ALL} direct messages received through the daemon, judged by four policies, journaled, and read by one subscriber; \
             {STEP} in a commit, each after the one before was read.",
        ),
    );
    let began = Instant::now();
    let idle = Memory::of(&server).context("memory is read from Linux's /proc")?;
    receive(&server, &mut subscriber, FIRST)?;
    let first = Memory::of(&server).context("the daemon has ended")?;
    receive(&server, &mut subscriber, ALL - FIRST)?;
    let all = Memory::of(&server).context("the daemon has ended")?;
    report.row(idle.row("before"));
    report.row(first.row(&format!("after {FIRST}")));
    let row = all.row(&format!("after {ALL}"));
    let bound = format!("no growth: ≤ {} MB more than after {FIRST}", SLACK_BYTES / 1_000_000);
    report.row(row.goal(&bound, all.all * 1024 <= first.all * 1024 + SLACK_BYTES));
    report.note(format!("It took {} to write and read them all.", shown(began.elapsed())));
    Ok(())
}

fn subscribed(server: &Server) -> Result<Client> {
    let mut client = server.connect()?;
    client.call("watch.subscribe", json!({"buffer_limit": 2 * STEP}))?;
    Ok(client)
}

/// The client reads beside the writing, as the daemon does. What is written goes from the -wal file into the database.
fn receive(server: &Server, client: &mut Client, messages: usize) -> Result<()> {
    let mut session = Session::open(&server.db())?;
    let emptying = Connection::open(server.db())?;
    for _ in 0..messages / STEP {
        let incoming: Vec<Incoming> = (0..STEP).map(message).collect();
        std::thread::scope(|scope| {
            let read = scope.spawn(|| client.count(STEP));
            session.receive_together(&incoming)?;
            read.join().map_err(|_| anyhow::anyhow!("the reader failed"))?
        })?;
        emptying.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn message(number: usize) -> Incoming {
    let from = Some(format!("+1415555{:04}", number % 100));
    let text = format!("Message {number}: shall we have dinner at the usual place tomorrow?");
    Incoming { from, text, ..Incoming::default() }
}

/// Voluntary context switches of all threads that there are.
fn wake_ups(server: &Server) -> Option<u64> {
    let tasks = fs::read_dir(server.proc().join("task")).ok()?;
    let of_thread = |folder: std::path::PathBuf| {
        let status = fs::read_to_string(folder.join("status")).ok()?;
        number(&status, "voluntary_ctxt_switches:")
    };
    Some(tasks.filter_map(|task| of_thread(task.ok()?.path())).sum())
}

fn number(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Resident memory in KiB.
struct Memory {
    all: u64,
    own: u64,
    files: u64,
}

impl Memory {
    fn of(server: &Server) -> Option<Memory> {
        let status = fs::read_to_string(server.proc().join("status")).ok()?;
        let (all, own) = (number(&status, "VmRSS:")?, number(&status, "RssAnon:")?);
        Some(Memory { all, own, files: number(&status, "RssFile:")? })
    }

    fn row(&self, what: &str) -> Row {
        let mb = |kib: u64| megabytes(kib * 1024);
        Row::new(what).with("value", mb(self.all)).with("own", mb(self.own)).with("files", mb(self.files))
    }
}
