//! The parts of a reload, in this process, where nothing else runs.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use imsgd::address::Normalizer;
use imsgd::chain::{Chain, Install};
use imsgd::config::Config;
use imsgd::plugin::PluginEngine;
use imsgd::reload::settings;
use imsgd::roster::Roster;
use imsgd::state::StateDb;

use crate::measure::Times;

const CONFIG: &str = "[policy]\nbundled = []\n[[plugin]]\nname = 'edited'\npath = 'edited.wasm'\n";

/// What each version took.
pub struct Alone {
    pub compiling: Times,
    pub starting: Times,
}

/// `edited` one after another, as a daemon would find them.
pub fn measure(edited: &[Vec<u8>]) -> Result<Alone> {
    let folder = tempfile::tempdir()?;
    let config = Config::parse(CONFIG, &folder.path().join("config.toml"))?;
    let normalizer = Arc::new(Normalizer::new(&config.messages.region).context("a region")?);
    let state = StateDb::open(&folder.path().join("state.db"))?;
    let engine = PluginEngine::new().map_err(|error| anyhow!("{error:#}"))?;
    let file = config.plugins_dir().join("edited.wasm");
    fs::create_dir_all(config.plugins_dir())?;
    let (mut roster, mut chain) = (Roster::new(engine.clone()), Chain::new(engine));
    let (mut compiling, mut starting) = (Vec::new(), Vec::new());
    for version in edited {
        fs::write(&file, version)?;
        let began = Instant::now();
        let candidates = roster.survey(&config);
        compiling.push(began.elapsed());
        let settings = settings(&config, normalizer.clone());
        let install = Install { candidates, settings, normalizer: normalizer.clone(), all_or_nothing: true };
        let began = Instant::now();
        let installed = chain.install(install, &state);
        starting.push(began.elapsed());
        ensure!(installed.changed == ["edited"], "{installed:?}");
    }
    let [compiling, starting] = [compiling, starting].map(|times| Times::from(times.into_iter()));
    Ok(Alone { compiling, starting })
}
