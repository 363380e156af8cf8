//! `imsgd plugin dev`: builds a policy whenever its source changes, puts it in force, and shows what it decides.

mod feed;
mod place;
mod stage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use notify::{EventKind, RecursiveMode, Watcher};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::session::{self, Session};
use super::super::{Global, Where, client, say};
use super::test::Test;
use crate::author;
use crate::cli::lines::text;
use crate::cli::look::{self, NAME, paint};
use crate::config::{BUNDLED, Config, PluginTable};
use crate::daemon::Role;
use feed::Heard;
use place::Place;
use stage::Stage;

/// How long files are left alone before they are read: editors write more than once.
const SETTLE: Duration = Duration::from_millis(150);

/// Lines and verdicts that wait to be shown.
const WAITING: usize = 64;

/// Build a policy, put it in force, and show its verdicts; again whenever its source changes
///
/// The component goes into the plugins folder of the running imsgd, and what was there before comes back at the end.
/// Where none runs, one on a simulated Messages is started for as long as this lasts: each line that you type is a
/// message then. A policy that does not compile changes nothing. Ctrl-C ends it.
#[derive(Args)]
pub struct Dev {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// On a simulated Messages, even where an imsgd runs
    #[arg(long)]
    simulated: bool,
    #[command(flatten)]
    at: Where,
}

/// The crate, and what becomes of it.
struct Policy {
    folder: PathBuf,
    name: String,
    /// Where `plugin build` leaves the component.
    built: PathBuf,
    /// Of the source that was built last, whatever came of it.
    source: Option<String>,
    /// What the case file said when its cases were asked last.
    cases: Option<String>,
}

impl Dev {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let folder = self.folder.canonicalize();
        let folder = folder.with_context(|| format!("could not find {}", self.folder.display()))?;
        let built = author::component_of(&folder)?;
        let name = built.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut policy = Policy { folder, name, built, source: None, cases: None };
        let config = if self.simulated { None } else { Some(global.load(&self.at)?) };
        match config.filter(|config| client::connect(config).is_some()) {
            Some(config) => {
                policy.check_name(&config)?;
                let (name, file) = placed(&config, &policy.name);
                let (place, settled) = Place::take(&file)?;
                if let Some(words) = settled.after_a_kill() {
                    say(&format!("{}: {words}", file.display()));
                    // It says itself what it refuses.
                    let _ = client::call(&config, "plugins.reload", &json!({}));
                }
                if name != policy.name {
                    say(&format!("{} is the policy `{name}` of the configuration", file.display()));
                    policy.name = name;
                }
                let mut dev = Running { global: global.clone(), policy, place, config, stage: None };
                session::with(global, &self.at, Role::Serve, async |session| dev.run(session).await)
            }
            None => {
                let stage = Stage::set(&policy.folder, &policy.name)?;
                // What it has to say of the policy is said here.
                let log_level = if global.verbose > 0 { None } else { Some("off".to_owned()) };
                let log_level = global.log_level.clone().or(log_level);
                let simulated = Global { config: Some(stage.config()), account: None, log_level, ..global.clone() };
                let config = simulated.load(&Where::default())?;
                let (place, _) = Place::take(&placed(&config, &policy.name).1)?;
                let mut dev = Running { global: global.clone(), policy, place, config, stage: Some(stage) };
                session::with(&simulated, &Where::default(), Role::Serve, async |session| dev.run(session).await)
            }
        }
    }
}

impl Policy {
    /// A file named like a bundled policy is not loaded unless the configuration says so.
    fn check_name(&self, config: &Config) -> anyhow::Result<()> {
        let (name, _) = placed(config, &self.name);
        if BUNDLED.contains(&name.as_str()) && !config.plugin.iter().any(|plugin| plugin.name == name) {
            bail!(
                "`{name}` is the name of a bundled policy: to replace that one, give it a [[plugin]] table with \
                 name = \"{name}\" and path = \"{name}.wasm\" first, or call the crate otherwise"
            );
        }
        Ok(())
    }

    /// Compiles on a thread of its own, unless the source is what it was. False where there is nothing new.
    async fn build(&mut self) -> bool {
        let now = author::source_hash(&self.folder).ok();
        if now.is_some() && now == self.source {
            return false;
        }
        say(&format!("building {}", self.folder.display()));
        let (folder, built) = (self.folder.clone(), self.built.clone());
        let building = move || author::build(&folder, &built, &mut |line| say(line)).map(|built| built.path);
        let done = tokio::task::spawn_blocking(building).await.map_err(anyhow::Error::from).flatten();
        // A build may write Cargo.lock, which is no reason for another one.
        self.source = author::source_hash(&self.folder).ok();
        if let Err(error) = &done {
            say(&format!("error: {error:#}"));
            say("nothing has changed; waiting for the source to change");
        }
        done.is_ok()
    }

    /// Asks the cases of the crate, where they or the component are others now. Those that fail hold nothing up.
    async fn test(&mut self, global: &Global, is_built: bool) {
        let path = self.folder.join("cases.toml");
        let cases = std::fs::read_to_string(&path).ok();
        let is_changed = std::mem::replace(&mut self.cases, cases.clone()) != cases;
        if cases.is_none() || !is_built && !is_changed || !self.built.exists() {
            return;
        }
        let (global, test) = (global.clone(), Test::of(self.built.clone(), path));
        let tested =
            tokio::task::spawn_blocking(move || test.run(&global)).await.map_err(anyhow::Error::from).flatten();
        if let Err(error) = tested {
            say(&format!("error: {error:#}"));
        }
    }
}

/// A policy on its way into a host, with its verdicts.
struct Running {
    global: Global,
    policy: Policy,
    place: Place,
    config: Config,
    stage: Option<Stage>,
}

impl Running {
    async fn run(&mut self, session: Session) -> anyhow::Result<ExitCode> {
        // Before anything is put anywhere: whatever asks us to end, it is taken out again.
        let mut ends = Ends::listen()?;
        let shown = tokio::select! {
            biased;
            () = ends.asked() => Ok(()),
            shown = self.show(session) => shown,
        };
        if self.stage.is_none() {
            let file = self.place.path().display().to_string();
            let settled = self.place.give_back().with_context(|| format!("could not take {file} out again"))?;
            // Where the daemon has ended, it reads what is there when it starts.
            let _ = self.reload().await;
            if let Some(words) = settled.at_the_end() {
                say(&format!("{file}: {words}"));
            }
        }
        shown.map(|()| ExitCode::SUCCESS)
    }

    async fn show(&mut self, mut session: Session) -> anyhow::Result<()> {
        session.call("journal.subscribe", &json!({})).await?;
        let (tell, mut heard) = mpsc::channel(WAITING);
        // With it ends our side of the conversation.
        let mut feed = JoinSet::new();
        feed.spawn(feed::verdicts(session, tell.clone()));
        let (note, mut changed) = mpsc::channel(1);
        let _watcher = watch(&self.policy, note)?;
        self.renew().await;
        if let Some(stage) = &self.stage {
            say(&stage.welcome());
            feed::lines(tell)?;
        }
        let mut is_typed = true;
        loop {
            if !is_typed && self.stage.as_ref().is_some_and(Stage::is_all_judged) {
                return Ok(());
            }
            tokio::select! {
                said = heard.recv() => match said {
                    Some(Heard::Verdict(entry)) => self.verdict(entry),
                    Some(Heard::Missed(count)) => say(&format!("too many at once: {count} verdicts are not shown")),
                    Some(Heard::Typed(line)) => if let Some(stage) = &mut self.stage { stage.receive(&line)?; },
                    Some(Heard::AllTyped) => is_typed = false,
                    // Ours ends when it is asked to, as we are.
                    Some(Heard::Ended) | None if self.stage.is_some() => return Ok(()),
                    Some(Heard::Ended) | None => bail!("the imsgd daemon has ended"),
                },
                Some(()) = changed.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    while changed.try_recv().is_ok() {}
                    self.renew().await;
                }
            }
        }
    }

    /// Builds it, puts it into the host, and says what the host says.
    async fn renew(&mut self) {
        let is_built = self.policy.build().await;
        self.policy.test(&self.global, is_built).await;
        if !is_built {
            return;
        }
        let file = self.place.path().display().to_string();
        match self.place.put(&self.policy.built) {
            Err(error) => return say(&format!("error: could not write {file}: {error}")),
            Ok(None) => {}
            Ok(Some(kept)) => {
                let kept = kept.display();
                say(&format!(
                    "{file}: was changed by somebody else; that comes back at the end, and what was there before that \
                     lies in {kept}"
                ));
            }
        }
        match self.reload().await {
            Err(error) => say(&format!("error: {error:#}")),
            Ok(answer) => {
                let of_ours = |refused: &&Value| text(refused, "name") == self.policy.name;
                match answer["refused"].as_array().into_iter().flatten().find(of_ours) {
                    Some(refused) => say(&format!("refused: {}", text(refused, "reason"))),
                    None => say(&format!("{} is in force", self.policy.name)),
                }
            }
        }
    }

    async fn reload(&self) -> anyhow::Result<Value> {
        let config = self.config.clone();
        tokio::task::spawn_blocking(move || client::call(&config, "plugins.reload", &json!({}))).await?
    }

    fn verdict(&mut self, entry: Value) {
        if let Some(stage) = &mut self.stage {
            let said = stage.judged(text(&entry, "guid"));
            if let Some(said) = said.filter(|_| !self.global.json) {
                let _ = look::show(&format!("{} ", paint(NAME, format!("\"{}\"", look::harmless_text(&said)))));
            }
        }
        feed::show(entry, &self.policy.name, self.global.json);
    }
}

/// What asks us to end, kept from when this is made: Ctrl-C, `kill`, and a terminal that is closed.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Ends {
    fn listen() -> std::io::Result<Ends> {
        Ok(Ends {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
            _ = self.hangup.recv() => (),
        }
    }
}

/// The name that the host knows the policy by, and the file that it reads it from: those of its [[plugin]] table, if there
/// is one of this name, or with the file that would have this name.
fn placed(config: &Config, name: &str) -> (String, PathBuf) {
    let folder = config.plugins_dir();
    let file = folder.join(format!("{name}.wasm"));
    let path_of = |plugin: &PluginTable| folder.join(&plugin.path);
    let of_file = || config.plugin.iter().find(|plugin| path_of(plugin) == file);
    match config.plugin.iter().find(|plugin| plugin.name == name).or_else(of_file) {
        Some(plugin) => (plugin.name.clone(), path_of(plugin)),
        None => (name.to_owned(), file),
    }
}

/// Tells of changes of the source, and not of what a build writes.
fn watch(policy: &Policy, note: mpsc::Sender<()>) -> anyhow::Result<notify::RecommendedWatcher> {
    let built = policy.built.clone();
    let is_source = move |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        *path != built && !is_hidden
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_change =
            event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(&is_source));
        if is_change {
            // One that waits already will do.
            let _ = note.try_send(());
        }
    })?;
    let mut add = |path: &Path, mode| {
        watcher.watch(path, mode).with_context(|| format!("could not watch {} for changes", path.display()))
    };
    // Not the folder of what cargo builds.
    add(&policy.folder, RecursiveMode::NonRecursive)?;
    add(&policy.folder.join("src"), RecursiveMode::Recursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_goes_where_its_table_says_under_the_name_of_the_table() {
        let of = |text: &str, name: &str| {
            let text = format!("server.plugins_dir = '/p'\n{text}");
            let (name, file) = placed(&Config::parse(&text, Path::new("config.toml")).unwrap(), name);
            (name, file.display().to_string())
        };
        let at = |name: &str, file: &str| (name.to_owned(), file.to_owned());
        assert_eq!(of("", "hush"), at("hush", "/p/hush.wasm"));
        let tables = "[[plugin]]\nname = 'mute'\npath = 'hush.wasm'\n[[plugin]]\nname = 'loud'\npath = '/q/l-2.wasm'\n";
        assert_eq!(of(tables, "loud"), at("loud", "/q/l-2.wasm"));
        assert_eq!(of(tables, "hush"), at("mute", "/p/hush.wasm"));
        assert_eq!(of(tables, "other"), at("other", "/p/other.wasm"));
        let both = format!("{tables}[[plugin]]\nname = 'hush'\npath = 'h.wasm'\n");
        assert_eq!(of(&both, "hush"), at("hush", "/p/h.wasm"));
    }
}
