//! The objects of `held.*`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::journal::{Decider, VERDICTS};
use super::{Date, Message};
use crate::contacts::Catalog;
use crate::journal::Entry;

/// Held messages, in the order of their rows.
#[derive(Serialize, JsonSchema)]
pub struct HeldMessages<'a> {
    pub held: Vec<HeldMessage<'a>>,
    /// How many there are in all.
    pub total: i64,
    /// The next page begins `after` this one. Null at the end.
    pub next: Option<&'a str>,
}

/// A message that is held. What it says is not in here.
#[derive(Serialize, JsonSchema)]
pub struct HeldMessage<'a> {
    /// Its row; 0 where the database has it no more.
    pub id: i64,
    pub guid: &'a str,
    /// As compared: E.164 number or lower-case e-mail address.
    pub sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<&'a str>,
    pub chat_id: i64,
    pub sent_at: Date,
    /// When it was first seen.
    pub held_since: Date,
    /// A stranger waits to be let in, or a policy failed.
    #[schemars(extend("enum" = ["stranger", "policy_failed"]))]
    pub cause: &'static str,
    /// The policy that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Decider<'a>>,
    /// How the policy failed, or `introduction` with the message for which a code was made and `introduction_waiting`
    /// with those after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

impl<'a> HeldMessage<'a> {
    pub fn new(entry: &'a Entry, names: &'a Catalog) -> HeldMessage<'a> {
        HeldMessage {
            id: entry.message.0,
            guid: &entry.guid,
            sender: &entry.sender,
            sender_name: names.name(&entry.sender),
            chat_id: entry.chat.0,
            sent_at: Date(entry.sent_at),
            held_since: Date(entry.seen_at),
            cause: if entry.failed { "policy_failed" } else { "stranger" },
            policy: Decider::of(entry),
            reason: entry.reason.as_deref(),
        }
    }
}

/// One held message with what it says.
#[derive(Serialize, JsonSchema)]
pub struct HeldShown<'a> {
    pub held: HeldMessage<'a>,
    /// Absent where the database has it no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message<'a>>,
}

/// What became of held messages that were released or dropped.
#[derive(Serialize, JsonSchema)]
pub struct HeldHandled<'a> {
    /// Always true: a failure is an error. Some may still be held.
    pub ok: bool,
    /// How many got each verdict; `held` is those that a policy still cannot judge.
    pub verdicts: BTreeMap<String, usize>,
    /// How many could not be released, as the database has them no more. They stay held.
    pub missing: usize,
    /// The first hundred, in the order of their rows.
    pub messages: Vec<HeldOutcome<'a>>,
}

/// What became of one of them.
#[derive(Serialize, JsonSchema)]
pub struct HeldOutcome<'a> {
    pub id: i64,
    pub guid: &'a str,
    pub sender: &'a str,
    #[schemars(extend("enum" = VERDICTS))]
    pub verdict: &'a str,
    /// `owner` where the owner's word let it in or kept it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

impl<'a> HeldOutcome<'a> {
    pub fn new(entry: &'a Entry) -> HeldOutcome<'a> {
        HeldOutcome {
            id: entry.message.0,
            guid: &entry.guid,
            sender: &entry.sender,
            verdict: &entry.verdict,
            decided_by: Decider::of(entry),
            reason: entry.reason.as_deref(),
        }
    }
}
