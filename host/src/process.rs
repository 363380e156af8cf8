//! Child processes while serving: each leads a process group of its own, has a time limit, and whatever it started
//! ends with it.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// How long a child may take.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub time: Duration,
    /// What it gets after that, between SIGTERM and SIGKILL. None: SIGKILL at once.
    pub grace: Option<Duration>,
}

/// What passes between us and the child.
#[derive(Clone, Copy, Debug)]
pub enum Talk<'a> {
    /// Nothing, either way.
    Silent,
    /// This to its stdin. What it says is kept, [`KEPT`] bytes of each stream; the rest is read and thrown away.
    Tell(&'a [u8]),
}

/// Bytes of each stream that are kept: enough for a result line or an error text.
pub const KEPT: usize = 16 << 10;

/// A child that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Its stdout, where it was listened to.
    pub said: String,
    /// Its stderr, where it was listened to.
    pub complained: String,
}

/// A child that did not end by itself. None of it is left when this is returned, but for [`Error::StillRunning`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not be started: {0}")]
    NotStarted(#[source] io::Error),
    #[error("did not read what it was told: {0}")]
    Deaf(#[source] io::Error),
    #[error("was lost: {0}")]
    Lost(#[source] io::Error),
    #[error("did not end within {} seconds and was stopped", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("did not end within {} seconds, and not when it was killed", .0.as_secs_f32())]
    StillRunning(Duration),
}

/// How long the end of a killed process is waited for. It comes at once, unless the kernel holds the process, on a
/// network volume that is gone, say.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Starts `program` and waits for its end. Where nobody waits any more, its group is killed.
pub async fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
    talk: Talk<'_>,
    limit: Limit,
) -> Result<Ended, Error> {
    let pipe = || match talk {
        Talk::Silent => Stdio::null(),
        Talk::Tell(_) => Stdio::piped(),
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(pipe()).stdout(pipe()).stderr(pipe()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(Error::NotStarted)?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    match tokio::time::timeout(limit.time, to_its_end(&mut child, talk)).await {
        Ok(Ok(ended)) => {
            // It ended by itself, and its number may be another's by now.
            group.0 = None;
            Ok(ended)
        }
        Ok(Err(error)) => {
            drop(group);
            Err(if is_gone(&mut child, GONE_WITHIN).await { error } else { Error::StillRunning(limit.time) })
        }
        Err(_) => {
            if let Some(grace) = limit.grace {
                group.signal(Signal::TERM);
                // Not waited for: until it is, its number stays its own, and SIGKILL meets nobody else.
                tokio::time::sleep(grace).await;
            }
            drop(group);
            let is_gone = is_gone(&mut child, GONE_WITHIN).await;
            Err(if is_gone { Error::TimedOut(limit.time) } else { Error::StillRunning(limit.time) })
        }
    }
}

/// The process group of a child that has not ended. It is killed when this goes away, also where that is because
/// nobody waits for the child any more.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn is_gone(child: &mut Child, within: Duration) -> bool {
    tokio::time::timeout(within, child.wait()).await.is_ok()
}

async fn to_its_end(child: &mut Child, talk: Talk<'_>) -> Result<Ended, Error> {
    if let (Talk::Tell(text), Some(mut stdin)) = (talk, child.stdin.take()) {
        stdin.write_all(text).await.map_err(Error::Deaf)?;
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (said, complained, status) = tokio::join!(read_some(stdout), read_some(stderr), child.wait());
    Ok(Ended { status: status.map_err(Error::Lost)?, said, complained })
}

async fn read_some(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = KEPT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;

    const SHELL: &str = "/bin/sh";

    fn limit(milliseconds: u64) -> Limit {
        Limit { time: Duration::from_millis(milliseconds), grace: Some(Duration::from_millis(100)) }
    }

    async fn shell(script: &str, talk: Talk<'_>, limit: Limit) -> Result<Ended, Error> {
        run(Path::new(SHELL), ["-c", script], talk, limit).await
    }

    fn is_alive(pid: &str) -> bool {
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::test_kill_process(pid).is_ok()
    }

    /// Where init is slow to reap what was orphaned, a killed process is to be seen for a moment more.
    async fn ends(pid: &str) {
        let began = Instant::now();
        while is_alive(pid) {
            assert!(began.elapsed() < Duration::from_secs(30), "process {pid} is still there");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_quick_child_tells_how_it_ended() {
        let ended = shell("cat; echo no >&2; exit 3", Talk::Tell(b"heard"), limit(30_000)).await.unwrap();
        assert_eq!((ended.status.code(), ended.said.as_str(), ended.complained.as_str()), (Some(3), "heard", "no\n"));
        let silent = shell("echo lost; cat", Talk::Silent, limit(30_000)).await.unwrap();
        assert!(silent.status.success() && silent.said.is_empty());
    }

    #[tokio::test]
    async fn a_child_that_takes_too_long_is_gone_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 600 & echo $! >{0}; echo $$ >>{0}; wait", pids.display());
        let error = shell(&script, Talk::Silent, limit(1500)).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut(_)), "{error}");
        let pids = fs::read_to_string(pids).unwrap();
        assert_eq!(pids.lines().count(), 2);
        for pid in pids.lines() {
            ends(pid).await;
        }
    }

    #[tokio::test]
    async fn a_child_is_asked_to_end_before_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("asked");
        let script = format!("trap 'echo asked >{}; exit' TERM; while :; do sleep 0.01; done", asked.display());
        let grace = Some(Duration::from_secs(2));
        let limit = Limit { time: Duration::from_millis(1500), grace };
        shell(&script, Talk::Silent, limit).await.unwrap_err();
        assert_eq!(fs::read_to_string(asked).unwrap(), "asked\n");
    }

    #[tokio::test]
    async fn a_child_that_will_not_be_asked_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("trap '' TERM; echo $$ >{}; while :; do sleep 0.01; done", pid.display());
        shell(&script, Talk::Silent, limit(1500)).await.unwrap_err();
        ends(&fs::read_to_string(pid).unwrap()).await;
    }

    #[tokio::test]
    async fn a_child_that_nobody_waits_for_is_killed_with_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 600 & echo $! >{0}; echo $$ >>{0}; wait", pids.display());
        let waiting = tokio::spawn(async move { shell(&script, Talk::Silent, limit(600_000)).await.map(drop) });
        let written = loop {
            match fs::read_to_string(&pids) {
                Ok(text) if text.lines().count() == 2 && text.ends_with('\n') => break text,
                _ => tokio::task::yield_now().await,
            }
        };
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        for pid in written.lines() {
            ends(pid).await;
        }
    }

    #[tokio::test]
    async fn of_a_child_that_says_too_much_the_beginning_is_kept() {
        let much = shell("head -c 1000000 /dev/zero | tr '\\0' x", Talk::Tell(b""), limit(30_000)).await.unwrap();
        assert_eq!(much.said.len(), KEPT);
    }

    #[tokio::test]
    async fn a_process_that_nothing_ends_is_not_waited_for_for_ever() {
        let mut child = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        assert!(!is_gone(&mut child, Duration::from_millis(50)).await);
        child.start_kill().unwrap();
        assert!(is_gone(&mut child, Duration::from_secs(30)).await);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_not_started() {
        let error = run(Path::new("/nonexistent/program"), ["x"], Talk::Silent, limit(1000)).await.unwrap_err();
        assert!(matches!(error, Error::NotStarted(_)), "{error}");
    }
}
