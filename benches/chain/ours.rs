//! imsgd's own side: a chain as the daemon has it, and the same policies as native code.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use imsgd::address::Normalizer;
use imsgd::chain::{Chain, Install};
use imsgd::config::Config;
use imsgd::plugin::PluginEngine;
use imsgd::policy::{
    Admission, Decision, Failure, FilterVerdict, GroupDecision, Inbound, Interface, Introduction, Policy, judge,
};
use imsgd::reload::settings;
use imsgd::roster::Roster;
use imsgd::state::StateDb;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::messages::lists;

#[path = "../policies/rules/src/lib.rs"]
mod rules;

use rules::{Patterns, Senders};

/// A plugin of the configuration: its name, the component's and its own table.
pub type Listed<'a> = (&'a str, &'a str, Value);

pub struct Ours {
    chain: Chain,
    _folder: TempDir,
}

impl Ours {
    /// As the daemon puts a configuration in force.
    fn install(policy: &Value, plugins: &[Listed], components: &Path) -> Result<Ours> {
        let table = |(name, component, config): &Listed| json!({"name": name, "path": components.join(format!("{component}.wasm")), "config": config});
        let tables: Vec<Value> = plugins.iter().map(table).collect();
        let text = toml::to_string(&json!({"policy": policy, "plugin": tables}))?;
        let folder = tempfile::tempdir()?;
        let config = Config::parse(&text, &folder.path().join("config.toml"))?;
        let engine = PluginEngine::new().map_err(|error| anyhow!("{error:#}"))?;
        let candidates = Roster::new(engine.clone()).survey(&config);
        let normalizer = Arc::new(Normalizer::new(&config.messages.region).context("a region")?);
        let settings = settings(&config, normalizer.clone());
        let mut chain = Chain::new(engine);
        let state = StateDb::open(&folder.path().join("state.db"))?;
        let installed = chain.install(Install { candidates, settings, normalizer, all_or_nothing: true }, &state);
        ensure!(installed.refused.is_empty(), "{installed:?}");
        Ok(Ours { chain, _folder: folder })
    }

    /// Of these plugins alone.
    pub fn of(plugins: &[Listed], components: &Path) -> Result<Ours> {
        Ours::install(&json!({"bundled": []}), plugins, components)
    }

    /// The three that everything is compared with.
    pub fn three(components: &Path) -> Result<Ours> {
        let [senders, mentions, words] = lists();
        let plugins = [
            ("senders", "senders", json!({"list": senders})),
            ("mentions", "mentions", json!({"list": mentions})),
            ("words", "words", json!({"list": words})),
        ];
        Ours::of(&plugins, components)
    }

    /// The bundled four, which hear of a group what is said to one of the same patterns.
    pub fn bundled() -> Result<Ours> {
        let [senders, mentions, _] = lists();
        let policy = json!({
            "dm_policy": "allowlist",
            "allow_from": senders,
            "group_policy": "open",
            "group_allow_from": senders,
            "mention_patterns": mentions,
        });
        Ours::install(&policy, &[], Path::new(""))
    }

    /// What the daemon does with a message between reading it and writing down the verdict.
    pub fn judge(&mut self, inbound: &Arc<Inbound>) -> (Decision, String) {
        self.chain.begin_stages();
        let decision = judge(self.chain.members(), inbound);
        (decision, self.chain.stages())
    }
}

/// A policy of the three without WebAssembly.
pub enum Native {
    Senders(Senders),
    Mentions(Patterns),
    Words(Patterns),
}

impl Native {
    pub fn three() -> [Native; 3] {
        let [senders, mentions, words] = lists();
        [
            Native::Senders(Senders::new(senders)),
            Native::Mentions(Patterns::new(mentions)),
            Native::Words(Patterns::new(words)),
        ]
    }
}

impl Policy for Native {
    fn name(&self) -> &str {
        match self {
            Native::Senders(_) => "senders",
            Native::Mentions(_) => "mentions",
            Native::Words(_) => "words",
        }
    }

    fn version(&self) -> &str {
        "000000000000"
    }

    fn offers(&self, interface: Interface) -> bool {
        matches!(
            (self, interface),
            (Native::Senders(_), Interface::Allowlist | Interface::Group)
                | (Native::Mentions(_), Interface::Group)
                | (Native::Words(_), Interface::Filter)
        )
    }

    fn admit(&mut self, inbound: &Arc<Inbound>) -> Result<Admission, Failure> {
        Ok(match self {
            Native::Senders(senders) if senders.know(&inbound.sender) => Admission::Admit(None),
            _ => Admission::Reject("not_listed".to_owned()),
        })
    }

    fn screen(&mut self, _: &Arc<Inbound>) -> Result<Introduction, Failure> {
        Ok(Introduction::Waiting)
    }

    fn decide(&mut self, inbound: &Arc<Inbound>) -> Result<GroupDecision, Failure> {
        Ok(match self {
            Native::Senders(senders) if senders.know(&inbound.sender) => GroupDecision::Abstain,
            Native::Mentions(patterns) if patterns.are_in(&inbound.message.words()) => GroupDecision::Deliver(None),
            Native::Mentions(_) => GroupDecision::Observe,
            Native::Senders(_) | Native::Words(_) => GroupDecision::Reject("not_listed".to_owned()),
        })
    }

    fn filter(&mut self, inbound: &Arc<Inbound>) -> Result<FilterVerdict, Failure> {
        Ok(match self {
            Native::Words(patterns) if patterns.are_in(&inbound.message.words()) => {
                FilterVerdict::Drop("unwanted_word".to_owned())
            }
            _ => FilterVerdict::Pass,
        })
    }
}
