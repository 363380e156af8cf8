//! imsgd: the one program on a Mac that holds the permissions for Messages, and lets policies decide what leaves it.
//!
//! ```text
//! chat.db ─► chatdb, decode ─► tail ─► judge (chain, policy, plugin) ─► subscription ─► transport ─► clients
//!                                        └─► state (journal, store)
//! clients ─► transport ─► rpc ─► outbox ─► osascript, and back through chat.db
//! ```
//!
//! Modules in the order in which a message meets them. What is deliberately absent:
//!
//! - `message`, `decode` and `policy` know no tokio, SQL or WebAssembly.
//! - Only `chatdb` opens chat.db, always read-only; likewise only `contacts` opens address books, and only `doctor`
//!   TCC.db. `sim` writes, but only databases that it made.
//! - Only `rpc::wire`, `config` and `author::cases` are serialized by derive; inner types promise nothing to clients.
//! - Only `plugin` knows wasmtime, and it loads no native code from files.
//! - Only `process` starts processes while serving; `author` starts cargo, `sim` what it simulates.
//! - Only one task writes to each client.

pub mod message;
pub mod place;

pub mod chatdb;
pub mod decode;
pub mod lag;
pub mod tail;
pub mod watches;

pub mod address;
pub mod chain;
pub mod journal;
pub mod judge;
pub mod plugin;
pub mod policy;
pub mod reload;
pub mod replay;
pub mod roster;
pub mod state;

pub mod attachments;
pub mod consumers;
pub mod contacts;
pub mod readers;
pub mod rpc;
pub mod subscription;
pub mod transport;

pub mod outbox;
pub mod process;

pub mod config;
pub mod daemon;
pub mod doctor;
pub mod install;
pub mod log;

pub mod cli;

pub mod author;
pub mod demo;
pub mod sim;
