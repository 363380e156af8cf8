//! What callers of `imsg` can rely on: `docs/compatibility.md` names a test or a reason for each line, and the tests
//! are below, on databases that have only the columns in question.

mod chats;
mod commands;
mod contract;
mod payloads;
mod previews;
mod reactions;
mod reading;
mod replies;
mod runtime;
mod sending;
mod watching;

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Client, Home, OPEN, SmallDb, TestDaemon};

/// A daemon that lets everything through, on a small database, and a client of it.
struct Bench {
    daemon: TestDaemon,
    client: Client,
    db: SmallDb,
}

impl Bench {
    /// On the database that `make` makes.
    fn new(make: impl FnOnce(&Path) -> SmallDb) -> Bench {
        let home = Home::without_database(OPEN);
        let db = make(&home.db());
        let daemon = TestDaemon::start(home);
        let client = daemon.connect();
        Bench { daemon, client, db }
    }

    fn messages(&mut self, method: &str, params: Value) -> Vec<Value> {
        let mut answer = self.client.ok(method, params);
        serde_json::from_value(answer["messages"].take()).expect("messages")
    }

    fn history(&mut self, chat: i64) -> Vec<Value> {
        self.messages("messages.history", json!({"chat_id": chat}))
    }

    fn after(&mut self, since: i64) -> Vec<Value> {
        self.messages("messages.after", json!({"since_rowid": since}))
    }
}

/// The `id` of each.
fn ids(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|message| message["id"].as_i64().expect("an id")).collect()
}

/// One field of each; null where it is left out.
fn each(messages: &[Value], field: &str) -> Vec<Value> {
    messages.iter().map(|message| message.get(field).cloned().unwrap_or_default()).collect()
}

/// That these fields are left out, which is not the same as null.
#[track_caller]
fn check_absent(object: &Value, fields: &[&str]) {
    for field in fields {
        assert_eq!(object.get(field), None, "{field}: {object}");
    }
}

/// The groups of `docs/compatibility.md`, and how many lines each has.
const LINES: [(&str, usize); 27] = [
    ("9.1", 20),
    ("9.2", 7),
    ("9.3", 5),
    ("9.4", 3),
    ("9.5", 11),
    ("9.6", 6),
    ("9.7", 2),
    ("9.8", 8),
    ("9.9", 11),
    ("9.10", 14),
    ("9.11", 11),
    ("9.12", 15),
    ("9.13", 10),
    ("9.14", 22),
    ("9.15", 2),
    ("9.16", 12),
    ("9.17", 9),
    ("9.18", 11),
    ("9.19", 8),
    ("9.20", 1),
    ("9.21", 2),
    ("9.22", 6),
    ("9.23", 3),
    ("9.24", 6),
    ("9.25", 15),
    ("9.26", 7),
    ("9.27", 11),
];

#[test]
fn each_line_of_the_document_names_a_test_that_exists_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    let groups: Vec<(&str, usize)> = document.lines().filter_map(|line| group(line.strip_prefix("### ")?)).collect();
    assert_eq!(groups, LINES);
    let mut rows = document.lines().filter(|line| line.starts_with("| 9."));
    for (group, count) in LINES {
        for number in 1..=count {
            let row = rows.next().unwrap_or_else(|| panic!("no line {group}.{number}"));
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [name, behaviour, shown] = cells[..] else { panic!("{row}") };
            assert_eq!(name, format!("{group}.{number}"), "{row}");
            assert!(!behaviour.is_empty(), "{row}");
            check_shown(root, row, shown);
        }
    }
    assert_eq!(rows.next(), None);
}

/// Number of a group and how many lines its title says that it has, as in `9.2 Reactions (7)`.
fn group(title: &str) -> Option<(&str, usize)> {
    let (number, rest) = title.split_once(' ').filter(|(number, _)| number.starts_with("9."))?;
    let (_, count) = rest.strip_suffix(')')?.rsplit_once('(')?;
    Some((number, count.parse().ok()?))
}

/// Names tests that exist, or says why there is none.
pub fn check_shown(root: &Path, row: &str, shown: &str) {
    let reason = shown.strip_prefix("No test: ");
    let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
    assert!(reason.is_some_and(|reason| reason.len() > 20) || !tests.is_empty(), "{row}");
    for test in tests {
        let (file, name) = test.split_once("::").unwrap();
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}: {row}"));
        let source: Vec<&str> = source.lines().map(str::trim).collect();
        let is_named = |line: &&str| line.contains(&format!("fn {name}("));
        let at = source.iter().position(is_named).unwrap_or_else(|| panic!("{file} has no {name}: {row}"));
        let is_test = source[..at]
            .iter()
            .rev()
            .take(4)
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        assert!(is_test, "{test} is no test: {row}");
    }
}
