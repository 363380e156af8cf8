//! The plugins that are in force, in their order, and how a new set takes their place between two messages.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::address::Normalizer;
use crate::judge::Settings;
use crate::plugin::{Compiled, LogLine, Logs, Plugin, PluginEngine, Setup, Stats, StoreWrites};
use crate::policy::{Admission, Failure, FilterVerdict, GroupDecision, Inbound, Interface, Introduction, Policy};
use crate::state::StateDb;

/// A plugin that should be in force, as configuration and folder have it now.
pub struct Candidate {
    pub name: String,
    pub source: Source,
    /// The plugin's own table of the configuration, as JSON.
    pub config: String,
    /// Or why the file cannot be used.
    pub component: Result<Compiled, String>,
    /// Named in the configuration, not only found in the folder.
    pub is_listed: bool,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Bundled,
    File(PathBuf),
}

/// What a plugin in force is made of: with it, another like it can be started beside it.
#[derive(Clone)]
pub struct Entrant {
    pub name: String,
    /// As in [`Candidate`].
    pub config: String,
    /// Or what it would be asked, and why it cannot answer.
    pub component: Result<Compiled, (Vec<Interface>, String)>,
}

/// A set of plugins to put in force, with the settings that belong to it.
pub struct Install {
    pub candidates: Vec<Candidate>,
    pub settings: Settings,
    pub normalizer: Arc<Normalizer>,
    /// A bad configuration changes nothing; a bad file changes only its own plugin. What had been refused before for the
    /// same reason is no fault of the configuration.
    pub all_or_nothing: bool,
}

/// What came of an install.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// Plugins that are new or judge with a new version or configuration now.
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// Plugins that were refused, with the reason. Where an older version ran, it still does.
    pub refused: Vec<(String, String)>,
    /// Nothing was changed, because not everything could be.
    pub is_refused: bool,
}

/// One plugin as `plugins.list` shows it.
#[derive(Clone, Debug)]
pub struct PluginReport {
    pub name: String,
    pub source: Source,
    pub version: Option<String>,
    pub interfaces: Vec<Interface>,
    pub loaded_at: Option<Timestamp>,
    pub stats: Stats,
    /// Linear memory of its instance, in bytes.
    pub memory_bytes: Option<usize>,
    /// The last lines of its log.
    pub log: Vec<LogLine>,
    /// Why this plugin judges nothing and holds what it would judge.
    pub broken: Option<String>,
    /// Why its newest file is not in force.
    pub refused: Option<String>,
}

/// Lines of a plugin's log in a report; `plugins.log` has all that are kept.
const REPORTED_LINES: usize = 5;

pub struct Chain {
    engine: PluginEngine,
    members: Vec<Member>,
    refused: BTreeMap<String, String>,
    logs: Arc<Logs>,
    is_installed: bool,
}

/// A place in the chain.
pub struct Member {
    name: String,
    source: Source,
    body: Body,
    /// How long its answers on the message in hand took; none where it was not asked.
    took: Option<Duration>,
}

enum Body {
    Ready(Box<Plugin>),
    /// Cannot be loaded: everything that it would judge is held.
    Broken {
        interfaces: Vec<Interface>,
        /// What it would be configured with.
        config: String,
        why: String,
    },
}

impl Chain {
    pub fn new(engine: PluginEngine) -> Chain {
        Chain::with_logs(engine, Arc::default())
    }

    /// Whose plugins say what they say to these.
    pub fn with_logs(engine: PluginEngine, logs: Arc<Logs>) -> Chain {
        Chain { engine, members: Vec::new(), refused: BTreeMap::new(), logs, is_installed: false }
    }

    /// False until the first set is in force: nothing may be judged before.
    pub fn is_installed(&self) -> bool {
        self.is_installed
    }

    pub fn members(&mut self) -> &mut [Member] {
        &mut self.members
    }

    /// What is in force, in its order, and the engine that it is compiled for.
    pub fn entrants(&self) -> (PluginEngine, Vec<Entrant>) {
        let entrant = |member: &Member| match &member.body {
            Body::Ready(plugin) => Entrant {
                name: member.name.clone(),
                config: plugin.config().to_owned(),
                component: Ok(plugin.compiled().clone()),
            },
            Body::Broken { interfaces, config, why } => Entrant {
                name: member.name.clone(),
                config: config.clone(),
                component: Err((interfaces.clone(), why.clone())),
            },
        };
        (self.engine.clone(), self.members.iter().map(entrant).collect())
    }

    /// Puts a new set in force. Plugins whose file and configuration are the same go on as they are.
    pub fn install(&mut self, install: Install, state: &StateDb) -> Installed {
        let mut installed = Installed::default();
        let started = self.start_all(&install, state, &mut installed);
        if install.all_or_nothing && self.is_installed && installed.refused.iter().any(|refused| self.is_new(refused)) {
            return Installed { refused: installed.refused, is_refused: true, ..Installed::default() };
        }
        self.replace(&install.candidates, started, state, &mut installed);
        installed
    }

    /// What an install of this would refuse and the present one did not, without putting anything in force.
    pub fn rehearse(&self, install: &Install, state: &StateDb) -> Vec<(String, String)> {
        let mut installed = Installed::default();
        self.start_all(install, state, &mut installed);
        installed.refused.retain(|refused| self.is_new(refused));
        installed.refused
    }

    fn is_new(&self, (name, why): &(String, String)) -> bool {
        self.refused.get(name) != Some(why)
    }

    /// A fresh member for each candidate that is another than before.
    fn start_all(&self, install: &Install, state: &StateDb, installed: &mut Installed) -> Vec<Option<Member>> {
        let remembered = state.remembered_plugins().unwrap_or_else(|error| {
            tracing::error!(%error, "plugins that were loaded before are not known");
            Vec::new()
        });
        let mut started: Vec<Option<Member>> = Vec::new();
        for candidate in &install.candidates {
            let member = if self.is_same(candidate) {
                None
            } else {
                let offered_before = remembered.iter().find(|(name, _)| *name == candidate.name);
                let offered_before = offered_before.map(|(_, interfaces)| interfaces.as_slice());
                self.start(candidate, &install.normalizer, state, offered_before, installed)
            };
            started.push(member);
        }
        started
    }

    fn replace(
        &mut self,
        candidates: &[Candidate],
        started: Vec<Option<Member>>,
        state: &StateDb,
        installed: &mut Installed,
    ) {
        let mut old = std::mem::take(&mut self.members);
        for (candidate, member) in candidates.iter().zip(started) {
            let kept = old.iter().position(|member| member.name == candidate.name).map(|at| old.remove(at));
            if let Some(member) = member {
                if let Body::Ready(plugin) = &member.body {
                    remember(state, &candidate.name, plugin.compiled());
                    let version = &plugin.compiled().version;
                    self.logs.of(&candidate.name).note("info", format!("version {version} is in force"));
                    installed.changed.push(candidate.name.clone());
                }
                self.members.push(member);
            } else if let Some(member) = kept {
                self.members.push(member);
            }
        }
        for member in old {
            if let Err(error) = state.forget_plugin(&member.name) {
                tracing::error!(%error, plugin = member.name, "a removed plugin could not be forgotten");
            }
            self.logs.of(&member.name).note("info", "removed".to_owned());
            installed.removed.push(member.name);
        }
        self.logs.keep_only(|name| candidates.iter().any(|candidate| candidate.name == name));
        self.refused = installed.refused.iter().cloned().collect();
        self.is_installed = true;
    }

    /// A fresh member for `candidate`; none where it is refused and nothing or an older version takes its place.
    fn start(
        &self,
        candidate: &Candidate,
        normalizer: &Arc<Normalizer>,
        state: &StateDb,
        offered_before: Option<&[Interface]>,
        installed: &mut Installed,
    ) -> Option<Member> {
        let old = self.members.iter().find(|member| member.name == candidate.name);
        let started = candidate.component.as_ref().map_err(Clone::clone).and_then(|compiled| {
            let values = state.plugin_state(&candidate.name).map_err(|error| error.to_string())?;
            let setup = Setup {
                name: candidate.name.clone(),
                config: candidate.config.clone(),
                state: values,
                normalizer: normalizer.clone(),
            };
            let log = self.logs.of(&candidate.name);
            Plugin::start_with(&self.engine, compiled.clone(), setup, log, None).map_err(|failure| failure.0)
        });
        let body = match started {
            Ok(plugin) => Body::Ready(Box::new(plugin)),
            Err(why) => {
                if self.refused.get(&candidate.name) != Some(&why) {
                    self.logs.of(&candidate.name).note("error", format!("refused: {why}"));
                }
                installed.refused.push((candidate.name.clone(), why.clone()));
                if old.is_some_and(|member| matches!(member.body, Body::Ready(_))) {
                    return None;
                }
                let interfaces = match (&candidate.component, offered_before) {
                    (_, Some(before)) => before.to_vec(),
                    (Ok(compiled), None) if candidate.is_listed => compiled.interfaces(),
                    (Err(_), None) if candidate.is_listed => Interface::ALL.to_vec(),
                    // A file that was never in force and that nobody asked for holds nothing up.
                    (_, None) => return None,
                };
                Body::Broken { interfaces, config: candidate.config.clone(), why }
            }
        };
        Some(Member { name: candidate.name.clone(), source: candidate.source.clone(), body, took: None })
    }

    fn is_same(&self, candidate: &Candidate) -> bool {
        let Some(old) = self.members.iter().find(|member| member.name == candidate.name) else { return false };
        match (&old.body, &candidate.component) {
            (Body::Ready(plugin), Ok(compiled)) => {
                plugin.version() == compiled.version
                    && plugin.config() == candidate.config
                    && old.source == candidate.source
            }
            _ => false,
        }
    }

    /// What plugins wrote since this was last asked, to be committed with their answers.
    pub fn take_writes(&mut self) -> Vec<(String, StoreWrites)> {
        let ready = self.members.iter_mut().filter_map(Member::ready);
        ready.map(|plugin| (plugin.name().to_owned(), plugin.take_writes())).filter(|(_, w)| !w.is_empty()).collect()
    }

    /// Puts every plugin back to what is on disk.
    pub fn reset_states(&mut self, state: &StateDb) {
        for plugin in self.members.iter_mut().filter_map(Member::ready) {
            match state.plugin_state(plugin.name()) {
                Ok(values) => plugin.reset_state(values),
                Err(error) => tracing::error!(%error, plugin = plugin.name(), "its state could not be read"),
            }
        }
    }

    /// While dry, plugins answer without a trace: what they write is forgotten.
    pub fn set_dry(&mut self, is_dry: bool) {
        for plugin in self.members.iter_mut().filter_map(Member::ready) {
            plugin.set_dry(is_dry);
        }
    }

    /// Forgets how long the message before took.
    pub fn begin_stages(&mut self) {
        self.members.iter_mut().for_each(|member| member.took = None);
    }

    /// Which policies were asked since, in the order of the chain, and how many microseconds each took:
    /// `allowlist=12 spam=40`.
    pub fn stages(&self) -> String {
        let mut stages = String::with_capacity(self.members.len() * 16);
        for member in &self.members {
            let Some(took) = member.took else { continue };
            if !stages.is_empty() {
                stages.push(' ');
            }
            stages.push_str(&member.name);
            stages.push('=');
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            // Writing into a String does not fail.
            let _ = write!(stages, "{micros}");
        }
        stages
    }

    /// The pieces in which `text` is sent: whole where no plugin has a say.
    pub fn split(&mut self, text: String, is_group: bool, recipient: Option<&str>) -> Result<Vec<String>, Failure> {
        match self.members.iter_mut().find(|member| member.offers(Interface::Chunking)) {
            None => Ok(vec![text]),
            Some(Member { body: Body::Ready(plugin), .. }) => plugin.split(&text, is_group, recipient),
            Some(Member { name, body: Body::Broken { why, .. }, .. }) => Err(Failure(format!("{name}: {why}"))),
        }
    }

    pub fn pairing(&mut self) -> Result<&mut Plugin, Failure> {
        match self.members.iter_mut().find(|member| member.offers(Interface::Pairing)) {
            None => Err(Failure("no pairing policy is in force".to_owned())),
            Some(Member { body: Body::Ready(plugin), .. }) => Ok(plugin),
            Some(Member { name, body: Body::Broken { why, .. }, .. }) => Err(Failure(format!("{name}: {why}"))),
        }
    }

    pub fn report(&self) -> Vec<PluginReport> {
        let in_force = self.members.iter().map(|member| self.report_of(member));
        let is_absent = |(name, _): &(&String, &String)| !self.members.iter().any(|member| member.name == **name);
        let only_refused = self.refused.iter().filter(is_absent).map(|(name, why)| PluginReport {
            name: name.clone(),
            source: Source::File(PathBuf::new()),
            version: None,
            interfaces: Vec::new(),
            loaded_at: None,
            stats: Stats::default(),
            memory_bytes: None,
            log: self.last_lines(name),
            broken: None,
            refused: Some(why.clone()),
        });
        in_force.chain(only_refused).collect()
    }

    fn last_lines(&self, name: &str) -> Vec<LogLine> {
        self.logs.find(name).map(|log| log.last(REPORTED_LINES)).unwrap_or_default()
    }

    fn report_of(&self, member: &Member) -> PluginReport {
        let interfaces = Interface::ALL.into_iter().filter(|interface| member.offers(*interface)).collect();
        let (plugin, broken) = match &member.body {
            Body::Ready(plugin) => (Some(plugin), None),
            Body::Broken { why, .. } => (None, Some(why.clone())),
        };
        PluginReport {
            name: member.name.clone(),
            source: member.source.clone(),
            version: plugin.map(|plugin| plugin.version().to_owned()),
            interfaces,
            loaded_at: plugin.map(|plugin| plugin.loaded_at),
            stats: plugin.map(|plugin| plugin.stats.clone()).unwrap_or_default(),
            memory_bytes: plugin.and_then(|plugin| plugin.memory_bytes()),
            log: self.last_lines(&member.name),
            refused: self.refused.get(&member.name).filter(|_| broken.is_none()).cloned(),
            broken,
        }
    }
}

/// Starts every candidate for a moment, to see whether it would be taken. What is wrong, by name.
pub fn rehearse(engine: &PluginEngine, candidates: Vec<Candidate>, region: &str) -> Vec<(String, String)> {
    let Some(normalizer) = Normalizer::new(region).map(Arc::new) else { return Vec::new() };
    let start = |candidate: Candidate| {
        let setup = Setup {
            name: candidate.name.clone(),
            config: candidate.config,
            state: BTreeMap::new(),
            normalizer: normalizer.clone(),
        };
        let started = candidate
            .component
            .and_then(|compiled| Plugin::start(engine, compiled, setup).map(drop).map_err(|failure| failure.0));
        started.err().map(|problem| (candidate.name, problem))
    };
    candidates.into_iter().filter_map(start).collect()
}

fn remember(state: &StateDb, name: &str, compiled: &Compiled) {
    if let Err(error) = state.remember_plugin(name, &compiled.version, &compiled.interfaces()) {
        tracing::error!(%error, plugin = name, "a plugin could not be remembered");
    }
}

impl Member {
    fn ready(&mut self) -> Option<&mut Plugin> {
        match &mut self.body {
            Body::Ready(plugin) => Some(plugin),
            Body::Broken { .. } => None,
        }
    }

    fn ask<R>(&mut self, ask: impl FnOnce(&mut Plugin) -> Result<R, Failure>) -> Result<R, Failure> {
        // The plugin keeps the time anyway.
        let took = self.took.get_or_insert_default();
        match &mut self.body {
            Body::Ready(plugin) => {
                let before = plugin.stats.time;
                let answer = ask(plugin);
                *took += plugin.stats.time.saturating_sub(before);
                answer
            }
            Body::Broken { why, .. } => Err(Failure(why.clone())),
        }
    }
}

impl Policy for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        match &self.body {
            Body::Ready(plugin) => plugin.version(),
            Body::Broken { .. } => "",
        }
    }

    fn offers(&self, interface: Interface) -> bool {
        match &self.body {
            Body::Ready(plugin) => plugin.offers(interface),
            Body::Broken { interfaces, .. } => interfaces.contains(&interface),
        }
    }

    fn admit(&mut self, inbound: &Arc<Inbound>) -> Result<Admission, Failure> {
        self.ask(|plugin| plugin.admit(inbound))
    }

    fn screen(&mut self, inbound: &Arc<Inbound>) -> Result<Introduction, Failure> {
        self.ask(|plugin| plugin.screen(inbound))
    }

    fn decide(&mut self, inbound: &Arc<Inbound>) -> Result<GroupDecision, Failure> {
        self.ask(|plugin| plugin.decide(inbound))
    }

    fn filter(&mut self, inbound: &Arc<Inbound>) -> Result<FilterVerdict, Failure> {
        self.ask(|plugin| plugin.filter(inbound))
    }
}
