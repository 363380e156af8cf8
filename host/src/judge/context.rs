//! Observed messages: kept for their chat, and handed on with the next one that is delivered there.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Judge, Round};
use crate::journal::{self, Observed};
use crate::message::{ChatId, Message, RowId};
use crate::rpc::wire;
use crate::state;

impl Judge {
    pub(super) fn observe(&mut self, message: &Message) {
        let Some(chat) = &message.chat else { return };
        if self.settings.history_limit == 0 || !is_worth_showing(message) {
            return;
        }
        let limit = self.settings.history_limit;
        let waiting = self.waiting_in(chat.id);
        waiting.push_back(Observed { message: message.id, guid: message.key().into_owned() });
        while waiting.len() > limit {
            waiting.pop_front();
        }
    }

    fn waiting_in(&mut self, chat: ChatId) -> &mut VecDeque<Observed> {
        let (db, limit) = (&self.state, self.settings.history_limit);
        self.waiting.entry(chat).or_insert_with(|| {
            let waiting = journal::waiting_context(db.connection(), chat, limit).inspect_err(state::notice);
            waiting.map(VecDeque::from).unwrap_or_default()
        })
    }

    /// The observed messages of this chat, which ride along with `message` and with no later one.
    pub(super) fn take_context(&mut self, message: &Message, round: &mut Round) -> Vec<wire::ContextMessage> {
        let Some(chat) = &message.chat else { return Vec::new() };
        // A message that was held may be older than some that were observed since.
        let (waiting, later) =
            self.waiting_in(chat.id).drain(..).partition::<Vec<_>, _>(|observed| observed.message < message.id);
        self.waiting_in(chat.id).extend(later);
        if waiting.is_empty() {
            return Vec::new();
        }
        let ids: Vec<RowId> = waiting.iter().map(|observed| observed.message).collect();
        // What the journal has of an earlier run was not sorted out by what it says.
        let is_shown = |row: &&Arc<Message>| waiting.iter().any(|observed| observed.is(row)) && is_worth_showing(row);
        let context = match self.read(&ids) {
            Ok(rows) => rows.iter().filter(is_shown).map(|row| wire::ContextMessage::from(&**row)).collect(),
            Err(error) => {
                tracing::warn!(%error, "could not read the context of a message");
                Vec::new()
            }
        };
        round.batch.contexts.push((message.id, waiting));
        context
    }
}

/// Events, reactions and what was taken back say nothing by themselves.
fn is_worth_showing(message: &Message) -> bool {
    let is_said = message.event.is_none() && message.tapback.is_none();
    is_said && (!message.text.trim().is_empty() || !message.attachments.is_empty())
}
