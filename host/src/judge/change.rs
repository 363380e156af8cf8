//! Delivered messages that were edited or taken back. Policies have not seen what they say now, so nobody hears of that
//! before they have.

use std::sync::Arc;

use super::{Arrived, Judge, Round};
use crate::journal;
use crate::message::{Change, Message};
use crate::policy::{self, Decision, Inbound, Verdict, judge};
use crate::state;
use crate::subscription::{Delivery, Published};

/// What a dry run says of a row, and the row without what the policies would not have let through.
pub struct Preview {
    pub decision: Decision,
    pub message: Arc<Message>,
}

impl Judge {
    /// Announces a change of a message, if that was delivered and the policies still want it.
    pub(super) fn step_change(&mut self, row: &Arrived, change: Change, round: &mut Round) {
        if row.message.chat.is_none() {
            return;
        }
        let (message, delivery) = if row.message.is_judged() {
            let Some((message, delivery)) = self.changed_delivery(row) else { return };
            (message, Some(delivery))
        } else {
            (row.message.clone(), None)
        };
        round.events.push(Arc::new(Published::changed(message, delivery, round.place.clone(), change)));
    }

    fn changed_delivery(&mut self, row: &Arrived) -> Option<(Arc<Message>, Delivery)> {
        let entry = journal::of(self.state.connection(), row.message.id, &row.message.key())
            .inspect_err(state::notice)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "an edit is not announced, as the journal could not be read");
                None
            });
        let entry = entry.filter(|entry| entry.is_delivered())?;
        let first_route = entry.route.unwrap_or_default();
        let mut delivery = Delivery {
            route: first_route.clone(),
            first_route: None,
            labels: entry.labels,
            decided_by: entry.decided_by.map(|(name, _)| name),
            arrival: entry.arrival,
            held: false,
            released: None,
            context: Vec::new(),
        };
        if row.message.edits.as_ref().is_some_and(|edits| edits.is_unsent) {
            // There is nothing left to judge, and that a message is gone tells nothing new.
            return Some((row.message.clone(), delivery));
        }
        let Preview { decision, message } = self.preview_one(row);
        let Verdict::Deliver { route, labels } = decision.verdict else {
            tracing::debug!(row = row.message.id.0, verdict = decision.verdict.name(), "an edit is not announced");
            return None;
        };
        delivery.first_route = (route != first_route).then_some(first_route);
        delivery.route = route;
        delivery.labels = labels;
        delivery.decided_by = decision.decided_by.map(|(name, _)| name);
        Some((message, delivery))
    }

    pub(super) fn preview(&mut self, rows: &[Arrived]) -> Vec<Preview> {
        rows.iter().map(|row| self.preview_one(row)).collect()
    }

    /// What the policies say of a row now. They answer without leaving a trace.
    fn preview_one(&mut self, row: &Arrived) -> Preview {
        self.chain.set_dry(true);
        let inbound = Arc::new(self.inbound(row));
        let decision = match self.delivered_to(&row.message) {
            Some(route) => policy::judge_again(self.chain.members(), &inbound, &route),
            None => judge(self.chain.members(), &inbound),
        };
        self.chain.set_dry(false);
        Preview { decision, message: self.screened(&inbound) }
    }

    /// The route that a message took when it said something else.
    fn delivered_to(&self, message: &Message) -> Option<String> {
        if !message.may_differ() {
            return None;
        }
        let entry =
            journal::of(self.state.connection(), message.id, &message.key()).inspect_err(state::notice).ok()??;
        entry.is_delivered().then_some(entry.route)?
    }

    /// The message without earlier texts that the policies would not let through: a text must not get past a filter by
    /// being edited.
    pub(super) fn screened(&mut self, inbound: &Inbound) -> Arc<Message> {
        let Some(edits) = inbound.message.edits.as_ref().filter(|edits| !edits.versions.is_empty()) else {
            return inbound.message.clone();
        };
        let mut message = Message::clone(&inbound.message);
        let mut versions = edits.versions.clone();
        self.chain.set_dry(true);
        versions.retain(|version| version.text == inbound.message.text || self.would_deliver(inbound, &version.text));
        self.chain.set_dry(false);
        if let Some(edits) = &mut message.edits {
            edits.versions = versions;
        }
        Arc::new(message)
    }

    fn would_deliver(&mut self, inbound: &Inbound, text: &str) -> bool {
        let message = Message { text: text.to_owned(), ..Message::clone(&inbound.message) };
        let inbound = Arc::new(Inbound { message: Arc::new(message), ..inbound.clone() });
        let decision = policy::judge_again(self.chain.members(), &inbound, "");
        matches!(decision.verdict, Verdict::Deliver { .. })
    }
}
