//! The objects of `policy.replay`.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Date;
use super::journal::Decider;
use crate::contacts::Catalog;
use crate::policy::{self, Decision};
use crate::replay::{self, Change, Class, Outcome, PolicyTimes, Tally};

/// The longest text of an example, in bytes: an example is to be recognized, and `messages.history` has all of it.
const TEXT_BYTES: usize = 280;

const CHANGES: [&str; 9] =
    ["admitted", "observed", "held", "failed", "rejected", "dropped", "routed", "labelled", "reason"];

/// What a candidate would have decided otherwise than what is in force.
#[derive(Serialize, JsonSchema)]
pub struct Replay<'a> {
    /// Messages that both sides have judged.
    pub judged: u64,
    pub same: u64,
    pub different: u64,
    /// It was told to stop before all was judged: what follows is of the oldest part.
    pub stopped_early: bool,
    /// When the first and the last of these messages were sent. Absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Date>,
    pub took_ms: u64,
    /// Judged by both sides within a second.
    pub messages_per_second: u64,
    pub present: ReplaySide<'a>,
    pub candidate: ReplaySide<'a>,
    pub changes: ReplayChanges,
    /// Those of whom most is different, the most first.
    pub senders: Vec<ReplaySender<'a>>,
    /// How many there are in all.
    pub senders_different: usize,
    pub chats: Vec<ReplayChat<'a>>,
    pub chats_different: usize,
    /// The newest ones of each change, of as many senders as there are.
    pub examples: Vec<ReplayExample<'a>>,
}

/// One set of policies.
#[derive(Serialize, JsonSchema)]
pub struct ReplaySide<'a> {
    pub verdicts: ReplayVerdicts,
    /// In the order in which they are asked.
    pub policies: Vec<ReplayPolicy<'a>>,
}

/// What became of how many messages.
#[derive(Serialize, JsonSchema)]
pub struct ReplayVerdicts {
    pub delivered: u64,
    pub observed: u64,
    /// Of strangers who wait to be let in.
    pub held: u64,
    /// Held because a policy failed.
    pub failed: u64,
    pub rejected: u64,
    pub dropped: u64,
}

/// How many messages the candidate treats otherwise, by what it does with them.
#[derive(Serialize, JsonSchema)]
pub struct ReplayChanges {
    pub admitted: u64,
    pub observed: u64,
    pub held: u64,
    /// Held because a policy failed.
    pub failed: u64,
    pub rejected: u64,
    pub dropped: u64,
    /// Delivered by both, to different routes.
    pub routed: u64,
    /// Delivered by both to the same route, with other labels.
    pub labelled: u64,
    /// Rejected or dropped by both, for another reason.
    pub reason: u64,
}

/// What one policy cost.
#[derive(Serialize, JsonSchema)]
pub struct ReplayPolicy<'a> {
    pub name: &'a str,
    /// Empty where it could not be loaded.
    pub version: &'a str,
    /// How often this side asked it.
    pub calls: u64,
    pub failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<&'a str>,
    /// It is the same on both sides and was asked once for both: its times are those of both.
    pub shared: bool,
    /// Microseconds for a call; the quantiles are at most an eighth too much.
    pub mean_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub total_ms: u64,
}

/// What is different for one sender.
#[derive(Serialize, JsonSchema)]
pub struct ReplaySender<'a> {
    pub sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<&'a str>,
    pub different: u64,
    pub changes: ReplayChanges,
}

/// What is different in one chat.
#[derive(Serialize, JsonSchema)]
pub struct ReplayChat<'a> {
    pub chat_id: i64,
    pub chat_name: &'a str,
    pub is_group: bool,
    pub different: u64,
    pub changes: ReplayChanges,
}

/// A message of which the two sides think differently.
#[derive(Serialize, JsonSchema)]
pub struct ReplayExample<'a> {
    #[schemars(extend("enum" = CHANGES))]
    pub change: &'static str,
    pub id: i64,
    pub guid: &'a str,
    pub chat_id: i64,
    pub sender: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<&'a str>,
    pub created_at: Date,
    /// Its beginning.
    pub text: &'a str,
    pub present: ReplayVerdict<'a>,
    pub candidate: ReplayVerdict<'a>,
}

/// What one side decided.
#[derive(Serialize, JsonSchema)]
pub struct ReplayVerdict<'a> {
    #[schemars(extend("enum" = ["delivered", "observed", "held", "rejected", "dropped"]))]
    pub verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Absent where no policy had an opinion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decider<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    pub labels: &'a [String],
}

/// Notification `policy.replay.progress`, several within a second.
#[derive(Serialize, JsonSchema)]
pub struct ReplayProgress<'a> {
    /// The id of the request.
    pub request: &'a Value,
    /// Row numbers that are behind it, and that there are in all, with those of the owner's own messages.
    pub rows: u64,
    pub rows_in_all: u64,
    pub judged: u64,
    pub different: u64,
    /// Messages that the candidate holds because one of its policies failed.
    pub failed: u64,
}

/// What `policy.replay_stop` has done.
#[derive(Serialize, JsonSchema)]
pub struct ReplayStopped {
    pub ok: bool,
    /// Was there one? It is answered with what it has so far.
    pub stopped: bool,
}

impl<'a> Replay<'a> {
    /// With so many senders and chats.
    pub fn new(outcome: &'a Outcome, most: usize, names: &'a Catalog) -> Replay<'a> {
        let Outcome { tally, policies, took, is_stopped, .. } = outcome;
        let mut senders: Vec<_> = tally.senders.iter().collect();
        senders.sort_unstable_by_key(|(sender, counts)| (Reverse(counts.sum()), *sender));
        let mut chats: Vec<_> = tally.chats.iter().collect();
        chats.sort_unstable_by_key(|(chat, of_chat)| (Reverse(of_chat.counts.sum()), chat.0));
        let sender = |(sender, counts): &(&'a String, &replay::Counts)| ReplaySender {
            sender,
            sender_name: names.name(sender),
            different: counts.sum(),
            changes: ReplayChanges::new(counts),
        };
        let chat = |(id, of_chat): &(&crate::message::ChatId, &'a replay::OfChat)| ReplayChat {
            chat_id: id.0,
            chat_name: &of_chat.name,
            is_group: of_chat.is_group,
            different: of_chat.counts.sum(),
            changes: ReplayChanges::new(&of_chat.counts),
        };
        let side = |at: usize| ReplaySide {
            verdicts: ReplayVerdicts::new(&tally.verdicts[at]),
            policies: policies[at].iter().map(ReplayPolicy::new).collect(),
        };
        let per_second = tally.judged as f64 / took.as_secs_f64().max(1e-9);
        Replay {
            judged: tally.judged,
            same: tally.judged - tally.different(),
            different: tally.different(),
            stopped_early: *is_stopped,
            first_at: tally.dates.map(|(first, _)| Date(first)),
            last_at: tally.dates.map(|(_, last)| Date(last)),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            messages_per_second: per_second as u64,
            present: side(0),
            candidate: side(1),
            changes: ReplayChanges::new(&tally.changes),
            senders: senders.iter().take(most).map(sender).collect(),
            senders_different: senders.len(),
            chats: chats.iter().take(most).map(chat).collect(),
            chats_different: chats.len(),
            examples: examples(tally, names),
        }
    }
}

fn examples<'a>(tally: &'a Tally, names: &'a Catalog) -> Vec<ReplayExample<'a>> {
    let of_change = |change: Change| tally.examples(change).iter().map(move |example| (change, example));
    let example = |(change, example): (Change, &'a replay::Example)| {
        let message = &example.inbound.message;
        ReplayExample {
            change: change.name(),
            id: message.id.0,
            guid: &message.guid,
            chat_id: message.chat.as_ref().map_or(0, |chat| chat.id.0),
            sender: &example.inbound.sender,
            sender_name: names.name(&example.inbound.sender),
            created_at: Date(message.sent_at),
            text: &message.text[..message.text.floor_char_boundary(TEXT_BYTES)],
            present: ReplayVerdict::new(&example.decisions[0]),
            candidate: ReplayVerdict::new(&example.decisions[1]),
        }
    };
    Change::ALL.into_iter().flat_map(of_change).map(example).collect()
}

impl ReplayVerdicts {
    fn new(verdicts: &replay::Verdicts) -> ReplayVerdicts {
        ReplayVerdicts {
            delivered: verdicts.of(Class::Delivered),
            observed: verdicts.of(Class::Observed),
            held: verdicts.of(Class::Held),
            failed: verdicts.of(Class::Failed),
            rejected: verdicts.of(Class::Rejected),
            dropped: verdicts.of(Class::Dropped),
        }
    }
}

impl ReplayChanges {
    fn new(counts: &replay::Counts) -> ReplayChanges {
        ReplayChanges {
            admitted: counts.of(Change::Admitted),
            observed: counts.of(Change::Observed),
            held: counts.of(Change::Held),
            failed: counts.of(Change::Failed),
            rejected: counts.of(Change::Rejected),
            dropped: counts.of(Change::Dropped),
            routed: counts.of(Change::Routed),
            labelled: counts.of(Change::Labelled),
            reason: counts.of(Change::Reason),
        }
    }
}

impl<'a> ReplayPolicy<'a> {
    fn new(times: &'a PolicyTimes) -> ReplayPolicy<'a> {
        // To a tenth.
        let micros = |time: std::time::Duration| (time.as_nanos() as f64 / 100.0).round() / 10.0;
        ReplayPolicy {
            name: &times.name,
            version: &times.version,
            calls: times.calls,
            failures: times.failures,
            last_failure: times.last_failure.as_deref(),
            shared: times.is_shared,
            mean_us: micros(times.mean),
            p50_us: micros(times.p50),
            p99_us: micros(times.p99),
            total_ms: u64::try_from(times.total.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl<'a> ReplayVerdict<'a> {
    fn new(decision: &'a Decision) -> ReplayVerdict<'a> {
        let (route, labels) = match &decision.verdict {
            policy::Verdict::Deliver { route, labels } => (Some(route.as_str()), labels.as_slice()),
            _ => (None, Default::default()),
        };
        ReplayVerdict {
            verdict: decision.verdict.name(),
            reason: decision.verdict.reason(),
            decided_by: decision.decided_by.as_ref().map(|(name, version)| Decider { name, version }),
            route,
            labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_changes_are_published() {
        assert_eq!(Change::ALL.map(Change::name), CHANGES);
    }
}
