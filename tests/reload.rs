//! Plugins and configuration change while messages flow.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, STRANGER, TestDaemon, eventually, hostile_build,
};

/// How a plugin is replaced.
fn replace(daemon: &TestDaemon, number: u8) {
    let file = daemon.plugins().join("hostile.wasm");
    match number % 3 {
        0 => {
            let label = if number.is_multiple_of(2) { "even" } else { "odd" };
            daemon.configure(&format!("{FRIENDS}{}", Home::hostile(&format!("label = '{label}'"))));
        }
        1 => daemon.add_plugin("hostile.wasm", &hostile_build(number)),
        _ => fs::write(file, hostile_build(number)).unwrap(),
    }
}

#[test]
fn a_thousand_messages_pass_twenty_reloads_once_and_in_order() {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile("label = 'odd'")));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let mut injector = daemon.injector();
    let mut asking = daemon.connect();
    let mut loaded_at = || asking.ok("plugins.list", json!({}))["plugins"][0]["loaded_at"].clone();
    let mut before = loaded_at();
    for reload in 0..20_u8 {
        replace(&daemon, reload);
        for number in 0..50 {
            let text = format!("message {}", u32::from(reload) * 50 + number);
            injector.receive(&json!({"from": FRIEND, "text": text}));
        }
        before = eventually("the new version is in force", || Some(loaded_at()).filter(|at| *at != before));
    }
    let mut seen = Vec::new();
    for number in 0..1000 {
        let message = client.message();
        assert_eq!(message["text"], format!("message {number}"));
        assert_eq!(message["policy"].get("held"), None, "{message}");
        let labels = message["policy"]["labels"].as_array().unwrap();
        assert_eq!(labels.len(), 1, "{message}");
        seen.push(labels[0].as_str().unwrap().to_owned());
    }
    let odd = seen.iter().filter(|label| *label == "odd").count();
    let even = seen.iter().filter(|label| *label == "even").count();
    assert!(odd > 0 && even > 0 && odd + even == 1000, "{odd} odd, {even} even");
    let listed = daemon.plugin("hostile").unwrap();
    assert_eq!(listed["failures"], 0, "{listed}");
    daemon.receive_from(FRIEND, "the end");
    assert_eq!(client.texts(1), ["the end"]);
}

#[test]
fn a_plugin_that_is_dropped_into_the_folder_judges_and_one_that_is_taken_out_does_not() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.add_plugin("dropped.wasm", HOSTILE);
    let dropped = eventually("it is loaded", || daemon.plugin("dropped"));
    assert_eq!((&dropped["state"], &dropped["interfaces"]), (&json!("ready"), &json!(["allowlist", "filter"])));
    daemon.receive_from(FRIEND, "judged by it");
    assert_eq!(client.texts(1), ["judged by it"]);
    assert_eq!(daemon.plugin("dropped").unwrap()["calls"], 2);
    fs::remove_file(daemon.plugins().join("dropped.wasm")).unwrap();
    eventually("it is gone", || daemon.plugin("dropped").is_none().then_some(()));
}

/// What changed while the reload that first saw the folder was answered was not noticed once.
#[test]
fn a_policy_that_is_replaced_as_soon_as_its_folder_is_known_judges() {
    for number in 0..5 {
        let daemon = TestDaemon::new(FRIENDS);
        daemon.add_plugin("hostile.wasm", HOSTILE);
        daemon.configure(&format!("{FRIENDS}{}", Home::hostile("label = 'seen'")));
        daemon.reload();
        let first = daemon.plugin("hostile").unwrap()["version"].clone();
        daemon.add_plugin("hostile.wasm", &hostile_build(number));
        eventually("the replacement is in force", || {
            daemon.plugin("hostile").filter(|plugin| plugin["version"] != first).map(drop)
        });
    }
}

#[test]
fn a_changed_allowlist_takes_effect() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.configure("[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550199']\n");
    // By the file's event, without being asked.
    eventually("the new configuration is in force", || daemon.log().matches("in force").nth(1).map(drop));
    daemon.receive_from(FRIEND, "not any more");
    daemon.receive_from(STRANGER, "welcome");
    assert_eq!(client.texts(1), ["welcome"]);
}

#[test]
fn a_bad_key_is_refused_with_the_nearest_one_and_the_old_configuration_stays() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.configure("[policy]\nallow_form = ['*']\n");
    let error =
        eventually("the error is shown", || daemon.status()["imsgd"]["config"]["error"].as_str().map(str::to_owned));
    assert!(error.contains("unknown key `policy.allow_form`; did you mean `allow_from`?"), "{error}");
    let screen = daemon.run(&["status"]);
    assert!(screen.status.success() && screen.stdout.contains("allow_form"), "it reads the same file: {screen:?}");
    let refusal = client.refused("plugins.reload", json!({}));
    assert!(refusal.data.as_str().unwrap().contains("allow_form"), "{refusal:?}");
    daemon.receive_from(STRANGER, "no");
    daemon.receive_from(FRIEND, "yes");
    assert_eq!(client.texts(1), ["yes"]);
    daemon.configure(FRIENDS);
    client.ok("plugins.reload", json!({}));
    assert_eq!(daemon.status()["imsgd"]["config"]["error"], Value::Null);
}

#[test]
fn a_value_that_a_bundled_policy_refuses_changes_nothing() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    daemon.configure("[policy]\nallow_from = ['*']\ndm_policy = 'open'\nttl = 'soon'\n");
    let refusal = client.refused("plugins.reload", json!({}));
    assert!(refusal.data.as_str().unwrap().contains("must be a time"), "{refusal:?}");
    let held = daemon.receive_from(STRANGER, "no");
    daemon.receive_from(FRIEND, "yes");
    assert_eq!(client.texts(1), ["yes"]);
    assert_eq!(daemon.journal(&held.guid).unwrap()["verdict"], "held");
}

#[test]
fn a_junk_file_in_the_plugins_folder_does_not_keep_a_new_configuration_out() {
    let home = Home::new(FRIENDS);
    home.add_plugin("junk.wasm", b"junk");
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    daemon
        .configure("[policy]\nbundled = ['allowlist']\ndeny_from = ['+14155550101']\nallow_from = ['+14155550199']\n");
    let answer = client.ok("plugins.reload", json!({}));
    assert_eq!(answer["changed"], json!(["allowlist"]), "{answer}");
    daemon.receive_from(FRIEND, "denied now");
    daemon.receive_from(STRANGER, "allowed now");
    assert_eq!(client.texts(1), ["allowed now"]);
    assert_eq!(daemon.status()["imsgd"]["config"]["error"], Value::Null);
}

#[test]
fn a_refused_configuration_leaves_no_part_of_itself_behind() {
    let group = "any;+;chat100000000000000001";
    let rules = |more: &str| {
        format!(
            "[policy]\nbundled = ['allowlist', 'group']\nmention_patterns = ['@bot']\n{more}\n\
             [policy.groups.'*']\nrequire_mention = true\n"
        )
    };
    let daemon = TestDaemon::new(&rules("history_limit = 5"));
    let mut client = daemon.watch();
    // The group policy would take this history limit, but not the pattern.
    daemon.configure(&rules("history_limit = 0").replace("'@bot'", "'('"));
    client.refused("plugins.reload", json!({}));
    daemon.receive_in(group, FRIEND, "context");
    daemon.receive_in(group, FRIEND, "@bot hello");
    let context = client.message()["policy"]["context"].clone();
    assert_eq!(context.as_array().unwrap().len(), 1, "{context}");
}

#[test]
fn a_hangup_reads_everything_anew() {
    let daemon = TestDaemon::new(FRIENDS);
    let version = |daemon: &TestDaemon| daemon.plugin("allowlist").unwrap()["loaded_at"].clone();
    let before = version(&daemon);
    // Outside of the watched folders' events: the configuration is a link to a file elsewhere.
    let elsewhere = daemon.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let text = fs::read_to_string(daemon.path("config.toml")).unwrap();
    fs::write(elsewhere.join("real.toml"), &text).unwrap();
    fs::remove_file(daemon.path("config.toml")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("real.toml"), daemon.path("config.toml")).unwrap();
    daemon.reload();
    assert_eq!(version(&daemon), before, "the same policy goes on as it is");
    fs::write(elsewhere.join("real.toml"), text.replace("+14155550101", "+14155550199")).unwrap();
    daemon.hang_up();
    eventually("the new configuration is in force", || (version(&daemon) != before).then_some(()));
    let mut client = daemon.watch();
    daemon.receive_from(STRANGER, "in");
    assert_eq!(client.texts(1), ["in"]);
}

#[test]
fn what_takes_a_restart_is_said_and_not_done() {
    let daemon = TestDaemon::new(FRIENDS);
    let text = fs::read_to_string(daemon.path("config.toml")).unwrap();
    daemon.replace(&daemon.path("config.toml"), text.replace("/chat.db'", "/other.db'").as_bytes());
    daemon.reload();
    assert!(daemon.log().contains("take effect when imsgd is started again"), "{}", daemon.log());
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "still here");
    assert_eq!(client.texts(1), ["still here"]);
}
