//! Echoes: what we write to ourselves comes back as a second row, which looks as if somebody had written to us (D7).

use std::collections::VecDeque;

use super::step::blank_entry;
use super::{Arrived, Judge};
use crate::address::Normalizer;
use crate::chatdb::{self, ChatDb};
use crate::journal::{self, Entry};
use crate::message::Message;
use crate::outbox::unseen;

/// Own messages whose echo has come. Another one with the same words is looked for within a thousand rows; more of
/// ourselves than these do not come together.
const REMEMBERED: usize = 64;

/// Own messages in the chat with ourselves that have had their echo.
#[derive(Default)]
pub struct Echoes {
    had: VecDeque<String>,
}

impl Echoes {
    /// The guid of our own message that `message`, which is [to ourselves](is_to_ourselves), is the echo of.
    pub fn own(&mut self, db: &ChatDb, message: &Message) -> Result<Option<String>, chatdb::Error> {
        let own = db.own_twin(message, &|guid| self.had.iter().any(|known| known == guid))?;
        if let Some(own) = &own {
            self.note(&own.guid);
        }
        Ok(own.map(|own| own.guid))
    }

    fn note(&mut self, own: &str) {
        if self.had.len() == REMEMBERED {
            self.had.pop_front();
        }
        self.had.push_back(own.to_owned());
    }
}

impl Judge {
    /// What `message` is the echo of, in words. Its own row may stand before it or behind it, be there from before a
    /// restart, or not be there yet.
    pub(super) fn echo_of(&mut self, message: &Message) -> Option<String> {
        if !is_to_ourselves(message, &self.settings.normalizer) {
            return None;
        }
        let mut echoes = std::mem::take(&mut self.echoes);
        let own = self.with_chatdb(|db| echoes.own(db, message));
        self.echoes = echoes;
        match own {
            Ok(Some(own)) => Some(format!("our own message {own}")),
            Ok(None) => {
                let is_ours = unseen::may_be(&self.unseen.pieces(), message);
                is_ours.then(|| "our own message, which Messages has not written yet".to_owned())
            }
            Err(error) => {
                // Nobody but us writes there, and what we wrote must not come back as an order.
                tracing::warn!(%error, "the own row of a message to ourselves could not be looked for");
                Some("our own message, which could not be looked for".to_owned())
            }
        }
    }

    pub(super) fn echo(&self, row: &Arrived, own: &str) -> Entry {
        let sender = self.settings.normalizer.comparable(&row.message.sender);
        let reason = Some(format!("the echo of {own}"));
        Entry { verdict: journal::ECHO.to_owned(), reason, ..blank_entry(row, &sender) }
    }
}

/// A direct chat whose other end is the address that we use in it.
pub fn is_to_ourselves(message: &Message, normalizer: &Normalizer) -> bool {
    let (Some(chat), Some(own)) = (&message.chat, &message.destination_caller_id) else { return false };
    !chat.is_group && !own.is_empty() && normalizer.comparable(&chat.identifier) == normalizer.comparable(own)
}
