//! Where a send goes, and what is said of it (9.6, 9.8, 9.22, 9.27).

use imsgd::sim::{Incoming, Service};
use serde_json::{Value, json};

use crate::harness::{FRIEND, Home, OTHER_FRIEND, TestDaemon};

/// With the one policy that takes the least time to load.
const QUICK: &str = "send.timeout_seconds = 20\n[policy]\nbundled = ['allowlist']\n";

/// Number, chat and service of each call of osascript.
fn calls(daemon: &TestDaemon) -> Vec<Value> {
    daemon.sent().iter().map(|call| json!([call["recipient"], call["chat"], call["service"]])).collect()
}

#[test]
fn a_chat_is_written_to_by_its_guid() {
    let daemon = TestDaemon::new(QUICK);
    let chats = [
        ("iMessage;+;chat123", "any;+;chat555"),
        ("imessage:+15551234567", "any;+;chat666"),
        ("iMessage;+;group123", "iMessage;+;group123"),
    ];
    let connection = rusqlite::Connection::open(daemon.db()).unwrap();
    for (identifier, guid) in chats {
        let sql = "INSERT INTO chat (chat_identifier, guid, style, service_name) VALUES (?1, ?2, 43, 'iMessage')";
        connection.execute(sql, [identifier, guid]).unwrap();
    }
    std::fs::write(daemon.path("photo.png"), b"not really").unwrap();
    let mut client = daemon.connect();
    for (number, (identifier, guid)) in chats.into_iter().enumerate() {
        let params = json!({"chat_identifier": identifier, "file": daemon.path("photo.png")});
        let answer = client.ok("send", params);
        assert_eq!(answer["chat_guid"], guid, "{answer}");
        assert_eq!(calls(&daemon)[number], json!([null, guid, "imessage"]), "{identifier}");
        let staged = daemon.sent()[number]["file"].as_str().unwrap().to_owned();
        assert!(staged.ends_with("/photo.png") && staged != daemon.path("photo.png").to_str().unwrap(), "{staged}");
    }
}

#[test]
fn what_cannot_be_staged_was_never_started() {
    let home = Home::new("");
    let files = [home.path("photo.png"), home.path("link.png"), home.path("nothing.png"), home.path("plugins")];
    let [photo, link, missing, folder] = &files;
    std::fs::write(photo, b"not really").unwrap();
    std::os::unix::fs::symlink(photo, link).unwrap();
    // A folder cannot be made below a file.
    home.configure(&format!("send.staging_dir = '{}'\n{QUICK}", photo.join("staging").display()));
    let daemon = TestDaemon::start(home);
    let mut client = daemon.connect();
    for (file, said) in [
        (photo, "could not copy the attachment"),
        (link, "is a symbolic link"),
        (missing, "Attachment not found"),
        (folder, "is not a regular file"),
    ] {
        let refusal = client.refused("send", json!({"to": FRIEND, "text": "the secret", "file": file}));
        assert_eq!((refusal.code, refusal.message.as_str()), (-32603, "Delivery failed before dispatch"));
        assert_eq!(json!([refusal.data["disposition"], refusal.data["retry_safe"]]), json!(["not_started", true]));
        let detail = refusal.data["detail"].as_str().unwrap();
        assert!(detail.contains(said) && !detail.contains("secret"), "{detail}");
    }
    assert!(daemon.sent().is_empty());
}

#[test]
fn a_direct_send_goes_into_the_chat_that_exists() {
    let daemon = TestDaemon::new(QUICK);
    let chat = daemon.receive_from(FRIEND, "hi").chat_id.unwrap().0;
    let mut client = daemon.connect();
    let guid = format!("any;-;{FRIEND}");
    for service in ["imessage", "auto"] {
        let answer = client.ok("send", json!({"to": FRIEND, "text": format!("by {service}"), "service": service}));
        assert_eq!((&answer["chat_id"], &answer["chat_guid"]), (&json!(chat), &json!(guid)), "{answer}");
    }
    assert_eq!(calls(&daemon), vec![json!([null, guid, "imessage"]); 2]);
}

#[test]
fn a_file_without_a_row_is_an_unknown_outcome() {
    let daemon = TestDaemon::new(QUICK);
    daemon.osascript(&json!({"mode": "accept-without-writing"}));
    std::fs::write(daemon.path("photo.png"), b"not really").unwrap();
    let refusal = daemon.connect().refused("send", json!({"to": FRIEND, "file": daemon.path("photo.png")}));
    assert_eq!((refusal.code, &refusal.data["disposition"]), (-32001, &json!("may_have_completed")), "{refusal:?}");
    let detail = refusal.data["detail"].as_str().unwrap();
    assert!(detail.contains("no matching outgoing attachment row"), "{detail}");
}

#[test]
fn a_service_is_chosen_by_history_and_only_auto_falls_back() {
    let daemon = TestDaemon::new(QUICK);
    let by_sms = Incoming { service: Service::Sms, ..Incoming::new(OTHER_FRIEND, "by SMS") };
    daemon.receive(&by_sms);
    std::fs::write(daemon.path("photo.png"), b"not really").unwrap();
    let photo = daemon.path("photo.png");
    let mut client = daemon.connect();
    for (params, services) in [
        (json!({"to": "+14155550150", "text": "x"}), &["imessage", "sms"][..]),
        (json!({"to": "+14155550150", "text": "x", "allow_sms_fallback": false}), &["imessage"]),
        (json!({"to": "+14155550150", "text": "x", "service": "imessage"}), &["imessage"]),
        (json!({"to": "+14155550150", "text": "x", "service": "sms"}), &["sms"]),
        (json!({"to": "+14155550150", "text": "x", "file": photo}), &["imessage"]),
        (json!({"to": "new@example.com", "text": "x"}), &["imessage"]),
        (json!({"to": OTHER_FRIEND, "text": "x"}), &["sms"]),
        (json!({"to": OTHER_FRIEND, "file": photo}), &["sms"]),
    ] {
        daemon.osascript(&json!({"mode": "fail-before"}));
        let before = daemon.sent().len();
        let refusal = client.refused("send", params.clone());
        assert_eq!((refusal.code, &refusal.data["retry_safe"]), (-32603, &json!(true)), "{params}: {refusal:?}");
        let tried: Vec<Value> = calls(&daemon).drain(before..).map(|mut call| call[2].take()).collect();
        assert_eq!(tried, services, "{params}");
    }
}

#[test]
fn a_national_number_of_a_region_is_known_by_its_history() {
    let daemon = TestDaemon::new(QUICK);
    let number = "+447700900000";
    daemon.receive(&Incoming { service: Service::Sms, ..Incoming::new(number, "by SMS") });
    let answer = daemon.connect().ok("send", json!({"to": "07700 900000", "region": "gb", "text": "hello"}));
    assert_eq!(answer["service"], "SMS", "{answer}");
    assert_eq!(calls(&daemon)[0][2], "sms");
    assert!(answer["chat_guid"].as_str().unwrap().ends_with(number), "{answer}");
}
