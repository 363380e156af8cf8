//! Wrong command lines: what is said of them, and that nothing else happens.

use serde_json::{Value, json};

use crate::harness::{FRIENDS, Home};

/// Refused with these words first, and with the same as JSON on the last line where that is asked for.
fn check(home: &Home, line: &[&str], said: &str) {
    let refused = home.run(line);
    assert_eq!(refused.status.code(), Some(1), "{line:?}: {refused:?}");
    assert_eq!(refused.stdout, "", "{line:?}");
    assert_eq!(refused.stderr.lines().next(), Some(format!("error: {said}").as_str()), "{line:?}: {refused:?}");
    let with_json = home.run(&[line, &["--json"]].concat());
    let last = with_json.stderr.lines().last().unwrap_or_default();
    let last: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{line:?}: {error}: {with_json:?}"));
    assert_eq!(last, json!({"success": false, "error": said}), "{line:?}");
    assert_eq!(with_json.stdout, "", "{line:?}");
}

#[test]
fn a_number_that_is_none_is_refused_before_the_database_is_opened() {
    let home = Home::without_database(FRIENDS);
    for command in [
        &["chats", "--limit"][..],
        &["group", "--chat-id"],
        &["history", "--chat-id"],
        &["history", "--chat-id", "1", "--limit"],
        &["search", "--query", "x", "--limit"],
        &["stats", "--chat-id"],
        &["scheduled", "list", "--limit"],
    ] {
        let option = command.last().unwrap();
        for value in ["not-a-number", "9223372036854775808", "", "0", "-1"] {
            check(&home, &[command, &[value]].concat(), &format!("Invalid value for option: {option}"));
        }
    }
}

#[test]
fn wrong_command_lines_are_refused_in_the_words_of_imsg() {
    let home = Home::without_database(FRIENDS);
    for (line, said) in [
        (&["bogus"][..], "Unknown subcommand 'bogus' for command 'imsgd'"),
        (&["chats", "--no-such"], "Unknown option --no-such"),
        (&["chats", "stray"], "Unexpected argument: stray"),
        (&["group"], "Missing required option: --chat-id"),
        (&["history"], "Missing required option: --chat-id"),
        (&["search"], "Missing required option: --query"),
        (&["history", "--chat-id"], "Missing value for option --chat-id"),
        (&["search", "--query", "x", "--match", "like"], "Invalid value for option: --match"),
        (&["scheduled", "drop"], "Invalid value for option: --action"),
        (&["history", "--chat-id", "1", "--start", "bad-date"], "Invalid ISO8601 date: bad-date"),
    ] {
        check(&home, line, said);
    }
    let bare = home.run_bare(&["--json"]);
    assert_eq!(bare.status.code(), Some(1), "{bare:?}");
    assert!(bare.stderr.contains("Command 'imsgd' requires a subcommand") && bare.stderr.contains("history"));
}

#[test]
fn help_and_version_are_data_and_no_failure() {
    let home = Home::without_database("");
    for line in [&[][..], &["--help"], &["history", "--chat-id", "x", "--help"], &["help"]] {
        let help = home.run_bare(line);
        assert_eq!((help.status.code(), help.stderr.as_str()), (Some(0), ""), "{line:?}");
        assert!(help.stdout.contains("--json"), "{line:?}: {help:?}");
    }
    for line in [&["--version"][..], &["-V"], &["chats", "--version"]] {
        let version = home.run_bare(line);
        assert_eq!(version.status.code(), Some(0), "{line:?}");
        assert_eq!(version.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"), "{line:?}");
    }
    let mut packaged = home.command_bare(&["--version"]);
    assert_eq!(packaged.env("IMSG_VERSION", "9.9.9").output().unwrap().stdout, b"9.9.9\n");
}

#[test]
fn options_are_spelled_as_imsg_or_joined_by_an_equals_sign() {
    let home = Home::new("");
    home.receive_from("+14155550101", "one");
    home.receive_from("+14155550102", "- two");
    for line in [
        &["history", "--chat-id=1", "--limit=1", "--json"][..],
        &["history", "--chat-id", "2", "--chat-id", "1", "--json-output"],
        &["history", "--participants", "+14155550101", " +1,", "--chat-id", "1", "--jsonOutput", "--logLevel", "warn"],
        &["search", "--query", "one", "-jv"],
    ] {
        let read = home.run(line);
        assert!(read.status.success(), "{line:?}: {read:?}");
        let message: Value = serde_json::from_str(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
        assert_eq!(message["text"], "one", "{line:?}");
    }
    let dashed = home.run(&["search", "--query", "- t", "--json"]);
    assert!(dashed.stdout.contains("- two"), "{dashed:?}");
    let forgotten = home.run(&["search", "--query", "--json"]);
    assert!(forgotten.stderr.contains("Missing value for option --query"), "{forgotten:?}");
    let named = home.run_bare(&["chats", "--db", "~/chat.db", "--json"]);
    assert_eq!(named.stdout.lines().count(), 2, "{named:?}");
}

#[test]
fn a_database_that_cannot_be_read_is_told_with_what_to_do() {
    let home = Home::without_database("");
    let missing = home.run(&["chats"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("Permission Error") && missing.stderr.contains("Full Disk Access"), "{missing:?}");
    std::fs::create_dir(home.db()).unwrap();
    let unreadable = home.run(&["chats", "--json"]);
    assert_eq!((unreadable.status.code(), unreadable.stdout.as_str()), (Some(1), ""));
    let path = home.db().display().to_string();
    for words in ["Permission Error", "Full Disk Access", "parent launcher", "built-in Terminal.app", &path] {
        assert!(unreadable.stderr.contains(words), "{words}: {unreadable:?}");
    }
    let last: Value = serde_json::from_str(unreadable.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&last["code"], &last["data"]["path"]), (&json!(-32002), &json!(path)));
}
