//! `imsgd demo start` and `stop`: a simulated Messages with a daemon that stays, to try policies on.

use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::FRIEND;
use super::client::Client;
use super::stage::{PATIENCE, furnish, say, simulated};

/// The first line of the configuration of a folder that we made.
const MADE_BY: &str = "# Made by `imsgd demo start`. Change it as you like: it takes effect at once.";

/// What a socket's path may be long, on macOS.
const SOCKET_PATH_BYTES: usize = 103;

const STEP: Duration = Duration::from_millis(10);

#[derive(clap::Subcommand)]
pub enum Action {
    /// Serve a simulated Messages in the background, to try policies on
    Start(Folder),
    /// End what `demo start` began in a folder; the folder stays
    Stop(Folder),
}

#[derive(clap::Args)]
pub struct Folder {
    /// A new folder, or one that `demo start` made before
    #[arg(default_value = "imsgd-demo")]
    folder: PathBuf,
}

impl Action {
    pub fn run(self) -> Result<()> {
        match self {
            Action::Start(folder) => start(&folder.folder),
            Action::Stop(folder) => stop(&folder.folder),
        }
    }
}

fn start(folder: &Path) -> Result<()> {
    let is_ours = is_ours(folder);
    ensure!(
        is_ours || fs::symlink_metadata(folder).is_err(),
        "{} is there, and not by `imsgd demo start`",
        folder.display()
    );
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let whole = folder.canonicalize()?;
    let socket = socket(&whole);
    ensure!(
        socket.as_os_str().len() <= SOCKET_PATH_BYTES,
        "{} is too long a path for a socket: choose a folder nearer to the root",
        socket.display()
    );
    ensure!(
        UnixStream::connect(&socket).is_err(),
        "it runs already in {0}: `imsgd demo stop {0}` ends it",
        folder.display()
    );
    let program = std::env::current_exe()?;
    if !is_ours {
        let config = format!("{MADE_BY}\n{}\n[policy]\nallow_from = [\"{FRIEND}\"]\n", simulated(&whole));
        furnish(&whole, &program, &config)?;
    }
    let pid = serve(&whole, &program)?;
    let shown = folder.display();
    say(&format!("A simulated Messages is in {shown}, and imsgd serves it: process {pid}."));
    say("");
    say(&format!("  Talk to it:       export IMSGD_CONFIG={}", whole.join("config.toml").display()));
    say(&format!("  Somebody writes:  imsgd sim receive --db {shown}/chat.db --from {FRIEND} --text hello"));
    say(&format!("  Policies go into  {shown}/plugins"));
    say(&format!("  End it:           imsgd demo stop {shown}"));
    Ok(())
}

/// Starts the daemon, and goes on when it judges.
fn serve(folder: &Path, program: &Path) -> Result<u32> {
    let log = folder.join("daemon.log");
    let mut daemon = Command::new(program);
    daemon
        .arg("serve")
        .arg("--config")
        .arg(folder.join("config.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        // Ctrl-C in the terminal is for others.
        .process_group(0);
    let mut daemon = daemon.spawn().context("the daemon did not start")?;
    let began = Instant::now();
    while !judges(folder) {
        if let Some(status) = daemon.try_wait()? {
            bail!("the daemon ended with {status}: {}", fs::read_to_string(&log)?);
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the daemon is not ready after {} s: see {}",
            PATIENCE.as_secs(),
            log.display()
        );
        std::thread::sleep(STEP);
    }
    Ok(daemon.id())
}

/// Is it up, with all its policies?
fn judges(folder: &Path) -> bool {
    let Ok(list) = ask(folder, "plugins.list") else { return false };
    list["plugins"].as_array().is_some_and(|plugins| plugins.iter().any(|plugin| plugin["name"] == "chunking"))
}

fn stop(folder: &Path) -> Result<()> {
    ensure!(is_ours(folder), "{} was not made by `imsgd demo start`", folder.display());
    let whole = folder.canonicalize()?;
    let Ok(status) = ask(&whole, "status") else {
        say(&format!("Nothing runs in {}.", folder.display()));
        return Ok(());
    };
    let pid = status["imsgd"]["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.context("the daemon does not say which process it is")?;
    kill_process(pid, Signal::TERM).context("end the daemon")?;
    let began = Instant::now();
    // One of whose parent nobody asks stays in the table for a while: that its socket is gone is as good.
    while test_kill_process(pid).is_ok() && UnixStream::connect(socket(&whole)).is_ok() {
        ensure!(began.elapsed() < PATIENCE, "process {} does not end", pid.as_raw_nonzero());
        std::thread::sleep(STEP);
    }
    say(&format!("Ended. {} stays, for another `imsgd demo start`.", folder.display()));
    Ok(())
}

fn ask(folder: &Path, method: &str) -> Result<Value> {
    let stream = UnixStream::connect(socket(folder))?;
    Client::new(stream.try_clone()?, stream).call(method, json!({}))
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("state/imsgd.sock")
}

fn is_ours(folder: &Path) -> bool {
    fs::read_to_string(folder.join("config.toml")).is_ok_and(|config| config.starts_with(MADE_BY))
}
