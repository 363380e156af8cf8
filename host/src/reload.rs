//! Reloading: the configuration and the plugins are read anew whenever a file of theirs changes, on SIGHUP, and when
//! a client asks. Everything is compiled beside what runs, and swapped in between two messages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use notify::{EventKind, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::address::Normalizer;
use crate::chain::Installed;
use crate::config::{Config, DmScope, Overrides};
use crate::contacts::{self, Contacts};
use crate::judge::{Request, Settings};
use crate::roster::Roster;

pub mod edit;

/// After the last event, until files are read: a file that is being written gives one event after another.
pub const SETTLE: Duration = Duration::from_millis(20);

/// Observed messages that ride along, where the configuration does not say.
const HISTORY_LIMIT: usize = 50;

/// Asks for a reload. Cloned for everybody who may.
#[derive(Clone)]
pub struct Reloader {
    wake: mpsc::Sender<Wake>,
    config_error: Arc<Mutex<Option<String>>>,
}

enum Wake {
    Asked(oneshot::Sender<Result<Installed, String>>),
    /// When that was noticed.
    Changed(Instant),
    Edit(Box<edit::Order>),
}

/// What a reload works with.
pub struct Parts {
    pub config: Arc<ArcSwap<Config>>,
    pub overrides: Overrides,
    pub roster: Roster,
    pub judge: mpsc::Sender<Request>,
    pub contacts: Arc<Contacts>,
}

impl Reloader {
    /// Starts the thread that reloads, which begins with a first load.
    pub fn start(parts: Parts) -> std::io::Result<Reloader> {
        let (wake, asked) = mpsc::channel(16);
        let config_error = Arc::new(Mutex::new(None));
        let reloader = Reloader { wake: wake.clone(), config_error: config_error.clone() };
        let thread = Thread { parts, config_error, wake, watcher: None };
        std::thread::Builder::new().name("reload".into()).spawn(move || thread.run(asked))?;
        Ok(reloader)
    }

    /// Reads everything anew, now. An error is a configuration that was refused.
    pub async fn reload(&self) -> Result<Installed, String> {
        let stopping = || "server is shutting down".to_owned();
        let (reply, answer) = oneshot::channel();
        self.wake.send(Wake::Asked(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// Like a change of a file: soon, without an answer.
    pub fn hint(&self) {
        let _ = self.wake.try_send(Wake::Changed(Instant::now()));
    }

    /// Why the configuration file that is there now is not in force.
    pub fn config_error(&self) -> Option<String> {
        self.config_error.lock().clone()
    }
}

struct Thread {
    parts: Parts,
    config_error: Arc<Mutex<Option<String>>>,
    wake: mpsc::Sender<Wake>,
    watcher: Option<(notify::RecommendedWatcher, Vec<PathBuf>)>,
}

impl Thread {
    fn run(mut self, mut wake: mpsc::Receiver<Wake>) {
        let first = self.parts.config.load_full();
        self.watch(&[&first]);
        self.install(&first, None);
        while let Some(woken) = wake.blocking_recv() {
            let (mut asked, mut orders) = (Vec::new(), Vec::new());
            match woken {
                Wake::Asked(reply) => asked.push(reply),
                Wake::Changed(at) => settled(at, &mut wake, &mut asked, &mut orders),
                Wake::Edit(order) => {
                    self.carry_out(*order);
                    continue;
                }
            }
            let installed = self.reload();
            for reply in asked {
                let _ = reply.send(installed.clone());
            }
            orders.into_iter().for_each(|order| self.carry_out(order));
        }
    }

    fn reload(&mut self) -> Result<Installed, String> {
        let old = self.parts.config.load_full();
        let config = match Config::load(&self.parts.overrides) {
            Ok(config) => Arc::new(config),
            Err(error) => {
                self.watch(&[&old]);
                return Err(self.refuse_config(error.to_string()));
            }
        };
        // Before anything is read: what changes meanwhile is read again. Those of the old one too, which may stay.
        self.watch(&[&old, &config]);
        // Where these are is settled for as long as the process runs.
        let is_moved = config.messages.db != old.messages.db
            || config.state_dir() != old.state_dir()
            || config.socket() != old.socket();
        if is_moved {
            let text = "messages.db, server.state_dir and server.socket take effect when imsgd is started again";
            tracing::warn!("{text}");
        }
        let installed = self.install(&config, Some(&old));
        if installed.is_refused {
            let reasons: Vec<String> = installed.refused.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            return Err(self.refuse_config(reasons.join("; ")));
        }
        *self.config_error.lock() = None;
        if let Some(settings) = contacts::Settings::of(&config) {
            self.parts.contacts.configure(settings);
        }
        self.parts.config.store(config);
        Ok(installed)
    }

    fn refuse_config(&self, reason: String) -> String {
        // Lines of the file may be quoted in it, with addresses.
        let plain = crate::plugin::without_what_is_quoted(&without_source(&reason));
        tracing::error!("the configuration was refused and the old one stays; `imsgd config check` says all: {plain}");
        *self.config_error.lock() = Some(reason.clone());
        reason
    }

    fn install(&mut self, config: &Config, old: Option<&Config>) -> Installed {
        // A file that is half written is refused and tried again at the next event; a bad configuration is refused
        // as a whole.
        let all_or_nothing = old.is_some_and(|old| !is_same_policy(config, old));
        let Some(install) = self.install_of(config, all_or_nothing) else { return Installed::default() };
        let (reply, answer) = oneshot::channel();
        if self.parts.judge.blocking_send(Request::Install(Box::new(install), reply)).is_err() {
            return Installed::default();
        }
        let installed = answer.blocking_recv().unwrap_or_default();
        for name in &installed.changed {
            tracing::info!(plugin = name, "in force");
        }
        for name in &installed.removed {
            tracing::info!(plugin = name, "removed");
        }
        for (name, reason) in &installed.refused {
            let plain = crate::plugin::without_what_is_quoted(reason);
            tracing::error!(plugin = name, "refused; `imsgd plugin list` says all: {plain}");
        }
        installed
    }

    /// Watches the folders of these configurations and of their plugins, as far as there are such now.
    fn watch(&mut self, configs: &[&Config]) {
        let mut folders = Vec::new();
        for config in configs {
            folders.push(config.plugins_dir());
            folders.extend(config.path.parent().map(PathBuf::from));
            let files = config.plugin.iter().map(|plugin| config.plugins_dir().join(&plugin.path));
            folders.extend(files.filter_map(|file| file.parent().map(PathBuf::from)));
        }
        folders.retain(|folder| folder.is_dir());
        folders.sort_unstable();
        folders.dedup();
        if self.watcher.as_ref().is_some_and(|(_, watched)| *watched == folders) {
            return;
        }
        let wake = self.wake.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_relevant = event.is_ok_and(|event| {
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_ours(path))
            });
            if is_relevant {
                let _ = wake.try_send(Wake::Changed(Instant::now()));
            }
        });
        let Ok(mut watcher) = watcher else {
            tracing::warn!("no file events: `imsgd plugin reload` or SIGHUP makes changes take effect");
            return;
        };
        for folder in &folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "not watched");
            }
        }
        self.watcher = Some((watcher, folders));
    }
}

/// Waits until nothing has changed for a moment; gives back who asked meanwhile, and for what.
fn settled(
    changed: Instant,
    wake: &mut mpsc::Receiver<Wake>,
    asked: &mut Vec<oneshot::Sender<Result<Installed, String>>>,
    orders: &mut Vec<edit::Order>,
) {
    let mut last = changed;
    loop {
        while let Ok(woken) = wake.try_recv() {
            match woken {
                Wake::Asked(reply) => asked.push(reply),
                Wake::Changed(at) => last = last.max(at),
                Wake::Edit(order) => orders.push(*order),
            }
        }
        let left = SETTLE.saturating_sub(last.elapsed());
        if left.is_zero() || !asked.is_empty() || !orders.is_empty() {
            return;
        }
        std::thread::sleep(left);
    }
}

fn is_ours(path: &std::path::Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("wasm" | "toml")) || extension.is_none()
}

fn is_same_policy(a: &Config, b: &Config) -> bool {
    let of = |config: &Config| format!("{:?}{:?}{}", config.policy, config.plugin, config.messages.region);
    of(a) == of(b)
}

/// What `config` tells the judge itself.
pub fn settings(config: &Config, normalizer: Arc<Normalizer>) -> Settings {
    let policy = &config.policy;
    Settings {
        history_limit: policy.history_limit.unwrap_or(HISTORY_LIMIT),
        route_by_peer: policy.dm_scope == Some(DmScope::Peer),
        group_chats: policy.groups.iter().flat_map(|groups| groups.keys()).filter(|key| *key != "*").cloned().collect(),
        release_held: policy.release_held.unwrap_or(true),
        journal: config.journal.bounds(),
        normalizer,
    }
}

/// What is wrong with a file, without the lines of it that TOML's errors show beside a `|`.
fn without_source(reason: &str) -> String {
    let is_source = |line: &&str| {
        line.split_once('|').is_some_and(|(before, _)| before.trim().parse::<u32>().is_ok() || before.trim().is_empty())
    };
    reason.lines().filter(|line| !is_source(line)).collect::<Vec<_>>().join(" ")
}
