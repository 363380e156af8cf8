//! Compiles a policy's crate to a WebAssembly module.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::toolchain::{TARGET, Toolchain};
use super::{Consent, Talk};

/// Returns the path of the module.
pub(super) fn compile(dir: &Path, talk: Talk, consent: Consent) -> Result<PathBuf> {
    let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    let manifest = dir.join("Cargo.toml");
    super::check_crate(&dir)?;
    check_library(&dir)?;
    let toolchain = Toolchain::find(&dir, talk, consent)?;
    if toolchain.builds_std() {
        talk("no standard library for WebAssembly here: compiling it first (once, some minutes)");
    }
    let output = toolchain
        .cargo(&dir)
        .output()
        .context("could not run cargo, which comes with Rust: https://rustup.rs, or Debian's cargo-web")?;
    if !output.status.success() {
        bail!("cargo could not build {} for {TARGET}: see its words above", dir.display());
    }
    // The last one, as a dependency may be a cdylib as well.
    let module = String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| cdylib(line, &manifest)).next_back();
    module.with_context(|| no_module(&manifest))
}

/// Before anything is compiled: would a module come of it?
fn check_library(dir: &Path) -> Result<()> {
    let manifest = super::manifest(dir)?;
    let library = manifest.get("lib");
    ensure!(
        library.is_some_and(|library| library.get("path").is_some()) || dir.join("src/lib.rs").is_file(),
        "{} has no src/lib.rs: a policy is a library. `imsgd plugin new NAME --kind filter` shows one",
        dir.display()
    );
    let kinds = library.and_then(|library| library.get("crate-type")).and_then(toml::Value::as_array);
    let is_module = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("cdylib")));
    ensure!(is_module, no_module(&dir.join("Cargo.toml")));
    Ok(())
}

fn no_module(manifest: &Path) -> String {
    format!("{} makes no module: it needs\n\n    [lib]\n    crate-type = [\"cdylib\"]\n", manifest.display())
}

/// The module that a line of cargo's JSON tells of, if it is of this manifest.
fn cdylib(line: &str, manifest: &Path) -> Option<PathBuf> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let ours =
        event["reason"] == "compiler-artifact" && event["manifest_path"].as_str().map(Path::new) == Some(manifest);
    let files = event["filenames"].as_array().filter(|_| ours)?;
    files
        .iter()
        .filter_map(|file| file.as_str())
        .map(PathBuf::from)
        .find(|file| file.extension() == Some(OsStr::new("wasm")))
}
