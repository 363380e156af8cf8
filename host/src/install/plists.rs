//! The property lists of an installed imsgd: what the app is, what its signature allows it, and how launchd runs it.

use std::path::Path;

use plist::{Dictionary, Value};

use super::names::{self, BUNDLE_ID, LABEL};
use super::{Facts, Signer};

/// Of the program as it was before it was signed, so that a second install knows it again.
pub const SOURCE_KEY: &str = "ImsgdSourceSHA256";
pub const SIGNER_KEY: &str = "ImsgdSigner";

/// Where Homebrew and the system keep what converts attachments.
const PATH: &str = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin";

/// What the system's questions say of us.
const USAGE: [(&str, &str); 2] = [
    ("NSAppleEventsUsageDescription", "imsgd asks Messages to send what its clients send."),
    ("NSContactsUsageDescription", "imsgd names the people who write to you as Contacts does."),
];

/// What the hardened runtime would refuse otherwise. That is on so that no program of the same user can put code into
/// the process that may read everything. Policies are compiled in memory that is first writable and then executable,
/// by `mmap` without `MAP_JIT` and `mprotect`, which `allow-jit` alone does not allow
/// (<https://github.com/bytecodealliance/wasmtime/issues/11989>); it is there for a wasmtime that uses `MAP_JIT`.
pub const ENTITLEMENTS: [&str; 3] = [
    "com.apple.security.automation.apple-events",
    "com.apple.security.cs.allow-jit",
    "com.apple.security.cs.allow-unsigned-executable-memory",
];

/// `Contents/Info.plist`.
pub fn info(facts: &Facts) -> Vec<u8> {
    let mut info = Dictionary::new();
    for (key, value) in [
        ("CFBundleDevelopmentRegion", "en"),
        ("CFBundleDisplayName", "imsgd"),
        ("CFBundleExecutable", "imsgd"),
        ("CFBundleIdentifier", BUNDLE_ID),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("CFBundleName", "imsgd"),
        ("CFBundlePackageType", "APPL"),
        ("CFBundleShortVersionString", &facts.version),
        ("CFBundleVersion", &facts.version),
        (SIGNER_KEY, facts.signer.name()),
        (SOURCE_KEY, &facts.source_sha256),
        ("LSMinimumSystemVersion", "12.0"),
    ] {
        info.insert(key.to_owned(), value.into());
    }
    // No icon in the Dock. Unlike one with LSBackgroundOnly, such an app may be asked about on the screen.
    info.insert("LSUIElement".to_owned(), true.into());
    for (key, text) in USAGE {
        info.insert(key.to_owned(), text.into());
    }
    written(info)
}

pub fn entitlements() -> Vec<u8> {
    written(ENTITLEMENTS.iter().map(|key| ((*key).to_owned(), Value::from(true))).collect())
}

/// The launchd agent.
pub fn agent(facts: &Facts) -> Vec<u8> {
    let mut agent = Dictionary::new();
    let mut arguments = vec![text(&names::program(&facts.app)), "serve".into(), "--log-file".into()];
    arguments.push(text(&names::log(&facts.home)));
    for (option, value) in [("--config", &facts.config), ("--db", &facts.db), ("--socket", &facts.socket)] {
        if let Some(value) = value {
            arguments.extend([option.into(), text(value)]);
        }
    }
    for (key, value) in [
        ("Label", LABEL.into()),
        ("ProgramArguments", Value::Array(arguments)),
        ("AssociatedBundleIdentifiers", BUNDLE_ID.into()),
        ("RunAtLoad", true.into()),
        // Also after an end without an error: only launchd is to end it for good.
        ("KeepAlive", true.into()),
        ("ThrottleInterval", 10.into()),
        // Messages are waited for by people. Any other kind has its timers put together and its disk slowed down.
        ("ProcessType", "Interactive".into()),
        // Messages, and the questions of the system, are at the screen.
        ("LimitLoadToSessionType", "Aqua".into()),
        ("ExitTimeOut", 20.into()),
        ("Umask", 0o077.into()),
        ("StandardOutPath", text(&names::launch_log(&facts.home))),
        ("StandardErrorPath", text(&names::launch_log(&facts.home))),
    ] {
        agent.insert(key.to_owned(), value);
    }
    let mut environment = Dictionary::from_iter([("PATH".to_owned(), Value::from(PATH))]);
    environment.extend(facts.environment.iter().map(|(name, value)| (name.clone(), text(value))));
    agent.insert("EnvironmentVariables".to_owned(), environment.into());
    written(agent)
}

fn text(path: &Path) -> Value {
    path.display().to_string().into()
}

fn written(dictionary: Dictionary) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Into memory, of values that XML has: there is nothing that could fail.
    let _ = Value::Dictionary(dictionary).to_writer_xml(&mut bytes);
    bytes.push(b'\n');
    bytes
}

/// A text in a property list.
pub fn read(bytes: &[u8], key: &str) -> Option<String> {
    let found: Dictionary = plist::from_bytes(bytes).ok()?;
    found.get(key)?.as_string().map(str::to_owned)
}

impl Signer {
    pub fn name(&self) -> &str {
        match self {
            Signer::Own => names::CERTIFICATE,
            Signer::Named(name) => name,
        }
    }
}
