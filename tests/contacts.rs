//! Names of people: read from address books as macOS keeps them, and shown wherever somebody wrote.

use imsgd::sim::Incoming;
use imsgd::sim::contacts::Card;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, OTHER_FRIEND, STRANGER, TestDaemon, eventually};
use crate::recipients::UNAVAILABLE;

const GROUP: &str = "any;+;chat100000000000000001";

fn are_available(client: &mut Client) -> bool {
    client.ok("status", json!({}))["contacts"]["available"] == true
}

fn wait_for_names(client: &mut Client) {
    eventually("contacts are read", || are_available(client).then_some(()));
}

#[test]
fn whoever_wrote_is_named_live_and_in_all_that_is_read_later() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    wait_for_names(&mut client);
    client.subscribe(json!({"include_reactions": true}));
    let first = daemon.receive_from(FRIEND, "who am I?");
    let live = client.message();
    assert_eq!((&live["sender"], &live["sender_name"]), (&json!(FRIEND), &json!("Ann Example")));

    daemon.receive(&Incoming { from_me: true, ..Incoming::new(FRIEND, "Ann") });
    assert_eq!(client.message().get("sender_name"), None, "our own message");
    let like = |target: &str| Incoming {
        tapback: Some("like".parse().unwrap()),
        target: Some(target.to_owned()),
        ..Incoming::new(FRIEND, "")
    };
    daemon.receive(&like(&first.guid));
    let reaction = client.message();
    assert_eq!((&reaction["is_reaction"], &reaction["sender_name"]), (&json!(true), &json!("Ann Example")));

    let check = |messages: &Value, with_reactions: bool| {
        let of = |id: i64| messages.as_array().unwrap().iter().find(|message| message["id"] == id).unwrap().clone();
        let message = of(first.rowid.0);
        assert_eq!(message["sender_name"], "Ann Example", "{messages}");
        let reactions = message["reactions"].as_array().unwrap();
        let names: Vec<_> = reactions.iter().map(|one| one["sender_name"].as_str().unwrap()).collect();
        assert_eq!(names, if with_reactions { vec!["Ann Example"] } else { vec![] }, "{messages}");
    };
    let chat = first.chat_id.unwrap().0;
    check(&client.ok("messages.history", json!({"chat_id": chat}))["messages"], true);
    check(&client.ok("messages.search", json!({"query": "who am I"}))["messages"], false);
    check(&client.ok("messages.after", json!({"since_rowid": 0}))["messages"], true);
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": -1, "include_reactions": true}));
    check(&json!([late.message()]), true);
}

#[test]
fn commands_show_names_with_and_without_a_daemon() {
    let mut daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    wait_for_names(&mut daemon.connect());
    daemon.receive_from(FRIEND, "who am I?");
    let check = |daemon: &TestDaemon| {
        let history = daemon.run(&["history", "--chat-id", "1"]);
        assert!(history.stdout.ends_with(" [recv] Ann Example: who am I?\n"), "{history:?}");
        let chats = daemon.run(&["chats"]);
        assert!(chats.stdout.starts_with("[1] Ann Example (+14155550101) last="), "{chats:?}");
        for command in [&["history", "--chat-id", "1", "--json"][..], &["search", "--query", "who", "--json"]] {
            let message: Value = serde_json::from_str(&daemon.run(command).stdout).unwrap();
            assert_eq!(message["sender_name"], "Ann Example", "{command:?}");
        }
        let chat: Value = serde_json::from_str(&daemon.run(&["chats", "--json"]).stdout).unwrap();
        assert_eq!(chat["contact_name"], "Ann Example");
    };
    check(&daemon);
    daemon.terminate();
    check(&daemon);
}

#[test]
fn direct_chats_have_the_name_of_whom_they_are_with() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    wait_for_names(&mut client);
    daemon.receive_from(FRIEND, "direct");
    daemon.receive_from(STRANGER, "direct, too");
    daemon.receive_in(GROUP, OTHER_FRIEND, "in a group of one");
    let by_participant = daemon.receive_from(OTHER_FRIEND, "by the only participant");
    let writer = Connection::open(daemon.db()).unwrap();
    let odd = "UPDATE chat SET chat_identifier = 'odd', guid = 'any;-;odd' WHERE ROWID = ?";
    writer.execute(odd, [by_participant.chat_id.unwrap().0]).unwrap();
    let chats = client.ok("chats.list", json!({}))["chats"].clone();
    let names: Vec<_> = chats
        .as_array()
        .unwrap()
        .iter()
        .map(|chat| (chat["identifier"].as_str().unwrap(), chat.get("contact_name")))
        .collect();
    let (bob, ann) = (json!("Bob"), json!("Ann Example"));
    let expected = [("odd", Some(&bob)), ("chat100000000000000001", None), (STRANGER, None), (FRIEND, Some(&ann))];
    assert_eq!(names, expected);
}

#[test]
fn those_whose_messages_ride_along_are_named_too() {
    let rules = format!(
        "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['*']\ndm_policy = 'open'\nmention_patterns = ['@bot']\n\
         [policy.groups.'{GROUP}']\nrequire_mention = true\n"
    );
    let daemon = TestDaemon::start(Home::with_contacts(&rules));
    let mut client = daemon.watch();
    wait_for_names(&mut client);
    daemon.receive_in(GROUP, OTHER_FRIEND, "lunch?");
    daemon.receive_in(GROUP, STRANGER, "yes");
    daemon.receive_in(GROUP, FRIEND, "@bot where?");
    let check = |message: &Value| {
        assert_eq!(message["sender_name"], "Ann Example", "{message}");
        let context = message["policy"]["context"].as_array().unwrap();
        let names: Vec<_> = context.iter().map(|said| said.get("sender_name")).collect();
        assert_eq!(names, [Some(&json!("Bob")), None], "{message}");
    };
    check(&client.message());
    let after = client.ok("messages.after", json!({"since_rowid": 0}));
    check(after["messages"].as_array().unwrap().last().unwrap());
}

#[test]
fn a_card_that_is_added_while_the_daemon_runs_names_the_next_message() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.watch();
    wait_for_names(&mut client);
    let connection = Connection::open(imsgd::sim::contacts::path(&daemon.address_book(), None)).unwrap();
    connection.execute("UPDATE ZABCDRECORD SET ZNICKNAME = 'Annie' WHERE ZFIRSTNAME = 'Ann'", []).unwrap();
    eventually("the nickname is shown", || {
        daemon.receive_from(FRIEND, "and now?");
        (client.message()["sender_name"] == "Annie").then_some(())
    });
}

#[test]
fn without_an_address_book_there_are_no_names_and_nothing_else_is_missing() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "hello");
    let message = client.message();
    assert_eq!((&message["text"], message.get("sender_name")), (&json!("hello"), None));
    eventually("the reason is known", || {
        let contacts = client.ok("status", json!({}))["contacts"].clone();
        assert_eq!(contacts["available"], false);
        contacts["error"].as_str().unwrap().starts_with("there is no address book in ").then_some(())
    });
    assert!(daemon.run(&["status"]).stdout.contains("contacts       there is no address book in "));
    let history = daemon.run(&["history", "--chat-id", "1"]);
    assert!(history.stdout.ends_with(" [recv] +14155550101: hello\n"), "{history:?}");
}

#[test]
fn names_can_be_turned_off_and_on_while_the_daemon_runs() {
    let daemon = TestDaemon::start(Home::with_contacts(&format!("messages.contacts = false\n{FRIENDS}")));
    let mut client = daemon.connect();
    assert!(!are_available(&mut client));
    daemon.configure(FRIENDS);
    wait_for_names(&mut client);
    daemon.configure(&format!("messages.contacts = false\n{FRIENDS}"));
    eventually("contacts are off", || (!are_available(&mut client)).then_some(()));
    let error = client.ok("status", json!({}))["contacts"]["error"].clone();
    assert!(error.as_str().unwrap().contains("turned off"), "{error}");
}

/// Who holds the lock could write for ever. Nothing but names waits for it.
#[test]
fn an_address_book_that_is_locked_delays_nothing() {
    let home = Home::with_contacts(FRIENDS);
    let lock = Connection::open(imsgd::sim::contacts::path(&home.address_book(), None)).unwrap();
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let source = Connection::open(imsgd::sim::contacts::path(&home.address_book(), Some("ICLOUD"))).unwrap();
    source.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let daemon = TestDaemon::start(home);
    let mut client = daemon.connect();
    let subscription = client.subscribe(json!({}));
    assert!(!are_available(&mut client));
    // This one waits for names, so that those who do not can be seen to overtake it.
    let waits = client.ask("send", json!({"to": "Ann", "text": "hi"}));
    daemon.receive_from(FRIEND, "one");
    let message = client.message();
    assert_eq!((&message["text"], message.get("sender_name")), (&json!("one"), None));
    assert!(!are_available(&mut client));
    assert_eq!(client.ok("watch.unsubscribe", json!({"subscription": subscription})), json!({"ok": true}));
    let refusal = client.answer(waits).unwrap_err();
    assert_eq!((refusal.code, &refusal.data), (-32602, &json!(UNAVAILABLE)));
    drop(source);
    wait_for_names(&mut client);
    client.subscribe(json!({}));
    drop(lock);
    eventually("the name is known", || {
        daemon.receive_from(FRIEND, "two");
        (client.message()["sender_name"] == "Ann Example").then_some(())
    });
}

#[test]
fn names_that_are_known_stay_while_an_address_book_is_locked() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.watch();
    wait_for_names(&mut client);
    let lock = Connection::open(imsgd::sim::contacts::path(&daemon.address_book(), None)).unwrap();
    lock.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE ZABCDRECORD SET ZFIRSTNAME = 'Eve'; COMMIT",
    )
    .unwrap();
    // Waits until the daemon has tried to read it.
    client.ok("send", json!({"to": "Bob", "text": "hi"}));
    daemon.receive_from(FRIEND, "one");
    assert_eq!(client.inbound()["sender_name"], "Ann Example");
    assert!(are_available(&mut client));
    drop(lock);
    eventually("the new name is known", || {
        daemon.receive_from(FRIEND, "two");
        (client.inbound()["sender_name"] == "Eve Example").then_some(())
    });
}

/// What the log says at its usual level must tell nobody who writes.
#[test]
fn names_are_never_in_the_log() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.watch();
    wait_for_names(&mut client);
    daemon.receive_from(FRIEND, "hello");
    assert_eq!(client.message()["sender_name"], "Ann Example");
    client.ok("send", json!({"to": "Bob", "text": "hi"}));
    daemon.contact(&Card::new("Ann Other", &["+14155550103"]));
    client.refused("send", json!({"to": "Ann", "text": "hi"}));
    daemon.osascript(&json!({"mode": "fail-before"}));
    client.refused("send", json!({"to": "Bob", "text": "hi"}));
    std::fs::rename(daemon.address_book(), daemon.path("away")).unwrap();
    client.refused("send", json!({"to": "Ann", "text": "hi"}));
    let log = daemon.log();
    assert!(log.contains("contacts are read cards=2"), "{log}");
    for secret in ["Ann", "Bob", "Other", "Example", "415555", "hello"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
