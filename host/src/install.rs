//! `imsgd install` and `imsgd uninstall`: an app with a stable name and signature, so that a permission that was given
//! once stays, and a launchd agent that runs it. What is to be done is a list of steps, made from facts alone;
//! [`carry_out`] does them.

pub mod carry_out;
pub mod certificate;
mod found;
pub mod names;
pub mod plists;
mod removal;
pub mod step;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use found::{Found, link_folder, sha256, usual_folder};
pub use removal::{Removal, removal};
use step::{Planned, Step};

/// With what the app is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The certificate that we make.
    Own,
    /// One that the owner has, as a Developer ID.
    Named(String),
}

/// What an installation depends on, as whoever runs it says and as the machine is.
#[derive(Clone, Debug)]
pub struct Facts {
    pub home: PathBuf,
    pub user: u32,
    pub version: String,
    /// The program that becomes the installed one.
    pub source: PathBuf,
    /// Of the source, as it was before it was signed by us.
    pub source_sha256: String,
    pub app: PathBuf,
    /// The command in the terminal, where there is a folder for it.
    pub link: PathBuf,
    pub signer: Signer,
    /// What the agent is told beside, of what its owner named.
    pub config: Option<PathBuf>,
    pub db: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub wait: Duration,
    /// What decides where the daemon looks for its files, of the variables that are set.
    pub environment: Vec<(String, PathBuf)>,
    /// Shells find commands where the link is.
    pub is_link_in_path: bool,
}

impl Facts {
    /// Where the app is made, in the same folder, so that it takes its place in one step.
    fn stage(&self) -> PathBuf {
        self.app.with_file_name(".imsgd-install")
    }
}

/// The files of an installation, with the place of each and what is in it.
pub fn files(facts: &Facts) -> [(PathBuf, Vec<u8>); 3] {
    [
        (names::info(&facts.app), plists::info(facts)),
        (facts.stage().join("entitlements.plist"), plists::entitlements()),
        (names::agent(&facts.home), plists::agent(facts)),
    ]
}

/// What is to be done, in order. `found` tells what is so already.
pub fn plan(facts: &Facts, found: &Found) -> Vec<Planned> {
    let stage = facts.stage();
    let made = stage.join(names::APP);
    let entitlements = stage.join("entitlements.plist");
    let agent = names::agent(&facts.home);
    let (info_bytes, agent_bytes) = (plists::info(facts), plists::agent(facts));
    let has_app = found.info.as_ref() == Some(&info_bytes) && found.has_program;
    let has_agent = found.agent.as_ref() == Some(&agent_bytes);
    let is_running = has_app && has_agent && found.is_loaded;
    let folder = |path: &Path, mode| Step::Folder { path: path.to_owned(), mode };
    let steps = [
        (Step::Certificate, facts.signer != Signer::Own || has_app || found.has_identity),
        (Step::Remove { path: stage.clone() }, has_app),
        (folder(&made.join("Contents/MacOS"), 0o755), has_app),
        (Step::Write { path: names::info(&made), bytes: info_bytes, mode: 0o644 }, has_app),
        (Step::Copy { from: facts.source.clone(), to: names::program(&made), mode: 0o755 }, has_app),
        (Step::Write { path: entitlements.clone(), bytes: plists::entitlements(), mode: 0o644 }, has_app),
        (Step::Sign { app: made.clone(), entitlements, signer: facts.signer.clone() }, has_app),
        (Step::Stop { user: facts.user }, is_running),
        (Step::Replace { made, at: facts.app.clone() }, has_app),
        (folder(&names::logs(&facts.home), 0o700), found.has_logs),
        (Step::Write { path: agent.clone(), bytes: agent_bytes, mode: 0o644 }, has_agent),
        (Step::Start { user: facts.user, agent }, is_running),
        (Step::Link { at: facts.link.clone(), to: names::program(&facts.app) }, found.has_link),
        (Step::Remove { path: stage }, has_app),
        (Step::Grant { program: names::program(&facts.app), within: facts.wait }, facts.wait.is_zero()),
    ];
    let mut plan: Vec<Planned> = steps.map(|(step, is_done)| Planned { step, is_done }).into();
    plan.retain(|planned| !(found.is_link_taken && matches!(planned.step, Step::Link { .. })));
    plan
}

/// Is the own certificate yet to be made?
pub fn makes_certificate(plan: &[Planned]) -> bool {
    plan.iter().any(|planned| planned.step == Step::Certificate && !planned.is_done)
}

/// What is in the way of a step and is left, and what to do instead.
pub fn left(facts: &Facts, found: &Found) -> Vec<String> {
    let program = names::program(&facts.app);
    let folder = program.parent().unwrap_or(&facts.app).display();
    let taken = format!(
        "{} is another program; run {} from the app, or put {folder} first in PATH",
        facts.link.display(),
        program.display()
    );
    if found.is_link_taken { vec![taken] } else { Vec::new() }
}

/// Where the command is, for whoever types it; nothing where that place is another's.
pub fn command(facts: &Facts, found: &Found) -> Option<String> {
    let link = facts.link.display();
    let folder = facts.link.parent().unwrap_or(&facts.link).display();
    let said = match facts.is_link_in_path {
        true => format!("The command is {link}."),
        false => {
            format!("The command is {link}; {folder} is not in your PATH: add it, and name the whole path elsewhere.")
        }
    };
    (!found.is_link_taken).then_some(said)
}
