//! The outbox: what is known of a send later, after a restart too; turns, limits, and the owner's switch.

use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS_AND_STRANGERS, Home, OTHER_FRIEND, STRANGER, TestDaemon, eventually};

/// Without the chunking policy, which most of this does not need.
const QUICK: &str = "send.timeout_seconds = 1\n[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101']\n";

fn keyed(key: &str) -> Value {
    json!({"to": FRIEND, "text": format!("text of {key}"), "idempotency_key": key})
}

fn states(daemon: &Home) -> Vec<(String, i64)> {
    let state = daemon.state();
    let mut query = state.prepare("SELECT state, COUNT(*) FROM outbox GROUP BY state ORDER BY state").unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Kills the processes that a hanging osascript left, which would else go on for minutes.
fn end(call: &Value) {
    for pid in ["pid", "child_pid"] {
        let pid = call[pid].as_i64().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Waits until osascript has read how to behave, which it was told for one call.
fn wait_until_taken(daemon: &Home) {
    let is_taken = || std::fs::read_to_string(daemon.path("behavior.json")).unwrap().contains("\"times\":0");
    eventually("osascript has begun", || is_taken().then_some(()));
}

/// Asks for a send that osascript does not answer, and kills imsgd meanwhile.
fn interrupted(daemon: &mut TestDaemon, params: Value) {
    let calls = daemon.sent().len();
    daemon.osascript(&json!({"mode": "hang"}));
    daemon.connect().ask("send", params);
    let call = daemon.sent_call(calls);
    daemon.kill();
    end(&call);
    daemon.osascript(&json!({}));
}

fn own_row(daemon: &Home, text: &str) -> i64 {
    let own = imsgd::sim::Incoming { from_me: true, ..imsgd::sim::Incoming::new(FRIEND, text) };
    daemon.receive(&own).rowid.0
}

#[test]
fn a_send_that_was_interrupted_is_found_at_the_next_start_where_it_left() {
    let mut daemon = TestDaemon::new(QUICK);
    interrupted(&mut daemon, keyed("k1"));
    let row = own_row(&daemon, "text of k1");
    daemon.start_again();
    assert_eq!(daemon.outbox_state().as_deref(), Some("seen"));
    let answer = daemon.connect().ok("send", keyed("k1"));
    assert_eq!((&answer["ok"], &answer["id"], &answer["parts"][0]["id"]), (&json!(true), &json!(row), &json!(row)));
    assert_eq!((&answer["service"], &answer["chat_guid"]), (&json!("iMessage"), &json!(format!("any;-;{FRIEND}"))));
    assert_eq!(daemon.sent().len(), 1, "never sent twice");
}

#[test]
fn a_send_whose_row_comes_after_the_restart_is_found_when_it_is_asked_for_again() {
    let mut daemon = TestDaemon::new(QUICK);
    interrupted(&mut daemon, keyed("k1"));
    daemon.start_again();
    let mut client = daemon.connect();
    let refusal = client.refused("send", keyed("k1"));
    assert_eq!((refusal.code, daemon.outbox_state().as_deref()), (-32001, Some("unconfirmed")), "{refusal:?}");
    let row = own_row(&daemon, "text of k1");
    assert_eq!(client.ok("send", keyed("k1"))["id"], row);
    assert_eq!(daemon.outbox_state().as_deref(), Some("seen"));
    assert_eq!(client.ok("send", keyed("k1"))["id"], row);
    assert_eq!(daemon.sent().len(), 1, "never sent twice");
}

#[test]
fn rows_that_are_not_its_own_do_not_confirm_a_send() {
    let mut daemon = TestDaemon::new(QUICK);
    own_row(&daemon, "text of k1");
    interrupted(&mut daemon, keyed("k1"));
    daemon.start_again();
    let mut client = daemon.connect();
    // Another chat, another sender, another date, and a row that is another send's.
    let others = imsgd::sim::Incoming { from_me: true, ..imsgd::sim::Incoming::new(OTHER_FRIEND, "text of k1") };
    daemon.receive(&others);
    daemon.receive_from(FRIEND, "text of k1");
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    daemon.receive(&imsgd::sim::Incoming {
        from_me: true,
        date: Some(later),
        ..imsgd::sim::Incoming::new(FRIEND, "text of k1")
    });
    client.ok("send", json!({"to": FRIEND, "text": "text of k1", "idempotency_key": "k2"}));
    assert_eq!(client.refused("send", keyed("k1")).code, -32001);
    assert_eq!(states(&daemon), [("seen".to_owned(), 1), ("unconfirmed".to_owned(), 1)]);
}

#[test]
fn of_several_pieces_some_are_not_enough() {
    let mut daemon = TestDaemon::new("[policy]\nbundled = ['chunking']\ntext_chunk_limit = 10\n");
    let params = json!({"to": FRIEND, "text": "one two three four five six", "idempotency_key": "k"});
    // The second of three hangs.
    daemon.osascript(&json!({"mode": "ok", "delay_ms": 1000, "times": 1}));
    daemon.connect().ask("send", params.clone());
    wait_until_taken(&daemon);
    daemon.osascript(&json!({"mode": "hang"}));
    let call = daemon.sent_call(1);
    daemon.kill();
    end(&call);
    daemon.osascript(&json!({}));
    daemon.start_again();
    let refusal = daemon.connect().refused("send", params.clone());
    assert_eq!(refusal.code, -32001, "{refusal:?}");
    assert!(refusal.data["detail"].as_str().unwrap().contains("1 of 3 parts"), "{refusal:?}");
    // The second piece arrives; the third was never handed over.
    own_row(&daemon, call["text"].as_str().unwrap());
    let refusal = daemon.connect().refused("send", params);
    assert_eq!((refusal.code, daemon.sent().len()), (-32001, 2), "{refusal:?}");
}

#[test]
fn a_restart_leaves_what_is_known_and_fails_what_only_waited() {
    let mut daemon = TestDaemon::new(QUICK);
    let mut client = daemon.connect();
    let seen = client.ok("send", keyed("seen"));
    daemon.osascript(&json!({"mode": "fail-before"}));
    let failed = json!({"to": FRIEND, "text": "x", "idempotency_key": "failed", "allow_sms_fallback": false});
    assert_eq!(client.refused("send", failed.clone()).code, -32603);
    daemon.osascript(&json!({"mode": "exit"}));
    assert_eq!(client.refused("send", keyed("unconfirmed")).code, -32001);
    daemon.osascript(&json!({"mode": "hang"}));
    client.ask("send", keyed("handed"));
    let call = daemon.sent_call(3);
    daemon.connect().ask("send", keyed("queued"));
    eventually("it waits", || states(&daemon).contains(&("queued".to_owned(), 1)).then_some(()));
    daemon.kill();
    end(&call);
    daemon.osascript(&json!({}));
    daemon.start_again();
    let expected = [("failed", 2), ("seen", 1), ("unconfirmed", 2)].map(|(state, count)| (state.to_owned(), count));
    assert_eq!(states(&daemon), expected);
    let mut client = daemon.connect();
    assert_eq!(client.ok("send", keyed("seen")), seen);
    for key in ["unconfirmed", "handed"] {
        assert_eq!(client.refused("send", keyed(key)).code, -32001);
    }
    assert_eq!(daemon.sent().len(), 4, "nothing was tried again by itself");
    for params in [failed, keyed("queued")] {
        assert_eq!(client.ok("send", params)["ok"], true);
    }
}

#[test]
fn a_request_that_is_repeated_while_it_is_under_way_gets_the_same_answer() {
    let daemon = TestDaemon::new(QUICK);
    daemon.osascript(&json!({"mode": "ok", "delay_ms": 500}));
    let mut clients: Vec<Client> = (0..3).map(|_| daemon.connect()).collect();
    let asked: Vec<i64> = clients.iter_mut().map(|client| client.ask("send", keyed("k"))).collect();
    let answers: Vec<Value> = clients.iter_mut().zip(asked).map(|(client, id)| client.answer(id).unwrap()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn while_the_owner_pauses_nothing_leaves_and_it_is_said_why() {
    let mut daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    daemon.osascript(&json!({"mode": "ok", "delay_ms": 3000, "times": 1}));
    let mut running = daemon.connect();
    let first = running.ask("send", json!({"to": FRIEND, "text": "on its way"}));
    wait_until_taken(&daemon);
    let mut behind = daemon.connect();
    let second = behind.ask("send", json!({"to": FRIEND, "text": "behind it"}));
    eventually("it waits", || states(&daemon).contains(&("queued".to_owned(), 1)).then_some(()));
    let paused = daemon.run(&["outbox", "pause", "--reason", "the bot went mad"]);
    assert!(paused.status.success() && paused.stdout.contains("outbox resume"), "{paused:?}");
    let refusal = behind.answer(second).unwrap_err();
    assert_eq!((refusal.code, &refusal.data["disposition"]), (-32603, &json!("not_started")), "{refusal:?}");
    assert_eq!(running.answer(first).unwrap()["ok"], true, "what was on its way arrives");
    daemon.kill();
    daemon.start_again();
    daemon.receive_from(STRANGER, "who are you");
    let mut client = daemon.connect();
    for (method, params) in
        [("send", json!({"to": FRIEND, "text": "no"})), ("react", json!({"chat_id": chat, "reaction": "like"}))]
    {
        let refusal = client.refused(method, params);
        assert_eq!((refusal.code, &refusal.data["retry_safe"]), (-32603, &json!(true)), "{refusal:?}");
        let said = refusal.data["detail"].as_str().unwrap();
        assert!(said.contains("the bot went mad") && said.contains("imsgd outbox resume"), "{said}");
    }
    assert_eq!(client.ok("status", json!({}))["imsgd"]["sending_paused"]["reason"], "the bot went mad");
    assert!(daemon.run(&["status"]).stdout.contains("paused"));
    let waits = || states(&daemon).contains(&("queued".to_owned(), 1));
    eventually("the answer to the stranger is written down", || waits().then_some(()));
    assert_eq!(daemon.sent().len(), 1);
    assert_eq!(client.ok("outbox.resume", json!({})), json!({"ok": true, "was_paused": true}));
    eventually("the stranger is answered", || (daemon.sent().len() == 2).then_some(()));
    assert_eq!(client.ok("send", json!({"to": FRIEND, "text": "yes"}))["ok"], true);
    assert!(client.ok("status", json!({}))["imsgd"].get("sending_paused").is_none());
}

#[test]
fn sending_can_be_paused_without_a_daemon_and_without_a_database() {
    let home = Home::without_database(QUICK);
    let paused = home.run(&["outbox", "pause", "--json"]);
    assert!(paused.status.success() && paused.stdout.contains("\"since\""), "{paused:?}");
    let refused = home.run(&["send", "--to", FRIEND, "--text", "x"]);
    assert!(!refused.status.success() && refused.stderr.contains("the owner paused sending"), "{refused:?}");
    assert!(home.run(&["outbox", "list"]).stdout.starts_with("sending is paused since"));
    assert!(home.run(&["outbox", "resume"]).stdout.contains("leave again"));
    assert!(home.run(&["outbox", "resume"]).stdout.contains("was not paused"));
    assert!(home.sent().is_empty());
}

#[test]
fn the_outbox_is_listed_without_the_texts() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.connect();
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let sent = client.ok("send", json!({"to": FRIEND, "text": "the secret"}));
    let reacted = client.ok("react", json!({"chat_id": chat, "reaction": "like"}));
    daemon.receive_from(STRANGER, "who are you");
    eventually("the stranger is answered", || (daemon.sent().len() == 3).then_some(()));
    daemon.osascript(&json!({"mode": "exit"}));
    client.refused("send", json!({"to": OTHER_FRIEND, "text": "the secret"}));
    let listed = client.ok("outbox.list", json!({}));
    assert!(listed["sends"].is_array() && !listed.to_string().contains("secret"), "{listed}");
    let of = |key: &str| listed["sends"].as_array().unwrap().iter().map(|send| send[key].clone()).collect::<Vec<_>>();
    assert_eq!(listed["sends"].as_array().unwrap().len(), 4, "{listed} {:?}", states(&daemon));
    assert_eq!(of("kind"), ["send", "answer", "reaction", "send"]);
    assert_eq!(of("target")[0], OTHER_FRIEND);
    assert_eq!(of("target")[1], format!("any;-;{STRANGER}"));
    assert_eq!(of("message_ids")[2..], [json!([reacted["id"]]), json!([sent["id"]])]);
    assert!(of("error")[0].as_str().unwrap().contains("-609"), "{listed}");
    let next = client.ok("outbox.list", json!({"limit": 1, "before": of("id")[0]}));
    assert_eq!(next["sends"], json!([listed["sends"][1]]));
    let printed = daemon.run(&["outbox", "list", "--state", "unconfirmed"]);
    assert_eq!(printed.stdout.lines().filter(|line| line.contains("unconfirmed")).count(), 1, "{printed:?}");
    let lines = daemon.run(&["outbox", "list", "--limit", "2", "--json"]);
    assert_eq!(lines.stdout.lines().count(), 2, "{lines:?}");
    assert!(lines.stdout.starts_with("{\"id\":4,"), "{lines:?}");
}

#[test]
fn a_chat_over_its_pace_waits_its_turn_and_holds_up_no_other() {
    let daemon = TestDaemon::new(&format!("send.per_chat_per_minute = 2\n{QUICK}"));
    let mut client = daemon.connect();
    for text in ["one", "two"] {
        client.ok("send", json!({"to": FRIEND, "text": text}));
    }
    let mut waiting = daemon.connect();
    waiting.ask("send", json!({"chat_guid": format!("any;-;{FRIEND}"), "text": "three"}));
    eventually("it is written down", || states(&daemon).contains(&("queued".to_owned(), 1)).then_some(()));
    client.ok("send", json!({"to": OTHER_FRIEND, "text": "at once"}));
    assert_eq!(daemon.sent().len(), 3);
    daemon.configure(QUICK);
    daemon.reload();
    // What it waited for is asked again with the next event.
    client.ok("send", json!({"to": OTHER_FRIEND, "text": "another"}));
    assert_eq!(waiting.line().unwrap()["result"]["ok"], true);
}

#[test]
fn a_restart_is_no_way_around_the_pace() {
    let mut daemon = TestDaemon::new(&format!("send.per_minute = 2\n{QUICK}"));
    let mut client = daemon.connect();
    for to in [FRIEND, OTHER_FRIEND] {
        client.ok("send", json!({"to": to, "text": "one"}));
    }
    daemon.kill();
    daemon.start_again();
    daemon.connect().ask("send", keyed("k"));
    eventually("it waits", || states(&daemon).contains(&("queued".to_owned(), 1)).then_some(()));
    assert_eq!(daemon.sent().len(), 2);
    daemon.ask_to_stop();
    daemon.wait();
    assert!(!states(&daemon).iter().any(|(state, _)| state == "queued"), "it is refused at the end");
}

#[test]
fn more_than_may_wait_is_refused_as_busy() {
    let daemon = TestDaemon::new(&format!("send.per_minute = 1\n{QUICK}"));
    daemon.connect().ok("send", json!({"to": FRIEND, "text": "one"}));
    // Each connection has one send under way.
    let mut clients: Vec<Client> = (0..128).map(|_| daemon.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.ask("send", json!({"to": FRIEND, "text": format!("waits {number}")}));
    }
    eventually("all of them wait", || states(&daemon).contains(&("queued".to_owned(), 128)).then_some(()));
    let refusal = daemon.connect().refused("send", json!({"to": FRIEND, "text": "one more"}));
    assert_eq!(refusal.code, -32000, "{refusal:?}");
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn only_whom_the_configuration_allows_is_written_to() {
    let daemon = TestDaemon::new(&format!("send.allow_to = ['+14155550101', 'chat_id:999']\n{FRIENDS_AND_STRANGERS}"));
    let mut client = daemon.connect();
    let group = daemon.receive_in("any;+;chat100000000000000001", FRIEND, "hi").chat_id.unwrap().0;
    client.ok("send", json!({"to": FRIEND, "text": "yes"}));
    for (method, params) in [
        ("send", json!({"to": OTHER_FRIEND, "text": "no"})),
        ("send", json!({"chat_id": group, "text": "no"})),
        ("react", json!({"chat_id": group, "reaction": "like"})),
    ] {
        let refusal = client.refused(method, params);
        assert_eq!((refusal.code, &refusal.data["disposition"]), (-32603, &json!("not_started")), "{refusal:?}");
        assert!(refusal.data["detail"].as_str().unwrap().contains("send.allow_to"), "{refusal:?}");
    }
    daemon.receive_from(STRANGER, "who are you");
    eventually("the answer is refused", || states(&daemon).contains(&("failed".to_owned(), 1)).then_some(()));
    assert_eq!(daemon.sent().len(), 1);
}

#[test]
fn where_only_known_chats_are_allowed_somebody_else_has_to_write_first() {
    let daemon = TestDaemon::new(&format!("send.allow_to = 'known'\n{QUICK}"));
    let mut client = daemon.connect();
    own_row(&daemon, "typed by hand");
    let refusal = client.refused("send", json!({"to": FRIEND, "text": "no"}));
    assert!(refusal.data["detail"].as_str().unwrap().contains("send.allow_to is \"known\""), "{refusal:?}");
    daemon.receive_from(FRIEND, "hi");
    for to in [FRIEND, "sms:+14155550101"] {
        assert_eq!(client.ok("send", json!({"to": to, "text": "yes"}))["ok"], true);
    }
    let config = daemon.run(&["config", "check"]);
    assert!(config.status.success(), "{config:?}");
    daemon.configure("send.allow_to = ['nobody']\n");
    let config = daemon.run(&["config", "check"]);
    assert!(!config.status.success() && config.stderr.contains("send.allow_to"), "{config:?}");
}
