//! The traits that a policy's type implements: [`Policy`], and one for each question that it answers.
//!
//! They take `&self`: an instance lives until it traps or is replaced, so what must last belongs in the
//! [`store`](crate::store), where it commits together with the answer.

use serde::de::DeserializeOwned;

use crate::{Admission, Decision, Draft, Message, Outcome, Refusal, Request, Verdict};

pub trait Policy: Sized + 'static {
    /// The plugin's own table in imsgd's configuration; [`NoConfig`](crate::NoConfig) where it has none.
    /// Mark it `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error and not a lost rule.
    type Config: DeserializeOwned;

    /// Called once, before any question. An error refuses the plugin, and the one that it would have
    /// replaced stays: say which key is wrong.
    fn configure(config: Self::Config) -> Result<Self, String>;
}

/// May this person write to us directly? The first policy that does not abstain decides.
pub trait Allowlist: Policy {
    fn admit(&self, message: &Message) -> Admission;
}

/// Introduces strangers: asked about direct messages on which every allowlist abstained.
pub trait Pairing: Policy {
    /// A new request is a [`Outcome::Challenge`]; the message is held until the owner decides.
    fn screen(&self, message: &Message) -> Outcome;
    fn pending(&self) -> Vec<Request>;
    /// Returns the address that is now paired.
    fn approve(&self, code: &str) -> Result<String, Refusal>;
    /// Returns the address whose request is gone.
    fn deny(&self, code: &str) -> Result<String, Refusal>;
    fn paired(&self) -> Vec<String>;
    /// False where the address was not paired.
    fn unpair(&self, address: &str) -> bool;
}

/// What becomes of a message in a group chat? The first policy that does not abstain decides.
pub trait Group: Policy {
    fn decide(&self, message: &Message) -> Decision;
}

/// Any other rule on messages that were admitted. Every filter is asked, in order.
pub trait Filter: Policy {
    fn filter(&self, message: &Message) -> Verdict;
}

/// How outgoing text becomes messages. Only the first such policy is asked.
pub trait Chunking: Policy {
    /// In order; joined, the pieces carry all of the text but white space at the seams.
    fn split(&self, draft: &Draft) -> Vec<String>;
}
