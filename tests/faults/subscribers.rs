//! Many subscribers under a load, some of which never read: the others lose nothing, and memory stays bounded.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{DEADLINE, FRIEND, FRIENDS, TestDaemon};

const READERS: usize = 56;
const NEVER_READ: usize = 8;

/// Messages a second.
const RATE: u32 = 2000;

/// How often some of them are written.
const TICK: Duration = Duration::from_millis(10); // 100 of them a second

/// What all of it may add to the greatest size of the process, in KiB: a full queue of the largest allowed length for
/// each subscriber would stay below, as they share their messages.
const PEAK_KIB: u64 = 64 << 10;

fn subscribe(daemon: &TestDaemon, params: &Value) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "watch.subscribe", "params": params});
    writeln!(stream, "{request}").unwrap();
    BufReader::new(stream)
}

/// The numbers of the rows that a subscriber is told of, up to `count`.
fn read(mut lines: BufReader<UnixStream>, count: usize) -> Vec<i64> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).unwrap();
    assert!(line.starts_with(br#"{"jsonrpc":"2.0","id":1,"result""#), "{}", String::from_utf8_lossy(&line));
    let prefix = br#"{"jsonrpc":"2.0","method":"message","params":{"subscription":1,"message":{"id":"#;
    let mut rows = Vec::with_capacity(count);
    while rows.len() < count {
        line.clear();
        lines.read_until(b'\n', &mut line).unwrap();
        // All lines are the same in all but their row, and there are too many of them to be parsed.
        let row = line.strip_prefix(prefix).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&line)));
        let digits = row.iter().take_while(|byte| byte.is_ascii_digit());
        rows.push(digits.fold(0, |row, digit| row * 10 + i64::from(digit - b'0')));
    }
    rows
}

fn peak(daemon: &TestDaemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Writes messages at the rate; gives their rows.
fn write(daemon: &TestDaemon, count: usize) -> JoinHandle<Vec<Value>> {
    let injector = daemon.injector();
    let (messages, paced) = std::sync::mpsc::sync_channel(RATE as usize);
    std::thread::spawn(move || {
        let began = Instant::now();
        for number in 0..count {
            let due = TICK * (u32::try_from(number).unwrap() / (RATE / 100));
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let text = format!("message {number}, as long as people write them on an ordinary day");
            if messages.send(json!({"from": FRIEND, "text": text})).is_err() {
                return;
            }
        }
    });
    injector.receive_each(paced)
}

#[test]
fn who_never_reads_costs_the_others_nothing() {
    let count = RATE as usize * rounds(1, 60);
    let daemon = TestDaemon::new(FRIENDS);
    let before = peak(&daemon);
    let reading: Vec<JoinHandle<Vec<i64>>> = (0..READERS)
        .map(|_| subscribe(&daemon, &json!({"since_rowid": 0, "buffer_limit": 4096})))
        .map(|lines| std::thread::spawn(move || read(lines, count)))
        .collect();
    let silent: Vec<_> = (0..NEVER_READ).map(|_| subscribe(&daemon, &json!({"since_rowid": 0}))).collect();
    crate::harness::eventually("all have subscribed", || {
        (daemon.status()["imsgd"]["subscriptions"] == READERS + NEVER_READ).then_some(())
    });
    let began = Instant::now();
    let written = write(&daemon, count);
    let written: Vec<String> = written.join().unwrap().iter().map(|row| row["rowid"].to_string()).collect();
    let took = began.elapsed();
    let told: Vec<Vec<i64>> = reading.into_iter().map(|reader| reader.join().unwrap()).collect();
    let rate = count as f64 / took.as_secs_f64();
    let grown = peak(&daemon).saturating_sub(before);
    eprintln!("{count} messages at {rate:.0} a second to {READERS} readers; the daemon grew by {grown} KiB");
    let mut all = Counts::default();
    for rows in told {
        assert!(rows.is_sorted(), "in order");
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let counts = Counts::new(&written, &rows, &[]);
        all.delivered += counts.delivered;
        all.duplicated += counts.duplicated;
        all.lost += counts.lost;
    }
    all.print(&format!("{NEVER_READ} of {} subscribers never read", READERS + NEVER_READ));
    assert_eq!(all, Counts { delivered: count * READERS, ..Counts::default() });
    assert!(grown < PEAK_KIB, "{grown} KiB");
    drop(silent);
}
