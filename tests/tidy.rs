//! What the map in `host/src/lib.rs` promises, as far as a search can tell.

use std::fs;
use std::path::{Path, PathBuf};

const LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders, with its content.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 1, "{folders:?}");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(named).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_not_too_long() {
    for (name, content) in sources(&["host", "plugins", "tests", "fuzz", "examples", "benches"]) {
        assert!(content.starts_with("//! "), "{name} does not begin with a `//!` line");
        let lines = content.lines().count();
        assert!(lines <= LINES, "{name} has {lines} lines, which is over {LINES}");
    }
}

#[test]
fn what_only_decides_and_decodes_knows_no_runtime_no_database_and_no_format() {
    let pure = |name: &str| {
        ["message", "decode", "policy"]
            .iter()
            .any(|module| name == format!("host/src/{module}.rs") || name.starts_with(&format!("host/src/{module}/")))
    };
    let mut looked_at = 0;
    for (name, content) in sources(&["host/src"]).into_iter().filter(|(name, _)| pure(name)) {
        looked_at += 1;
        for banned in ["tokio", "rusqlite", "wasmtime", "serde"] {
            let uses = content.lines().find(|line| line.contains(&format!("{banned}::")));
            assert_eq!(uses, None, "{name} uses {banned}");
        }
    }
    assert!(looked_at > 5, "{looked_at} files");
}

#[test]
fn processes_are_started_in_few_places() {
    let allowed = ["host/src/process.rs", "host/src/author/toolchain.rs", "host/src/sim/osascript.rs"];
    for (name, content) in sources(&["host/src"]).into_iter().filter(|(name, _)| !name.ends_with("tests.rs")) {
        // clap has a Command of its own, which starts nothing.
        let starts =
            content.contains("process::Command") || content.contains("process::{") && content.contains("Command");
        let starts = starts && content.contains("Command::new(");
        assert!(!starts || allowed.contains(&name.as_str()) || name.contains("demo"), "{name} starts processes");
    }
}

#[test]
fn only_one_module_opens_each_database_of_macos_and_only_for_reading() {
    for (name, content) in sources(&["host/src"]) {
        let is_simulation = name.starts_with("host/src/sim");
        let opens = content.contains("Connection::open");
        let is_reader = ["host/src/chatdb", "host/src/contacts", "host/src/doctor/tcc"]
            .iter()
            .any(|reader| name.starts_with(reader));
        let may = is_reader || name.starts_with("host/src/state") || is_simulation;
        assert!(!opens || may, "{name} opens a database");
    }
    for reader in ["host/src/chatdb.rs", "host/src/contacts/book.rs", "host/src/doctor/tcc.rs"] {
        let reader = fs::read_to_string(root().join(reader)).unwrap();
        assert!(reader.contains("SQLITE_OPEN_READ_ONLY") && !reader.contains("SQLITE_OPEN_READ_WRITE"));
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let main = fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = path.extension().is_some_and(|extension| extension == "rs") && name != "main";
        assert!(!is_module || main.contains(&format!("mod {name};")), "tests/{name}.rs is not in tests/main.rs");
    }
}
