//! Echoes: what we write to ourselves comes back as a second row, which looks as if somebody had written to us (D7).

use std::collections::VecDeque;

use crate::address::Normalizer;
use crate::message::{ChatId, Message};

/// Own messages to ourselves whose echo may still come. It comes within a moment, so a few are enough.
const REMEMBERED: usize = 64;

/// Own messages in the chat with ourselves.
#[derive(Default)]
pub(super) struct Echoes {
    own: VecDeque<Own>,
}

struct Own {
    chat: ChatId,
    guid: String,
    text: String,
}

impl Echoes {
    /// Remembers an own message, if it is one to ourselves.
    pub(super) fn note(&mut self, message: &Message, normalizer: &Normalizer) {
        let Some(chat) = message.chat.as_ref().filter(|_| is_to_ourselves(message, normalizer)) else { return };
        if self.own.len() == REMEMBERED {
            self.own.pop_front();
        }
        self.own.push_back(Own { chat: chat.id, guid: message.guid.clone(), text: message.text.clone() });
    }

    /// The guid of the own message that `message` is the echo of. Each has one.
    pub(super) fn take(&mut self, message: &Message, normalizer: &Normalizer) -> Option<String> {
        let chat = message.chat.as_ref().filter(|_| !self.own.is_empty() && is_to_ourselves(message, normalizer))?;
        let at = self.own.iter().position(|own| own.chat == chat.id && own.text == message.text)?;
        self.own.remove(at).map(|own| own.guid)
    }
}

/// A direct chat whose other end is the address that we use in it.
fn is_to_ourselves(message: &Message, normalizer: &Normalizer) -> bool {
    let (Some(chat), Some(own)) = (&message.chat, &message.destination_caller_id) else { return false };
    !chat.is_group && !own.is_empty() && normalizer.comparable(&chat.identifier) == normalizer.comparable(own)
}
