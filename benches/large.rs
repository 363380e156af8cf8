//! Reading from a large database, over the socket, beside the same on a small one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use imsgd::sim::{Incoming, Session};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::measure::Times;
use crate::report::{Report, Row};
use crate::server::{Client, Server};

const SMALL: (usize, usize) = (20, 10_000);
const LARGE: (usize, usize) = (2_000, 1_000_000);

/// What a page may take, and how much longer than in the small database.
const PAGE: Duration = Duration::from_millis(10);
const GROWTH: f64 = 2.0;
const AFTER_EACH: &str = "chats.list, 20 chats, after each new message";
const PAGES: [&str; 4] =
    ["chats.list, 20 chats", AFTER_EACH, "messages.history, 50 messages", "messages.after, 100 messages"];

/// What a replay is to do, and with what memory.
const REPLAYED_A_SECOND: f64 = 100_000.0;
const REPLAY_BYTES: u64 = 150_000_000;

/// In no message of the simulation, so that a search for it reads everything.
const NOWHERE: &str = "zyzzyva";

pub fn run(report: &mut Report) -> Result<()> {
    let small = all(SMALL)?;
    let large = all(LARGE)?;
    report.section(
        "Large database",
        &format!(
            "`imsgd sim init --seed 7 --chats {} --messages {}`, served with the four policies; one client on the socket. \
             Growth is against {} messages in {} chats in the same run.",
            LARGE.0, LARGE.1, SMALL.1, SMALL.0
        ),
    );
    for ((what, few), (_, many)) in small.times.iter().zip(&large.times) {
        let growth = many.median().as_secs_f64() / few.median().as_secs_f64().max(1e-9);
        let row = Row::times(what, many).ratio("growth", growth);
        let is_reached = many.median() <= PAGE && growth <= GROWTH;
        report.row(match PAGES.contains(what) {
            true => row.goal("≤ 10 ms, growth ≤ 2×", is_reached),
            false => row,
        });
        if *what == AFTER_EACH {
            unread_rows(report, &small, &large);
        }
    }
    report.note("A search reads texts from the newest on until it has its hits; statistics read all there are.");
    report.note(format!(
        "After a new message, the index of unread rows is read again: {} of them, {} in the small database. Without that, the list \
         would have to trust that nobody has read anything since.",
        large.index.rows, small.index.rows
    ));
    if let (Some(large), Some(small)) = (large.reads, small.reads) {
        report.note(format!(
            "For a page of `messages.after` the daemon reads {large} times from the file, and {small} times in the small \
             database, which SQLite's cache of 16 MiB holds whole. To grow less, the cache would have to hold all there is, or the \
             file be mapped: a Messages that shortens it would then end the daemon."
        ));
    }
    if let (Some((most, _)), Some((idle, _))) = (large.peak, large.idle) {
        report.row(Row::new("memory of the daemon, most (RSS)").with("median", format!("{} MiB", most / 1024)));
        report.row(
            Row::new("memory of the daemon, before the first request").with("median", format!("{} MiB", idle / 1024)),
        );
    }
    report.section(
        "Policy replay",
        &format!(
            "`policy.replay` over the same {} messages, by the daemon, against a configuration that admits all groups. The \
             allowlist is the same on both sides, `group` is asked twice. Own messages and tapbacks are passed over and \
             not judged.",
            LARGE.1
        ),
    );
    replayed(report, &large.replay, LARGE.1)?;
    if let Some((most, _)) = large.peak_with_replay {
        let row = Row::new("memory of the daemon, most since its start (RSS)");
        let megabytes = format!("{} MB", most * 1024 / 1_000_000);
        report.row(row.with("median", megabytes).goal("≤ 150 MB", most * 1024 <= REPLAY_BYTES));
    }
    Ok(())
}

/// What a replay's answer says of `messages` rows.
fn replayed(report: &mut Report, answer: &Value, messages: usize) -> Result<()> {
    let number = |key: &str| answer[key].as_u64().with_context(|| format!("no {key} in {answer}"));
    let row = |what: &str, value: String| Row::new(what).with("median", value);
    let seconds = number("took_ms")? as f64 / 1e3;
    let rate = messages as f64 / seconds.max(1e-9);
    report.row(row("time", format!("{seconds:.1} s")));
    let of_database = row("messages of the database a second, with those passed over", format!("{rate:.0}"));
    report.row(of_database.goal(&format!("≥ {REPLAYED_A_SECOND:.0}"), rate >= REPLAYED_A_SECOND));
    report.row(row("messages that both sides judged", number("judged")?.to_string()));
    report.row(row("of these a second", number("messages_per_second")?.to_string()));
    report.row(row("decided otherwise", number("different")?.to_string()));
    Ok(())
}

/// What of the list after a new message grows, and the list without it.
fn unread_rows(report: &mut Report, small: &Measured, large: &Measured) {
    let growth = |small: Duration, large: Duration| large.as_secs_f64() / small.as_secs_f64().max(1e-9);
    let index = |of: &Measured| of.index.times.median();
    report.row(
        Row::times("of that: reading the index of unread rows", &large.index.times)
            .ratio("growth", growth(index(small), index(large))),
    );
    let list = |of: &Measured| of.times.iter().find(|(what, _)| *what == AFTER_EACH).map(|(_, times)| times.median());
    if let (Some(list_small), Some(list_large)) = (list(small), list(large)) {
        let [small, large] = [list_small.saturating_sub(index(small)), list_large.saturating_sub(index(large))];
        report.row(Row::new("of that: all the rest").time("median", large).ratio("growth", growth(small, large)));
    }
}

/// The index of unread rows, read through.
struct Index {
    rows: usize,
    times: Times,
}

impl Index {
    fn read(server: &Server) -> Result<Index> {
        let connection = Connection::open_with_flags(server.db(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement =
            connection.prepare("SELECT m.ROWID FROM message m WHERE m.is_read = 0 AND m.is_from_me = 0")?;
        let mut rows = 0;
        let times = Times::of(&[(); 50], |()| {
            let ids: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            rows = ids.len();
            Ok(())
        })?;
        Ok(Index { rows, times })
    }
}

struct Measured {
    times: Vec<(&'static str, Times)>,
    index: Index,
    /// Of a page of messages.after.
    reads: Option<u64>,
    idle: Option<(u64, u64)>,
    peak: Option<(u64, u64)>,
    replay: Value,
    peak_with_replay: Option<(u64, u64)>,
}

/// In force is that nobody is heard in a group.
const CANDIDATE: &str =
    "[policy]\nallow_from = ['*']\ndm_policy = 'open'\n[policy.groups.'*']\nrequire_mention = false\n";

fn all((chats, messages): (usize, usize)) -> Result<Measured> {
    eprintln!("measuring {messages} messages in {chats} chats");
    let server = Server::start(chats, messages)?;
    let idle = server.memory();
    let mut client = server.connect()?;
    let listed = client.call("chats.list", json!({"limit": 200}))?;
    let ids: Vec<i64> =
        listed["chats"].as_array().into_iter().flatten().filter_map(|chat| chat["id"].as_i64()).collect();
    ensure!(!ids.is_empty(), "no chats in {listed}");
    let histories: Vec<Value> = ids.iter().cycle().take(200).map(|id| json!({"chat_id": id, "limit": 50})).collect();
    let step = messages / 200;
    let pages: Vec<Value> = (0..200).map(|page| json!({"since_rowid": page * step, "limit": 100})).collect();
    let lists = vec![json!({"limit": 20}); 100];
    let unread = vec![json!({"limit": 20, "unread_only": true}); 100];
    let found = vec![json!({"query": "dinner", "limit": 50}); 20];
    let lost = vec![json!({"query": NOWHERE}); 3];
    let mut times = vec![
        ("chats.list, 20 chats", calls(&mut client, "chats.list", &lists)?),
        ("chats.list, 20 unread chats", calls(&mut client, "chats.list", &unread)?),
        (AFTER_EACH, after_each_message(&server, &mut client)?),
        ("messages.history, 50 messages", calls(&mut client, "messages.history", &histories)?),
    ];
    let before = server.reads();
    times.push(("messages.after, 100 messages", calls(&mut client, "messages.after", &pages)?));
    let reads = before.zip(server.reads()).map(|(before, after)| (after - before) / pages.len() as u64);
    times.extend([
        ("messages.search, 50 hits", calls(&mut client, "messages.search", &found)?),
        ("messages.search, no hit in all messages", calls(&mut client, "messages.search", &lost)?),
        ("messages.stats, all messages", calls(&mut client, "messages.stats", &[json!({"time_zone": "UTC"})])?),
    ]);
    let peak = server.memory();
    let replay = client.call("policy.replay", json!({"config": CANDIDATE}))?;
    let peak_with_replay = server.memory();
    let index = Index::read(&server)?;
    Ok(Measured { times, index, reads, idle, peak, replay, peak_with_replay })
}

fn calls(client: &mut Client, method: &str, requests: &[Value]) -> Result<Times> {
    Times::of(requests, |params| client.ask(method, params).map(drop))
}

/// Nothing that depends on what was written last is kept from one list to the next.
fn after_each_message(server: &Server, client: &mut Client) -> Result<Times> {
    let mut session = Session::open(&server.db())?;
    let params = json!({"limit": 20});
    let mut times = Vec::new();
    for number in 0..50 {
        let text = format!("Message {number}");
        session.receive(&Incoming { from: Some("+14155550123".to_owned()), text, ..Incoming::default() })?;
        let began = Instant::now();
        client.ask("chats.list", &params)?;
        times.push(began.elapsed());
    }
    Ok(Times::from(times.into_iter()))
}
