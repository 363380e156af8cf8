//! Attachments in forms that models take, with a shell script in the place of ffmpeg: a real child process.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use imsgd::sim::{Incoming, Received};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, Home, TestDaemon, eventually};

const GIF: &[u8] = b"GIF89a and so on";
const CAF: &[u8] = b"caff and so on";

/// Writes what it was told and what it read.
const CONVERT: &str = "(echo \"$arguments\"; cat \"$in\") >\"$out\"";

/// A Mac with a program `ffmpeg`. The script has the file to read in `$in`, the one to write in `$out`, its arguments
/// but for these two in `$arguments`, and the home folder in `$here`.
fn home_with(script: &str) -> Home {
    let home = Home::without_database("");
    let program = program(&home, script);
    home.configure(&format!("messages.ffmpeg = '{}'\n{FRIENDS}", program.display()));
    home.make_database(0, 0);
    home
}

fn program(home: &Home, script: &str) -> PathBuf {
    let folder = home.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let begin = "in=$4; arguments=; for out; do [ \"$out\" = \"$in\" ] || arguments=\"$arguments $out\"; done
                 arguments=${arguments% *}";
    let script = format!("#!/bin/sh\nhere='{}'\n{begin}\n{script}\n", home.path("").display());
    let path = folder.join("ffmpeg");
    // Written by another process: a file that a thread of ours has open for writing cannot be started.
    let mut shell = Command::new("/bin/sh")
        .args(["-c", "cat >\"$0\" && chmod +x \"$0\""])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
    path
}

fn receive(home: &Home, text: &str, files: &[(&str, &[u8])]) -> Received {
    let write = |(name, content): &(&str, &[u8])| {
        fs::write(home.path(name), content).unwrap();
        home.path(name)
    };
    let attach = files.iter().map(write).collect();
    home.receive(&Incoming { attach, guid: Some(text.to_owned()), ..Incoming::new(FRIEND, text) })
}

fn read(path: &Value) -> String {
    fs::read_to_string(path.as_str().expect("a path")).unwrap()
}

#[test]
fn history_has_the_converted_file_beside_the_original() {
    let daemon = TestDaemon::start(home_with(CONVERT));
    let files = [("Audio Message.CAF", CAF), ("wave.gif", GIF), ("note.txt", b"note")];
    let chat = receive(&daemon, "M", &files).chat_id.unwrap().0;
    let mut client = daemon.connect();
    let mut history = |attachments: bool, convert: bool| {
        let params = json!({"chat_id": chat, "attachments": attachments, "convert_attachments": convert});
        client.ok("messages.history", params)["messages"][0]["attachments"].take()
    };
    assert_eq!(history(false, true), json!([]));
    let plain = history(true, false);
    assert!(plain.as_array().unwrap().iter().all(|file| file.get("converted_path").is_none()), "{plain}");
    let converted = history(true, true);
    assert_eq!(
        (&converted[0]["converted_mime_type"], read(&converted[0]["converted_path"])),
        (&json!("audio/mp4"), " -nostdin -y -i -c:a aac -b:a 128k\ncaff and so on".to_owned())
    );
    assert_eq!(
        (&converted[1]["converted_mime_type"], read(&converted[1]["converted_path"])),
        (&json!("image/png"), " -nostdin -y -i -vframes 1\nGIF89a and so on".to_owned())
    );
    for (part, (file, before)) in converted.as_array().unwrap().iter().zip(plain.as_array().unwrap()).enumerate() {
        for key in ["mime_type", "original_path", "filename", "uti", "total_bytes", "missing"] {
            assert_eq!(file[key], before[key], "{part} {key}");
        }
    }
    assert_eq!(converted[2], plain[2], "a text needs no other form");
    let folder = Path::new(converted[0]["converted_path"].as_str().unwrap()).parent().unwrap();
    assert!(folder.ends_with("imsgd/converted-attachments") && folder.starts_with(daemon.path("")), "{folder:?}");
    fs::remove_file(daemon.path("bin/ffmpeg")).unwrap();
    assert_eq!(history(true, true), converted, "what is kept needs no program");
}

#[test]
fn after_and_watch_have_it_too() {
    let daemon = TestDaemon::start(home_with(CONVERT));
    let mut client = daemon.connect();
    client.subscribe(json!({"attachments": true, "convert_attachments": true}));
    receive(&daemon, "one", &[("a.gif", GIF)]);
    receive(&daemon, "two", &[("a.txt", b"text")]);
    let live = [client.inbound(), client.inbound()];
    assert_eq!(live[0]["attachments"][0]["converted_mime_type"], "image/png");
    assert!(live[1]["attachments"][0].get("converted_path").is_none(), "{}", live[1]);
    let after =
        client.ok("messages.after", json!({"since_rowid": 0, "attachments": true, "convert_attachments": true}));
    assert_eq!(after["messages"][0]["attachments"], live[0]["attachments"]);
    client.subscribe(json!({"since_rowid": -1, "attachments": true, "convert_attachments": true}));
    assert_eq!(client.inbound()["attachments"], live[0]["attachments"]);
}

#[test]
fn a_conversion_keeps_only_those_waiting_who_asked_for_it() {
    let daemon = TestDaemon::start(home_with(&format!(
        ": >\"$here/begun\"; until [ -e \"$here/go\" ]; do sleep 0.01; done; {CONVERT}"
    )));
    let mut asking = daemon.connect();
    asking.subscribe(json!({"attachments": true, "convert_attachments": true}));
    let mut other = daemon.connect();
    other.subscribe(json!({"attachments": true}));
    receive(&daemon, "picture", &[("a.gif", GIF)]);
    eventually("the conversion has begun", || daemon.path("begun").exists().then_some(()));
    receive(&daemon, "words", &[]);
    assert_eq!(other.texts(2), ["\u{fffc}picture", "words"]);
    // The connection that asks is not kept waiting, only the subscription.
    assert_eq!(asking.ok("status", json!({}))["protocol_version"], 1);
    let send = asking.ok("send", json!({"to": FRIEND, "text": "meanwhile"}));
    assert_eq!(send["ok"], true);
    fs::write(daemon.path("go"), "").unwrap();
    let picture = asking.inbound();
    assert_eq!(picture["attachments"][0]["converted_mime_type"], "image/png");
    assert_eq!(asking.texts(1), ["words"], "in order");
}

#[test]
fn a_daemon_that_stops_leaves_no_converter_behind() {
    let mut daemon = TestDaemon::start(home_with(
        "sleep 600 & echo $! >\"$here/pid\"; echo $$ >>\"$here/pid\"; : >\"$here/begun\"; wait",
    ));
    let chat = receive(&daemon, "M", &[("a.gif", GIF)]).chat_id.unwrap().0;
    let mut client = daemon.connect();
    let params = json!({"chat_id": chat, "attachments": true, "convert_attachments": true});
    let id = client.ask("messages.history", params);
    eventually("the conversion has begun", || daemon.path("begun").exists().then_some(()));
    daemon.ask_to_stop();
    let answer = client.answer(id).unwrap();
    assert!(answer["messages"][0]["attachments"][0].get("converted_path").is_none(), "{answer}");
    assert!(daemon.wait().success());
    for pid in fs::read_to_string(daemon.path("pid")).unwrap().lines() {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        eventually("the child is gone", || test_kill_process(pid).is_err().then_some(()));
    }
}

#[test]
fn the_converted_bytes_can_be_read_over_the_connection() {
    let daemon = TestDaemon::start(home_with(CONVERT));
    receive(&daemon, "M", &[("Audio Message.caf", CAF), ("a.txt", b"text"), ("b.caf", b"not what it claims")]);
    let mut client = daemon.connect();
    let piece = client.ok("attachments.read", json!({"guid": "at_0_M", "converted": true}));
    let bytes = BASE64_STANDARD.decode(piece["data"].as_str().unwrap()).unwrap();
    assert!(bytes.ends_with(CAF) && bytes.len() > CAF.len());
    assert_eq!(
        json!([piece["mime_type"], piece["uti"], piece["transfer_name"], piece["converted"], piece["eof"]]),
        json!(["audio/mp4", "com.apple.m4a-audio", "Audio Message.m4a", true, true])
    );
    assert_eq!(piece["total_bytes"], bytes.len());
    let original = client.ok("attachments.read", json!({"guid": "at_0_M"}));
    assert_eq!((&original["total_bytes"], &original["converted"]), (&json!(CAF.len()), &json!(false)));
    for (guid, code, said) in [("at_1_M", -32602, "is not converted, only CAF"), ("at_2_M", -32603, "imsgd's log")] {
        let refusal = client.refused("attachments.read", json!({"guid": guid, "converted": true}));
        assert_eq!(refusal.code, code, "{refusal:?}");
        assert!(refusal.data.as_str().unwrap().contains(said), "{refusal:?}");
    }
    let said = "converted must be a boolean";
    assert_eq!(client.refused("attachments.read", json!({"guid": "at_0_M", "converted": 1})).data, said);
    fs::remove_file(daemon.path("bin/ffmpeg")).unwrap();
    receive(&daemon, "N", &[("c.caf", CAF)]);
    let refusal = client.refused("attachments.read", json!({"guid": "at_0_N", "converted": true}));
    assert!(refusal.data.as_str().unwrap().contains("install ffmpeg"), "{refusal:?}");
}

#[test]
fn the_command_line_shows_what_was_converted_and_finds_ffmpeg_in_path() {
    let home = Home::new(FRIENDS);
    program(&home, CONVERT);
    let chat = receive(&home, "M", &[("wave.gif", GIF)]).chat_id.unwrap().0.to_string();
    let mut command = home.command(&["history", "--chat-id", &chat, "--attachments", "--convert-attachments"]);
    let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
    let output = command.env("PATH", path).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = shown.lines().nth(1).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("name=wave.gif mime=image/gif missing=false path="), "{line}");
    let (_, converted) =
        line.split_once(" converted_mime=image/png converted_path=").unwrap_or_else(|| panic!("{line}"));
    assert!(fs::read(converted).unwrap().ends_with(GIF), "{line}");
}
