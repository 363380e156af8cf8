//! What a daemon says of itself at the default level: nothing of anybody's messages, people, codes and files.

use imsgd::sim::Incoming;
use imsgd::sim::contacts::Card;
use serde_json::json;

use crate::harness::{FRIENDS_AND_STRANGERS, HOSTILE, Home, TestDaemon, eventually};

const ANN: &str = "+14155550101";
const CARL: &str = "+14155550177";
const MAIL: &str = "zelda.quux@example.com";

/// A plugin that fails as this says, when it meets the text.
fn failing(how: &str, text: &str) -> String {
    format!("{FRIENDS_AND_STRANGERS}{}", Home::hostile(&format!("on_filter = '{how}', only_text = '{text}'")))
}

/// What may be nowhere in a log; each stands in something that the daemon was given.
fn private() -> Vec<&'static str> {
    vec![
        "4155550101",
        "4155550177",
        "zelda",
        "Zanzibar",
        "Quetzal",
        "xylophone",
        "wombat",
        "narwhal",
        "k-7781-key",
        "platypus",
        "ocelot",
        "axolotl",
        "5550166",
        "capybara",
    ]
}

fn receive_all_kinds(daemon: &TestDaemon) {
    daemon.receive_from(ANN, "a xylophone for you");
    daemon.receive_from(ANN, "wombat");
    daemon.receive_from(CARL, "let me in, says the narwhal");
    daemon.receive_from(MAIL, "narwhal again");
    let file = daemon.path("platypus.txt");
    std::fs::write(&file, "ocelot").unwrap();
    daemon.receive(&Incoming { attachments: vec![file], ..Incoming::new(ANN, "with a xylophone") });
    daemon.receive_in("Zanzibar", ANN, "xylophone in a group");
}

/// Requests that succeed, fail, and are refused, all about something private.
fn ask_all_kinds(daemon: &TestDaemon) {
    let mut client = daemon.watch();
    let key = json!({"to": ANN, "text": "my axolotl", "idempotency_key": "k-7781-key"});
    client.ok("send", key.clone());
    client.refused("send", json!({"to": ANN, "text": "another axolotl", "idempotency_key": "k-7781-key"}));
    for mode in ["fail-before", "not-found", "fail-after"] {
        daemon.osascript(&json!({"mode": mode, "times": 1}));
        let _ = client.call("send", json!({"to": MAIL, "text": "axolotl"}));
    }
    daemon.osascript(&json!({}));
    let _ = client.call("send", json!({"to": ANN, "file": daemon.path("platypus.none")}));
    for (method, params) in [
        ("send", json!({"to": ANN, "text": "axolotl", "axolotl": true})),
        ("axolotl", json!({})),
        ("pairing.approve", json!({"code": "AXOLOTL2"})),
        ("attachments.read", json!({"attachment_guid": "axolotl"})),
        ("config.set", json!({"key": "policy.ocelot", "value": "capybara"})),
        ("config.add", json!({"key": "policy.allow_from", "value": "capybara"})),
        ("messages.search", json!({"query": "xylophone", "limit": -4})),
        ("watch.ack", json!({"subscription": 9, "cursor": "axolotl"})),
    ] {
        let _ = client.call(method, params);
    }
    client.write(b"{\"axolotl\": broken\n");
    client.ok("messages.search", json!({"query": "xylophone"}));
    client.ok("contacts.lookup", json!({"address": ANN}));
}

#[test]
fn at_the_default_level_a_log_has_no_texts_people_codes_keys_or_files() {
    let home = Home::new(&failing("trap", "wombat"));
    home.add_plugin("hostile.wasm", HOSTILE);
    home.contact(&Card::new("Quetzal Example", &["(415) 555-0101"]));
    let mut daemon = TestDaemon::start(home);
    receive_all_kinds(&daemon);
    let codes = eventually("both strangers are challenged, and the failure is held", || {
        let pending = daemon.connect().ok("pairing.list", json!({}))["pending"].clone();
        let codes: Vec<String> =
            pending.as_array()?.iter().filter_map(|one| one["code"].as_str().map(str::to_owned)).collect();
        (codes.len() == 2 && daemon.status()["imsgd"]["held"].as_i64() >= Some(3)).then_some(codes)
    });
    ask_all_kinds(&daemon);
    daemon.connect().ok("pairing.approve", json!({"code": codes[0]}));
    for how in ["loop", "quote", "eat_memory", "stack_overflow"] {
        daemon.configure(&failing(how, "wombat"));
        daemon.reload();
        daemon.receive_from(ANN, "wombat");
    }
    let mut reasons = String::new();
    for wrong in [
        "[policy]\nallow_from = ['+14155550166', 7]\n",
        "[policy]\nallow_from = ['capybara']\n",
        "[policy]\ndm_policy = 'capybara'\n",
        "[policy]\nallow_from = ['+14155550166'\n",
        "[send]\nallow_to = ['capybara']\n",
        "[policy]\nmention_patterns = ['(capybara']\n",
    ] {
        daemon.configure(wrong);
        let refused = daemon.connect().call("plugins.reload", json!({}));
        let reason = daemon.status()["imsgd"]["config"]["error"].clone();
        assert!(refused.is_err() || !reason.is_null(), "{wrong}");
        reasons.push_str(&reason.to_string());
    }
    assert!(reasons.contains("5550166") && reasons.contains("capybara"), "the owner is told all: {reasons}");
    daemon.terminate();
    let log = daemon.log();
    for said in ["in force", "refused", "config check"] {
        assert!(log.contains(said), "nothing happened: {log}");
    }
    let log_without_paths = log.replace(daemon.path("").to_str().unwrap(), "HOME/");
    for secret in private().into_iter().chain(codes.iter().map(String::as_str)) {
        let found = log_without_paths.lines().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(found, None, "{secret} is in the log");
    }
}
