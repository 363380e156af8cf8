//! `imsgd chat-background`, by a daemon and without one.

use plist::{Dictionary, Value as Property};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, TestDaemon};

fn properties(channel: &str) -> Vec<u8> {
    let inner = [("trabaid", Property::from(channel)), ("trabar", Property::from("https://example.com/a"))];
    let inner = inner.into_iter().chain([("trabafs", Property::from(9))]);
    let inner: Dictionary = inner.map(|(key, value)| (key.to_owned(), value)).collect();
    let outer = Dictionary::from_iter([("backgroundProperties".to_owned(), Property::Dictionary(inner))]);
    let mut bytes = Vec::new();
    Property::Dictionary(outer).to_writer_binary(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_background_is_told_with_its_files_and_its_last_event() {
    let home = Home::new(FRIENDS);
    let without = home.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let chat = home.receive_in("any;+;chat7", FRIEND, "hi").chat_id.unwrap().0;
    let event = home.receive_in("any;+;chat7", FRIEND, "");
    // Stays open, as that of Messages does: the last one to be closed takes the -wal file away.
    let writer = Connection::open(home.db()).unwrap();
    writer.execute("UPDATE chat SET properties = ?1 WHERE ROWID = ?2", (properties("CHANNEL"), chat)).unwrap();
    let set = "UPDATE message SET item_type = 3, group_action_type = 4 WHERE ROWID = ?1";
    writer.execute(set, [event.rowid.0]).unwrap();
    let cache = home.path("TranscriptBackgroundCache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("CHANNEL"), b"").unwrap();
    check(&home, chat, without, event.rowid.0);
    check(&TestDaemon::start(home), chat, without, event.rowid.0);
}

fn check(home: &Home, chat: i64, without: i64, row: i64) {
    let id = chat.to_string();
    let told = home.run(&["chat-background", "status", "--chat-id", &id]);
    let expected = format!(
        "chat-background: set\nchat_id: {id}\nchat_guid: any;+;chat7\nbackground_channel_guid: CHANNEL\n\
         cache_exists: true\nwatch_background_exists: false\nlatest_event: set row={row}\n"
    );
    assert_eq!((told.status.code(), told.stdout.as_str()), (Some(0), expected.as_str()), "{told:?}");
    let told = home.run(&["chat-background", "status", "--chat-id", &id, "--json"]);
    let object: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&object["ok"], &object["background_set"], &object["file_size"]),
        (&json!(true), &json!(true), &json!(9))
    );
    let path = home.path("TranscriptBackgroundCache/CHANNEL");
    assert_eq!(object["cache_path"], std::fs::canonicalize(path).unwrap().to_str().unwrap());
    assert_eq!((&object["latest_event"]["row_id"], &object["latest_event"]["action"]), (&json!(row), &json!("set")));
    assert_eq!(object.get("asset_id"), None);
    let none = home.run(&["chat-background", "status", "--chat-id", &without.to_string()]);
    let expected = format!("chat-background: none\nchat_id: {without}\nchat_guid: any;-;{FRIEND}\n");
    assert_eq!(none.stdout, expected);
    for (line, said) in [
        (&["status", "--chat-id", "999"][..], "chat not found"),
        (&["status"], "Missing required option: --chat-id"),
        (&["set", "--chat-id", "1"], "Invalid value for option: --action"),
        (&["status", "--chat-id", "0"], "Invalid value for option: --chat-id"),
    ] {
        let refused = home.run(&[&["chat-background"], line].concat());
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{line:?}");
        assert!(refused.stderr.starts_with(&format!("error: {said}\n")), "{line:?}: {refused:?}");
    }
}
