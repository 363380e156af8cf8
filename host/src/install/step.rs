//! The steps of an installation or a removal: what each does, in words and as JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::Signer;
use super::certificate::{self, CODESIGN, Told, text, words};
use super::names::{self, BUNDLE_ID};

pub const LAUNCHCTL: &str = "/bin/launchctl";
pub const OPEN: &str = "/usr/bin/open";

/// Stands in what is told for what is not known before: the private folder, and the password.
const PRIVATE: &str = "{private folder}";
const PASSWORD: &str = "{random password}";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes the own certificate and hands it to the keychain, unless it is there.
    Certificate,
    /// Makes a folder, and those that it is in.
    Folder { path: PathBuf, mode: u32 },
    /// Writes a file, in one step for whoever looks.
    Write { path: PathBuf, bytes: Vec<u8>, mode: u32 },
    /// Copies the program, without what macOS noted of the download.
    Copy { from: PathBuf, to: PathBuf, mode: u32 },
    /// Signs the app, and looks whether the signature holds.
    Sign { app: PathBuf, entitlements: PathBuf, signer: Signer },
    /// Ends the agent, where it runs.
    Stop { user: u32 },
    /// Puts what was made in its place, in one step. What was there is where it was made, until all is done.
    Replace { made: PathBuf, at: PathBuf },
    /// A name for a file.
    Link { at: PathBuf, to: PathBuf },
    /// Lets launchd run the agent, now and after each login.
    Start { user: u32, agent: PathBuf },
    /// Removes a file, or a folder with all in it.
    Remove { path: PathBuf },
    /// Removes what is in a folder, but for these in it.
    Clear { path: PathBuf, keep: Vec<PathBuf> },
    /// Waits until no daemon serves this state folder, and keeps others from starting until all is done.
    Alone { state: PathBuf, within: Duration },
    /// A command that may fail.
    Try { about: String, argv: Vec<String> },
    /// Opens the pane in which Full Disk Access is given, and waits until the daemon can read.
    Grant { program: PathBuf, within: Duration },
}

/// A step, and whether what it does is so already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub step: Step,
    pub is_done: bool,
}

impl Step {
    /// What it does, without the command lines.
    pub fn about(&self) -> String {
        match self {
            Step::Certificate => format!(
                "make the certificate \"{}\" in the login keychain, unless it is there; its files are in a folder of \
                 mode 0700, and removed",
                names::CERTIFICATE
            ),
            Step::Folder { path, mode } => format!("make the folder {} (mode {mode:04o})", path.display()),
            Step::Write { path, bytes, mode } => {
                format!("write {} ({} bytes, mode {mode:04o})", path.display(), bytes.len())
            }
            Step::Copy { from, to, mode } => {
                format!("copy {} to {} (mode {mode:04o})", from.display(), to.display())
            }
            Step::Sign { app, signer, .. } => format!("sign {} as \"{}\" and verify it", app.display(), signer.name()),
            Step::Stop { .. } => "stop the agent, where it runs".to_owned(),
            Step::Replace { made, at } => {
                format!(
                    "put {} in the place of {}; the one before comes back if a step fails",
                    made.display(),
                    at.display()
                )
            }
            Step::Link { at, to } => format!("link {} to {}", at.display(), to.display()),
            Step::Start { .. } => "start the agent, now and after each login".to_owned(),
            Step::Remove { path } => format!("remove {}", path.display()),
            Step::Clear { path, keep } => {
                let names: Vec<_> = keep.iter().filter_map(|kept| Some(kept.file_name()?.to_string_lossy())).collect();
                format!("remove what is in {}, but for {}", path.display(), names.join(", "))
            }
            Step::Alone { state, .. } => format!("see that no other imsgd serves {}", state.display()),
            Step::Try { about, .. } => about.clone(),
            Step::Grant { program, within } => format!(
                "unless the daemon can read the messages: show where Full Disk Access is given, and wait up to {} s \
                 until {} has it",
                within.as_secs(),
                program.display()
            ),
        }
    }

    /// The command lines, in order.
    pub fn commands(&self) -> Vec<Told> {
        let lines = match self {
            Step::Certificate => {
                let folder = Path::new(PRIVATE);
                let [certify, pack] = certificate::make(folder, PASSWORD);
                return vec![certify, pack, certificate::import(folder, PASSWORD)];
            }
            Step::Sign { app, entitlements, signer } => {
                vec![sign(app, entitlements, signer), verify(app)]
            }
            Step::Stop { user } => vec![stop(*user)],
            Step::Start { user, agent } => start(*user, agent).to_vec(),
            Step::Try { argv, .. } => vec![argv.clone()],
            Step::Grant { .. } => vec![pane()],
            _ => Vec::new(),
        };
        lines.into_iter().map(|argv| Told { argv, stdin: String::new() }).collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Step::Certificate => "certificate",
            Step::Folder { .. } => "folder",
            Step::Write { .. } => "write",
            Step::Copy { .. } => "copy",
            Step::Sign { .. } => "sign",
            Step::Stop { .. } => "stop",
            Step::Replace { .. } => "replace",
            Step::Link { .. } => "link",
            Step::Start { .. } => "start",
            Step::Remove { .. } => "remove",
            Step::Clear { .. } => "clear",
            Step::Alone { .. } => "alone",
            Step::Try { .. } => "try",
            Step::Grant { .. } => "grant",
        }
    }
}

impl Planned {
    pub fn json(&self) -> Value {
        let step = &self.step;
        let mut said = json!({"step": step.name(), "about": step.about(), "unchanged": self.is_done});
        let commands = step.commands();
        if !commands.is_empty() {
            let told = |told: &Told| match told.stdin.is_empty() {
                true => json!({"argv": told.argv}),
                false => json!({"argv": told.argv, "stdin": told.stdin}),
            };
            said["commands"] = commands.iter().map(told).collect();
        }
        let (path, mode) = match step {
            Step::Folder { path, mode } | Step::Write { path, mode, .. } | Step::Copy { to: path, mode, .. } => {
                (Some(path), Some(mode))
            }
            Step::Replace { at: path, .. }
            | Step::Link { at: path, .. }
            | Step::Remove { path }
            | Step::Clear { path, .. }
            | Step::Alone { state: path, .. } => (Some(path), None),
            _ => (None, None),
        };
        if let Some(path) = path {
            said["path"] = text(path).into();
        }
        if let Some(mode) = mode {
            said["mode"] = format!("{mode:04o}").into();
        }
        match step {
            Step::Certificate => said["request"] = certificate::request().into(),
            Step::Write { bytes, .. } => said["text"] = String::from_utf8_lossy(bytes).into(),
            Step::Copy { from, .. } => said["from"] = text(from).into(),
            Step::Link { to, .. } => said["to"] = text(to).into(),
            Step::Replace { made, .. } => said["from"] = text(made).into(),
            Step::Clear { keep, .. } => said["keep"] = keep.iter().map(|kept| text(kept)).collect(),
            _ => {}
        }
        said
    }

    /// What it does, or that it is so already.
    pub fn about(&self) -> String {
        match &self.step {
            Step::Remove { path } if self.is_done => format!("not there: {}", path.display()),
            step if self.is_done => format!("unchanged: {}", step.about()),
            step => step.about(),
        }
    }

    /// For people: what it does, and below that the command lines.
    pub fn lines(&self) -> String {
        let mut said = format!("{}\n", self.about());
        if !self.is_done {
            for told in self.step.commands() {
                said.push_str(&format!("     $ {}\n", spelled(&told.argv)));
                for line in told.stdin.lines() {
                    said.push_str(&format!("       < {line}\n"));
                }
            }
        }
        said
    }
}

/// As a shell takes it.
pub fn spelled(argv: &[String]) -> String {
    let is_plain = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter))
    };
    let word = |word: &String| match is_plain(word) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

pub fn sign(app: &Path, entitlements: &Path, signer: &Signer) -> Vec<String> {
    let (app, entitlements) = (text(app), text(entitlements));
    words(&[
        CODESIGN,
        "--force",
        "--sign",
        signer.name(),
        "--identifier",
        BUNDLE_ID,
        "--options",
        "runtime",
        "--entitlements",
        &entitlements,
        "--timestamp=none",
        &app,
    ])
}

pub fn verify(app: &Path) -> Vec<String> {
    words(&[CODESIGN, "--verify", "--strict", "--verbose=2", &text(app)])
}

/// Prints the designated requirement, by which macOS knows whom it gave a permission.
pub fn requirement(app: &Path) -> Vec<String> {
    words(&[CODESIGN, "--display", "--requirements", "-", &text(app)])
}

pub fn stop(user: u32) -> Vec<String> {
    words(&[LAUNCHCTL, "bootout", &names::service(user)])
}

/// One that was disabled by hand is enabled: who installs it wants it.
pub fn start(user: u32, agent: &Path) -> [Vec<String>; 2] {
    [
        words(&[LAUNCHCTL, "enable", &names::service(user)]),
        words(&[LAUNCHCTL, "bootstrap", &names::domain(user), &text(agent)]),
    ]
}

/// Ends the agent's process and starts another.
pub fn restart(user: u32) -> Vec<String> {
    words(&[LAUNCHCTL, "kickstart", "-k", &names::service(user)])
}

/// Succeeds where launchd has the agent.
pub fn shown(user: u32) -> Vec<String> {
    words(&[LAUNCHCTL, "print", &names::service(user)])
}

/// Says of what kind this session is: `Aqua` at the screen.
pub fn manager() -> Vec<String> {
    words(&[LAUNCHCTL, "managername"])
}

/// Shows where Full Disk Access is given.
pub fn pane() -> Vec<String> {
    words(&[OPEN, names::FULL_DISK_ACCESS])
}
