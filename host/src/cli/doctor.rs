//! `imsgd doctor`: what works, what does not, and what to do about it.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use anstyle::Style;
use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::look::{self, FAINT, NAME, NEWS, WRONG, padded, paint};
use super::{Global, Where, client, print, status};
use crate::config::Config;
use crate::config::choice::Overrides;
use crate::doctor::{self, Daemon, Finding, Seen, Severity, System};

/// Where something is wrong, and where something is broken. What could not be checked is neither.
const WARNINGS: u8 = 1;
const ERRORS: u8 = 2;

/// The code of the error with which a daemon turns away who is none of its `server.peers`.
const NOT_PERMITTED: i64 = -32006;

const AFTER: &str = "\
Ends with 0 where all is well, with 1 after warnings and with 2 after errors. What could not be checked is told as
`unknown` and changes nothing. docs/doctor.md has every finding.

Example: imsgd doctor --json | jq -r '.findings[] | select(.severity == \"error\") | .next'";

/// Find out what is wrong, how that is known, and what to do about it
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Doctor {
    #[command(flatten)]
    at: Where,
}

impl Doctor {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let system = System::from_environment();
        let (ssh, said) = (system.ssh.clone(), global.overrides(&self.at));
        let findings = match global.load(&self.at) {
            Ok(config) => doctor::examine(&see(config, said, system)),
            Err(error) => doctor::without_configuration(&error, &said, system),
        };
        let worst = doctor::worst(&findings);
        if global.json {
            let shown: Vec<Value> = findings.iter().map(Finding::to_json).collect();
            let ok = worst < Severity::Warning;
            let report = json!({"ok": ok, "severity": worst.name(), "over_ssh": ssh.is_some(), "findings": shown});
            print(&format!("{report}\n"));
        } else {
            let _ = look::show(&screen(&findings, ssh.as_deref(), global.verbose > 0));
        }
        Ok(match worst {
            Severity::Error => ExitCode::from(ERRORS),
            Severity::Warning => ExitCode::from(WARNINGS),
            _ => ExitCode::SUCCESS,
        })
    }
}

/// Asks the daemon for all that the findings are made of.
fn see(config: Config, said: Overrides, system: System) -> Seen {
    let mut seen = Seen::new(config, said, system);
    seen.socket = client::socket_of(&seen.config);
    seen.knocked = knock(&seen.socket);
    // Its owner may ask where clients are turned away, or may not do all.
    let owners = client::connect(&seen.config).map(answer_on);
    seen.daemon = owners.filter(|daemon| daemon.status().is_some()).unwrap_or_else(|| seen.knocked.clone());
    if seen.daemon.status().is_none() {
        return seen;
    }
    let ask = |method: &str, params: Value| {
        let stream = client::connect(&seen.config)?;
        stream.set_read_timeout(Some(status::ANSWERS_WITHIN)).ok()?;
        client::call_on(stream, method, &params).ok()
    };
    let outbox = ask("outbox.list", json!({"limit": 50}));
    let held = ask("held.list", json!({"limit": 100}));
    let chats = ask("chats.list", json!({"limit": 1}));
    (seen.outbox, seen.held, seen.chats) = (outbox, held, chats);
    seen
}

/// As any client does.
fn knock(socket: &Path) -> Daemon {
    match UnixStream::connect(socket) {
        Err(error) if error.kind() == ErrorKind::NotFound => Daemon::Absent,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Daemon::Stale(error.to_string()),
        Err(error) => Daemon::Closed(error.to_string()),
        Ok(stream) => answer_on(stream),
    }
}

fn answer_on(stream: UnixStream) -> Daemon {
    match status::ask(stream) {
        Ok(status) if status["imsgd"].is_object() => Daemon::Status(status),
        Ok(_) => Daemon::Stranger("its status is not one of imsgd".to_owned()),
        Err(error) => match error.downcast_ref::<Failure>() {
            Some(failure) if failure.code == NOT_PERMITTED => Daemon::TurnedAway(failure.to_string()),
            _ => Daemon::Stranger(format!("{error:#}")),
        },
    }
}

fn screen(findings: &[Finding], ssh: Option<&str>, is_verbose: bool) -> String {
    let of = |severity: Severity| findings.iter().filter(move |finding| finding.severity == severity);
    let mut out = summary(findings);
    for severity in [Severity::Error, Severity::Warning] {
        out.extend(of(severity).map(told));
    }
    out.push_str(&unknown(findings));
    out.extend(of(Severity::Note).map(told));
    if is_verbose {
        out.extend(of(Severity::Ok).map(told));
    } else {
        let ids: Vec<&str> = of(Severity::Ok).map(|finding| finding.id).collect();
        out.push_str(&listed(Severity::Ok, &ids));
    }
    let is_wanted = |finding: &&Finding| finding.at_screen && finding.severity >= Severity::Note;
    let at_screen: Vec<&str> = findings.iter().filter(is_wanted).map(|finding| finding.id).collect();
    if let (Some(address), false) = (ssh, at_screen.is_empty()) {
        let address = if address.is_empty() { "THIS-MAC" } else { address };
        out.push_str(&format!(
            "{} {}\n  Go there, or share its screen: `open vnc://{address}` on another Mac (here, Screen Sharing has to be\n  \
             switched on under System Settings, General, Sharing).\n",
            paint(NEWS, "Only at the screen of this Mac:"),
            at_screen.join(", ")
        ));
    }
    out
}

/// How many of each kind there are.
fn summary(findings: &[Finding]) -> String {
    let count = |severity: Severity, one: &str, more: &str| {
        let count = findings.iter().filter(|finding| finding.severity == severity).count();
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { more }))
    };
    let wrong = [count(Severity::Error, "error", "errors"), count(Severity::Warning, "warning", "warnings")];
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    let told = if wrong.is_empty() { "Nothing is wrong".to_owned() } else { wrong.join(", ") };
    match count(Severity::Unknown, "thing", "things") {
        Some(unchecked) => format!("{}; {unchecked} could not be checked.\n", paint(NAME, told)),
        None => format!("{}.\n", paint(NAME, told)),
    }
}

/// Only their ids, in lines that fit a terminal.
fn listed(severity: Severity, ids: &[&str]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for id in ids {
        match lines.last_mut() {
            Some(line) if line.len() + id.len() + 2 <= COLUMNS - MARK_COLUMNS => line.push_str(&format!(", {id}")),
            _ => lines.push((*id).to_owned()),
        }
    }
    let mark = paint(style(severity), padded(severity.name(), MARK_COLUMNS - 2));
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let begins = if number == 0 { format!("{mark}  ") } else { " ".repeat(MARK_COLUMNS) };
        out.push_str(&format!("{begins}{line}\n"));
    }
    out
}

/// Of a terminal.
const COLUMNS: usize = 80;
/// Of the severity and two blanks.
const MARK_COLUMNS: usize = 9;

/// How long `id` may be.
const ID_COLUMNS: usize = 20;

fn first_line(finding: &Finding) -> String {
    let mark = paint(style(finding.severity), padded(finding.severity.name(), 7));
    format!("{mark}  {}  {}\n", padded(finding.id, ID_COLUMNS), look::harmless_text(&finding.what))
}

/// With its evidence and what to do.
fn told(finding: &Finding) -> String {
    let mut out = first_line(finding);
    for evidence in &finding.evidence {
        out.push_str(&paint(FAINT, format!("         seen: {}", look::harmless_text(evidence))));
        out.push('\n');
    }
    if let Some(next) = &finding.next {
        let place = if finding.at_screen { " (at the screen of the Mac)" } else { "" };
        out.push_str(&format!("         next: {}{place}\n", look::harmless_text(next)));
    }
    out
}

/// What could not be checked for one and the same reason is told together.
fn unknown(findings: &[Finding]) -> String {
    let unknown: Vec<&Finding> = findings.iter().filter(|finding| finding.severity == Severity::Unknown).collect();
    let mut out = String::new();
    for (number, finding) in unknown.iter().enumerate() {
        if unknown[..number].iter().any(|before| before.what == finding.what) {
            continue;
        }
        let same: Vec<&&Finding> = unknown.iter().filter(|other| other.what == finding.what).collect();
        match same[..] {
            [_] => out.push_str(&told(finding)),
            _ => {
                let ids: Vec<&str> = same.iter().map(|finding| finding.id).collect();
                out.push_str(&listed(Severity::Unknown, &ids));
                out.push_str(&format!("         {}\n", look::harmless_text(&finding.what)));
            }
        }
    }
    out
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Ok => NAME,
        Severity::Note | Severity::Unknown => FAINT,
        Severity::Warning => NEWS,
        Severity::Error => WRONG,
    }
}
