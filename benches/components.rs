//! Policies that are built to be measured, each by `imsgd plugin build`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::server::IMSGD;

/// As the Makefile has it.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("CACHE") {
        return Ok(folder.into());
    }
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = xdg.or_else(|| Some(env::home_dir()?.join(".cache"))).context("no home folder")?;
    Ok(folder.join("imsgd"))
}

/// Where WebAssembly is compiled, as in the Makefile, so that the standard library for it is there already.
pub fn wasm_target() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(mut folder) => {
            folder.push("-wasm");
            Ok(folder.into())
        }
        None => Ok(cache()?.join("target-wasm")),
    }
}

/// Makes a component of the crate in `dir`.
pub fn build(dir: &Path, out: &Path) -> Result<()> {
    let output = Command::new(IMSGD)
        .args(["plugin", "build"])
        .arg(dir)
        .arg("--out")
        .arg(out)
        .env("CARGO_TARGET_DIR", wasm_target()?)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "imsgd plugin build {}: {}\n{said}", dir.display(), output.status);
    Ok(())
}
