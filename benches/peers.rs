//! Other readers of chat.db, as their registries have them: installed by their own clients into the cache, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

use crate::components;

pub struct Peer {
    pub name: &'static str,
    pub version: &'static str,
    pub registry: &'static str,
    /// What it gives, and what it leaves out that imsgd has.
    pub gives: &'static str,
    install: fn(&Path) -> Result<()>,
    command: fn(&Path) -> Result<Command>,
    pub output: Output,
}

/// Where what it read is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A line of stdout for each message.
    Lines,
    /// Text files in a folder that is its last argument.
    Files,
}

pub const PEERS: [Peer; 4] = [
    Peer {
        name: "imessage-exporter",
        version: "5.0.1",
        registry: "crates.io",
        gives: "text files for people, not JSON (it has txt and html); tapbacks as lines below their message, replies twice",
        install: install_exporter,
        command: exporter,
        output: Output::Files,
    },
    Peer {
        name: "@photon-ai/imessage-kit",
        version: "3.0.0",
        registry: "npm",
        gives: "JSON of `getMessages()`, on bun 1.4.4, which it calls the faster; told that it is on macOS",
        install: install_kit,
        command: kit,
        output: Output::Lines,
    },
    Peer {
        name: "imessage-chatdb",
        version: "0.2.0",
        registry: "PyPI",
        gives: "JSON lines of `tail --since-rowid 0`",
        install: |folder| install_python(folder, "imessage-chatdb==0.2.0"),
        command: chatdb,
        output: Output::Lines,
    },
    Peer {
        name: "imessage-reader",
        version: "0.6.1",
        registry: "PyPI",
        gives: "sender, text, date, service, account and direction only: no ids, chats, replies, reactions or attachments, and no \
                message without a handle",
        install: |folder| install_python(folder, "imessage-reader==0.6.1"),
        command: reader,
        output: Output::Lines,
    },
];

impl Peer {
    /// The command that reads everything, to which the database is yet to be added; installs it where it is not.
    pub fn ready(&self) -> Result<Command> {
        let folder = cache()?.join(format!("{}-{}", self.name.replace('/', "-"), self.version));
        let mark = folder.join("installed");
        if !mark.exists() {
            eprintln!("installing {} {} from {}", self.name, self.version, self.registry);
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            (self.install)(&folder)?;
            fs::write(&mark, "")?;
        }
        (self.command)(&folder)
    }
}

/// Beside what else the build keeps.
fn cache() -> Result<PathBuf> {
    Ok(components::cache()?.join("bench"))
}

/// What a client of a registry says goes into the error, its last line.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing");
    ensure!(output.status.success(), "{:?}: {last}", command.get_program());
    Ok(())
}

fn install_exporter(folder: &Path) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "imessage-exporter", "--version", "5.0.1", "--locked", "--root"]).arg(folder);
    run(cargo.env("CARGO_TARGET_DIR", folder.join("build")))?;
    fs::remove_dir_all(folder.join("build"))?;
    Ok(())
}

fn exporter(folder: &Path) -> Result<Command> {
    let mut command = Command::new(folder.join("bin/imessage-exporter"));
    command.args(["--format", "txt", "--platform", "macOS", "--copy-method", "disabled"]);
    Ok(command)
}

/// The runtime is a package, too; without scripts nothing is downloaded from elsewhere.
fn install_kit(folder: &Path) -> Result<()> {
    fs::write(folder.join("all.mjs"), KIT)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(folder);
    run(npm.args(["bun@1.4.4", "@photon-ai/imessage-kit@3.0.0"]))
}

const KIT: &str = r#"
Object.defineProperty(process, 'platform', { value: 'darwin' })
const { IMessageSDK } = await import('@photon-ai/imessage-kit')
const sdk = new IMessageSDK({ databasePath: process.argv[2] })
const out = Bun.stdout.writer()
for (const message of await sdk.getMessages({})) out.write(JSON.stringify(message) + '\n')
await out.end()
process.exit(0)
"#;

fn kit(folder: &Path) -> Result<Command> {
    let builds = fs::read_dir(folder.join("node_modules/@oven"))?.filter_map(|entry| Some(entry.ok()?.path()));
    let runs = |bun: &PathBuf| Command::new(bun).arg("--version").output().is_ok_and(|output| output.status.success());
    let bun = builds.map(|build| build.join("bin/bun")).find(runs).context("no bun runs here")?;
    let mut command = Command::new(bun);
    command.arg(folder.join("all.mjs"));
    Ok(command)
}

fn install_python(folder: &Path, package: &str) -> Result<()> {
    let python = python().ok_or_else(|| anyhow!("it needs Python 3.12 or newer"))?;
    run(Command::new(python).args(["-m", "venv"]).arg(folder.join("venv")))?;
    let pip = folder.join("venv/bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", package]))
}

/// One that is new enough, on the path or of pyenv.
fn python() -> Option<PathBuf> {
    const IS_NEW: &str = "import sys; raise SystemExit(sys.version_info < (3, 12))";
    let named = ["python3", "python3.12", "python3.13", "python3.14"].into_iter().map(PathBuf::from);
    let versions = fs::read_dir(std::env::home_dir()?.join(".pyenv/versions")).into_iter().flatten();
    let of_pyenv = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/python3")));
    named.chain(of_pyenv).find(|python| {
        let asked = Command::new(python).args(["-c", IS_NEW]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

fn chatdb(folder: &Path) -> Result<Command> {
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.args(["-m", "imessage_chatdb", "tail", "--since-rowid", "0", "--db"]);
    Ok(command)
}

const READER: &str = r"
import json, sys
from imessage_reader.fetch_data import FetchData
for row in FetchData(sys.argv[1]).get_messages():
    sys.stdout.write(json.dumps(row) + '\n')
";

fn reader(folder: &Path) -> Result<Command> {
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.args(["-c", READER]);
    Ok(command)
}
