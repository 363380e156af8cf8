//! `imsgd watch`, through a daemon and by itself: the same lines.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;

use imsgd::sim::{self, Incoming};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Client, DEADLINE, FRIEND, FRIENDS, Home, OTHER_FRIEND, STRANGER, TestDaemon, eventually, signal, wait_for,
};

const GROUP: &str = "any;+;chat100000000000000001";

/// A running `imsgd watch`.
struct Watching {
    child: Child,
    stdout: Option<ChildStdout>,
}

impl Watching {
    /// Waits until it is subscribed beside so many others.
    fn start(home: &Home, options: &[&str], others: u64) -> Watching {
        if own_state(home).is_some() {
            eventually("earlier subscriptions are gone", || (subscriptions(home)? == others).then_some(()));
        }
        let mut command = home.command(&[&["watch"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take();
        eventually("watch is subscribed", || {
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("watch ended with {status}: {said}");
            }
            let own = own_state(home)?;
            let is_judging = own["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
            (subscriptions(home)? > others && own["head"].is_i64() && is_judging).then_some(())
        });
        Watching { child, stdout }
    }

    /// What it prints, line by line, as it prints it.
    fn lines(&mut self) -> mpsc::Receiver<String> {
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(self.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        lines
    }

    fn stop(&mut self, with: Signal) -> (Option<i32>, String) {
        signal(&self.child, with);
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let status = wait_for(&mut self.child, "imsgd watch");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn next(lines: &mpsc::Receiver<String>) -> String {
    lines.recv_timeout(DEADLINE).expect("a line")
}

/// What whoever serves says of itself.
fn own_state(home: &Home) -> Option<Value> {
    let stream = UnixStream::connect(home.socket()).ok()?;
    Some(Client::new(stream.try_clone().unwrap(), stream).ok("status", json!({}))["imsgd"].take())
}

fn subscriptions(home: &Home) -> Option<u64> {
    own_state(home)?["subscriptions"].as_u64()
}

/// Admits the friends, also in groups.
const GROUPS: &str = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['+14155550101', '+14155550102']\n\
                      [policy.groups.'*']\nrequire_mention = false\n";

/// The same on a Mac with a daemon, and on one without.
fn both_ways(config: &str, check: impl Fn(&Home)) {
    check(&Home::new(config));
    check(TestDaemon::new(config).deref());
}

#[test]
fn messages_are_printed_as_they_come() {
    both_ways(FRIENDS, |home| {
        let mut watching = Watching::start(home, &[], 0);
        let lines = watching.lines();
        home.receive_from(FRIEND, "hello");
        home.receive_from(STRANGER, "let me in");
        std::fs::write(home.path("a.png"), b"x").unwrap();
        let attachments = vec![home.path("a.png"), home.path("b.png")];
        home.receive(&Incoming { attachments, ..Incoming::new(FRIEND, "look") });
        assert!(next(&lines).ends_with(&format!(" [recv] {FRIEND}: hello")));
        assert!(next(&lines).contains(&format!(" [recv] {FRIEND}: ")), "what is held is not shown");
        assert_eq!(next(&lines), "  (2 attachments)");
        assert_eq!(watching.stop(Signal::INT), (Some(0), String::new()));
    });
}

#[test]
fn with_json_each_line_is_a_message_with_all_of_its_chat() {
    both_ways(GROUPS, |home| {
        let mut watching = Watching::start(home, &["--json"], 0);
        let lines = watching.lines();
        home.receive_in(GROUP, FRIEND, "before");
        let participants = vec![OTHER_FRIEND.to_owned()];
        let group = Some(GROUP.to_owned());
        home.receive(&Incoming { group, participants, ..Incoming::new(FRIEND, "hello") });
        let texts = ["before", "hello"].map(|text| {
            let message: Value = serde_json::from_str(&next(&lines)).unwrap();
            assert_eq!(message["text"], text);
            message
        });
        let message = &texts[1];
        assert_eq!((&message["is_group"], &message["chat_guid"]), (&json!(true), &json!(GROUP)));
        assert_eq!(message["participants"], json!([FRIEND, OTHER_FRIEND]));
        assert_eq!((&message["attachments"], &message["reactions"]), (&json!([]), &json!([])));
        assert_eq!(message["cursor"], message["id"]);
        assert_eq!(watching.stop(Signal::TERM), (Some(0), String::new()));
    });
}

#[test]
fn reactions_are_shown_where_they_are_asked_for() {
    both_ways(FRIENDS, |home| {
        let mut with = Watching::start(home, &["--reactions", "--attachments"], 0);
        let shown = with.lines();
        let mut with_json = Watching::start(home, &["--json"], 1);
        let not_shown = with_json.lines();
        let hello = home.receive_from(FRIEND, "hello");
        let react = |kind: &str, remove| {
            let tapback = Some(kind.parse().unwrap());
            let target = Some(hello.guid.clone());
            home.receive(&Incoming { tapback, target, remove, ..Incoming::new(FRIEND, "hello") });
        };
        react("like", false);
        react("like", true);
        react("🎉", false);
        home.receive_from(FRIEND, "fence");
        assert!(next(&shown).ends_with("hello"));
        for deed in ["added 👍", "removed 👍", "added 🎉"] {
            let line = next(&shown);
            let said = format!(" [recv] {FRIEND} {deed} reaction to {}", hello.guid);
            assert!(line.ends_with(&said), "{line}");
        }
        assert!(next(&shown).ends_with("fence"));
        for text in ["hello", "fence"] {
            assert_eq!(serde_json::from_str::<Value>(&next(&not_shown)).unwrap()["text"], text);
        }
    });
}

#[test]
fn edits_are_shown_where_they_are_asked_for() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut watching = Watching::start(&daemon, &["--include-edits"], 0);
    let mut with_json = Watching::start(&daemon, &["--include-edits", "--json"], 1);
    let mut without = Watching::start(&daemon, &[], 2);
    let (lines, json_lines, plain) = (watching.lines(), with_json.lines(), without.lines());
    let message = daemon.receive_from(FRIEND, "helo");
    assert!(next(&lines).ends_with(": helo"));
    next(&json_lines);
    sim::edit(&daemon.db(), &message.guid, "hello").unwrap();
    assert!(next(&lines).ends_with(&format!("{FRIEND} (edited): hello")));
    let edited: Value = serde_json::from_str(&next(&json_lines)).unwrap();
    assert_eq!((&edited["change"], &edited["text"]), (&json!("edited"), &json!("hello")));
    sim::unsend(&daemon.db(), &message.guid).unwrap();
    assert!(next(&lines).ends_with(&format!("{FRIEND}: [unsent]")));
    daemon.receive_from(FRIEND, "fence");
    for text in ["helo", "fence"] {
        assert!(next(&plain).ends_with(text));
    }
}

#[test]
fn a_watch_can_begin_in_the_past_and_be_narrowed() {
    let daemon = TestDaemon::new(GROUPS);
    let mut client = daemon.watch();
    let first = daemon.receive_from(FRIEND, "one");
    daemon.receive_from(OTHER_FRIEND, "two");
    daemon.receive_in(GROUP, FRIEND, "three");
    assert_eq!(client.texts(3), ["one", "two", "three"]);
    let after_first = first.rowid.0.to_string();
    let chat = first.chat_id.unwrap().0.to_string();
    for (options, texts) in [
        (&["--since-rowid", "-1"][..], &["one", "two", "three"][..]),
        (&["--since-rowid", &after_first], &["two", "three"]),
        (&["--since-rowid", "-1", "--chat-id", &chat], &["one"]),
        (&["--since-rowid=-1", "--participants", FRIEND, "+1999"], &["one", "three"]),
        (&["--since-rowid", "-1", "--routes", "main"], &["one", "two"]),
        (&["--since-rowid", "-1", "--routes", "group:*"], &["three"]),
        (&["--since-rowid", "-1", "--end", "2020-01-01T00:00:00Z"], &[]),
        (&["--since-rowid", "0", "--debounce", "2s500ms"], &[]),
    ] {
        let mut watching = Watching::start(&daemon, options, 1);
        let lines = watching.lines();
        for text in texts {
            assert!(next(&lines).ends_with(text), "{options:?}");
        }
        watching.stop(Signal::INT);
        assert_eq!(lines.recv_timeout(DEADLINE).ok(), None, "{options:?}");
    }
}

#[test]
fn wrong_options_are_refused_before_anything_is_opened() {
    let home = Home::without_database(FRIENDS);
    for option in ["--chat-id", "--since-rowid"] {
        for value in ["not-a-number", "9223372036854775808", "", "-2"] {
            let refused = home.run(&["watch", option, value]);
            let said = format!("error: Invalid value for option: {option}\n");
            assert!(refused.status.code() == Some(1) && refused.stderr.starts_with(&said), "{refused:?}");
        }
    }
    for (options, said) in [
        (&["--chat-id", "0"][..], "Invalid value for option: --chat-id"),
        (&["--debounce", "soon"], "Invalid value for option: --debounce"),
        (&["--debounce=-1s"], "Invalid value for option: --debounce"),
        (&["--start", "bad-date"], "Invalid ISO8601 date: bad-date"),
        (&["--bb-events"], "private bridge"),
        (&[], "there is no Messages database"),
    ] {
        let refused = home.run(&[&["watch"], options].concat());
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{options:?}");
        assert!(refused.stderr.contains(said), "{options:?}: {refused:?}");
    }
}

#[test]
fn who_reads_too_slowly_is_told_and_misses_nothing() {
    const MESSAGES: usize = 1200;
    let daemon = TestDaemon::new(FRIENDS);
    let mut fence = daemon.connect();
    fence.subscribe(json!({"buffer_limit": 4096}));
    let mut watching = Watching::start(&daemon, &["--json"], 1);
    let padding = "x".repeat(2000);
    let message = |number| json!({"from": FRIEND, "text": format!("{number} {padding}")});
    let injected = daemon.injector().receive_all((0..MESSAGES).map(message).collect());
    // Nobody has read a line of the watch while all of them went by.
    fence.texts(MESSAGES);
    injected.join().unwrap();
    let lines = watching.lines();
    for number in 0..MESSAGES {
        let message: Value = serde_json::from_str(&next(&lines)).unwrap();
        let text = message["text"].as_str().unwrap();
        assert_eq!(text.split(' ').next(), Some(number.to_string().as_str()));
    }
    let (code, said) = watching.stop(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(said.contains("too slow") && said.contains("--since-rowid"), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    both_ways(FRIENDS, |home| {
        let mut watching = Watching::start(home, &[], 0);
        let lines = watching.lines();
        home.receive_from(FRIEND, "one");
        next(&lines);
        // The thread that reads ends when it cannot hand a line on, and closes the pipe.
        drop(lines);
        home.receive_from(FRIEND, "two");
        let ended = eventually("watch ends", || {
            home.receive_from(FRIEND, "and more");
            watching.child.try_wait().unwrap()
        });
        let mut said = String::new();
        watching.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((ended.code(), said.as_str()), (Some(0), ""));
    });
}

#[test]
fn a_daemon_that_ends_is_told_with_where_to_go_on() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut watching = Watching::start(&daemon, &[], 0);
    let lines = watching.lines();
    let received = daemon.receive_from(FRIEND, "one");
    next(&lines);
    daemon.terminate();
    let (code, said) = watching.end();
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("--since-rowid {}", received.rowid)), "{said}");
}

#[test]
fn a_watch_prints_what_comes_and_not_what_came_since_the_last_one() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut first = Watching::start(&daemon, &[], 0);
    first.stop(Signal::TERM);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "between");
    assert_eq!(client.texts(1), ["between"]);
    let mut second = Watching::start(&daemon, &[], 1);
    let lines = second.lines();
    daemon.receive_from(FRIEND, "now");
    let line = next(&lines);
    assert!(line.ends_with("now"), "{line}");
}

#[test]
fn without_a_daemon_strangers_are_not_answered() {
    let home = Home::new("[policy]\nbundled = ['allowlist', 'pairing']\nallow_from = ['+14155550101']\n");
    let mut watching = Watching::start(&home, &[], 0);
    let lines = watching.lines();
    let held = home.receive_from(STRANGER, "let me in");
    home.receive_from(FRIEND, "fence");
    assert!(next(&lines).ends_with("fence"));
    eventually("the stranger is held", || home.journal(&held.guid));
    watching.stop(Signal::INT);
    assert!(home.sent().is_empty());
    let daemon = TestDaemon::start(home);
    assert_eq!(daemon.sent_call(0)["chat"], format!("any;-;{STRANGER}"));
}
