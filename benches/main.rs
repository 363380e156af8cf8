//! `make bench`: what imsgd costs on this machine, as one table. Nothing here fails for being slow; ratios within one
//! run are what can be compared with another machine's.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for a person at a terminal")]

mod binary;
mod chain;
mod components;
mod idle;
mod large;
mod measure;
mod peers;
mod readers;
mod reload;
mod report;
mod server;
mod spawned;
mod start;
mod stream;

use std::process::ExitCode;

use report::Report;

type Part = fn(&mut Report) -> anyhow::Result<()>;

/// By the name by which one is measured alone, as in `cargo bench --bench bench -- large`.
const PARTS: [(&str, Part); 11] = [
    ("latency", stream::latency),
    ("chain", chain::run),
    ("sustained", stream::sustained),
    ("fan-out", stream::fan_out),
    ("readers", readers::run),
    ("start", start::run),
    ("idle", idle::idle),
    ("growth", idle::growth),
    ("reload", reload::run),
    ("large", large::run),
    ("binary", binary::run),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    match run(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The whole is written down; a part of it is only printed, and so is a whole of which a part has failed.
fn run(wanted: &[String]) -> anyhow::Result<()> {
    let mut report = Report::of_this_machine();
    if let Some(unknown) = wanted.iter().find(|name| PARTS.iter().all(|part| part.0 != **name)) {
        let names: Vec<&str> = PARTS.iter().map(|part| part.0).collect();
        anyhow::bail!("no part {unknown}; there are {}", names.join(", "));
    }
    let mut failed = Vec::new();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            eprintln!("measuring: {name}");
            if let Err(error) = part(&mut report) {
                eprintln!("error: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    report.print();
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    if wanted.is_empty() { report.write() } else { Ok(()) }
}
