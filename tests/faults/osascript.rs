//! osascript that hangs, fails, accepts without writing, writes late, or writes into another chat: every request is
//! repeated under its key, and nothing leaves twice.

use std::os::unix::fs::PermissionsExt;
use std::{fs, path::Path};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{Client, FRIEND, FRIENDS, Home, OTHER_FRIEND, Refusal, TestDaemon, eventually};

/// What osascript does, and what becomes of the request then.
struct Fault {
    mode: &'static str,
    delay_ms: u64,
    /// Codes of the first answer and of the repeated request's, once osascript behaves again; 0 is a success.
    codes: [i64; 2],
    /// Messages that leave for each key.
    leave: usize,
}

const HANGS: Fault = Fault { mode: "hang", delay_ms: 0, codes: [-32001, -32001], leave: 0 };
const FAILS_BEFORE: Fault = Fault { mode: "fail-before", delay_ms: 0, codes: [-32603, 0], leave: 1 };
const FAILS_AFTER: Fault = Fault { mode: "fail-after", delay_ms: 0, codes: [-32001, -32001], leave: 0 };
const EXITS: Fault = Fault { mode: "exit", delay_ms: 0, codes: [-32001, -32001], leave: 0 };
const WRITES_NOTHING: Fault = Fault { mode: "accept-without-writing", delay_ms: 0, codes: [-32001, -32001], leave: 0 };
const WRITES_ELSEWHERE: Fault = Fault { mode: "wrong-chat", delay_ms: 0, codes: [-32001, -32001], leave: 0 };
/// After the 8 seconds in which its row is waited for.
const WRITES_LATE: Fault = Fault { mode: "write-late", delay_ms: 9000, codes: [-32001, 0], leave: 1 };

/// How many own messages the chat with the friend has.
fn sent_in_chat(client: &mut Client, chat: i64) -> usize {
    let history = client.ok("messages.history", json!({"chat_id": chat, "limit": 1000}));
    history["messages"].as_array().unwrap().iter().filter(|message| message["is_from_me"] == true).count()
}

/// Meets the fault this many times, repeats each request with the daemon killed in between, and counts.
fn meet(fault: &Fault, times: usize) {
    let mut daemon = TestDaemon::new(&format!(
        "send.timeout_seconds = 1\nsend.per_minute = 0\nsend.per_chat_per_minute = 0\n{FRIENDS}"
    ));
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    daemon.receive_from(OTHER_FRIEND, "hi");
    let request = |number: usize| {
        let text = format!("{} {number}", fault.mode);
        json!({"to": FRIEND, "text": text, "idempotency_key": text, "allow_sms_fallback": false})
    };
    let mut client = daemon.connect();
    let code = |answer: Result<Value, Refusal>| answer.map_or_else(|refusal| refusal.code, |_| 0);
    for number in 0..times {
        daemon.osascript(&json!({"mode": fault.mode, "delay_ms": fault.delay_ms}));
        assert_eq!(code(client.call("send", request(number))), fault.codes[0], "{}", fault.mode);
        if fault.mode == "write-late" {
            eventually("the row is written", || (sent_in_chat(&mut client, chat) > number).then_some(()));
        }
    }
    daemon.osascript(&json!({}));
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.connect();
    for number in 0..times {
        for _ in 0..2 {
            assert_eq!(code(client.call("send", request(number))), fault.codes[1], "{}", fault.mode);
        }
    }
    let calls: Vec<String> = daemon
        .sent()
        .iter()
        .filter(|call| call["dispatched"] == true)
        .map(|call| call["text"].as_str().unwrap().to_owned())
        .collect();
    let counts = Counts::new(&[], &[], &calls);
    counts.print(&format!("osascript, {}", fault.mode));
    assert_eq!((counts.sent, counts.sent_twice), (times, 0), "{}: {calls:?}", fault.mode);
    assert_eq!(sent_in_chat(&mut client, chat), times * fault.leave, "{}", fault.mode);
}

#[test]
fn osascript_that_hangs_or_fails_sends_nothing_twice() {
    for fault in [HANGS, FAILS_BEFORE, FAILS_AFTER, EXITS] {
        meet(&fault, rounds(2, 20));
    }
}

/// Each of these is waited for in real time, so they meet side by side.
#[test]
fn osascript_that_writes_nothing_or_elsewhere_or_late_sends_nothing_twice() {
    std::thread::scope(|scope| {
        for fault in [WRITES_NOTHING, WRITES_ELSEWHERE, WRITES_LATE] {
            scope.spawn(move || meet(&fault, rounds(1, 10)));
        }
    });
}

/// Says that it was called, takes the message only when it is told to, and writes no row.
const TAKES_WHEN_TOLD: &str = "#!/bin/sh
cat >/dev/null
echo called >>\"$0.calls\"
until [ -e \"$0.go\" ]; do sleep 0.01; done
echo ok
";

#[test]
fn a_message_that_was_taken_while_chat_db_could_not_be_read_is_not_sent_again() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "hi");
    // Without a WAL, whoever writes keeps readers out.
    Connection::open(home.db()).unwrap().query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    let osascript = home.path("osascript");
    fs::write(&osascript, TAKES_WHEN_TOLD).unwrap();
    fs::set_permissions(&osascript, fs::Permissions::from_mode(0o755)).unwrap();
    let beside = |suffix: &str| home.path(&format!("osascript.{suffix}"));
    let (calls, go) = (beside("calls"), beside("go"));
    let daemon = TestDaemon::start(home);
    let request = json!({"to": FRIEND, "text": "once", "idempotency_key": "k", "allow_sms_fallback": false});
    let called = |calls: &Path| fs::read_to_string(calls).unwrap_or_default().lines().count();

    let mut client = daemon.connect();
    let asked = client.ask("send", request.clone());
    eventually("osascript is called", || (called(&calls) == 1).then_some(()));
    let holder = Connection::open(daemon.db()).unwrap();
    holder.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    fs::write(&go, "").unwrap();
    let refusal = client.answer(asked).unwrap_err();
    drop(holder);
    assert_eq!((refusal.code, &refusal.data["retry_safe"]), (-32001, &json!(false)), "{refusal:?}");
    assert!(refusal.data["detail"].as_str().unwrap().contains("chat.db could not be read"), "{refusal:?}");
    assert_eq!(client.call("send", request).unwrap_err().code, -32001);
    assert_eq!(called(&calls), 1);
}
