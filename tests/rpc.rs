//! JSON-RPC as clients of `imsg` know it: envelopes, parameters, limits, subscriptions.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, TestDaemon, record};

/// Sends a line and checks the error that comes back.
fn check(client: &mut Client, line: &str, id: Value, code: i64, data: &str) {
    let answer = client.exchange(line);
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{line}: {answer}");
    if !data.is_empty() {
        assert_eq!(answer["error"]["data"], data, "{line}");
    }
    assert!(answer.get("result").is_none() && answer["jsonrpc"] == "2.0", "{answer}");
}

#[test]
fn broken_envelopes_are_refused_one_by_one_and_the_connection_lives() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let an_object = "request must be an object";
    let an_id = "id must be a string, number, or null";
    let a_version = "jsonrpc must be exactly 2.0";
    let a_method = "method is required";
    let params = "params must be an object when present";
    for (line, id, code, data) in [
        ("{", json!(null), -32700, ""),
        ("no json", json!(null), -32700, ""),
        ("3", json!(null), -32700, ""),
        ("\"text\"", json!(null), -32700, ""),
        ("null", json!(null), -32700, ""),
        ("[]", json!(null), -32600, an_object),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"status"}]"#, json!(null), -32600, an_object),
        (r#"{"jsonrpc":"2.0","id":true,"method":"status"}"#, json!(null), -32600, an_id),
        (r#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, json!(null), -32600, an_id),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"status"}"#, json!(null), -32600, an_id),
        (r#"{"id":7,"method":"status"}"#, json!(7), -32600, a_version),
        (r#"{"jsonrpc":"1.0","id":7,"method":"status"}"#, json!(7), -32600, a_version),
        (r#"{"jsonrpc":2.0,"id":7,"method":"status"}"#, json!(7), -32600, a_version),
        (r#"{"method":"status"}"#, json!(null), -32600, a_version),
        (r#"{"jsonrpc":"2.0","id":"a"}"#, json!("a"), -32600, a_method),
        (r#"{"jsonrpc":"2.0","id":"a","method":""}"#, json!("a"), -32600, a_method),
        (r#"{"jsonrpc":"2.0","id":"a","method":5}"#, json!("a"), -32600, a_method),
        (r#"{"jsonrpc":"2.0"}"#, json!(null), -32600, a_method),
        (r#"{"jsonrpc":"2.0","id":1,"method":"status","params":null}"#, json!(1), -32602, params),
        (r#"{"jsonrpc":"2.0","id":1,"method":"status","params":[]}"#, json!(1), -32602, params),
        (r#"{"jsonrpc":"2.0","id":1,"method":"status","params":1}"#, json!(1), -32602, params),
        (r#"{"jsonrpc":"2.0","id":1,"method":"no.such"}"#, json!(1), -32601, "no.such"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"no.such"}"#, json!(null), -32601, "no.such"),
    ] {
        check(&mut client, line, id, code, data);
    }
    let answer = client.exchange(r#"{"jsonrpc":"2.0","id":null,"method":"initialize"}"#);
    assert_eq!((&answer["id"], answer["result"].is_object()), (&json!(null), true));
    let answer = client.exchange("\r\n  \r\n \t{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"initialize\"} \r");
    assert_eq!(answer["id"], "x");
}

#[test]
fn notifications_are_carried_out_and_never_answered() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for silent in [
        r#"{"jsonrpc":"2.0","method":"initialize"}"#,
        r#"{"jsonrpc":"2.0","method":"messages.history","params":{"chat_id":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"no.such"}"#,
        r#"{"jsonrpc":"2.0","method":"status","params":[]}"#,
    ] {
        client.write_line(silent);
    }
    client.write_line(r#"{"jsonrpc":"2.0","method":"send","params":{"to":"+14155550101","text":"silently"}}"#);
    assert_eq!(daemon.sent_call(0)["text"], "silently");
    // Of the lanes, each has answered all that came before by the time that it answers this.
    for method in ["initialize", "status", "pairing.approve"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":"{method}","method":"{method}"}}"#);
        assert_eq!(client.exchange(&line)["id"], method);
    }
}

#[test]
fn hostile_lines_are_only_errors() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let mut send = |bytes: Vec<u8>| {
        client.write(&bytes);
        client.exchange("")
    };
    let mut long = vec![b'x'; (1 << 20) + 1];
    long.push(b'\n');
    let answer = send(long);
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(null), &json!(-32600)));
    assert!(answer["error"]["data"].as_str().unwrap().contains("1048576"), "{answer}");
    let mut padded = br#"{"jsonrpc":"2.0","id":"padded","method":"initialize"}"#.to_vec();
    padded.resize(1 << 20, b' ');
    padded.push(b'\n');
    assert_eq!(send(padded)["id"], "padded");
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"status","params":{{"a":{}"#, "[".repeat(200_000));
    assert_eq!(send(format!("{deep}\n").into_bytes())["error"]["code"], -32700);
    let answer = send(b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"initialize\"}\n".to_vec());
    assert_eq!(answer["id"], "\u{fffd}");
    assert_eq!(send(b"\0\0\0\n".to_vec())["error"]["code"], -32700);
    client.ok("status", json!({}));
}

#[test]
fn parameters_are_checked_strictly() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for (method, params, said) in [
        ("status", json!({"verbose": true}), "unknown status param: verbose"),
        ("initialize", json!({"protocol_version": 2}), "unsupported protocol_version 2; supported version is 1"),
        ("chats.list", json!({"limit": "3"}), "limit must be an integer"),
        ("chats.list", json!({"limit": false}), "limit must be an integer"),
        ("chats.list", json!({"limit": 0}), "limit must be a positive integer"),
        ("chats.list", json!({"unread_only": 1}), "unread_only must be a boolean"),
        ("chats.list", json!({"unread_only": true, "unreadOnly": true}), "use only one of unread_only, unreadOnly"),
        ("messages.history", json!({}), "chat_id is required"),
        ("messages.history", json!({"chat_id": true}), "chat_id must be an integer"),
        ("messages.history", json!({"chat_id": 1.5}), "chat_id must be an integer"),
        ("messages.history", json!({"chat_id": -1}), "chat_id must be a positive integer"),
        ("messages.history", json!({"chat_id": null}), "chat_id must not be null"),
        ("messages.history", json!({"chat_id": 1, "zz": 1, "aa": 1}), "unknown messages.history param: aa"),
        ("messages.history", json!({"chat_id": 1, "start": "yesterday"}), "Invalid ISO8601 date: yesterday"),
        ("messages.history", json!({"chat_id": 1, "participants": "x"}), "participants must be an array of strings"),
        ("watch.subscribe", json!({"chat_id": 0}), "chat_id must be a positive integer"),
        ("watch.subscribe", json!({"since_rowid": "1"}), "since_rowid must be an integer"),
        ("watch.subscribe", json!({"debounce_ms": -1}), "debounce_ms must be a non-negative integer"),
        ("watch.subscribe", json!({"debounceMs": -1}), "debounceMs must be a non-negative integer"),
        ("watch.subscribe", json!({"debounce_ms": "125"}), "debounce_ms must be an integer"),
        ("watch.subscribe", json!({"buffer_limit": 0}), "buffer_limit must be an integer between 1 and 4096"),
        ("watch.subscribe", json!({"bufferLimit": 4097}), "bufferLimit must be an integer between 1 and 4096"),
        ("watch.subscribe", json!({"chatId": 1}), "unknown watch.subscribe param: chatId"),
        ("watch.unsubscribe", json!({}), "subscription is required"),
        ("watch.unsubscribe", json!({"subscription": 0}), "subscription must be a positive integer"),
        ("pairing.approve", json!({}), "code is required"),
    ] {
        let refusal = client.refused(method, params.clone());
        assert_eq!((refusal.code, &refusal.data), (-32602, &json!(said)), "{method} {params}");
    }
    assert_eq!(client.subscribe(json!({})), 1, "refused subscriptions take no number");
}

#[test]
fn initialize_and_status_tell_what_there_is() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for method in ["initialize", "status"] {
        let answer = client.ok(method, json!({}));
        assert_eq!((&answer["protocol_version"], &answer["version"]), (&json!(1), &json!(env!("CARGO_PKG_VERSION"))));
        assert_eq!(answer["database"]["ready"], true);
        assert_eq!(answer["database"]["path"], daemon.db().to_str().unwrap());
        assert_eq!(answer["database"]["features"]["reactions"], true);
        let first: Vec<_> = answer["supported_methods"].as_array().unwrap().iter().take(3).collect();
        assert_eq!(first, ["initialize", "status", "watch.unsubscribe"]);
        let usable = answer["methods"].as_array().unwrap();
        assert!(usable.contains(&json!("watch.subscribe")) && usable.contains(&json!("send")));
        assert!(!usable.contains(&json!("tapback")), "what needs a bridge is not usable");
        assert_eq!(answer["imsgd"]["pid"], daemon.pid());
    }
}

#[test]
fn what_needs_the_bridge_says_so() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for (method, operation) in [
        ("typing", "typing"),
        ("send.rich", "send-message"),
        ("tapback", "send-reaction"),
        ("group.rename", "set-display-name"),
        ("messages.poll.vote", "vote-poll"),
    ] {
        let refusal = client.refused(method, json!({"chat_id": 1}));
        assert_eq!((refusal.code, refusal.message.as_str()), (-32603, "Delivery failed before dispatch"), "{method}");
        let said = (&refusal.data["disposition"], &refusal.data["retry_safe"], &refusal.data["operation"]);
        assert_eq!(said, (&json!("not_started"), &json!(true), &json!(operation)), "{method}");
    }
    for (method, message) in
        [("handles.check", "Bridge unavailable"), ("bridge.events.subscribe", "Bridge events unavailable")]
    {
        let refusal = client.refused(method, json!({}));
        assert_eq!((refusal.code, refusal.message.as_str()), (-32003, message));
        assert!(refusal.data["detail"].is_string() && refusal.data["retryable"] == true);
    }
}

#[test]
fn a_connection_has_64_subscriptions_and_a_place_again_when_one_ends() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    for number in 1..=64 {
        assert_eq!(client.subscribe(json!({})), number);
    }
    let refusal = client.refused("watch.subscribe", json!({}));
    assert_eq!((refusal.code, &refusal.data), (-32000, &json!("subscription limit exceeded")));
    assert_eq!(client.ok("watch.unsubscribe", json!({"subscription": 7})), json!({"ok": true}));
    assert_eq!(client.ok("watch.unsubscribe", json!({"subscription": 999})), json!({"ok": true}));
    assert_eq!(client.subscribe(json!({})), 65);
    assert_eq!(daemon.connect().subscribe(json!({})), 1, "another connection has its own");
}

#[test]
fn over_128_outstanding_requests_are_refused_and_unsubscribe_still_works() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.osascript(&json!({"mode": "hang"}));
    let mut client = daemon.connect();
    let subscription = client.subscribe(json!({}));
    let asked: Vec<_> =
        (0..129).map(|number| client.ask("send", json!({"to": FRIEND, "text": format!("{number}")}))).collect();
    let refusal = client.answer(asked[128]).unwrap_err();
    assert_eq!((refusal.code, &refusal.data), (-32000, &json!("outstanding request limit exceeded")));
    client.write_line(r#"{"jsonrpc":"2.0","method":"send","params":{"to":"+14155550101","text":"vanishes"}}"#);
    client.ok("watch.unsubscribe", json!({"subscription": subscription}));
    let other = daemon.connect().ok("status", json!({}));
    assert_eq!(other["imsgd"]["pid"], daemon.pid(), "others are served");
    // What was accepted is answered, also when nothing more is sent.
    daemon.sent_call(0);
    assert!(daemon.terminate().success());
    let first = client.answer(asked[0]).unwrap_err();
    assert_eq!((first.code, &first.data["retry_safe"]), (-32001, &json!(false)), "{first:?}");
    let second = client.answer(asked[1]).unwrap_err();
    assert!(second.data["retry_safe"] == true || second.data == "server is shutting down", "{second:?}");
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn a_send_in_hand_delays_no_read() {
    let daemon = TestDaemon::new(FRIENDS);
    daemon.osascript(&json!({"delay_ms": 1500}));
    let mut client = daemon.connect();
    let send = client.ask("send", json!({"to": FRIEND, "text": "slow"}));
    let read = client.ask("chats.list", json!({}));
    let first = client.line().unwrap();
    assert_eq!(first["id"], read, "the read is answered while osascript runs");
    client.answer(send).unwrap();
}

#[test]
fn nothing_of_a_subscription_follows_the_answer_to_unsubscribe() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    assert_eq!(client.subscribe(json!({"buffer_limit": 4096})), 1);
    assert_eq!(client.subscribe(json!({"buffer_limit": 4096})), 2);
    let messages = (0..300).map(|number| json!({"from": FRIEND, "text": format!("{number}")})).collect();
    let injected = daemon.injector().receive_all(messages);
    while client.notification()["params"]["message"]["text"] != "50" {}
    let id = client.ask("watch.unsubscribe", json!({"subscription": 1}));
    let mut is_ended = false;
    loop {
        let line = client.line().unwrap();
        is_ended |= line["id"] == id;
        let of = &line["params"]["subscription"];
        assert!(!(is_ended && *of == 1), "{line}");
        if *of == 2 && line["params"]["message"]["text"] == "299" {
            break;
        }
    }
    assert!(is_ended);
    injected.join().unwrap();
}

#[test]
fn a_client_that_never_reads_delays_nobody_and_can_resume() {
    const MESSAGES: usize = 500;
    let daemon = TestDaemon::new(FRIENDS);
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    writeln!(slow, r#"{{"jsonrpc":"2.0","id":1,"method":"watch.subscribe","params":{{"buffer_limit":16}}}}"#).unwrap();
    let mut slow = BufReader::new(slow);
    let mut line = String::new();
    slow.read_line(&mut line).unwrap();
    assert!(line.contains("\"subscription\":1"), "{line}");
    let mut quick = daemon.watch();
    // More than all buffers on the way to the client hold.
    let long = "x".repeat(8000);
    let messages = (0..MESSAGES).map(|number| json!({"from": FRIEND, "text": format!("{number} {long}")})).collect();
    let injected = daemon.injector().receive_all(messages);
    let all: Vec<_> = (0..MESSAGES).map(|_| quick.message()["id"].as_i64().unwrap()).collect();
    injected.join().unwrap();

    let mut seen = Vec::new();
    let resume = loop {
        line.clear();
        slow.read_line(&mut line).unwrap();
        let notification: Value = serde_json::from_str(&line).unwrap();
        record(&notification);
        let params = &notification["params"];
        match notification["method"].as_str() {
            Some("message") => seen.push(params["message"]["id"].as_i64().unwrap()),
            Some("watch.overflow") => {
                assert_eq!((&params["subscription"], &params["terminal"]), (&json!(1), &json!(true)));
                assert_eq!(params["reason"], "buffer_limit_exceeded");
                break params["resume_after_rowid"].as_i64().unwrap();
            }
            _ => panic!("{notification}"),
        }
    };
    assert!(seen.len() < MESSAGES, "it was slow");
    assert_eq!(seen.last(), Some(&resume), "what was accepted was delivered first");
    let stream = slow.into_inner();
    let mut resumed = Client::new(stream.try_clone().unwrap(), stream);
    assert_eq!(resumed.subscribe(json!({"since_rowid": resume, "buffer_limit": 16})), 2);
    while seen.len() < MESSAGES {
        seen.push(resumed.message()["id"].as_i64().unwrap());
    }
    assert_eq!(seen, all, "each once and in order");
}

#[test]
fn history_and_chats_show_what_the_database_has() {
    let home = Home::new(FRIENDS);
    let chat = home.receive_from(FRIEND, "first").chat_id.unwrap().0;
    home.receive_from(FRIEND, "second");
    let daemon = TestDaemon::start(home);
    let mut client = daemon.connect();
    let chats = client.ok("chats.list", json!({}));
    assert_eq!((&chats["chats"][0]["id"], &chats["chats"][0]["identifier"]), (&json!(chat), &json!(FRIEND)));
    let group = client.ok("chats.get", json!({"chat_id": chat}));
    assert_eq!((&group["id"], &group["participants"]), (&json!(chat), &json!([FRIEND])));
    let history = client.ok("messages.history", json!({"chat_id": chat}));
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["second", "first"]);
    assert_eq!(client.ok("messages.history", json!({"chat_id": 999})), json!({"messages": []}));
}
