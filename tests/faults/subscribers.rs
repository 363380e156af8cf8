//! Many subscribers under a load, some of which never read: the others lose nothing, and memory stays bounded.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{DEADLINE, FRIEND, FRIENDS, TestDaemon, wait_for};

const READERS: usize = 56;
const NEVER_READ: usize = 8;

/// Messages a second.
const RATE: usize = 2000;

/// How often the readers read.
const TICK: Duration = Duration::from_millis(10);

/// What all of it may add to the greatest size of the process, in KiB: a full queue of the largest allowed length for
/// each subscriber would stay below, as they share their messages.
const PEAK_KIB: u64 = 64 << 10;

/// A client that subscribed and reads lines whenever it is asked to.
struct Subscriber {
    stream: UnixStream,
    /// What of a line has come.
    rest: Vec<u8>,
    /// The numbers of the rows that it was told of.
    rows: Vec<i64>,
}

impl Subscriber {
    fn new(daemon: &TestDaemon, params: &Value) -> Subscriber {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "watch.subscribe", "params": params});
        writeln!(stream, "{request}").unwrap();
        Subscriber { stream, rest: Vec::new(), rows: Vec::new() }
    }

    /// Reads the answer.
    fn begin(self) -> Subscriber {
        let mut answer = Vec::new();
        BufReader::with_capacity(1, &self.stream).read_until(b'\n', &mut answer).unwrap();
        assert!(answer.starts_with(br#"{"jsonrpc":"2.0","id":1,"result""#), "{}", String::from_utf8_lossy(&answer));
        self.stream.set_nonblocking(true).unwrap();
        self
    }

    fn take(&mut self, bytes: &mut [u8]) {
        loop {
            match self.stream.read(bytes) {
                Ok(0) => panic!("imsgd ended the connection"),
                Ok(length) => self.rest.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let mut lines = self.rest.split_inclusive(|byte| *byte == b'\n');
        let whole = lines.by_ref().take_while(|line| line.ends_with(b"\n"));
        let mut taken = 0;
        for line in whole {
            taken += line.len();
            self.rows.push(row(line));
        }
        self.rest.drain(..taken);
    }
}

/// All lines are the same in all but their row, and there are too many of them to be parsed.
fn row(line: &[u8]) -> i64 {
    let prefix = br#"{"jsonrpc":"2.0","method":"message","params":{"subscription":1,"message":{"id":"#;
    let row = line.strip_prefix(prefix).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(line)));
    let digits = row.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |row, digit| row * 10 + i64::from(digit - b'0'))
}

/// Reads for all of them, each up to `count` rows.
fn read(subscribers: Vec<Subscriber>, count: usize) -> Vec<Vec<i64>> {
    let mut subscribers: Vec<Subscriber> = subscribers.into_iter().map(Subscriber::begin).collect();
    let mut bytes = vec![0; 256 << 10];
    let mut last_news = Instant::now();
    while subscribers.iter().any(|subscriber| subscriber.rows.len() < count) {
        let before: usize = subscribers.iter().map(|subscriber| subscriber.rows.len()).sum();
        subscribers.iter_mut().for_each(|subscriber| subscriber.take(&mut bytes));
        let after: usize = subscribers.iter().map(|subscriber| subscriber.rows.len()).sum();
        if after > before {
            last_news = Instant::now();
        }
        assert!(last_news.elapsed() < DEADLINE, "{after} of {} came", count * subscribers.len());
        std::thread::sleep(TICK);
    }
    subscribers.into_iter().map(|subscriber| subscriber.rows).collect()
}

fn peak(daemon: &TestDaemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Writes messages at the rate, from another process; gives their rows.
fn write(daemon: &TestDaemon, count: usize) -> JoinHandle<Vec<String>> {
    let mut command = daemon.command_bare(&["sim", "receive", "--json", "--from", FRIEND]);
    command.args(["--db", daemon.db().to_str().unwrap(), "--count", &count.to_string(), "--rate", &RATE.to_string()]);
    command.args(["--prefix", "as long as people write them on an ordinary day, and with a number: "]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("imsgd starts");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        let row = |line: String| serde_json::from_str::<Value>(&line).unwrap()["rowid"].to_string();
        let rows = lines.map(|line| row(line.unwrap())).collect();
        assert!(wait_for(&mut child, "the writer").success());
        rows
    })
}

#[test]
fn who_never_reads_costs_the_others_nothing() {
    let count = RATE * rounds(1, 60);
    let daemon = TestDaemon::new(FRIENDS);
    let before = peak(&daemon);
    let reading: Vec<Subscriber> =
        (0..READERS).map(|_| Subscriber::new(&daemon, &json!({"since_rowid": 0, "buffer_limit": 4096}))).collect();
    let silent: Vec<_> = (0..NEVER_READ).map(|_| Subscriber::new(&daemon, &json!({"since_rowid": 0}))).collect();
    let reading = std::thread::spawn(move || read(reading, count));
    crate::harness::eventually("all have subscribed", || {
        (daemon.status()["imsgd"]["subscriptions"] == READERS + NEVER_READ).then_some(())
    });
    let began = Instant::now();
    let written = write(&daemon, count);
    let written = written.join().unwrap();
    let took = began.elapsed();
    let told = reading.join().unwrap();
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
