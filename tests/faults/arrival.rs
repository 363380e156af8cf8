//! Messages that do not come as they were sent: a sync, a night of sleep, a clock that is put. Announced wrongly is
//! counted as duplicated, not announced as lost.

use imsgd::sim::Incoming;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Counts, rounds};
use crate::harness::{Client, FRIEND, FRIENDS, OTHER_FRIEND, TestDaemon, eventually};

fn minutes_from_now(minutes: i64) -> Timestamp {
    Timestamp::now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

fn dated(text: &str, minutes: i64) -> Incoming {
    Incoming { date: Some(minutes_from_now(minutes)), ..Incoming::new(FRIEND, text) }
}

/// The texts and arrivals of the next messages, up to one that says `last`.
fn up_to(client: &mut Client, last: &str) -> Vec<(String, String)> {
    let mut told = Vec::new();
    loop {
        let message = client.inbound();
        let of = |value: &Value| value.as_str().unwrap().to_owned();
        told.push((of(&message["text"]), of(&message["policy"]["arrival"])));
        if message["text"] == last {
            return told;
        }
    }
}

fn texts(told: &[(String, String)]) -> Vec<String> {
    told.iter().map(|(text, _)| text.clone()).collect()
}

fn arrivals(told: &[(String, String)]) -> Vec<(&str, &str)> {
    told.iter().map(|(text, arrival)| (text.as_str(), arrival.as_str())).collect()
}

#[test]
fn what_a_sync_brings_while_others_write_is_not_announced_and_the_others_are() {
    let (old, live) = (rounds(1000, 5000), rounds(50, 250));
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "before the sync");
    client.texts(1);
    let years_ago = minutes_from_now(-2 * 365 * 24 * 60);
    let synced = |number: usize| {
        let date = years_ago.checked_add(SignedDuration::from_mins(number as i64)).unwrap();
        json!({"from": OTHER_FRIEND, "text": format!("old {number}"), "date": date.to_string()})
    };
    let old_rows = daemon.injector().receive_all((0..old).map(synced).collect());
    let new_rows = daemon.injector().receive_all(
        (0..live).map(|number| json!({"from": FRIEND, "text": format!("new {number}"), "after_ms": 5})).collect(),
    );
    let (old_rows, new_rows) = (old_rows.join().unwrap(), new_rows.join().unwrap());
    assert_eq!((old_rows.len(), new_rows.len()), (old, live));
    daemon.receive_from(FRIEND, "after the sync");
    let told = texts(&up_to(&mut client, "after the sync"));
    let mut written: Vec<String> = (0..live).map(|number| format!("new {number}")).collect();
    written.push("after the sync".to_owned());
    let wrong = told.iter().filter(|text| text.starts_with("old")).count();
    let counts = Counts { duplicated: wrong, ..Counts::new(&written, &told, &[]) };
    counts.print("a sync beside live messages");
    assert_eq!(counts, Counts { delivered: live + 1, ..Counts::default() });
    let query = "SELECT COUNT(*) FROM journal WHERE arrival = 'backfill' AND verdict = 'delivered'";
    let noted: i64 = daemon.state().query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(noted, old as i64);
    let history = client.ok("messages.history", json!({"chat_id": old_rows[0]["chat_id"], "limit": 10}));
    assert_eq!(history["messages"][0]["text"], format!("old {}", old - 1));
}

#[test]
fn what_came_while_the_mac_slept_is_announced_once_in_its_order() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive(&dated("good night", -8 * 60));
    let night: Vec<String> = (0..40).map(|number| format!("night {number}")).collect();
    for (number, text) in night.iter().enumerate() {
        daemon.receive(&dated(text, -7 * 60 + 10 * number as i64));
    }
    daemon.receive_from(FRIEND, "good morning");
    let told = up_to(&mut client, "good morning");
    let mut written = vec!["good night".to_owned()];
    written.extend(night.iter().cloned());
    written.push("good morning".to_owned());
    let counts = Counts::new(&written, &texts(&told), &[]);
    counts.print("a night of sleep");
    assert_eq!((counts.duplicated, counts.lost, texts(&told)), (0, 0, written));
    assert_eq!((told[1].1.as_str(), told.last().unwrap().1.as_str()), ("catch-up", "live"));
}

#[test]
fn a_clock_that_is_put_forward_or_back_loses_nothing() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    // Written by clocks of senders, and of this Mac before it was put: ahead of now, then behind.
    daemon.receive_from(FRIEND, "on time");
    daemon.receive(&dated("an hour ahead", 60));
    daemon.receive(&dated("a year ahead", 365 * 24 * 60));
    daemon.receive_from(FRIEND, "on time again");
    daemon.receive(&dated("ten minutes behind", -10));
    daemon.receive_from(FRIEND, "the end");
    let told = up_to(&mut client, "the end");
    let live = ["on time", "an hour ahead", "a year ahead", "on time again", "ten minutes behind", "the end"];
    assert_eq!(arrivals(&told), live.map(|text| (text, "live")));
    let written = live.map(str::to_owned);
    Counts::new(&written, &texts(&told), &[]).print("a clock that was put");
}

#[test]
fn the_class_of_a_message_stays_over_a_restart_and_a_renumbering() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "now");
    let old = daemon.receive(&dated("two days ago", -2 * 24 * 60));
    daemon.receive_from(FRIEND, "and now");
    client.texts(2);
    daemon.kill();
    crate::database::renumber(&daemon);
    daemon.start_again();
    let moved = old.rowid.0 + 1000;
    let explained = eventually("the journal has followed", || {
        Some(daemon.connect().ok("journal.explain", json!({"rowid": moved})))
            .filter(|answer| answer["state"] == "judged")
    });
    assert_eq!(explained["arrival"], "backfill");
    let mut replayed = daemon.connect();
    replayed.subscribe(json!({"since_rowid": -1}));
    assert_eq!(replayed.texts(2), ["now", "and now"]);
    let mut all = daemon.connect();
    all.subscribe(json!({"since_rowid": -1, "include_backfill": true}));
    assert_eq!(all.texts(3), ["now", "two days ago", "and now"]);
}
