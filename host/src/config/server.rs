//! The table `[server]`: what clients meet.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::access::Scope;
use super::expand;
use super::span::Span;

/// What clients meet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Unix socket. Default: `imsgd.sock` in the state folder.
    pub socket: Option<PathBuf>,
    /// Where state.db and the socket are. Default: a folder of its own for each database.
    pub state_dir: Option<PathBuf>,
    /// Where plugins are dropped. Default: `plugins` beside the configuration file.
    pub plugins_dir: Option<PathBuf>,
    /// Longest line that a client may send, in bytes.
    pub max_line_bytes: usize,
    /// Clients at the same time.
    pub max_connections: usize,
    /// How long the place of a client that knows no cursors is kept after its connection ended: seconds, or text such as
    /// `10m`; 0 for not at all.
    pub resume_within: Span,
    /// May clients change policies with `config.set` and the like?
    pub config_writes: bool,
    /// What clients may do: `read` messages, `send`, and `policy` for who is let in and what is held. The owner's own
    /// commands may do everything.
    pub scopes: Vec<Scope>,
    /// Programs that may use the socket; none: every program of this user.
    pub peers: Vec<Peer>,
}

/// A program that may use the socket. What runs in it is not told apart: to name an interpreter is to name all scripts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its file, absolute or with `~/` first; a link stands for what it leads to.
    pub path: PathBuf,
    /// What its signature must meet, in the language of `codesign`: `anchor apple generic and certificate
    /// leaf[subject.OU] = "TEAMID"`. Checked on macOS; elsewhere it is met by nobody.
    pub requirement: Option<String>,
    /// What it may do, instead of `scopes`.
    pub scopes: Option<Vec<Scope>>,
}

impl Peer {
    pub fn file(&self) -> PathBuf {
        expand(&self.path)
    }

    /// The same program with the same signature, whatever it may do.
    pub fn is_same_program(&self, other: &Peer) -> bool {
        self.path == other.path && self.requirement == other.requirement
    }
}

impl Server {
    pub(super) fn check(&self) -> Result<(), String> {
        for (index, peer) in self.peers.iter().enumerate() {
            if !peer.file().is_absolute() {
                let path = peer.path.display();
                return Err(format!("server.peers[{index}].path: `{path}` must be a whole path, from / or ~/"));
            }
            if peer.requirement.as_ref().is_some_and(|requirement| requirement.trim().is_empty()) {
                return Err(format!("server.peers[{index}].requirement: is empty, and would be met by anybody"));
            }
        }
        Ok(())
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            socket: None,
            state_dir: None,
            plugins_dir: None,
            max_line_bytes: 1 << 20,
            max_connections: 256,
            resume_within: Span(Duration::from_secs(600)),
            config_writes: true,
            scopes: vec![Scope::Read, Scope::Send],
            peers: Vec::new(),
        }
    }
}
