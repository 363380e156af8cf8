//! Commands that only work with imsg's bridge: known, and refused.

use serde_json::{Value, json};

use crate::harness::Home;

/// All of them, with options that are right.
const COMMANDS: &[&[&str]] = &[
    &["send-rich", "--chat", "g", "--text", "hi", "--part", "2"],
    &["send-multipart", "--chat", "g"],
    &["send-attachment", "--chat", "g", "--file", "/a"],
    &["send-sticker", "--chat", "g"],
    &["poll", "send", "--chat-id", "1"],
    &["poll", "vote", "--chat-id", "1", "--option-index", "0"],
    &["tapback", "--chat-id", "1", "--kind", "love"],
    &["edit", "--chat", "g", "--part", "0"],
    &["unsend", "--chat", "g"],
    &["delete-message", "--chat", "g"],
    &["notify-anyways", "--chat", "g"],
    &["chat-create", "--service", "IMESSAGE"],
    &["chat-name", "--chat", "g"],
    &["chat-photo", "--chat", "g"],
    &["chat-add-member", "--chat", "g"],
    &["chat-remove-member", "--chat", "g"],
    &["chat-leave", "--chat", "g"],
    &["chat-delete", "--chat", "g"],
    &["chat-mark", "--chat", "g", "--read"],
    &["name-photo", "status"],
    &["account"],
    &["read", "--to", "+1555"],
    &["read", "--handle", "+1555"],
    &["typing", "--chat-id", "1", "--duration", "2s500ms", "--stop", "true", "--service", "sms"],
    &["launch", "--kill-only"],
];

#[test]
fn they_say_why_they_fail() {
    let home = Home::without_database("");
    for command in COMMANDS {
        let answered = home.run_bare(command);
        assert_eq!((answered.status.code(), answered.stdout.as_str()), (Some(1), ""), "{command:?}: {answered:?}");
        assert!(answered.stderr.starts_with("error: "), "{command:?}: {answered:?}");
        assert!(answered.stderr.contains("private bridge"), "{command:?}: {answered:?}");
    }
    let typing = home.run_bare(&["typing", "--to", "+1555"]);
    assert!(typing.stderr.starts_with("error: Typing indicator failed: "), "{typing:?}");
}

#[test]
fn with_json_the_failure_is_their_answer() {
    let home = Home::without_database("");
    for command in COMMANDS.iter().filter(|command| command[0] != "launch") {
        for line in [[&["--json"], *command].concat(), [*command, &["--json"]].concat()] {
            let answered = home.run_bare(&line);
            assert_eq!(answered.status.code(), Some(1), "{line:?}: {answered:?}");
            let answer: Value =
                serde_json::from_str(&answered.stdout).unwrap_or_else(|error| panic!("{error}: {line:?}"));
            assert_eq!(answer["success"], false, "{line:?}");
            assert!(answer["error"].as_str().unwrap().contains("private bridge"), "{line:?}: {answer}");
        }
    }
    let launch: Value = serde_json::from_str(&home.run_bare(&["launch", "--json"]).stdout).unwrap();
    assert_eq!(launch["status"], "error");
}

#[test]
fn wrong_options_are_told_first() {
    let home = Home::without_database("");
    for (command, said) in [
        (&["chat-mark", "--read", "--unread", "--chat", "g"][..], "Invalid value for option: --read"),
        (&["chat-create", "--service", "SMS"], "Unsupported service: SMS"),
        (&["send-rich", "--part", "-1"], "Invalid value for option: --part"),
        (&["edit", "--part=x"], "Invalid value for option: --part"),
        (&["poll", "vote", "--poll", "g", "--option-index", "x"], "Invalid value for option: --option-index"),
        (&["poll", "vote", "--poll", "g", "--chat-id", "0"], "Invalid value for option: --chat-id"),
        (&["read", "--to", "+1555", "--chat-id", "invalid"], "Invalid value for option: --chat-id"),
        (&["read", "--to", "+1555", "--chat-id", "1"], "Invalid value for option: --to"),
        (&["read"], "Missing required option: --to"),
        (&["typing"], "Missing required option: --to"),
        (&["typing", "--to", "+1555", "--chat-identifier", "x"], "Invalid value for option: --to"),
        (&["typing", "--to", "+1555", "--stop", "1"], "Invalid value for option: --stop"),
        (&["typing", "--to", "+1555", "--duration", "bad"], "Invalid value for option: --duration"),
        (&["typing", "--to", "+1555", "--service", "fax"], "Invalid service: fax"),
    ] {
        let refused = home.run_bare(command);
        let expected = format!("error: {said}\n");
        assert_eq!((refused.status.code(), refused.stderr.as_str()), (Some(1), expected.as_str()), "{command:?}");
        let with_json = home.run_bare(&[command, &["--json"]].concat());
        assert_eq!(with_json.stdout, "", "{command:?}");
        let last: Value = serde_json::from_str(with_json.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(last, json!({"success": false, "error": said}), "{command:?}");
    }
}

#[test]
fn asking_for_their_help_is_no_proof_that_they_work() {
    let home = Home::without_database("");
    for command in [&["send-rich", "--help"][..], &["poll", "send", "--help"], &["launch", "-h"]] {
        let answered = home.run_bare(command);
        assert_eq!((answered.status.code(), answered.stdout.as_str()), (Some(1), ""), "{command:?}: {answered:?}");
    }
}
