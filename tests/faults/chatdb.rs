//! chat.db replaced, truncated, locked, and its WAL rotated and deleted, while another process writes into it.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{Client, FRIEND, FRIENDS, Home, Injector, SmallDb, TestDaemon, eventually};

/// Messages of one burst.
const BURST: usize = 20;

/// What was written into the database, and what a subscriber that was there all the time was told.
struct Stream {
    client: Client,
    written: Vec<String>,
    told: Vec<String>,
}

impl Stream {
    fn of(daemon: &TestDaemon) -> Stream {
        Stream { client: daemon.watch(), written: Vec::new(), told: Vec::new() }
    }

    fn next(&mut self, count: usize) -> Vec<Value> {
        let first = self.written.len();
        let texts = (first..first + count).map(|number| format!("message {number}"));
        self.written.extend(texts);
        self.written[first..].iter().map(|text| json!({"from": FRIEND, "text": text, "after_ms": 2})).collect()
    }

    /// Has another process write a burst into the file at `path`, and waits until it is there.
    fn write_into(&mut self, home: &Home, path: &Path) {
        let command = home.command(&["sim", "receive", "--stdin", "--db", path.to_str().unwrap()]);
        Injector::start(command).receive_all(self.next(BURST)).join().unwrap();
    }

    fn write(&mut self, daemon: &TestDaemon) {
        self.write_into(daemon, &daemon.db());
    }

    /// Reads until the last message is told.
    fn hear(&mut self) {
        let last = self.written.last().expect("something was written").clone();
        while self.told.last() != Some(&last) {
            self.told.extend(self.client.texts(1));
        }
    }

    fn counts(&self, fault: &str) -> Counts {
        let counts = Counts::new(&self.written, &self.told, &[]);
        counts.print(fault);
        counts
    }
}

/// Nothing was lost, and nothing told twice.
fn check(stream: &Stream, fault: &str) {
    let expected = Counts { delivered: stream.written.len(), ..Counts::default() };
    assert_eq!(stream.counts(fault), expected);
}

/// All that is in the -wal file goes into the database, and the file is empty.
fn checkpoint(path: &Path) {
    SmallDb::open(path).connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// What readers see is what is in the file.
fn check_read(client: &mut Client, stream: &Stream) {
    let history = client.ok("messages.history", json!({"chat_id": 1, "limit": 1}));
    assert_eq!(history["messages"][0]["text"], stream.written.last().unwrap().as_str());
}

fn times(daemon: &TestDaemon, words: &str) -> usize {
    daemon.log().matches(words).count()
}

#[test]
fn a_wal_that_is_checkpointed_and_begun_anew_all_the_time_loses_nothing() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut stream = Stream::of(&daemon);
    let messages = stream.next(rounds(200, 5_000));
    let writing = daemon.injector().receive_all(messages);
    let other = SmallDb::open(&daemon.db());
    while !writing.is_finished() {
        for mode in ["PASSIVE", "RESTART", "TRUNCATE"] {
            other.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
        }
    }
    writing.join().unwrap();
    stream.hear();
    check(&stream, "chat.db's WAL checkpointed and rotated");
}

#[test]
fn a_wal_that_was_deleted_and_made_anew_is_found_by_every_connection() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let mut stream = Stream::of(&daemon);
    for _ in 0..rounds(3, 100) {
        stream.write(&daemon);
        stream.hear();
        check_read(&mut client, &stream);
        checkpoint(&daemon.db());
        for file in ["chat.db-wal", "chat.db-shm"] {
            fs::remove_file(daemon.path(file)).unwrap();
        }
        stream.write(&daemon);
        stream.hear();
        eventually("readers have the new files", || client.call("chats.list", json!({})).ok());
        check_read(&mut client, &stream);
    }
    check(&stream, "chat.db's WAL deleted");
}

#[test]
fn a_copy_with_more_rows_that_takes_the_place_of_the_database_is_followed_on() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let mut stream = Stream::of(&daemon);
    for _ in 0..rounds(2, 50) {
        stream.write(&daemon);
        stream.hear();
        let copy = daemon.path("copy.db");
        SmallDb::open(&daemon.db()).connection.execute("VACUUM INTO ?1", [copy.to_str()]).unwrap();
        stream.write_into(&daemon, &copy);
        checkpoint(&copy);
        for file in ["chat.db-wal", "chat.db-shm", "copy.db-wal", "copy.db-shm"] {
            fs::remove_file(daemon.path(file)).unwrap();
        }
        fs::rename(&copy, daemon.db()).unwrap();
        stream.write(&daemon);
        stream.hear();
        eventually("readers have the new file", || client.call("chats.list", json!({})).ok());
        check_read(&mut client, &stream);
    }
    check(&stream, "chat.db replaced");
}

/// Asks until the fault is over: what is refused says that the database is not available, and nothing else.
fn ask_during(client: &mut Client, fault: Duration) -> usize {
    let began = std::time::Instant::now();
    let mut refused = 0;
    while began.elapsed() < fault {
        if let Err(refusal) = client.call("messages.history", json!({"chat_id": 1, "limit": 1})) {
            assert_eq!((refusal.code, refusal.message.as_str()), (-32002, "Database unavailable"), "{refusal:?}");
            assert_eq!(refusal.data["retryable"], true);
            refused += 1;
        }
        sleep(Duration::from_millis(50));
    }
    refused
}

#[test]
fn a_truncated_database_is_refused_in_clear_words_and_followed_on_once_it_is_restored() {
    for (name, kept) in [("nothing", 0), ("half", 2)] {
        let mut daemon = TestDaemon::new(FRIENDS);
        let mut stream = Stream::of(&daemon);
        stream.write(&daemon);
        stream.hear();
        checkpoint(&daemon.db());
        let whole = fs::read(daemon.db()).unwrap();
        let wal = fs::metadata(daemon.path("chat.db-wal")).unwrap().ino();
        let length = whole.len().checked_div(kept).unwrap_or(0) as u64;
        fs::OpenOptions::new().write(true).open(daemon.db()).unwrap().set_len(length).unwrap();
        // Who has it open may have what is asked for in its memory; a new process has not.
        ask_during(&mut daemon.connect(), Duration::from_millis(500));
        daemon.kill();
        daemon.start_again_without_waiting();
        daemon.wait_until_listening();
        let mut client = daemon.connect();
        let refused = ask_during(&mut client, Duration::from_secs(rounds(3, 30) as u64));
        assert!(refused > 0, "{name}");
        assert_eq!(client.ok("status", json!({}))["database"]["ready"], false, "{name}");
        let warnings = daemon.log().lines().filter(|line| line.contains("WARN")).count();
        assert!(warnings <= 4, "{name}: {warnings} warnings\n{}", daemon.log());
        assert_eq!(fs::metadata(daemon.path("chat.db-wal")).unwrap().ino(), wal, "{name}: the -wal file is left alone");
        // The same file, as a restore that writes in place leaves it.
        fs::OpenOptions::new().write(true).open(daemon.db()).unwrap().write_all_at(&whole, 0).unwrap();
        eventually("it is followed", || client.ok("status", json!({}))["imsgd"]["head"].is_i64().then_some(()));
        stream.client = daemon.watch();
        stream.write(&daemon);
        stream.hear();
        eventually("it is read", || client.call("chats.list", json!({})).ok());
        check_read(&mut client, &stream);
        check(&stream, &format!("chat.db truncated to {name}"));
    }
}

/// How long a lock is held, and how long before its end others begin to wait for it.
fn lock() -> (Duration, Duration) {
    (Duration::from_secs(rounds(2, 30) as u64), Duration::from_secs(2))
}

/// Holds what `holder` has locked while `others` wait for it at the end; then goes on. How many requests were refused.
fn check_locked(
    daemon: &TestDaemon,
    holder: Connection,
    fault: &str,
    others: impl FnOnce(&mut Stream) -> Writing,
) -> usize {
    let mut client = daemon.connect();
    let mut stream = Stream::of(daemon);
    let (held, waiting) = lock();
    let mut refused = ask_during(&mut client, held.saturating_sub(waiting));
    let writing = others(&mut stream);
    refused += ask_during(&mut client, waiting);
    drop(holder);
    if let Some(writing) = writing {
        writing.join().unwrap();
    }
    stream.write(daemon);
    stream.hear();
    check(&stream, fault);
    eventually("it is read", || client.call("chats.list", json!({})).ok());
    check_read(&mut client, &stream);
    refused
}

type Writing = Option<std::thread::JoinHandle<Vec<Value>>>;

#[test]
fn a_writer_that_keeps_the_wal_locked_delays_no_reader_and_loses_nothing() {
    let daemon = TestDaemon::new(FRIENDS);
    let before = daemon.receive_from(FRIEND, "before");
    eventually("it is judged", || daemon.journal(&before.guid));
    let holder = Connection::open(daemon.db()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = check_locked(&daemon, holder, "chat.db locked by a writer (WAL)", |stream| {
        Some(daemon.injector().receive_all(stream.next(BURST)))
    });
    assert_eq!(refused, 0);
}

#[test]
fn a_database_without_a_wal_that_is_locked_is_waited_for_and_followed_on() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "before");
    Connection::open(home.db()).unwrap().query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    let daemon = TestDaemon::start(home);
    let holder = Connection::open(daemon.db()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // The writer after it turns it into one with a WAL, so that all have to open it anew.
    let refused = check_locked(&daemon, holder, "chat.db locked by a writer (rollback journal)", |_| None);
    assert!(refused <= lock().0.as_secs() as usize, "{refused} requests were refused");
}

#[test]
fn a_database_that_one_program_has_for_itself_is_said_to_be_locked() {
    let home = Home::new(FRIENDS);
    let holder = Connection::open(home.db()).unwrap();
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA user_version = 1").unwrap();
    let mut daemon = TestDaemon::start_without_waiting(home);
    daemon.wait_until_listening();
    let mut client = daemon.connect();
    let began = std::time::Instant::now();
    loop {
        let refusal = client.refused("chats.list", json!({}));
        assert_eq!(refusal.code, -32002);
        assert!(refusal.data["detail"].as_str().unwrap().contains("another program has it locked"), "{refusal:?}");
        if began.elapsed() > Duration::from_secs(rounds(1, 30) as u64) {
            break;
        }
    }
    let words = "another program has it locked";
    eventually("it is said", || (times(&daemon, words) > 0).then_some(()));
    drop(holder);
    daemon.wait_until_ready();
    assert_eq!(times(&daemon, words), 1, "{}", daemon.log());
    let mut stream = Stream::of(&daemon);
    stream.write(&daemon);
    stream.hear();
    check(&stream, "chat.db in exclusive mode");
    check_read(&mut client, &stream);
}

#[test]
fn another_program_that_closes_the_database_last_does_not_take_its_wal_away_under_us() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let wal = || fs::metadata(daemon.path("chat.db-wal")).map(|wal| wal.ino()).ok();
    let before = wal();
    for number in 0..3 {
        // Each open of ours once dropped the locks of all that were open.
        client.ok("send", json!({"to": FRIEND, "text": format!("number {number}")}));
        let other = Connection::open(daemon.db()).unwrap();
        other.execute_batch("PRAGMA user_version = 1").unwrap();
        other.close().unwrap();
        assert_eq!(wal(), before, "round {number}");
    }
}

#[test]
fn a_state_that_the_owner_looked_into_keeps_its_wal() {
    let daemon = TestDaemon::new(FRIENDS);
    let wal = || fs::metadata(daemon.path("state/state.db-wal")).map(|wal| wal.ino()).ok();
    let before = wal();
    assert!(before.is_some());
    daemon.state().query_row("SELECT COUNT(*) FROM journal", [], |_| Ok(())).unwrap();
    assert_eq!(wal(), before);
}

#[test]
fn a_database_that_is_gone_for_a_while_and_comes_back_is_followed_on() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut stream = Stream::of(&daemon);
    stream.write(&daemon);
    stream.hear();
    let files = ["chat.db", "chat.db-wal", "chat.db-shm"];
    fs::create_dir(daemon.path("away")).unwrap();
    for file in files {
        fs::rename(daemon.path(file), daemon.path("away").join(file)).unwrap();
    }
    let mut client = daemon.connect();
    assert!(ask_during(&mut client, Duration::from_secs(2)) > 0);
    assert_eq!(times(&daemon, "there is no Messages database"), 1, "{}", daemon.log());
    stream.write_into(&daemon, &daemon.path("away/chat.db"));
    for file in files.iter().rev() {
        fs::rename(daemon.path("away").join(file), daemon.path(file)).unwrap();
    }
    stream.hear();
    check(&stream, "chat.db away for a while");
}
