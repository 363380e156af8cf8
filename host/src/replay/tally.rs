//! What is counted and kept of a replay: as much as can be shown, however long the history.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;

use crate::message::ChatId;
use crate::policy::{Decision, Hold, Inbound, Verdict};

/// Senders and chats that are counted apart. What is beyond counts in the whole only.
const APART: usize = 20_000;

/// What a message is in the end. Held ones are told apart: by a stranger who waits, or by a policy that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Delivered,
    Observed,
    Held,
    Failed,
    Rejected,
    Dropped,
}

impl Class {
    pub const ALL: [Class; 6] =
        [Class::Delivered, Class::Observed, Class::Held, Class::Failed, Class::Rejected, Class::Dropped];

    pub fn of(verdict: &Verdict) -> Class {
        match verdict {
            Verdict::Deliver { .. } => Class::Delivered,
            Verdict::Observe => Class::Observed,
            Verdict::Hold(Hold::Introduction(_)) => Class::Held,
            Verdict::Hold(Hold::Failure(_)) => Class::Failed,
            Verdict::Reject { .. } => Class::Rejected,
            Verdict::Drop { .. } => Class::Dropped,
        }
    }
}

/// How a verdict would be another one: what the candidate does and the present side does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Admitted,
    Observed,
    Held,
    Failed,
    Rejected,
    Dropped,
    /// Delivered by both, to different routes.
    Routed,
    /// Delivered by both to the same route, with other labels.
    Labelled,
    /// Rejected or dropped by both, for another reason.
    Reason,
}

impl Change {
    pub const ALL: [Change; 9] = [
        Change::Admitted,
        Change::Observed,
        Change::Held,
        Change::Failed,
        Change::Rejected,
        Change::Dropped,
        Change::Routed,
        Change::Labelled,
        Change::Reason,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Change::Admitted => "admitted",
            Change::Observed => "observed",
            Change::Held => "held",
            Change::Failed => "failed",
            Change::Rejected => "rejected",
            Change::Dropped => "dropped",
            Change::Routed => "routed",
            Change::Labelled => "labelled",
            Change::Reason => "reason",
        }
    }

    /// None where nothing would be different.
    pub fn between(now: &Verdict, then: &Verdict) -> Option<Change> {
        if Class::of(now) != Class::of(then) {
            return Some(match Class::of(then) {
                Class::Delivered => Change::Admitted,
                Class::Observed => Change::Observed,
                Class::Held => Change::Held,
                Class::Failed => Change::Failed,
                Class::Rejected => Change::Rejected,
                Class::Dropped => Change::Dropped,
            });
        }
        match (now, then) {
            (Verdict::Deliver { route: now, .. }, Verdict::Deliver { route: then, .. }) if now != then => {
                Some(Change::Routed)
            }
            (Verdict::Deliver { labels: now, .. }, Verdict::Deliver { labels: then, .. }) if now != then => {
                Some(Change::Labelled)
            }
            (Verdict::Reject { reason: now }, Verdict::Reject { reason: then })
            | (Verdict::Drop { reason: now }, Verdict::Drop { reason: then })
                if now != then =>
            {
                Some(Change::Reason)
            }
            _ => None,
        }
    }
}

/// How many of each change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Change::ALL.len()]);

impl Counts {
    pub fn of(&self, change: Change) -> u64 {
        self.0[change as usize]
    }

    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, change: Change) {
        self.0[change as usize] += 1;
    }
}

/// How many messages came out as what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts([u64; Class::ALL.len()]);

impl Verdicts {
    pub fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }
}

/// One message of which the two sides think differently.
#[derive(Clone, Debug)]
pub struct Example {
    pub inbound: Arc<Inbound>,
    /// Of the present side, and of the candidate.
    pub decisions: [Decision; 2],
}

/// What is different in one chat.
#[derive(Clone, Debug)]
pub struct OfChat {
    pub name: String,
    pub is_group: bool,
    pub counts: Counts,
}

pub struct Tally {
    pub judged: u64,
    /// Of the present side, and of the candidate.
    pub verdicts: [Verdicts; 2],
    pub changes: Counts,
    pub senders: HashMap<String, Counts>,
    pub chats: HashMap<ChatId, OfChat>,
    /// When the first and the last of these messages were sent.
    pub dates: Option<(Timestamp, Timestamp)>,
    most: usize,
    examples: [Vec<Example>; Change::ALL.len()],
}

impl Tally {
    /// Keeps up to so many examples of each change.
    pub fn new(most: usize) -> Tally {
        Tally {
            judged: 0,
            verdicts: Default::default(),
            changes: Counts::default(),
            senders: HashMap::new(),
            chats: HashMap::new(),
            dates: None,
            most,
            examples: Default::default(),
        }
    }

    pub fn different(&self) -> u64 {
        self.changes.sum()
    }

    pub fn note(&mut self, inbound: &Arc<Inbound>, decisions: [Decision; 2]) {
        self.judged += 1;
        let sent_at = inbound.message.sent_at;
        let (first, last) = self.dates.unwrap_or((sent_at, sent_at));
        self.dates = Some((first.min(sent_at), last.max(sent_at)));
        for (verdicts, decision) in self.verdicts.iter_mut().zip(&decisions) {
            verdicts.0[Class::of(&decision.verdict) as usize] += 1;
        }
        let Some(change) = Change::between(&decisions[0].verdict, &decisions[1].verdict) else { return };
        self.changes.add(change);
        if let Some(counts) = room(&mut self.senders, inbound.sender.clone(), Counts::default) {
            counts.add(change);
        }
        if let Some(chat) = &inbound.message.chat {
            let fresh = || OfChat { name: chat.name().to_owned(), is_group: chat.is_group, counts: Counts::default() };
            if let Some(of_chat) = room(&mut self.chats, chat.id, fresh) {
                of_chat.counts.add(change);
            }
        }
        self.keep(change, Example { inbound: inbound.clone(), decisions });
    }

    /// The newest ones, of as many senders as there are: one of each who wrote is more telling than the last ones of
    /// one who wrote a lot.
    fn keep(&mut self, change: Change, example: Example) {
        let kept = &mut self.examples[change as usize];
        let of_sender = kept.iter().position(|other| other.inbound.sender == example.inbound.sender);
        if let Some(at) = of_sender {
            kept.remove(at);
        } else if kept.len() == self.most {
            if kept.is_empty() {
                return;
            }
            kept.remove(0);
        }
        kept.push(example);
    }

    /// The newest ones, in the order of their rows.
    pub fn examples(&self, change: Change) -> &[Example] {
        &self.examples[change as usize]
    }
}

/// The counts under `key`, if there is room for them.
fn room<K: Eq + Hash, V>(counts: &mut HashMap<K, V>, key: K, fresh: impl FnOnce() -> V) -> Option<&mut V> {
    let is_full = counts.len() >= APART;
    match counts.entry(key) {
        Entry::Occupied(entry) => Some(entry.into_mut()),
        Entry::Vacant(_) if is_full => None,
        Entry::Vacant(entry) => Some(entry.insert(fresh())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Challenge, Failure};

    fn deliver(route: &str, labels: &[&str]) -> Verdict {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Verdict::Deliver { route: route.to_owned(), labels }
    }

    fn challenge(code: &str) -> Verdict {
        let challenge = Challenge { code: code.to_owned(), reply: None, expires_at: 0 };
        Verdict::Hold(Hold::Introduction(Some(challenge)))
    }

    #[test]
    fn a_change_is_named_by_what_the_candidate_would_do() {
        let reject = |reason: &str| Verdict::Reject { reason: reason.to_owned() };
        let drop = |reason: &str| Verdict::Drop { reason: reason.to_owned() };
        let fail = |why: &str| Verdict::Hold(Hold::Failure(Failure(why.to_owned())));
        for (now, then, change) in [
            (reject("a"), deliver("main", &[]), Some(Change::Admitted)),
            (deliver("main", &[]), reject("a"), Some(Change::Rejected)),
            (deliver("main", &[]), drop("a"), Some(Change::Dropped)),
            (deliver("main", &[]), fail("a"), Some(Change::Failed)),
            (challenge("A"), fail("a"), Some(Change::Failed)),
            (reject("a"), challenge("A"), Some(Change::Held)),
            (reject("a"), Verdict::Observe, Some(Change::Observed)),
            (deliver("main", &[]), deliver("work", &["x"]), Some(Change::Routed)),
            (deliver("main", &[]), deliver("main", &["x"]), Some(Change::Labelled)),
            (reject("a"), reject("b"), Some(Change::Reason)),
            (drop("a"), drop("b"), Some(Change::Reason)),
            (drop("a"), drop("a"), None),
            (deliver("main", &["x"]), deliver("main", &["x"]), None),
            // Codes are random, and words of a failure may be.
            (challenge("A"), challenge("B"), None),
            (challenge("A"), Verdict::Hold(Hold::Introduction(None)), None),
            (fail("a"), fail("b"), None),
        ] {
            assert_eq!(Change::between(&now, &then), change, "{now:?} {then:?}");
        }
    }

    #[test]
    fn counting_ends_where_there_is_no_more_room() {
        let mut counts: HashMap<usize, Counts> = HashMap::new();
        for key in 0..APART {
            assert!(room(&mut counts, key, Counts::default).is_some());
        }
        assert!(room(&mut counts, APART, Counts::default).is_none());
        assert!(room(&mut counts, 0, Counts::default).is_some());
    }
}
