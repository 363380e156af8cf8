//! What `imsgd uninstall` removes: only what is ours, and what cannot be had again only where that is asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::certificate::{self, words};
use super::found::{bundle, file, is_ours};
use super::names::{self, BUNDLE_ID, LABEL};
use super::plists;
use super::step::{Planned, Step, spelled};

/// How long a daemon may take to end that launchd was told to end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// From where it is removed.
#[derive(Clone, Debug)]
pub struct Removal {
    pub home: PathBuf,
    pub user: u32,
    /// Where the app may be.
    pub apps: Vec<PathBuf>,
    /// Where the command may be.
    pub links: Vec<PathBuf>,
    /// What the owner made: kept, unless all of it is to go.
    pub state: PathBuf,
    /// A folder that was named by hand may have more in it than ours.
    pub is_usual_state: bool,
    pub config: PathBuf,
    pub plugins: PathBuf,
    pub purge: bool,
}

/// What is to be done, and what is left after that: what it is, and how it is removed.
pub fn removal(from: &Removal) -> anyhow::Result<(Vec<Planned>, Vec<String>)> {
    let mut steps = vec![Planned { step: Step::Stop { user: from.user }, is_done: false }];
    if from.state.join("daemon.lock").exists() {
        let step = Step::Alone { state: from.state.clone(), within: ENDS_WITHIN };
        steps.push(Planned { step, is_done: false });
    }
    let mut left = Vec::new();
    let reset = words(&["/usr/bin/tccutil", "reset", "All", BUNDLE_ID]);
    match from.purge {
        // While the app is there: macOS takes the name of no other.
        true => {
            let about = "remove the permissions that macOS noted".to_owned();
            steps.push(Planned { step: Step::Try { about, argv: reset }, is_done: false });
        }
        false => left.push(format!(
            "the permissions that macOS noted: {} (before this, while the app is there; after it, take imsgd off the \
             lists in Privacy & Security)",
            spelled(&reset)
        )),
    }
    let mut remove = |path: PathBuf, is_there: bool| {
        steps.push(Planned { step: Step::Remove { path }, is_done: !is_there });
    };
    let agent = names::agent(&from.home);
    match file(&agent)? {
        Some(bytes) if plists::read(&bytes, "Label").as_deref() != Some(LABEL) => {
            left.push(format!("{} is not ours", agent.display()));
        }
        found => remove(agent, found.is_some()),
    }
    for link in &from.links {
        match fs::read_link(link) {
            Ok(to) if is_ours(&to) => remove(link.clone(), true),
            _ if fs::symlink_metadata(link).is_ok() => left.push(format!("{} is not ours", link.display())),
            _ => {}
        }
    }
    for app in &from.apps {
        match file(&names::info(app))?.map(|info| bundle(&info)) {
            Some(Some(id)) if id == BUNDLE_ID => remove(app.clone(), true),
            _ if fs::symlink_metadata(app).is_ok() => left.push(format!("{} is not ours", app.display())),
            _ => {}
        }
    }
    let logs = names::logs(&from.home);
    let others = others(&from.state)?;
    let kept = [
        ("state: who was paired, what was judged and sent", &from.state, from.is_usual_state),
        ("configuration", &from.config, true),
        ("log", &logs, true),
        ("your plugins", &from.plugins, false),
    ];
    for (name, path, is_purged) in kept {
        let is_there = fs::symlink_metadata(path).is_ok();
        let has_others = *path == from.state && !others.is_empty();
        match from.purge && is_purged {
            true if has_others => {
                let step = Step::Clear { path: path.clone(), keep: others.clone() };
                steps.push(Planned { step, is_done: false });
            }
            true => steps.push(Planned { step: Step::Remove { path: path.clone() }, is_done: !is_there }),
            false if has_others => left.push(format!("{name}: {} (rm -r, but not what is of others)", path.display())),
            false if is_there => left.push(format!("{name}: {} (rm -r)", path.display())),
            false => {}
        }
    }
    left.extend(others.iter().map(|other| format!("state of other accounts or databases: {}", other.display())));
    let (name, argv) = ("the certificate in the login keychain", certificate::forget());
    match from.purge {
        true => steps.push(Planned { step: Step::Try { about: format!("remove {name}"), argv }, is_done: false }),
        false => left.push(format!("{name}: {}", spelled(&argv))),
    }
    Ok((steps, left))
}

/// What is in a state folder of other accounts and databases, as `Config::state_dir` names it.
fn others(state: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut others = Vec::new();
    let Ok(entries) = fs::read_dir(state) else { return Ok(others) };
    for entry in entries {
        let entry = entry.with_context(|| format!("could not read {}", state.display()))?;
        let name = entry.file_name();
        if name == "accounts" || name.to_string_lossy().starts_with("db-") {
            others.push(entry.path());
        }
    }
    others.sort();
    Ok(others)
}
