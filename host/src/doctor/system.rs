//! What only macOS can tell, through the commands that it comes with. Each has a time limit, and none of them asks the
//! owner anything.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::{self, Ended, Limit, Talk};

/// For tests: the folder in which the commands of macOS are looked for instead, and its two databases, `TCC.db` and
/// `owners-TCC.db`.
const FOLDER_VARIABLE: &str = "IMSGD_DOCTOR_BIN";

/// None of them does more than look something up.
const LIMIT: Limit = Limit { time: Duration::from_secs(10), grace: None };

const NO_MAC: &str = "this is no Mac";

pub struct System {
    folder: Option<PathBuf>,
    /// The address of this Mac as who came over SSH knows it; empty where SSH does not tell. None at the Mac itself.
    pub ssh: Option<String>,
    /// What this command runs in, as far as that is known.
    pub terminal: Option<String>,
}

impl System {
    pub fn from_environment() -> System {
        let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        // Four words: their address and port, then ours.
        let ssh = said("SSH_CONNECTION").map(|said| said.split(' ').nth(2).unwrap_or_default().to_owned());
        let folder = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
        System { folder, ssh, terminal: said("TERM_PROGRAM") }
    }

    /// How `program` ended, or why it could not be asked.
    pub fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Result<Ended, String> {
        let path = self.path(program)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("{program} could not be started: {error}"))?;
        let ended = runtime.block_on(process::run(&path, arguments, Talk::Tell(input), LIMIT));
        ended.map_err(|error| format!("{} {error}", path.display()))
    }

    fn path(&self, program: &str) -> Result<PathBuf, String> {
        match &self.folder {
            Some(folder) => Ok(folder.join(program)),
            None if cfg!(target_os = "macos") => {
                let folder = if program == "launchctl" { "/bin" } else { "/usr/bin" };
                Ok(PathBuf::from(folder).join(program))
            }
            None => Err(NO_MAC.to_owned()),
        }
    }

    /// Where macOS writes down what it granted: to all of the Mac's users, or to one.
    pub fn tcc(&self, is_owners: bool) -> Result<PathBuf, String> {
        let below = "Library/Application Support/com.apple.TCC/TCC.db";
        match &self.folder {
            Some(folder) => Ok(folder.join(if is_owners { "owners-TCC.db" } else { "TCC.db" })),
            None if !cfg!(target_os = "macos") => Err(NO_MAC.to_owned()),
            None if is_owners => etcetera::home_dir().map(|home| home.join(below)).map_err(|error| error.to_string()),
            None => Ok(PathBuf::from("/").join(below)),
        }
    }

    /// Who macOS asks about when this command wants something: never this command, but what it was started from.
    pub fn responsible(&self) -> String {
        match (&self.ssh, self.terminal.as_deref()) {
            (Some(_), _) => "sshd (/usr/libexec/sshd-keygen-wrapper in the list)".to_owned(),
            (None, Some("Apple_Terminal")) => "Terminal".to_owned(),
            (None, Some(terminal)) => terminal.trim_end_matches(".app").to_owned(),
            (None, None) => "the program that this command was started from".to_owned(),
        }
    }
}
