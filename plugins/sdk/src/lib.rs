//! What a policy for imsgd is written against: a type, one trait for each question that it answers, and
//! [`export_policy!`]. Nothing of WIT or of the component model shows.
//!
//! ```
//! use imsgd_plugin::{Filter, Message, Policy, Verdict, export_policy};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     words: Vec<String>,
//! }
//!
//! struct Muted(Config);
//!
//! impl Policy for Muted {
//!     type Config = Config;
//!     fn configure(config: Config) -> Result<Self, String> {
//!         Ok(Self(config))
//!     }
//! }
//!
//! impl Filter for Muted {
//!     fn filter(&self, message: &Message) -> Verdict {
//!         let text = message.text();
//!         match self.0.words.iter().any(|word| text.contains(word)) {
//!             true => Verdict::Drop("muted_word".into()),
//!             false => Verdict::Pass,
//!         }
//!     }
//! }
//!
//! export_policy!(Muted: Filter);
//! ```
//!
//! For any target but WebAssembly, [`Message`], [`host`] and [`store`] are the stand-ins of [`testing`]: a
//! policy is tested with plain `cargo test`.

pub mod address;
mod config;
pub mod host;
mod policy;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub use bindings::allowlist::exports::imsgd::policy::allowlist::Admission;
pub use bindings::chunking::exports::imsgd::policy::chunking::Draft;
pub use bindings::filter::exports::imsgd::policy::filter::Verdict;
pub use bindings::group::exports::imsgd::policy::group::Decision;
pub use bindings::imports::imsgd::policy::message::{Arrival, Quoted, Service};
#[cfg(target_arch = "wasm32")]
pub use bindings::imports::imsgd::policy::message::{Attachment, Chat, Message, Person};
pub use bindings::pairing::exports::imsgd::policy::pairing::{Challenge, Outcome, Refusal, Request};
pub use config::{NoConfig, parse as parse_config};
pub use policy::{Allowlist, Chunking, Filter, Group, Pairing, Policy};
#[cfg(not(target_arch = "wasm32"))]
pub use testing::{Attachment, Chat, Message, Person};
