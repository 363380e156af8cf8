//! The journal of the real program: what it keeps, for how long, and who hears of it.

use std::fs;

use imsgd::journal::{Entry, used_bytes};
use imsgd::message::{Arrival, ChatId, RowId};
use imsgd::state::{Batch, StateDb};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, Home, STRANGER, TestDaemon, eventually};

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
