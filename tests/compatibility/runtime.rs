//! What waits for what, what ends when, and what is said of oneself (9.25, 9.26, 9.27).

use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, TestDaemon};

#[test]
fn reads_and_unsubscribes_overtake_a_send() {
    let daemon = TestDaemon::new(FRIENDS);
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    daemon.osascript(&json!({"mode": "hang"}));
    let mut client = daemon.connect();
    let subscription = client.subscribe(json!({}));
    client.ask("send", json!({"to": FRIEND, "text": "never answered"}));
    daemon.sent_call(0);
    assert_eq!(client.ok("chats.get", json!({"chat_id": chat}))["identifier"], FRIEND);
    assert_eq!(client.ok("status", json!({}))["database"]["ready"], true);
    assert_eq!(client.ok("watch.unsubscribe", json!({"subscription": subscription})), json!({"ok": true}));
    assert_eq!(client.ok("initialize", json!({"protocol_version": 1}))["protocol_version"], 1);
}

#[test]
fn the_end_of_input_ends_every_subscription() {
    let home = Home::new(FRIENDS);
    let mut rpc = home.stdio(&["rpc"]);
    for number in 1..=64 {
        assert_eq!(rpc.client.subscribe(json!({})), number);
    }
    assert_eq!(rpc.finish().code(), Some(0));
    assert_eq!(rpc.client.line(), None, "nothing is said of their end");

    // Those that still wait in line are refused, and all are answered.
    let mut rpc = home.stdio(&["rpc"]);
    let line = |id| json!({"jsonrpc": "2.0", "id": id, "method": "watch.subscribe", "params": {}}).to_string();
    let lines: Vec<String> = (1..=30).map(line).collect();
    rpc.client.write_line(&lines.join("\n"));
    rpc.client.close();
    for id in 1..=30 {
        match rpc.client.answer(id) {
            Ok(result) => assert_eq!(result["subscription"], id),
            Err(refusal) => {
                assert_eq!((refusal.code, refusal.data), (-32000, json!("server is shutting down")), "{id}");
            }
        }
    }
    assert_eq!(rpc.finish().code(), Some(0));
}

#[test]
fn without_a_bridge_a_send_goes_by_applescript() {
    let daemon = TestDaemon::new(FRIENDS);
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let mut client = daemon.connect();
    for transport in ["auto", "AppleScript"] {
        let params = json!({"chat_id": chat, "text": format!("by {transport}"), "transport": transport});
        assert_eq!(client.ok("send", params)["transport"], "applescript");
    }
    let renamed = client.refused("group.rename", json!({"chat_id": chat, "name": "x"}));
    let bridged = client.refused("send", json!({"chat_id": chat, "text": "x", "transport": "bridge"}));
    for refusal in [renamed, bridged] {
        assert_eq!((refusal.code, refusal.message.as_str()), (-32603, "Delivery failed before dispatch"));
        assert_eq!(json!([refusal.data["disposition"], refusal.data["retry_safe"]]), json!(["not_started", true]));
        assert_eq!(refusal.data["transport"], "bridge_v2");
    }
    let plain = client.ok("send", json!({"chat_id": chat, "text": "plain", "text_formatting": [{"start": 0}]}));
    assert_eq!((&plain["ok"], daemon.sent().len()), (&json!(true), 3));
    let status = client.ok("status", json!({}));
    assert_eq!(status["bridge"]["ready"], false);
    assert!(status["bridge"]["error"].is_string() && status["capabilities"]["features"] == json!({}), "{status}");
}

#[test]
fn status_tells_what_works_without_a_database() {
    let mut daemon = TestDaemon::start_without_waiting(Home::without_database(FRIENDS));
    daemon.wait_until_listening();
    let mut client = daemon.connect();
    for method in ["initialize", "status"] {
        let status = client.ok(method, json!({}));
        assert_eq!(status["protocol_version"], 1);
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
        let database = &status["database"];
        assert_eq!((&database["ready"], database.get("features")), (&json!(false), None));
        assert!(database["error"].is_string(), "{database}");
        let has = |list: &str, method: &str| status[list].as_array().unwrap().contains(&Value::from(method));
        for usable in ["initialize", "status", "watch.unsubscribe", "send"] {
            assert!(has("methods", usable), "{usable}");
        }
        for unusable in
            ["chats.list", "chats.get", "messages.after", "watch.subscribe", "typing", "read", "group.rename"]
        {
            assert!(!has("methods", unusable) && has("supported_methods", unusable), "{unusable}");
        }
    }
    let refusal = client.refused("status", json!({"verbose": true}));
    assert_eq!((refusal.code, refusal.data), (-32602, json!("unknown status param: verbose")));
    assert!(daemon.sent().is_empty());
}
