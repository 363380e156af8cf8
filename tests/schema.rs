//! Databases of each macOS from 11 to 26: everything is read, and only what came later is missing.
//!
//! Which column came when is known from published schemas of databases: of macOS 11 (`thread_originator_part` is the
//! last column of `message`), 12 (up to `did_notify_recipient`), 13 and iOS 16 (up to `is_kt_verified`), 14 (up to
//! `fallback_hash`), 15 (up to `date_recovered`) and 26.

use serde_json::{Value, json};

use crate::harness::{Client, Home, SmallDb, TestDaemon, now};

const CONFIG: &str = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['*']\ndm_policy = 'open'\n\
    group_policy = 'open'\n[policy.groups.'*']\nrequire_mention = false\n";

/// A version of macOS, and what it added to the one before.
struct Release {
    version: u32,
    message: &'static [&'static str],
    chat: &'static [&'static str],
    attachment: &'static [&'static str],
}

/// Newest first.
const RELEASES: [Release; 5] = [
    Release {
        version: 26,
        message: &["is_time_sensitive", "ck_chat_id"],
        chat: &["is_pending_review"],
        attachment: &["preview_generation_state"],
    },
    Release {
        version: 15,
        message: &[
            "associated_message_emoji",
            "is_pending_satellite_send",
            "needs_relay",
            "schedule_type",
            "schedule_state",
            "sent_or_received_off_grid",
            "date_recovered",
        ],
        chat: &[],
        attachment: &["emoji_image_content_identifier", "emoji_image_short_description"],
    },
    Release {
        version: 14,
        message: &["is_sos", "is_critical", "bia_reference_id", "fallback_hash"],
        chat: &["is_deleting_incoming_messages"],
        attachment: &[],
    },
    Release {
        version: 13,
        message: &["date_retracted", "date_edited", "was_detonated", "part_count", "is_stewie", "is_kt_verified"],
        chat: &["is_recovered"],
        attachment: &["is_commsafety_sensitive"],
    },
    Release {
        version: 12,
        message: &["syndication_ranges", "synced_syndication_ranges", "was_delivered_quietly", "did_notify_recipient"],
        chat: &["syndication_date", "syndication_type"],
        attachment: &[],
    },
];

/// What may be missing from a message before this macOS.
const FIELDS: [(u32, &[&str]); 1] = [(13, &["is_edited", "edited_at", "edits", "is_unsent", "unsent_parts"])];

/// Makes the database one of the macOS before `release`.
fn take_away(home: &Home, release: &Release) {
    let connection = SmallDb::open(&home.db()).connection;
    for (table, columns) in [("message", release.message), ("chat", release.chat), ("attachment", release.attachment)] {
        for column in columns {
            let sql =
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?1 AND sql LIKE '%' || ?2 || '%'";
            let mut statement = connection.prepare(sql).unwrap();
            let indexes = statement.query_map([table, column], |row| row.get(0)).unwrap();
            let indexes: Vec<String> = indexes.map(Result::unwrap).collect();
            for index in indexes {
                connection.execute_batch(&format!("DROP INDEX {index}")).unwrap();
            }
            connection.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {column}")).unwrap();
        }
    }
    if release.version == 15 {
        // Before, these were indexes of all rows.
        let older = "DROP INDEX message_idx_associated_message2; DROP INDEX message_idx_isRead_isFromMe_itemType;
            CREATE INDEX message_idx_associated_message ON message (associated_message_guid);
            CREATE INDEX message_idx_isRead_isFromMe_itemType ON message (is_read, is_from_me, item_type);";
        connection.execute_batch(older).unwrap();
    }
}

/// Everything that can be read, by what was asked.
fn read_all(client: &mut Client) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    let mut ask = |method: &str, params: Value| {
        let answer = client.ok(method, params.clone());
        answers.push((format!("{method} {params}"), answer.clone()));
        answer
    };
    let chats = ask("chats.list", json!({"limit": 100}));
    for chat in chats["chats"].as_array().unwrap() {
        ask("chats.get", json!({"chat_id": chat["id"]}));
        ask("messages.history", json!({"chat_id": chat["id"], "limit": 500, "attachments": true}));
    }
    let mut since = json!(0);
    loop {
        let page = ask(
            "messages.after",
            json!({"since_rowid": since, "limit": 500, "attachments": true, "include_reactions": true}),
        );
        since = page["next_rowid"].clone();
        if page["has_more"] == false {
            break;
        }
    }
    ask("messages.search", json!({"query": "the", "limit": 100}));
    ask("messages.stats", json!({"time_zone": "UTC", "include_media": true}));
    ask("chats.list", json!({"unread_only": true, "limit": 100}));
    answers
}

/// That `older` says the same, but for these fields.
#[track_caller]
fn check_same(newest: &Value, older: &Value, may_lack: &[&str], what: &str) {
    match (newest, older) {
        (Value::Object(newest), Value::Object(older)) => {
            for (key, value) in newest {
                match older.get(key) {
                    Some(of_older) => check_same(value, of_older, may_lack, what),
                    None => assert!(may_lack.contains(&key.as_str()), "{what} lacks {key}: {older:?}"),
                }
            }
            let added = older.keys().find(|key| !newest.contains_key(*key));
            assert_eq!(added, None, "{what}: {older:?}");
        }
        (Value::Array(newest), Value::Array(older)) => {
            assert_eq!(newest.len(), older.len(), "{what}");
            newest.iter().zip(older).for_each(|(newest, older)| check_same(newest, older, may_lack, what));
        }
        (newest, older) => assert_eq!(newest, older, "{what}"),
    }
}

/// A row with the columns that every version has.
fn write(daemon: &TestDaemon, guid: &str) {
    let connection = SmallDb::open(&daemon.db()).connection;
    let date = now();
    let message = "INSERT INTO message (guid, text, handle_id, service, date, is_finished) VALUES (?1, 'live', 1, 'iMessage', ?2, 1)";
    connection.execute(message, rusqlite::params![guid, date]).unwrap();
    let chat = "SELECT chat_id FROM chat_handle_join WHERE handle_id = 1 ORDER BY chat_id LIMIT 1";
    let join = format!("INSERT INTO chat_message_join (chat_id, message_id, message_date) VALUES (({chat}), ?1, ?2)");
    connection.execute(&join, [connection.last_insert_rowid(), date]).unwrap();
}

fn check_release(daemon: &mut TestDaemon, newest: &[(String, Value)], version: u32) {
    daemon.start_again();
    let mut client = daemon.connect();
    let may_lack: Vec<&str> =
        FIELDS.iter().filter(|(since, _)| version < *since).flat_map(|(_, fields)| fields.iter().copied()).collect();
    let older = read_all(&mut client);
    assert_eq!(older.len(), newest.len());
    for ((what, newest), (_, older)) in newest.iter().zip(&older) {
        check_same(newest, older, &may_lack, &format!("macOS {version}: {what}"));
    }
    let status = client.ok("status", json!({}));
    let has_schedule = version >= 15;
    let features = json!({
        "unread_state": true, "scheduled_messages": has_schedule, "reactions": true, "reply_context": true,
        "routing_metadata": true, "balloon_payloads": true,
    });
    assert_eq!(status["database"]["features"], features, "macOS {version}");
    let methods = status["methods"].as_array().unwrap();
    assert_eq!(methods.contains(&json!("messages.scheduled")), has_schedule, "macOS {version}");
    let scheduled = client.call("messages.scheduled", json!({}));
    assert_eq!(scheduled.map_err(|refusal| refusal.code).err(), (!has_schedule).then_some(-32602), "macOS {version}");
    client.subscribe(json!({"since_rowid": 0}));
    let guid = format!("live-{version}");
    write(daemon, &guid);
    let live = client.message();
    assert_eq!(json!([live["guid"], live["text"]]), json!([guid, "live"]), "macOS {version}");
    let sent = client.ok("message.send_status", json!({"guid": guid}));
    assert_eq!(json!([sent["send_state"], sent["service"]]), json!(["pending", "iMessage"]), "macOS {version}");
    // So that the next one finds what the first one did.
    daemon.kill();
    let connection = SmallDb::open(&daemon.db()).connection;
    let rows = "SELECT ROWID FROM message WHERE guid LIKE 'live-%'";
    connection
        .execute_batch(&format!(
            "DELETE FROM chat_message_join WHERE message_id IN ({rows}); DELETE FROM message WHERE guid LIKE 'live-%'"
        ))
        .unwrap();
}

#[test]
fn each_macos_has_its_features_and_lacks_only_those_of_later_ones() {
    let home = Home::without_database(CONFIG);
    home.make_database(12, 600);
    let mut daemon = TestDaemon::start(home);
    let newest = read_all(&mut daemon.connect());
    assert!(newest.len() > 25, "{}", newest.len());
    daemon.kill();
    for release in &RELEASES {
        check_release(&mut daemon, &newest, release.version);
        take_away(&daemon, release);
    }
    check_release(&mut daemon, &newest, 11);
}
