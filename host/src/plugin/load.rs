//! From a file's bytes to a component whose imports and exports are known to fit, or a refusal in words.

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Linker, types::ComponentItem};

use super::bindings::Everything;
use super::bindings::exports::imsgd::policy as exports;
use super::engine::PluginEngine;
use super::guest::Guest;
use super::wasi;
use crate::policy::Interface;

/// The package whose interfaces the host serves and asks for, and the version that it has.
const PACKAGE: &str = "imsgd:policy/";
pub const ABI_VERSION: &str = "0.1.0";

/// Larger files are refused unread: a policy with a JavaScript engine inside has 12 MB, one with Python 18 MB.
pub const COMPONENT_BYTES: u64 = 32 << 20;

/// A component that is compiled, linked and known to offer at least one policy interface.
#[derive(Clone)]
pub struct Compiled {
    pub pre: InstancePre<Guest>,
    /// First twelve hex digits of the SHA-256 of the file.
    pub version: String,
    pub policy: exports::policy::GuestIndices,
    pub allowlist: Option<exports::allowlist::GuestIndices>,
    pub pairing: Option<exports::pairing::GuestIndices>,
    pub group: Option<exports::group::GuestIndices>,
    pub filter: Option<exports::filter::GuestIndices>,
    pub chunking: Option<exports::chunking::GuestIndices>,
}

/// The functions of an instance that have been called, so that each is looked up and its type checked once.
#[derive(Default)]
pub(super) struct Exported {
    allowlist: Option<exports::allowlist::Guest>,
    pairing: Option<exports::pairing::Guest>,
    group: Option<exports::group::Guest>,
    filter: Option<exports::filter::Guest>,
    chunking: Option<exports::chunking::Guest>,
}

/// An instance that is to be called.
pub(super) struct Callee<'a> {
    pub compiled: &'a Compiled,
    pub instance: &'a Instance,
    pub exported: &'a mut Exported,
}

macro_rules! functions {
    ($($interface:ident)*) => {
        impl Callee<'_> {
            $(pub fn $interface(&mut self, store: &mut Store<Guest>) -> wasmtime::Result<&exports::$interface::Guest> {
                let guest = match self.exported.$interface.take() {
                    Some(guest) => guest,
                    None => required(self.compiled.$interface.as_ref())?.load(store, self.instance)?,
                };
                Ok(self.exported.$interface.insert(guest))
            })*
        }
    };
}

functions!(allowlist pairing group filter chunking);

fn required<T>(indices: Option<&T>) -> wasmtime::Result<&T> {
    indices.ok_or_else(|| wasmtime::format_err!("asked for an interface that the plugin does not export"))
}

/// Why a file is no plugin for this host.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not a WebAssembly component: {0}. Build it with `imsgd plugin build`")]
    NotAComponent(String),
    #[error("a core module, not a component. Make one of it with `imsgd plugin build`")]
    CoreModule,
    #[error(
        "imports `{0}`, which this host does not offer. A policy may import imsgd:policy@{ABI_VERSION} and WASI 0.2"
    )]
    ForeignImport(String),
    #[error("needs `{wanted}`, this host has {PACKAGE}*@{ABI_VERSION}. {}", advice(.wanted))]
    OtherVersion { wanted: String },
    #[error("needs `{wanted}`, this host has {PACKAGE}*@{ABI_VERSION}, which lacks something of it: {lacks}. {}", advice(.wanted))]
    Newer { wanted: String, lacks: String },
    #[error("exports no policy interface: allowlist, pairing, group, filter or chunking of imsgd:policy@{ABI_VERSION}")]
    NoInterface,
    #[error("does not export `{PACKAGE}policy@{ABI_VERSION}`, through which every policy is configured")]
    NoConfigure,
    #[error("does not fit: {0}")]
    DoesNotFit(String),
}

pub fn version_of(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

pub fn compile(engine: &PluginEngine, bytes: &[u8]) -> Result<Compiled, Refusal> {
    if bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err(Refusal::CoreModule);
    }
    // `Component::new` would also take WebAssembly text; `from_binary` takes neither text nor native code (D10).
    let component =
        Component::from_binary(engine.engine(), bytes).map_err(|error| Refusal::NotAComponent(cause(&error)))?;
    check_imports(engine, &component)?;
    let mut linker = Linker::new(engine.engine());
    Everything::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |guest| guest)
        .and_then(|()| wasi::add_to_linker(&mut linker, &component))
        .map_err(|error| Refusal::DoesNotFit(cause(&error)))?;
    let pre = linker.instantiate_pre(&component).map_err(|error| misfit(engine, &component, &error))?;
    let exported = check_exports(engine, &component)?;
    let fit = |error: wasmtime::Error| Refusal::DoesNotFit(cause(&error));
    macro_rules! indices {
        ($interface:ident, $kind:ident) => {
            match exported.contains(&Interface::$kind) {
                true => Some(exports::$interface::GuestIndices::new(&pre).map_err(fit)?),
                false => None,
            }
        };
    }
    Ok(Compiled {
        version: version_of(bytes),
        policy: exports::policy::GuestIndices::new(&pre).map_err(fit)?,
        allowlist: indices!(allowlist, Allowlist),
        pairing: indices!(pairing, Pairing),
        group: indices!(group, Group),
        filter: indices!(filter, Filter),
        chunking: indices!(chunking, Chunking),
        pre,
    })
}

impl Compiled {
    pub fn interfaces(&self) -> Vec<Interface> {
        Interface::ALL.into_iter().filter(|interface| self.offers(*interface)).collect()
    }

    pub fn offers(&self, interface: Interface) -> bool {
        match interface {
            Interface::Allowlist => self.allowlist.is_some(),
            Interface::Pairing => self.pairing.is_some(),
            Interface::Group => self.group.is_some(),
            Interface::Filter => self.filter.is_some(),
            Interface::Chunking => self.chunking.is_some(),
        }
    }
}

fn check_imports(engine: &PluginEngine, component: &Component) -> Result<(), Refusal> {
    const OFFERED: [&str; 3] = ["message", "host", "store"];
    for (name, _) in component.component_type().imports(engine.engine()) {
        if wasi::offers(name) {
            continue;
        }
        let Some((interface, version)) = split(name) else {
            return Err(Refusal::ForeignImport(name.to_owned()));
        };
        if !same_track(version) {
            return Err(Refusal::OtherVersion { wanted: name.to_owned() });
        }
        if !OFFERED.contains(&interface) {
            return Err(Refusal::ForeignImport(name.to_owned()));
        }
    }
    Ok(())
}

/// Where a newer patch of the track is imported, that is why.
fn misfit(engine: &PluginEngine, component: &Component, error: &wasmtime::Error) -> Refusal {
    let ours = patch(ABI_VERSION);
    let component_type = component.component_type();
    let newer = (component_type.imports(engine.engine()))
        .find(|(name, _)| split(name).is_some_and(|(_, version)| patch(version) > ours));
    match newer {
        Some((name, _)) => Refusal::Newer { wanted: name.to_owned(), lacks: cause(error) },
        None => Refusal::DoesNotFit(cause(error)),
    }
}

fn check_exports(engine: &PluginEngine, component: &Component) -> Result<Vec<Interface>, Refusal> {
    let mut found = Vec::new();
    let mut configures = false;
    for (name, item) in component.component_type().exports(engine.engine()) {
        let Some((interface, version)) = split(name) else { continue };
        if !matches!(item.ty, ComponentItem::ComponentInstance(_)) {
            continue;
        }
        if !same_track(version) {
            return Err(Refusal::OtherVersion { wanted: name.to_owned() });
        }
        configures |= interface == "policy";
        found.extend(Interface::from_name(interface));
    }
    if found.is_empty() {
        return Err(Refusal::NoInterface);
    }
    if !configures {
        return Err(Refusal::NoConfigure);
    }
    Ok(found)
}

/// `imsgd:policy/store@0.1.0` → `store`, `0.1.0`.
fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

/// Before 1.0 the minor version is the track within which wasmtime lets versions meet.
fn same_track(version: &str) -> bool {
    let track = |version: &str| version.rsplit_once('.').map(|(track, _)| track.to_owned());
    !version.contains('-') && track(version) == track(ABI_VERSION)
}

/// The last number of `0.1.3`.
fn patch(version: &str) -> Option<u64> {
    version.rsplit_once('.')?.1.parse().ok()
}

/// What to do about a component of another version, by which of the two is older.
fn advice(wanted: &str) -> String {
    let numbers =
        |version: &str| version.split(['.', '-']).map(|part| part.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
    let version = split(wanted).map_or("", |(_, version)| version);
    if numbers(version) > numbers(ABI_VERSION) {
        format!(
            "Update imsgd, or build the policy against {ABI_VERSION}: `imsgd plugin sdk` in its crate, then `imsgd plugin build`"
        )
    } else {
        "Build the policy anew: `imsgd plugin sdk` in its crate, then `imsgd plugin build`".to_owned()
    }
}

/// An error with its causes on one line.
pub fn cause(error: &wasmtime::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        if !line.is_empty() && !words.iter().any(|seen| seen.contains(&line)) {
            words.push(line);
        }
    }
    words.join(": ")
}
