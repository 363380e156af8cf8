//! Who is late: Messages, imsgd or a subscriber.

use imsgd::sim::Incoming;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, TestDaemon, eventually};

fn lag(daemon: &TestDaemon) -> Value {
    daemon.status()["imsgd"]["lag"].clone()
}

#[test]
fn the_lag_of_messages_of_imsgd_and_of_subscribers_is_told_apart() {
    let daemon = TestDaemon::new(FRIENDS);
    let nothing = json!({"last_us": null, "largest_us": null});
    let before = lag(&daemon);
    for kind in ["messages", "imsgd", "subscribers"] {
        assert_eq!(before[kind], nothing, "{before}");
    }
    let mut client = daemon.watch();
    let minutes_ago = Timestamp::now().checked_sub(SignedDuration::from_secs(300)).unwrap();
    daemon.receive(&Incoming { date: Some(minutes_ago), ..Incoming::new(FRIEND, "written late") });
    client.message();
    let told = eventually("it is measured", || Some(lag(&daemon)).filter(|lag| lag["subscribers"]["last_us"].is_u64()));
    let largest = |kind: &str| told[kind]["largest_us"].as_u64().unwrap();
    assert!(largest("messages") >= 300_000_000 && largest("imsgd") < 300_000_000, "{told}");
    assert!(largest("subscribers") < 300_000_000, "{told}");
    assert_eq!((&told["rows_behind"], &told["late"]), (&json!(0), &json!("nobody")), "{told}");
    assert!(told["sentence"].as_str().unwrap().contains("judged all that Messages has written"), "{told}");
    let status = daemon.run(&["status"]).stdout;
    assert!(
        status.contains("Messages 5 minutes (at most 5 minutes), imsgd ") && status.contains("judged all"),
        "{status}"
    );
}

#[test]
fn what_imsgd_is_stalled_by_is_not_laid_upon_messages() {
    // A chain that cannot keep its verdicts stands still: state.db is locked by somebody else.
    let daemon = TestDaemon::new(FRIENDS);
    let lock = daemon.state();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.receive_from(FRIEND, "it waits");
    let told = eventually("imsgd says that it is late", || Some(lag(&daemon)).filter(|lag| lag["late"] == "imsgd"));
    assert_eq!(told["rows_behind"], 1);
    assert!(told["sentence"].as_str().unwrap().contains("imsgd is stalled: 1 rows"), "{told}");
    drop(lock);
    eventually("it goes on", || (lag(&daemon)["late"] == "nobody").then_some(()));
}
