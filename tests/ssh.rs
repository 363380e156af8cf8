//! A gateway on another machine: `imsgd rpc` over a real `ssh -T`, and what is left of it when the connection breaks.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::attachments::{arrives, noise, read_all};
use crate::harness::{
    Answered, FRIEND, FRIENDS, Home, Sshd, Stdio, TestDaemon, eventually, finish, program, signal, wait_for,
};

/// The daemon of a Mac, and sshd on it. The key of `sshd` may run `imsgd` with these arguments.
fn mac(arguments: &str) -> (TestDaemon, Sshd) {
    let daemon = TestDaemon::new(FRIENDS);
    let config = daemon.path("config.toml");
    let forced = format!("{} {arguments} --config {}", program().display(), config.display());
    let sshd = Sshd::start(&daemon, &forced);
    (daemon, sshd)
}

/// What a gateway spawns.
fn rpc(home: &Home, sshd: &Sshd) -> Stdio {
    home.stdio_of(sshd.ssh().args(["imsgd", "rpc", "--json"]))
}

const CONSUMER: &str = r#"{"consumer": "gateway", "ack": true, "attachments": true}"#;

/// Reads the next message, and says with `ack` that it was dealt with.
fn take(gateway: &mut Stdio, subscription: u64) -> String {
    loop {
        let notification = gateway.client.notification();
        assert_eq!(notification["method"], "message", "{notification}");
        let (message, cursor) = (&notification["params"]["message"], &notification["params"]["cursor"]);
        gateway.client.ok("watch.ack", json!({"subscription": subscription, "cursor": cursor}));
        if message["is_from_me"] == false {
            return message["text"].as_str().unwrap().to_owned();
        }
    }
}

fn subscribe(gateway: &mut Stdio) -> u64 {
    gateway.client.subscribe(serde_json::from_str(CONSUMER).unwrap())
}

fn wait_until_away(daemon: &TestDaemon) {
    eventually("the daemon knows", || (daemon.status()["imsgd"]["consumers"][0]["connected"] == false).then_some(()));
}

#[test]
fn a_gateway_over_ssh_hears_answers_and_fetches_files() {
    let (daemon, sshd) = mac("rpc");
    let mut gateway = rpc(&daemon, &sshd);
    assert_eq!(gateway.client.ok("status", json!({}))["imsgd"]["pid"], daemon.pid());
    let subscription = subscribe(&mut gateway);
    daemon.receive_from(FRIEND, "over ssh \u{1f98a} \r\t\u{1b}");
    assert_eq!(take(&mut gateway, subscription), "over ssh \u{1f98a} \r\t\u{1b}");
    let answer = gateway.client.ok("send", json!({"to": FRIEND, "text": "and back"}));
    assert_eq!(answer["id"].as_i64().map(|id| id > 0), Some(true), "{answer}");
    assert_eq!(daemon.sent_call(0)["text"], "and back");
    let content = noise((1 << 20) + (1 << 19) + 7);
    arrives(&daemon, "PICTURE", "picture.heic", &content);
    let message = loop {
        let message = gateway.client.message();
        if message["guid"] == "PICTURE" {
            break message;
        }
    };
    assert_eq!(message["attachments"][0]["total_bytes"], content.len());
    let guid = message["attachments"][0]["guid"].as_str().unwrap().to_owned();
    assert!(read_all(&mut gateway.client, &guid, 1 << 20) == content, "the bytes are those of the file");
    assert_eq!(gateway.finish().code(), Some(0));
    sshd.wait_until_nobody_is_left();
}

/// Breaks the connection with `cut`, twice. What comes meanwhile is heard once, when the gateway is back.
fn check_resumes(cut: impl Fn(&Stdio, &Sshd)) {
    let (daemon, sshd) = mac("rpc");
    let mut gateway = rpc(&daemon, &sshd);
    let mut subscription = subscribe(&mut gateway);
    let mut heard = Vec::new();
    for round in 0..2 {
        daemon.receive_from(FRIEND, &format!("heard {round}"));
        heard.push(take(&mut gateway, subscription));
        // Handed out, but not yet dealt with.
        daemon.receive_from(FRIEND, &format!("not dealt with {round}"));
        assert_eq!(gateway.client.texts(1), [format!("not dealt with {round}")]);
        cut(&gateway, &sshd);
        daemon.receive_from(FRIEND, &format!("at once {round}"));
        assert!(!wait_for(&mut gateway.child, "ssh").success());
        sshd.wait_until_nobody_is_left();
        wait_until_away(&daemon);
        daemon.receive_from(FRIEND, &format!("later {round}"));
        gateway = rpc(&daemon, &sshd);
        subscription = subscribe(&mut gateway);
        heard.extend((0..3).map(|_| take(&mut gateway, subscription)));
    }
    daemon.receive_from(FRIEND, "the end");
    heard.push(take(&mut gateway, subscription));
    let of_round = |round| ["heard", "not dealt with", "at once", "later"].map(|text| format!("{text} {round}"));
    let expected: Vec<String> = (0..2).flat_map(of_round).chain(["the end".to_owned()]).collect();
    assert_eq!(heard, expected);
    assert_eq!(gateway.finish().code(), Some(0));
    assert_eq!(sshd.started().len(), 3);
}

#[test]
fn a_gateway_whose_ssh_is_killed_goes_on_where_it_was() {
    check_resumes(|gateway, _| signal(&gateway.child, Signal::KILL));
}

#[test]
fn a_gateway_whose_connection_is_cut_on_the_mac_goes_on_where_it_was() {
    check_resumes(|_, sshd| sshd.cut());
}

#[test]
fn a_gateway_that_keeps_no_place_is_resumed_when_it_is_spawned_anew() {
    let (daemon, sshd) = mac("rpc");
    let plain = json!({"attachments": true, "include_reactions": true});
    let mut gateway = rpc(&daemon, &sshd);
    gateway.client.subscribe(plain.clone());
    daemon.receive_from(FRIEND, "before");
    assert_eq!(gateway.client.texts(1), ["before"]);
    signal(&gateway.child, Signal::KILL);
    wait_for(&mut gateway.child, "ssh");
    sshd.wait_until_nobody_is_left();
    eventually("its subscription has ended", || (daemon.status()["imsgd"]["subscriptions"] == json!(0)).then_some(()));
    daemon.receive_from(FRIEND, "while it was away");
    let mut gateway = rpc(&daemon, &sshd);
    gateway.client.subscribe(plain);
    daemon.receive_from(FRIEND, "after");
    assert_eq!(gateway.client.texts(2), ["while it was away", "after"]);
    assert_eq!(gateway.finish().code(), Some(0));
}

#[test]
fn a_gateway_that_stops_as_gateways_do_leaves_nobody_behind() {
    let (daemon, sshd) = mac("rpc");
    let mut gateway = rpc(&daemon, &sshd);
    let subscription = subscribe(&mut gateway);
    gateway.client.ok("watch.unsubscribe", json!({"subscription": subscription}));
    assert_eq!(gateway.finish().code(), Some(0));
    let mut gateway = rpc(&daemon, &sshd);
    subscribe(&mut gateway);
    signal(&gateway.child, Signal::TERM);
    wait_for(&mut gateway.child, "ssh");
    sshd.wait_until_nobody_is_left();
    wait_until_away(&daemon);
}

#[test]
fn a_mac_whose_daemon_ends_tells_the_gateway_over_ssh() {
    let (mut daemon, sshd) = mac("rpc");
    let mut gateway = rpc(&daemon, &sshd);
    subscribe(&mut gateway);
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(wait_for(&mut gateway.child, "ssh").code(), Some(1));
    let said = std::fs::read_to_string(daemon.path("stdio.log")).unwrap();
    assert!(said.contains("the imsgd daemon has ended"), "{said}");
    assert_eq!(gateway.client.line(), None::<Value>);
}

/// What a client with a gateway's key gets for these words.
fn asked(sshd: &Sshd, words: &str) -> Answered {
    let mut ssh = sshd.ssh();
    ssh.arg(words);
    finish(ssh, words)
}

#[test]
fn a_gateways_key_serves_and_answers_probes() {
    let (daemon, sshd) = mac("ssh-command");
    let db = daemon.db();
    let mut gateway = daemon.stdio_of(sshd.ssh().args(["imsg", "rpc", "--json", "--db", db.to_str().unwrap()]));
    subscribe(&mut gateway);
    daemon.receive_from(FRIEND, "with a key of its own");
    assert_eq!(gateway.client.texts(1), ["with a key of its own"]);
    assert_eq!(gateway.finish().code(), Some(0));
    let mut gateway = daemon.stdio_of(sshd.ssh().args(["imsg", "rpc", "--legacy-params"]));
    gateway.client.unrecorded();
    assert_eq!(gateway.client.ok("chats.list", json!({"limit": "1"}))["chats"].as_array().map(Vec::len), Some(1));
    assert_eq!(gateway.finish().code(), Some(0));
    let status: Value = serde_json::from_str(&asked(&sshd, "imsg status --json").stdout).unwrap();
    assert_eq!(status["imsgd"]["pid"], daemon.pid());
    assert_eq!(asked(&sshd, "imsgd --version").stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
    let help = asked(&sshd, "imsgd rpc --help");
    assert!(help.status.success() && help.stdout.contains("--db"), "{help:?}");
    // As without ssh: nobody is told that these work.
    for probe in ["imsg send-rich --help", "imsg poll send --help"] {
        let answer = asked(&sshd, probe);
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        assert!(answer.stderr.contains("needs imsg's private bridge"), "{probe}: {answer:?}");
    }
}

#[test]
fn a_gateways_key_does_nothing_else() {
    let (daemon, sshd) = mac("ssh-command");
    let here = daemon.path("here");
    let touch = format!("touch {}", here.display());
    for (words, why) in [
        (format!("imsgd send --to {FRIEND} --text hello"), "for the owner of the Mac"),
        ("imsgd config add policy.allow_from '*'".to_owned(), "for the owner of the Mac"),
        ("imsgd rpc --config /tmp/mine.toml".to_owned(), "--config is for the owner"),
        ("imsgd rpc --db /tmp/other.db".to_owned(), "this key is for"),
        (format!("imsgd --version; {touch}"), "Unknown option --version;"),
        (format!("imsgd status $({touch})"), "Unexpected argument"),
        (format!("imsgd status\n{touch}"), "Unexpected argument"),
        (touch.clone(), "Unknown subcommand 'touch'"),
        (format!("scp -f {}", daemon.db().display()), "attachments.read"),
    ] {
        let answer = asked(&sshd, &words);
        assert_eq!(answer.status.code(), Some(1), "{words}: {answer:?}");
        assert!(answer.stdout.is_empty() && answer.stderr.contains(why), "{words}: {answer:?}");
    }
    assert!(!here.exists());
    assert!(daemon.sent().is_empty());
    let mut copy = Command::new("scp");
    copy.arg("-F").arg(sshd.client_configuration()).arg(format!("mac:{}", daemon.db().display())).arg(&here);
    let copy = finish(copy, "scp");
    assert!(!copy.status.success() && !here.exists(), "{copy:?}");
    sshd.wait_until_nobody_is_left();
}

#[test]
fn a_gateways_key_may_be_for_reading_alone() {
    let (daemon, sshd) = mac("ssh-command --scopes read");
    let mut gateway = rpc(&daemon, &sshd);
    subscribe(&mut gateway);
    daemon.receive_from(FRIEND, "for who reads");
    assert_eq!(gateway.client.texts(1), ["for who reads"]);
    for (method, params) in [("send", json!({"to": FRIEND, "text": "no"})), ("pairing.list", json!({}))] {
        assert_eq!(gateway.client.refused(method, params).code, -32006, "{method}");
    }
    let wider = asked(&sshd, "imsgd rpc --scopes read,send,policy");
    assert!(wider.stderr.contains("--scopes is for the owner"), "{wider:?}");
    assert!(daemon.sent().is_empty());
}

#[test]
fn a_gateways_key_never_takes_the_place_of_a_daemon_that_is_not_there() {
    let (mut daemon, sshd) = mac("ssh-command");
    daemon.kill();
    let answer = asked(&sshd, "imsgd rpc");
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(answer.stderr.contains("no imsgd answers on"), "{answer:?}");
    assert!(asked(&sshd, "imsgd status --json").stdout.contains("\"running\":false"));
    daemon.start_again();
    let mut gateway = rpc(&daemon, &sshd);
    assert_eq!(gateway.client.ok("status", json!({}))["imsgd"]["pid"], daemon.pid());
}

/// `examples/ssh-wrapper.sh`, for which this `mac` is what ssh knows by that name.
fn wrapper(home: &Home, sshd: &Sshd, arguments: &[&str]) -> Command {
    let bin = home.path("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        let config = sshd.client_configuration();
        std::fs::write(bin.join("ssh"), format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", config.display()))
            .unwrap();
        std::fs::set_permissions(bin.join("ssh"), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ssh-wrapper.sh"));
    command.args(arguments).env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("IMSGD_REMOTE", program()).stdin(std::process::Stdio::null());
    command
}

#[test]
fn the_wrapper_is_a_cli_path() {
    let (daemon, sshd) = mac("ssh-command");
    let db = daemon.db();
    let spawned = ["rpc", "--json", "--db", db.to_str().unwrap()];
    let mut gateway = daemon.stdio_of(&mut wrapper(&daemon, &sshd, &spawned));
    let subscription = subscribe(&mut gateway);
    daemon.receive_from(FRIEND, "through the wrapper");
    assert_eq!(take(&mut gateway, subscription), "through the wrapper");
    signal(&gateway.child, Signal::TERM);
    wait_for(&mut gateway.child, "the wrapper, which is ssh by now");
    sshd.wait_until_nobody_is_left();
    let probe = finish(wrapper(&daemon, &sshd, &["status", "--json"]), "status");
    assert!(probe.status.success() && probe.stdout.starts_with('{'), "{probe:?}");
}

#[test]
fn the_wrapper_quotes_each_word_for_the_shell_of_the_mac() {
    let daemon = TestDaemon::new(FRIENDS);
    // As sshd itself does it where the key has no command.
    let sshd = Sshd::start(&daemon, "sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let text = "it's \"$HOME\" `id` $(id) \\ ; * & | # ~ !\n\tand a second line";
    let config = daemon.path("config.toml");
    let words = ["send", "--to", FRIEND, "--text", text, "--config", config.to_str().unwrap()];
    let sent = finish(wrapper(&daemon, &sshd, &words), "send");
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(daemon.sent_call(0)["text"], text);
}
