//! The daemon, its configuration, its socket, its policies and what it sends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};

use super::{Report, doctor, doctor_of_another, report};
use crate::harness::{
    FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, STRANGER, TestDaemon, accepted, eventually,
};

#[test]
fn a_configuration_that_is_wrong_is_named_and_leaves_all_else_unknown() {
    let home = Home::new("[policy]\nallow_form = []\n");
    let said = doctor(&home);
    said.check("configuration", "error", &["did you mean `allow_from`?", "imsgd config check"]);
    said.check("daemon", "unknown", &["could not be checked, because the configuration cannot be read"]);
}

#[test]
fn a_configuration_that_the_daemon_refused_is_told() {
    let daemon = TestDaemon::new(&format!("{FRIENDS}{}", Home::hostile("")));
    daemon.add_plugin("hostile.wasm", HOSTILE);
    // Right for who only reads it; a policy refuses it.
    daemon.configure("[policy]\nbundled = ['pairing']\nttl = 'soon'\n");
    eventually("it is refused", || daemon.status()["imsgd"]["config"]["error"].as_str().map(drop));
    doctor(&daemon).check("configuration", "warning", &["the one before is in force", "must be a time"]);
}

#[test]
fn a_daemon_with_another_configuration_than_the_commands_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let other = daemon.path("other.toml");
    fs::copy(daemon.path("config.toml"), &other).unwrap();
    let mut command = daemon.command_bare(&["doctor", "--json", "--config"]);
    command.arg(&other);
    report(command).check("configuration", "warning", &["runs with another file", "other.toml", "config.toml"]);
}

#[test]
fn without_a_daemon_that_is_the_error() {
    let said = doctor(&Home::new(FRIENDS));
    said.check("daemon", "error", &["No daemon serves", "imsgd serve"]);
    said.check("version", "unknown", &["no daemon answers"]);
    said.check("socket", "unknown", &["no daemon runs"]);
    said.check("socket_access", "unknown", &[]);
    for id in ["lag", "contacts", "plugins", "held", "sending", "outbox", "automation", "judging"] {
        said.check(id, "unknown", &["no daemon answers"]);
    }
}

#[test]
fn a_daemon_of_another_version_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let said = doctor_of_another(&daemon, |status| status["version"] = json!("0.0.1"));
    said.check("version", "warning", &["daemon 0.0.1, command "]);
}

#[test]
fn a_socket_that_is_left_from_before_is_told() {
    let home = Home::new(FRIENDS);
    fs::create_dir(home.path("run")).unwrap();
    drop(UnixListener::bind(home.socket()).unwrap());
    doctor(&home).check("socket", "warning", &["left from before", "imsgd serve"]);
}

/// Until all of its threads stand still.
fn stop(pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().expect("it is our child");
    assert!(status.stopped(), "{status:?}");
}

#[test]
fn a_socket_that_was_taken_away_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw).unwrap();
    // So that it cannot take its path back meanwhile.
    stop(pid);
    fs::remove_file(daemon.socket()).unwrap();
    let said = doctor(&daemon);
    kill_process(pid, Signal::CONT).unwrap();
    said.check("socket", "error", &["A daemon runs, and its socket is not there"]);
    said.check("daemon", "error", &["serves, but cannot be reached"]);
}

#[test]
fn a_daemon_that_does_not_answer_is_told_from_another_program() {
    let daemon = TestDaemon::new(FRIENDS);
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw).unwrap();
    stop(pid);
    let said = doctor(&daemon);
    kill_process(pid, Signal::CONT).unwrap();
    said.check("daemon", "error", &["serves, but gave no status"]);
    said.check("socket", "error", &["The daemon has the socket, and does not answer"]);
}

#[test]
fn another_program_on_the_socket_is_told() {
    let home = Home::new(FRIENDS);
    fs::create_dir(home.path("run")).unwrap();
    let other = UnixListener::bind(home.socket()).unwrap();
    let hangs_up = std::thread::spawn(move || drop(accepted(&other)));
    doctor(&home).check("socket", "error", &["Something answers on the socket, and not as imsgd does", "lsof"]);
    hangs_up.join().unwrap();
    fs::remove_file(home.socket()).unwrap();
    fs::write(home.socket(), "no socket").unwrap();
    doctor(&home).check("socket", "error", &["Something that is no socket"]);
}

#[test]
fn a_socket_that_others_can_reach_or_replace_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let mode = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(daemon.socket(), 0o666);
    doctor(&daemon).check("socket_access", "warning", &["Others have rights on the socket", "chmod 600"]);
    mode(daemon.socket(), 0o600);
    mode(daemon.path("run"), 0o777);
    doctor(&daemon).check("socket_access", "warning", &["Others can write into the socket's folder", "chmod go-w"]);
    mode(daemon.path("run"), 0o1777);
    doctor(&daemon).check("socket_access", "ok", &[]);
}

#[test]
fn policies_that_are_broken_refused_failing_or_slow_are_told() {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap'")));
    let daemon = TestDaemon::start(home);
    doctor(&daemon).check("plugins", "error", &["hostile is broken", "could not read", "imsgd plugin log hostile"]);
    daemon.add_plugin("hostile.wasm", HOSTILE);
    daemon.reload();
    doctor(&daemon).check("plugins", "ok", &[]);
    let message = daemon.receive_from(FRIEND, "bad");
    eventually("it is held", || daemon.journal(&message.guid));
    let said = doctor(&daemon);
    said.check("plugins", "warning", &["hostile failed on messages", "told to trap"]);
    said.check("held", "warning", &["because a policy failed on them", "imsgd held"]);
    let slow = doctor_of_another(&daemon, |status| {
        let mut plugins = status["imsgd"]["plugins"].as_array_mut().unwrap().iter_mut();
        let plugin = plugins.find(|plugin| plugin["name"] == "hostile").unwrap();
        (plugin["failures"], plugin["p99_us"]) = (json!(0), json!(40_000));
    });
    slow.check("plugins", "warning", &["hostile is slow", "p99 40000 µs; the limit is 50 ms"]);
    daemon.add_plugin("hostile.wasm", b"broken");
    daemon.connect().ok("plugins.reload", json!({}));
    doctor(&daemon).check("plugins", "warning", &["newest file was refused", "not a WebAssembly component"]);
}

#[test]
fn strangers_that_wait_are_a_note() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let message = daemon.receive_from(STRANGER, "let me in");
    eventually("it is held", || daemon.journal(&message.guid));
    doctor(&daemon).check("held", "note", &["1 messages of strangers wait", "imsgd pairing list"]);
}

#[test]
fn sending_that_is_paused_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    daemon.connect().ok("outbox.pause", json!({"reason": "the bot went mad"}));
    doctor(&daemon).check("sending", "warning", &["the bot went mad", "imsgd outbox resume"]);
}

#[test]
fn sends_that_failed_are_told_and_what_macos_did_not_allow_by_its_name() {
    let daemon = TestDaemon::new(FRIENDS);
    doctor(&daemon).check("automation", "unknown", &["nothing was sent", "imsgd send --to"]);
    let mut client = daemon.connect();
    daemon.osascript(&json!({"mode": "fail-before"}));
    client.refused("send", json!({"to": FRIEND, "text": "one"}));
    let said = doctor(&daemon);
    said.check("outbox", "warning", &["The last send failed", "-600", "imsgd outbox list"]);
    said.check("automation", "unknown", &[]);
    daemon.osascript(&json!({}));
    client.ok("send", json!({"to": FRIEND, "text": "two"}));
    let said = doctor(&daemon);
    said.check("automation", "ok", &[]);
    said.check("outbox", "ok", &[]);
    let denies = "#!/bin/sh\ncat >/dev/null\n\
        printf 'error\\tbefore\\t-1743\\tNot authorized to send Apple events to Messages.\\n'\n";
    fs::write(daemon.path("osascript"), denies).unwrap();
    client.refused("send", json!({"to": FRIEND, "text": "three"}));
    let said = doctor(&daemon);
    said.check("automation", "error", &["error -1743", "Privacy_Automation", "tccutil reset AppleEvents"]);
    assert_eq!(said.finding("automation")["at_screen"], true);
}

#[test]
fn contacts_that_cannot_be_read_are_a_note() {
    let daemon = TestDaemon::new(FRIENDS);
    doctor(&daemon).check("contacts", "note", &["there is no address book"]);
}

/// Nothing but what this machine's disk may be.
fn is_well(said: &Report) {
    for finding in said.said["findings"].as_array().unwrap() {
        let is_wrong = ["warning", "error"].contains(&finding["severity"].as_str().unwrap());
        assert!(!is_wrong || finding["id"] == "disk", "{finding}");
    }
    for id in ["daemon", "version", "socket", "outbox", "held", "lag"] {
        said.check(id, "ok", &[]);
    }
}

#[test]
fn a_daemon_that_lets_only_its_peers_in_is_well() {
    let daemon =
        TestDaemon::start_without_waiting(Home::new(&format!("server.peers = [{{ path = '/bin/sh' }}]\n{FRIENDS}")));
    eventually("it serves its owner", || {
        let answered = daemon.run(&["status", "--json"]);
        let status: Value = serde_json::from_str(&answered.stdout).ok()?;
        let has_policies = status["imsgd"]["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
        (has_policies && !status["imsgd"]["head"].is_null()).then_some(())
    });
    let said = doctor(&daemon);
    is_well(&said);
    said.check("socket", "ok", &["for its peers"]);
    // Whoever names a socket is served as that one serves.
    let socket = daemon.socket();
    let said = report(daemon.command(&["doctor", "--json", "--socket", socket.to_str().unwrap()]));
    said.check("daemon", "warning", &["turns this command away", "server.peers", "without --socket"]);
    said.check("socket", "ok", &[]);
}

#[test]
fn a_daemon_that_lets_clients_do_nothing_is_well() {
    is_well(&doctor(&TestDaemon::new(&format!("server.scopes = []\n{FRIENDS}"))));
}

#[test]
fn what_to_do_names_the_account_and_the_files_that_were_named() {
    let home = Home::new(FRIENDS);
    let of = |arguments: &[&str]| report(home.command_bare(&[&["doctor", "--json"], arguments].concat()));
    fs::create_dir_all(home.path(".config/imsgd/accounts/bot")).unwrap();
    fs::copy(home.path("config.toml"), home.path(".config/imsgd/accounts/bot/config.toml")).unwrap();
    let said = of(&["--account", "bot"]);
    assert_eq!(said.finding("daemon")["next"], "imsgd serve --account bot");
    said.check("launchd", "unknown", &["an account's daemon runs under a label of its own, see docs/accounts.md"]);
    let (file, db) = (home.path("config.toml"), home.path("other chat.db"));
    let (file, db) = (file.to_str().unwrap(), db.to_str().unwrap());
    let said = of(&["--config", file, "--db", db]);
    assert_eq!(said.finding("daemon")["next"], format!("imsgd serve --config {file} --db '{db}'"));
}

#[test]
fn a_configuration_is_said_to_be_in_force_only_where_a_daemon_says_so() {
    let home = Home::new(FRIENDS);
    let what = |said: Report| said.finding("configuration")["what"].as_str().unwrap().to_owned();
    assert_eq!(what(report(home.command_bare(&["doctor", "--json"]))), "no file: the defaults");
    assert_eq!(what(doctor(&home)), "right");
    assert_eq!(what(doctor(&TestDaemon::start(home))), "right, and in force");
}

#[test]
fn an_account_that_is_not_there_and_two_configurations_at_once_have_no_key_to_mend() {
    let home = Home::new(FRIENDS);
    let said = report(home.command_bare(&["doctor", "--json", "--account", "bot"]));
    said.check("configuration", "error", &["there is no account `bot`"]);
    let next = said.finding("configuration")["next"].as_str().unwrap();
    assert!(next.starts_with("begin it with `imsgd config set messages.db FILE --account bot`"), "{next}");
    let said = report(home.command(&["doctor", "--json", "--account", "bot"]));
    assert_eq!(said.finding("configuration")["next"], "leave out --config or --account");
}
