//! Cold start: from the start of a process to its first answer, beside what any process costs here. Files are in the
//! page cache, as those of a program are that is started often.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::report::{Report, Row, shown};
use crate::server::{IMSGD, Server};
use crate::spawned::{first_lines, imsgd};

const SMALL: (usize, usize) = (20, 10_000);
const LARGE: (usize, usize) = (2_000, 1_000_000);
const RUNS: usize = 50;

/// What a client asks first. It needs no policy, so it does not wait for one to be compiled.
const CHATS: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"chats.list\",\"params\":{\"limit\":1}}\n";
const ANSWER: &str = "\"result\":{\"chats\":[{";

pub fn run(report: &mut Report) -> Result<()> {
    report.section(
        "Cold start",
        "From the start of the process to the first complete line of its answer; every run is a process of its own. `rpc` is \
         asked `chats.list` for one chat.",
    );
    let floor = first_lines(RUNS, Command::new("echo").arg("hello"), "", "hello")?;
    report.row(Row::times("echo: what any process costs here", &floor));
    let version = first_lines(RUNS, Command::new(IMSGD).arg("--version"), "", env!("CARGO_PKG_VERSION"))?;
    report.row(Row::times("imsgd --version", &version));
    for size in [SMALL, LARGE] {
        of_size(report, size)?;
    }
    report.note(
        "To relay costs little beyond starting the program, as `--version` does: its pages are mapped, its addresses put in place, \
         and the command line is read. To pass this, `rpc` would have to be a program of its own, without SQLite, the compiler and \
         the policies.",
    );
    Ok(())
}

fn of_size(report: &mut Report, (chats, messages): (usize, usize)) -> Result<()> {
    let server = Server::start(chats, messages)?;
    let db = server.db();
    let served = db.with_file_name("state");
    let alone = tempfile::tempdir()?;
    // Goals are for the daemon's own small part; what it reads is measured on both.
    let cases = [
        ("rpc, relaying to a daemon", first_lines(RUNS, &mut imsgd(&["rpc"], &db, &served), CHATS, ANSWER)?, 5),
        (
            "rpc --standalone",
            first_lines(RUNS, &mut imsgd(&["rpc", "--standalone"], &db, alone.path()), CHATS, ANSWER)?,
            60,
        ),
        (
            "chats --limit 1 --json, without a daemon",
            first_lines(RUNS, &mut imsgd(&["chats", "--limit", "1", "--json"], &db, alone.path()), "", "{\"id\":")?,
            20,
        ),
    ];
    for (what, times, most) in cases {
        let most = Duration::from_millis(most);
        let row = Row::times(&format!("{what}; {messages} messages"), &times);
        report.row(row.goal(&format!("≤ {}", shown(most)), times.median() <= most));
    }
    Ok(())
}
