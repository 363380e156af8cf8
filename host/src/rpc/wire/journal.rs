//! The object of `journal.explain`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ARRIVALS, Date};
use crate::contacts::Catalog;
use crate::journal::Entry;
use crate::rpc::journal::{State, stages};

/// What became of one message.
#[derive(Serialize, JsonSchema)]
pub struct Explanation<'a> {
    /// Do the database or the journal know it? Where not, only `story` follows.
    pub found: bool,
    /// Judged, or why it has not been: it is the owner's own, a reaction, from before imsgd, so old that the journal has
    /// forgotten it, or still to come.
    #[schemars(extend("enum" = State::ALL))]
    pub state: &'static str,
    #[serde(flatten)]
    pub message: Option<ExplainedMessage<'a>>,
    #[serde(flatten)]
    pub entry: Option<ExplainedVerdict<'a>>,
    /// The same in sentences, for people.
    pub story: Vec<String>,
}

/// The message: as the database has it, or where it does no more, as it was noted.
#[derive(Serialize, JsonSchema)]
pub struct ExplainedMessage<'a> {
    pub id: i64,
    pub guid: &'a str,
    pub sender: &'a str,
    /// 0 where it is in no chat.
    pub chat_id: i64,
}

/// The journal's row. Absent for what is not judged: own messages, tapbacks, and what came before imsgd.
#[derive(Serialize, JsonSchema)]
pub struct ExplainedVerdict<'a> {
    #[schemars(extend("enum" = VERDICTS))]
    pub verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Absent where no policy had an opinion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    pub labels: &'a [String],
    #[schemars(extend("enum" = ARRIVALS))]
    pub arrival: &'static str,
    pub sent_at: Date,
    pub seen_at: Date,
    /// Microseconds from when it was seen until the first policy was asked. Of a message that was held, until it was
    /// judged again.
    pub waited_us: i64,
    /// Microseconds that the policies took.
    pub judged_us: i64,
    /// Which policies were asked, in their order.
    pub stages: Vec<Stage<'a>>,
    /// Of an observed message: the row of the delivered one that it went out with as context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carried_by: Option<i64>,
}

pub const VERDICTS: [&str; 8] = ["delivered", "observed", "held", "rejected", "dropped", "folded", "echo", "unjoined"];

/// Entries of the journal, the newest first.
#[derive(Serialize, JsonSchema)]
pub struct JournalPage<'a> {
    pub entries: Vec<JournalEntry<'a>>,
    /// The next page is `before` this one. Null at the end.
    pub next: Option<&'a str>,
}

/// What became of one message. Not what it says.
#[derive(Serialize, JsonSchema)]
pub struct JournalEntry<'a> {
    #[serde(flatten)]
    pub message: ExplainedMessage<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<&'a str>,
    #[serde(flatten)]
    pub entry: ExplainedVerdict<'a>,
}

impl<'a> JournalEntry<'a> {
    pub fn new(entry: &'a Entry, names: &'a Catalog) -> JournalEntry<'a> {
        let sender_name = names.name(&entry.sender);
        JournalEntry { message: ExplainedMessage::of(entry), sender_name, entry: ExplainedVerdict::of(entry) }
    }
}

/// Notification `journal`.
#[derive(Serialize, JsonSchema)]
pub struct JournalNotification<'a> {
    pub subscription: u64,
    pub entry: JournalEntry<'a>,
}

/// Notification `journal.missed`: the client read too slowly. `journal.list` has what it missed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JournalMissed")]
pub struct Missed {
    pub subscription: u64,
    /// How many verdicts.
    pub missed: u64,
}

impl<'a> ExplainedMessage<'a> {
    /// As it was noted.
    pub fn of(entry: &'a Entry) -> ExplainedMessage<'a> {
        ExplainedMessage { id: entry.message.0, guid: &entry.guid, sender: &entry.sender, chat_id: entry.chat.0 }
    }
}

impl<'a> ExplainedVerdict<'a> {
    pub fn of(entry: &'a Entry) -> ExplainedVerdict<'a> {
        ExplainedVerdict {
            verdict: &entry.verdict,
            reason: entry.reason.as_deref(),
            decided_by: Decider::of(entry),
            route: entry.route.as_deref(),
            labels: &entry.labels,
            arrival: entry.arrival.name(),
            sent_at: Date(entry.sent_at),
            seen_at: Date(entry.seen_at),
            waited_us: entry.waited_us,
            judged_us: entry.judged_us,
            stages: stages(entry).map(|(policy, us)| Stage { policy, us }).collect(),
            carried_by: entry.carried_by.map(|row| row.0),
        }
    }
}

/// How long one policy took.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JudgingStage")]
pub struct Stage<'a> {
    pub policy: &'a str,
    /// Microseconds.
    pub us: i64,
}

/// A policy, and which version of it.
#[derive(Serialize, JsonSchema)]
pub struct Decider<'a> {
    pub name: &'a str,
    /// Empty where it could not be loaded, and of the owner.
    pub version: &'a str,
}

impl<'a> Decider<'a> {
    pub fn of(entry: &'a Entry) -> Option<Decider<'a>> {
        entry.decided_by.as_ref().map(|(name, version)| Decider { name, version })
    }
}
