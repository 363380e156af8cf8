//! `imsgd plugin check`: what a component is, what it may do, and whether a daemon would load it, in words.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::author::{self, Import, Inspection, Outcome};
use crate::cli::{Global, print};
use crate::plugin::{ABI_VERSION, COMPONENT_BYTES, limits};

/// Of what stands behind the titles, in columns.
const WIDTH: usize = 100;

#[derive(Args)]
pub struct Check {
    /// The component
    file: PathBuf,
}

impl Check {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let mut bytes = Vec::new();
        File::open(&self.file)
            // A little more than is taken shows that it is too much.
            .and_then(|file| file.take(COMPONENT_BYTES + 1).read_to_end(&mut bytes))
            .with_context(|| format!("could not read {}", self.file.display()))?;
        let inspection = author::inspect(&bytes)?;
        match global.json {
            true => print(&format!("{}\n", json(&self.file, &inspection))),
            false => print(&report(&self.file, &inspection)),
        }
        Ok(if inspection.outcome.is_loadable() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// For people.
pub fn report(file: &Path, inspection: &Inspection) -> String {
    let mut out = format!("{}  {} bytes\n", file.display(), inspection.bytes);
    let mut line = |title: &str, text: &str| out.push_str(&format!("  {title:9} {text}\n"));
    if !inspection.interfaces.is_empty() {
        line("is", &format!("{}, version {}", inspection.interfaces.join(" and "), inspection.version));
    }
    if let Some(abi) = &inspection.abi {
        line("built for", &format!("imsgd:policy@{abi}; this imsgd has {ABI_VERSION}"));
    }
    if let Some(source) = &inspection.source {
        line("of source", &source[..source.floor_char_boundary(12)]);
    }
    if !inspection.made_by.is_empty() {
        let tools: Vec<String> =
            inspection.made_by.iter().map(|(tool, version)| format!("{tool} {}", brief(version))).collect();
        line("made by", &tools.join(", "));
    }
    let abilities = abilities(&inspection.imports);
    for (index, ability) in abilities.iter().flat_map(|ability| wrapped(ability)).enumerate() {
        line(if index == 0 { "may" } else { "" }, &ability);
    }
    line("may not", "read files, reach a network, see the environment, start anything: nothing else is there");
    line("has", &limits());
    match &inspection.outcome {
        Outcome::Starts { compiled_in, started_in } => {
            line("loads", &format!("compiled in {}, started in {}", took(*compiled_in), took(*started_in)));
        }
        Outcome::WantsConfig { compiled_in, reason } => {
            line(
                "loads",
                &format!("compiled in {}; it wants a `config` in its [[plugin]] table: {reason}", took(*compiled_in)),
            );
        }
        Outcome::Fails { reason } => line("REFUSED", &format!("it fails when it is configured with nothing: {reason}")),
        Outcome::Refused { reason } => line("REFUSED", &format!("it {}", reason_of_it(reason))),
    }
    if !inspection.outcome.is_loadable() {
        line(
            "offered",
            &format!("imsgd:policy@{ABI_VERSION} with message, host and store, and WASI 0.2, which reaches nothing"),
        );
    }
    out
}

/// For programs.
pub fn json(file: &Path, inspection: &Inspection) -> Value {
    let mut object = json!({
        "file": file.display().to_string(),
        "bytes": inspection.bytes,
        "version": inspection.version,
        "source": inspection.source,
        "abi": inspection.abi,
        "host_abi": ABI_VERSION,
        "made_by": inspection.made_by.iter().map(|(tool, version)| json!({"tool": tool, "version": version})).collect::<Vec<_>>(),
        "interfaces": inspection.interfaces,
        "imports": inspection.imports.iter().map(|import| json!({"name": import.name, "functions": import.functions})).collect::<Vec<_>>(),
        "ok": inspection.outcome.is_loadable(),
    });
    let micros = |time: &Duration| json!(time.as_micros() as u64);
    match &inspection.outcome {
        Outcome::Starts { compiled_in, started_in } => {
            object["compile_us"] = micros(compiled_in);
            object["start_us"] = micros(started_in);
        }
        Outcome::WantsConfig { compiled_in, reason } => {
            object["compile_us"] = micros(compiled_in);
            object["wants_config"] = json!(reason);
        }
        Outcome::Fails { reason } | Outcome::Refused { reason } => object["refused"] = json!(reason),
    }
    object
}

/// In lines that fit a screen, broken at commas and set in.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split_inclusive(", ") {
        if lines.last().is_some_and(|line| line.len() + part.len() > WIDTH) {
            lines.push("  ".to_owned());
        }
        lines.last_mut().into_iter().for_each(|line| line.push_str(part));
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A refusal that begins with a verb follows `it`; others are sentences about what the file is.
fn reason_of_it(reason: &str) -> String {
    match reason.starts_with("not ") || reason.starts_with("a ") {
        true => format!("is {reason}"),
        false => reason.to_owned(),
    }
}

/// What its imports let it do, each in words.
fn abilities(imports: &[Import]) -> Vec<String> {
    let mut abilities = Vec::new();
    let uses = |interface: &str| {
        let found = imports.iter().find(|import| import.name.starts_with(&format!("imsgd:policy/{interface}@")));
        found.map(|import| import.functions.iter().map(String::as_str).collect::<Vec<_>>())
    };
    if let Some(functions) = uses("message") {
        let read: Vec<String> = functions.iter().filter_map(|name| method(name)).collect();
        if !read.is_empty() {
            abilities.push(format!("read of a message that it judges: {}", read.join(", ")));
        }
    }
    let host = uses("host").unwrap_or_default();
    for (function, words) in [
        ("now", "ask the time"),
        ("random", "ask for random bytes"),
        ("normalize", "have addresses spelt in their one form"),
        ("log", "write lines to its log"),
    ] {
        if host.contains(&function) {
            abilities.push(words.to_owned());
        }
    }
    let store = uses("store").unwrap_or_default();
    let writes = store.contains(&"set") || store.contains(&"delete");
    match (writes, store.is_empty()) {
        (true, _) => abilities.push("keep state of its own".to_owned()),
        (false, false) => abilities.push("read state of its own".to_owned()),
        (false, true) => {}
    }
    let wasi: Vec<&str> =
        imports.iter().filter_map(|import| import.name.strip_prefix("wasi:")?.split('@').next()).collect();
    if !wasi.is_empty() {
        abilities.push(format!("call WASI, which answers but reaches nothing: {}", wasi.join(", ")));
    }
    if abilities.is_empty() {
        abilities.push("answer, and ask for nothing".to_owned());
    }
    abilities
}

/// `[method]person.address` → `sender.address`. To ask for a sender or a chat as such tells nothing.
fn method(name: &str) -> Option<String> {
    let (resource, method) = name.strip_prefix("[method]")?.split_once('.')?;
    match (resource, method) {
        ("message", "sender" | "chat") => None,
        ("message", _) => Some(method.to_owned()),
        ("person", _) => Some(format!("sender.{method}")),
        _ => Some(format!("{resource}.{method}")),
    }
}

fn limits() -> String {
    format!(
        "at most {} ms for a call, {} ms to start, {} MiB of memory, {} MiB in its store",
        limits::CALL_CPU.as_millis(),
        limits::START_CPU.as_millis(),
        limits::MEMORY_BYTES >> 20,
        limits::STORE_TOTAL_BYTES >> 20
    )
}

/// Without a commit and a date behind the number.
fn brief(version: &str) -> &str {
    version.split_whitespace().next().unwrap_or_default()
}

fn took(time: Duration) -> String {
    match time.as_micros() {
        micros if micros < 10_000 => format!("{micros} µs"),
        micros => format!("{} ms", micros / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(name: &str, functions: &[&str]) -> Import {
        Import { name: name.into(), functions: functions.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn what_a_policy_may_do_is_told_by_what_it_imports() {
        let imports = [
            import(
                "imsgd:policy/message@0.1.0",
                &["[method]message.text", "[method]message.sender", "[method]person.address"],
            ),
            import("imsgd:policy/host@0.1.0", &["log", "now"]),
            import("imsgd:policy/store@0.1.0", &["get"]),
            import("wasi:cli/stderr@0.2.3", &["get-stderr"]),
        ];
        assert_eq!(
            abilities(&imports),
            [
                "read of a message that it judges: text, sender.address",
                "ask the time",
                "write lines to its log",
                "read state of its own",
                "call WASI, which answers but reaches nothing: cli/stderr",
            ]
        );
        assert_eq!(abilities(&[]), ["answer, and ask for nothing"]);
    }
}
