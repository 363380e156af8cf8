//! Held messages, and their owner's word on them.

use serde_json::{Value, json};

use crate::harness::{
    Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, OTHER_FRIEND, STRANGER, TestDaemon, eventually,
};

/// A daemon that holds two messages of a stranger, and a client that has seen the answer to the first.
fn with_stranger(more: &str) -> (TestDaemon, Client, Vec<String>) {
    let home = Home::new(&format!("{FRIENDS_AND_STRANGERS}{more}"));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let guids = ["let me in", "bad news"].map(|text| daemon.receive_from(STRANGER, text).guid).to_vec();
    assert_eq!(client.message()["is_from_me"], true);
    eventually("both are held", || (daemon.status()["imsgd"]["held"] == 2).then_some(()));
    (daemon, client, guids)
}

/// What a daemon holds whose policy fails on `bad`.
fn with_failing_policy() -> (TestDaemon, Client, String) {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile("on_filter = 'trap', only_text = 'bad'")));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    let guid = daemon.receive_from(FRIEND, "bad").guid;
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    (daemon, client, guid)
}

#[test]
fn what_is_held_is_listed_with_its_cause_and_shown_with_its_text_only_when_asked() {
    let (daemon, mut client, guids) = with_stranger("");
    let listed = client.ok("held.list", json!({}));
    assert_eq!((&listed["total"], &listed["next"]), (&json!(2), &json!(null)));
    let first = &listed["held"][0];
    assert_eq!(
        (&first["guid"], &first["sender"], &first["cause"]),
        (&json!(guids[0]), &json!(STRANGER), &json!("stranger"))
    );
    assert_eq!((&first["policy"]["name"], &first["reason"]), (&json!("pairing"), &json!("introduction")));
    assert!(!listed.to_string().contains("let me in"), "{listed}");
    let page = client.ok("held.list", json!({"limit": 1}));
    assert_eq!(page["next"], json!(guids[0]));
    let rest = client.ok("held.list", json!({"after": guids[0]}));
    assert_eq!((&rest["held"][0]["guid"], rest["held"].as_array().unwrap().len()), (&json!(guids[1]), 1));
    let shown = client.ok("held.show", json!({"guid": guids[0]}));
    assert_eq!((&shown["message"]["text"], &shown["held"]["guid"]), (&json!("let me in"), &json!(guids[0])));
    let by_row = client.ok("held.show", json!({"rowid": shown["held"]["id"]}));
    assert_eq!(by_row, shown);
    drop(daemon);
}

#[test]
fn a_stranger_is_let_in_once_by_the_owners_word_without_a_code() {
    let (daemon, mut client, guids) = with_stranger("");
    let answer = client.ok("held.release", json!({"sender": "(415) 555-0199"}));
    assert_eq!((&answer["verdicts"], &answer["missing"]), (&json!({"delivered": 2}), &json!(0)));
    for text in ["let me in", "bad news"] {
        let message = client.inbound();
        assert_eq!((&message["text"], &message["policy"]["held"]), (&json!(text), &json!(true)));
        assert_eq!((&message["policy"]["decided_by"], &message["policy"]["route"]), (&json!("owner"), &json!("main")));
    }
    assert_eq!(daemon.journal(&guids[0]).unwrap()["decided_by"], "owner");
    // Next time they wait again, and the code that they have is still good.
    let again = daemon.receive_from(STRANGER, "me again");
    let entry = eventually("it is judged", || daemon.journal(&again.guid));
    assert_eq!((&entry["verdict"], &entry["reason"]), (&json!("held"), &json!("introduction_waiting")));
    assert_eq!(daemon.sent().len(), 1, "no second code");
}

#[test]
fn a_release_of_somebody_whose_code_has_run_out_makes_no_new_one() {
    let (daemon, mut client, _) = with_stranger("ttl = 1\n");
    eventually("the code runs out", || {
        (client.ok("pairing.list", json!({})) == json!({"pending": [], "paired": []})).then_some(())
    });
    let answered = daemon.sent().len();
    assert_eq!(client.ok("held.release", json!({"all": true}))["verdicts"], json!({"delivered": 2}));
    assert_eq!(client.texts(2), ["let me in", "bad news"]);
    assert_eq!(client.ok("pairing.list", json!({})), json!({"pending": [], "paired": []}));
    assert_eq!(daemon.sent().len(), answered);
}

#[test]
fn a_release_does_not_get_past_a_policy_that_refuses_the_sender() {
    let (daemon, mut client, guids) = with_stranger("");
    let code = client.ok("pairing.list", json!({}))["pending"][0]["code"].clone();
    client.ok("pairing.deny", json!({"code": code}));
    let answer = client.ok("held.release", json!({"guid": guids[0]}));
    assert_eq!(
        (&answer["verdicts"], &answer["messages"][0]["decided_by"]["name"]),
        (&json!({"rejected": 1}), &json!("pairing"))
    );
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
}

#[test]
fn what_the_owner_releases_still_passes_the_filters() {
    let (daemon, mut client, guids) = with_stranger(&Home::hostile("on_filter = 'drop', only_text = 'bad'"));
    let answer = client.ok("held.release", json!({"all": true}));
    assert_eq!(answer["verdicts"], json!({"delivered": 1, "dropped": 1}));
    assert_eq!(answer["messages"][1]["decided_by"]["name"], "hostile");
    assert_eq!(client.texts(1), ["let me in"]);
    assert_eq!(daemon.journal(&guids[1]).unwrap()["verdict"], "dropped");
}

#[test]
fn what_a_policy_still_fails_on_stays_held_and_the_answer_says_so() {
    let (daemon, mut client, guid) = with_failing_policy();
    let listed = client.ok("held.list", json!({}))["held"][0].clone();
    assert_eq!((&listed["cause"], &listed["policy"]["name"]), (&json!("policy_failed"), &json!("hostile")));
    let answer = client.ok("held.release", json!({"guid": guid}));
    assert_eq!(answer["verdicts"], json!({"held": 1}));
    assert!(answer["messages"][0]["reason"].as_str().unwrap().ends_with(": told to trap"), "{answer}");
    let told = daemon.run(&["held", "release", &guid]);
    assert!(told.stdout.contains("still held, by the policy hostile"), "{}", told.stdout);
    daemon.configure(&format!("{FRIENDS}{}", Home::hostile("")));
    daemon.reload();
    assert_eq!(client.texts(1), ["bad"], "the repaired policy released it");
}

#[test]
fn what_the_owner_drops_is_never_delivered() {
    let (mut daemon, mut client, guids) = with_stranger("");
    let code = client.ok("pairing.list", json!({}))["pending"][0]["code"].clone();
    assert_eq!(client.ok("held.drop", json!({"guid": guids[0]}))["verdicts"], json!({"dropped": 1}));
    let entry = daemon.journal(&guids[0]).unwrap();
    assert_eq!((&entry["verdict"], &entry["decided_by"]), (&json!("dropped"), &json!("owner")));
    let refusal = client.refused("held.release", json!({"guid": guids[0]}));
    assert!(refusal.data.as_str().unwrap().contains("is not held: it was dropped"), "{refusal:?}");
    assert_eq!(client.ok("pairing.approve", json!({"code": code}))["released"], 1);
    assert_eq!(client.texts(1), ["bad news"]);
    daemon.kill();
    daemon.start_again();
    let mut late = daemon.connect();
    late.subscribe(json!({"since_rowid": -1}));
    assert_eq!(late.texts(1), ["bad news"]);
}

#[test]
fn a_held_message_that_messages_deleted_stays_held_and_is_counted() {
    let (daemon, mut client, guids) = with_stranger("");
    let row = client.ok("held.show", json!({"guid": guids[0]}))["held"]["id"].as_i64().unwrap();
    crate::harness::SmallDb::open(&daemon.db()).run(&format!(
        "DELETE FROM chat_message_join WHERE message_id = {row}; DELETE FROM message WHERE ROWID = {row}"
    ));
    let answer = client.ok("held.release", json!({"all": true}));
    assert_eq!((&answer["verdicts"], &answer["missing"]), (&json!({"delivered": 1}), &json!(1)));
    assert_eq!(client.texts(1), ["bad news"]);
    assert_eq!(client.ok("held.show", json!({"guid": guids[0]})).get("message"), None);
    assert_eq!(client.ok("held.drop", json!({"all": true}))["verdicts"], json!({"dropped": 1}));
}

#[test]
fn several_hundred_held_messages_are_released_in_order() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    let texts: Vec<String> = (0..250).map(|number| format!("number {number}")).collect();
    let mut injector = daemon.injector();
    for text in &texts {
        injector.receive(&json!({"from": STRANGER, "text": text}));
    }
    eventually("all are held", || (daemon.status()["imsgd"]["held"] == 250).then_some(()));
    let answer = client.ok("held.release", json!({"sender": STRANGER}));
    assert_eq!((&answer["verdicts"], answer["messages"].as_array().unwrap().len()), (&json!({"delivered": 250}), 100));
    assert_eq!(client.texts(250), texts);
}

#[test]
fn exactly_one_choice_is_taken() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let nothing: Value = json!({"ok": true, "verdicts": {}, "missing": 0, "messages": []});
    assert_eq!(client.ok("held.release", json!({"all": true})), nothing);
    assert_eq!(client.ok("held.drop", json!({"sender": OTHER_FRIEND})), nothing);
    for params in [json!({}), json!({"all": false}), json!({"all": true, "rowid": 1}), json!({"guid": "x", "rowid": 1})]
    {
        let refusal = client.refused("held.release", params);
        assert_eq!(refusal.data, "exactly one of guid, rowid, sender or all is required");
    }
    for (method, params) in [("held.show", json!({"rowid": 1})), ("held.drop", json!({"guid": "x"}))] {
        let refusal = client.refused(method, params);
        assert!(refusal.data.as_str().unwrap().contains("is held; `held.list`"), "{refusal:?}");
    }
}

#[test]
fn the_owner_looks_and_decides_on_the_command_line() {
    let (daemon, mut client, guids) = with_stranger("");
    let listed = daemon.run(&["held", "list"]);
    assert!(listed.stdout.contains(STRANGER) && listed.stdout.contains("waits to be let in"), "{}", listed.stdout);
    assert!(!listed.stdout.contains("let me in"), "{}", listed.stdout);
    let shown = daemon.run(&["held", "show", &guids[0]]);
    assert!(shown.stdout.contains("let me in"), "{}", shown.stdout);
    let dropped = daemon.run(&["held", "drop", &guids[1]]);
    assert!(dropped.stdout.ends_with("1 dropped\n"), "{}", dropped.stdout);
    let released = daemon.run(&["held", "release", "--all"]);
    assert!(released.stdout.ends_with("1 delivered\n"), "{}", released.stdout);
    assert_eq!(client.texts(1), ["let me in"]);
    assert_eq!(daemon.run(&["held", "list"]).stdout, "nothing is held\n");
    assert_eq!(daemon.run(&["held", "release"]).status.code(), Some(1));
}
