//! The names under which macOS knows an installed imsgd. They stay: permissions are given to them.

use std::path::{Path, PathBuf};

/// Of the app; the designated requirement of its signature has it.
pub const BUNDLE_ID: &str = "io.github.imsgd";

/// Of the launchd agent.
pub const LABEL: &str = "io.github.imsgd.agent";

pub const APP: &str = "imsgd.app";

/// Of the certificate that is made where the owner has none, as the keychain shows it.
pub const CERTIFICATE: &str = "imsgd code signing";

/// Below the home folder.
const LOGS: &str = "Library/Logs/imsgd";
const AGENTS: &str = "Library/LaunchAgents";

/// The System Settings pane in which Full Disk Access is given.
pub const FULL_DISK_ACCESS: &str = "x-apple.systempreferences:com.apple.preference.security?Privacy_AllFiles";

/// The program in an app.
pub fn program(app: &Path) -> PathBuf {
    app.join("Contents/MacOS/imsgd")
}

pub fn info(app: &Path) -> PathBuf {
    app.join("Contents/Info.plist")
}

pub fn agent(home: &Path) -> PathBuf {
    home.join(AGENTS).join(format!("{LABEL}.plist"))
}

pub fn logs(home: &Path) -> PathBuf {
    home.join(LOGS)
}

/// What the daemon says of itself; it keeps this one and those before it within bounds.
pub fn log(home: &Path) -> PathBuf {
    logs(home).join("imsgd.log")
}

/// What is said before that one is open, and where it cannot be.
pub fn launch_log(home: &Path) -> PathBuf {
    logs(home).join("launchd.log")
}

/// launchd's name for the session of this user at the screen.
pub fn domain(user: u32) -> String {
    format!("gui/{user}")
}

/// launchd's name for the agent of this user.
pub fn service(user: u32) -> String {
    format!("gui/{user}/{LABEL}")
}
