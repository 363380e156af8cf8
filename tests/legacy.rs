//! Legacy mode, row by row of what gateways made for `imsg` 0.3 to 0.9 rely on, and that it is off by itself.

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, Stdio, TestDaemon};

/// What a row says of a line, in one of the modes.
#[derive(Clone, Debug)]
enum Says {
    Taken,
    Refused(i64, &'static str),
}
use Says::{Refused, Taken};

fn check(client: &mut Client, line: &Value, says: &Says, mode: &str) {
    let answer = client.exchange(&line.to_string());
    match says {
        Taken => assert!(answer.get("result").is_some(), "{mode}: {line}: {answer}"),
        Refused(code, said) => {
            let data = &answer["error"]["data"];
            let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
            assert_eq!(answer["error"]["code"], *code, "{mode}: {line}: {answer}");
            assert!(text.contains(said), "{mode}: {line}: {answer}");
        }
    }
}

fn call(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn bad(said: &'static str) -> Says {
    Refused(-32602, said)
}

/// A line, what strict mode says of it, and what legacy mode says.
type Case = (Value, Says, Says);

fn legacy_only(line: Value, strictly: Says) -> Case {
    (line, strictly, Taken)
}

fn never(line: Value, says: Says) -> Case {
    (line, says.clone(), says)
}

fn always(line: Value) -> Case {
    (line, Taken, Taken)
}

fn legacy(home: &Home) -> Stdio {
    let mut legacy = home.stdio(&["rpc", "--legacy-params"]);
    legacy.client.unrecorded();
    legacy
}

/// Both modes through the same daemon; the first client is strict.
fn check_all(cases: impl FnOnce(&Home) -> Vec<Case>) {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "first");
    home.receive_from(FRIEND, "second");
    let daemon = TestDaemon::start(home);
    let (mut strict, mut legacy) = (daemon.stdio(&["rpc"]), legacy(&daemon));
    for (line, strictly, leniently) in cases(&daemon) {
        check(&mut strict.client, &line, &strictly, "strict");
        check(&mut legacy.client, &line, &leniently, "legacy");
    }
}

#[test]
fn rows_1_to_3_envelopes() {
    check_all(|_| {
        let object = "params must be an object";
        let id = Refused(-32600, "id must be a string, number, or null");
        vec![
            legacy_only(json!({"id": 1, "method": "status"}), Refused(-32600, "jsonrpc must be exactly 2.0")),
            never(
                json!({"jsonrpc": "1.0", "id": 1, "method": "status"}),
                Refused(-32600, "jsonrpc must be exactly 2.0"),
            ),
            legacy_only(call("status", Value::Null), bad(object)),
            never(call("status", json!([])), bad(object)),
            never(call("status", json!(1)), bad(object)),
            never(json!({"jsonrpc": "2.0", "id": true, "method": "status"}), id.clone()),
            never(json!({"jsonrpc": "2.0", "id": {}, "method": "status"}), id.clone()),
            never(json!({"jsonrpc": "2.0", "id": [], "method": "status"}), id),
        ]
    });
}

#[test]
fn row_4_what_has_no_id_is_never_answered() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut strict, mut legacy) = (daemon.stdio(&["rpc"]), legacy(&daemon));
    for client in [&mut strict.client, &mut legacy.client] {
        for line in [
            r#"{"jsonrpc":"2.0","method":"no.such"}"#,
            r#"{"jsonrpc":"2.0","method":"watch.unsubscribe","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"initialize","params":[]}"#,
        ] {
            client.write_line(line);
        }
        assert_eq!(client.exchange(r#"{"jsonrpc":"2.0","id":"next","method":"initialize"}"#)["id"], "next");
    }
}

#[test]
fn row_5_unknown_keys() {
    check_all(|_| {
        vec![
            legacy_only(call("chats.list", json!({"extra": 1})), bad("unknown chats.list param: extra")),
            legacy_only(call("watch.subscribe", json!({"format": "json"})), bad("unknown watch.subscribe param")),
            never(call("watch.subscribe", json!({"chatId": 1})), bad("unknown watch.subscribe param: chatId")),
            never(call("messages.after", json!({"since_rowid": 0, "chatGuid": "x"})), bad("chatGuid")),
            never(call("send", json!({"to": FRIEND, "text": "x", "recipient": "y"})), bad("recipient")),
        ]
    });
}

#[test]
fn row_6_values_of_another_kind() {
    check_all(|_| {
        let integer = "limit must be an integer";
        vec![
            legacy_only(call("messages.history", json!({"chat_id": "1"})), bad("chat_id must be an integer")),
            legacy_only(call("chats.list", json!({"limit": "5"})), bad(integer)),
            legacy_only(call("chats.list", json!({"unread_only": "true"})), bad("unread_only must be a boolean")),
            legacy_only(call("chats.list", json!({"unread_only": 1})), bad("unread_only must be a boolean")),
            legacy_only(call("messages.search", json!({"query": 42})), bad("query must be a string")),
            never(call("chats.list", json!({"limit": "1.5"})), bad(integer)),
            never(call("chats.list", json!({"limit": 1.5})), bad(integer)),
            never(call("chats.list", json!({"limit": "9223372036854775808"})), bad(integer)),
            never(call("chats.list", json!({"limit": "many"})), bad(integer)),
            never(call("chats.list", json!({"unread_only": "maybe"})), bad("unread_only must be a boolean")),
            never(call("messages.search", json!({"query": 4.5})), bad("query must be a string")),
            always(call("chats.list", json!({"limit": 5.0}))),
            always(call("messages.after", json!({"since_rowid": -1}))),
        ]
    });
}

#[test]
fn row_7_participants_in_one_text() {
    check_all(|_| {
        let strings = "participants must be an array of strings";
        vec![
            legacy_only(call("watch.subscribe", json!({"participants": "a,b"})), bad(strings)),
            never(call("watch.subscribe", json!({"participants": ["a", 1]})), bad(strings)),
            never(call("watch.subscribe", json!({"participants": ""})), bad(strings)),
        ]
    });
}

#[test]
fn row_8_null() {
    check_all(|_| {
        vec![
            always(call("chats.list", json!({"limit": null, "unread_only": null}))),
            always(call("watch.subscribe", json!({"participants": null, "start": null, "buffer_limit": null}))),
            never(call("watch.subscribe", json!({"chat_id": null})), bad("chat_id must not be null")),
            never(call("watch.subscribe", json!({"since_rowid": null})), bad("since_rowid must not be null")),
            never(call("watch.unsubscribe", json!({"subscription": null})), bad("subscription must not be null")),
            never(call("send", json!({"to": null, "text": "x"})), bad("to must not be null")),
            never(call("send", json!({"chat_id": null, "text": "x"})), bad("chat_id must not be null")),
            never(call("send", json!({"chat_guid": null, "text": "x"})), bad("chat_guid must not be null")),
            never(call("send", json!({"chat_identifier": null, "text": "x"})), bad("chat_identifier must not be null")),
        ]
    });
}

#[test]
fn rows_9_to_11_several_ways_to_say_one_thing() {
    check_all(|home| {
        let chat = home.connect().ok("chats.list", json!({}))["chats"][0].take();
        let (id, guid, identifier) = (&chat["id"], &chat["guid"], &chat["identifier"]);
        let one_of = bad("exactly one of chat_id, chat_identifier, or chat_guid is required");
        let send = |mut params: Value| {
            params["text"] = "said".into();
            call("send", params)
        };
        vec![
            legacy_only(send(json!({"chat_id": id, "chat_guid": guid, "chat_identifier": identifier})), one_of.clone()),
            legacy_only(send(json!({"chat_guid": guid, "chat_identifier": identifier})), one_of.clone()),
            never(send(json!({"chat_id": id, "chat_guid": "any;-;+19995550000"})), one_of.clone()),
            never(send(json!({"chat_id": 999, "chat_guid": guid})), one_of.clone()),
            never(send(json!({"chat_guid": guid, "chat_identifier": "+19995550000"})), one_of.clone()),
            never(send(json!({"to": FRIEND, "chat_id": id})), bad("use to or exactly one chat selector; not both")),
            legacy_only(send(json!({"to": "", "chat_id": id})), bad("use to or exactly one chat selector; not both")),
            legacy_only(send(json!({"chat_guid": "", "chat_id": id})), one_of),
            never(send(json!({"to": ""})), bad("to must be a non-empty string")),
            legacy_only(call("chats.list", json!({"unread_only": true, "unreadOnly": true})), bad("use only one of")),
            never(call("chats.list", json!({"unread_only": true, "unreadOnly": false})), bad("use only one of")),
        ]
    });
}

#[test]
fn rows_12_to_14_bounds_and_dates() {
    check_all(|_| {
        let positive = "chat_id must be a positive integer";
        let integer = "chat_id must be an integer";
        vec![
            legacy_only(call("chats.list", json!({"limit": 0})), bad("limit must be a positive integer")),
            legacy_only(
                call("messages.after", json!({"since_rowid": 0, "limit": -5})),
                bad("limit must be an integer"),
            ),
            never(call("messages.after", json!({"since_rowid": 0, "limit": 501})), bad("limit must be an integer")),
            never(call("watch.subscribe", json!({"chat_id": 0})), bad(positive)),
            never(call("watch.subscribe", json!({"chat_id": "-1"})), Refused(-32602, "chat_id must be a")),
            never(call("watch.subscribe", json!({"chat_id": "x"})), bad(integer)),
            never(call("watch.subscribe", json!({"chat_id": []})), bad(integer)),
            never(
                call("messages.history", json!({"chat_id": 1, "start": "today"})),
                bad("Invalid ISO8601 date: today"),
            ),
        ]
    });
}

#[test]
fn row_15_an_uncertain_send_is_an_object_with_its_words() {
    let daemon = TestDaemon::new(FRIENDS);
    daemon.receive_from(FRIEND, "hello");
    daemon.osascript(&json!({"mode": "ghost"}));
    let (mut strict, mut legacy) = (daemon.stdio(&["rpc"]), legacy(&daemon));
    for client in [&mut strict.client, &mut legacy.client] {
        let refusal = client.refused("send", json!({"chat_guid": format!("any;-;{FRIEND}"), "text": "lost"}));
        assert_eq!((refusal.code, &refusal.data["retry_safe"]), (-32001, &json!(false)), "{refusal:?}");
        let detail = refusal.data["detail"].as_str().unwrap();
        assert!(detail.contains("unjoined empty outgoing row"), "{detail}");
    }
}

#[test]
fn row_16_without_a_database_each_request_says_so_and_the_end_is_0() {
    for arguments in [&["rpc"][..], &["rpc", "--legacy-params"]] {
        let home = Home::without_database(FRIENDS);
        std::fs::create_dir(home.db()).unwrap();
        let mut rpc = home.stdio(arguments);
        let refusal = rpc.client.refused("chats.list", json!({}));
        assert_eq!((refusal.code, &refusal.data["retryable"]), (-32002, &json!(true)), "{refusal:?}");
        assert!(refusal.data["detail"].as_str().unwrap().contains("Full Disk Access"), "{refusal:?}");
        assert_eq!(rpc.client.ok("status", json!({}))["database"]["ready"], false);
        assert_eq!(rpc.finish().code(), Some(0));
    }
}

#[test]
fn rows_17_18_19_and_23_answers_are_the_same_in_both_modes() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "hello");
    let nameless = home.receive_from("+14155550102", "hello").chat_id.unwrap().0;
    let database = rusqlite::Connection::open(home.db()).unwrap();
    database.execute("UPDATE chat SET guid = '' WHERE ROWID = ?", [nameless]).unwrap();
    let daemon = TestDaemon::start(home);
    let (mut strict, mut legacy) = (daemon.stdio(&["rpc"]), legacy(&daemon));
    for client in [&mut strict.client, &mut legacy.client] {
        let chats = client.ok("chats.list", json!({}))["chats"].take();
        let chats = chats.as_array().unwrap();
        let (without_guid, with_guid): (Vec<_>, Vec<_>) = chats.iter().partition(|chat| chat.get("guid").is_none());
        assert_eq!((&without_guid[0]["id"], without_guid.len()), (&json!(nameless), 1));
        assert_eq!((&with_guid[0]["name"], &with_guid[0]["identifier"]), (&json!(FRIEND), &json!(FRIEND)));
        client.write_line(&call("watch.subscribe", json!({"since_rowid": -1})).to_string());
        assert_eq!(client.line().unwrap()["result"]["subscription"], 1, "the answer comes before what it is about");
        assert_eq!(client.line().unwrap()["method"], "message");
        let sent = client.ok("send", json!({"to": FRIEND, "text": "hi"}));
        assert_eq!((&sent["transport"], sent["id"].is_i64()), (&json!("applescript"), true));
        assert!(sent["guid"].is_string() && sent["guid"] == sent["message_id"], "{sent}");
    }
}

#[test]
fn row_22_the_bridge_is_never_tried() {
    check_all(|_| {
        let send = call("send", json!({"chat_guid": format!("any;-;{FRIEND}"), "text": "x", "transport": "bridge"}));
        vec![never(send, Refused(-32603, "not_started"))]
    });
}

#[test]
fn it_is_asked_for_by_a_flag_or_by_the_environment_with_and_without_a_daemon() {
    let line = call("chats.list", json!({"limit": "1"}));
    let check_four = |home: &Home| {
        for (arguments, environment, is_legacy) in [
            (&["rpc"][..], None, false),
            (&["rpc", "--legacy-params"], None, true),
            (&["rpc", "--legacy-params=0.15"], Some("0.9"), false),
            (&["rpc"], Some("0.9"), true),
            (&["rpc"], Some("0.15"), false),
        ] {
            let mut command = home.command(arguments);
            command.envs(environment.map(|version| ("IMSG_RPC_COMPAT", version)));
            let mut rpc = home.stdio_of(&mut command);
            rpc.client.unrecorded();
            let says = if is_legacy { Taken } else { bad("limit must be an integer") };
            check(&mut rpc.client, &line, &says, &format!("{arguments:?} {environment:?}"));
            assert_eq!(rpc.finish().code(), Some(0));
        }
    };
    check_four(&Home::new(FRIENDS));
    check_four(&TestDaemon::new(FRIENDS));
    let home = Home::new(FRIENDS);
    for wrong in [&["rpc", "--legacy-params=2"][..], &["rpc", "--legacy-params", "--socket", "/tmp/x"]] {
        assert!(!home.run(wrong).status.success(), "{wrong:?}");
    }
}

#[test]
fn a_client_of_the_socket_asks_for_it_and_for_its_end_from_the_next_line_on() {
    let daemon = TestDaemon::new(FRIENDS);
    let (mut client, mut other) = (daemon.connect(), daemon.connect());
    client.unrecorded();
    let old = json!({"id": 1, "method": "initialize"}).to_string();
    let ask = |version: &str| call("connection.compat", json!({"version": version})).to_string();
    client.write_line(&format!("{}\n{old}\n{}\n{old}", ask("0.9"), ask("0.15")));
    let answers: Vec<Value> = (0..4).map(|_| client.line().unwrap()).collect();
    let said = |version: &str| json!({"ok": true, "version": version});
    let of_compat: Vec<_> = answers.iter().filter(|answer| answer["result"]["ok"] == true).collect();
    assert_eq!((&of_compat[0]["result"], &of_compat[1]["result"]), (&said("0.9"), &said("0.15")));
    let taken = answers.iter().filter(|answer| answer["result"]["protocol_version"] == 1).count();
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == -32600).count();
    assert_eq!((taken, refused), (1, 1), "{answers:?}");
    assert_eq!(other.exchange(&old)["error"]["code"], -32600, "it is one connection's own");
    let refusal = other.refused("connection.compat", json!({"version": "0.8"}));
    assert_eq!(refusal.data, "version must be 0.15 or 0.9");
    other.ok("connection.compat", json!({}));
}
