//! The three policies of the benchmark, each written once: components of imsgd, the Extism plugin and native code are
//! made of this file.

use std::collections::HashSet;

/// As policies have it, and without the rest of the SDK, which is for components alone.
#[path = "../../../../plugins/sdk/src/text.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "policies and tests have more of it")]
mod text;

use text::Words;

/// Who may write: addresses, compared as they are.
pub struct Senders(HashSet<String>);

impl Senders {
    pub fn new(list: impl IntoIterator<Item = String>) -> Self {
        Self(list.into_iter().collect())
    }

    pub fn know(&self, address: &str) -> bool {
        self.0.contains(address)
    }
}

/// What is looked for in texts, in any case: ways to address somebody, words that nobody wants to read.
pub struct Patterns(Words);

impl Patterns {
    pub fn new(list: impl IntoIterator<Item = String>) -> Self {
        Self(Words::new(list))
    }

    /// Is one of them in `text`?
    pub fn are_in(&self, text: &str) -> bool {
        self.0.occur_in(text)
    }
}
