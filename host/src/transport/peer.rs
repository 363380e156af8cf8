//! Which program is at the other end of the socket, and whether `server.peers` lets it in.
//!
//! On Linux the kernel is asked for the file that runs; on macOS `codesign` is, which asks the kernel too, and checks a
//! signature. What nobody can tell is what a program was told to do: who lets an interpreter in, lets all of its
//! scripts in.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Peer;
use crate::process::{self, Limit, Talk};
use crate::rpc::scope::Who;

/// How long macOS may take to tell who somebody is.
const LIMIT: Limit = Limit { time: Duration::from_secs(5), grace: None };

const CODESIGN: &str = "/usr/bin/codesign";
const PS: &str = "/bin/ps";

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    /// Device and inode of the file that runs, which need not be the one that has its name now.
    file: (u64, u64),
    /// As the system writes it. Another program with the same number began at another time.
    started: String,
}

/// Why somebody is turned away.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("{} is none of the programs in server.peers; the owner of this Mac may add it there", .0.display())]
    NotListed(PathBuf),
    #[error(
        "{} is not the file that has this name now, as it was replaced since it was started; start it again",
        .0.display()
    )]
    Replaced(PathBuf),
    #[error("{} does not meet its requirement in server.peers: {detail}", path.display())]
    NotSigned { path: PathBuf, detail: String },
    #[error("{} is not the imsgd that serves here; only its own commands may use this socket", .0.display())]
    NotOurs(PathBuf),
    #[error("server.peers is set, and it cannot be told which program this is: {0}")]
    Unknown(String),
}

/// Is this process let in, and by which of `peers`? Where there are none, everybody is.
pub async fn admitted(pid: Option<i32>, who: Who, peers: &[Peer]) -> Result<Option<Peer>, Refused> {
    if peers.is_empty() {
        return Ok(None);
    }
    let pid = pid.ok_or_else(|| Refused::Unknown("the system does not tell its process".to_owned()))?;
    let program = seen(pid).await?;
    let peer = match who {
        Who::Owner => ours(&program).map(|()| None)?,
        Who::Client | Who::Stdio => Some(listed(pid, &program, peers).await?),
    };
    // The number may have become another's while it was looked at.
    match seen(pid).await? == program {
        true => Ok(peer),
        false => Err(Refused::Unknown(format!("process {pid} became another program meanwhile"))),
    }
}

async fn seen(pid: i32) -> Result<Program, Refused> {
    let looked = if cfg!(target_os = "macos") { by_commands(pid).await } else { by_proc(pid) };
    looked.map_err(|detail| Refused::Unknown(format!("process {pid}: {detail}")))
}

/// The files of Linux about a process.
fn by_proc(pid: i32) -> Result<Program, String> {
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    let path = std::fs::read_link(&exe).map_err(|error| error.to_string())?;
    let metadata = std::fs::metadata(&exe).map_err(|error| error.to_string())?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| error.to_string())?;
    let started = started_of_stat(&stat).ok_or("its time of start cannot be read")?.to_owned();
    Ok(Program { path: without_deleted(&path), file: (metadata.dev(), metadata.ino()), started })
}

/// What stands behind the name in `/proc/PID/stat`; the name may have anything in it.
fn started_of_stat(stat: &str) -> Option<&str> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(19)
}

/// Linux says of a file that has its name no more.
fn without_deleted(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    text.strip_suffix(" (deleted)").map_or_else(|| path.to_owned(), PathBuf::from)
}

/// The commands of macOS about a process. `codesign` asks the kernel which file runs.
async fn by_commands(pid: i32) -> Result<Program, String> {
    let shown = said(CODESIGN, ["--display", "--verbose=2", &format!("+{pid}")]).await?;
    let path = executable(&shown.complained)
        .ok_or_else(|| format!("codesign told no path; {}", one_line(&shown.complained)))?;
    let metadata = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let started = said(PS, ["-o", "lstart=", "-p", &pid.to_string()]).await?.said;
    Ok(Program { path, file: (metadata.dev(), metadata.ino()), started })
}

async fn said<const N: usize>(program: &str, arguments: [&str; N]) -> Result<process::Ended, String> {
    let ended = process::run(Path::new(program), arguments, Talk::Tell(b""), LIMIT).await;
    ended.map_err(|error| format!("{program} {error}"))
}

/// Of what `codesign --display --verbose` says.
fn executable(shown: &str) -> Option<PathBuf> {
    shown.lines().find_map(|line| line.strip_prefix("Executable=")).map(PathBuf::from)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn ours(program: &Program) -> Result<(), Refused> {
    // After an upgrade in place, the newer one has our path and another file.
    let own = std::env::current_exe().map(|path| without_deleted(&path)).unwrap_or_default();
    let is_ours = program.path == own || own.canonicalize().is_ok_and(|own| own == program.path);
    let is_ours = is_ours || file_of(&own) == Some(program.file);
    if is_ours { Ok(()) } else { Err(Refused::NotOurs(program.path.clone())) }
}

async fn listed(pid: i32, program: &Program, peers: &[Peer]) -> Result<Peer, Refused> {
    let mut refused = Refused::NotListed(program.path.clone());
    for peer in peers {
        let path = peer.file();
        let is_named = path == program.path || path.canonicalize().is_ok_and(|path| path == program.path);
        if file_of(&path) != Some(program.file) {
            if is_named {
                refused = Refused::Replaced(program.path.clone());
            }
            continue;
        }
        match &peer.requirement {
            None => return Ok(peer.clone()),
            Some(requirement) => match meets(pid, requirement).await {
                Ok(()) => return Ok(peer.clone()),
                Err(detail) => refused = Refused::NotSigned { path: program.path.clone(), detail },
            },
        }
    }
    Err(refused)
}

/// Does the signature of what runs meet this requirement?
async fn meets(pid: i32, requirement: &str) -> Result<(), String> {
    if !cfg!(target_os = "macos") {
        return Err("signatures are checked on macOS only".to_owned());
    }
    let ended = said(CODESIGN, verification(pid, requirement).each_ref().map(String::as_str)).await?;
    if ended.status.success() { Ok(()) } else { Err(one_line(&ended.complained)) }
}

/// `-R=TEXT` is the requirement itself, and not a file with it.
fn verification(pid: i32, requirement: &str) -> [String; 4] {
    ["--verify".to_owned(), "--strict".to_owned(), format!("-R={requirement}"), format!("+{pid}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_found_in_what_codesign_says() {
        let shown = "Executable=/opt/homebrew/Cellar/node/22.9.0/bin/node\nIdentifier=node\n\
                     Format=Mach-O thin (arm64)\nCodeDirectory v=20400 size=512 flags=0x20002(adhoc,linker-signed) \
                     hashes=13+0 location=embedded\nSignature=adhoc\nTeamIdentifier=not set\n";
        assert_eq!(executable(shown), Some(PathBuf::from("/opt/homebrew/Cellar/node/22.9.0/bin/node")));
        assert_eq!(executable("1234: code object is not signed at all\n"), None);
        assert_eq!(
            one_line("a: code failed to satisfy specified code requirement(s)\n\n b \n"),
            "a: code failed to satisfy specified code requirement(s); b"
        );
    }

    #[test]
    fn the_requirement_is_given_as_text_and_the_process_by_its_number() {
        let words = verification(42, "identifier \"node\" and anchor apple generic");
        assert_eq!(words, ["--verify", "--strict", "-R=identifier \"node\" and anchor apple generic", "+42"]);
    }

    #[test]
    fn a_name_with_signs_does_not_move_the_time_of_start() {
        let fields: Vec<String> = (3..60).map(|field| field.to_string()).collect();
        let stat = format!("7 (a) b (c)) {}", fields.join(" "));
        assert_eq!(started_of_stat(&stat), Some("22"));
        assert_eq!(started_of_stat("7 (a) S"), None);
        assert_eq!(without_deleted(Path::new("/a/b (deleted)")), Path::new("/a/b"));
        assert_eq!(without_deleted(Path::new("/a/b")), Path::new("/a/b"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_very_process_is_seen_as_what_it_is() {
        let own = by_proc(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(own.path, std::env::current_exe().unwrap());
        assert_eq!(Some(own.file), file_of(&own.path));
        assert_eq!(ours(&own), Ok(()));
        let other = Program { path: "/bin/sh".into(), file: (0, 0), ..own };
        assert_eq!(ours(&other), Err(Refused::NotOurs("/bin/sh".into())));
    }
}
