//! `imsgd doctor` against simulated faults: each finding is provoked, with the real program.

mod daemon;
mod database;
mod mac;
mod screen;
mod state;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use imsgd::doctor::KINDS;
use serde_json::{Value, json};

use crate::harness::{FRIENDS, Home, TestDaemon, wait_for};

/// What the doctor said, and how it ended.
struct Report {
    code: i32,
    said: Value,
}

fn doctor(home: &Home) -> Report {
    report(home.command(&["doctor", "--json"]))
}

fn report(mut command: Command) -> Report {
    let ended = command.output().expect("imsgd starts");
    let stdout = String::from_utf8(ended.stdout).unwrap();
    let said: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| {
        panic!("{error}: {stdout}{}", String::from_utf8_lossy(&ended.stderr));
    });
    let report = Report { code: ended.status.code().expect("no signal"), said };
    report.is_whole();
    report
}

impl Report {
    /// Each finding is there, says what it found, and fits what the whole says.
    fn is_whole(&self) {
        let findings = self.said["findings"].as_array().unwrap();
        for (id, _) in KINDS {
            assert!(findings.iter().any(|finding| finding["id"] == *id), "{id} is not there: {}", self.said);
        }
        for finding in findings {
            assert!(KINDS.iter().any(|(id, _)| finding["id"] == *id), "{finding}");
            assert!(!finding["what"].as_str().unwrap().is_empty() && finding["at_screen"].is_boolean(), "{finding}");
            if ["warning", "error"].contains(&finding["severity"].as_str().unwrap()) {
                assert!(finding["next"].is_string(), "nothing to do: {finding}");
                assert!(!finding["evidence"].as_array().unwrap().is_empty(), "not known from anything: {finding}");
            }
        }
        let has = |severity: &str| findings.iter().any(|finding| finding["severity"] == severity);
        let code = if has("error") { 2 } else { i32::from(has("warning")) };
        assert_eq!((self.code, self.said["ok"] == true), (code, code == 0), "{}", self.said);
    }

    fn finding(&self, id: &str) -> &Value {
        self.said["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id).unwrap()
    }

    /// The finding has this severity, and these words somewhere.
    fn check(&self, id: &str, severity: &str, words: &[&str]) {
        let finding = self.finding(id);
        assert_eq!(finding["severity"], severity, "{finding}");
        for words in words {
            assert!(finding.to_string().contains(words), "{words}: {finding}");
        }
    }
}

/// As `daemon` says it is, but for what `change` makes of it: from another version, or at another time.
fn doctor_of_another(daemon: &TestDaemon, change: impl FnOnce(&mut Value)) -> Report {
    let mut status = daemon.status();
    change(&mut status);
    doctor_of(daemon, &status, |_| ())
}

/// As the daemon would be that says this.
fn doctor_of(daemon: &TestDaemon, status: &Value, change: impl FnOnce(&mut Command)) -> Report {
    let socket = daemon.path("other");
    let mut command = daemon.command(&["doctor", "--json", "--socket", socket.to_str().unwrap()]);
    change(&mut command);
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    listener.set_nonblocking(true).unwrap();
    // As many as come, until the command has ended.
    loop {
        match listener.accept() {
            Ok((stream, _)) => answer(&stream, status),
            Err(_) if child.try_wait().unwrap().is_some() => break,
            Err(_) => std::thread::yield_now(),
        }
    }
    let status = wait_for(&mut child, "imsgd doctor");
    let said = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    std::fs::remove_file(&socket).unwrap();
    let report = Report { code: status.code().unwrap(), said };
    report.is_whole();
    report
}

fn answer(stream: &std::os::unix::net::UnixStream, status: &Value) {
    stream.set_nonblocking(false).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    let Ok(request) = serde_json::from_str::<Value>(&line) else { return };
    let result = if request["method"] == "status" { status.clone() } else { json!({}) };
    let mut stream = stream;
    let _ = writeln!(stream, "{}", json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
}

#[test]
fn each_finding_is_provoked_by_a_test_and_told_in_the_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(root.join("tests/doctor")).unwrap();
    let tests: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let document = std::fs::read_to_string(root.join("docs/doctor.md")).unwrap();
    let told: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let ids: Vec<&str> = KINDS.iter().map(|(id, _)| *id).collect();
    assert_eq!(told[..ids.len()], ids, "docs/doctor.md has other findings");
    for (id, _) in KINDS {
        let is_provoked = ["error", "warning", "note", "unknown"]
            .iter()
            .any(|severity| tests.contains(&format!("check(\"{id}\", \"{severity}\"")));
        assert!(is_provoked, "no test provokes {id}");
    }
}

#[test]
fn where_all_is_well_nothing_is_wrong_and_the_command_succeeds() {
    let daemon = TestDaemon::new(FRIENDS);
    let report = doctor(&daemon);
    for id in ["configuration", "daemon", "version", "socket", "socket_access", "database", "full_disk_access"] {
        report.check(id, "ok", &[]);
    }
    for id in ["lag", "plugins", "held", "sending", "outbox", "judging", "state_db", "state_lost"] {
        report.check(id, "ok", &[]);
    }
    let failed = |finding: &&Value| ["warning", "error"].contains(&finding["severity"].as_str().unwrap());
    let wrong: Vec<&Value> = report.said["findings"].as_array().unwrap().iter().filter(failed).collect();
    // How much room this machine has is not ours to say.
    assert!(wrong.iter().all(|finding| finding["id"] == "disk"), "{wrong:?}");
}
