//! `journal.explain`: what became of one message, who decided, and why.

pub mod feed;
mod story;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::journal::{ExplainedMessage, ExplainedVerdict, Explanation};
use super::{Answer, Service, answer};
use crate::journal::{self, Entry};
use crate::message::{Message, RowId};
use crate::readers::Reader;
use crate::state;
use story::Progress;
pub use story::{State, stages};

pub const EXPLAIN: &[Param] = &[
    Param::text("guid").selector().about("The message. This, or `rowid`."),
    Param::integer("rowid").selector().about("The message's row."),
];

/// `{guid}` or `{rowid}` → the journal's row and a story of sentences.
pub async fn explain(service: &Service, params: &Params) -> Answer {
    let guid = params.text("guid")?;
    let rowid = params.integer("rowid")?.map(RowId);
    if guid.is_some() == rowid.is_some() {
        return Err(RpcError::params("exactly one of guid or rowid is required"));
    }
    let head = service.hub.head();
    let (found, newest) = service.readers.with(move |reader| look_up(reader, guid, rowid)).await?;
    let progress = Progress { head, newest };
    let state = story::state(&found, progress);
    let story = story::story(&found, state, progress);
    let Found { message, entry, .. } = &found;
    answer(&Explanation {
        found: message.is_some() || entry.is_some(),
        state: state.name(),
        message: message.as_ref().map(of_message).or_else(|| entry.as_ref().map(ExplainedMessage::of)),
        entry: entry.as_ref().map(ExplainedVerdict::of),
        story,
    })
}

fn of_message(message: &Message) -> ExplainedMessage<'_> {
    ExplainedMessage {
        id: message.id.0,
        guid: &message.guid,
        sender: &message.sender,
        chat_id: message.chat.as_ref().map_or(0, |chat| chat.id.0),
    }
}

/// What is known of one message.
#[derive(Default)]
struct Found {
    message: Option<Message>,
    is_complete: bool,
    entry: Option<Entry>,
    is_pruned: bool,
}

/// The entry of the message that a client names by its guid alone.
pub fn entry_of(reader: &Reader, guid: &str) -> Result<Option<Entry>, RpcError> {
    let state = reader.state()?.connection();
    let entry = match reader.chatdb.rowid_of(guid)? {
        Some(row) => journal::of(state, row, guid).map_err(state::Error::from)?,
        None => None,
    };
    match entry {
        Some(entry) => Ok(Some(entry)),
        None => Ok(journal::anywhere(state, guid).map_err(state::Error::from)?),
    }
}

fn look_up(reader: &Reader, guid: Option<String>, rowid: Option<RowId>) -> Result<(Found, RowId), RpcError> {
    let state = reader.state()?.connection();
    let newest = reader.chatdb.max_rowid()?;
    let rowid = match (rowid, &guid) {
        (Some(rowid), _) => Some(rowid),
        (None, Some(guid)) => reader.chatdb.rowid_of(guid)?,
        (None, None) => None,
    };
    let row = match rowid {
        Some(rowid) => reader.chatdb.rows(&[rowid])?.into_iter().next(),
        None => None,
    };
    let is_complete = row.as_ref().is_some_and(|row| row.complete);
    let message = row.map(|row| row.message);
    let guid = message.as_ref().map(|message| message.key().into_owned()).or(guid);
    let entry = match (guid, rowid) {
        (Some(guid), Some(rowid)) => journal::of(state, rowid, &guid),
        (Some(guid), None) => journal::anywhere(state, &guid),
        (None, Some(rowid)) => journal::by_row(state, rowid),
        (None, None) => Ok(None),
    };
    let entry = entry.map_err(state::Error::from)?;
    let is_pruned = match &message {
        Some(message) => journal::is_pruned(state, message.id).map_err(state::Error::from)?,
        None => false,
    };
    Ok((Found { message, is_complete, entry, is_pruned }, newest))
}
