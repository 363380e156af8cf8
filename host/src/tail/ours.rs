//! Rows that may be our own although they are not marked so: they wait, as incomplete ones do, for Messages to say.

use jiff::{SignedDuration, Timestamp};

use crate::chatdb::{self, ChatDb};
use crate::message::Message;
use crate::outbox::unseen::{self, Pieces};

/// Older rows were not written just now, and nothing of them is still to come: a restored history does not wait.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Whether `message` should wait until Messages has marked it as ours, or written the own row that it is the twin of.
/// `pieces` are from before it was read.
pub(super) fn may_become_ours(db: &ChatDb, message: &Message, pieces: &Pieces) -> Result<bool, chatdb::Error> {
    if !message.is_judged() || Timestamp::now().duration_since(message.sent_at) > FRESH {
        return Ok(false);
    }
    if is_to_ourselves(message) {
        return Ok(db.own_twin(message, &|_| false)?.is_none());
    }
    Ok(unseen::may_be(pieces, message))
}

/// As Messages itself spells both: what it spells in two ways is found out by the judge, without waiting.
fn is_to_ourselves(message: &Message) -> bool {
    let (Some(chat), Some(own)) = (&message.chat, &message.destination_caller_id) else { return false };
    !chat.is_group && chat.identifier == *own
}
