//! `imsgd export`: all messages, in order, however many readers there are.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS_AND_STRANGERS, Home, STRANGER, TestDaemon, accepted, wait_for};

/// Policies that keep nothing from clients, so that there is something to compare with.
const OPEN: &str = "[policy]\nallow_from = ['*']\ndm_policy = 'open'\ngroup_policy = 'open'\n[policy.groups.'*']\n\
                    require_mention = false\n";

/// More than several readers take at once.
const MESSAGES: usize = 9_000;

fn exported(daemon: &TestDaemon, options: &[&str]) -> String {
    let run = daemon.run(&[&["export"], options].concat());
    assert!(run.status.success(), "{run:?}");
    run.stdout
}

fn ids(lines: &str) -> Vec<i64> {
    let id = |line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap();
    lines.lines().map(id).collect()
}

/// All pages of `method`, each message as it was given but for what the policies said.
fn pages(daemon: &TestDaemon, method: &str, params: &Value) -> Vec<Value> {
    let mut client = daemon.connect();
    let (mut messages, mut params) = (Vec::new(), params.clone());
    loop {
        let mut page = client.ok(method, params.clone());
        messages.extend(page["messages"].as_array_mut().unwrap().iter_mut().map(|message| {
            message.as_object_mut().unwrap().remove("policy");
            message.take()
        }));
        if page["has_more"] == false {
            return messages;
        }
        params["since_rowid"] = page["next_rowid"].take();
    }
}

#[test]
fn everything_is_exported_in_order_with_a_daemon_and_without_one() {
    let home = Home::without_database(OPEN);
    home.make_database(8, MESSAGES);
    let mut daemon = TestDaemon::start(home);
    let lines = exported(&daemon, &[]);
    let parsed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pages_of = |method, limit: usize| {
        let params = json!({"since_rowid": 0, "limit": limit, "attachments": true, "include_reactions": true});
        let params = match method {
            "messages.export" => json!({"since_rowid": 0, "limit": limit, "attachments": true}),
            _ => params,
        };
        pages(&daemon, method, &params)
    };
    assert_eq!(parsed, pages_of("messages.after", 500));
    assert_eq!(parsed, pages_of("messages.export", 733));
    assert!(parsed.len() > MESSAGES / 2 && parsed.iter().any(|message| message["is_reaction"] == true));
    daemon.terminate();
    assert_eq!(exported(&daemon, &[]), lines);
    let last = parsed[parsed.len() / 2]["id"].as_i64().unwrap();
    let later: Vec<i64> = ids(&lines).into_iter().filter(|id| *id > last).collect();
    assert_eq!(ids(&exported(&daemon, &["--since-rowid", &last.to_string()])), later);
    for none in [MESSAGES.to_string(), i64::MAX.to_string()] {
        assert_eq!(exported(&daemon, &["--since-rowid", &none]), "");
    }
}

#[test]
fn an_export_has_what_the_policies_kept_from_clients() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "let me in");
    daemon.receive_from(FRIEND, "hello");
    client.inbound();
    assert!(!client.ok("messages.after", json!({"since_rowid": 0})).to_string().contains("let me in"));
    let lines = exported(&daemon, &[]);
    assert!(lines.contains("let me in") && lines.contains("hello"), "{lines}");
}

#[test]
fn an_export_ends_quietly_when_its_reader_has_enough() {
    let home = Home::without_database(OPEN);
    home.make_database(8, MESSAGES);
    let mut child = home.command(&["export"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(ids(&first).len(), 1);
    assert!(wait_for(&mut child, "export").success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn an_export_that_loses_its_daemon_fails_and_says_how_to_go_on() {
    let home = Home::new("");
    let socket = home.path("elsewhere.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = home.command(&["export", "--socket", socket.to_str().unwrap()]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What is asked may be on its way, or find nobody.
    drop(accepted(&listener));
    drop(listener);
    assert_eq!(wait_for(&mut child, "export").code(), Some(1));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("daemon") && said.contains("--since-rowid"), "{said}");
}

#[test]
fn a_request_for_rows_is_refused_where_it_makes_no_sense() {
    let daemon = TestDaemon::new("");
    let mut client = daemon.connect();
    for (params, said) in [
        (json!({}), "since_rowid must be a non-negative integer"),
        (json!({"since_rowid": -2}), "since_rowid must be a non-negative integer"),
        (json!({"since_rowid": 0, "limit": 0}), "limit must be an integer between 1 and 2000"),
        (json!({"since_rowid": 0, "limit": 2001}), "limit must be an integer between 1 and 2000"),
        (json!({"since_rowid": 0, "chat_id": 1}), "unknown messages.export param: chat_id"),
    ] {
        let refusal = client.refused("messages.export", params);
        assert_eq!((refusal.code, &refusal.data), (-32602, &json!(said)));
    }
}
