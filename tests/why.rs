//! What became of one message, told in words and in JSON: every end that it can come to.

use imsgd::sim::Incoming;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, STRANGER, TestDaemon, eventually};

const GROUP: &str = "any;+;chat100000000000000001";

/// The JSON, and what `imsgd why` prints.
fn why(daemon: &TestDaemon, guid: &str) -> (Value, String) {
    let answer = daemon.connect().ok("journal.explain", json!({"guid": guid}));
    (answer, daemon.run(&["why", guid]).stdout)
}

/// Once it has been judged.
fn why_judged(daemon: &TestDaemon, guid: &str, verdict: &str, words: &[&str]) -> Value {
    eventually("it is judged", || daemon.journal(guid));
    let (answer, told) = why(daemon, guid);
    assert_eq!((&answer["state"], &answer["verdict"]), (&json!("judged"), &json!(verdict)), "{answer}");
    words.iter().for_each(|word| assert!(told.contains(word), "{word}: {told}"));
    answer
}

fn daemon_with(config: &str) -> (TestDaemon, Client) {
    let home = Home::new(config);
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let client = daemon.watch();
    (daemon, client)
}

#[test]
fn why_tells_how_long_each_policy_took() {
    let (daemon, mut client) = daemon_with(&format!("{FRIENDS}{}", Home::hostile("")));
    let delivered = daemon.receive_from(FRIEND, "hello");
    client.message();
    let answer = why_judged(&daemon, &delivered.guid, "delivered", &["It waited ", "hostile ", "allowlist "]);
    let policies: Vec<&str> =
        answer["stages"].as_array().unwrap().iter().map(|s| s["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["hostile", "allowlist"]);
    let sum: i64 = answer["stages"].as_array().unwrap().iter().map(|stage| stage["us"].as_i64().unwrap()).sum();
    assert!(sum > 0 && sum <= answer["judged_us"].as_i64().unwrap(), "{answer}");
}

#[test]
fn why_tells_of_what_filters_drop_and_of_what_they_fail_on() {
    let (daemon, _client) =
        daemon_with(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'drop', only_text = 'bad'")));
    let dropped = daemon.receive_from(FRIEND, "bad");
    why_judged(&daemon, &dropped.guid, "dropped", &["dropped by the policy hostile", ": hostile."]);
    daemon.configure(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap', only_text = 'bad'")));
    daemon.reload();
    let failed = daemon.receive_from(FRIEND, "bad too");
    let release = format!("imsgd held release {}", failed.rowid);
    why_judged(
        &daemon,
        &failed.guid,
        "held",
        &["because the policy hostile", " failed: ", "`imsgd plugin log hostile`", "replaced", &release],
    );
}

#[test]
fn why_tells_who_waits_who_was_refused_and_what_the_owner_said() {
    let (daemon, mut client) = daemon_with(FRIENDS_AND_STRANGERS);
    let held: Vec<_> = ["one", "two"].map(|text| daemon.receive_from(STRANGER, text)).into();
    let release = format!("imsgd held release {}", held[0].rowid);
    why_judged(&daemon, &held[0].guid, "held", &["waits to be let in", "imsgd pairing list", &release]);
    client.ok("held.release", json!({"guid": held[0].guid}));
    why_judged(&daemon, &held[0].guid, "delivered", &["let in this once by the owner"]);
    client.ok("held.drop", json!({"guid": held[1].guid}));
    why_judged(&daemon, &held[1].guid, "dropped", &["dropped by the owner"]);
    daemon.configure(FRIENDS);
    daemon.reload();
    let rejected = daemon.receive_from(STRANGER, "three");
    why_judged(&daemon, &rejected.guid, "rejected", &["no policy had an opinion"]);
}

#[test]
fn why_tells_which_message_an_observed_one_went_out_with() {
    let rules = "[policy]\nbundled = ['group']\nmention_patterns = ['@bot']\n\
        [policy.groups.'any;+;chat100000000000000001']\nrequire_mention = true\n";
    let (daemon, mut client) = daemon_with(rules);
    let observed = daemon.receive_in(GROUP, FRIEND, "lunch?");
    why_judged(&daemon, &observed.guid, "observed", &["Kept as context", "none that carried it"]);
    let carrier = daemon.receive_in(GROUP, FRIEND, "@bot where?");
    client.message();
    let words = format!("as context of message {}", carrier.rowid);
    let answer = why_judged(&daemon, &observed.guid, "observed", &[&words]);
    assert_eq!(answer["carried_by"], carrier.rowid.0);
}

#[test]
fn why_tells_of_what_is_no_message_of_its_own_and_of_what_came_late() {
    let (daemon, mut client) = daemon_with(FRIENDS);
    let friend = daemon.receive_from(FRIEND, "now");
    let hours_ago = Timestamp::now().checked_sub(SignedDuration::from_hours(48)).unwrap();
    let old = daemon.receive(&Incoming { date: Some(hours_ago), ..Incoming::new(FRIEND, "two days ago") });
    let answer = why_judged(&daemon, &old.guid, "delivered", &["a sync or a restore wrote"]);
    assert_eq!(answer["arrival"], "backfill");
    let like = daemon.receive(&Incoming {
        tapback: Some("like".parse().unwrap()),
        target: Some(friend.guid),
        ..Incoming::new(FRIEND, "now")
    });
    let own = daemon.receive(&Incoming { from_me: true, ..Incoming::new(FRIEND, "mine") });
    let nowhere = daemon.receive(&Incoming { no_join: true, ..Incoming::new(FRIEND, "nowhere") });
    why_judged(&daemon, &nowhere.guid, "unjoined", &["never put it into a chat"]);
    client.texts(1);
    for (guid, state, words) in
        [(like.guid, "reaction", "This is a reaction"), (own.guid, "own", "You wrote this yourself")]
    {
        let (answer, told) = why(&daemon, &guid);
        assert_eq!((&answer["state"], answer.get("verdict")), (&json!(state), None));
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn why_tells_what_was_never_judged_what_was_forgotten_and_what_is_gone() {
    let home = Home::new(FRIENDS);
    let before = home.receive_from(FRIEND, "long ago");
    let mut daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let (forgotten, deleted) = (daemon.receive_from(FRIEND, "one"), daemon.receive_from(FRIEND, "two"));
    client.texts(2);
    daemon.kill();
    daemon.state().execute("UPDATE journal SET seen_at = 0 WHERE guid = ?1", [&forgotten.guid]).unwrap();
    crate::harness::SmallDb::open(&daemon.db()).run(&format!(
        "DELETE FROM chat_message_join WHERE message_id = {0}; DELETE FROM message WHERE ROWID = {0}",
        deleted.rowid
    ));
    daemon.start_again();
    eventually("it is forgotten", || daemon.journal(&forgotten.guid).is_none().then_some(()));
    let (answer, told) = why(&daemon, &before.guid);
    assert_eq!((&answer["state"], &answer["found"]), (&json!("before_imsgd"), &json!(true)));
    assert!(told.contains("before imsgd began to judge"), "{told}");
    let (answer, told) = why(&daemon, &forgotten.guid);
    assert_eq!(answer["state"], "forgotten");
    assert!(told.contains("journal.keep_days"), "{told}");
    let by_row = daemon.connect().ok("journal.explain", json!({"rowid": deleted.rowid.0}));
    assert_eq!((&by_row["guid"], &by_row["verdict"]), (&json!(deleted.guid), &json!("delivered")));
    assert!(daemon.run(&["why", &deleted.guid]).stdout.contains("not in the Messages database any more"));
    let (answer, _) = why(&daemon, "no-such-guid");
    assert_eq!((&answer["state"], &answer["found"]), (&json!("unknown"), &json!(false)));
}

#[test]
fn why_tells_what_a_message_waits_for_that_has_not_been_judged() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    // It is given up after two seconds, which a busy machine may need for the question.
    eventually("it is asked in time", || {
        let nowhere = daemon.receive(&Incoming { no_join: true, ..Incoming::new(FRIEND, "nowhere") });
        let answer = client.ok("journal.explain", json!({"guid": nowhere.guid}));
        let is_waiting = answer["state"] == "not_yet";
        is_waiting.then(|| assert!(answer["story"][0].as_str().unwrap().contains("into a chat yet"), "{answer}"))
    });
}
