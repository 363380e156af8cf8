//! `imsgd serve` and `imsgd rpc`: the daemon on a socket, and one client on stdio.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{ArgAction, Args};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::session::{self, Found};
use super::{Global, Where, client};
use crate::config::{Config, Scope, Scopes};
use crate::daemon::{Daemon, Holder, Instance, Role, STOP_WITHIN};
use crate::install::names;
use crate::log::{self, Rotating};
use crate::rpc::scope::{Access, Who};
use crate::rpc::{discover, legacy};
use crate::state;
use crate::transport::relay::{self, Ended};
use crate::transport::socket::Door;
use crate::transport::{self, is_set};

/// launchd starts a daemon again after 10 seconds at most, and it listens soon after.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(15);

/// As `imsg` would call it, since who needs this replaces that.
const LEGACY_VARIABLE: &str = "IMSG_RPC_COMPAT";

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    log: LogFile,
}

/// Where the log goes, where that is not stderr.
#[derive(Args, Default)]
struct LogFile {
    /// Write the log into this file instead of stderr; four that are full are kept beside it
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// A log file is full at this many bytes
    #[arg(long, value_name = "BYTES", requires = "log_file", default_value_t = 5_000_000)]
    log_bytes: u64,
}

impl LogFile {
    fn start(&self, global: &Global) -> anyhow::Result<()> {
        let Some(path) = &self.log_file else {
            global.start_log("info");
            return Ok(());
        };
        log::shorten_stderr(self.log_bytes);
        let log = Rotating::open(path, self.log_bytes);
        let log = log.with_context(|| format!("could not open the log {}", path.display()))?;
        global.start_log_on(log, false, "info");
        Ok(())
    }
}

#[derive(Args)]
pub struct Rpc {
    #[command(flatten)]
    pub at: Where,
    /// Serve by itself, never through a running daemon
    #[arg(long)]
    pub standalone: bool,
    /// Take parameters as imsg 0.3 to 0.9 did, as far as it is safe
    #[arg(
        long,
        env = LEGACY_VARIABLE,
        value_name = "VERSION",
        value_parser = is_legacy_version,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "0.15",
        default_missing_value = "0.9",
        hide_default_value = true
    )]
    pub legacy_params: bool,
    /// What the client may do at most, of read, send and policy, with commas between
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = scope_named)]
    pub scopes: Option<Vec<Scope>>,
    /// Print the OpenRPC document of what is served, and end
    #[arg(long)]
    pub discover: bool,
    /// Never serve by itself.
    #[arg(skip)]
    pub needs_daemon: bool,
}

impl Serve {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        self.log.start(global)?;
        // For whoever reads only the log.
        self.claim_and_serve(global).inspect_err(|error| tracing::error!("{error:#}"))
    }

    fn claim_and_serve(&self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = global.load(&self.at)?;
        match session::claim(&config, Role::Serve)? {
            Ok(instance) => serve(global, &self.at, config, instance),
            Err(holder) => Err(taken(&config, &holder)),
        }
    }
}

impl Rpc {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        if self.discover {
            super::print(&format!("{:#}\n", discover::document()));
            return Ok(ExitCode::SUCCESS);
        }
        if self.at.socket.is_some() && !self.standalone {
            // As in `imsg`'s builds with a socket: serve there.
            if self.legacy_params {
                bail!(
                    "--legacy-params and {LEGACY_VARIABLE} are for a client on stdin; over a socket a client asks for \
                     it by itself, with the method {}",
                    legacy::METHOD
                );
            }
            if self.scopes.is_some() {
                bail!("--scopes is for a client on stdin; what clients of a socket may do is server.scopes");
            }
            return Serve { at: self.at, log: LogFile::default() }.run(global);
        }
        global.start_log("warn");
        let config = global.load(&self.at)?;
        let is_launchd_s = !self.standalone && is_served_by_launchd(&config);
        if self.needs_daemon || is_launchd_s {
            let within = if is_launchd_s { COMES_BACK_WITHIN } else { Duration::ZERO };
            return relay_to_daemon(client::awaited(&config, within)?, &self);
        }
        if self.standalone {
            return match session::claim(&config, Role::Serve)? {
                Ok(instance) => stand_alone(global, &self, config, instance),
                Err(holder) => Err(taken(&config, &holder)),
            };
        }
        match session::find(&config, Role::Serve, client::connect_as_client)? {
            Found::Free(instance) => stand_alone(global, &self, config, instance),
            Found::Daemon(stream) => relay_to_daemon(stream, &self),
        }
    }
}

/// Does launchd run the daemon of this database? Where it is away for a moment, as for an upgrade, who serves in its place
/// would keep it from coming back, and may not read the messages.
fn is_served_by_launchd(config: &Config) -> bool {
    let home = std::env::home_dir().filter(|_| config.is_of_messages());
    home.is_some_and(|home| names::agent(&home).is_file())
}

/// Does this version of `imsg` stand for legacy mode? Before 0.3 it spoke no JSON-RPC, and from 0.10 on it is strict.
fn is_legacy_version(version: &str) -> Result<bool, String> {
    match version.strip_prefix("0.").and_then(|minor| minor.parse::<u32>().ok()) {
        Some(minor @ 3..) => Ok(minor < 10),
        _ => Err("say 0.9 for parameters as imsg 0.3 to 0.9 took them, or 0.15 for strict ones".to_owned()),
    }
}

fn scope_named(name: &str) -> Result<Scope, String> {
    Scope::named(name).ok_or_else(|| "scopes are read, send and policy".to_owned())
}

/// What the client says, after what we say for it.
fn client_input(is_legacy: bool) -> impl AsyncRead + Unpin {
    let said = if is_legacy { legacy::ASK } else { "" };
    said.as_bytes().chain(tokio::io::stdin())
}

fn taken(config: &Config, holder: &Holder) -> anyhow::Error {
    let socket = holder.socket.as_ref().map(|socket| format!(" and listens on {}", socket.display()));
    anyhow!(
        "imsgd {} (process {}) already serves {}{}; connect to it, or stop it first",
        holder.version,
        holder.pid,
        config.messages.db.display(),
        socket.unwrap_or_default()
    )
}

pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no threads")
}

fn serve(global: &Global, at: &Where, config: Config, mut instance: Instance) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let is_done = runtime.block_on(async {
        let sockets = Sockets::of(&config);
        let owners = sockets.bind_owners();
        let door = Door::open(&sockets.clients, Who::Client)?;
        let daemon = Daemon::start(config, global.overrides(at), Role::Serve)?;
        let mut doors: Vec<_> = owners.map(|door| serve_at(door, &daemon)).into_iter().collect();
        instance.announce(Some(sockets.clients.clone()))?;
        tracing::info!(socket = %sockets.clients.display(), "listening");
        doors.push(serve_at(door, &daemon));
        until_asked_to_stop(&daemon).await?;
        tracing::info!("stopping");
        Ok::<_, anyhow::Error>(daemon.stop(closed(doors)).await)
    })?;
    runtime.shutdown_background();
    report_stop(is_done);
    ended()
}

/// Serves stdio, and the socket too: whoever else comes is served by us.
fn stand_alone(global: &Global, rpc: &Rpc, config: Config, mut instance: Instance) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let is_done = runtime.block_on(async {
        let sockets = Sockets::of(&config);
        let daemon = Daemon::start(config, global.overrides(&rpc.at), Role::Serve)?;
        let doors = sockets.open(&daemon, &mut instance)?;
        let mut access = Access::of(Who::Stdio);
        access.keep(rpc.scopes.as_ref().map_or(Scopes::ALL, |scopes| scopes.iter().copied().collect()));
        let client = transport::serve(
            daemon.service.clone(),
            access,
            client_input(rpc.legacy_params),
            tokio::io::stdout(),
            daemon.stopping(),
        );
        let mut client = tokio::spawn(client);
        tokio::select! {
            _ = &mut client => {}
            asked = until_asked_to_stop(&daemon) => asked?,
        }
        let others = async {
            if !client.is_finished() {
                let _ = client.await;
            }
            closed(doors).await;
        };
        Ok::<_, anyhow::Error>(daemon.stop(others).await)
    })?;
    // A read of stdin that is under way cannot be taken back.
    runtime.shutdown_background();
    report_stop(is_done);
    ended()
}

/// Where others are let in.
pub struct Sockets {
    clients: PathBuf,
    owners: PathBuf,
}

impl Sockets {
    pub fn of(config: &Config) -> Sockets {
        Sockets { clients: config.socket(), owners: config.owner_socket() }
    }

    /// Lets others in too, where nothing stands in the way of that.
    pub fn open(&self, daemon: &Daemon, instance: &mut Instance) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let mut doors: Vec<_> = self.bind_owners().map(|door| serve_at(door, daemon)).into_iter().collect();
        match Door::open(&self.clients, Who::Client) {
            Ok(door) => {
                instance.announce(Some(self.clients.clone()))?;
                doors.push(serve_at(door, daemon));
            }
            Err(error) => tracing::warn!("no socket for others: {error}"),
        }
        Ok(doors)
    }

    /// Before that of clients, so that no command of the owner's finds only that one.
    fn bind_owners(&self) -> Option<Door> {
        match Door::open(&self.owners, Who::Owner) {
            Ok(door) => Some(door),
            Err(error) => {
                tracing::warn!("commands of imsgd may do no more than server.scopes allows: {error}");
                None
            }
        }
    }
}

fn serve_at(door: Door, daemon: &Daemon) -> JoinHandle<()> {
    tokio::spawn(door.serve(daemon.service.clone(), daemon.stopping()))
}

/// Waits until nobody is served any more.
pub async fn closed(doors: Vec<JoinHandle<()>>) {
    for door in doors {
        let _ = door.await;
    }
}

fn relay_to_daemon(stream: UnixStream, rpc: &Rpc) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        stream.set_nonblocking(true)?;
        let mut stream = tokio::net::UnixStream::from_std(stream)?;
        if let Some(scopes) = &rpc.scopes {
            relay::give_up(&mut stream, scopes.iter().copied().collect()).await?;
        }
        Ok::<_, anyhow::Error>(relay::relay(stream, client_input(rpc.legacy_params), tokio::io::stdout()).await?)
    })?;
    runtime.shutdown_background();
    if ended == Ended::Daemon {
        bail!("the imsgd daemon has ended; start this again to be served anew");
    }
    Ok(ExitCode::SUCCESS)
}

/// A failure where we stopped by ourselves, so that launchd starts us again.
fn ended() -> anyhow::Result<ExitCode> {
    match state::problem() {
        None => Ok(ExitCode::SUCCESS),
        Some(problem) => bail!("state.db is damaged ({problem}); the next start sets it aside and begins a new one"),
    }
}

/// Until SIGTERM or SIGINT, or until state.db turns out to be damaged. SIGHUP reads everything anew.
pub async fn until_asked_to_stop(daemon: &Daemon) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut stopping = daemon.stopping();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = is_set(&mut stopping) => return Ok(()),
            () = state::met() => return Ok(()),
            _ = hangup.recv() => daemon.service.reloader.hint(),
        }
    }
}

pub fn report_stop(is_done: bool) {
    if !is_done {
        tracing::warn!("not everything came to an end within {} s", STOP_WITHIN.as_secs());
    }
}
