//! What a policy for imsgd is written against: a type, one trait for each question that it answers, and
//! [`export_policy!`]. Nothing of WIT or of the component model shows.
//!
//! ```
//! use imsgd_plugin::{Filter, Message, Policy, Verdict, Words, export_policy};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     words: Words,
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
//!         match self.0.words.stand_in(&message.text()) {
//!             true => Verdict::Drop("muted_word".into()),
//!             false => Verdict::Pass,
//!         }
//!     }
//! }
//!
//! export_policy!(Muted: Filter);
//! ```
//!
//! Each trait has a whole example: [`Allowlist`], [`Pairing`], [`Group`], [`Filter`], [`Chunking`].
//!
//! # What helps
//!
//! | for | there is |
//! |---|---|
//! | lists of people and chats, as `allow_from` | [`address::Entries`] |
//! | state that outlives a restart | [`store`], [`store::Table`] |
//! | the time, random bytes, spelling of addresses, a log | [`host`] |
//! | words in a text | [`Words`] |
//! | lengths of time in the configuration | [`Period`] |
//! | codes for people | [`random_code`], [`fold_code`] |
//! | a route for each sender | [`DmScope`] |
//! | errors of the configuration, as owners will see them | [`parse_config`] |
//! | tests with plain `cargo test` | [`testing`] |
//!
//! For any target but WebAssembly, [`Message`], [`host`] and [`store`] are the stand-ins of [`testing`].
//!
//! # Panics
//!
//! A panic ends the call, and what the call wrote is forgotten. The message that was judged is held, and judged again
//! once another version is in force. What the panic said and where, as `src/lib.rs:42:9`, is in `imsgd plugin list`,
//! `imsgd why` and the plugin's log.

pub mod address;
mod code;
mod config;
pub mod host;
mod period;
mod policy;
mod route;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;

pub use address::Entries;
pub use bindings::allowlist::exports::imsgd::policy::allowlist::Admission;
pub use bindings::chunking::exports::imsgd::policy::chunking::Draft;
pub use bindings::filter::exports::imsgd::policy::filter::Verdict;
pub use bindings::group::exports::imsgd::policy::group::Decision;
pub use bindings::imports::imsgd::policy::message::{Arrival, Quoted, Service};
#[cfg(target_arch = "wasm32")]
pub use bindings::imports::imsgd::policy::message::{Attachment, Chat, Message, Person};
pub use bindings::pairing::exports::imsgd::policy::pairing::{Challenge, Outcome, Refusal, Request};
pub use code::{fold_code, random_code};
pub use config::{NoConfig, parse as parse_config};
pub use period::Period;
pub use policy::{Allowlist, Chunking, Filter, Group, Pairing, Policy};
pub use route::DmScope;
#[cfg(not(target_arch = "wasm32"))]
pub use testing::{Attachment, Chat, Message, Person};
pub use text::Words;
