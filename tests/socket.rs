//! The socket: a door for its owner, kept open and left alone where it is not ours.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::json;

use crate::harness::{Client, FRIEND, FRIENDS, Home, TestDaemon, eventually};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_may_enter() {
    let daemon = TestDaemon::new(FRIENDS);
    assert_eq!(mode(&daemon.socket()), 0o600);
    assert_eq!(mode(daemon.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&daemon.path("state")), 0o700);
    assert_eq!(mode(&daemon.state_db()), 0o600);
}

#[test]
fn a_path_that_was_taken_away_is_bound_again_and_who_is_connected_stays() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut before = daemon.watch();
    fs::remove_file(daemon.socket()).unwrap();
    let stream = eventually("the path is back", || UnixStream::connect(daemon.socket()).ok());
    let mut after = Client::new(stream.try_clone().unwrap(), stream);
    after.subscribe(json!({}));
    daemon.receive_from(FRIEND, "for both");
    assert_eq!(before.texts(1), ["for both"]);
    assert_eq!(after.texts(1), ["for both"]);
    assert_eq!(mode(&daemon.socket()), 0o600);
}

#[test]
fn a_file_that_others_put_at_the_path_is_left_alone_until_it_is_gone() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut before = daemon.connect();
    daemon.replace(&daemon.socket(), b"not yours");
    before.ok("status", json!({}));
    fs::remove_file(daemon.socket()).unwrap();
    eventually("the path is back", || UnixStream::connect(daemon.socket()).ok());
}

#[test]
fn a_second_daemon_is_refused_with_the_first_ones_process_id() {
    let daemon = TestDaemon::new(FRIENDS);
    let second = daemon.run(&["serve"]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let pid = format!("process {}", daemon.pid());
    assert!(second.stderr.contains(&pid) && second.stderr.contains("already serves"), "{second:?}");
    daemon.connect().ok("status", json!({}));
    let standalone = daemon.run(&["rpc", "--standalone"]);
    assert!(standalone.status.code() == Some(1) && standalone.stderr.contains(&pid), "{standalone:?}");
}

#[test]
fn a_daemon_of_another_database_does_not_take_the_path() {
    let daemon = TestDaemon::new(FRIENDS);
    let other = Home::new(FRIENDS);
    let answered = other.run(&["serve", "--socket", daemon.socket().to_str().unwrap()]);
    assert_eq!(answered.status.code(), Some(1), "{answered:?}");
    assert!(answered.stderr.contains("another program already answers"), "{answered:?}");
    daemon.connect().ok("status", json!({}));
}

#[test]
fn a_file_that_a_killed_daemon_left_is_replaced() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.kill();
    assert!(fs::symlink_metadata(daemon.socket()).unwrap().file_type().is_socket(), "it is left behind");
    daemon.start_again();
    daemon.connect().ok("status", json!({}));
}

#[test]
fn a_socket_of_another_program_that_died_is_replaced() {
    let home = Home::new(FRIENDS);
    fs::create_dir(home.socket().parent().unwrap()).unwrap();
    drop(UnixListener::bind(home.socket()).unwrap());
    TestDaemon::start(home).connect().ok("status", json!({}));
}

#[test]
fn a_foreign_file_at_the_path_is_named_and_left_alone() {
    let home = Home::new(FRIENDS);
    fs::create_dir(home.socket().parent().unwrap()).unwrap();
    fs::write(home.socket(), "precious").unwrap();
    let answered = home.run(&["serve"]);
    assert_eq!(answered.status.code(), Some(1), "{answered:?}");
    assert!(answered.stderr.contains("is not a socket; it was left alone"), "{answered:?}");
    assert_eq!(fs::read_to_string(home.socket()).unwrap(), "precious");
}

#[test]
fn a_path_too_long_for_a_socket_is_named() {
    let home = Home::new(FRIENDS);
    let long = home.path(&"x".repeat(100));
    let answered = home.run(&["serve", "--socket", long.to_str().unwrap()]);
    assert!(answered.status.code() == Some(1) && answered.stderr.contains("longer than 103 bytes"), "{answered:?}");
}

#[test]
fn sigterm_removes_the_socket_and_exits_with_0() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!daemon.socket().exists());
    assert_eq!(client.line(), None, "the connection is closed without a word");
}

#[test]
fn sigterm_finishes_the_send_in_hand_and_writes_it_down() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.osascript(&json!({"delay_ms": 800}));
    let mut client = daemon.connect();
    let send = client.ask("send", json!({"to": FRIEND, "text": "in hand", "idempotency_key": "k"}));
    eventually("it is handed to osascript", || (daemon.outbox_state()? == "handed").then_some(()));
    daemon.ask_to_stop();
    let answer = client.answer(send).expect("it is finished");
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(daemon.outbox_state().unwrap(), "seen");
    daemon.start_again();
    let again = daemon.connect().ok("send", json!({"to": FRIEND, "text": "in hand", "idempotency_key": "k"}));
    assert_eq!(again, answer);
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn sigterm_ends_an_osascript_that_hangs_with_all_that_it_started() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.osascript(&json!({"mode": "hang"}));
    let mut client = daemon.connect();
    client.ask("send", json!({"to": FRIEND, "text": "never"}));
    let grandchild = daemon.sent_call(0)["child_pid"].as_i64().unwrap();
    assert_eq!(daemon.terminate().code(), Some(0));
    eventually("the process that osascript started ends", || crate::outbound::is_gone(grandchild).then_some(()));
    assert_eq!(daemon.outbox_state().unwrap(), "unconfirmed");
}

#[test]
fn a_client_that_never_reads_does_not_keep_the_daemon_from_ending() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut stuck = UnixStream::connect(daemon.socket()).unwrap();
    for _ in 0..2000 {
        // Until its answers fill every buffer, and nobody reads the requests either.
        stuck.set_write_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        if stuck.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n").is_err() {
            break;
        }
    }
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!daemon.socket().exists());
}
