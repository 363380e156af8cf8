//! What of an installation is there already.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, bail};
use rustix::fs::{Access, access};
use sha2::{Digest, Sha256};

use super::names::{self, BUNDLE_ID};
use super::{Facts, plists};

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub info: Option<Vec<u8>>,
    pub has_program: bool,
    pub agent: Option<Vec<u8>>,
    /// launchd runs the agent.
    pub is_loaded: bool,
    /// The keychain has the own certificate.
    pub has_identity: bool,
    pub has_logs: bool,
    /// The command in the terminal is the app's.
    pub has_link: bool,
    /// Where the command would be is another program, which is left.
    pub is_link_taken: bool,
}

impl Found {
    /// Looks at the files. Refused where another's app is in the way.
    pub fn look(facts: &Facts) -> anyhow::Result<Found> {
        let info = file(&names::info(&facts.app))?;
        let is_ours = info.as_ref().is_none_or(|info| bundle(info).as_deref() == Some(BUNDLE_ID));
        if !is_ours || info.is_none() && fs::symlink_metadata(&facts.app).is_ok() {
            bail!("{} is not ours, and was left alone; name another folder with --to", facts.app.display());
        }
        let program = names::program(&facts.app);
        let linked = fs::read_link(&facts.link).ok();
        Ok(Found {
            has_program: program.is_file(),
            agent: file(&names::agent(&facts.home))?,
            has_logs: names::logs(&facts.home).is_dir(),
            is_link_taken: !is_free(&facts.link, linked.as_deref()),
            has_link: linked == Some(program),
            info,
            ..Found::default()
        })
    }
}

/// Is there nothing, or a link into an app of ours?
fn is_free(link: &Path, to: Option<&Path>) -> bool {
    match to {
        Some(to) => is_ours(to),
        None => fs::symlink_metadata(link).is_err(),
    }
}

/// Is this the program in an app of ours, be it there or not?
pub fn is_ours(program: &Path) -> bool {
    program.ends_with(names::program(Path::new(names::APP)))
}

/// The bundle identifier in an Info.plist.
pub fn bundle(info: &[u8]) -> Option<String> {
    plists::read(info, "CFBundleIdentifier")
}

pub fn file(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
    }
}

/// Where apps of all users are, where we may write there, else those of this one.
pub fn usual_folder(home: &Path) -> PathBuf {
    let shared = PathBuf::from("/Applications");
    if access(&shared, Access::WRITE_OK).is_ok() { shared } else { home.join("Applications") }
}

/// Where commands are that every shell finds, also one that ssh starts, where we may write there; else the user's own.
pub fn link_folder(home: &Path) -> PathBuf {
    let shared = PathBuf::from("/usr/local/bin");
    let is_shared = cfg!(target_os = "macos") && access(&shared, Access::WRITE_OK).is_ok();
    if is_shared { shared } else { home.join(".local/bin") }
}

/// Of the program at `source`. The installed one is signed: it remembers what it was before.
pub fn sha256(source: &Path, app: &Path) -> anyhow::Result<String> {
    let installed = fs::canonicalize(names::program(app)).ok();
    if installed.as_deref() == Some(source)
        && let Some(known) = file(&names::info(app))?.and_then(|info| plists::read(&info, plists::SOURCE_KEY))
    {
        return Ok(known);
    }
    let of_file = || {
        let (mut file, mut digest, mut buffer) = (fs::File::open(source)?, Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digest.finalize()),
                count => digest.update(&buffer[..count]),
            }
        }
    };
    let digest =
        of_file().map_err(|error: io::Error| error).with_context(|| format!("could not read {}", source.display()))?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
