//! The table `[server]`: what clients meet.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::access::Scope;
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
        }
    }
}
