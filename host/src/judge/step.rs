//! One row on its way through the policies: the verdict, the journal's entry, and what subscribers hear.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Arrived, Judge, Round, Settings};
use crate::journal::{self, Entry};
use crate::message::{Arrival, ChatId, Message};
use crate::outbox::record;
use crate::policy::{Decision, Hold, Inbound, Verdict, judge};
use crate::subscription::{Delivery, Published};

/// A verdict on one inbound message.
pub(super) struct Judged {
    pub inbound: Arc<Inbound>,
    pub decision: Decision,
    pub took: Duration,
}

/// When a row is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    InOrder,
    /// The stream has passed it.
    Late,
    /// So it has, since the row was held.
    Held,
}

impl Judge {
    pub(super) fn step(&mut self, row: &Arrived, round: &mut Round) {
        if let Some(change) = row.change {
            return self.step_change(row, change, round);
        }
        let message = &row.message;
        // A row that got its chat late lies behind the stream, and does not move it.
        let is_late = message.id <= round.place.row;
        if !is_late {
            round.place.row = message.id;
            round.place.guid = message.guid.as_str().into();
            round.batch.tail = Some((message.id, message.guid.clone()));
        }
        match (&message.chat, message.is_judged()) {
            (Some(_), is_judged) if message.preview_of.is_some() => {
                round.batch.entries.extend(is_judged.then(|| self.folded(row)));
            }
            (None, false) => {}
            (None, true) => round.batch.entries.push(self.unjoined(row)),
            (Some(_), false) => {
                let published = Published::new(message.clone(), None, round.place.clone());
                round.events.push(Arc::new(published.seen(row.seen_at)));
            }
            (Some(_), true) => match self.echo_of(message) {
                Some(own) => round.batch.entries.push(self.echo(row, &own)),
                None => self.step_inbound(row, if is_late { Turn::Late } else { Turn::InOrder }, round),
            },
        }
    }

    pub(super) fn step_inbound(&mut self, row: &Arrived, turn: Turn, round: &mut Round) {
        let inbound = Arc::new(self.inbound(row));
        let began = Instant::now();
        self.chain.begin_stages();
        let decision = judge(self.chain.members(), &inbound);
        let judged = Judged { inbound, decision, took: began.elapsed() };
        self.conclude(row, judged, turn, round);
    }

    /// Adds to the round what follows from a verdict.
    pub(super) fn conclude(&mut self, row: &Arrived, judged: Judged, turn: Turn, round: &mut Round) {
        let Judged { inbound, decision, took } = judged;
        let (is_delivered, was_held) = (matches!(decision.verdict, Verdict::Deliver { .. }), turn == Turn::Held);
        if is_delivered && turn != Turn::InOrder {
            round.place.released += 1;
        }
        let released = (is_delivered && turn != Turn::InOrder).then_some(round.place.released);
        let waited = inbound.now.duration_since(row.seen_at).as_micros();
        let entry = Entry {
            judged_us: micros(took),
            waited_us: i64::try_from(waited).unwrap_or(i64::MAX).max(0),
            stages: self.chain.stages(),
            was_held,
            released,
            ..blank_entry(row, &inbound.sender)
        };
        round.batch.entries.push(entry.decided(&decision));
        let message = &row.message;
        match decision.verdict {
            Verdict::Deliver { route, labels } => {
                let decided_by = decision.decided_by.map(|(name, _)| name);
                let context = self.take_context(message, round);
                let delivery = Delivery {
                    route,
                    first_route: None,
                    labels,
                    decided_by,
                    arrival: row.arrival,
                    held: was_held,
                    released,
                    context,
                };
                let message = self.screened(&inbound);
                let published = Published::new(message, Some(delivery), round.place.clone());
                // What was held waited for somebody else.
                round.events.push(Arc::new(if was_held { published } else { published.seen(row.seen_at) }));
            }
            Verdict::Observe => self.observe(message),
            Verdict::Hold(Hold::Introduction(Some(challenge))) => {
                if let (Some(text), Some(chat)) = (challenge.reply, &message.chat) {
                    round.batch.replies.push(record::Draft::reply(&message.key(), chat, text));
                }
            }
            Verdict::Hold(_) | Verdict::Reject { .. } | Verdict::Drop { .. } => {}
        }
    }

    pub(super) fn inbound(&self, row: &Arrived) -> Inbound {
        self.settings.inbound(&row.message, row.arrival, Timestamp::now())
    }

    /// A preview of a link that its text has: subscribers have heard of it with the text.
    pub(super) fn folded(&self, row: &Arrived) -> Entry {
        let sender = self.settings.normalizer.comparable(&row.message.sender);
        let reason = row.message.preview_of.as_ref().map(|text| format!("the preview of a link in {text}"));
        Entry { verdict: journal::FOLDED.to_owned(), reason, ..blank_entry(row, &sender) }
    }

    /// Our own words, which the chat has once already.
    pub(super) fn unjoined(&self, row: &Arrived) -> Entry {
        let sender = self.settings.normalizer.comparable(&row.message.sender);
        let reason = Some("never joined to a chat by Messages".to_owned());
        Entry { verdict: journal::UNJOINED.to_owned(), reason, ..blank_entry(row, &sender) }
    }
}

impl Settings {
    /// `message` as the chain sees it at `now`.
    pub fn inbound(&self, message: &Arc<Message>, arrival: Arrival, now: Timestamp) -> Inbound {
        let sender = self.normalizer.comparable(&message.sender);
        let direct_route = if self.route_by_peer { format!("dm:{sender}") } else { "main".to_owned() };
        let as_group = message.chat.as_ref().is_some_and(|chat| {
            let is_listed = |key: &String| *key == chat.guid || *key == chat.identifier || *key == chat.id.to_string();
            chat.is_group || self.group_chats.iter().any(is_listed)
        });
        Inbound { message: message.clone(), arrival, as_group, sender, direct_route, now }
    }
}

pub(super) fn blank_entry(row: &Arrived, sender: &str) -> Entry {
    let message = &row.message;
    Entry {
        guid: message.key().into_owned(),
        message: message.id,
        chat: message.chat.as_ref().map_or(ChatId(0), |chat| chat.id),
        sender: journal::bounded(sender, journal::SENDER_BYTES),
        arrival: row.arrival,
        verdict: String::new(),
        decided_by: None,
        reason: None,
        route: None,
        labels: Vec::new(),
        sent_at: message.sent_at,
        seen_at: row.seen_at,
        judged_us: 0,
        waited_us: 0,
        stages: String::new(),
        carried_by: None,
        failed: false,
        was_held: false,
        released: None,
    }
}

pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
