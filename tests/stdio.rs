//! `imsgd rpc`: by itself where nothing runs, through the daemon where one does.

use serde_json::json;

use crate::harness::{Client, FRIEND, FRIENDS, Home, TestDaemon, eventually, signal, wait_for};

fn pid(client: &mut Client) -> u64 {
    client.ok("status", json!({}))["imsgd"]["pid"].as_u64().unwrap()
}

#[test]
fn without_a_daemon_it_serves_by_itself() {
    let home = Home::new(FRIENDS);
    let mut rpc = home.stdio(&["rpc", "--json", "--db", home.db().to_str().unwrap()]);
    assert_eq!(pid(&mut rpc.client), u64::from(rpc.child.id()));
    eventually("the database is followed", || {
        rpc.client.ok("status", json!({}))["imsgd"]["head"].is_i64().then_some(())
    });
    rpc.client.subscribe(json!({}));
    home.receive_from(FRIEND, "over stdio");
    assert_eq!(rpc.client.texts(1), ["over stdio"]);
    let answer = rpc.client.ok("send", json!({"to": FRIEND, "text": "and back"}));
    assert!(answer["id"].is_i64(), "{answer}");
    assert_eq!(rpc.finish().code(), Some(0));
    assert!(!home.socket().exists(), "its socket is gone with it");
}

#[test]
fn it_needs_no_configuration() {
    let home = Home::new("");
    let bare = Home::without_database("");
    std::fs::remove_file(bare.path("config.toml")).unwrap();
    let mut command = bare.command_bare(&["rpc", "--json", "--db", home.db().to_str().unwrap()]);
    let mut rpc = bare.stdio_of(&mut command);
    assert_eq!(rpc.client.ok("status", json!({}))["database"]["path"], home.db().to_str().unwrap());
    assert_eq!(rpc.client.ok("chats.list", json!({})), json!({"chats": []}));
    assert_eq!(rpc.finish().code(), Some(0));
}

#[test]
fn where_launchd_runs_the_daemon_it_waits_for_it_and_does_not_take_its_place() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let (messages, agents) = (daemon.path("Library/Messages"), daemon.path("Library/LaunchAgents"));
    [&messages, &agents].into_iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    std::os::unix::fs::symlink(daemon.db(), messages.join("chat.db")).unwrap();
    std::fs::write(agents.join("io.github.imsgd.plist"), "").unwrap();
    daemon.kill();
    let mut rpc = daemon.stdio(&["rpc"]);
    let asked = rpc.client.ask("status", json!({}));
    daemon.start_again();
    assert_eq!(rpc.client.answer(asked).unwrap()["imsgd"]["pid"], daemon.pid());
    assert_eq!(rpc.finish().code(), Some(0));
}

/// What was accepted is finished after the client has closed its side, and then nothing more comes.
fn check_end_of_input(home: &Home) {
    home.osascript(&json!({"delay_ms": 500}));
    let mut rpc = home.stdio(&["rpc"]);
    rpc.client.subscribe(json!({}));
    let first = rpc.client.ask("send", json!({"to": FRIEND, "text": "one"}));
    let second = rpc.client.ask("send", json!({"to": FRIEND, "text": "two"}));
    let read = rpc.client.ask("chats.list", json!({}));
    rpc.client.close();
    rpc.client.answer(read).unwrap();
    rpc.client.answer(first).unwrap();
    rpc.client.answer(second).unwrap();
    assert_eq!(rpc.client.line(), None);
    assert_eq!(rpc.finish().code(), Some(0));
}

#[test]
fn at_the_end_of_input_what_was_accepted_is_finished() {
    check_end_of_input(&Home::new(FRIENDS));
}

#[test]
fn through_a_daemon_too_what_was_accepted_is_finished() {
    check_end_of_input(&TestDaemon::new(FRIENDS));
}

#[test]
fn beside_a_daemon_it_passes_everything_through() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut rpc = daemon.stdio(&["rpc", "--db", daemon.db().to_str().unwrap()]);
    assert_eq!(pid(&mut rpc.client), u64::from(daemon.pid()));
    rpc.client.subscribe(json!({}));
    let first = daemon.receive_from(FRIEND, "first");
    daemon.receive_from(FRIEND, "second");
    assert_eq!(rpc.client.texts(2), ["first", "second"]);
    let mut resumed = daemon.stdio(&["rpc"]);
    resumed.client.subscribe(json!({"since_rowid": first.rowid.0}));
    assert_eq!(resumed.client.texts(1), ["second"]);
    assert_eq!(rpc.finish().code(), Some(0));
    assert_eq!(resumed.finish().code(), Some(0));
    daemon.connect().ok("status", json!({}));
}

#[test]
fn a_relay_whose_daemon_dies_says_so_and_fails() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut rpc = daemon.stdio(&["rpc"]);
    pid(&mut rpc.client);
    daemon.kill();
    assert_eq!(rpc.client.line(), None);
    assert_eq!(wait_for(&mut rpc.child, "the relay").code(), Some(1));
    let said = std::fs::read_to_string(daemon.path("stdio.log")).unwrap();
    assert!(said.contains("the imsgd daemon has ended"), "{said}");
}

#[test]
fn the_second_child_on_a_database_is_served_by_the_first() {
    let home = Home::new(FRIENDS);
    let mut first = home.stdio(&["rpc"]);
    let first_pid = pid(&mut first.client);
    let mut second = home.stdio(&["rpc"]);
    assert_eq!(pid(&mut second.client), first_pid);
    second.client.subscribe(json!({}));
    assert_eq!(second.finish().code(), Some(0));
    assert_eq!(pid(&mut first.client), first_pid);
    assert_eq!(first.finish().code(), Some(0));
}

#[test]
fn sigterm_ends_it_with_0() {
    let home = Home::new(FRIENDS);
    let mut rpc = home.stdio(&["rpc"]);
    pid(&mut rpc.client);
    signal(&rpc.child, rustix::process::Signal::TERM);
    assert_eq!(wait_for(&mut rpc.child, "imsgd rpc").code(), Some(0));
}

#[test]
fn with_a_socket_it_serves_there() {
    let home = Home::new(FRIENDS);
    let socket = home.path("there");
    let mut command = home.command(&["rpc", "--socket", socket.to_str().unwrap()]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let stream = eventually("it listens", || std::os::unix::net::UnixStream::connect(&socket).ok());
    let mut client = Client::new(stream.try_clone().unwrap(), stream);
    assert_eq!(pid(&mut client), u64::from(child.id()));
    signal(&child, rustix::process::Signal::TERM);
    assert_eq!(wait_for(&mut child, "imsgd rpc --socket").code(), Some(0));
    assert!(!socket.exists());
}
