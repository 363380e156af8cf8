//! What has to be built before the chain can be measured: the policies as components, the same for Extism, and the
//! program that measures peers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::components::{build, cache, wasm_target};

/// Policies of `benches/policies` that are components.
const COMPONENTS: [&str; 4] = ["senders", "mentions", "words", "probe"];

/// As features of `benches/peers`, with their names for people.
const ENGINES: [(&str, &str); 3] = [("luajit", "LuaJIT"), ("quickjs", "QuickJS"), ("extism", "Extism")];

pub fn name_of(engine: &str) -> &'static str {
    ENGINES.iter().find(|(feature, _)| *feature == engine).map_or("", |(_, name)| *name)
}

fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

/// The folder with `senders.wasm` and the others, each made by `imsgd plugin build`.
pub fn components() -> Result<PathBuf> {
    let out = wasm_target()?.join("bench");
    for name in COMPONENTS {
        eprintln!("building the policy {name}");
        build(&benches().join("policies").join(name), &out.join(format!("{name}.wasm")))?;
    }
    Ok(out)
}

/// The policies as one module for Extism, by the same compiler, and optimized for speed as its users' are.
fn extism_module() -> Result<PathBuf> {
    let target = wasm_target()?;
    let status = imsgd::author::cargo(&benches().join("policies/extism"), &mut |said| eprintln!("{said}"))?
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "cargo could not build it: {status}");
    Ok(target.join("wasm32-unknown-unknown/release/imsgd_bench_extism.wasm"))
}

/// The program that measures peers, and what it needs.
pub struct Peers {
    pub program: PathBuf,
    pub extism_module: Option<PathBuf>,
}

/// With all engines that can be built here; the others are named in `left_out`, with the reason.
pub fn peers(left_out: &mut Vec<String>) -> Result<Option<Peers>> {
    let (mut engines, mut extism) = (ENGINES.map(|(feature, _)| feature).to_vec(), None);
    match extism_module() {
        Ok(module) => extism = Some(module),
        Err(error) => {
            left_out.push(format!("Extism is left out: its plugin could not be built here ({error:#})."));
            engines.retain(|feature| *feature != "extism");
        }
    }
    if build_peers(&engines).is_err() {
        engines.retain(|feature| {
            let built = build_peers(&[feature]);
            if let Err(error) = &built {
                left_out.push(format!("{} is left out: it could not be built here ({error:#}).", name_of(feature)));
            }
            built.is_ok()
        });
        if engines.is_empty() || build_peers(&engines).is_err() {
            return Ok(None);
        }
    }
    let program = peers_target()?.join("release/imsgd-bench-peers");
    Ok(Some(Peers { program, extism_module: extism }))
}

/// Of its own: it has a wasmtime that imsgd does not have.
fn peers_target() -> Result<PathBuf> {
    Ok(cache()?.join("peers"))
}

fn build_peers(engines: &[&str]) -> Result<()> {
    eprintln!("building peers: {} (the first time takes some minutes)", engines.join(", "));
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(benches().join("peers/Cargo.toml"))
        .args(["--features", &engines.join(",")])
        .env("CARGO_TARGET_DIR", peers_target()?)
        .stdout(Stdio::null())
        .status()
        .context("run cargo")?;
    ensure!(status.success(), "cargo build: {status}");
    Ok(())
}

/// The version of a crate that peers are built with.
pub fn locked(name: &str) -> String {
    let lock: Option<toml::Table> =
        std::fs::read_to_string(benches().join("peers/Cargo.lock")).ok().and_then(|text| text.parse().ok());
    let packages = lock.as_ref().and_then(|lock| lock.get("package")?.as_array());
    let found =
        packages.into_iter().flatten().find(|package| package.get("name").and_then(|n| n.as_str()) == Some(name));
    let version = found.and_then(|package| package.get("version")?.as_str()).unwrap_or("of unknown version");
    format!("{name} {version}")
}
