//! The daemon, its configuration and its socket.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, geteuid, test_kill_process};
use serde_json::Value;

use super::{Finding, Seen, text};
use crate::daemon::{Holder, holder};
use crate::install::names;

/// What was found where a daemon should answer.
#[derive(Clone, Debug)]
pub enum Daemon {
    /// The path names nothing.
    Absent,
    /// There is a file, and nobody listens.
    Stale(String),
    /// It may not be connected to, or that failed in a way of its own.
    Closed(String),
    /// Somebody listens, and gives no status as imsgd would.
    Stranger(String),
    /// It is imsgd, which does not let this program ask anything.
    TurnedAway(String),
    Status(Value),
}

impl Daemon {
    pub fn status(&self) -> Option<&Value> {
        match self {
            Daemon::Status(status) => Some(status),
            _ => None,
        }
    }
}

pub fn findings(seen: &Seen) -> Vec<Finding> {
    let holder = running(&seen.config.state_dir().join("daemon.lock"));
    vec![configuration(seen), daemon(seen, holder.as_ref()), version(seen), socket(seen, holder.as_ref()), access(seen)]
}

/// Who holds the lock of the state folder, if somebody does.
fn running(lock: &Path) -> Option<Holder> {
    let holder = holder(lock);
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw)?;
    // First without the lock, which would keep out a daemon that starts just now.
    test_kill_process(pid).ok()?;
    let file = File::open(lock).ok()?;
    let is_held = flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK);
    is_held.then_some(holder)
}

fn configuration(seen: &Seen) -> Finding {
    let path = seen.config.path.display();
    if let Some(error) = seen.own().and_then(|own| own["config"]["error"].as_str()) {
        return Finding::warning("configuration", "The daemon refused the file; the one before is in force.")
            .seen(format!("{path}: {error}"))
            .next(format!("mend that key, then `{}`", seen.command("config check")));
    }
    let of_daemon = seen.own().map(|own| text(&own["config"], "path")).filter(|of| !of.is_empty());
    if let Some(other) = of_daemon.filter(|of| Path::new(of) != seen.config.path) {
        return Finding::warning("configuration", "The daemon runs with another file than this command.")
            .seen(format!("the daemon's: {other}"))
            .seen(format!("this command's: {path}"))
            .next(format!("imsgd doctor --config '{other}'"));
    }
    let what = match (seen.config.path.exists(), of_daemon) {
        (true, Some(_)) => "right, and in force",
        (true, None) => "right",
        (false, Some(_)) => "no file: the defaults are in force",
        (false, None) => "no file: the defaults",
    };
    Finding::ok("configuration", what).seen(path.to_string())
}

fn daemon(seen: &Seen, holder: Option<&Holder>) -> Finding {
    let socket = seen.socket.display();
    match (&seen.daemon, holder) {
        (Daemon::Status(status), _) => {
            let own = &status["imsgd"];
            let runs = Finding::ok("daemon", format!("process {} answers", own["pid"]));
            runs.seen(format!("{} on {socket}", text(own, "executable")))
        }
        (Daemon::TurnedAway(why), holder) => turned_away(seen, why, holder),
        (Daemon::Stranger(problem), Some(holder)) => {
            Finding::error("daemon", format!("Process {} serves, but gave no status.", holder.pid))
                .seen(problem)
                .next(restart(seen, holder))
        }
        (_, Some(holder)) => Finding::error("daemon", format!("Process {} serves, but cannot be reached.", holder.pid))
            .seen(format!("it holds {}", seen.config.state_dir().join("daemon.lock").display()))
            .next(restart(seen, holder)),
        (_, None) => {
            let found = Finding::error("daemon", "No daemon serves this database: nothing is received or judged.")
                .seen(format!("database {}, socket {socket}", seen.config.messages.db.display()));
            match seen.job() {
                Ok(job) if job.is_loaded => found.next(kickstart()),
                _ => found.next(seen.command("serve")),
            }
        }
    }
}

/// It serves others; of itself it told nothing.
fn turned_away(seen: &Seen, why: &str, holder: Option<&Holder>) -> Finding {
    let found = match holder {
        Some(holder) => {
            Finding::warning("daemon", format!("Process {} serves, and turns this command away.", holder.pid))
        }
        None => Finding::warning("daemon", "A daemon serves, and turns this command away."),
    };
    found.seen(why).next(match holder {
        _ if seen.config.is_socket_named() => "ask again without --socket: its owner is served beside it".to_owned(),
        Some(holder) => format!("if imsgd was upgraded since it was started: {}", restart(seen, holder)),
        None => "list this program in `server.peers`".to_owned(),
    })
}

fn restart(seen: &Seen, holder: &Holder) -> String {
    match seen.job() {
        Ok(job) if job.is_loaded => kickstart(),
        _ => format!("kill {}; {}", holder.pid, seen.command("serve")),
    }
}

/// Starts the job anew, also while it runs.
pub fn kickstart() -> String {
    format!("launchctl kickstart -k {}", names::service(geteuid().as_raw()))
}

fn version(seen: &Seen) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    match seen.daemon.status().map(|status| text(status, "version")) {
        None => Finding::unknown("version", "no daemon answers"),
        Some(theirs) if theirs == ours => Finding::ok("version", format!("{ours}, daemon and command")),
        Some(theirs) => Finding::warning("version", "The daemon is another version than this command.")
            .seen(format!("daemon {theirs}, command {ours}"))
            .next(match seen.job() {
                Ok(job) if job.is_loaded => kickstart(),
                _ => format!("stop `{}` and start it again", seen.command("serve")),
            }),
    }
}

fn socket(seen: &Seen, holder: Option<&Holder>) -> Finding {
    let path = seen.socket.display().to_string();
    let metadata = std::fs::symlink_metadata(&seen.socket);
    let is_socket = metadata.as_ref().map(|metadata| metadata.file_type().is_socket());
    match (&seen.knocked, is_socket) {
        (Daemon::Status(_), _) => Finding::ok("socket", "there, and a daemon answers on it").seen(path),
        (Daemon::TurnedAway(_), _) => {
            Finding::ok("socket", "there, and a daemon answers on it, for its peers").seen(path)
        }
        (_, Ok(false)) => Finding::error("socket", "Something that is no socket has the socket's path.")
            .seen(path.clone())
            .next(format!("look at it, then `rm '{path}'`; the daemon takes its path back by itself")),
        (Daemon::Absent, _) => match holder {
            Some(holder) => Finding::error("socket", "A daemon runs, and its socket is not there.")
                .seen(format!("{path} is gone; process {} runs", holder.pid))
                .next("wait 2 seconds and ask again: the daemon binds it anew; else see its log"),
            None => Finding::unknown("socket", "no daemon runs that would have made it").seen(path),
        },
        (Daemon::Stale(error), _) => {
            Finding::warning("socket", "The socket is left from before: nobody listens on it.")
                .seen(format!("{path}: {error}"))
                .next(format!("start the daemon, which replaces it: `{}`", seen.command("serve")))
        }
        (Daemon::Closed(error), _) => Finding::error("socket", "The socket may not be connected to.")
            .seen(format!("{path}: {error}"))
            .next(format!("ls -l '{path}'; it has to be yours, with mode 0600")),
        (Daemon::Stranger(problem), _) if holder.is_some() => {
            Finding::error("socket", "The daemon has the socket, and does not answer.")
                .seen(format!("{path}: {problem}"))
                .next("see `daemon`")
        }
        (Daemon::Stranger(problem), _) => {
            Finding::error("socket", "Something answers on the socket, and not as imsgd does.")
                .seen(format!("{path}: {problem}"))
                .next(format!("lsof '{path}' tells who; stop it, or set another `server.socket`"))
        }
    }
}

fn access(seen: &Seen) -> Finding {
    let path = &seen.socket;
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Finding::unknown("socket_access", format!("{}: {error}", path.display())),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own_uid = geteuid().as_raw();
    let shown = |metadata: &Metadata| format!("owner {}, mode {:04o}", metadata.uid(), metadata.mode() & 0o7777);
    if metadata.uid() != own_uid {
        return Finding::error("socket_access", "The socket is another user's.")
            .seen(format!("{}: {}", path.display(), shown(&metadata)))
            .next("set `server.socket` to a path in a folder of yours, and start the daemon again");
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Finding::warning("socket_access", "Others have rights on the socket; it should be its owner's only.")
            .seen(format!("{}: {}", path.display(), shown(&metadata)))
            .next(format!("chmod 600 '{}'", path.display()));
    }
    match std::fs::metadata(folder) {
        Err(error) => Finding::unknown("socket_access", format!("{}: {error}", folder.display())),
        Ok(of_folder) if of_folder.uid() != own_uid && of_folder.uid() != 0 => {
            Finding::warning("socket_access", "The socket's folder is another user's, who can put another one there.")
                .seen(format!("{}: {}", folder.display(), shown(&of_folder)))
                .next("set `server.socket` to a path in a folder of yours")
        }
        // With the sticky bit, as /tmp has it, only the owner of a file can replace it.
        Ok(of_folder) if of_folder.mode() & 0o022 != 0 && of_folder.mode() & 0o1000 == 0 => {
            Finding::warning("socket_access", "Others can write into the socket's folder, and put another one there.")
                .seen(format!("{}: {}", folder.display(), shown(&of_folder)))
                .next(format!("chmod go-w '{}'", folder.display()))
        }
        Ok(of_folder) => Finding::ok("socket_access", "only its owner can reach the socket").seen(format!(
            "socket: {}; folder: {}",
            shown(&metadata),
            shown(&of_folder)
        )),
    }
}
