//! Files of messages: what clients are told of them, and their bytes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imsgd::sim::Incoming;
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, TestDaemon, eventually};

/// Bytes of which no two stretches are alike.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn file(home: &Home, name: &str, content: &[u8]) -> PathBuf {
    let path = home.path(name);
    fs::write(&path, content).unwrap();
    path
}

/// A friend sends this file. Its guid is `at_0_` and the message's.
pub fn arrives(home: &Home, message: &str, name: &str, content: &[u8]) {
    let attach = vec![file(home, name, content)];
    home.receive(&Incoming { attach, guid: Some(message.to_owned()), ..Incoming::new(FRIEND, "") });
}

/// A row that names this path.
fn names(home: &Home, message: &str, path: &Path) {
    let attachments = vec![path.to_owned()];
    home.receive(&Incoming { attachments, guid: Some(message.to_owned()), ..Incoming::new(FRIEND, "") });
}

fn read(client: &mut Client, guid: &str, params: Value) -> Value {
    let mut params = params;
    params["guid"] = guid.into();
    client.ok("attachments.read", params)
}

fn bytes(piece: &Value) -> Vec<u8> {
    let bytes = BASE64_STANDARD.decode(piece["data"].as_str().unwrap()).unwrap();
    assert_eq!(piece["length"], bytes.len());
    bytes
}

/// The whole file, in pieces of this length.
pub fn read_all(client: &mut Client, guid: &str, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = read(client, guid, json!({"offset": all.len(), "length": length}));
        assert_eq!(piece["offset"], all.len());
        all.extend(bytes(&piece));
        if piece["eof"] == true {
            assert_eq!(piece["total_bytes"], all.len());
            return all;
        }
        assert_eq!(piece["length"], length);
    }
}

#[test]
fn a_message_tells_of_each_file_whether_it_is_here() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    client.subscribe(json!({"attachments": true}));
    let attach = vec![file(&daemon, "wave.gif", b"GIF89a")];
    let folder = daemon.path("Bundle.rtfd");
    fs::create_dir(&folder).unwrap();
    let attachments = vec![folder.clone(), daemon.path("none.txt")];
    let announce = vec!["later.heic".to_owned()];
    let guid = Some("M".to_owned());
    let sent = Incoming { attachments, attach, announce, guid, ..Incoming::new(FRIEND, "look") };
    let chat = daemon.receive(&sent).chat_id.unwrap().0;
    let message = client.message();
    let files = message["attachments"].as_array().unwrap();
    let told: Vec<Value> = files
        .iter()
        .map(|file| json!([file["guid"], file["transfer_name"], file["missing"], file["transfer_state"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["at_0_M", "Bundle.rtfd", true, "finished"]),
            json!(["at_1_M", "none.txt", true, "finished"]),
            json!(["at_2_M", "wave.gif", false, "finished"]),
            json!(["at_3_M", "later.heic", true, "waiting_for_accept"]),
        ]
    );
    assert_eq!((&files[2]["total_bytes"], &files[2]["uti"]), (&json!(6), &json!("com.compuserve.gif")));
    assert_eq!((&files[3]["mime_type"], &files[3]["total_bytes"]), (&json!("image/heic"), &json!(12345)));
    assert_eq!(files[0]["original_path"], folder.to_str().unwrap());
    let history = client.ok("messages.history", json!({"chat_id": chat, "attachments": true}));
    assert_eq!(history["messages"][0]["attachments"], message["attachments"]);
}

#[test]
fn pieces_of_a_file_make_the_file() {
    let daemon = TestDaemon::new(FRIENDS);
    let content = noise(2_500_000);
    arrives(&daemon, "BIG", "photo.heic", &content);
    arrives(&daemon, "EMPTY", "empty.txt", b"");
    let mut client = daemon.connect();
    let usual = read(&mut client, "at_0_BIG", json!({}));
    assert_eq!((&usual["length"], &usual["eof"], &usual["offset"]), (&json!(256 << 10), &json!(false), &json!(0)));
    assert_eq!((&usual["mime_type"], &usual["uti"]), (&json!("image/heic"), &json!("public.heic")));
    assert_eq!((&usual["transfer_name"], &usual["guid"]), (&json!("photo.heic"), &json!("at_0_BIG")));
    assert_eq!(bytes(&usual), content[..256 << 10]);
    for length in [1 << 20, 500_000, 999_983] {
        assert!(read_all(&mut client, "at_0_BIG", length) == content, "in pieces of {length}");
    }
    let inside = read(&mut client, "at_0_BIG", json!({"offset": 1_234_567, "length": 3}));
    assert_eq!(bytes(&inside), content[1_234_567..1_234_570]);
    let last = read(&mut client, "at_0_BIG", json!({"offset": 2_499_999, "length": 1}));
    assert_eq!((bytes(&last), &last["eof"]), (content[2_499_999..].to_vec(), &json!(true)));
    let end = read(&mut client, "at_0_BIG", json!({"offset": 2_500_000}));
    assert_eq!((bytes(&end), &end["eof"], &end["total_bytes"]), (vec![], &json!(true), &json!(2_500_000)));
    let empty = read(&mut client, "at_0_EMPTY", json!({}));
    assert_eq!((bytes(&empty), &empty["eof"]), (vec![], &json!(true)));
}

#[test]
fn a_file_is_read_over_stdio_too() {
    let content = noise(1_500_000);
    let daemon = TestDaemon::new(FRIENDS);
    arrives(&daemon, "M", "voice.caf", &content);
    let mut relayed = daemon.stdio(&["rpc"]);
    assert!(read_all(&mut relayed.client, "at_0_M", 1 << 20) == content);
    let home = Home::new(FRIENDS);
    arrives(&home, "M", "voice.caf", &content);
    let mut alone = home.stdio(&["rpc"]);
    assert!(read_all(&mut alone.client, "at_0_M", 1 << 20) == content);
}

#[test]
fn what_cannot_be_read_is_refused_in_words() {
    let daemon = TestDaemon::new(&format!("messages.media_max_mb = 1\n{FRIENDS}"));
    arrives(&daemon, "IN", "in.txt", b"inside");
    arrives(&daemon, "LARGE", "large.mov", &noise((1 << 20) + 1));
    arrives(&daemon, "FULL", "full.mov", &noise(1 << 20));
    let outside = file(&daemon, "outside.txt", b"outside");
    names(&daemon, "OUT", &outside);
    let attachments = daemon.path("Attachments");
    names(&daemon, "UP", &attachments.join("../outside.txt"));
    symlink(&outside, attachments.join("link.txt")).unwrap();
    names(&daemon, "LINK", &attachments.join("link.txt"));
    symlink(daemon.path(""), attachments.join("folder")).unwrap();
    names(&daemon, "FOLDERLINK", &attachments.join("folder/outside.txt"));
    names(&daemon, "FOLDER", &attachments);
    names(&daemon, "NONE", &attachments.join("none.txt"));
    names(&daemon, "RELATIVE", Path::new("outside.txt"));
    let announce = vec!["later.heic".to_owned()];
    daemon.receive(&Incoming { announce, guid: Some("LATER".to_owned()), ..Incoming::new(FRIEND, "") });
    let mut client = daemon.connect();
    for (params, said) in [
        (json!({}), "guid is required"),
        (json!({"guid": ""}), "guid must be a non-empty string"),
        (json!({"guid": 1}), "guid must be a string"),
        (json!({"guid": null}), "guid must not be null"),
        (json!({"guid": "at_0_IN", "path": "/etc/passwd"}), "unknown attachments.read param: path"),
        (json!({"guid": "at_0_IN", "offset": -1}), "offset must be a non-negative integer"),
        (json!({"guid": "at_0_IN", "offset": "0"}), "offset must be an integer"),
        (json!({"guid": "at_0_IN", "offset": 0.5}), "offset must be an integer"),
        (json!({"guid": "at_0_IN", "length": 0}), "length must be an integer between 1 and 1048576"),
        (json!({"guid": "at_0_IN", "length": -1}), "length must be an integer between 1 and 1048576"),
        (json!({"guid": "at_0_IN", "length": 1_048_577}), "length must be an integer between 1 and 1048576"),
        (json!({"guid": "at_0_IN", "length": true}), "length must be an integer"),
        (json!({"guid": "at_0_IN", "offset": 7}), "offset 7 is past the end of attachment at_0_IN, which has 6 bytes"),
        (json!({"guid": "at_9_X"}), "Attachment not found: at_9_X"),
        (json!({"guid": "at_0_LARGE"}), "1048577 bytes, and messages.media_max_mb allows 1048576"),
        (json!({"guid": "at_0_OUT"}), "outside of messages.attachment_roots"),
        (json!({"guid": "at_0_UP"}), "outside of messages.attachment_roots"),
        (json!({"guid": "at_0_LINK"}), "outside of messages.attachment_roots"),
        (json!({"guid": "at_0_FOLDERLINK"}), "outside of messages.attachment_roots"),
        (json!({"guid": "at_0_FOLDER"}), "is a folder"),
        (json!({"guid": "at_0_NONE"}), "is not on this Mac (transfer_state finished); open its conversation"),
        (json!({"guid": "at_0_LATER"}), "is not on this Mac (transfer_state waiting_for_accept)"),
        (json!({"guid": "at_0_RELATIVE"}), "is not on this Mac"),
    ] {
        let refusal = client.refused("attachments.read", params.clone());
        let data = refusal.data.as_str().unwrap();
        assert_eq!(refusal.code, -32602, "{params}: {refusal:?}");
        assert!(data.contains(said), "{params}: {data}");
        assert!(!data.contains(outside.to_str().unwrap()), "{params}: {data}");
    }
    assert_eq!(bytes(&read(&mut client, "at_0_IN", json!({}))), b"inside");
    assert_eq!(read_all(&mut client, "at_0_FULL", 1 << 20).len(), 1 << 20);
}

#[test]
fn which_folders_may_be_read_can_be_changed_while_it_runs() {
    let daemon = TestDaemon::new(FRIENDS);
    fs::create_dir_all(daemon.path("Media/2026")).unwrap();
    names(&daemon, "M", &file(&daemon, "Media/2026/a.txt", b"a"));
    let mut client = daemon.connect();
    client.refused("attachments.read", json!({"guid": "at_0_M"}));
    let media = daemon.path("Med*/20??");
    daemon.configure(&format!("messages.attachment_roots = ['{}']\n{FRIENDS}", media.display()));
    daemon.reload();
    let opened = || client.call("attachments.read", json!({"guid": "at_0_M"})).ok();
    let piece = eventually("the new roots are in force", opened);
    assert_eq!(bytes(&piece), b"a");
}

#[test]
fn a_file_is_fetched_from_the_command_line_with_a_daemon_and_without() {
    let content = noise(1_300_000);
    let home = Home::new(FRIENDS);
    arrives(&home, "M", "photo.heic", &content);
    let out = home.path("fetched.heic");
    let fetch = |home: &Home| {
        let saved = home.run(&["attachments", "read", "--guid", "at_0_M", "--out", out.to_str().unwrap(), "--json"]);
        assert!(saved.status.success(), "{saved:?}");
        let said: Value = serde_json::from_str(&saved.stdout).unwrap();
        assert_eq!((&said["total_bytes"], &said["mime_type"]), (&json!(1_300_000), &json!("image/heic")));
        assert!(fs::read(&out).unwrap() == content);
        fs::remove_file(&out).unwrap();
        let piped = home.command(&["attachments", "read", "--guid", "at_0_M"]).output().unwrap();
        assert!(piped.status.success() && piped.stdout == content, "{}", String::from_utf8_lossy(&piped.stderr));
        let lines = home.run(&["attachments", "read", "--guid", "at_0_M", "--json"]);
        let pieces = lines.stdout.lines().map(|line| bytes(&serde_json::from_str(line).unwrap()));
        assert!(pieces.flatten().collect::<Vec<u8>>() == content);
        let refused = home.run(&["attachments", "read", "--guid", "none", "--out", out.to_str().unwrap()]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""));
        assert!(refused.stderr.contains("Attachment not found: none"), "{refused:?}");
        let hidden = fs::read_dir(home.path(""))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("fetched"));
        assert_eq!(hidden.count(), 0, "nothing is left of what failed");
    };
    fetch(&home);
    let daemon = TestDaemon::start(home);
    fetch(&daemon);
}
