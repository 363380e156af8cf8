//! Components of every version of the ABI that ever was: those of this track judge, and others are refused in words.

use imsgd::sim::{Incoming, OWNER};
use serde_json::{Value, json};

use crate::harness::{FRIEND, Home, STRANGER, TestDaemon, eventually};

/// Built for the first version. See tests/guests/README.md before you think of building it again.
const FIRST: &[u8] = include_bytes!("guests/abi-0.1.0.wasm");

const GROUP: &str = "any;+;chat100000000000000001";
/// Nobody but the component that is tested.
const ALONE: &str = "[policy]\nbundled = []\n";

fn daemon_with(component: &[u8]) -> TestDaemon {
    let home = Home::new(ALONE);
    home.add_plugin("first.wasm", component);
    TestDaemon::start(home)
}

/// The same component, as it were built for another version. All have as many letters.
fn built_for(version: &str) -> Vec<u8> {
    let (from, to) = (b"@0.1.0", format!("@{version}"));
    assert_eq!(from.len(), to.len());
    let mut bytes = FIRST.to_vec();
    let mut count = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
    bytes
}

/// Fails with the reason where something else becomes of it.
fn delivered(daemon: &TestDaemon, guid: &str) {
    let entry = eventually("it is judged", || daemon.journal(guid));
    assert_eq!(entry["verdict"], "delivered", "{entry}");
}

fn label<'a>(message: &'a Value, name: &str) -> &'a str {
    let labels = message["policy"]["labels"].as_array().unwrap().iter().filter_map(Value::as_str);
    let found = labels.filter_map(|label| label.strip_prefix(name)?.strip_prefix(' ')).next();
    found.unwrap_or_else(|| panic!("no label {name}: {message}"))
}

#[test]
fn a_component_of_the_first_version_is_what_it_was() {
    let digest = imsgd::plugin::version_of(FIRST);
    assert_eq!(digest, "32d5a4ba1ab6", "tests/guests/abi-0.1.0.wasm was built again: take the old one back");
}

#[test]
fn a_component_of_the_first_version_gives_every_verdict_about_direct_messages() {
    let daemon = daemon_with(FIRST);
    let interfaces = daemon.plugin("first").unwrap()["interfaces"].clone();
    assert_eq!(interfaces, json!(["allowlist", "pairing", "group", "filter", "chunking"]));
    let mut client = daemon.watch();
    let rejected = daemon.receive_from(FRIEND, "reject me");
    let dropped = daemon.receive_from(FRIEND, "drop me");
    for (text, route) in [("pass me", "main"), ("routed by admission", "aside"), ("reroute me", "elsewhere")] {
        let sent = daemon.receive_from(FRIEND, text);
        delivered(&daemon, &sent.guid);
        let message = client.message();
        assert_eq!((&message["text"], &message["policy"]["route"]), (&json!(text), &json!(route)));
    }
    for (message, verdict, reason) in [(rejected, "rejected", "rejected"), (dropped, "dropped", "dropped")] {
        let entry = daemon.journal(&message.guid).unwrap();
        assert_eq!((&entry["verdict"], &entry["reason"]), (&json!(verdict), &json!(reason)));
    }
}

#[test]
fn a_component_of_the_first_version_is_told_all_that_it_asks_for() {
    let daemon = daemon_with(FIRST);
    let mut client = daemon.watch();
    let file = daemon.path("cat.png");
    std::fs::write(&file, [0; 12]).unwrap();
    let quoted = daemon.receive_from(FRIEND, "pass");
    client.message();
    daemon.receive(&Incoming {
        attach: vec![file],
        reply_to: Some(quoted.guid),
        mentions: vec![OWNER.to_owned()],
        group: Some(GROUP.to_owned()),
        group_name: Some("Trip".to_owned()),
        ..Incoming::new(FRIEND, "look @owner")
    });
    let message = client.message();
    for (name, expected) in [
        ("message", "true true"),
        ("chat", "true true true"),
        ("chat.name", "Trip"),
        ("chat.service", "Service::Imessage"),
        ("chat.is-group", "true"),
        ("chat.participants", FRIEND),
        ("mentions", OWNER),
        ("sent-at", "true"),
        ("arrival", "Arrival::Live"),
        ("reply-to", "pass"),
        ("now", "true"),
        ("random", "8"),
        ("normalize", "+14155550101"),
        ("seen", "1"),
        ("keys", "seen"),
        ("gone", "None"),
    ] {
        assert_eq!(label(&message, name), expected, "{name}");
    }
    assert!(label(&message, "sender").starts_with(&format!("{FRIEND} ")));
    assert!(label(&message, "text").contains("look @owner"));
    assert!(label(&message, "chat.own-addresses").contains(OWNER));
    assert!(label(&message, "attachment").ends_with("image/png 12 false"), "{message}");
}

#[test]
fn a_component_of_the_first_version_decides_about_groups() {
    let daemon = daemon_with(FIRST);
    let mut client = daemon.watch();
    for (text, verdict) in [("reject", "rejected"), ("observe", "observed"), ("abstain", "rejected")] {
        let said = daemon.receive_in(GROUP, FRIEND, text);
        let entry = eventually("it is judged", || daemon.journal(&said.guid));
        assert_eq!(entry["verdict"], verdict, "{text}");
    }
    delivered(&daemon, &daemon.receive_in(GROUP, FRIEND, "routed in a group").guid);
    assert_eq!(client.message()["policy"]["route"], "aside");
}

#[test]
fn a_component_of_the_first_version_introduces_strangers_and_cuts_texts() {
    let daemon = daemon_with(FIRST);
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "stranger here");
    let code = |client: &mut crate::harness::Client| {
        eventually("a request", || {
            let list = client.ok("pairing.list", json!({}));
            list["pending"][0]["code"].as_str().map(str::to_owned)
        })
    };
    let first = code(&mut client);
    assert_eq!(client.ok("pairing.deny", json!({"code": first}))["address"], STRANGER);
    daemon.receive_from(STRANGER, "stranger again");
    let second = code(&mut client);
    assert_ne!(first, second);
    let approved = client.ok("pairing.approve", json!({"code": second}));
    assert_eq!(approved["address"], STRANGER);
    let introduced = client.inbound();
    assert_eq!(introduced["policy"]["route"], "guests", "{introduced}");
    client.ok("pairing.revoke", json!({"address": STRANGER}));
    let parts = client.ok("send", json!({"to": FRIEND, "text": "one|two"}))["parts"].clone();
    assert_eq!(parts.as_array().map(Vec::len), Some(2), "{parts}");
    let texts: Vec<Value> = daemon.sent().iter().map(|call| call["text"].clone()).collect();
    assert!(texts.contains(&json!(format!("two [{FRIEND} false]"))), "{texts:?}");
}

#[test]
fn a_component_of_another_track_is_refused_with_both_versions_and_the_one_before_stays() {
    let daemon = daemon_with(FIRST);
    let mut client = daemon.watch();
    for (version, advice) in [("0.2.0", "Update imsgd"), ("0.0.9", "Build the policy anew")] {
        daemon.add_plugin("first.wasm", &built_for(version));
        let answer = daemon.reload();
        let reason = answer["refused"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(&format!("@{version}`, this host has imsgd:policy/*@0.1.0")), "{reason}");
        assert!(reason.contains(advice), "{version}: {reason}");
        delivered(&daemon, &daemon.receive_from(FRIEND, "routed").guid);
        assert_eq!(client.message()["policy"]["route"], "aside", "{version}");
        let checked = daemon.run(&["plugin", "check", "plugins/first.wasm"]);
        assert_eq!(checked.status.code(), Some(1), "{checked:?}");
        assert!(checked.stdout.contains(advice), "{}", checked.stdout);
        assert!(
            checked.stdout.contains(&format!("imsgd:policy@{version}; this imsgd has 0.1.0")),
            "{}",
            checked.stdout
        );
    }
}

#[test]
fn a_component_of_a_newer_patch_loads_where_it_needs_nothing_new() {
    let daemon = daemon_with(&built_for("0.1.7"));
    let mut client = daemon.watch();
    delivered(&daemon, &daemon.receive_from(FRIEND, "routed").guid);
    assert_eq!(client.message()["policy"]["route"], "aside");
}

#[test]
fn a_component_that_needs_what_only_a_newer_patch_has_is_told_so() {
    let text = r#"(component
        (import "imsgd:policy/host@0.1.7" (instance (export "weather" (func (result string)))))
        (instance $nothing)
        (export "imsgd:policy/policy@0.1.7" (instance $nothing))
        (export "imsgd:policy/filter@0.1.7" (instance $nothing)))"#;
    let inspection = imsgd::author::inspect(&wat::parse_str(text).unwrap()).unwrap();
    let imsgd::author::Outcome::Refused { reason } = inspection.outcome else { panic!("{inspection:?}") };
    for words in ["imsgd:policy/host@0.1.7", "imsgd:policy/*@0.1.0", "weather", "Update imsgd"] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
}
