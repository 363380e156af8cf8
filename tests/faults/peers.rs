//! Peers that send nonsense, send without end, never read, come in crowds or as somebody else, while a good client is
//! served all the time.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{Counts, rounds};
use crate::harness::{Client, FRIEND, FRIENDS, TestDaemon, eventually};

/// What bad peers may add to the greatest size of the process, in KiB.
const PEAK_KIB: u64 = 96 << 10;

/// A client that hears of everything and is asked for nothing more than to be there.
struct Good {
    client: Client,
    written: Vec<String>,
    told: Vec<String>,
}

impl Good {
    fn of(daemon: &TestDaemon) -> Good {
        Good { client: daemon.watch(), written: Vec::new(), told: Vec::new() }
    }

    /// Is told of a message and answered now.
    fn check_served(&mut self, daemon: &TestDaemon) {
        let text = format!("message {}", self.written.len());
        daemon.receive_from(FRIEND, &text);
        self.written.push(text);
        self.told.extend(self.client.texts(1));
        self.client.ok("status", json!({}));
    }

    fn check(self, fault: &str) {
        let counts = Counts::new(&self.written, &self.told, &[]);
        counts.print(fault);
        assert_eq!(counts, Counts { delivered: self.written.len(), ..Counts::default() });
    }
}

fn connect(daemon: &TestDaemon) -> UnixStream {
    let stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream.set_write_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream
}

/// Says these bytes, closes its side, and gives all that is answered.
fn say(daemon: &TestDaemon, bytes: &[u8]) -> String {
    let mut stream = connect(daemon);
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The greatest size that the daemon has had, in KiB; 0 where the system does not tell.
fn peak(daemon: &TestDaemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn check_peak(daemon: &TestDaemon, before: u64, fault: &str) {
    let grown = peak(daemon).saturating_sub(before);
    eprintln!("{fault}: the daemon grew by {grown} KiB");
    assert!(grown < PEAK_KIB, "{fault}: {grown} KiB");
}

/// Sockets that the daemon has open. Files come and go with its own connections to databases.
fn sockets(daemon: &TestDaemon) -> usize {
    let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())) else { return 0 };
    let named = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    named.filter(|name| name.to_string_lossy().starts_with("socket:")).count()
}

fn check_closed(daemon: &TestDaemon, before: usize) {
    eventually("what bad peers had open is closed", || (sockets(daemon) <= before).then_some(()));
}

#[test]
fn nonsense_is_answered_or_thrown_away_and_costs_others_nothing() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut good = Good::of(&daemon);
    good.check_served(&daemon);
    let (size, open) = (peak(&daemon), sockets(&daemon));
    for _ in 0..50 {
        let answer = say(&daemon, br#"{"jsonrpc":"2.0","id":1,"met"#);
        assert!(answer.contains("-32700") && answer.lines().count() == 1, "{answer}");
    }
    good.check_served(&daemon);
    let answer = say(&daemon, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"st\xff\xfe\"}\n");
    assert!(answer.contains("-32601"), "{answer}");
    let mut deep = vec![b'['; 100_000];
    deep.push(b'\n');
    let answer = say(&daemon, &deep);
    assert!(answer.contains("-32700"), "{answer}");
    good.check_served(&daemon);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds(20, 2000) {
        let mut bytes = Vec::with_capacity(8192);
        while bytes.len() < 8192 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_le_bytes());
        }
        say(&daemon, &bytes);
    }
    good.check_served(&daemon);
    check_peak(&daemon, size, "nonsense");
    check_closed(&daemon, open);
    good.check("nonsense from peers");
}

#[test]
fn parameters_may_be_nested_as_deep_as_127_levels() {
    let daemon = TestDaemon::new(FRIENDS);
    let request = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{{\"x\":{open}{close}}}}}\n")
    };
    // The request and its parameters are two levels.
    assert!(say(&daemon, request(125).as_bytes()).contains("-32602"));
    assert!(say(&daemon, request(126).as_bytes()).contains("-32700"));
}

#[test]
fn a_line_without_end_costs_its_sender_the_line_and_nobody_memory() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut good = Good::of(&daemon);
    good.check_served(&daemon);
    let size = peak(&daemon);
    let mut stream = connect(&daemon);
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..rounds(8, 100) {
        stream.write_all(&chunk).unwrap();
        good.check_served(&daemon);
    }
    stream.write_all(b"\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"chats.list\"}\n").unwrap();
    let mut client = Client::new(stream.try_clone().unwrap(), stream);
    assert_eq!(client.line().unwrap()["error"]["code"], -32600);
    assert_eq!(client.line().unwrap()["id"], 7);
    check_peak(&daemon, size, "a line of many megabytes");
    good.check("a line without end");
}

/// Lets this process have so many files open; false where it may not.
fn may_open(files: u64) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    current.is_none_or(|current| current >= files)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum }).is_ok()
}

#[test]
fn a_crowd_is_turned_away_at_the_limit_and_those_before_it_are_served_on() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut good = Good::of(&daemon);
    good.check_served(&daemon);
    let (size, open) = (peak(&daemon), sockets(&daemon));
    let wanted = rounds(600, 10_000);
    let count = if may_open(wanted as u64 + 1000) { wanted } else { 400 };
    let mut crowd = Vec::new();
    for number in 0..count {
        crowd.push(connect(&daemon));
        if number % 100 == 0 {
            good.check_served(&daemon);
        }
    }
    let mut turned_away = 0;
    for stream in &mut crowd {
        let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"x\":1}}\n");
        let mut one = [0];
        turned_away += usize::from(!matches!(stream.read(&mut one), Ok(1)));
    }
    eprintln!("{count} connections: {turned_away} were turned away");
    // The good one has a place too.
    assert_eq!(count - turned_away, 255);
    good.check_served(&daemon);
    drop(crowd);
    check_closed(&daemon, open);
    check_peak(&daemon, size, "a crowd");
    assert_eq!(say(&daemon, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n").lines().count(), 1);
    good.check("a crowd of peers");
}

#[test]
fn the_log_of_a_flood_is_bounded() {
    let daemon = TestDaemon::new(&format!("server.max_connections = 2\n{FRIENDS}"));
    let mut good = Good::of(&daemon);
    // The place of who asked whether the daemon runs may be free only now.
    let _other = eventually("the second place is taken", || {
        let mut stream = connect(&daemon);
        let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
        matches!(stream.read(&mut [0]), Ok(1)).then_some(stream)
    });
    for _ in 0..rounds(3000, 100_000) {
        // Turned away by a close, which a write may meet first.
        let mut stream = connect(&daemon);
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("{other:?}"),
        }
    }
    good.check_served(&daemon);
    let lines = daemon.log().lines().count();
    eprintln!("a flood: {lines} lines of log");
    // The bound, for every minute that this may have taken, and what is said of what was left out.
    assert!(lines < 310 * rounds(2, 10), "{lines}");
    assert!(daemon.log().contains("what follows is left out"), "{}", daemon.log());
    good.check("a flood of refused peers");
}

#[test]
fn a_client_that_never_reads_costs_little_while_it_is_there_and_nothing_afterwards() {
    const ASKED: usize = 50;
    let daemon = TestDaemon::new(FRIENDS);
    let texts = (0..50).map(|_| json!({"from": FRIEND, "text": "long ".repeat(12_000)})).collect();
    daemon.injector().receive_all(texts).join().unwrap();
    let mut good = Good::of(&daemon);
    eventually("all are judged", || (daemon.status()["imsgd"]["head"] == 50).then_some(()));
    good.client = daemon.watch();
    good.check_served(&daemon);
    let one = good.client.ok("messages.history", json!({"chat_id": 1, "limit": 50})).to_string().len();
    assert!(one > 2 << 20, "{one}");
    let (size, open) = (peak(&daemon), sockets(&daemon));
    let asked = |stream: &mut UnixStream| {
        let subscribe =
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"watch.subscribe\",\"params\":{\"since_rowid\":-1}}\n";
        stream.write_all(subscribe.as_bytes()).unwrap();
        for id in 2..ASKED + 2 {
            let params = "{\"chat_id\":1,\"limit\":50}";
            let line =
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"messages.history\",\"params\":{params}}}\n");
            stream.write_all(line.as_bytes()).unwrap();
        }
    };
    let mut late = connect(&daemon);
    asked(&mut late);
    for _ in 0..10 {
        good.check_served(&daemon);
        std::thread::sleep(Duration::from_millis(100));
    }
    check_peak(&daemon, size, "a client that never reads");
    // Once it reads, it gets all that it asked for.
    let lines = BufReader::new(late).lines().map(Result::unwrap).filter(|line| line.contains("\"messages\":["));
    assert_eq!(lines.take(ASKED).count(), ASKED);
    for _ in 0..rounds(5, 200) {
        let mut stuck = connect(&daemon);
        asked(&mut stuck);
        good.check_served(&daemon);
        drop(stuck);
    }
    check_closed(&daemon, open);
    eventually("its subscriptions are gone", || (daemon.status()["imsgd"]["subscriptions"] == 1).then_some(()));
    good.check("clients that never read");
}

#[test]
fn subscriptions_are_bounded_over_all_connections() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut clients: Vec<Client> = (0..8).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        for _ in 0..64 {
            client.subscribe(json!({}));
        }
    }
    let mut late = daemon.connect();
    let refusal = late.refused("watch.subscribe", json!({}));
    assert!(refusal.data.to_string().contains("subscription limit exceeded"), "{refusal:?}");
    clients.pop();
    eventually("a place is free", || late.call("watch.subscribe", json!({})).ok());
}

/// Of root's tests only: who else could become somebody else?
#[test]
fn another_user_is_turned_away() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not provoked: only root can start a program as another user");
        return;
    }
    let daemon = TestDaemon::new(FRIENDS);
    let mut good = Good::of(&daemon);
    let open = |path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(daemon.path(""), 0o755);
    open(daemon.path("run"), 0o755);
    open(daemon.socket(), 0o666);
    let program = daemon.path("another");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(program.clone(), 0o755);
    let ran = Command::new(program)
        .args(["--exact", "faults::peers::as_another_user", "--ignored", "--nocapture"])
        .env("SOCKET", daemon.socket())
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{ran:?}");
    assert!(daemon.log().contains("turned away a client of another user uid=65534"), "{}", daemon.log());
    good.check_served(&daemon);
    good.check("another user on the socket");
}

#[test]
#[ignore = "runs in a child process of the one above"]
fn as_another_user() {
    let Some(socket) = std::env::var_os("SOCKET") else { return };
    let mut stream = UnixStream::connect(socket).unwrap();
    let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
}
