//! The journal of the real program: what it keeps, for how long, and who hears of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use imsgd::journal::{Entry, used_bytes};
use imsgd::message::{Arrival, ChatId, RowId};
use imsgd::state::{Batch, StateDb};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, Home, STRANGER, TestDaemon, eventually, record};

fn entry(number: i64, verdict: &str, seen_at: Timestamp) -> Entry {
    Entry {
        guid: format!("{:08X}-7E29-4C3D-9A51-{number:012X}", (number as u32).wrapping_mul(2_654_435_761)),
        message: RowId(number),
        chat: ChatId(1),
        sender: FRIEND.to_owned(),
        arrival: Arrival::Live,
        verdict: verdict.to_owned(),
        decided_by: Some(("allowlist".to_owned(), "181aa8fd9f7d".to_owned())),
        reason: None,
        route: Some("main".to_owned()),
        labels: Vec::new(),
        sent_at: seen_at,
        seen_at,
        judged_us: 100,
        waited_us: 0,
        stages: String::new(),
        carried_by: None,
        failed: false,
        was_held: false,
        released: None,
    }
}

/// Writes entries as an imsgd of before would have, one every second up to `last`.
fn fill(home: &Home, verdict: &str, numbers: std::ops::Range<i64>, last: Timestamp) {
    fs::create_dir_all(home.path("state")).unwrap();
    let mut state = StateDb::open(&home.state_db()).unwrap();
    let at = |number: i64| last.checked_sub(SignedDuration::from_secs(numbers.end - number)).unwrap();
    let entries = numbers.clone().map(|number| entry(number, verdict, at(number))).collect();
    state.commit(&Batch { entries, ..Batch::default() }).unwrap();
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap()
}

fn count(home: &Home, of: &str) -> i64 {
    home.state().query_row(&format!("SELECT COUNT(*) FROM journal WHERE {of}"), [], |row| row.get(0)).unwrap()
}

fn is_within(home: &Home, bytes: u64) -> bool {
    used_bytes(&home.state()).unwrap() <= bytes
}

#[test]
fn what_is_older_than_the_journal_keeps_is_forgotten_unless_it_is_held() {
    let home = Home::new(&format!("journal.keep_days = 30\n{FRIENDS}"));
    fill(&home, "delivered", 1..2001, days_ago(31));
    fill(&home, "held", 2001..2011, days_ago(31));
    fill(&home, "delivered", 3001..3101, days_ago(29));
    let daemon = TestDaemon::start(home);
    eventually("the old ones are gone", || (count(&daemon, "message_rowid <= 2000") == 0).then_some(()));
    assert_eq!((count(&daemon, "verdict = 'held'"), count(&daemon, "verdict = 'delivered'")), (10, 100));
    daemon.receive_from(FRIEND, "and it goes on");
    eventually("the next is judged", || (count(&daemon, "verdict = 'delivered'") == 101).then_some(()));
}

#[test]
fn the_journal_stays_within_its_size_and_forgets_what_is_held_last() {
    const MB: u64 = 1 << 20;
    let home = Home::new(&format!("journal.max_mb = 1\n{FRIENDS}"));
    fill(&home, "held", 1..501, days_ago(2));
    fill(&home, "delivered", 501..12_001, days_ago(1));
    assert!(!is_within(&home, 2 * MB));
    let daemon = TestDaemon::start(home);
    eventually("as much has gone as was too much", || is_within(&daemon, MB + MB / 2).then_some(()));
    assert_eq!((count(&daemon, "verdict = 'held'"), count(&daemon, "message_rowid = 12000")), (500, 1));
    // While much arrives too.
    let mut client = daemon.watch();
    let messages = (0..4000).map(|number| json!({"from": FRIEND, "text": format!("{number}")})).collect();
    let written = daemon.injector().receive_all(messages);
    assert_eq!(client.texts(4000).last().unwrap(), "3999");
    written.join().unwrap();
    eventually("it is within its size still", || is_within(&daemon, MB + MB / 2).then_some(()));
    let file = fs::metadata(daemon.state_db()).unwrap().len();
    eprintln!("state.db has {file} bytes, {} in use", used_bytes(&daemon.state()).unwrap());
    assert_eq!(count(&daemon, "verdict = 'held'"), 500);
    assert!(count(&daemon, "verdict = 'delivered'") >= 1000);
}

#[test]
fn a_flood_of_held_messages_is_bounded_and_the_loss_is_said() {
    let home = Home::new(&format!("journal.max_mb = 1\n{FRIENDS}"));
    fill(&home, "held", 1..12_001, days_ago(1));
    let daemon = TestDaemon::start(home);
    eventually("the log says it", || daemon.log().contains("the journal is full of held messages").then_some(()));
    assert!(is_within(&daemon, 3 * (1 << 19)));
    assert_eq!((count(&daemon, "message_rowid = 1"), count(&daemon, "message_rowid = 12000")), (0, 1));
}

#[test]
fn what_was_forgotten_is_not_announced_by_itself_and_judged_anew_for_who_asks() {
    let home = Home::new(FRIENDS);
    let mut daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let rejected = daemon.receive_from(STRANGER, "buy this");
    daemon.receive_from(FRIEND, "hello");
    assert_eq!(client.texts(1), ["hello"]);
    daemon.kill();
    let long_ago = days_ago(100).as_millisecond();
    daemon.state().execute("UPDATE journal SET seen_at = ?1", [long_ago]).unwrap();
    daemon.start_again();
    eventually("both are forgotten", || (count(&daemon, "1") == 0).then_some(()));
    let mut client = daemon.watch();
    let mut replayed = daemon.connect();
    replayed.subscribe(json!({"since_rowid": -1}));
    assert_eq!(replayed.texts(1), ["hello"]);
    daemon.receive_from(FRIEND, "fence");
    assert_eq!((client.texts(1), replayed.texts(1)), (vec!["fence".to_owned()], vec!["fence".to_owned()]));
    assert_eq!(daemon.journal(&rejected.guid), None);
}

#[test]
fn an_address_without_end_is_kept_short() {
    let daemon = TestDaemon::new(FRIENDS);
    let received = daemon.receive_from(&format!("{}@example.com", "x".repeat(100_000)), "hello");
    eventually("it is judged", || daemon.journal(&received.guid));
    let query = "SELECT MAX(LENGTH(sender)) FROM journal";
    let longest: i64 = daemon.state().query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(longest, 512);
}

#[test]
fn verdicts_are_told_as_they_are_given_to_who_asks_and_without_texts() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut all = daemon.connect();
    let number = all.ok("journal.subscribe", json!({}))["subscription"].clone();
    let mut rejections = daemon.connect();
    rejections.ok("journal.subscribe", json!({"verdict": "rejected", "sender": "(415) 555-0199"}));
    let friend = daemon.receive_from(FRIEND, "a secret");
    let stranger = daemon.receive_from(STRANGER, "let me in");
    let first = all.notification();
    assert_eq!((&first["method"], &first["params"]["subscription"]), (&json!("journal"), &number));
    let entry = &first["params"]["entry"];
    assert_eq!(
        (&entry["guid"], &entry["verdict"], &entry["route"]),
        (&json!(friend.guid), &json!("delivered"), &json!("main"))
    );
    assert!(!first.to_string().contains("a secret"), "{first}");
    assert_eq!(all.notification()["params"]["entry"]["guid"], stranger.guid);
    assert_eq!(rejections.notification()["params"]["entry"]["guid"], stranger.guid);
    all.ok("watch.unsubscribe", json!({"subscription": number}));
    daemon.receive_from(STRANGER, "again");
    assert_eq!(rejections.notification()["params"]["entry"]["verdict"], "rejected");
    assert_eq!(all.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#)["id"], "fence");
}

#[test]
fn the_journal_is_listed_newest_first_by_verdict_chat_and_sender_page_by_page() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let guids: Vec<String> = (0..5).map(|number| daemon.receive_from(FRIEND, &format!("{number}")).guid).collect();
    client.texts(5);
    let stranger = daemon.receive_from(STRANGER, "let me in");
    eventually("it is judged", || daemon.journal(&stranger.guid));
    let guids_of = |page: &serde_json::Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["guid"].as_str().unwrap().to_owned()).collect()
    };
    let first = client.ok("journal.list", json!({"limit": 3}));
    assert_eq!(guids_of(&first), [&stranger.guid[..], &guids[4], &guids[3]]);
    let rest = client.ok("journal.list", json!({"before": first["next"]}));
    assert_eq!(guids_of(&rest), [&guids[2][..], &guids[1], &guids[0]]);
    assert_eq!(guids_of(&client.ok("journal.list", json!({"verdict": "rejected"}))), [&stranger.guid[..]]);
    let chat = stranger.chat_id.unwrap().0;
    assert_eq!(guids_of(&client.ok("journal.list", json!({"chat_id": chat}))), [&stranger.guid[..]]);
    assert_eq!(guids_of(&client.ok("journal.list", json!({"sender": "415-555-0101", "limit": 1}))), [&guids[4][..]]);
    client.refused("journal.list", json!({"verdict": "lost"}));
    client.refused("journal.list", json!({"before": "nothing"}));
}

#[test]
fn who_follows_too_slowly_is_told_what_it_missed_and_delays_nobody() {
    const MESSAGES: usize = 6000;
    let daemon = TestDaemon::new(FRIENDS);
    let mut slow = UnixStream::connect(daemon.socket()).unwrap();
    slow.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"journal.subscribe\"}\n").unwrap();
    let mut lines = BufReader::new(slow).lines();
    assert!(lines.next().unwrap().unwrap().contains("result"));
    let mut client = daemon.watch();
    let messages = (0..MESSAGES).map(|number| json!({"from": FRIEND, "text": format!("{number}")})).collect();
    let written = daemon.injector().receive_all(messages);
    client.texts(MESSAGES);
    written.join().unwrap();
    let (mut told, mut missed) = (0, 0);
    while told + missed < MESSAGES {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        record(&line);
        match line["method"].as_str().unwrap() {
            "journal" => told += 1,
            "journal.missed" => missed += line["params"]["missed"].as_u64().unwrap() as usize,
            other => panic!("{other}"),
        }
    }
    eprintln!("a journal reader that stood still: told {told}, missed {missed}");
    assert!(missed > 0 && told + missed == MESSAGES);
}

#[test]
fn the_owner_follows_the_journal_on_the_command_line() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "a secret");
    client.texts(1);
    let mut command = daemon.command(&["journal", "--follow"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("delivered") && first.contains(FRIEND) && first.contains("by allowlist to main"), "{first}");
    daemon.receive_from(STRANGER, "let me in");
    let second = lines.next().unwrap().unwrap();
    assert!(second.contains("rejected") && second.contains(STRANGER), "{second}");
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = daemon.run(&["journal", "--verdict", "rejected", "--json"]);
    let entry: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&entry["sender"], &entry["reason"]), (&json!(STRANGER), &json!("nobody_decided")));
}
