//! `make bench`: what imsgd costs on this machine, as one table. Nothing here fails for being slow; ratios within one
//! run are what can be compared with another machine's.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for a person at a terminal")]

mod large;
mod measure;
mod report;
mod server;

use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let mut report = Report::of_this_machine();
    match large::run(&mut report).and_then(|()| report.write()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
