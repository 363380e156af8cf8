//! What people see: colours, columns and signs of patience on a terminal, and none of them elsewhere.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::harness::{FRIEND, FRIENDS, Home, OTHER_FRIEND, accepted};

const ESCAPE: char = '\u{1b}';

fn home_with_messages() -> Home {
    let home = Home::new(FRIENDS);
    home.receive_from(FRIEND, "hello");
    home.receive_in("any;+;chat7", OTHER_FRIEND, "to all\n2026-01-02 03:04 [sent] me: forged");
    home.receive_from(FRIEND, "\u{1b}[2J\u{1b}]0;title\u{7}moved");
    home
}

/// The command on a terminal, with these variables; none where there is no `script` to make one.
fn on_terminal(home: &Home, line: &[&str], variables: &[(&str, &str)]) -> Option<Command> {
    let has_script = cfg!(target_os = "linux") && std::path::Path::new("/usr/bin/script").exists();
    if !has_script {
        eprintln!("/usr/bin/script is not there, so nothing was shown on a terminal");
        return None;
    }
    let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let config = home.path("config.toml");
    let line = [line, &["--config", config.to_str().unwrap()]].concat();
    let words: Vec<String> = [env!("CARGO_BIN_EXE_imsgd")].iter().chain(&line).map(|word| quoted(word)).collect();
    let mut command = Command::new("/usr/bin/script");
    command.args(["-qefc", &words.join(" "), "/dev/null"]).env_clear().stdin(Stdio::null());
    command.envs([("TERM", "xterm-256color"), ("TZ", "UTC"), ("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")]);
    command.env("HOME", home.path("")).envs(variables.iter().copied());
    Some(command)
}

fn shown(home: &Home, line: &[&str], variables: &[(&str, &str)]) -> Option<String> {
    let ended = on_terminal(home, line, variables)?.output().unwrap();
    Some(String::from_utf8(ended.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn colours_are_for_terminals_or_who_asks_for_them() {
    let home = home_with_messages();
    let is_coloured = |line: &[&str]| home.run(line).stdout.contains(ESCAPE);
    assert!(!is_coloured(&["chats"]));
    assert!(is_coloured(&["chats", "--color", "always"]) && is_coloured(&["chats", "--color=always"]));
    assert!(!is_coloured(&["chats", "--color", "always", "--color", "never"]));
    assert!(!is_coloured(&["chats", "--json", "--color", "always"]));
    let mut forced = home.command(&["chats"]);
    assert!(forced.env("CLICOLOR_FORCE", "1").output().unwrap().stdout.contains(&0x1b));
    let wrong = home.run(&["chats", "--color", "sometimes"]);
    assert!(wrong.stderr.starts_with("error: Invalid value for option: --color\n"), "{wrong:?}");
    for (line, variables, coloured) in [
        (&["chats"][..], &[][..], true),
        (&["history", "--chat-id", "1"], &[], true),
        (&["chats"], &[("NO_COLOR", "1")], false),
        (&["chats"], &[("CLICOLOR", "0")], false),
        (&["chats", "--color", "never"], &[], false),
        (&["chats", "--json"], &[], false),
        (&["chats", "--bogus"], &[], true),
        (&["--help"], &[], true),
    ] {
        let Some(screen) = shown(&home, line, variables) else { return };
        assert_eq!(screen.contains(ESCAPE), coloured, "{line:?} {variables:?}: {screen:?}");
    }
}

#[test]
fn people_see_columns_and_local_times() {
    let home = home_with_messages();
    let Some(screen) = shown(&home, &["chats", "--color", "never"], &[]) else { return };
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines.len(), 2, "{screen}");
    assert_eq!(lines[0].find("last="), lines[1].find("last="), "{screen}");
    assert!(lines[0].starts_with(&format!("[1] {FRIEND} ")) && lines[0].contains(" unread=2"), "{screen}");
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).strftime("last=%Y-%m-%d ").to_string();
    assert!(lines[0].contains(&day), "{screen}");
}

#[test]
fn elsewhere_lines_have_the_shape_of_imsg() {
    let home = home_with_messages();
    let chats = home.run(&["chats"]).stdout;
    let first = chats.lines().next().unwrap();
    assert!(first.starts_with(&format!("[1] {FRIEND} ({FRIEND}) last=")), "{chats}");
    assert_eq!(first.split("last=").nth(1).unwrap().split(' ').count(), 2, "a date is one word: {first}");
    let mut zoned = home.command(&["history", "--chat-id", "1", "--limit", "1"]);
    let line = String::from_utf8(zoned.env("TZ", "Asia/Kolkata").output().unwrap().stdout).unwrap();
    assert!(line.split(' ').next().unwrap().ends_with("+05:30"), "{line}");
    assert!(line.contains(&format!(" [recv] {FRIEND}: ")), "{line}");
}

#[test]
fn no_text_can_move_the_cursor_or_look_like_a_message() {
    let home = home_with_messages();
    let direct = home.run(&["history", "--chat-id", "1"]);
    assert!(direct.stdout.contains("moved") && !direct.stdout.contains(ESCAPE), "{direct:?}");
    assert!(!direct.stdout.contains('\u{7}'));
    let group = home.run(&["history", "--chat-id", "2"]);
    assert_eq!(group.stdout.lines().filter(|line| line.contains("forged")).count(), 1);
    assert!(group.stdout.lines().all(|line| !line.contains("forged") || line.starts_with("    ")), "{group:?}");
    let json = home.run(&["history", "--chat-id", "1", "--json"]);
    assert!(json.stdout.contains("\\u001b[2J"), "{json:?}");
}

#[test]
fn what_takes_long_shows_a_sign_of_it_on_a_terminal_only() {
    let home = Home::without_database(FRIENDS);
    std::fs::create_dir(home.path("run")).unwrap();
    let slow = UnixListener::bind(home.socket()).unwrap();
    let socket = home.socket();
    let line = ["search", "--query", "x", "--json", "--socket", socket.to_str().unwrap()];
    let Some(mut command) = on_terminal(&home, &line, &[]) else { return };
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = BufReader::new(child.stdout.take().unwrap());
    let mut daemon = accepted(&slow);
    BufReader::new(daemon.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
    let mut sign = Vec::new();
    while !String::from_utf8_lossy(&sign).contains("searching") {
        assert!(screen.read_until(b'g', &mut sign).unwrap() > 0, "no sign: {}", String::from_utf8_lossy(&sign));
    }
    daemon.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"messages\":[{\"text\":\"found\"}]}}\n").unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut screen, &mut rest).unwrap();
    assert!(rest.contains("{\"text\":\"found\"}"), "{rest:?}");
    assert!(child.wait().unwrap().success());
}
