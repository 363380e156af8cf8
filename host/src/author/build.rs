//! Compiles a policy's crate to a WebAssembly module with whatever this machine has for it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian and Fedora keep theirs, which rustup's hides on PATH.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can make WebAssembly, and what cargo must be told for it.
struct Toolchain {
    rustc: Rustc,
    /// Compile the standard library, too: there is none for the target, but its source.
    build_std: bool,
    /// For a compiler that does not bring its own.
    linker: Option<PathBuf>,
}

#[derive(Clone)]
struct Rustc {
    program: OsString,
    sysroot: PathBuf,
    host: String,
}

/// Returns the path of the module.
pub(super) fn compile(dir: &Path, talk: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    let manifest = dir.join("Cargo.toml");
    ensure!(manifest.is_file(), "{} is no crate: it has no Cargo.toml", dir.display());
    let toolchain = Toolchain::find(&dir)?;
    if toolchain.build_std {
        talk("no standard library for WebAssembly here: compiling it first (once, some minutes)");
    }
    let output = toolchain.cargo(&dir).output().context("run cargo")?;
    ensure!(output.status.success(), "cargo could not build {}", dir.display());
    // The last one, as a dependency may be a cdylib as well.
    let module = String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| cdylib(line, &manifest)).next_back();
    module.with_context(|| format!("{} makes no module: its [lib] needs crate-type = [\"cdylib\"]", manifest.display()))
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

impl Toolchain {
    /// A compiler with the target installed is best; one with the library's source will do.
    fn find(dir: &Path) -> Result<Self> {
        let named = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let compilers: Vec<Rustc> =
            [named, SYSTEM_RUSTC.into()].into_iter().filter_map(|program| Rustc::ask(program, dir)).collect();
        let with_target = compilers.iter().find(|rustc| rustc.has_target()).map(|rustc| (rustc, false));
        let with_source = || compilers.iter().find(|rustc| rustc.has_source()).map(|rustc| (rustc, true));
        let Some((rustc, build_std)) = with_target.or_else(with_source) else {
            bail!(what_to_install(!compilers.is_empty()));
        };
        let linker = match rustc.lld().is_file() {
            true => None,
            false => Some(
                (compilers.iter().map(Rustc::lld).find(|lld| lld.is_file()))
                    .or_else(|| on_path("wasm-ld"))
                    .context("no linker for WebAssembly found: install lld, which has `wasm-ld`")?,
            ),
        };
        Ok(Self { rustc: rustc.clone(), build_std, linker })
    }

    fn cargo(&self, dir: &Path) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(dir)
            .args(["build", "--lib", "--release", "--target", TARGET])
            .arg("--message-format=json-render-diagnostics")
            .env("RUSTC", &self.rustc.program)
            // Flags for the machine's own programs, such as another linker, do not fit here.
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        // Small, whatever the crate's own profile says or does not say.
        for (key, value) in
            [("OPT_LEVEL", "s"), ("LTO", "true"), ("CODEGEN_UNITS", "1"), ("PANIC", "abort"), ("STRIP", "true")]
        {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        if self.build_std {
            cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    /// Panics carry file names: they must not tell where the author's home is. Nothing here is of one crate, or each
    /// would have the standard library compiled for itself.
    fn flags(&self) -> OsString {
        let home = env::home_dir().unwrap_or_default();
        let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let library = self.rustc.library();
        // Debian's is a link, and both names are seen.
        let real_library = library.canonicalize().unwrap_or_else(|_| library.clone());
        let mut flags = OsString::new();
        // Of those that fit, the last one counts.
        for (from, to) in [
            (&home, "~"),
            (&cargo_home.join("registry/src"), "registry"),
            (&library, "library"),
            (&real_library, "library"),
        ] {
            if from.parent().is_none() {
                continue;
            }
            if !flags.is_empty() {
                // What cargo separates them by.
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        flags
    }
}

impl Rustc {
    /// None where there is no such compiler. Asked in the crate's folder, as rustup decides by that.
    fn ask(program: OsString, dir: &Path) -> Option<Self> {
        let answer = |arguments: &[&str]| {
            let output = Command::new(&program).args(arguments).current_dir(dir).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let sysroot = PathBuf::from(answer(&["--print", "sysroot"])?.trim());
        let host = answer(&["-vV"])?.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Self { program, sysroot, host })
    }

    fn lld(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld")
    }

    fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    fn has_target(&self) -> bool {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    }

    fn has_source(&self) -> bool {
        self.library().join("std").is_dir()
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn what_to_install(found_rustc: bool) -> String {
    let advice = if on_path("rustup").is_some() {
        format!("run `rustup target add {TARGET}`")
    } else if on_path("apt-get").is_some() {
        "run `apt-get install --no-install-recommends rustc-web rust-web-src lld`".to_owned()
    } else {
        format!("install Rust from https://rustup.rs, then run `rustup target add {TARGET}`")
    };
    match found_rustc {
        true => format!("no Rust compiler here can build for {TARGET}: {advice}"),
        false => format!("no Rust compiler found: {advice}"),
    }
}
