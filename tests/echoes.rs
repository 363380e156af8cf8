//! Own messages that do not look so: rows that are marked late, what comes back from a chat with ourselves, and ghosts.

use imsgd::sim::{Incoming, OWNER};
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, TestDaemon, eventually};

/// Lets everybody in, so that nothing but being ours keeps a row back.
const OPEN: &str = "[policy]\nbundled = ['allowlist']\ndm_policy = 'open'\nallow_from = ['*']\n";

/// Texts up to the one that ends it, each with whether it is ours.
fn told(client: &mut Client, last: &str) -> Vec<(String, bool)> {
    let mut told = Vec::new();
    loop {
        let message = client.message();
        let text = message["text"].as_str().unwrap().to_owned();
        if text == last {
            return told;
        }
        told.push((text, message["is_from_me"].as_bool().unwrap()));
    }
}

fn ours(text: &str) -> (String, bool) {
    (text.to_owned(), true)
}

/// Who has seen the first message of the chat.
fn greeted(daemon: &TestDaemon, chat: &str) -> Client {
    let mut client = daemon.watch();
    daemon.receive(&Incoming { chat: Some(chat.to_owned()), ..Incoming::new(FRIEND, "hi") });
    assert_eq!(client.texts(1), ["hi"]);
    client
}

fn chats() -> [String; 2] {
    ["any", "iMessage"].map(|prefix| format!("{prefix};-;{FRIEND}"))
}

#[test]
fn a_row_that_is_marked_as_ours_after_it_is_written_is_told_as_ours() {
    for chat in chats() {
        let daemon = TestDaemon::new(OPEN);
        let mut client = greeted(&daemon, &chat);
        daemon.osascript(&json!({"mode": "flip", "delay_ms": 600}));
        let answer = daemon.connect().ok("send", json!({"chat_guid": chat, "text": "from the bot"}));
        assert!(answer["id"].is_i64(), "{answer}");
        daemon.receive_from(FRIEND, "fence");
        assert_eq!(told(&mut client, "fence"), [ours("from the bot")], "{chat}");
    }
}

#[test]
fn who_writes_the_same_words_is_heard_all_the_same() {
    let daemon = TestDaemon::new(OPEN);
    let mut client = greeted(&daemon, &chats()[0]);
    daemon.osascript(&json!({"mode": "write-late", "delay_ms": 4000}));
    let mut sender = daemon.connect();
    let sending = sender.ask("send", json!({"to": FRIEND, "text": "ok"}));
    daemon.sent_call(0);
    daemon.receive_from(FRIEND, "ok");
    assert_eq!(sender.answer(sending).unwrap()["ok"], true);
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(told(&mut client, "fence"), [("ok".to_owned(), false), ours("ok")]);
}

/// What the journal says of the twin of the message with this text.
fn verdict_of_twin(daemon: &TestDaemon, text: &str) -> Option<Value> {
    let db = rusqlite::Connection::open(daemon.db()).unwrap();
    let query = "SELECT guid FROM message WHERE is_from_me = 0 AND (text = ?1 OR instr(attributedBody, ?1) > 0)";
    let guid: Option<String> = db.query_row(query, [text], |row| row.get(0)).ok();
    daemon.journal(&guid?)
}

#[test]
fn the_twin_of_a_message_to_ourselves_is_an_echo_in_either_order() {
    let daemon = TestDaemon::new(OPEN);
    let mut client = daemon.watch();
    for (mode, text) in [("ok", "own first"), ("twin-first", "twin first"), ("twin-late", "twin later")] {
        daemon.osascript(&json!({"mode": mode, "delay_ms": 300}));
        daemon.connect().ok("send", json!({"to": OWNER, "text": text}));
        let verdict = eventually("the twin is judged", || verdict_of_twin(&daemon, text));
        assert_eq!(verdict["verdict"], "echo", "{mode}: {verdict}");
    }
    daemon.receive_from(FRIEND, "fence");
    assert_eq!(told(&mut client, "fence"), ["own first", "twin first", "twin later"].map(ours));
}

#[test]
fn an_echo_is_known_after_a_restart_between_the_two_rows() {
    let mut daemon = TestDaemon::new(OPEN);
    let chat = Some(format!("any;-;{OWNER}"));
    let own = Incoming { chat: chat.clone(), from_me: true, text: "note".into(), ..Incoming::default() };
    daemon.watch();
    let own = daemon.receive(&own);
    eventually("it is passed", || (daemon.status()["imsgd"]["head"] == own.rowid.0).then_some(()));
    daemon.kill();
    let twin = daemon.receive(&Incoming { chat, text: "note".into(), ..Incoming::default() });
    daemon.start_again();
    let verdict = eventually("the twin is judged", || daemon.journal(&twin.guid));
    assert_eq!(verdict["verdict"], "echo", "{verdict}");
    assert!(verdict["reason"].as_str().unwrap().contains(&own.guid), "{verdict}");
}

#[test]
fn a_twin_whose_own_row_never_comes_is_an_echo_where_we_wrote_it() {
    let daemon = TestDaemon::new(&format!("send.timeout_seconds = 1\n{OPEN}"));
    daemon.osascript(&json!({"mode": "hang"}));
    daemon.connect().refused("send", json!({"to": OWNER, "text": "note"}));
    let chat = Some(format!("any;-;{OWNER}"));
    let twin = daemon.receive(&Incoming { chat, text: "note".into(), ..Incoming::default() });
    let verdict = eventually("the twin is judged", || daemon.journal(&twin.guid));
    assert_eq!(verdict["verdict"], "echo", "{verdict}");
}

#[test]
fn a_ghost_is_told_to_who_sent_and_to_nobody_else() {
    for chat in chats() {
        let daemon = TestDaemon::new(OPEN);
        let mut client = greeted(&daemon, &chat);
        daemon.osascript(&json!({"mode": "ghost"}));
        let refusal = daemon.connect().refused("send", json!({"chat_guid": chat, "text": "lost"}));
        assert_eq!(refusal.code, -32001, "{refusal:?}");
        assert!(refusal.data["detail"].as_str().unwrap().contains("unjoined empty outgoing row"), "{refusal:?}");
        daemon.receive_from(FRIEND, "fence");
        assert_eq!(told(&mut client, "fence"), [], "{chat}");
    }
}
