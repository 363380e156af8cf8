//! What is kept of a send to find out later what became of it: where its rows must appear, and how they are known.
//! No text, only a digest of it.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::chatdb::{Among, ChatDb, Error, text_key};
use crate::message::{Chat, Message, RowId};

/// How long after a piece was handed over a row may still be it. Messages that hangs, or a Mac that sleeps, writes
/// minutes later; after more, the same words are more likely another message.
pub const LATE: SignedDuration = SignedDuration::from_mins(10);

/// How much earlier than that its row may be dated: Messages rounds.
const EARLY: SignedDuration = SignedDuration::from_secs(2);

/// All that was handed to Messages for one send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How many pieces the send has; those that were handed over may be fewer.
    pub pieces: usize,
    pub handed: Vec<Handed>,
}

/// One piece that was handed to Messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    pub at: Timestamp,
    /// The last row before, and its guid: rows have other numbers in another database. `None` where chat.db could not
    /// be read.
    pub before: Option<(RowId, String)>,
    /// The chat by guid or identifier, where the send addressed one.
    pub chat: Option<String>,
    /// Else who was addressed, on this service.
    pub recipient: String,
    pub service: String,
    /// The text's key (see [`text_key`]); none where there is only a file.
    pub text: Option<String>,
    /// The file, where it was staged.
    pub file: Option<PathBuf>,
    /// The row that Messages wrote, once it was seen.
    pub row: Option<(RowId, String)>,
}

impl Handed {
    pub fn key_of(text: &str) -> Option<String> {
        (!text.is_empty()).then(|| text_key(text))
    }

    /// The row, wherever a late one may be. Never one that `is_taken` by another send.
    pub fn find_late(&self, db: &ChatDb, is_taken: &dyn Fn(&str) -> bool) -> Result<Option<Message>, Error> {
        let until = self.at.checked_add(LATE).ok();
        let (Some(after), Some(chat)) = (self.place(db)?, self.chat_in(db)?) else { return Ok(None) };
        self.find(db, &chat, &Among { after, until, is_taken })
    }

    pub fn find(&self, db: &ChatDb, chat: &Chat, among: &Among<'_>) -> Result<Option<Message>, Error> {
        match (&self.text, &self.file) {
            (Some(text), _) => db.sent_text(among, chat, text),
            (None, Some(file)) => db.sent_file(among, chat, file),
            (None, None) => Ok(None),
        }
    }

    /// The last row from before, by the number that it has now.
    fn place(&self, db: &ChatDb) -> Result<Option<RowId>, Error> {
        let Some((row, guid)) = &self.before else { return Ok(None) };
        if guid.is_empty() || db.guid_of(*row)?.as_ref() == Some(guid) {
            return Ok(Some(*row));
        }
        match db.rowid_of(guid)? {
            Some(row) => Ok(Some(row)),
            // It was deleted, or this is another database, in which the date tells.
            None => Ok(Some(*row).filter(|_| db.max_rowid().is_ok_and(|last| last > *row))),
        }
    }

    /// The chat in which the row must appear. A first message makes the chat, so it is looked for each time.
    pub fn chat_in(&self, db: &ChatDb) -> Result<Option<Arc<Chat>>, Error> {
        if let Some(key) = &self.chat {
            return match db.chat_exact(key)? {
                Some(chat) => Ok(Some(chat)),
                None => db.chat_for_target(key, &[]),
            };
        }
        let (prefix, services): (_, &[&str]) =
            if self.service == "sms" { ("SMS", &["SMS"]) } else { ("iMessage", &["iMessage", "iMessageLite"]) };
        let recipient = &self.recipient;
        for key in [format!("{prefix};-;{recipient}"), format!("any;-;{recipient}"), recipient.clone()] {
            if let Some(chat) = db.chat_for_target(&key, services)? {
                return Ok(Some(chat));
            }
        }
        Ok(None)
    }

    /// Whether `message` could be this piece, before Messages has marked it as ours.
    pub fn looks_like(&self, message: &Message, key: &str) -> bool {
        let Some(chat) = &message.chat else { return false };
        let is_chat = match &self.chat {
            Some(wanted) => *wanted == chat.guid || *wanted == chat.identifier,
            None => !chat.is_group && self.recipient == chat.identifier,
        };
        let is_since = message.sent_at.duration_since(self.at) >= -EARLY;
        is_chat && is_since && self.text.as_deref() == Some(key)
    }

    fn to_json(&self) -> Value {
        let row = |row: &Option<(RowId, String)>| row.as_ref().map(|(id, guid)| json!([id.0, guid]));
        json!({
            "at": self.at.as_millisecond(),
            "before": row(&self.before),
            "chat": self.chat,
            "recipient": self.recipient,
            "service": self.service,
            "text": self.text,
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "row": row(&self.row),
        })
    }

    fn from_json(value: &Value) -> Option<Handed> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let row = |key: &str| Some((RowId(value[key][0].as_i64()?), value[key][1].as_str()?.to_owned()));
        Some(Handed {
            at: Timestamp::from_millisecond(value["at"].as_i64()?).ok()?,
            before: row("before"),
            chat: text("chat"),
            recipient: text("recipient")?,
            service: text("service")?,
            text: text("text"),
            file: text("file").map(PathBuf::from),
            row: row("row"),
        })
    }
}

impl Trace {
    /// Looks for the rows that are not known yet. Each that is found is noted, and told to `found`, before the next
    /// piece is looked for.
    pub fn look(
        &mut self,
        db: &ChatDb,
        is_taken: &dyn Fn(&str) -> bool,
        mut found: impl FnMut(&str),
    ) -> Result<(), Error> {
        for handed in self.handed.iter_mut().filter(|handed| handed.row.is_none()) {
            if let Some(row) = handed.find_late(db, is_taken)? {
                found(&row.guid);
                handed.row = Some((row.id, row.guid));
            }
        }
        Ok(())
    }

    pub fn found(&self) -> usize {
        self.handed.iter().filter(|handed| handed.row.is_some()).count()
    }

    /// Every piece was handed over and seen.
    pub fn is_whole(&self) -> bool {
        self.pieces > 0 && self.found() == self.pieces
    }

    /// The messages that were seen, as they are now.
    pub fn messages(&self, db: &ChatDb) -> Result<Vec<Message>, Error> {
        let mut messages = Vec::new();
        for (id, guid) in self.handed.iter().filter_map(|handed| handed.row.as_ref()) {
            let id = if guid.is_empty() { Some(*id) } else { db.rowid_of(guid)? };
            messages.extend(db.rows(&Vec::from_iter(id))?.into_iter().map(|row| row.message));
        }
        Ok(messages)
    }

    pub fn to_json(&self) -> Value {
        json!({"pieces": self.pieces, "handed": self.handed.iter().map(Handed::to_json).collect::<Vec<_>>()})
    }

    /// `None` for what is no trace.
    pub fn from_json(value: &Value) -> Option<Trace> {
        let pieces = value["pieces"].as_u64()?.try_into().ok()?;
        let handed = value["handed"].as_array()?.iter().map(Handed::from_json).collect::<Option<_>>()?;
        Some(Trace { pieces, handed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_it_was_written_and_keeps_no_text() {
        let handed = Handed {
            at: Timestamp::from_millisecond(1_700_000_000_123).unwrap(),
            before: Some((RowId(7), "G7".into())),
            chat: Some("any;-;+14155550101".into()),
            recipient: "+14155550101".into(),
            service: "imessage".into(),
            text: Handed::key_of("the secret"),
            file: Some("/tmp/x/a b.png".into()),
            row: Some((RowId(8), "G8".into())),
        };
        let bare =
            Handed { before: None, chat: None, text: Handed::key_of(""), file: None, row: None, ..handed.clone() };
        let trace = Trace { pieces: 3, handed: vec![handed, bare] };
        assert!(!trace.to_json().to_string().contains("secret"));
        assert_eq!(Trace::from_json(&trace.to_json()), Some(trace.clone()));
        assert_eq!((trace.found(), trace.is_whole()), (1, false));
        assert_eq!(Trace::from_json(&json!({"pieces": 1, "handed": [{}]})), None);
    }
}
