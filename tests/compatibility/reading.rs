//! Reading a database (9.1).

use serde_json::{Value, json};

use super::{Bench, check_absent, each, ids};
use crate::harness::{ANN, ANNS_CHAT, ASSOCIATIONS, BOB, GROUP, PREVIEW, SmallDb, archive, at, date_at, plist};

/// UTF-16 behind a byte order mark.
fn utf16(text: &str) -> Vec<u8> {
    [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn a_body_is_read_by_every_reader_where_the_text_column_is_empty() {
    let emoji = "heart ❤️ and 👩‍👧";
    let long = "x".repeat(300);
    let bodies = [
        (json!(b"\x01+fallback text\x86\x84"), "fallback text"),
        (json!(archive("an archive")), "an archive"),
        (json!(archive(&long)), &long),
        (json!(utf16(emoji)), emoji),
    ];
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", "attributedBody BLOB");
        for (id, (body, _)) in (1..).zip(&bodies) {
            db.message(
                id,
                ANNS_CHAT,
                json!({"text": if id % 2 == 0 { json!("") } else { Value::Null }, "attributedBody": body}),
            );
        }
        db
    });
    let texts: Vec<Value> = bodies.iter().map(|(_, text)| json!(text)).collect();
    let mut history = bench.history(ANNS_CHAT);
    history.reverse();
    assert_eq!(each(&history, "text"), texts);
    assert_eq!(each(&bench.after(0), "text"), texts);
    for text in texts {
        let found = bench.messages("messages.search", json!({"query": text, "match": "exact"}));
        assert_eq!(each(&found, "text"), [text]);
    }
}

#[test]
fn a_database_without_a_chat_table_is_paged_with_its_bodies() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", "attributedBody BLOB");
        db.run("DROP TABLE chat; DROP TABLE chat_handle_join");
        db.message(1, 7, json!({"attributedBody": archive("in the body")}));
        db.unjoined(2, json!({"text": "in no chat", "is_from_me": 1}));
        db
    });
    let page = bench.after(0);
    assert_eq!(each(&page, "text"), ["in the body", "in no chat"]);
    assert_eq!(each(&page, "chat_id"), [7, 0]);
    assert_eq!(each(&page, "chat_guid"), ["", ""]);
}

#[test]
fn an_audio_message_is_read_as_what_was_said() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", "is_audio_message INTEGER").with_attachments();
        let db = db.with("attachment", "user_info BLOB");
        db.message(1, ANNS_CHAT, json!({"text": "placeholder", "is_audio_message": 1}));
        db.message(2, ANNS_CHAT, json!({"text": "no audio"}));
        for id in [1, 2] {
            let info = plist("audio-transcription", "what was said");
            db.insert("attachment", &json!({"ROWID": id, "filename": "a.caf", "user_info": info}));
            db.insert("message_attachment_join", &json!({"message_id": id, "attachment_id": id}));
        }
        db
    });
    assert_eq!(each(&bench.after(0), "text"), ["what was said", "no audio"]);
    assert_eq!(ids(&bench.messages("messages.search", json!({"query": "was said"}))), [1]);
}

#[test]
fn chats_have_their_account_where_the_columns_exist() {
    let account =
        [("account_id", "A1"), ("account_login", "E:me@example.com"), ("last_addressed_handle", "+15550001111")];
    let columns = account.map(|(column, _)| format!("{column} TEXT")).join(", ");
    let make = |path: &std::path::Path, columns: Option<&str>| {
        let mut db = SmallDb::create(path);
        if let Some(columns) = columns {
            db = db.with("chat", columns);
            let set = account.map(|(column, value)| format!("{column} = '{value}'")).join(", ");
            db.run(&format!("UPDATE chat SET {set} WHERE ROWID = 1"));
        }
        db.text(1, ANNS_CHAT, "hello");
        db
    };
    for columns in [Some(columns.as_str()), None] {
        let mut bench = Bench::new(|path| make(path, columns));
        let listed = bench.client.ok("chats.list", json!({}))["chats"][0].take();
        let got = bench.client.ok("chats.get", json!({"chat_id": ANNS_CHAT}));
        for chat in [listed, got] {
            assert_eq!((&chat["identifier"], &chat["service"]), (&json!(ANN), &json!("iMessage")), "{chat}");
            assert_eq!(chat["guid"], format!("any;-;{ANN}"), "{chat}");
            for (column, value) in account {
                match columns {
                    Some(_) => assert_eq!(chat[column], value),
                    None => check_absent(&chat, &[column]),
                }
            }
        }
    }
}

#[test]
fn participants_are_named_once_and_in_order() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path);
        db.run("DELETE FROM chat_handle_join; INSERT INTO chat_handle_join VALUES (2, 2), (2, 1), (2, 2)");
        db.run("INSERT INTO handle (ROWID, id) VALUES (3, ''); INSERT INTO chat_handle_join VALUES (2, 3)");
        db.text(1, GROUP, "hello");
        db
    });
    assert_eq!(bench.client.ok("chats.get", json!({"chat_id": GROUP}))["participants"], json!([ANN, BOB]));
    assert_eq!(bench.history(GROUP)[0]["participants"], json!([ANN, BOB]));
}

#[test]
fn history_is_newest_first_and_filters_before_it_counts() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with_attachments();
        db.text(1, ANNS_CHAT, "first");
        db.message(2, ANNS_CHAT, json!({"text": "mine", "is_from_me": 1, "handle_id": 0}));
        db.text(3, ANNS_CHAT, "last");
        db.message(4, ANNS_CHAT, json!({"text": "mine again", "is_from_me": 1, "handle_id": 0}));
        db
    });
    let all = bench.history(ANNS_CHAT);
    assert_eq!(ids(&all), [4, 3, 2, 1]);
    assert_eq!(each(&all, "is_from_me"), [true, false, true, false]);
    assert_eq!(each(&all, "attachments"), vec![json!([]); 4]);
    assert_eq!(all[0]["created_at"], date_at(4));
    for (filter, expected) in [
        (json!({"limit": 1}), &[4][..]),
        (json!({"participants": [ANN], "limit": 1}), &[3]),
        (json!({"participants": ["ANN@Example.COM"]}), &[3, 1]),
        (json!({"participants": [BOB]}), &[]),
        (json!({"start": date_at(2), "end": date_at(4)}), &[3, 2]),
        (json!({"start": date_at(1), "limit": 2}), &[4, 3]),
        (json!({"end": date_at(4), "participants": [ANN], "limit": 1}), &[3]),
    ] {
        let mut params = json!({"chat_id": ANNS_CHAT});
        params.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        assert_eq!(ids(&bench.messages("messages.history", params)), expected, "{filter}");
    }
    assert_eq!(ids(&bench.after(2)), [3, 4]);
}

#[test]
fn the_same_link_in_two_chats_is_two_messages() {
    let link = json!({"text": "https://example.com", "balloon_bundle_id": PREVIEW});
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", "balloon_bundle_id TEXT");
        for (id, chat, second) in [(1, ANNS_CHAT, 0), (2, GROUP, 15)] {
            let mut link = link.clone();
            link["date"] = at(second).into();
            db.message(id, chat, link);
        }
        db
    });
    assert_eq!(ids(&bench.after(0)), [1, 2]);
}

#[test]
fn an_association_that_is_no_tapback_is_a_message_and_a_reply() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("message", ASSOCIATIONS);
        db.text(1, ANNS_CHAT, "the first");
        db.associate(2, ANNS_CHAT, 2002, "p:0/guid-1", json!({"text": "Disliked “the first”"}));
        db.associate(3, ANNS_CHAT, 1000, "p:0/guid-1", json!({}));
        db.associate(4, ANNS_CHAT, 1000, "guid-1", json!({}));
        db.associate(5, ANNS_CHAT, 3006, "guid-1", json!({}));
        db
    });
    let page = bench.after(0);
    assert_eq!(ids(&page), [1, 3, 4]);
    assert_eq!(each(&page, "reply_to_guid"), [Value::Null, json!("guid-1"), json!("guid-1")]);
    assert_eq!(ids(&bench.history(ANNS_CHAT)), [4, 3, 1]);
}

#[test]
fn attachments_stay_with_their_message() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with_attachments();
        for id in 1..=3 {
            db.text(id, ANNS_CHAT, "x");
        }
        for (id, name) in [(1, "b.png"), (2, "a.png")] {
            db.insert(
                "attachment",
                &json!({"ROWID": id, "filename": format!("/nowhere/{name}"), "mime_type": "image/png"}),
            );
            db.insert("message_attachment_join", &json!({"message_id": 2, "attachment_id": id}));
        }
        // A file that belongs to nothing, and a message without its file.
        db.insert("attachment", &json!({"ROWID": 3, "filename": "/nowhere/c.png"}));
        db.insert("message_attachment_join", &json!({"message_id": 3, "attachment_id": 99}));
        db
    });
    let files = |messages: &[Value]| -> Vec<Value> {
        let of_one = |message: &Value| json!(each(message["attachments"].as_array().unwrap(), "filename"));
        messages.iter().map(of_one).collect()
    };
    let page = bench.messages("messages.after", json!({"since_rowid": 0, "attachments": true}));
    assert_eq!(files(&page), [json!([]), json!(["/nowhere/b.png", "/nowhere/a.png"]), json!([])]);
    assert_eq!(page[1]["attachments"][0]["mime_type"], "image/png");
    let history = bench.messages("messages.history", json!({"chat_id": ANNS_CHAT, "attachments": true}));
    assert_eq!(files(&history), [json!([]), json!(["/nowhere/b.png", "/nowhere/a.png"]), json!([])]);
    assert_eq!(files(&bench.after(0)), vec![json!([]); 3], "nobody asked");
}
