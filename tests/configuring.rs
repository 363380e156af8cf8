//! The configuration file, changed key by key: by clients, and by its owner on the command line.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, STRANGER, TestDaemon, eventually};

const COMMENTED: &str = "[policy]\n# Friends.\nallow_from = [\n  '+14155550101',   # Ann\n]\nbundled = ['allowlist']\n";

fn file(home: &Home) -> String {
    fs::read_to_string(home.path("config.toml")).unwrap()
}

/// That the request is refused with these words, and the file is as it was.
#[track_caller]
fn check_refused(home: &Home, client: &mut Client, method: &str, params: Value, code: i64, words: &str) {
    let before = file(home);
    let refusal = client.refused(method, params.clone());
    assert_eq!(refusal.code, code, "{method} {params}: {refusal:?}");
    assert!(refusal.data.as_str().unwrap().contains(words), "{method} {params}: {refusal:?}");
    assert_eq!(file(home), before, "{method} {params}");
}

#[test]
fn a_client_lets_somebody_in_and_out_again_and_comments_stay() {
    let daemon = TestDaemon::new(COMMENTED);
    let before = file(&daemon);
    let mut client = daemon.watch();
    let entry = json!({"key": "policy.allow_from", "value": STRANGER});
    let added = client.ok("config.add", entry.clone());
    let expected = json!({
        "ok": true, "key": "policy.allow_from", "changed": true, "value": [FRIEND, STRANGER], "restart_needed": false
    });
    assert_eq!(added, expected);
    // In force with the answer.
    daemon.receive_from(STRANGER, "let in");
    assert_eq!(client.texts(1), ["let in"]);
    assert_eq!(file(&daemon), before.replace("# Ann\n]", &format!("# Ann\n  \"{STRANGER}\",\n]")));
    assert_eq!(client.ok("config.add", entry.clone())["changed"], false);
    assert_eq!(client.ok("config.remove", entry.clone())["value"], json!([FRIEND]));
    assert_eq!(file(&daemon), before);
    daemon.receive_from(STRANGER, "out again");
    daemon.receive_from(FRIEND, "still in");
    assert_eq!(client.texts(1), ["still in"]);
    assert_eq!(client.ok("config.remove", entry)["changed"], false);
}

#[test]
fn a_client_sets_reads_and_unsets_a_key() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let key = json!({"key": "policy.dm_scope"});
    assert_eq!(client.ok("config.get", key.clone()), json!({"key": "policy.dm_scope", "set": false}));
    client.ok("config.set", json!({"key": "policy.dm_scope", "value": "peer"}));
    assert_eq!(client.ok("config.get", key.clone()), json!({"key": "policy.dm_scope", "set": true, "value": "peer"}));
    daemon.receive_from(FRIEND, "by sender");
    assert_eq!(client.message()["policy"]["route"], format!("dm:{FRIEND}"));
    let unset = client.ok("config.unset", key);
    assert_eq!(json!([unset["changed"], unset.get("value")]), json!([true, null]), "{unset}");
    daemon.receive_from(FRIEND, "all together");
    assert_eq!(client.message()["policy"]["route"], "main");
    client.ok("config.set", json!({"key": "policy.groups.\"any;+;chat42\"", "value": {"require_mention": false}}));
    let all = client.ok("config.get", json!({}));
    assert_eq!(all["value"]["policy"]["groups"], json!({"any;+;chat42": {"require_mention": false}}));
    assert_eq!(all["value"]["policy"]["allow_from"], json!(["+14155550101", "+14155550102"]));
}

#[test]
fn what_is_wrong_is_refused_before_anything_is_written() {
    let home = Home::new(&format!("{FRIENDS_AND_STRANGERS}{}", Home::hostile("label = 'fine'")));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let mut check = |method: &str, params: Value, code: i64, words: &str| {
        check_refused(&daemon, &mut client, method, params, code, words);
    };
    let nearest = "the configuration has no key `policy.alow_from`; did you mean `allow_from`?";
    for method in ["config.get", "config.unset"] {
        check(method, json!({"key": "policy.alow_from"}), -32602, nearest);
    }
    check("config.set", json!({"key": "policy.alow_from", "value": []}), -32602, nearest);
    check("config.set", json!({"key": "policy.dm_policy", "value": "everybody"}), -32602, "everybody");
    check("config.set", json!({"key": "policy.allow_from", "value": "*"}), -32602, "allow_from = \"*\"");
    // What only the policy itself knows.
    check("config.set", json!({"key": "policy.ttl", "value": "soon"}), -32602, "pairing: configuration: ");
    check("config.set", json!({"key": "plugin.hostile.config.zzz", "value": 1}), -32602, "hostile: configuration: ");
    check("config.set", json!({"key": "plugin.other.config.x", "value": 1}), -32602, "path");
    check("config.set", json!({"key": "policy.ttl", "value": null}), -32602, "value must not be null");
    check("config.add", json!({"key": "policy.ttl", "value": 1}), -32602, "policy.ttl is no list; set it as a whole");
    check("config.set", json!({"key": "policy.history_limit", "value": 1_000_000}), -32602, "policy.history_limit");
    for key in [
        "messages.osascript",
        "messages.ffmpeg",
        "server.config_writes",
        "send.allow_to",
        "journal.keep_days",
        "plugin.hostile.path",
    ] {
        check("config.set", json!({"key": key, "value": "x"}), -32602, "for the owner of this Mac to change");
        check("config.unset", json!({"key": key}), -32602, "for the owner of this Mac to change");
    }
    // The running ones were not disturbed.
    daemon.receive_from(FRIEND, "hello");
    assert_eq!(client.message()["policy"]["labels"], json!(["fine"]));
    let set = client.ok("config.set", json!({"key": "plugin.hostile.config.label", "value": "better"}));
    assert_eq!(set["changed"], true);
    daemon.receive_from(FRIEND, "hello again");
    assert_eq!(client.message()["policy"]["labels"], json!(["better"]));
    assert_eq!(daemon.status()["imsgd"]["config"]["error"], Value::Null);
}

#[test]
fn the_owner_turns_writes_of_clients_off_and_reads_go_on() {
    let daemon = TestDaemon::new(&format!("server.config_writes = false\n{FRIENDS}"));
    let mut client = daemon.connect();
    for (method, params) in [
        ("config.set", json!({"key": "policy.dm_policy", "value": "open"})),
        ("config.unset", json!({"key": "policy.dm_policy"})),
        ("config.add", json!({"key": "policy.allow_from", "value": "*"})),
        ("config.remove", json!({"key": "policy.allow_from", "value": FRIEND})),
    ] {
        check_refused(&daemon, &mut client, method, params, -32005, "server.config_writes is false");
    }
    assert_eq!(client.ok("config.get", json!({"key": "server.config_writes"}))["value"], false);
    // The owner's own hand is free.
    let said = daemon.run(&["config", "add", "policy.allow_from", STRANGER]);
    assert!(said.status.success() && said.stdout.contains("in force now"), "{said:?}");
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "let in by the owner");
    assert_eq!(client.texts(1), ["let in by the owner"]);
}

#[test]
fn clients_that_write_at_the_same_time_all_have_their_way() {
    let daemon = TestDaemon::new(FRIENDS);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let mut client = daemon.connect();
            let entry = json!({"key": "policy.deny_from", "value": format!("+1415555020{number}")});
            scope.spawn(move || assert_eq!(client.ok("config.add", entry)["changed"], true));
        }
    });
    let denied = daemon.connect().ok("config.get", json!({"key": "policy.deny_from"}));
    assert_eq!(denied["value"].as_array().unwrap().len(), 8, "{denied}");
    assert_eq!(daemon.status()["imsgd"]["config"]["error"], Value::Null);
}

#[test]
fn the_owner_changes_keys_without_a_daemon_and_says_what_needs_a_restart() {
    let home = Home::new(&FRIENDS.replace("'allowlist'", "'allowlist', 'pairing'"));
    let before = file(&home);
    let run = |words: &[&str]| home.run(&[&["config"], words].concat());
    let ok = |words: &[&str]| {
        let said = run(words);
        assert!(said.status.success(), "{words:?}: {said:?}");
        said.stdout
    };
    assert_eq!(
        ok(&["set", "policy.dm_policy", "open"]),
        "policy.dm_policy: \"open\" (in force when imsgd is started)\n"
    );
    assert_eq!(ok(&["get", "policy.dm_policy"]), "open\n");
    assert_eq!(ok(&["set", "policy.dm_policy", "open"]), "policy.dm_policy: \"open\" (as it was before)\n");
    assert!(ok(&["set", "server.max_connections", "9"]).contains("takes effect when imsgd is started again"));
    assert!(ok(&["add", "policy.allow_from", STRANGER]).contains(STRANGER));
    let json: Value = serde_json::from_str(&ok(&["remove", "policy.allow_from", STRANGER, "--json"])).unwrap();
    assert_eq!(json["value"], json!(["+14155550101", "+14155550102"]));
    ok(&["unset", "policy.dm_policy"]);
    ok(&["unset", "server.max_connections"]);
    assert_eq!(ok(&["get", "policy.dm_policy"]), "");
    assert_eq!(file(&home), before);
    for (words, said) in [
        (&["set", "policy.dm_polcy", "open"][..], "did you mean `dm_policy`?"),
        (&["set", "policy.ttl", "soon"], "configuration: "),
        (&["set", "send.per_minute", "many"], "per_minute"),
        (&["add", "policy.dm_policy", "open"], "dm_policy"),
    ] {
        let refused = run(words);
        assert!(!refused.status.success() && refused.stderr.contains(said), "{words:?}: {refused:?}");
        assert_eq!(file(&home), before, "{words:?}");
    }
}

#[test]
fn a_change_of_the_owners_is_in_force_once_the_command_has_ended() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    // A file of another daemon, or of none, is not this one's.
    let other = daemon.path("other.toml");
    fs::copy(daemon.path("config.toml"), &other).unwrap();
    let said = daemon.run_bare(&["config", "add", "policy.allow_from", STRANGER, "--config", other.to_str().unwrap()]);
    assert!(said.status.success() && said.stdout.contains("in force when imsgd is started"), "{said:?}");
    let said = daemon.run(&["config", "set", "policy.allow_from", &format!("['{STRANGER}']")]);
    assert!(said.stdout.contains("in force now"), "{said:?}");
    daemon.receive_from(FRIEND, "not any more");
    daemon.receive_from(STRANGER, "welcome");
    assert_eq!(client.texts(1), ["welcome"]);
}

#[test]
fn what_the_file_says_already_and_is_not_in_force_is_no_success() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let before = file(&daemon);
    // The owner takes somebody out and makes a mistake elsewhere: the file is refused as a whole.
    daemon.configure("[policy]\nallow_from = []\nttl = 'soon'\n");
    eventually("the file is refused", || (!daemon.status()["imsgd"]["config"]["error"].is_null()).then_some(()));
    let refused = client.refused("config.remove", json!({"key": "policy.allow_from", "value": FRIEND}));
    assert!(refused.data.to_string().contains("not in force"), "{refused:?}");
    std::fs::write(daemon.path("config.toml"), before).unwrap();
    eventually("it is right again", || daemon.status()["imsgd"]["config"]["error"].is_null().then_some(()));
}
