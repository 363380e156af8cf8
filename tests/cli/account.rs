//! `account`, `whois` and `nickname`, by a daemon and without one.

use imsgd::sim::{Incoming, Service};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, STRANGER, TestDaemon};

/// What a command prints, and its JSON; the same with a daemon and without one.
fn check(home: &Home, command: &[&str], printed: &str, expected: &Value) {
    let answered = home.run(command);
    assert_eq!((answered.status.code(), answered.stdout.as_str()), (Some(0), printed), "{command:?}: {answered:?}");
    let answered = home.run(&[command, &["--json"]].concat());
    assert_eq!(answered.stdout, format!("{expected}\n"), "{command:?}: {answered:?}");
}

fn with_and_without_a_daemon(home: Home, check: impl Fn(&Home)) {
    check(&home);
    check(&TestDaemon::start(home));
}

#[test]
fn accounts_are_listed_by_their_chats() {
    let home = Home::without_database(FRIENDS);
    home.make_database(3, 0);
    // Stays open, as that of Messages does: the last one to be closed takes the -wal file away.
    let writer = Connection::open(home.db()).unwrap();
    writer
        .execute_batch(
            "UPDATE chat SET account_login = 'me@icloud.com', account_id = 'A';
             UPDATE chat SET account_login = NULL, account_id = 'B' WHERE ROWID = 1",
        )
        .unwrap();
    let expected = json!({"source": "local", "accounts": [
        {"login": "me@icloud.com", "account_id": "A", "chat_count": 2},
        {"login": "", "account_id": "B", "chat_count": 1},
    ]});
    let printed = "accounts (source=local):\n  me@icloud.com (chats=2)\n  B (chats=1)\n";
    with_and_without_a_daemon(home, |home| check(home, &["account", "--local"], printed, &expected));
    drop(writer);
}

#[test]
fn without_chats_there_is_no_account() {
    let printed = "account: (none found in local history) (source=local)\n";
    let expected = json!({"source": "local", "accounts": []});
    with_and_without_a_daemon(Home::new(FRIENDS), |home| check(home, &["account", "--local"], printed, &expected));
}

#[test]
fn an_address_is_known_by_the_service_that_its_messages_went_through() {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "over iMessage");
    home.receive(&Incoming { service: Service::Sms, ..Incoming::new(STRANGER, "over SMS") });
    with_and_without_a_daemon(home, |home| {
        for (address, service, is_known) in [
            ("(415) 555-0101", "imessage", true),
            (FRIEND, "imessage", true),
            (STRANGER, "sms", true),
            ("nobody@example.com", "unknown", false),
        ] {
            let printed = format!("whois {address}: {service} (source=local, known={is_known})\n");
            let expected = json!({"address": address, "service": service, "known": is_known, "source": "local"});
            check(home, &["whois", "--local", "--address", address], &printed, &expected);
        }
    });
}

#[test]
fn an_address_is_read_in_the_region_of_the_configuration() {
    let home = Home::new(&format!("messages.region = 'GB'\n{FRIENDS}"));
    home.receive_from("+447700900000", "hello");
    let answered = home.run(&["whois", "--local", "--address", "07700 900000"]);
    assert_eq!(answered.stdout, "whois 07700 900000: imessage (source=local, known=true)\n", "{answered:?}");
}

fn lookup(address: &str, name: &str, are_unavailable: bool) -> Value {
    json!({
        "address": address,
        "local_contact_name": name,
        "found": !name.is_empty(),
        "source": "local-addressbook",
        "contacts_unavailable": are_unavailable,
    })
}

#[test]
fn an_address_has_the_name_that_contacts_gives_it() {
    // Names are there also where messages are not.
    let home = Home::with_contacts(FRIENDS);
    std::fs::remove_file(home.db()).unwrap();
    let command = ["nickname", "--local", "--address", "415-555-0101"];
    let printed = "local_contact_name: Ann Example (source=local-addressbook)\n";
    check(&home, &command, printed, &lookup("415-555-0101", "Ann Example", false));
    let command = ["nickname", "--local", "--address", STRANGER];
    check(&home, &command, "local_contact_name: (none) (source=local-addressbook)\n", &lookup(STRANGER, "", false));
    let mut daemon = TestDaemon::start_without_waiting(home);
    daemon.wait_until_listening();
    check(&daemon, &command, "local_contact_name: (none) (source=local-addressbook)\n", &lookup(STRANGER, "", false));
    daemon.contact(&imsgd::sim::contacts::Card::new("Kim", &[STRANGER]));
    check(&daemon, &command, "local_contact_name: Kim (source=local-addressbook)\n", &lookup(STRANGER, "Kim", false));
}

#[test]
fn without_contacts_a_name_cannot_be_told_and_it_says_what_to_do() {
    with_and_without_a_daemon(Home::new(FRIENDS), |home| {
        let command = ["nickname", "--local", "--address", FRIEND];
        let answered = home.run(&command);
        assert_eq!(answered.status.code(), Some(0), "{answered:?}");
        let first = "local_contact_name: (Contacts unavailable) (source=local-addressbook)\n";
        assert!(answered.stdout.starts_with(first) && answered.stdout.lines().count() == 3, "{answered:?}");
        assert!(answered.stdout.contains("Full Disk Access"), "{answered:?}");
        let json = home.run(&[&command[..], &["--json"]].concat()).stdout;
        assert_eq!(json, format!("{}\n", lookup(FRIEND, "", true)));
    });
}

/// What a command that fails says.
fn refused(home: &Home, command: &[&str]) -> String {
    let answered = home.run(command);
    assert_eq!((answered.status.code(), answered.stdout.as_str()), (Some(1), ""), "{command:?}: {answered:?}");
    answered.stderr
}

#[test]
fn only_the_local_forms_are_there_and_each_needs_its_address() {
    let home = Home::new(FRIENDS);
    for command in [&["account"][..], &["whois", "--address", FRIEND], &["nickname", "--address", FRIEND]] {
        let said = refused(&home, command);
        assert!(said.contains("private bridge") && said.contains("`--local`"), "{said}");
        // As of all commands of the bridge, the failure is the answer.
        let answered = home.run(&[command, &["--json"]].concat());
        let said: Value = serde_json::from_str(&answered.stdout).unwrap();
        assert_eq!((answered.status.code(), &said["success"]), (Some(1), &json!(false)));
    }
    for command in [["whois", "--local"], ["nickname", "--local"]] {
        let said = refused(&home, &command);
        assert!(said.contains("Missing required option: --address"), "{said}");
    }
}

#[test]
fn what_clients_may_ask_of_people_is_checked_and_listed() {
    let daemon = TestDaemon::start(Home::with_contacts(FRIENDS));
    let mut client = daemon.connect();
    for method in ["handles.whois", "contacts.lookup"] {
        for (params, said) in [
            (json!({}), "address is required"),
            (json!({"address": " "}), "address must be a non-empty string"),
            (json!({"address": 1}), "address must be a string"),
        ] {
            let refusal = client.refused(method, params);
            assert_eq!((refusal.code, &refusal.data), (-32602, &json!(said)), "{method}");
        }
    }
    let refusal = client.refused("accounts.list", json!({"address": FRIEND}));
    assert_eq!(refusal.data, "unknown accounts.list param: address");
    assert_eq!(client.ok("contacts.lookup", json!({"address": FRIEND})), lookup(FRIEND, "Ann Example", false));
    let methods = client.ok("status", json!({}))["methods"].as_array().unwrap().clone();
    for method in ["accounts.list", "handles.whois", "contacts.lookup"] {
        assert!(methods.contains(&json!(method)), "{method}");
    }
}
