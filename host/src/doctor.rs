//! What is wrong, how it is known, and what to do about it: the findings of `imsgd doctor`.
//!
//! Each finding has an id that never changes, and is there each time: what could not be looked at is `unknown` with the
//! reason, never `ok`. Nothing here writes, and nothing asks macOS for what it would have to ask its owner for.

mod command;
mod daemon;
mod database;
mod launchd;
mod messages;
mod outbox;
mod permission;
mod plugins;
mod signature;
mod state;
mod system;
mod tcc;

use std::cell::OnceCell;
use std::path::PathBuf;

use serde_json::{Value, json};

pub use daemon::Daemon;
pub use database::readings;
pub use system::System;

use crate::config::choice::{Choice, Overrides};
use crate::config::{Config, Error, expand};
use crate::install::names;
use launchd::Job;
use signature::Signature;

/// Opens the list of who may control which program.
const AUTOMATION_PANE: &str = "open \"x-apple.systempreferences:com.apple.preference.security?Privacy_Automation\"";

/// Opens the list of who has Full Disk Access.
fn full_disk_pane() -> String {
    format!("open \"{}\"", names::FULL_DISK_ACCESS)
}

/// What a job of launchd said last: by itself, and before it could.
const READ_LOG: &str = "tail -n 30 ~/Library/Logs/imsgd/imsgd.log ~/Library/Logs/imsgd/launchd.log";

/// How bad it is. Later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    /// Worth knowing, nothing to mend.
    Note,
    /// Could not be looked at.
    Unknown,
    /// Works for now, or in part.
    Warning,
    /// Messages do not arrive, are not sent, or are not judged.
    Error,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Unknown => "unknown",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One of [`KINDS`].
    pub id: &'static str,
    pub severity: Severity,
    /// One sentence.
    pub what: String,
    /// What it is known from.
    pub evidence: Vec<String>,
    /// The exact command or step.
    pub next: Option<String>,
    /// Can only be mended where the Mac's screen is seen.
    pub at_screen: bool,
}

impl Finding {
    fn new(id: &'static str, severity: Severity, what: impl Into<String>) -> Finding {
        let (evidence, next, at_screen) = Default::default();
        Finding { id, severity, what: what.into(), evidence, next, at_screen }
    }

    fn ok(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(id, Severity::Ok, what)
    }

    fn note(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(id, Severity::Note, what)
    }

    fn warning(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(id, Severity::Warning, what)
    }

    fn error(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(id, Severity::Error, what)
    }

    fn unknown(id: &'static str, because: impl std::fmt::Display) -> Finding {
        Finding::new(id, Severity::Unknown, format!("could not be checked, because {because}"))
    }

    fn seen(mut self, evidence: impl Into<String>) -> Finding {
        self.evidence.push(evidence.into());
        self
    }

    fn next(mut self, next: impl Into<String>) -> Finding {
        self.next = Some(next.into());
        self
    }

    fn at_screen(mut self) -> Finding {
        self.at_screen = true;
        self
    }

    /// `next` is left out where there is nothing to do.
    pub fn to_json(&self) -> Value {
        let Finding { id, severity, what, evidence, next, at_screen } = self;
        let mut object = json!({"id": id, "severity": severity.name(), "what": what, "evidence": evidence});
        if let Some(next) = next {
            object["next"] = next.as_str().into();
        }
        object["at_screen"] = (*at_screen).into();
        object
    }
}

/// Every finding and what it looks at, in the order in which a cause comes before what it causes.
pub const KINDS: &[(&str, &str)] = &[
    ("configuration", "is the configuration file right, and the one in force"),
    ("daemon", "does a daemon serve this database"),
    ("version", "is the daemon the same version as this command"),
    ("socket", "is the socket there, and does a daemon of ours answer on it"),
    ("socket_access", "can only its owner reach the socket"),
    ("launchd", "does launchd keep the daemon running"),
    ("database", "is chat.db there, and a database of Messages"),
    ("full_disk_access", "may the daemon read chat.db"),
    ("tcc_full_disk_access", "what macOS wrote down about Full Disk Access for the daemon's program"),
    ("signature", "does the program's signature let a grant outlive a new build"),
    ("automation", "may the daemon send through Messages, as the last sends tell"),
    ("tcc_automation", "what macOS wrote down about imsgd controlling Messages"),
    ("messages_app", "does Messages run"),
    ("signed_in", "is Messages signed in"),
    ("newest_message", "how old the newest message is"),
    ("lag", "who is late: Messages, imsgd or a subscriber"),
    ("contacts", "can the names of contacts be read"),
    ("plugins", "is every policy in force, and does each answer well and in time"),
    ("held", "which messages wait, and for whom"),
    ("sending", "is sending paused"),
    ("outbox", "did the last sends leave"),
    ("judging", "are verdicts kept"),
    ("state_db", "can state.db be read, and is it whole"),
    ("state_lost", "was a damaged state.db set aside"),
    ("disk", "is there room where state.db and chat.db are"),
];

/// What the findings are made of.
pub struct Seen {
    pub config: Config,
    /// The options that say which configuration and which daemon are meant.
    pub said: Overrides,
    /// Where a daemon listens for clients, or would.
    pub socket: PathBuf,
    /// What any client meets there.
    pub knocked: Daemon,
    /// What the owner meets, who may ask everything.
    pub daemon: Daemon,
    /// Answers of the daemon to `outbox.list`, `held.list` and `chats.list`, where it gave one.
    pub outbox: Option<Value>,
    pub held: Option<Value>,
    pub chats: Option<Value>,
    pub system: System,
    job: OnceCell<Result<Job, String>>,
    signature: OnceCell<Result<Signature, String>>,
}

impl Seen {
    /// Of a daemon that nobody looked for yet.
    pub fn new(config: Config, said: Overrides, system: System) -> Seen {
        let (outbox, held, chats, job, signature) = Default::default();
        let (socket, knocked, daemon) = (config.socket(), Daemon::Absent, Daemon::Absent);
        Seen { config, said, socket, knocked, daemon, outbox, held, chats, system, job, signature }
    }

    /// `imsgd` with these words, for the same configuration and the same daemon.
    fn command(&self, words: &str) -> String {
        command::command(words, &self.said)
    }

    /// How a daemon that launchd may have started is started again.
    fn restart(&self) -> String {
        match self.config.account {
            None => daemon::kickstart(),
            Some(_) => format!("start the daemon of the account again (`{}`)", self.command("serve")),
        }
    }

    fn read_log(&self) -> &'static str {
        if self.config.account.is_none() { READ_LOG } else { "read the log of the account's daemon" }
    }

    /// The daemon's own part of its status.
    fn own(&self) -> Option<&Value> {
        self.daemon.status().map(|status| &status["imsgd"])
    }

    fn job(&self) -> Result<&Job, &String> {
        let ask = || match self.config.account {
            None => launchd::ask(&self.system),
            Some(_) => Err(launchd::OF_ACCOUNT.to_owned()),
        };
        self.job.get_or_init(ask).as_ref()
    }

    fn signature(&self) -> Result<&Signature, &String> {
        self.signature.get_or_init(|| signature::ask(&self.system, &self.program())).as_ref()
    }

    /// Whose permissions count: the program of the daemon, else that of its job, else this one.
    fn program(&self) -> PathBuf {
        let of_daemon = self.own().and_then(|own| own["executable"].as_str()).map(PathBuf::from);
        let of_job = || self.job().ok().and_then(|job| job.program.clone());
        of_daemon.or_else(of_job).or_else(|| std::env::current_exe().ok()).unwrap_or_default()
    }
}

/// Looks at everything. The worst comes first.
pub fn examine(seen: &Seen) -> Vec<Finding> {
    let areas = [
        daemon::findings(seen),
        launchd::findings(seen),
        database::findings(seen),
        permission::findings(seen),
        vec![signature::finding(seen)],
        messages::findings(seen),
        plugins::findings(seen),
        outbox::findings(seen),
        state::findings(seen),
    ];
    sorted(areas.into_iter().flatten().collect())
}

/// Where the configuration cannot be read, little else is known: only what no configuration says.
pub fn without_configuration(error: &anyhow::Error, said: &Overrides, system: System) -> Vec<Finding> {
    let found = Finding::error("configuration", "The configuration cannot be used.");
    let mut findings = vec![found.seen(format!("{error:#}")).next(to_mend(error, said))];
    let mut config = Config::default();
    config.account = Choice::of(said).ok().and_then(Choice::account);
    config.messages.db = expand(&config.messages.db);
    let seen = Seen::new(config, said.clone(), system);
    findings.extend(launchd::findings(&seen));
    findings.push(messages::app(&seen));
    findings.push(state::disk(&seen, &seen.config.state_dir()));
    let is_known = |id: &str| findings.iter().any(|finding| finding.id == id);
    let others: Vec<&'static str> = KINDS.iter().map(|(id, _)| *id).filter(|id| !is_known(id)).collect();
    findings.extend(others.into_iter().map(|id| Finding::unknown(id, "the configuration cannot be read")));
    sorted(findings)
}

/// What to do about a configuration that cannot be used.
fn to_mend(error: &anyhow::Error, said: &Overrides) -> String {
    let check = command::command("config check", said);
    match error.downcast_ref::<Error>() {
        Some(Error::Invalid { .. }) => format!("mend that key, then `{check}`"),
        Some(Error::Read { path, .. }) => {
            format!("ls -l '{}'; name a file that you may read, then `{check}`", path.display())
        }
        Some(Error::NoAccount { name, .. }) => {
            format!("begin it with `imsgd config set messages.db FILE --account {name}`, or name one that there is")
        }
        Some(Error::Two(one, other)) => format!("leave out {one} or {other}"),
        Some(Error::AccountName(_)) => "imsgd doctor --account NAME, with the name of an account".to_owned(),
        Some(Error::SharedDb { accounts, .. }) => {
            format!("imsgd doctor --account {}, or --account {}", accounts[0], accounts[1])
        }
        Some(Error::NoHome) | None => format!("see to what it says, then `{check}`"),
    }
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    let place = |finding: &Finding| KINDS.iter().position(|(id, _)| *id == finding.id);
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), place(finding)));
    findings
}

/// The worst of all, where what could not be checked counts as nothing.
pub fn worst(findings: &[Finding]) -> Severity {
    let severities = findings.iter().map(|finding| finding.severity);
    severities.filter(|severity| *severity != Severity::Unknown).max().unwrap_or(Severity::Ok)
}

/// A text field of an answer; empty where there is none.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_what_could_not_be_checked_is_no_failure() {
        let findings = sorted(vec![
            Finding::ok("disk", "room"),
            Finding::unknown("launchd", "this is no Mac"),
            Finding::error("database", "gone"),
            Finding::warning("version", "older"),
        ]);
        let ids: Vec<&str> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["database", "version", "launchd", "disk"]);
        assert_eq!(worst(&findings), Severity::Error);
        assert_eq!(worst(&findings[2..]), Severity::Ok);
    }

    #[test]
    fn without_a_configuration_only_what_needs_none_is_known() {
        let error = anyhow::anyhow!("no TOML");
        let findings = without_configuration(&error, &Overrides::default(), System::from_environment());
        assert_eq!(findings.len(), KINDS.len());
        let needs_none = |finding: &&Finding| ["launchd", "messages_app", "disk"].contains(&finding.id);
        let known: Vec<&str> = findings
            .iter()
            .filter(|finding| !needs_none(finding) && finding.severity != Severity::Unknown)
            .map(|finding| finding.id)
            .collect();
        assert_eq!(known, ["configuration"]);
    }

    #[test]
    fn what_is_to_be_done_about_a_configuration_is_of_what_is_wrong_with_it() {
        let next = |error: Error| to_mend(&error.into(), &Overrides::default());
        assert_eq!(next(Error::Two("--config", "--account")), "leave out --config or --account");
        let shared = Error::SharedDb { db: "a".into(), accounts: ["ann".into(), "bot".into()] };
        assert_eq!(next(shared), "imsgd doctor --account ann, or --account bot");
        assert!(next(Error::NoHome).contains("`imsgd config check`"));
        let invalid = Error::Invalid { path: "a".into(), detail: "b".into() };
        assert_eq!(next(invalid), "mend that key, then `imsgd config check`");
    }
}
