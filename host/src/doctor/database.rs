//! chat.db: is it there, may it be read and by whom, and does it keep up.

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::ErrorCode;
use serde_json::Value;

use super::{Finding, Seen, full_disk_pane, text};
use crate::chatdb::{ChatDb, Error};
use crate::lag;

/// A Mac that is used writes at least this often.
const QUIET: Duration = Duration::from_secs(3 * 24 * 3600);

/// Longer than anything healthy takes: imsgd looks each second, and a row may settle for two.
const SLOW: Duration = Duration::from_secs(10);

/// Messages that come this long after they were sent were held up by the network, or by a Mac that slept.
const LATE: Duration = Duration::from_secs(120);

pub fn findings(seen: &Seen) -> Vec<Finding> {
    let path = &seen.config.messages.db;
    let of_daemon = seen.daemon.status().map(|status| &status["database"]);
    // The daemon's word counts; what it cannot tell is seen with our own eyes, which have other permissions.
    let is_ready = of_daemon.is_some_and(|database| database["ready"] == true);
    let own = if is_ready && newest_of(seen).is_some() { None } else { Some(look(path)) };
    let [database, access] = match (of_daemon, &own) {
        (Some(_), _) if is_ready => {
            let program = format!("{} reads {}", seen.program().display(), path.display());
            [
                Finding::ok("database", "there, with the tables of Messages").seen(path.display().to_string()),
                Finding::ok("full_disk_access", "the daemon may read chat.db").seen(program),
            ]
        }
        (Some(database), Some(own)) => for_daemon(seen, text(database, "error"), own),
        (_, own) => by_ourselves(seen, own.as_ref()),
    };
    let newest = newest(newest_of(seen).or(own.and_then(Result::ok).flatten()), of_daemon.is_some());
    vec![database, access, newest, lag(seen)]
}

/// The date of the newest message, as this command sees it.
fn look(path: &Path) -> Result<Option<Timestamp>, Error> {
    ChatDb::open(path)?.newest_date()
}

/// The date of the newest message, as the daemon tells it.
fn newest_of(seen: &Seen) -> Option<Timestamp> {
    seen.chats.as_ref()?["chats"][0]["last_message_at"].as_str()?.parse().ok()
}

/// The daemon cannot read it.
fn for_daemon(seen: &Seen, said: &str, own: &Result<Option<Timestamp>, Error>) -> [Finding; 2] {
    match own {
        Err(error) if !is_denied(error) => broken(seen, error),
        _ => {
            let may_we = match own {
                Ok(_) => format!("this command may read it: macOS gave that to {}", seen.system.responsible()),
                Err(_) => format!("nor may this command, for which {} would need it", seen.system.responsible()),
            };
            let denied = denied(seen, "The daemon may not read chat.db: it lacks Full Disk Access.");
            [unseen(own.is_ok()), denied.seen(format!("the daemon says: {said}")).seen(may_we)]
        }
    }
}

/// There is no daemon to ask.
fn by_ourselves(seen: &Seen, own: Option<&Result<Option<Timestamp>, Error>>) -> [Finding; 2] {
    match own {
        Some(Err(error)) if is_denied(error) => {
            let found = Finding::unknown("full_disk_access", "no daemon runs, whose permission counts");
            let found =
                found.seen(format!("this command may not read it; {} would need it", seen.system.responsible()));
            [
                unseen(false),
                found.next(format!("start the daemon, then `{}`", seen.command("doctor"))).seen(error.to_string()),
            ]
        }
        Some(Err(error)) => broken(seen, error),
        _ => {
            let found = Finding::unknown("full_disk_access", "no daemon runs, whose permission counts");
            let found = found.seen(format!("this command may read it, as {} may", seen.system.responsible()));
            [unseen(true), found]
        }
    }
}

fn denied(seen: &Seen, what: &str) -> Finding {
    let program = seen.program();
    // Settings lists an app by its bundle, and shows no files inside.
    let shown = program.ancestors().find(|path| path.extension().is_some_and(|extension| extension == "app"));
    let shown = shown.unwrap_or(&program).display();
    Finding::error("full_disk_access", what)
        .seen(format!("the program that needs it: {}", program.display()))
        .next(format!("{}; add {shown}, switch it on, then {}", full_disk_pane(), seen.restart()))
        .at_screen()
}

/// What can be said of a file that may not be read.
fn unseen(is_readable: bool) -> Finding {
    match is_readable {
        true => Finding::ok("database", "there, with the tables of Messages"),
        false => Finding::unknown("database", "it may not be read; see full_disk_access"),
    }
}

fn broken(seen: &Seen, error: &Error) -> [Finding; 2] {
    let path = seen.config.messages.db.display();
    let found = match error {
        Error::Missing { .. } => Finding::error("database", "There is no chat.db.")
            .next("open -a Messages, and sign in; or name another file in `messages.db`")
            .at_screen(),
        Error::NotMessages { .. } => Finding::error("database", "The file is not a database of Messages.")
            .next(format!("see that `messages.db` names the right file: {}", seen.command("config get messages.db"))),
        _ if is_busy(error) => Finding::error("database", "Another program has chat.db locked.")
            .next(format!("lsof '{path}' tells which one; end it")),
        Error::Query { .. } => Finding::error("database", "chat.db is damaged, as far as SQLite can tell.")
            .next(format!("sqlite3 'file:{path}?mode=ro' 'PRAGMA quick_check'"))
            .at_screen(),
        Error::Unreadable { .. } => {
            Finding::error("database", "chat.db cannot be read.").next(format!("ls -l '{path}'"))
        }
    };
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let said: Vec<String> = std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect();
    [found.seen(said.join(": ")), Finding::unknown("full_disk_access", "there is no database that could be read")]
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let Error::Unreadable { source, .. } = error else { return None };
    source.downcast_ref::<io::Error>().map(io::Error::kind)
}

fn sqlite_code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::Unreadable { source, .. } => source.downcast_ref::<rusqlite::Error>()?.sqlite_error_code(),
        Error::Query { source, .. } => source.sqlite_error_code(),
        _ => None,
    }
}

/// EPERM is macOS' answer for want of Full Disk Access, EACCES that of the file's mode.
fn is_denied(error: &Error) -> bool {
    io_kind(error) == Some(io::ErrorKind::PermissionDenied) || sqlite_code(error) == Some(ErrorCode::PermissionDenied)
}

fn is_busy(error: &Error) -> bool {
    matches!(sqlite_code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
        || io_kind(error) == Some(io::ErrorKind::ResourceBusy)
}

fn newest(at: Option<Timestamp>, has_daemon: bool) -> Finding {
    let Some(at) = at else {
        let because = if has_daemon { "the database has no message that could be read" } else { "no message was read" };
        return Finding::unknown("newest_message", because);
    };
    let age = lag::since(at, Timestamp::now());
    let found = match age > QUIET {
        true => Finding::note("newest_message", format!("The newest message is {} old.", lag::words(age)))
            .next("see in Messages on the Mac whether newer ones are there; if so, they are not written to chat.db"),
        false => Finding::ok("newest_message", format!("{} old", lag::words(age))),
    };
    found.seen(at.to_string())
}

fn lag(seen: &Seen) -> Finding {
    let Some(lag) = seen.own().map(|own| &own["lag"]) else { return Finding::unknown("lag", "no daemon answers") };
    let span = |kind: &str, which: &str| lag[kind][which].as_u64().map(Duration::from_micros);
    let longest = |kind: &str| span(kind, "largest_us").unwrap_or_default();
    let log = seen.read_log();
    let found = match text(lag, "late") {
        "imsgd" => Finding::error("lag", "imsgd is stalled: messages wait, and are not judged.").next(seen.restart()),
        "starting" => Finding::warning("lag", "imsgd has not found its place in the database yet.")
            .next(format!("wait, then {log}")),
        _ if longest("imsgd") > SLOW => {
            Finding::warning("lag", "imsgd saw messages late within the last hour.").next(log)
        }
        _ if span("subscribers", "last_us").unwrap_or_default() > SLOW => {
            Finding::warning("lag", "A subscriber takes its messages late.")
                .next(format!("{}; see to the gateway", seen.command("top")))
        }
        _ if longest("messages") > LATE => {
            Finding::note("lag", "Messages wrote some messages long after they were sent; imsgd was in time.")
        }
        _ => Finding::ok("lag", "nobody is late"),
    };
    found.seen(readings(lag)).seen(text(lag, "sentence"))
}

/// The three kinds of lag on one line: each of the last message, and the largest of the last hour.
pub fn readings(lag: &Value) -> String {
    let kind = |key: &str, name: &str| {
        let of = |which: &str| lag[key][which].as_u64().map(|us| lag::words(Duration::from_micros(us)));
        match (of("last_us"), of("largest_us")) {
            (Some(last), Some(largest)) => format!("{name} {last} (at most {largest})"),
            (Some(last), None) => format!("{name} {last}"),
            _ => format!("{name} not measured yet"),
        }
    };
    [kind("messages", "Messages"), kind("imsgd", "imsgd"), kind("subscribers", "subscribers")].join(", ")
}
