//! `server.peers`: which programs may use the socket.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Client, FRIENDS, Home, TestDaemon, eventually};

/// This program, which is the client of these tests.
fn us() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn imsgd() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_imsgd")).canonicalize().unwrap()
}

/// A configuration with these peers, and a database of one chat.
fn home(peers: &[&str]) -> Home {
    let home = Home::without_database(&config(peers));
    home.make_database(1, 3);
    home
}

fn config(peers: &[&str]) -> String {
    format!("server.peers = [{}]\n{FRIENDS}", peers.join(", "))
}

fn peer(path: &Path, rest: &str) -> String {
    format!("{{ path = '{}'{rest} }}", path.display())
}

/// Starts, and waits by the owner's own command, which is no peer.
fn start(home: Home) -> TestDaemon {
    let daemon = TestDaemon::start_without_waiting(home);
    eventually("imsgd serves", || {
        let answered = daemon.run(&["status", "--json"]);
        let status: Value = serde_json::from_str(&answered.stdout).ok()?;
        (!status["imsgd"]["head"].is_null()).then_some(())
    });
    daemon
}

/// What a client hears that is turned away: one line, and then nothing.
fn turned_away(mut client: Client) -> String {
    let line = client.line().expect("it is told why");
    assert_eq!((&line["id"], &line["error"]["code"]), (&Value::Null, &json!(-32006)), "{line}");
    assert_eq!(client.line(), None);
    line["error"]["data"].as_str().unwrap().to_owned()
}

#[test]
fn a_program_that_is_not_listed_is_turned_away_and_told_why() {
    let daemon = start(home(&[&peer(Path::new("/bin/sh"), "")]));
    let said = turned_away(daemon.connect());
    assert!(said.contains(us().to_str().unwrap()) && said.contains("server.peers"), "{said}");
    let log = daemon.log();
    assert!(log.contains("turned away") && log.contains(us().to_str().unwrap()), "{log}");
}

#[test]
fn a_program_that_is_listed_is_let_in_with_its_own_scopes() {
    let daemon = start(home(&[&peer(&us(), ", scopes = ['read']")]));
    let mut client = daemon.connect();
    assert_eq!(client.ok("connection.scopes", json!({}))["scopes"], json!(["read"]));
    client.ok("chats.list", json!({}));
    assert_eq!(client.refused("config.get", json!({})).code, -32006);
    // By what the configuration says now.
    daemon.configure(&config(&[&peer(&us(), "")]));
    eventually("it has those of all clients", || client.call("config.get", json!({})).ok());
    daemon.configure(&config(&[&peer(Path::new("/bin/sh"), "")]));
    eventually("it has none", || client.call("chats.list", json!({})).err().filter(|refusal| refusal.code == -32006));
    turned_away(daemon.connect());
}

#[test]
fn a_link_to_a_program_names_the_program_and_a_program_that_was_replaced_is_another() {
    let home = home(&[]);
    let (link, copy) = (home.path("link"), home.path("copy"));
    std::os::unix::fs::symlink(us(), &link).unwrap();
    std::fs::copy(us(), &copy).unwrap();
    home.configure(&config(&[&peer(&link, "")]));
    let daemon = start(home);
    daemon.connect().ok("status", json!({}));
    // Another file with the same bytes is not what runs.
    daemon.configure(&config(&[&peer(&copy, "")]));
    eventually("the configuration is in force", || match daemon.connect().call_or_end("status") {
        Some(()) => None,
        None => Some(()),
    });
    turned_away(daemon.connect());
}

#[test]
fn a_requirement_that_cannot_be_checked_is_not_met() {
    if cfg!(target_os = "macos") {
        return;
    }
    let daemon = start(home(&[&peer(&us(), ", requirement = 'anchor apple'")]));
    let said = turned_away(daemon.connect());
    assert!(said.contains("on macOS only"), "{said}");
}

#[test]
fn a_relay_is_imsgd_itself_and_must_be_listed_as_that() {
    let daemon = start(home(&[&peer(&us(), "")]));
    let mut relay = daemon.stdio(&["rpc"]);
    let line = relay.client.line().expect("it is told why");
    assert!(line["error"]["data"].as_str().unwrap().contains(imsgd().to_str().unwrap()), "{line}");
    drop(relay);
    daemon.configure(&config(&[&peer(&us(), ""), &peer(&imsgd(), ", scopes = ['read']")]));
    eventually("the configuration is in force", || daemon.stdio(&["rpc"]).client.call_or_end("status"));
    let mut relay = daemon.stdio(&["rpc"]);
    assert_eq!(relay.client.ok("connection.scopes", json!({}))["scopes"], json!(["read"]));
    relay.finish();
}

#[test]
fn with_peers_the_owners_socket_is_for_imsgd_itself() {
    let daemon = start(home(&[&peer(&us(), "")]));
    let said = turned_away(daemon.connect_to(&daemon.path("state/owner.sock")));
    assert!(said.contains("only its own commands"), "{said}");
    let listed = daemon.run(&["plugin", "list"]);
    assert!(listed.status.success(), "{listed:?}");
}

#[test]
fn a_peer_without_a_whole_path_is_refused_with_the_configuration() {
    let home = home(&["{ path = 'node' }"]);
    let checked = home.run(&["config", "check"]);
    assert!(!checked.status.success() && checked.stderr.contains("server.peers[0].path"), "{checked:?}");
    home.configure(&config(&["{ path = '/bin/sh', scope = ['read'] }"]));
    let checked = home.run(&["config", "check"]);
    assert!(!checked.status.success() && checked.stderr.contains("did you mean `scopes`"), "{checked:?}");
}
