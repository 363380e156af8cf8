//! What this machine has for making WebAssembly of Rust, and what to install where it has nothing.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Consent, Talk};

pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian and Fedora keep theirs, which rustup's hides on PATH.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can make WebAssembly, and what cargo must be told for it.
pub(super) struct Toolchain {
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

impl Toolchain {
    /// A compiler with the target installed is best; else rustup may add it, if `consent` says so; else one with the
    /// library's source will do.
    pub(super) fn find(dir: &Path, talk: Talk, consent: Consent) -> Result<Self> {
        let named = env::var_os("RUSTC");
        let may_add = named.is_none();
        let named = named.unwrap_or_else(|| "rustc".into());
        let programs = [named, SYSTEM_RUSTC.into()];
        let compilers: Vec<Rustc> = programs.into_iter().filter_map(|program| Rustc::ask(program, dir)).collect();
        let has_target = || compilers.iter().find(|rustc| rustc.has_target());
        if has_target().is_none()
            && let Some(name) = compilers.first().filter(|_| may_add).and_then(Rustc::rustup_toolchain)
            && on_path("rustup").is_some()
            && consent(&format!("Let rustup add {TARGET} to the toolchain {name}?"))
        {
            add_target(dir, talk);
        }
        let with_source = || compilers.iter().find(|rustc| rustc.has_source()).map(|rustc| (rustc, true));
        let Some((rustc, build_std)) = has_target().map(|rustc| (rustc, false)).or_else(with_source) else {
            bail!(what_to_install(compilers.first(), |program| on_path(program).is_some()));
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

    pub(super) fn builds_std(&self) -> bool {
        self.build_std
    }

    pub(super) fn cargo(&self, dir: &Path) -> Command {
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

    /// The name of its toolchain, if rustup installed it.
    fn rustup_toolchain(&self) -> Option<String> {
        let is_rustups = self.sysroot.parent()?.file_name()? == "toolchains";
        is_rustups.then(|| self.sysroot.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
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

/// By rustup, for the toolchain that it would choose in `dir`. Where that fails, there may be another compiler.
fn add_target(dir: &Path, talk: Talk) {
    let mut rustup = Command::new("rustup");
    // What it prints is talk, not data.
    rustup.args(["target", "add", TARGET]).current_dir(dir).stdin(Stdio::null()).stdout(std::io::stderr());
    match rustup.status() {
        Ok(status) if status.success() => {}
        Ok(status) => talk(&format!("rustup could not add {TARGET} ({status})")),
        Err(error) => talk(&format!("rustup could not be run: {error}")),
    }
}

/// By package manager, what brings a compiler for WebAssembly.
const PACKAGES: [(&str, &str); 5] = [
    ("apt-get", "apt-get install --no-install-recommends cargo-web rustc-web rust-web-src lld"),
    ("dnf", "dnf install cargo rust-std-static-wasm32-unknown-unknown lld"),
    ("pacman", "pacman -S rust rust-wasm lld"),
    ("apk", "apk add cargo rust-wasm lld"),
    ("brew", "brew install rustup && rustup default stable"),
];

/// `has` tells which programs there are.
fn what_to_install(rustc: Option<&Rustc>, has: impl Fn(&str) -> bool) -> String {
    let what = match rustc {
        Some(rustc) => format!("the Rust compiler in {} has no library for {TARGET}", rustc.sysroot.display()),
        None => "no Rust compiler was found".to_owned(),
    };
    let mut ways = Vec::new();
    if has("rustup") && rustc.is_some_and(|rustc| rustc.rustup_toolchain().is_some()) {
        ways.push(format!("rustup target add {TARGET}    (or this command again, with --yes)"));
    } else if has("rustup") {
        ways.push(format!("rustup default stable && rustup target add {TARGET}"));
    } else {
        let of_system = PACKAGES.iter().find(|(program, _)| has(program));
        ways.extend(of_system.map(|(_, command)| (*command).to_owned()));
        ways.push(format!("install Rust from https://rustup.rs, then: rustup target add {TARGET}"));
    }
    format!("{what}. Any of these helps:\n\n    {}\n", ways.join("\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rustc(sysroot: &str) -> Rustc {
        Rustc { program: "rustc".into(), sysroot: sysroot.into(), host: "x86_64-unknown-linux-gnu".into() }
    }

    #[test]
    fn what_to_install_is_what_this_system_has() {
        let rustups = rustc("/home/ann/.rustup/toolchains/stable-x86_64-unknown-linux-gnu");
        let debians = rustc("/usr");
        for (rustc, programs, advice) in [
            (
                Some(&rustups),
                &["rustup", "apt-get"][..],
                "rustup target add wasm32-unknown-unknown    (or this command again",
            ),
            (None, &["rustup"], "rustup default stable && rustup target add"),
            (
                Some(&debians),
                &["apt-get"],
                "apt-get install --no-install-recommends cargo-web rustc-web rust-web-src lld",
            ),
            (None, &["dnf"], "dnf install cargo rust-std-static-wasm32-unknown-unknown lld"),
            (None, &["brew"], "brew install rustup"),
            (None, &[], "install Rust from https://rustup.rs"),
        ] {
            let said = what_to_install(rustc, |program| programs.contains(&program));
            assert!(said.contains(advice), "{programs:?}: {said}");
            assert_eq!(said.contains("no Rust compiler was found"), rustc.is_none(), "{said}");
        }
    }
}
