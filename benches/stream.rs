//! Messages on their way: from the commit of a row to the line at a client, one by one, many at once, and to many clients.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use imsgd::sim::{Incoming, Session};
use jiff::Timestamp;
use notify::Watcher;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::measure::Times;
use crate::report::{Report, Row, shown};
use crate::server::{IMSGD, Server};

/// Everybody is heard, in groups too.
const OPEN: &str = "[policy]\nallow_from = ['*']\ndm_policy = 'open'\n[policy.groups.'*']\nrequire_mention = false\n";

/// The database before anything is measured.
const BEFORE: (usize, usize) = (20, 10_000);

const SINGLE: usize = 2_000;
/// The gaps between single messages lie between nothing and twice this.
const GAP: Duration = Duration::from_millis(10);
const DEBOUNCE: Duration = Duration::from_millis(500);
const MANY: usize = 200_000;
const FANNED: usize = 10_000;
const SUBSCRIBERS: usize = 64;

pub fn latency(report: &mut Report) -> Result<()> {
    let server = Server::configured(BEFORE.0, BEFORE.1, OPEN)?;
    let mut client = server.connect()?;
    client.call("watch.subscribe", json!({}))?;
    let (debounced, stop) = debounced(&server.db())?;
    let mut injector = Injector::start(&server.db())?;
    let reader = std::thread::spawn(move || -> Result<Vec<i64>> {
        (0..SINGLE).map(|_| client.notification().map(|_| now())).collect()
    });
    let mut gaps = Gaps(7);
    let mut commits = Vec::with_capacity(SINGLE);
    for number in 0..SINGLE {
        std::thread::sleep(gaps.next());
        commits.push(injector.receive(number)?);
    }
    let arrivals = reader.join().map_err(|_| anyhow::anyhow!("the reader failed"))??;
    let told = between(&commits, &arrivals);
    let late = debounced.recv_timeout(Duration::from_secs(10)).context("the debounced reader")?;
    drop(stop);
    let late = between(&commits, &late);
    report.section(
        "From the commit to the notification",
        &format!(
            "{SINGLE} messages at random gaps of up to {} ms, each in a commit of a process of its own, which notes when the \
             commit was done; one subscriber notes when the line is there. Beside it, on the same commits, a reader that \
             waits {} ms after the first event of a file before it reads what is new.",
            2 * GAP.as_millis(),
            DEBOUNCE.as_millis()
        ),
    );
    let times = times_quicker(&late, &told);
    let is_quick = told.median() <= Duration::from_millis(2) && told.quantile(0.99) <= Duration::from_millis(10);
    report.row(Row::times("imsgd, four policies", &told).goal("p50 ≤ 2 ms, p99 ≤ 10 ms", is_quick));
    report.row(Row::times("500 ms debounce", &late).ratio("imsgd is quicker", times).goal("≥ 50×", times >= 50.0));
    Ok(())
}

fn times_quicker(slow: &Times, quick: &Times) -> f64 {
    slow.median().as_secs_f64() / quick.median().as_secs_f64().max(1e-9)
}

/// From each to each: both are in order.
fn between(commits: &[i64], arrivals: &[i64]) -> Times {
    // The line may be there before the process that committed has looked at its clock.
    Times::from(commits.iter().zip(arrivals).map(|(from, to)| Duration::from_nanos((to - from).max(0) as u64)))
}

fn now() -> i64 {
    Timestamp::now().as_nanosecond() as i64
}

/// Repeatable gaps.
struct Gaps(u64);

impl Gaps {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        2 * GAP * ((self.0 >> 33) as u32 % 1000) / 1000
    }
}

/// A process that writes as Messages does.
struct Injector {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Injector {
    fn start(db: &Path) -> Result<Injector> {
        let mut command = Command::new(IMSGD);
        command.args(["sim", "receive", "--stdin", "--db"]).arg(db);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Injector { child, output })
    }

    /// When the commit was done, in nanoseconds.
    fn receive(&mut self, number: usize) -> Result<i64> {
        let message = json!({"from": sender(number), "text": text(number)});
        writeln!(self.child.stdin.as_mut().context("stdin")?, "{message}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        answer["committed_at_ns"].as_i64().context("no time of the commit")
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn sender(number: usize) -> String {
    format!("+1415555{:04}", number % 100)
}

fn text(number: usize) -> String {
    format!("Message {number}: shall we have dinner at the usual place tomorrow, or is half past seven too late?")
}

type Stop = mpsc::Sender<()>;

/// What many do: an event of the file starts a timer, and what is new is read when it ends.
fn debounced(db: &Path) -> Result<(mpsc::Receiver<Vec<i64>>, Stop)> {
    let connection = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut last: i64 = connection.query_row("SELECT MAX(ROWID) FROM message", [], |row| row.get(0))?;
    let (events, event) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |_| {
        let _ = events.send(());
    })?;
    watcher.watch(db.parent().context("a folder")?, notify::RecursiveMode::NonRecursive)?;
    let (result, results) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::spawn(move || -> rusqlite::Result<()> {
        let _watcher = watcher;
        let mut seen = Vec::new();
        while seen.len() < SINGLE && stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            if event.recv_timeout(DEBOUNCE).is_err() {
                continue;
            }
            std::thread::sleep(DEBOUNCE);
            while event.try_recv().is_ok() {}
            let mut rows =
                connection.prepare_cached("SELECT ROWID, text, attributedBody FROM message WHERE ROWID > ?1")?;
            let mut rows = rows.query([last])?;
            while let Some(row) = rows.next()? {
                last = row.get(0)?;
                seen.push(now());
            }
        }
        let _ = result.send(seen);
        Ok(())
    });
    Ok((results, stop))
}

pub fn sustained(report: &mut Report) -> Result<()> {
    let server = Server::configured(BEFORE.0, BEFORE.1, OPEN)?;
    let mut client = server.connect()?;
    client.call("watch.subscribe", json!({"consumer": "bench", "buffer_limit": 4096}))?;
    let reader = std::thread::spawn(move || client.count(MANY));
    let committed = write_at_once(&server.db(), MANY)?;
    let before = server.processor_time();
    let last = reader.join().map_err(|_| anyhow::anyhow!("the reader failed"))??;
    let took = Duration::from_nanos((last - committed) as u64);
    let rate = MANY as f64 / took.as_secs_f64();
    report.section(
        "Sustained stream",
        &format!(
            "{MANY} rows in one commit of another process, through the tail, four policies, the journal and the socket to \
             one subscriber, a consumer that reads each line; from the commit to the last line. Client and daemon share \
             the processor."
        ),
    );
    let row = Row::new("messages a second").with("value", format!("{rate:.0}"));
    report.row(row.goal("≥ 50,000", rate >= 50_000.0));
    if let (Some(before), Some(after)) = (before, server.processor_time()) {
        let each = after.saturating_sub(before) / MANY as u32;
        report.row(Row::new("processor time of the daemon, a message").with("value", shown(each)));
    }
    Ok(())
}

/// When the commit was done.
fn write_at_once(db: &Path, count: usize) -> Result<i64> {
    let messages: Vec<Incoming> = (0..count).map(|number| Incoming::new(sender(number), text(number))).collect();
    let received = Session::open(db)?.receive_together(&messages)?;
    ensure!(received.len() == count, "{} of {count} rows were written", received.len());
    received.last().map(|row| row.committed_at.as_nanosecond() as i64).context("no rows")
}

pub fn fan_out(report: &mut Report) -> Result<()> {
    let one = fanned(1)?;
    let many = fanned(SUBSCRIBERS)?;
    let extra = |one: Duration, many: Duration| many.saturating_sub(one) / ((SUBSCRIBERS - 1) * FANNED) as u32;
    report.section(
        "Fan-out",
        &format!(
            "{FANNED} messages in one commit, to 1 and to {SUBSCRIBERS} subscribers, each on a connection of its own; from \
             the commit until all have all. The clients run on the same two cores."
        ),
    );
    report.row(Row::new("1 subscriber").time("time", one.took).time("processor time of the daemon", one.daemon));
    let name = format!("{SUBSCRIBERS} subscribers");
    report.row(Row::new(&name).time("time", many.took).time("processor time of the daemon", many.daemon));
    let (time, daemon) = (extra(one.took, many.took), extra(one.daemon, many.daemon));
    let row =
        Row::new("each further subscriber, a message").time("time", time).time("processor time of the daemon", daemon);
    report.row(row.goal("≤ 5 µs", time <= Duration::from_micros(5)));
    Ok(())
}

struct Fanned {
    took: Duration,
    daemon: Duration,
}

fn fanned(subscribers: usize) -> Result<Fanned> {
    let server = Server::configured(BEFORE.0, BEFORE.1, OPEN)?;
    let mut readers = Vec::new();
    for number in 0..subscribers {
        let mut client = server.connect()?;
        client.call("watch.subscribe", json!({"consumer": format!("bench{number}"), "buffer_limit": 4096}))?;
        readers.push(std::thread::spawn(move || client.count(FANNED)));
    }
    let committed = write_at_once(&server.db(), FANNED)?;
    let before = server.processor_time().unwrap_or_default();
    let mut last = committed;
    for reader in readers {
        last = last.max(reader.join().map_err(|_| anyhow::anyhow!("a reader failed"))??);
    }
    let daemon = server.processor_time().unwrap_or_default().saturating_sub(before);
    Ok(Fanned { took: Duration::from_nanos((last - committed) as u64), daemon })
}
