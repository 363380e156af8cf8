//! state.db damaged, at a start and while the daemon runs, and a disk without room for it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Counts;
use crate::harness::{FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, Home, STRANGER, TestDaemon, eventually};

const PAGE: u64 = 4096;

/// All that is in the -wal file goes into the database.
fn checkpoint(home: &Home) {
    home.state().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Writes nonsense over the first page of this table.
fn tear(home: &Home, table: &str) {
    checkpoint(home);
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 = home.state().query_row(root, [table], |row| row.get(0)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(home.state_db()).unwrap();
    file.write_all_at(&[0xa5; PAGE as usize], (page as u64 - 1) * PAGE).unwrap();
}

/// A stranger who was let in, a friend who wrote, and a send; then nothing runs any more.
fn prepared() -> TestDaemon {
    let mut daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "let me in");
    let pending = eventually("the stranger waits", || {
        client.ok("pairing.list", json!({}))["pending"].as_array()?.first().cloned()
    });
    client.ok("pairing.approve", json!({"code": pending["code"]}));
    assert_eq!(client.texts(1), ["let me in"]);
    daemon.receive_from(STRANGER, "thanks");
    daemon.receive_from(FRIEND, "before");
    assert_eq!(client.texts(2), ["thanks", "before"]);
    client.ok("send", json!({"to": FRIEND, "text": "once", "idempotency_key": "k"}));
    daemon.kill();
    daemon
}

fn sends(daemon: &TestDaemon) -> Vec<String> {
    let texts = daemon.sent().into_iter().map(|sent| sent.to_string());
    texts.filter(|sent| sent.contains("once")).collect()
}

/// It was set aside, that is said, and said again after a restart until its owner removes the file.
fn check_said(daemon: &mut TestDaemon) -> Value {
    let lost = daemon.status()["imsgd"]["state_lost"].clone();
    assert_eq!(lost.as_array().map(Vec::len), Some(1), "{lost}");
    let path = PathBuf::from(lost[0]["path"].as_str().unwrap());
    assert!(path.exists() && path.to_str().unwrap().contains("state.db.corrupt-"), "{lost}");
    assert!(daemon.log().contains("ERROR") && daemon.log().contains("set aside"), "{}", daemon.log());
    assert!(daemon.run(&["status"]).stdout.contains("state lost"));
    daemon.kill();
    daemon.start_again();
    assert_eq!(daemon.status()["imsgd"]["state_lost"], lost);
    fs::remove_file(path).unwrap();
    assert_eq!(daemon.status()["imsgd"].get("state_lost"), None);
    lost[0].clone()
}

/// Who was let in has to be let in again.
fn check_strangers_stay_out(daemon: &TestDaemon) {
    let message = daemon.receive_from(STRANGER, "am I still in?");
    let entry = eventually("it is judged", || daemon.journal(&message.guid));
    assert_eq!(entry["verdict"], "held", "{entry}");
    let pending = daemon.connect().ok("pairing.list", json!({}));
    assert_eq!(pending["pending"].as_array().map(Vec::len), Some(1), "{pending}");
}

#[test]
fn a_state_that_is_no_database_at_the_start_is_set_aside_and_strangers_stay_out() {
    let mut daemon = prepared();
    checkpoint(&daemon);
    let file = fs::OpenOptions::new().write(true).open(daemon.state_db()).unwrap();
    file.write_all_at(&[0xa5; 512], 0).unwrap();
    daemon.start_again();
    let mut client = daemon.watch();
    check_strangers_stay_out(&daemon);
    daemon.receive_from(FRIEND, "after");
    assert_eq!(client.texts(1), ["after"]);
    let lost = check_said(&mut daemon);
    assert_eq!(lost["kept"], 0, "{lost}");
}

#[test]
fn torn_pages_at_the_start_cost_no_message_and_no_second_send() {
    let mut daemon = prepared();
    tear(&daemon, "tail");
    let mut written: Vec<String> = vec!["let me in".into(), "thanks".into(), "before".into()];
    daemon.receive_from(FRIEND, "meanwhile");
    daemon.start_again();
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": -1}));
    daemon.receive_from(FRIEND, "after");
    written.extend(["meanwhile".into(), "after".into()]);
    let told = client.texts(5);
    client.ok("send", json!({"to": FRIEND, "text": "once", "idempotency_key": "k"}));
    let counts = Counts::new(&written, &told, &sends(&daemon));
    counts.print("state.db torn at the start");
    assert_eq!(counts, Counts { delivered: 5, sent: 1, ..Counts::default() });
    check_strangers_stay_out(&daemon);
    let lost = check_said(&mut daemon);
    assert!(lost["kept"].as_i64().unwrap() > 3, "{lost}");
}

/// Has all connections read what is in the file, as after a write of somebody else.
fn forget_caches(home: &Home) {
    home.state().execute_batch("PRAGMA application_id = 7").unwrap();
}

#[test]
fn damage_that_is_met_while_the_daemon_runs_ends_it_and_the_next_start_begins_anew() {
    for table in ["store", "journal", "tail"] {
        let mut daemon = prepared();
        daemon.start_again();
        let mut client = daemon.connect();
        client.subscribe(json!({"since_rowid": -1}));
        let mut told = client.texts(3);
        let mut written = told.clone();
        tear(&daemon, table);
        forget_caches(&daemon);
        // Whatever writes or reads it finds out.
        daemon.receive_from(FRIEND, "one");
        let last = daemon.receive_from(FRIEND, "two");
        written.extend(["one".to_owned(), "two".to_owned()]);
        if table == "store" {
            // What a plugin keeps is read when it comes into force.
            daemon.add_plugin("hostile.wasm", crate::harness::HOSTILE);
            daemon.configure(&format!("{FRIENDS_AND_STRANGERS}{}", Home::hostile("")));
            daemon.hang_up();
        }
        assert_eq!(daemon.wait().code(), Some(1), "{table}: {}", daemon.log());
        assert!(daemon.path("state/state.db.suspect").exists(), "{table}");
        while let Some(line) = client.line() {
            let message = &line["params"]["message"];
            if message["is_from_me"] == false {
                told.push(message["text"].as_str().unwrap().to_owned());
            }
        }
        daemon.start_again();
        assert!(!daemon.path("state/state.db.suspect").exists(), "{table}");
        eventually("the last is judged", || daemon.journal(&last.guid));
        // As a client that goes on after the last that it heard.
        let mut client = daemon.connect();
        let resumed = client.ok("messages.after", json!({"since_rowid": 0}));
        let rows = resumed["messages"].as_array().unwrap();
        let rest = rows.iter().filter(|row| row["is_from_me"] == false).map(|row| row["text"].as_str().unwrap());
        let rest: Vec<String> = rest.map(str::to_owned).collect();
        let missing: Vec<String> = rest.into_iter().filter(|text| !told.contains(text)).collect();
        told.extend(missing);
        client.ok("send", json!({"to": FRIEND, "text": "once", "idempotency_key": "k"}));
        let counts = Counts::new(&written, &told, &sends(&daemon));
        counts.print(&format!("state.db's table {table} torn while it runs"));
        assert_eq!(counts, Counts { delivered: 5, sent: 1, ..Counts::default() }, "{table}");
        check_strangers_stay_out(&daemon);
        check_said(&mut daemon);
    }
}

#[test]
fn a_mark_on_a_state_that_is_whole_costs_nothing() {
    let mut daemon = prepared();
    fs::write(daemon.path("state/state.db.suspect"), "an error that went away").unwrap();
    daemon.start_again();
    assert!(!daemon.path("state/state.db.suspect").exists());
    assert_eq!(daemon.status()["imsgd"].get("state_lost"), None);
    let message = daemon.receive_from(STRANGER, "still in");
    assert_eq!(eventually("it is judged", || daemon.journal(&message.guid))["verdict"], "delivered");
}

/// Lets files of the daemon grow to this size only, as a full disk would.
#[cfg(target_os = "linux")]
fn limit(daemon: &TestDaemon, bytes: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn without_room_for_state_db_nothing_is_announced_or_sent_and_nothing_is_lost() {
    let ignoring = ["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let mut daemon = TestDaemon::start_through(Home::new(FRIENDS), &ignoring);
    let mut client = daemon.watch();
    let mut written = Vec::new();
    let mut write = |daemon: &TestDaemon, name: &str, count: usize| {
        let texts = (0..count).map(|number| format!("{name} {number}"));
        let first = written.len();
        written.extend(texts);
        let messages = written[first..].iter().map(|text| json!({"from": FRIEND, "text": text, "after_ms": 2}));
        daemon.injector().receive_all(messages.collect()).join().unwrap();
    };
    write(&daemon, "before", 20);
    let mut told = client.texts(20);
    limit(&daemon, Some(PAGE));
    write(&daemon, "meanwhile", super::rounds(50, 2000));
    let error = eventually("it is said", || daemon.status()["imsgd"]["last_error"].as_str().map(str::to_owned));
    assert!(error.contains("state.db"), "{error}");
    let refusal = client.refused("send", json!({"to": FRIEND, "text": "once", "idempotency_key": "k"}));
    assert_eq!((refusal.code, &refusal.data["disposition"]), (-32603, &json!("not_started")), "{refusal:?}");
    let detail = refusal.data["detail"].as_str().unwrap();
    assert!(detail.contains("could not be written down, so it was not tried"), "{detail}");
    assert!(daemon.sent().is_empty());
    let fence = client.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#);
    assert_eq!(fence["id"], "fence", "nothing was announced that was not kept: {fence}");
    let kept = || daemon.state().query_row("SELECT COUNT(*) FROM journal", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(kept(), 20);
    assert!(daemon.log().matches("could not be kept").count() <= 1, "{}", daemon.log());
    limit(&daemon, None);
    write(&daemon, "after", 20);
    told.extend(client.texts(written.len() - told.len()));
    assert_eq!(kept(), written.len() as i64);
    assert_eq!(daemon.status()["imsgd"]["last_error"], Value::Null);
    client.ok("send", json!({"to": FRIEND, "text": "once", "idempotency_key": "k"}));
    let counts = Counts::new(&written, &told, &sends(&daemon));
    counts.print("no room for state.db");
    assert_eq!(counts, Counts { delivered: written.len(), sent: 1, ..Counts::default() });
    daemon.kill();
}
