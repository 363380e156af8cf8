//! Databases that are damaged.

use serde_json::{Value, json};

use crate::harness::{ANNS_CHAT, BOB, Home, SmallDb, TestDaemon, eventually, now};

const ONLY_ANN: &str = "[policy]\nbundled = ['allowlist']\nallow_from = ['ann@example.com']\n";

fn ids(answer: &Value) -> Vec<i64> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

#[test]
fn rows_without_a_guid_have_a_verdict_each() {
    let home = Home::without_database(ONLY_ANN);
    let db = SmallDb::create(&home.db());
    db.insert(
        "chat",
        &json!({"ROWID": 3, "chat_identifier": BOB, "guid": format!("any;-;{BOB}"), "service_name": "iMessage"}),
    );
    let arrives = |id: i64, chat: i64, handle: i64| {
        db.message(id, chat, json!({"text": format!("{id}"), "handle_id": handle, "date": now()}));
    };
    let mut daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    for (id, chat, handle) in [(1, ANNS_CHAT, 1), (2, 3, 2), (3, ANNS_CHAT, 1), (4, 3, 2), (5, ANNS_CHAT, 1)] {
        arrives(id, chat, handle);
    }
    assert_eq!(client.texts(3), ["1", "3", "5"]);
    assert_eq!(ids(&client.ok("messages.after", json!({"since_rowid": 0}))), [1, 3, 5]);
    for (row, verdict) in [(1, "delivered"), (2, "rejected"), (3, "delivered"), (4, "rejected")] {
        let explained = client.ok("journal.explain", json!({"rowid": row}));
        assert_eq!(explained["verdict"], verdict, "{row}: {explained}");
    }
    daemon.kill();
    arrives(6, 3, 2);
    arrives(7, ANNS_CHAT, 1);
    daemon.start_again();
    assert!(!daemon.log().contains("renumbered"), "{}", daemon.log());
    eventually("what came meanwhile is judged", || (daemon.status()["imsgd"]["head"] == 7).then_some(()));
    let mut client = daemon.connect();
    client.subscribe(json!({"since_rowid": 3}));
    assert_eq!(client.texts(2), ["5", "7"]);
}
