//! A conversation in JSON-RPC with whoever serves this database: the running daemon, else this process, for as long
//! as the conversation lasts.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::serve::Sockets;
use super::{Global, Where, client, serve};
use crate::config::Config;
use crate::daemon::{Daemon, Holder, Instance, Role};
use crate::rpc::scope::{Access, Who};
use crate::transport;

/// How long a daemon that has just been started may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(10);

/// How long the lock may be of nobody: of a process that is gone, or has not written its name yet.
const CHANGES_WITHIN: Duration = Duration::from_secs(2);

/// What passes between us and a daemon in our own process before one waits for the other.
const PIPE_BYTES: usize = 64 << 10;

/// Who serves the database.
pub enum Found {
    /// Nobody, and until this is dropped nobody else will.
    Free(Instance),
    Daemon(UnixStream),
}

/// Has it not said yet who it is, or was it killed? A child that it had just forked then keeps the lock until it has
/// become another program.
fn is_changing(holder: &Holder) -> bool {
    let pid = i32::try_from(holder.pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_none_or(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// The lock, or who has it. One who only runs an errand is waited for.
pub fn claim(config: &Config, role: Role) -> anyhow::Result<Result<Instance, Holder>> {
    // An attempt, another over SMS, and a look for the row.
    let errand_within = Duration::from_secs(2 * config.send.timeout_seconds + 30);
    let began = Instant::now();
    loop {
        match Instance::claim(&config.state_dir(), role)? {
            Err(holder) if holder.errand && began.elapsed() < errand_within => std::thread::sleep(STEP),
            Err(holder) if is_changing(&holder) && began.elapsed() < CHANGES_WITHIN => std::thread::sleep(STEP),
            claimed => return Ok(claimed),
        }
    }
}

/// Takes the lock, or connects to the daemon that has it.
pub fn find(config: &Config, role: Role, connect: fn(&Config) -> Option<UnixStream>) -> anyhow::Result<Found> {
    let began = Instant::now();
    loop {
        // Each time anew: who had it may have ended.
        if let Ok(instance) = claim(config, role)? {
            return Ok(Found::Free(instance));
        }
        if let Some(stream) = connect(config) {
            return Ok(Found::Daemon(stream));
        }
        if began.elapsed() > LISTENS_WITHIN {
            let socket = client::socket_of(config);
            return Err(anyhow!("an imsgd daemon runs for this database, but does not answer on {}", socket.display()));
        }
        std::thread::sleep(STEP);
    }
}

/// One side of the conversation: ours.
pub struct Session {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    output: Box<dyn AsyncWrite + Send + Unpin>,
    /// The other side is another process, which may end without us.
    pub is_daemon: bool,
    line: String,
    last_id: u64,
}

impl Session {
    fn new<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S, is_daemon: bool) -> Session {
        let (input, output) = tokio::io::split(stream);
        let (input, output) = (BufReader::new(Box::new(input) as _), Box::new(output));
        Session { input, output, is_daemon, line: String::new(), last_id: 0 }
    }

    /// The next line; `None` once the other side has nothing more to say.
    pub async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        self.line.clear();
        if self.input.read_line(&mut self.line).await.context("the daemon was lost")? == 0 {
            return Ok(None);
        }
        serde_json::from_str(&self.line).map(Some).context("the daemon gave no JSON")
    }

    /// Calls one method, and waits for its answer.
    pub async fn call(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.output.write_all(format!("{request}\n").as_bytes()).await.context("could not ask the daemon")?;
        self.output.flush().await.context("could not ask the daemon")?;
        while let Some(mut line) = self.next().await? {
            if line["id"] == self.last_id {
                return match line.get("error") {
                    Some(error) => Err(client::failure(error)),
                    None => Ok(line["result"].take()),
                };
            }
        }
        Err(anyhow!("the imsgd daemon ended without an answer; what was asked may have been done"))
    }
}

/// Talks to the daemon, else to ourselves in this role.
pub fn with(
    global: &Global,
    at: &Where,
    role: Role,
    talk: impl AsyncFnOnce(Session) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let config = global.load(at)?;
    let found = match client::connect(&config) {
        Some(stream) => Found::Daemon(stream),
        None => find(&config, role, client::connect)?,
    };
    match found {
        Found::Daemon(stream) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let result = runtime.block_on(async {
                stream.set_nonblocking(true)?;
                talk(Session::new(tokio::net::UnixStream::from_std(stream)?, true)).await
            });
            // What a thread does still, as to wait for a compiler, is waited for by nobody.
            runtime.shutdown_background();
            result
        }
        Found::Free(instance) => {
            global.start_log("warn");
            let runtime = serve::runtime()?;
            let result = runtime.block_on(by_ourselves(global, at, config, instance, role, talk));
            runtime.shutdown_background();
            result
        }
    }
}

async fn by_ourselves(
    global: &Global,
    at: &Where,
    config: Config,
    mut instance: Instance,
    role: Role,
    talk: impl AsyncFnOnce(Session) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let sockets = Sockets::of(&config);
    let daemon = Daemon::start(config, global.overrides(at), role)?;
    let doors = match role {
        Role::Errand => Vec::new(),
        _ => sockets.open(&daemon, &mut instance)?,
    };
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let (input, output) = tokio::io::split(theirs);
    let client = tokio::spawn(transport::serve(
        daemon.service.clone(),
        Access::of(Who::Owner),
        input,
        output,
        daemon.stopping(),
    ));
    let mut said = None;
    let talking = talk(Session::new(ours, false));
    tokio::pin!(talking);
    tokio::select! {
        end = &mut talking => said = Some(end),
        asked = serve::until_asked_to_stop(&daemon) => asked?,
    }
    let others = async {
        // What was asked for is finished, and the conversation ends with it.
        if said.is_none() {
            said = Some(talking.await);
        }
        let _ = client.await;
        serve::closed(doors).await;
    };
    serve::report_stop(daemon.stop(others).await);
    said.unwrap_or_else(|| Err(anyhow!("was stopped before there was an answer; what was asked may have been done")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_lock_and_is_not_known_yet_is_waited_for() {
        let holder = |pid| Holder { pid, ..Holder::default() };
        assert!(is_changing(&holder(0)));
        assert!(is_changing(&holder(i32::MAX as u32)));
        assert!(!is_changing(&holder(std::process::id())));
    }
}
