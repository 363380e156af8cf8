//! What is in a component, and what a daemon would say of it: for authors who look before they enable it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use wasmparser::{Parser, Payload, ProducersSectionReader};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

use crate::address::Normalizer;
use crate::plugin::{self, COMPONENT_BYTES, Plugin, PluginEngine, Setup};
use crate::policy::Interface;

/// The package of the ABI in the names of imports and exports.
const PACKAGE: &str = "imsgd:policy/";

#[derive(Clone, Debug)]
pub struct Inspection {
    pub bytes: usize,
    /// As `plugin list` shows it: of the file's content.
    pub version: String,
    /// [`source_hash`](super::source_hash) of what it was built from, if `imsgd plugin build` did it.
    pub source: Option<String>,
    /// Of the package `imsgd:policy` that it was built for. None, where it uses nothing of it.
    pub abi: Option<String>,
    /// Names and versions of the tools that made it, as far as it tells.
    pub made_by: Vec<(String, String)>,
    /// The policy interfaces that it exports, without `policy` itself.
    pub interfaces: Vec<String>,
    pub imports: Vec<Import>,
    pub outcome: Outcome,
}

/// An interface that a component imports, and the functions that it uses of it.
#[derive(Clone, Debug)]
pub struct Import {
    /// `imsgd:policy/host@0.1.0`
    pub name: String,
    pub functions: Vec<String>,
}

/// What a daemon would do with it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// In force with an empty configuration.
    Starts { compiled_in: Duration, started_in: Duration },
    /// Would be loaded, but not with an empty configuration: `reason` is what `configure` answers to that.
    WantsConfig { compiled_in: Duration, reason: String },
    /// Ends by a trap or over a limit when it is configured with nothing.
    Fails { reason: String },
    /// Is no plugin for this host.
    Refused { reason: String },
}

impl Outcome {
    /// Would a daemon load it?
    pub fn is_loadable(&self) -> bool {
        matches!(self, Outcome::Starts { .. } | Outcome::WantsConfig { .. })
    }
}

/// Looks at a file's content: decodes it, compiles it, and starts it with an empty configuration and an empty store. An
/// error is one of this machine, not of the component.
pub fn inspect(component: &[u8]) -> Result<Inspection> {
    let world = World::of(component);
    Ok(Inspection {
        bytes: component.len(),
        version: plugin::version_of(component),
        source: super::embedded_hash(component),
        abi: world.abi,
        made_by: producers(component),
        interfaces: world.interfaces,
        imports: world.imports,
        outcome: try_out(component)?,
    })
}

fn try_out(component: &[u8]) -> Result<Outcome> {
    if component.len() as u64 > COMPONENT_BYTES {
        let reason = format!("is larger than {COMPONENT_BYTES} bytes");
        return Ok(Outcome::Refused { reason });
    }
    let engine = PluginEngine::new().map_err(|error| anyhow!("no WebAssembly engine: {error:#}"))?;
    let began = Instant::now();
    let compiled = match plugin::compile(&engine, component) {
        Ok(compiled) => compiled,
        Err(refusal) => return Ok(Outcome::Refused { reason: refusal.to_string() }),
    };
    let compiled_in = began.elapsed();
    let normalizer = Normalizer::new("US").ok_or_else(|| anyhow!("no region US"))?;
    let setup = Setup {
        name: "check".to_owned(),
        config: "{}".to_owned(),
        state: BTreeMap::new(),
        normalizer: Arc::new(normalizer),
    };
    let began = Instant::now();
    Ok(match Plugin::start(&engine, compiled, setup) {
        Ok(_) => Outcome::Starts { compiled_in, started_in: began.elapsed() },
        Err(failure) => match failure.0.strip_prefix(plugin::CONFIGURATION_REFUSED) {
            Some(reason) => Outcome::WantsConfig { compiled_in, reason: reason.to_owned() },
            None => Outcome::Fails { reason: failure.0 },
        },
    })
}

/// The outside of a component, as far as it can be read: a refused one has something to show, too.
#[derive(Default)]
struct World {
    abi: Option<String>,
    interfaces: Vec<String>,
    imports: Vec<Import>,
}

impl World {
    fn of(component: &[u8]) -> World {
        let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(component) else {
            return World::default();
        };
        let mut found = World::default();
        for (key, item) in &resolve.worlds[world].imports {
            let functions = match item {
                WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.keys().cloned().collect(),
                _ => Vec::new(),
            };
            found.imports.push(Import { name: resolve.name_world_key(key), functions });
        }
        let exports: Vec<String> =
            resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
        let of_package = |name: &str| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1.to_owned());
        found.abi =
            exports.iter().chain(found.imports.iter().map(|import| &import.name)).find_map(|name| of_package(name));
        // In the order in which a message meets them.
        let is_exported = |interface: &Interface| {
            let of = format!("{PACKAGE}{}@", interface.name());
            exports.iter().any(|name| name.starts_with(&of))
        };
        found.interfaces =
            Interface::ALL.into_iter().filter(is_exported).map(|interface| interface.name().to_owned()).collect();
        found
    }
}

/// From the `producers` sections, those of the modules inside as well: each tool with the version that was last.
fn producers(component: &[u8]) -> Vec<(String, String)> {
    let mut tools = BTreeMap::new();
    for payload in Parser::new(0).parse_all(component) {
        // Whatever cannot be read is refused elsewhere, with words.
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else { continue };
        if section.name() != "producers" {
            continue;
        }
        let Ok(fields) = ProducersSectionReader::new(section.data_reader()) else { continue };
        for field in fields.into_iter().flatten().filter(|field| field.name != "language") {
            tools
                .extend(field.values.into_iter().flatten().map(|tool| (tool.name.to_owned(), tool.version.to_owned())));
        }
    }
    tools.into_iter().collect()
}
