//! Which plugins there should be: the bundled ones, those of the configuration, and what lies in the plugins folder.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::chain::{Candidate, Source};
use crate::config::{BUNDLED, Config, Position};
use crate::plugin::{self, COMPONENT_BYTES, Compiled, PluginEngine};

/// The bundled policies, built from `plugins/`.
fn bundled(name: &str) -> &'static [u8] {
    match name {
        "allowlist" => include_bytes!("../../plugins/dist/allowlist.wasm"),
        "pairing" => include_bytes!("../../plugins/dist/pairing.wasm"),
        "group" => include_bytes!("../../plugins/dist/group.wasm"),
        _ => include_bytes!("../../plugins/dist/chunking.wasm"),
    }
}

/// Finds plugins and compiles each version once.
pub struct Roster {
    engine: PluginEngine,
    compiled: HashMap<String, Result<Compiled, String>>,
}

/// A plugin before it is compiled.
struct Found {
    name: String,
    source: Source,
    config: String,
    is_listed: bool,
}

/// What is compiled together, by version: no more than the largest file may have, and one file.
#[derive(Default)]
struct New {
    components: HashMap<String, Vec<u8>>,
    length: u64,
}

impl Roster {
    pub fn new(engine: PluginEngine) -> Roster {
        Roster { engine, compiled: HashMap::new() }
    }

    /// With what is compiled already.
    pub fn knowing(engine: PluginEngine, known: impl IntoIterator<Item = Compiled>) -> Roster {
        let known = known.into_iter().map(|compiled| (compiled.version.clone(), Ok(compiled)));
        Roster { engine, compiled: known.collect() }
    }

    /// Reads all files, each once, and compiles what is new. Takes as long as compiling does.
    pub fn survey(&mut self, config: &Config) -> Vec<Candidate> {
        let found = find(config);
        let mut new = New::default();
        let mut of_files: HashMap<PathBuf, Result<String, String>> = HashMap::new();
        let mut versions: Vec<Result<String, String>> = Vec::with_capacity(found.len());
        for Found { name, source, .. } in &found {
            let mut version = || read(source, name).map(|bytes| self.note(bytes, &mut new));
            versions.push(match source {
                Source::File(path) => of_files.entry(path.clone()).or_insert_with(version).clone(),
                Source::Bundled => version(),
            });
        }
        self.compile(new);
        self.compiled.retain(|known, _| versions.iter().any(|version| version.as_ref() == Ok(known)));
        let candidates = found.into_iter().zip(versions).map(|(found, version)| {
            let component = version.and_then(|version| match self.compiled.get(&version) {
                Some(compiled) => compiled.clone(),
                None => Err("was not compiled".to_owned()),
            });
            Candidate {
                name: found.name,
                source: found.source,
                config: found.config,
                component,
                is_listed: found.is_listed,
            }
        });
        candidates.collect()
    }

    /// The version of what was read, which is kept only where it has to be compiled.
    fn note(&mut self, bytes: Vec<u8>, new: &mut New) -> String {
        let version = plugin::version_of(&bytes);
        if !self.compiled.contains_key(&version) && !new.components.contains_key(&version) {
            new.length += bytes.len() as u64;
            new.components.insert(version.clone(), bytes);
            if new.length > COMPONENT_BYTES {
                self.compile(std::mem::take(new));
            }
        }
        version
    }

    /// One after another: each is compiled on all processors already, and what several take at a time is more than the
    /// allocator gives back.
    fn compile(&mut self, new: New) {
        for (version, bytes) in new.components {
            let compiled = plugin::compile(&self.engine, &bytes).map_err(|refusal| refusal.to_string());
            self.compiled.insert(version, compiled);
        }
    }
}

fn find(config: &Config) -> Vec<Found> {
    let folder = config.plugins_dir();
    let listed = |position: Position| {
        config
            .plugin
            .iter()
            .filter(move |plugin| plugin.position == position && !BUNDLED.contains(&plugin.name.as_str()))
    };
    let of_table = |plugin: &crate::config::PluginTable| Found {
        name: plugin.name.clone(),
        source: Source::File(folder.join(&plugin.path)),
        config: to_json(&plugin.config),
        is_listed: true,
    };
    let mut found: Vec<Found> = listed(Position::Before).map(of_table).collect();
    found.extend(dropped(config, &folder));
    for name in BUNDLED {
        match config.plugin.iter().find(|plugin| plugin.name == name) {
            Some(replacement) => found.push(of_table(replacement)),
            None if config.is_bundled_in_force(name) => found.push(Found {
                name: name.to_owned(),
                source: Source::Bundled,
                config: config.bundled_config(name),
                is_listed: true,
            }),
            None => {}
        }
    }
    found.extend(listed(Position::After).map(of_table));
    found
}

/// Files in the folder that the configuration does not mention, by name. They are asked before the bundled policies,
/// with an empty configuration.
fn dropped(config: &Config, folder: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mentioned: Vec<PathBuf> = config.plugin.iter().map(|plugin| folder.join(&plugin.path)).collect();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .filter(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")))
        .filter(|path| !mentioned.contains(path))
        .collect();
    files.sort_unstable();
    let found = files.into_iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let is_taken = BUNDLED.contains(&name.as_str()) || config.plugin.iter().any(|plugin| plugin.name == name);
        if is_taken {
            tracing::warn!(file = %path.display(), "not loaded: another plugin has this name");
            return None;
        }
        Some(Found { name, source: Source::File(path), config: "{}".to_owned(), is_listed: false })
    });
    found.collect()
}

fn read(source: &Source, name: &str) -> Result<Vec<u8>, String> {
    match source {
        Source::Bundled => Ok(bundled(name).to_vec()),
        Source::File(path) => read_file(path).map_err(|error| format!("could not read {}: {error}", path.display())),
    }
}

/// A component's file, if it is a regular one and not too large. Others might never open, or have no end.
pub fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    let length = file.take(COMPONENT_BYTES + 1).read_to_end(&mut bytes)?;
    if length as u64 > COMPONENT_BYTES {
        return Err(std::io::Error::other(format!("larger than {COMPONENT_BYTES} bytes")));
    }
    Ok(bytes)
}

fn to_json(table: &toml::Table) -> String {
    serde_json::to_string(table).unwrap_or_else(|_| "{}".to_owned())
}
