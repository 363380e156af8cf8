//! What all peers have in common.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::message::Message;

/// What becomes of a message, or what one policy says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Reject,
    Observe,
    Drop,
}

impl Verdict {
    pub fn from_word(word: &[u8]) -> Result<Verdict> {
        Ok(match word {
            b"pass" => Verdict::Pass,
            b"reject" => Verdict::Reject,
            b"observe" => Verdict::Observe,
            b"drop" => Verdict::Drop,
            _ => bail!("no verdict: {}", String::from_utf8_lossy(word)),
        })
    }
}

/// Three policies, made once and then asked about one message after the other.
pub trait Peer {
    fn judge(&mut self, message: &Message) -> Result<Verdict>;
}

/// Asks each until one decides by not letting the message pass.
pub fn first<T>(policies: &[T], mut ask: impl FnMut(&T) -> Result<Verdict>) -> Result<Verdict> {
    for policy in policies {
        let verdict = ask(policy)?;
        if verdict != Verdict::Pass {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Pass)
}

/// How much of a message is handed over, and how often.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Handing {
    /// All of it, to each policy in a state of its own.
    Whole,
    /// All of it, once: the policies share a state, and each can do to the others what it likes.
    Shared,
    /// Only what these policies read, which a host cannot know.
    OnlyRead,
}

/// What the policies look for, in the order in which they are asked: senders, mentions, words.
pub type Lists = [Vec<String>; 3];
