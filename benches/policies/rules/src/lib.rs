//! The three policies of the benchmark, each written once: components of imsgd, the Extism plugin and native code are
//! made of this file.

use std::collections::HashSet;

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
pub struct Patterns(Vec<String>);

impl Patterns {
    pub fn new(list: impl IntoIterator<Item = String>) -> Self {
        Self(list.into_iter().map(|pattern| pattern.to_lowercase()).collect())
    }

    /// Is one of them in `text`?
    pub fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().any(|pattern| text.contains(pattern.as_str()))
    }
}
