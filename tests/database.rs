//! chat.db that is missing, is something else, comes late or is replaced.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use imsgd::sim;
use serde_json::{Value, json};

use crate::harness::{
    Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, Home, STRANGER, SmallDb, TestDaemon, eventually, record,
};

fn daemon_without_database() -> (TestDaemon, Client) {
    let mut daemon = TestDaemon::start_without_waiting(Home::without_database(FRIENDS));
    daemon.wait_until_listening();
    let client = daemon.connect();
    (daemon, client)
}

/// Everything that needs the database is refused, with what to do about it.
fn check_unavailable(daemon: &TestDaemon, client: &mut Client, said: &[&str]) {
    for (method, params) in [
        ("chats.list", json!({})),
        ("messages.history", json!({"chat_id": 1})),
        ("watch.subscribe", json!({})),
        ("watch.subscribe", json!({"since_rowid": 5})),
        ("send", json!({"chat_id": 1, "text": "x"})),
    ] {
        let refusal = client.refused(method, params);
        assert_eq!((refusal.code, refusal.message.as_str()), (-32002, "Database unavailable"), "{method}");
        assert_eq!(refusal.data["retryable"], true, "{method}");
        assert_eq!(refusal.data["path"], daemon.db().to_str().unwrap(), "{method}");
        let detail = refusal.data["detail"].as_str().unwrap();
        for words in said {
            assert!(detail.contains(words), "{method}: {detail}");
        }
        // SQLite's own words help nobody.
        for leak in ["file is not a database", "unable to open", "Error code"] {
            assert!(!detail.contains(leak), "{method}: {detail}");
        }
    }
    let status = client.ok("status", json!({}));
    assert_eq!(status["database"]["ready"], false);
    assert!(status["database"]["error"].as_str().unwrap().contains(said[0]), "{status}");
    let methods = status["methods"].as_array().unwrap();
    assert!(methods.contains(&json!("send")) && !methods.contains(&json!("chats.list")));
}

/// The same process serves it once it is there.
fn check_recovered(daemon: &TestDaemon, client: &mut Client) {
    eventually("the database is followed", || client.ok("status", json!({}))["imsgd"]["head"].is_i64().then_some(()));
    client.subscribe(json!({}));
    daemon.receive_from(FRIEND, "there it is");
    assert_eq!(client.texts(1), ["there it is"]);
    assert_eq!(client.ok("status", json!({}))["database"]["ready"], true);
    assert_eq!(client.ok("chats.list", json!({}))["chats"][0]["identifier"], FRIEND);
}

#[test]
fn a_database_that_is_missing_at_the_start_is_found_when_it_appears() {
    let (daemon, mut client) = daemon_without_database();
    check_unavailable(&daemon, &mut client, &["there is no Messages database", "sign in to Messages"]);
    daemon.make_database(0, 0);
    check_recovered(&daemon, &mut client);
}

#[test]
fn a_file_that_is_no_database_is_named_as_such_until_there_is_one() {
    let (daemon, mut client) = daemon_without_database();
    fs::write(daemon.db(), "this is no database, and it is longer than its header would be ".repeat(20)).unwrap();
    check_unavailable(&daemon, &mut client, &["is not a Messages database"]);
    fs::remove_file(daemon.db()).unwrap();
    daemon.make_database(0, 0);
    check_recovered(&daemon, &mut client);
}

#[test]
fn a_database_of_another_program_is_named_as_such() {
    let (daemon, mut client) = daemon_without_database();
    let other = rusqlite::Connection::open(daemon.db()).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    check_unavailable(&daemon, &mut client, &["is not a Messages database"]);
}

#[test]
fn who_cannot_read_the_database_is_told_of_full_disk_access() {
    let (daemon, mut client) = daemon_without_database();
    daemon.make_database(0, 0);
    fs::set_permissions(daemon.db(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(daemon.db()).is_ok() {
        eprintln!("skipped: root may read everything");
        return;
    }
    check_unavailable(&daemon, &mut client, &["cannot read the Messages database", "Full Disk Access"]);
    fs::set_permissions(daemon.db(), fs::Permissions::from_mode(0o600)).unwrap();
    check_recovered(&daemon, &mut client);
}

#[test]
fn a_direct_send_works_without_a_database() {
    let (daemon, mut client) = daemon_without_database();
    let script = "#!/bin/sh\ncat > /dev/null\necho ok\n";
    daemon.replace(&daemon.path("osascript"), script.as_bytes());
    fs::set_permissions(daemon.path("osascript"), fs::Permissions::from_mode(0o755)).unwrap();
    let answer = client.ok("send", json!({"to": FRIEND, "text": "blind"}));
    assert_eq!((&answer["ok"], answer.get("id"), &answer["parts"]), (&json!(true), None, &json!([])));
}

/// A database as it is when it was copied alone, without its -wal and -shm.
fn without_side_files(home: &Home, name: &str) -> PathBuf {
    let path = home.path(name);
    sim::init(&path, &sim::Options { chats: 0, messages: 0, ..sim::Options::default() }).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    path
}

#[test]
fn a_copy_without_its_side_files_is_not_ready_until_messages_has_it() {
    let (daemon, mut client) = daemon_without_database();
    fs::rename(without_side_files(&daemon, "new.db"), daemon.db()).unwrap();
    check_unavailable(&daemon, &mut client, &["cannot read the Messages database", "a copy needs the -wal"]);
    // Whoever writes to it makes the files that were missing.
    daemon.receive_from("nobody@example.com", "hello");
    eventually("the database is followed", || client.ok("status", json!({}))["imsgd"]["head"].is_i64().then_some(()));
    client.ok("chats.list", json!({}));
}

#[test]
fn subscribers_are_told_when_the_database_is_replaced_and_hear_on() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "in the old one");
    assert_eq!(client.texts(1), ["in the old one"]);
    replace_database(&daemon);
    let notification = client.notification();
    assert_eq!(notification["method"], "watch.reset", "{notification}");
    let params = &notification["params"];
    assert_eq!(
        (&params["subscription"], &params["reason"], &params["resume_after_rowid"], &params["terminal"]),
        (&json!(1), &json!("lost"), &json!(0), &json!(false))
    );
    assert!(params["detail"].as_str().unwrap().contains("replaced"), "{notification}");
    daemon.receive_from(FRIEND, "in the new one");
    assert_eq!(client.texts(1), ["in the new one"]);
}

#[test]
fn the_first_message_of_all_is_not_lost_when_it_comes_while_imsgd_is_down() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.kill();
    let first = daemon.receive_from(FRIEND, "first");
    daemon.start_again();
    let entry = eventually("it is judged", || daemon.journal(&first.guid));
    assert_eq!(entry["verdict"], "delivered", "{entry}");
    let explained = daemon.connect().ok("journal.explain", json!({"guid": first.guid}));
    assert_eq!(explained["arrival"], "catch-up", "{explained}");
}

#[test]
fn a_replay_that_cannot_read_on_ends_with_an_error() {
    let daemon = TestDaemon::new(FRIENDS);
    let text = "x".repeat(2000);
    let messages = (0..1000).map(|_| json!({"from": FRIEND, "text": text})).collect();
    daemon.injector().receive_all(messages).join().unwrap();
    eventually("all are judged", || (daemon.status()["imsgd"]["verdicts"]["delivered"] == 1000).then_some(()));
    // More than waits for a client that does not read.
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"watch.subscribe","params":{"since_rowid":-1}}"#;
    slow.write_all(format!("{request}\n").as_bytes()).unwrap();
    let mut lines = BufReader::new(slow).lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap()["result"]["subscription"], 1);
    assert_eq!(lines.next().unwrap()["method"], "message");
    fs::remove_file(daemon.db()).unwrap();
    let end = lines.find(|line| line["method"] != "message").unwrap();
    record(&end);
    assert_eq!((&end["method"], &end["params"]["terminal"]), (&json!("error"), &json!(true)), "{end}");
    assert_eq!(end["params"]["error"]["code"], -32002, "{end}");
}

/// Another database takes the place of this one, as after a restore.
pub fn replace_database(home: &Home) {
    let new = without_side_files(home, "new.db");
    for file in ["chat.db-wal", "chat.db-shm", "chat.db"] {
        fs::remove_file(home.path(file)).unwrap();
    }
    fs::rename(&new, home.db()).unwrap();
    // The first write makes the side files.
    SmallDb::open(&home.db()).run("PRAGMA user_version = 1");
}

/// Nothing that a stranger wrote is shown by those who read the past.
fn check_hidden(client: &mut Client) {
    let page = client.ok("messages.after", json!({"since_rowid": 0}));
    assert_eq!(page["messages"], json!([]), "{page}");
    let number = client.subscribe(json!({"since_rowid": -1}));
    // What follows everything else on this connection is the first thing that it hears.
    client.ok("watch.unsubscribe", json!({"subscription": number}));
    let fence = client.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#);
    assert_eq!(fence["id"], "fence", "{fence}");
}

#[test]
fn a_verdict_on_a_row_of_an_old_database_says_nothing_of_the_row_that_has_its_number() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let delivered = daemon.receive_from(FRIEND, "admitted");
    assert_eq!(client.texts(1), ["admitted"]);
    // Judged in the new database too.
    replace_database(&daemon);
    assert_eq!(daemon.receive_from("nobody@example.com", "secret").rowid, delivered.rowid);
    assert_eq!(client.notification()["method"], "watch.reset");
    eventually("the new one is followed", || (client.ok("status", json!({}))["imsgd"]["head"] == 1).then_some(()));
    check_hidden(&mut client);
    // There before the daemon began.
    daemon.kill();
    replace_database(&daemon);
    assert_eq!(daemon.receive_from("another@example.com", "secret").rowid, delivered.rowid);
    daemon.start_again();
    check_hidden(&mut daemon.connect());
}

#[test]
fn a_place_is_known_also_when_its_message_was_deleted() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "one");
    let last = daemon.receive_from(FRIEND, "two");
    assert_eq!(client.texts(2), ["one", "two"]);
    daemon.kill();
    SmallDb::open(&daemon.db()).run(&format!(
        "DELETE FROM chat_message_join WHERE message_id = {0}; DELETE FROM message WHERE ROWID = {0}",
        last.rowid
    ));
    let meanwhile = daemon.receive_from(FRIEND, "three");
    daemon.start_again();
    eventually("what came meanwhile is judged", || daemon.journal(&meanwhile.guid));
    assert!(!daemon.log().contains("renumbered"), "{}", daemon.log());
}

#[test]
fn an_older_state_of_the_database_is_followed_from_where_it_is() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "one");
    assert_eq!(client.texts(1), ["one"]);
    let files = ["chat.db", "chat.db-wal"];
    for file in files {
        fs::copy(daemon.path(file), daemon.path(&format!("old-{file}"))).unwrap();
    }
    let lost = daemon.receive_from(FRIEND, "two");
    assert_eq!(client.texts(1), ["two"]);
    daemon.kill();
    for file in files {
        fs::rename(daemon.path(&format!("old-{file}")), daemon.path(file)).unwrap();
    }
    fs::remove_file(daemon.path("chat.db-shm")).unwrap();
    let meanwhile = daemon.receive_from(FRIEND, "other");
    assert_eq!(meanwhile.rowid, lost.rowid, "its number is used again");
    daemon.start_again();
    eventually("what came meanwhile is judged", || daemon.journal(&meanwhile.guid));
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "next");
    assert_eq!(client.texts(1), ["next"]);
}

/// Messages has built the database anew: each row has another number.
pub fn renumber(home: &Home) {
    SmallDb::open(&home.db()).run(
        "PRAGMA foreign_keys = OFF; UPDATE message SET ROWID = ROWID + 1000;
         UPDATE chat_message_join SET message_id = message_id + 1000",
    );
}

#[test]
fn what_was_noted_of_messages_follows_them_to_other_numbers() {
    let mut daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    let admitted = daemon.receive_from(FRIEND, "hello");
    let held = daemon.receive_from(STRANGER, "let me in");
    assert_eq!(client.texts(1), ["hello"]);
    let pending = eventually("the stranger waits", || {
        client.ok("pairing.list", json!({}))["pending"].as_array()?.first().cloned()
    });
    daemon.kill();
    renumber(&daemon);
    daemon.start_again();
    let mut client = daemon.watch();
    for (row, verdict) in [(admitted.rowid, "delivered"), (held.rowid, "held")] {
        let explained = client.ok("journal.explain", json!({"rowid": row.0 + 1000}));
        assert_eq!(explained["verdict"], verdict, "{explained}");
    }
    let page = client.ok("messages.after", json!({"since_rowid": 0}));
    assert_eq!(page["messages"][0]["policy"]["arrival"], "live", "as it was noted: {page}");
    let approved = client.ok("pairing.approve", json!({"code": pending["code"]}));
    assert_eq!(approved["released"], 1, "{approved}");
    let released = client.inbound();
    assert_eq!((&released["text"], &released["id"]), (&json!("let me in"), &json!(held.rowid.0 + 1000)));
    assert_eq!(daemon.status()["imsgd"]["held"], 0);
}

#[test]
fn a_renumbered_database_is_followed_on_from_the_same_message() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "one");
    let last = daemon.receive_from(FRIEND, "two");
    client.texts(2);
    daemon.kill();
    renumber(&daemon);
    daemon.receive_from(FRIEND, "three");
    daemon.start_again();
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": last.rowid.0 + 1000}));
    assert_eq!(client.texts(1), ["three"]);
    let delivered: Value = daemon.status()["imsgd"]["verdicts"]["delivered"].clone();
    assert_eq!(delivered, 1, "what was judged before is not judged again");
}
