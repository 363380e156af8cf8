//! `imsgd ssh-command`: what a gateway's key may do, as the forced command of that key. What the client asked for is
//! read as a command line of ours and judged. No shell sees it, and nothing but this program runs.

use std::env::{self, VarError};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use clap::parser::ValueSource;

use super::bridge::Bridge;
use super::serve::Rpc;
use super::status::Status;
use super::usage::{self, Instead};
use super::{Command, Global};
use crate::config::{Config, Overrides};

/// Where sshd leaves what the client asked for.
const ASKED_VARIABLE: &str = "SSH_ORIGINAL_COMMAND";

/// Names under which gateways know this program.
const OURSELVES: [&str; 2] = ["imsgd", "imsg"];

/// What programs that copy files over ssh run on the other side.
const COPIERS: [&str; 4] = ["scp", "sftp-server", "internal-sftp", "rsync"];

/// What a client may say of `rpc` and `status`. All else is the owner's to say.
const MAY_SAY: [&str; 4] = ["json", "db", "legacy_params", "discover"];

const EXAMPLE: &str = "Example, one line of ~/.ssh/authorized_keys on the Mac:
  restrict,command=\"/usr/local/bin/imsgd ssh-command\" ssh-ed25519 AAAAC3Nz… gateway

Then `ssh -T mac imsgd rpc` reaches the running daemon with that key, and `imsgd status` and --help,
by which gateways probe, answer. Anything else is refused. Options that are given here are in force
for each client.";

/// Run what an ssh client asked for, if a gateway may: the forced command of its key
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct SshCommand {
    #[command(flatten)]
    rpc: Rpc,
}

/// What a client may have.
enum Wanted {
    Rpc {
        is_legacy: bool,
        discover: bool,
    },
    Status {
        json: bool,
    },
    /// What only `imsg` can do: it says so, and does nothing.
    Missing(Bridge),
    Told(Instead),
}

impl SshCommand {
    pub fn run(mut self, global: &Global) -> anyhow::Result<ExitCode> {
        if self.rpc.at.socket.is_some() {
            bail!("--socket is for `imsgd serve`; name the daemon by --config or --db");
        }
        let asked = match env::var(ASKED_VARIABLE) {
            Ok(asked) => asked,
            Err(VarError::NotPresent) => String::new(),
            Err(VarError::NotUnicode(_)) => bail!("what was asked for over ssh is not UTF-8"),
        };
        match judge(&asked, &global.overrides(&self.rpc.at))? {
            Wanted::Rpc { is_legacy, discover } => {
                self.rpc.legacy_params |= is_legacy;
                self.rpc.discover |= discover;
                // sshd has no Full Disk Access, and whoever serves here keeps the real daemon from starting.
                self.rpc.needs_daemon = !self.rpc.standalone;
                self.rpc.run(global)
            }
            Wanted::Status { json } => {
                let status = Status { at: self.rpc.at };
                status.run(&Global { json: json || global.json, ..global.clone() })
            }
            Wanted::Missing(bridge) => bridge.run(global),
            Wanted::Told(instead) => Ok(instead.tell()),
        }
    }
}

/// What `asked` comes to, where the owner's own options are `overrides`.
fn judge(asked: &str, overrides: &Overrides) -> anyhow::Result<Wanted> {
    let words = shlex::split(asked).ok_or_else(|| refused(asked, "it has a quote that is not closed"))?;
    let program = words.first().and_then(|word| Path::new(word).file_name()).and_then(OsStr::to_str);
    if program.is_some_and(|program| COPIERS.contains(&program)) {
        return Err(refused(asked, "files of messages are read over `imsgd rpc`, by the method attachments.read"));
    }
    let is_named = program.is_some_and(|program| OURSELVES.contains(&program));
    let mut args: Vec<OsString> = vec!["imsgd".into()];
    args.extend(words.into_iter().skip(usize::from(is_named)).map(OsString::from));
    if args.len() == 1 {
        // `ssh -T mac` alone.
        args.push("rpc".into());
    }
    let cli = match usage::parse(&args) {
        Ok(cli) => cli,
        Err(Instead::Refuse { text, .. }) => return Err(refused(asked, text.lines().next().unwrap_or_default())),
        Err(told) => return Ok(Wanted::Told(told)),
    };
    let json = cli.global.json;
    let (at, wanted) = match cli.command {
        Command::Rpc(rpc) => (rpc.at, Wanted::Rpc { is_legacy: rpc.legacy_params, discover: rpc.discover }),
        Command::Status(status) => (status.at, Wanted::Status { json }),
        Command::Bridge(bridge) => return Ok(Wanted::Missing(bridge)),
        _ => return Err(refused(asked, "it is for the owner of the Mac")),
    };
    if let Some(option) = said_beyond(&args) {
        return Err(refused(asked, &format!("{option} is for the owner of the Mac to say")));
    }
    if let Some(db) = at.db {
        let config = Config::load(overrides)?;
        let theirs = Config::load(&Overrides { db: Some(db.clone()), ..overrides.clone() })?;
        if theirs.messages.db != config.messages.db {
            let (db, ours) = (db.display(), config.messages.db.display());
            return Err(refused(asked, &format!("it names the database {db}, and this key is for {ours}")));
        }
    }
    Ok(wanted)
}

fn refused(asked: &str, why: &str) -> anyhow::Error {
    anyhow!(
        "this key may not run `{asked}`: {why}. It is for a gateway: `imsgd rpc`, `imsgd status`, and --help and \
         --version of any command"
    )
}

/// The first option that a client may not give, of a command line that is right.
fn said_beyond(args: &[OsString]) -> Option<String> {
    let mut command = usage::command();
    command.build();
    let matches = command.try_get_matches_from_mut(args).ok()?;
    let (name, matches) = matches.subcommand()?;
    let options = command.find_subcommand(name)?.get_arguments();
    let mut beyond = options.filter(|option| {
        let id = option.get_id().as_str();
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine)
            && !MAY_SAY.contains(&id)
    });
    beyond.next().map(|option| format!("--{}", option.get_long().unwrap_or(option.get_id().as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With what is known of the database without a configuration.
    fn judged(asked: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "messages.db = '/mac/chat.db'\nserver.state_dir = '/mac/state'\n").unwrap();
        let overrides = Overrides { config: Some(path), ..Overrides::default() };
        match judge(asked, &overrides) {
            Ok(Wanted::Told(Instead::Help(text))) => Ok(format!("help {}", text.to_string().contains("Usage"))),
            Ok(Wanted::Told(_)) => Ok("version".to_owned()),
            Ok(Wanted::Rpc { is_legacy: false, discover: false }) => Ok("rpc".to_owned()),
            Ok(Wanted::Rpc { is_legacy: true, .. }) => Ok("rpc of old".to_owned()),
            Ok(Wanted::Rpc { discover: true, .. }) => Ok("the protocol".to_owned()),
            Ok(Wanted::Status { json }) => Ok(format!("status {json}")),
            Ok(Wanted::Missing(_)) => Ok("a command that does nothing".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_gateways_run_is_let_through_under_any_name_of_the_program() {
        for (asked, wanted) in [
            ("", "rpc"),
            ("imsgd rpc", "rpc"),
            ("rpc --json", "rpc"),
            ("/opt/homebrew/bin/imsg rpc --json --db /mac/chat.db", "rpc"),
            ("'imsgd' 'rpc' '--json' '--db=/mac/chat.db'", "rpc"),
            ("imsgd rpc --legacy-params", "rpc of old"),
            ("imsgd status --json", "status true"),
            ("imsgd --json status", "status true"),
            ("imsgd rpc --help", "help true"),
            ("imsgd rpc --discover", "the protocol"),
            ("imsgd send-rich --help", "a command that does nothing"),
            ("imsgd poll send --help", "a command that does nothing"),
            ("imsgd send --to +14155550101 --text hello --help", "help true"),
            ("imsg --version", "version"),
        ] {
            assert_eq!(judged(asked).as_deref(), Ok(wanted), "{asked}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (asked, why) in [
            ("imsgd send --to +14155550101 --text hello", "for the owner"),
            ("imsgd pairing approve ABCD1234", "for the owner"),
            ("imsgd config set policy.dm_policy open", "for the owner"),
            ("imsgd serve", "for the owner"),
            ("imsgd ssh-command", "for the owner"),
            ("imsgd rpc; rm -rf ~", "Unknown subcommand 'rpc;'"),
            ("imsgd rpc ; imsgd status", "Unexpected argument: ;"),
            ("imsgd rpc --json $(touch /tmp/here)", "Unexpected argument: $(touch"),
            ("imsgd rpc `id`", "Unexpected argument: `id`"),
            ("imsgd rpc\nid", "Unexpected argument: id"),
            ("imsgd rpc > /tmp/here", "Unexpected argument: >"),
            ("bash -c 'imsgd rpc'", "Unknown subcommand 'bash'"),
            ("PATH=/tmp imsgd rpc", "Unknown subcommand 'PATH=/tmp'"),
            ("imsgd 'rpc", "a quote that is not closed"),
            ("imsgd rpc --config /tmp/mine.toml", "--config is for the owner"),
            ("imsgd --config=/tmp/mine.toml rpc", "--config is for the owner"),
            ("imsgd rpc --socket /tmp/s", "--socket is for the owner"),
            ("imsgd rpc --standalone", "--standalone is for the owner"),
            ("imsgd status --log-level trace", "--log-level is for the owner"),
            ("imsgd rpc -vv", "--verbose is for the owner"),
            ("imsgd rpc --db /mac/other.db", "this key is for /mac/chat.db"),
            ("imsgd rpc --db /mac/chat.db --db /mac/other.db", "this key is for /mac/chat.db"),
            ("scp -f /mac/Attachments/a.heic", "attachments.read"),
            ("/usr/libexec/sftp-server", "attachments.read"),
        ] {
            let said = judged(asked).unwrap_err();
            assert!(said.contains(why) && said.starts_with("this key may not run"), "{asked}: {said}");
        }
    }
}
