//! What a connection may do: the scopes that the configuration gives clients, those that a connection gives up, and
//! the socket for the owner's own commands.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS_AND_STRANGERS, Home, Refusal, STRANGER, TestDaemon, eventually};

const NOT_PERMITTED: i64 = -32006;

fn with_scopes(scopes: &str, config: &str) -> String {
    format!("server.scopes = {scopes}\n{config}")
}

fn owner(home: &Home) -> Client {
    home.connect_to(&home.path("state/owner.sock"))
}

fn names_scope(refusal: &Refusal, scope: &str) {
    assert_eq!((refusal.code, refusal.message.as_str()), (NOT_PERMITTED, "Not permitted"), "{refusal:?}");
    let detail = refusal.data.as_str().unwrap();
    assert!(detail.contains(&format!("`{scope}`")), "{detail}");
}

/// Methods by the scope that the document says they need.
fn published(client: &mut Client) -> Vec<(String, Option<String>)> {
    let document = client.ok("rpc.discover", json!({}));
    let methods = document["methods"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    methods.map(|method| (text(&method["name"]).unwrap(), text(&method["x-scope"]))).collect()
}

#[test]
fn a_gateway_cannot_approve_the_pairing_code_that_it_saw_and_the_owner_can() {
    let daemon = TestDaemon::new(&with_scopes("['read', 'send']", FRIENDS_AND_STRANGERS));
    let mut gateway = daemon.watch();
    let message = daemon.receive_from(STRANGER, "let me in");
    // The answer to the stranger is a message like any other, and the code stands in it.
    let reply = gateway.message();
    let pending = owner(&daemon).ok("pairing.list", json!({}))["pending"].clone();
    let code = pending[0]["code"].as_str().unwrap();
    assert!(reply["text"].as_str().unwrap().contains(code));
    for (method, params) in [
        ("pairing.approve", json!({"code": code})),
        ("pairing.deny", json!({"code": code})),
        ("pairing.list", json!({})),
        ("held.release", json!({"all": true})),
        ("held.show", json!({"guid": message.guid})),
        ("config.add", json!({"key": "policy.allow_from", "value": STRANGER})),
        ("plugins.reload", json!({})),
    ] {
        names_scope(&gateway.refused(method, params), "policy");
    }
    assert!(!gateway.ok("held.list", json!({})).to_string().contains(code));
    assert!(!gateway.ok("journal.list", json!({})).to_string().contains(code));
    assert!(!gateway.ok("plugins.list", json!({})).to_string().contains(code));
    assert_eq!(daemon.journal(&message.guid).unwrap()["verdict"], "held");
    let approved = daemon.run(&["pairing", "approve", code]);
    assert!(approved.status.success(), "{approved:?}");
    assert_eq!(gateway.inbound()["text"], "let me in");
}

#[test]
fn each_method_is_refused_to_who_has_not_its_scope_and_carried_out_for_who_has() {
    let daemon = TestDaemon::new(&with_scopes("[]", FRIENDS_AND_STRANGERS));
    let mut nobody = daemon.connect();
    let methods = published(&mut nobody);
    assert!(methods.len() > 40, "{methods:?}");
    for (method, scope) in &methods {
        // With parameters that are wrong, so that nothing happens where it is permitted.
        let answered = nobody.call(method, json!({"no-such-parameter": true}));
        match scope {
            Some(scope) => names_scope(&answered.unwrap_err(), scope),
            None => assert!(answered.is_ok() || answered.unwrap_err().code == -32602, "{method}"),
        }
        let answered = owner(&daemon).call(method, json!({"no-such-parameter": true}));
        assert!(answered.is_ok() || answered.unwrap_err().code != NOT_PERMITTED, "{method}");
    }
    let status = nobody.ok("status", json!({}));
    assert_eq!(status["imsgd"]["scopes"], json!([]));
    let open: Vec<&str> = methods.iter().filter(|(_, scope)| scope.is_none()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(status["methods"], json!(open));
    assert_eq!(owner(&daemon).ok("status", json!({}))["methods"].as_array().unwrap().len(), methods.len());
    let unknown = nobody.refused("no.such.method", json!({}));
    assert_eq!(unknown.code, -32601);
}

#[test]
fn a_scope_that_is_taken_away_is_gone_at_once_and_comes_back_at_once() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut gateway = daemon.connect();
    gateway.ok("pairing.list", json!({}));
    for (scopes, may) in [("['read']", false), ("['read', 'send', 'policy']", true)] {
        daemon.configure(&with_scopes(scopes, FRIENDS_AND_STRANGERS));
        eventually("the configuration is in force", || {
            (gateway.call("pairing.list", json!({})).is_ok() == may).then_some(())
        });
        let sent = gateway.call("send", json!({"to": FRIEND, "text": "hello"}));
        assert_eq!(sent.is_ok(), may, "{sent:?}");
    }
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn a_connection_gives_scopes_up_and_does_not_get_them_back() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.connect();
    assert_eq!(client.ok("connection.scopes", json!({}))["scopes"], json!(["read", "send", "policy"]));
    assert_eq!(client.ok("connection.scopes", json!({"scopes": ["read"]})), json!({"ok": true, "scopes": ["read"]}));
    names_scope(&client.refused("send", json!({"to": FRIEND, "text": "no"})), "send");
    names_scope(&client.refused("pairing.list", json!({})), "policy");
    let again = client.ok("connection.scopes", json!({"scopes": ["read", "send", "policy"]}));
    assert_eq!(again["scopes"], json!(["read"]));
    assert_eq!(client.refused("connection.scopes", json!({"scopes": ["root"]})).code, -32602);
    // A notification is refused in silence, and is not carried out.
    client.write_line(&json!({"jsonrpc": "2.0", "method": "send", "params": {"to": FRIEND, "text": "no"}}).to_string());
    client.ok("chats.list", json!({}));
    assert_eq!(daemon.connect().ok("connection.scopes", json!({}))["scopes"], json!(["read", "send", "policy"]));
    assert!(daemon.sent().is_empty());
}

#[test]
fn a_relay_and_a_server_on_stdio_may_do_what_clients_may() {
    let mut daemon = TestDaemon::new(&with_scopes("['read']", FRIENDS_AND_STRANGERS));
    let mut relay = daemon.stdio(&["rpc"]);
    names_scope(&relay.client.refused("pairing.list", json!({})), "policy");
    names_scope(&relay.client.refused("send", json!({"to": FRIEND, "text": "no"})), "send");
    relay.client.ok("chats.list", json!({}));
    relay.finish();
    daemon.terminate();
    let mut alone = daemon.stdio(&["rpc", "--standalone"]);
    names_scope(&alone.client.refused("pairing.list", json!({})), "policy");
    names_scope(&alone.client.refused("send", json!({"to": FRIEND, "text": "no"})), "send");
    // Beside it the owner may do everything.
    let pending = daemon.run(&["pairing", "list", "--json"]);
    assert!(pending.status.success() && pending.stdout.contains("pending"), "{pending:?}");
    alone.finish();
    assert!(!daemon.path("state/owner.sock").exists());
}

#[test]
fn a_child_on_stdio_is_started_with_fewer_scopes_than_clients_have() {
    let mut daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let all = json!(["read", "send", "policy"]);
    for served in ["by the daemon", "by itself"] {
        let mut child = daemon.stdio(&["rpc", "--scopes", "read", "--legacy-params"]);
        // It hears of nothing but what it asked for itself.
        let first = child.client.exchange(r#"{"id": 7, "method": "connection.scopes"}"#);
        assert_eq!((&first["id"], &first["result"]["scopes"]), (&json!(7), &json!(["read"])), "{served}: {first}");
        names_scope(&child.client.refused("send", json!({"to": FRIEND, "text": "no"})), "send");
        let again = child.client.ok("connection.scopes", json!({"scopes": all}));
        assert_eq!(again["scopes"], json!(["read"]), "{served}");
        child.finish();
        if served == "by the daemon" {
            daemon.terminate();
        }
    }
    let wrong = daemon.run(&["rpc", "--scopes", "read,root"]);
    assert!(wrong.stderr.contains("scopes are read, send and policy"), "{wrong:?}");
    let serving = daemon.run(&["rpc", "--scopes", "read", "--socket", "/tmp/none"]);
    assert!(serving.stderr.contains("--scopes is for a client on stdin"), "{serving:?}");
    assert!(daemon.sent().is_empty());
}

#[test]
fn the_owners_commands_work_whatever_clients_may_do() {
    let daemon = TestDaemon::new(&with_scopes("[]", FRIENDS_AND_STRANGERS));
    let mode = std::fs::metadata(daemon.path("state/owner.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    daemon.receive_from(STRANGER, "let me in");
    eventually("the message is held", || (daemon.status()["imsgd"]["held"] == 1).then_some(()));
    for command in [
        &["pairing", "list"][..],
        &["held", "list"],
        &["plugin", "list"],
        &["plugin", "reload"],
        &["plugin", "log", "pairing"],
        &["config", "set", "policy.dm_scope", "peer"],
        &["policy", "replay", "--against", daemon.path("config.toml").to_str().unwrap()],
        &["outbox", "pause"],
        &["outbox", "resume"],
        &["consumers", "list"],
        &["journal"],
        &["chats"],
        &["send", "--to", FRIEND, "--text", "hello"],
        &["status"],
    ] {
        let answered = daemon.run(command);
        assert!(answered.status.success(), "{command:?}: {answered:?}");
    }
    // Whoever names the socket of clients is a client.
    let socket = daemon.socket();
    let as_client = daemon.run(&["pairing", "--socket", socket.to_str().unwrap(), "list"]);
    assert!(!as_client.status.success() && as_client.stderr.contains("the scope `policy`"), "{as_client:?}");
}
