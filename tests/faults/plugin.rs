//! A policy that fails on every third message, and is replaced over and over meanwhile.

use serde_json::json;

use super::{Counts, rounds};
use crate::harness::{FRIEND, FRIENDS, HOSTILE, Home, TestDaemon, eventually, hostile_build};

#[test]
fn what_a_failing_policy_held_is_delivered_once_by_the_one_that_works() {
    let failing = |label: usize| {
        let config = format!("on_filter = 'trap', only_text = 'third', label = 'l{label}'");
        format!("{FRIENDS}{}", Home::hostile(&config))
    };
    let home = Home::new(&failing(0));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let count = rounds(90, 900);
    let text = |number: usize| format!("{} {number}", if number % 3 == 2 { "third" } else { "message" });
    let written: Vec<String> = (0..count).map(text).collect();
    let messages = written.iter().map(|text| json!({"from": FRIEND, "text": text, "after_ms": 20})).collect();
    let writing = daemon.injector().receive_all(messages);
    let mut reloads = 0;
    while !writing.is_finished() {
        reloads += 1;
        if reloads % 2 == 0 {
            daemon.add_plugin("hostile.wasm", &hostile_build((reloads % 200) as u8));
        } else {
            daemon.configure(&failing(reloads));
        }
        daemon.reload();
    }
    writing.join().unwrap();
    let verdicts = |verdict: &str| -> usize {
        let query = "SELECT COUNT(*) FROM journal WHERE verdict = ?1";
        daemon.state().query_row(query, [verdict], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    eventually("all are judged", || (verdicts("delivered") + verdicts("held") == count).then_some(()));
    assert_eq!((verdicts("delivered"), verdicts("held")), (count - count / 3, count / 3));
    let mut told = client.texts(count - count / 3);
    daemon.configure(&format!("{FRIENDS}{}", Home::hostile("")));
    daemon.reload();
    told.extend(client.texts(count / 3));
    // What follows is the next thing that the client hears.
    daemon.receive_from(FRIEND, "the end");
    assert_eq!(client.texts(1), ["the end"]);
    eprintln!("{reloads} reloads");
    let counts = Counts::new(&written, &told, &[]);
    counts.print("a policy that fails on every third message");
    assert_eq!(counts, Counts { delivered: count, ..Counts::default() });
    assert_eq!((verdicts("delivered"), verdicts("held")), (count + 1, 0));
}
