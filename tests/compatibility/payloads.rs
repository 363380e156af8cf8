//! The objects that clients get (9.13, 9.14).

use serde_json::{Value, json};

use super::{Bench, check_absent};
use crate::harness::{ANN, ANNS_CHAT, GROUP, SmallDb, date_at};

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_message_has_its_fields_and_no_empty_ones() {
    let mut bench = Bench::new(|path| {
        let optional = "guid TEXT, destination_caller_id TEXT, balloon_bundle_id TEXT, reply_to_guid TEXT, \
            thread_originator_guid TEXT, is_read INTEGER, date_read INTEGER";
        let db = SmallDb::create(path).with("message", optional).with_attachments();
        db.message(1, ANNS_CHAT, json!({"text": "hello", "destination_caller_id": "", "balloon_bundle_id": "", "thread_originator_guid": ""}));
        db.message(2, ANNS_CHAT, json!({"text": "mine", "is_from_me": 1, "handle_id": 0, "is_read": 1, "destination_caller_id": "me@example.com"}));
        db.message(3, GROUP, json!({"text": "", "is_read": 0, "date_read": 5}));
        db.insert(
            "attachment",
            &json!({"ROWID": 1, "filename": "~/nowhere/a.png", "mime_type": "image/png", "total_bytes": 7}),
        );
        db.insert("message_attachment_join", &json!({"message_id": 1, "attachment_id": 1}));
        db
    });
    let answer = bench.messages("messages.history", json!({"chat_id": ANNS_CHAT, "attachments": true}));
    let [mine, hello] = &answer[..] else { panic!("{answer:?}") };
    let always = [
        "attachments",
        "chat_guid",
        "chat_id",
        "chat_identifier",
        "chat_name",
        "created_at",
        "guid",
        "id",
        "is_from_me",
        "is_group",
        "participants",
        "reactions",
        "sender",
        "service",
        "text",
    ];
    assert_eq!(keys(hello), always);
    assert_eq!(
        (&hello["chat_id"], &hello["chat_identifier"], &hello["is_group"]),
        (&json!(1), &json!(ANN), &json!(false))
    );
    assert_eq!((&hello["chat_name"], &hello["participants"]), (&json!(ANN), &json!([ANN])));
    assert_eq!(
        (&hello["guid"], &hello["sender"], &hello["created_at"]),
        (&json!("guid-1"), &json!(ANN), &json!(date_at(1)))
    );
    let attachment = &hello["attachments"][0];
    for key in
        ["filename", "transfer_name", "uti", "mime_type", "total_bytes", "is_sticker", "original_path", "missing"]
    {
        assert!(attachment.get(key).is_some(), "{key}: {attachment}");
    }
    assert_eq!((&attachment["transfer_name"], &attachment["missing"]), (&json!(""), &json!(true)));
    check_absent(attachment, &["converted_path", "converted_mime_type"]);
    assert_eq!((&mine["sender"], &mine["destination_caller_id"]), (&json!("me@example.com"), &json!("me@example.com")));
    check_absent(mine, &["is_read", "date_read"]);

    let in_group = bench.history(GROUP).remove(0);
    assert_eq!(
        (&in_group["is_group"], &in_group["chat_name"], &in_group["text"]),
        (&json!(true), &json!("Friends"), &json!(""))
    );
    assert_eq!(in_group["is_read"], false);
    check_absent(&in_group, &["date_read"]);
}

#[test]
fn a_chat_has_its_fields_and_no_empty_ones() {
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path).with("chat", "account_id TEXT, account_login TEXT");
        db.run("UPDATE chat SET account_id = '', account_login = NULL; UPDATE chat SET display_name = NULL WHERE ROWID = 1");
        db.insert("chat", &json!({"ROWID": 3, "chat_identifier": "chat43", "guid": "", "display_name": ""}));
        db.text(1, ANNS_CHAT, "hello");
        db.text(2, GROUP, "hello");
        db.text(3, 3, "hello");
        db
    });
    let answer = bench.client.ok("chats.list", json!({}));
    let [bare, group, direct] = &answer["chats"].as_array().unwrap()[..] else { panic!("{answer}") };
    let always =
        ["display_name", "guid", "id", "identifier", "is_group", "last_message_at", "name", "participants", "service"];
    assert_eq!((keys(group), keys(direct)), (always.to_vec(), always.to_vec()));
    assert_eq!(
        (&group["name"], &group["is_group"], &group["last_message_at"]),
        (&json!("Friends"), &json!(true), &json!(date_at(2)))
    );
    assert_eq!(
        (&direct["name"], &direct["display_name"], &direct["participants"]),
        (&json!(ANN), &json!(ANN), &json!([ANN]))
    );
    check_absent(bare, &["guid"]);
    assert_eq!((&bare["name"], &bare["display_name"], &bare["service"]), (&json!("chat43"), &json!(""), &json!("")));
    let got = bench.client.ok("chats.get", json!({"chat_id": 3}));
    assert_eq!(keys(&got), ["guid", "id", "identifier", "is_group", "name", "participants", "service"]);
    assert_eq!(got["guid"], "");
}

#[test]
fn an_object_is_one_line_whatever_it_says() {
    let text = "two\nlines\r\nand \u{2028}more / \"quoted\"";
    let mut bench = Bench::new(|path| {
        let db = SmallDb::create(path);
        db.text(1, ANNS_CHAT, text);
        db
    });
    assert_eq!(bench.history(ANNS_CHAT)[0]["text"], text);
    let printed = bench.daemon.run(&["history", "--chat-id", "1", "--json"]);
    assert_eq!(printed.stdout.matches('\n').count(), 1, "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed.stdout).unwrap()["text"], text);
}

#[test]
fn attachments_are_named_and_counted_for_people() {
    let bench = Bench::new(|path| {
        let db = SmallDb::create(path).with_attachments();
        db.text(1, ANNS_CHAT, "one");
        db.text(2, ANNS_CHAT, "two");
        for (id, message, filename, name) in [(1, 1, "/a/b.png", "photo.png"), (2, 2, "/a/c.png", ""), (3, 2, "", "")] {
            let row = json!({"ROWID": id, "filename": filename, "transfer_name": name, "mime_type": "image/png"});
            db.insert("attachment", &row);
            db.insert("message_attachment_join", &json!({"message_id": message, "attachment_id": id}));
        }
        db
    });
    let printed = |arguments: &[&str]| bench.daemon.run(&[&["history", "--chat-id", "1"], arguments].concat()).stdout;
    let counted = printed(&[]);
    assert!(counted.contains("(2 attachments)") && counted.contains("(1 attachment)"), "{counted}");
    let named = printed(&["--attachments"]);
    for name in ["name=photo.png mime=image/png missing=true path=/a/b.png", "name=/a/c.png", "name=(unknown)"] {
        assert!(named.contains(name), "{name}: {named}");
    }
}
