//! `imsgd install` and `imsgd uninstall`: what is to be done is told, or done.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::ready::{self, Nudge};
use super::{Global, Where, print, say, session};
use crate::config::{Choice, Config, Overrides};
use crate::daemon::Role;
use crate::install::carry_out::{self, Owner};
use crate::install::step::{self, Planned};
use crate::install::{self, Facts, Found, Removal, Signer, names};

/// There is one app, and one agent of it.
const ONE_AGENT: &str = "install and uninstall are for the imsgd without an account; docs/accounts.md tells how launchd \
                         runs that of an account";

/// How long the daemon may take from its start to its first answer, with what macOS checks of a new program.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// Make an app of this program, sign it, and let launchd run it from now on
#[derive(Args)]
#[command(after_help = "Example:\n  imsgd install --dry-run")]
pub struct Install {
    /// Put imsgd.app here. Default: /Applications, or ~/Applications where that may not be written
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Sign with this identity of your keychain, as a Developer ID. Default: a certificate that is made once
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Wait this long for Full Disk Access; 0s for not at all
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    wait: Duration,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Only print the files that would be written
    #[arg(long, conflicts_with = "dry_run")]
    print: bool,
    #[command(flatten)]
    at: Where,
}

/// Stop the daemon and remove the app, the launchd agent and the command; what you made is kept
#[derive(Args)]
#[command(after_help = "Example:\n  imsgd uninstall --dry-run")]
pub struct Uninstall {
    /// imsgd.app is here. Default: /Applications and ~/Applications
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Remove state, configuration, logs, the certificate and the permissions too; plugins are yours
    #[arg(long)]
    purge: bool,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: Where,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "say how long, as `5m`, `90s` or `0s`".to_owned())
}

impl Install {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = global.load(&self.at)?;
        let facts = self.facts(global)?;
        if self.print {
            print_files(&facts, global.json);
            return Ok(ExitCode::SUCCESS);
        }
        let found = Found::look(&facts)?;
        let left = install::left(&facts, &found);
        let command = install::command(&facts, &found);
        if self.dry_run {
            let (found, _) = runtime()?.block_on(ask_the_system(found, &facts));
            let plan = install::plan(&facts, &found);
            let head = json!({"app": names_of(&facts.app), "program": names_of(&names::program(&facts.app)),
                "bundle_id": names::BUNDLE_ID, "label": names::LABEL, "signer": facts.signer.name(),
                "command": command.as_ref().map(|_| names_of(&facts.link)), "command_in_path": facts.is_link_in_path});
            tell(&plan, &left, head, global.json);
            command.iter().for_each(|said| say(said));
            return Ok(ExitCode::SUCCESS);
        }
        for_macos("install")?;
        until_interrupted(async {
            let (found, problem) = ask_the_system(found, &facts).await;
            at_the_screen().await?;
            nobody_else_serves(&config, &found)?;
            let plan = install::plan(&facts, &found);
            // A second one of the same name would leave codesign not knowing which is meant.
            if let Some(problem) = problem.filter(|_| install::makes_certificate(&plan)) {
                return Err(problem.context(
                    "the login keychain did not tell whether the certificate is there; unlock it in Keychain Access, \
                     and start this again",
                ));
            }
            let mut owner = AtTerminal { config, user: facts.user, is_json: global.json };
            carry_out::carry_out(&plan, &facts.home, &mut owner).await?;
            left.iter().for_each(|what| say(&format!("left: {what}")));
            command.iter().for_each(|said| say(said));
            Ok(())
        })
    }

    fn facts(&self, global: &Global) -> anyhow::Result<Facts> {
        let home = home()?;
        let folder = self.to.as_deref().map_or_else(|| Ok(install::usual_folder(&home)), std::path::absolute)?;
        let app = folder.join(names::APP);
        let source = std::env::current_exe().and_then(std::fs::canonicalize).context("where this program is")?;
        let choice = Choice::of(&global.overrides(&self.at))?;
        if matches!(choice, Choice::Account(_)) {
            bail!("{ONE_AGENT}");
        }
        let named = (choice != Choice::Usual).then(|| choice.path()).transpose()?;
        let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
        let link = install::link_folder(&home).join("imsgd");
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Facts {
            user: rustix::process::getuid().as_raw(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_sha256: install::sha256(&source, &app)?,
            source,
            app,
            is_link_in_path: std::env::split_paths(&path).any(|folder| Some(folder.as_path()) == link.parent()),
            link,
            environment: environment(),
            signer: self.identity.clone().map_or(Signer::Own, Signer::Named),
            config: absolute(named)?,
            db: absolute(self.at.db.clone())?,
            socket: absolute(self.at.socket.clone())?,
            wait: self.wait,
            home,
        })
    }
}

impl Uninstall {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = self.config(global)?;
        let home = home()?;
        let folders = match &self.to {
            Some(folder) => vec![std::path::absolute(folder)?],
            None => vec!["/Applications".into(), home.join("Applications")],
        };
        let removal = Removal {
            user: rustix::process::getuid().as_raw(),
            apps: folders.iter().map(|folder| folder.join(names::APP)).collect(),
            links: vec!["/usr/local/bin/imsgd".into(), home.join(".local/bin/imsgd")],
            state: config.state_dir(),
            is_usual_state: config.server.state_dir.is_none(),
            config: config.path.clone(),
            plugins: config.plugins_dir(),
            purge: self.purge,
            home,
        };
        let (steps, left) = install::removal(&removal)?;
        if self.dry_run {
            tell(&steps, &left, json!({}), global.json);
            return Ok(ExitCode::SUCCESS);
        }
        for_macos("uninstall")?;
        until_interrupted(async {
            let mut owner = AtTerminal { config, user: removal.user, is_json: global.json };
            carry_out::remove_all(&steps, &removal.home, &mut owner).await?;
            tell(&[], &left, json!({}), global.json);
            Ok(())
        })
    }

    /// A configuration that cannot be read keeps nobody from removing what is not in it.
    fn config(&self, global: &Global) -> anyhow::Result<Config> {
        let overrides = global.overrides(&self.at);
        if matches!(Choice::of(&overrides)?, Choice::Account(_)) {
            bail!("{ONE_AGENT}");
        }
        match Config::load(&overrides) {
            Ok(config) if config.account.is_some() => bail!("{ONE_AGENT}"),
            Err(error) if !self.purge => {
                say(&format!("{error}; going on as if it were empty"));
                let empty = Overrides { config: Some("/dev/null".into()), account: None, ..overrides.clone() };
                let mut config = Config::load(&empty)?;
                config.path = Config::path(&overrides)?;
                Ok(config)
            }
            loaded => Ok(loaded?),
        }
    }
}

/// launchd starts the agent without what a shell sets. Relative ones count for nothing.
fn environment() -> Vec<(String, PathBuf)> {
    let set = |name: &str| Some((name.to_owned(), PathBuf::from(std::env::var_os(name)?)));
    let set = ["XDG_CONFIG_HOME", "XDG_STATE_HOME"].into_iter().filter_map(set);
    set.filter(|(_, folder)| folder.is_absolute()).collect()
}

fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    home.ok_or_else(|| anyhow!("there is no home folder; set HOME"))
}

fn names_of(path: &Path) -> String {
    path.display().to_string()
}

fn for_macos(command: &str) -> anyhow::Result<()> {
    if !cfg!(target_os = "macos") {
        bail!("imsgd {command} is for macOS; `imsgd {command} --dry-run` shows what it does there");
    }
    if rustix::process::getuid().is_root() {
        bail!("run this as the user whose messages they are, without sudo");
    }
    Ok(())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What was begun and is dropped cleans up after itself.
fn until_interrupted(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            done = work => return done.map(|()| ExitCode::SUCCESS),
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        bail!("interrupted; start it again to go on, what is done already is left as it is")
    })
}

/// A daemon that somebody started by hand would keep the agent's from starting, and answer in its place.
fn nobody_else_serves(config: &Config, found: &Found) -> anyhow::Result<()> {
    if !found.is_loaded
        && let Err(holder) = session::claim(config, Role::Errand)?
    {
        bail!("imsgd (process {}) already serves this database; stop it first: kill {}", holder.pid, holder.pid);
    }
    Ok(())
}

/// What only launchd and the keychain know, where they are; and why the keychain did not tell.
async fn ask_the_system(found: Found, facts: &Facts) -> (Found, Option<anyhow::Error>) {
    if !cfg!(target_os = "macos") {
        return (found, None);
    }
    let shown = carry_out::ask(&step::shown(facts.user)).await;
    let is_loaded = shown.is_ok_and(|ended| ended.status.success());
    match carry_out::has_identity(facts.signer.name()).await {
        Ok(has_identity) => (Found { is_loaded, has_identity, ..found }, None),
        Err(problem) => (Found { is_loaded, ..found }, Some(problem)),
    }
}

/// The keychain and the agent are of the session at the screen.
async fn at_the_screen() -> anyhow::Result<()> {
    let manager = carry_out::succeed(&step::manager(), Duration::from_secs(30)).await?;
    match manager.trim() {
        "Aqua" => Ok(()),
        other => bail!(
            "this is a session of the kind {other}, which the keychain and Full Disk Access are closed to; run it at \
             the Mac's screen, in Terminal"
        ),
    }
}

fn print_files(facts: &Facts, is_json: bool) {
    for (path, bytes) in install::files(facts) {
        let text = String::from_utf8_lossy(&bytes);
        match is_json {
            true => print(&format!("{}\n", json!({"path": names_of(&path), "text": text}))),
            false => print(&format!("{}\n{text}\n", path.display())),
        }
    }
}

fn tell(steps: &[Planned], left: &[String], mut head: Value, is_json: bool) {
    if is_json {
        head["steps"] = steps.iter().map(Planned::json).collect();
        head["left"] = left.into();
        print(&format!("{head}\n"));
        return;
    }
    for (number, planned) in steps.iter().enumerate() {
        print(&format!("{:2}. {}", number + 1, planned.lines()));
    }
    if !left.is_empty() {
        print("left:\n");
    }
    for what in left {
        print(&format!("  {what}\n"));
    }
}

/// Whoever runs the command.
struct AtTerminal {
    config: Config,
    user: u32,
    is_json: bool,
}

impl Owner for AtTerminal {
    fn hears(&mut self, line: &str) {
        say(line);
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        ready::answers(&self.config, ANSWERS_WITHIN).await
    }

    async fn grants(&mut self, program: &Path, within: Duration) -> anyhow::Result<()> {
        let user = self.user;
        let nudge = async |nudge| match nudge {
            Nudge::Tell => {
                say(&format!(
                    "Allow imsgd in System Settings, Privacy & Security, Full Disk Access. Where it is not in the \
                     list, add it with +: {}",
                    program.display()
                ));
                let _ = carry_out::ask(&step::pane()).await;
            }
            Nudge::Restart => drop(carry_out::ask(&step::restart(user)).await),
        };
        let messages = ready::wait(&self.config, within, nudge).await?;
        match self.is_json {
            true => print(&format!("{}\n", json!({"ready": true, "messages": messages}))),
            false => print(&format!("imsgd runs, and reads {messages} messages.\n")),
        }
        Ok(())
    }
}
