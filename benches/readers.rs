//! Reading the whole database: imsgd page by page as JSON, and other readers of chat.db, one after another.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use imsgd::chatdb::{Cache, ChatDb};
use imsgd::message::RowId;
use imsgd::rpc::EXPORT_ROWS;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::measure::{Times, on_one_processor};
use crate::peers::{Output, PEERS, Peer};
use crate::report::{Report, Row};
use crate::server::Server;
use crate::spawned::imsgd;

const CHATS: usize = 200;
const MESSAGES: usize = 100_000;
const RUNS: usize = 3;
const ROUNDS: usize = 5;

/// How many times as long a peer is to take at least.
const QUICKER: f64 = 3.0;

/// As long as a page may be.
const PAGE: usize = 500;

/// Nothing is kept from the client.
const OPEN: &str = "[policy]\nallow_from = ['*']\ndm_policy = 'open'\ngroup_policy = 'open'\n[policy.groups.'*']\n\
                    require_mention = false\n";

pub fn run(report: &mut Report) -> Result<()> {
    let server = Server::configured(CHATS, MESSAGES, OPEN)?;
    report.section(
        "Reading everything",
        &format!(
            "`imsgd sim init --seed 7 --chats {CHATS} --messages {MESSAGES}`, all of it as JSON into a file, from the start of the \
             process to the end; median of {RUNS} runs, for `imsgd export` and other readers of {ROUNDS} rounds in which each has its \
             turn. `imsgd export` reads on all processors and gives each message with its chat, attachments, reactions and what \
             it answers. Ratios are against it, without a daemon."
        ),
    );
    let peers = ready(report, &server.db());
    let mut wholes: Vec<Reading> = vec![Box::new(|| exported(&server.db(), None))];
    wholes.extend(peers.iter().map(|(peer, _)| -> Reading { Box::new(|| by(peer, &server.db())) }));
    let wholes = in_turn(&mut wholes)?;
    let (ours, theirs) = wholes.split_first().context("imsgd's own")?;
    report.row(row("imsgd export", ours));
    let alone_on_one = on_one_processor(|| repeated(|| exported(&server.db(), None)))?;
    if cfg!(target_os = "linux") {
        report.row(row("imsgd export, on one processor", &alone_on_one));
    }
    report.row(row("imsgd export, through the daemon", &repeated(|| exported(&server.db(), Some(&server)))?));
    report.row(row("of it: what one thread reads from chat.db, without JSON", &repeated(|| in_process(&server.db()))?));
    report.row(row(
        "SQLite alone, one thread: all columns of `message`, nothing joined",
        &repeated(|| by_sqlite(&server.db()))?,
    ));
    report.row(row(
        "`messages.after`, judged by the policies, page by page: rpc --standalone",
        &repeated(|| alone(&server.db()))?,
    ));
    report.row(row("`messages.after`: a client on the daemon's socket", &repeated(|| over_socket(&server.db(), 1))?));
    report.row(row(
        "`messages.after`: two clients on the socket, half each",
        &repeated(|| over_socket(&server.db(), 2))?,
    ));
    for ((peer, title), theirs) in peers.iter().zip(theirs) {
        let ratio = theirs.times.median().as_secs_f64() / ours.times.median().as_secs_f64().max(1e-9);
        report.row(row(title, theirs).ratio("imsgd is quicker", ratio).goal("≥ 3×", ratio >= QUICKER));
        report.note(format!("{}: {}.", peer.name, peer.gives));
    }
    report.note(
        "On one processor a message costs imsgd less than it costs the quickest of the others, which give less of it, but not a \
         third. What SQLite takes at the least is a row above; the rest is finding chats, attachments, reactions and what is \
         answered, reading bodies, and JSON, which is what one processor takes beyond reading. There is a reader for each \
         processor, up to eight, and they share nothing but the printer. To be quicker, there have to be more than two \
         processors, or less has to be said of a message.",
    );
    report.note(
        "Rows of the database that are changes of a group's name, picture or members are no messages to imsgd, as in `imsg`; others \
         count them.",
    );
    Ok(())
}

/// Those that can be run here, with what they are called.
fn ready(report: &mut Report, db: &Path) -> Vec<(&'static Peer, String)> {
    let mut ready = Vec::new();
    for peer in &PEERS {
        let title = format!("{} {} ({})", peer.name, peer.version, peer.registry);
        match by(peer, db) {
            Ok(_) => ready.push((peer, title)),
            Err(error) => report.note(format!("Left out: {title}: {error:#}.")),
        }
    }
    ready
}

struct Whole {
    times: Times,
    messages: usize,
}

fn row(what: &str, read: &Whole) -> Row {
    let each = read.times.median() / u32::try_from(read.messages.max(1)).unwrap_or(u32::MAX);
    Row::new(what)
        .time("time", read.times.median())
        .with("messages given", read.messages.to_string())
        .time("each", each)
}

impl Whole {
    fn of(runs: Vec<(Duration, usize)>) -> Whole {
        let messages = runs.first().map_or(0, |run| run.1);
        Whole { times: Times::from(runs.into_iter().map(|run| run.0)), messages }
    }
}

fn repeated(read: impl FnMut() -> Result<(Duration, usize)>) -> Result<Whole> {
    Ok(Whole::of(iter::repeat_with(read).take(RUNS).collect::<Result<_>>()?))
}

type Reading<'a> = Box<dyn FnMut() -> Result<(Duration, usize)> + 'a>;

/// Round by round, so that a machine that is slow for a while is so for all.
fn in_turn(readings: &mut [Reading]) -> Result<Vec<Whole>> {
    let mut runs: Vec<Vec<(Duration, usize)>> = vec![Vec::new(); readings.len()];
    for _ in 0..ROUNDS {
        for (reading, runs) in readings.iter_mut().zip(&mut runs) {
            runs.push(reading()?);
        }
    }
    Ok(runs.into_iter().map(Whole::of).collect())
}

/// All of it by `imsgd export`, as lines: by itself, on a state folder of its own, or through the daemon.
fn exported(db: &Path, server: Option<&Server>) -> Result<(Duration, usize)> {
    let state = tempfile::tempdir()?;
    let mut command = imsgd(&["export"], db, state.path());
    if let Some(server) = server {
        command.arg("--socket").arg(server.db().with_file_name("imsgd.sock"));
    }
    let file = state.path().join("messages.jsonl");
    let took = timed(command.stdout(File::create(&file)?))?;
    let lines = count_lines(&file)?;
    ensure!(lines > MESSAGES / 2, "imsgd export gave only {lines} of {MESSAGES} messages");
    Ok((took, lines))
}

/// Runs it to its end.
fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(began.elapsed())
}

fn count_lines(file: &Path) -> Result<usize> {
    Ok(fs::read(file)?.iter().filter(|byte| **byte == b'\n').count())
}

/// One process that does all of it, on a state folder of its own.
fn alone(db: &Path) -> Result<(Duration, usize)> {
    let state = tempfile::tempdir()?;
    let mut command = imsgd(&["rpc", "--standalone"], db, state.path());
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input = child.stdin.take().context("stdin")?;
    let output = child.stdout.take().context("stdout")?;
    let pages = pages(input, output, 0, i64::MAX)?;
    let took = began.elapsed();
    ensure!(child.wait()?.success(), "rpc --standalone failed");
    Ok((took, counted(&pages)?))
}

/// A share of the rows for each client.
fn over_socket(db: &Path, clients: i64) -> Result<(Duration, usize)> {
    let socket = db.with_file_name("imsgd.sock");
    let share = MESSAGES as i64 / clients;
    let began = Instant::now();
    let read = |client: i64| {
        let stream = UnixStream::connect(&socket)?;
        pages(stream.try_clone()?, stream, client * share, (client + 1) * share)
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(move || read(client))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Ok(Vec::new()))).collect::<Result<Vec<_>>>()
    })?;
    let took = began.elapsed();
    Ok((took, counted(&all.concat())?))
}

/// As `imsgd export` reads.
fn in_process(db: &Path) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let db = ChatDb::open_with(db, Cache::Small)?;
    let (mut since, mut messages, mut has_more) = (RowId(0), 0, true);
    while has_more {
        let part = db.span(since, EXPORT_ROWS)?;
        messages += part.messages.len();
        (since, has_more) = (part.next_rowid, part.has_more);
    }
    Ok((began.elapsed(), messages))
}

/// All columns of `message`, and nothing joined.
fn by_sqlite(db: &Path) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let db = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut statement = db.prepare("SELECT * FROM message")?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            black_box(row.get_ref(column)?);
        }
        read += 1;
    }
    Ok((began.elapsed(), read))
}

/// Asks for page after page, as it comes to `last`. Only the end of an answer is read here: the rest is the client's.
fn pages(mut input: impl Write, output: impl Read, since: i64, last: i64) -> Result<Vec<String>> {
    let mut output = BufReader::with_capacity(1 << 20, output);
    let (mut since, mut pages) = (since, Vec::new());
    while since < last {
        let params = json!({"since_rowid": since, "limit": PAGE, "attachments": true, "include_reactions": true});
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "messages.after", "params": params});
        input.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        ensure!(output.read_line(&mut line)? > 0, "imsgd has ended");
        let (_, end) = line.rsplit_once("\"next_rowid\":").with_context(|| line.clone())?;
        let (next, more) = end.split_once(',').context("has_more")?;
        since = next.parse()?;
        let has_more = more.contains("true");
        pages.push(line);
        if !has_more {
            break;
        }
    }
    Ok(pages)
}

/// Messages of all pages, each once: shares of rows overlap by a part of a page.
fn counted(pages: &[String]) -> Result<usize> {
    let mut messages = HashSet::new();
    for page in pages {
        let page: Value = serde_json::from_str(page)?;
        messages
            .extend(page["result"]["messages"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_i64()));
    }
    Ok(messages.len())
}

fn by(peer: &Peer, db: &Path) -> Result<(Duration, usize)> {
    let folder = tempfile::tempdir()?;
    let mut command = peer.ready()?;
    let file = folder.path().join("messages");
    match peer.output {
        Output::Lines => command.arg(db).stdout(File::create(&file)?),
        Output::Files => command.arg("--db-path").arg(db).arg("--export-path").arg(folder.path()).stdout(Stdio::null()),
    };
    let took = timed(&mut command)?;
    let messages = match peer.output {
        Output::Lines => count_lines(&file)?,
        Output::Files => entries(folder.path())?,
    };
    ensure!(messages > MESSAGES / 2, "it gave only {messages} of {MESSAGES} messages");
    Ok((took, messages))
}

/// Entries of text files: each begins with a line like `Mar 11, 2021  7:11:36 AM`.
fn entries(folder: &Path) -> Result<usize> {
    let mut entries = 0;
    for file in fs::read_dir(folder)? {
        let text = fs::read_to_string(file?.path())?;
        let begins = |line: &&str| {
            let mut words = line.split_whitespace();
            let (month, day, year) = (words.next(), words.next(), words.next());
            let is_day = day.is_some_and(|day| day.len() == 3 && day.ends_with(','));
            month.is_some_and(|month| month.len() == 3)
                && is_day
                && year.is_some_and(|year| year.parse::<u16>().is_ok())
        };
        entries += text.lines().filter(begins).count();
    }
    Ok(entries)
}
