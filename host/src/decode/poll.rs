//! Polls: what the payload of a balloon says of a question, its choices and votes.
//!
//! The payload is a keyed archive with an address in it; the address carries a document, as JSON or as a property list,
//! often in base64. Other systems and older versions put the parts together differently, so the facts are looked for
//! by their names wherever they are: first in what addresses carry, then around them, and in the payload before
//! `message_summary_info`.

mod document;
mod facts;

use crate::message::{Poll, PollKind, PollMetadata};
use document::Search;

const BUNDLE: &str = "com.apple.messages.Polls";
/// `associated_message_type` of a vote.
pub const VOTE: i64 = 4000;
/// `associated_message_type` of a row that gives a poll more choices.
pub const UPDATE: i64 = 2;

/// The columns of a row that may be a poll or a vote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    pub guid: &'a str,
    /// As the message object shows it.
    pub sender: &'a str,
    pub bundle_id: Option<&'a str>,
    pub associated_type: i64,
    pub associated_guid: &'a str,
    /// `payload_data`.
    pub payload: &'a [u8],
    /// `message_summary_info`.
    pub summary: &'a [u8],
}

/// Whether the payload of a row is worth reading.
pub fn is_candidate(bundle_id: Option<&str>, associated_type: i64) -> bool {
    associated_type == VOTE || is_polls(bundle_id)
}

fn is_polls(bundle_id: Option<&str>) -> bool {
    let rest = bundle_id.and_then(|id| id.strip_suffix(BUNDLE));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(':'))
}

/// None for a row that is no poll.
pub fn poll(columns: &Columns<'_>) -> Option<Poll> {
    if !is_candidate(columns.bundle_id, columns.associated_type) {
        return None;
    }
    let Search { mut facts, address, .. } = Search::of(&[columns.payload, columns.summary]);
    let address = address.unwrap_or_default();
    let speaks_of_polls = address.scheme.contains("poll") || address.host.contains("poll");
    if !is_polls(columns.bundle_id) && facts.votes.is_empty() && !speaks_of_polls {
        return None;
    }
    let kind = match () {
        () if !facts.votes.is_empty() => PollKind::Vote,
        () if columns.associated_type == VOTE && facts.has_votes => PollKind::Vote,
        () if columns.associated_type == VOTE => PollKind::Unknown,
        () if facts.question.is_some() || !facts.options.is_empty() => PollKind::Created,
        () => PollKind::Unknown,
    };
    let sender = || (!columns.sender.is_empty()).then(|| columns.sender.to_owned());
    for vote in &mut facts.votes {
        vote.participant = vote.participant.take().or_else(sender);
    }
    let original = super::tapback::target(columns.associated_guid);
    let original_guid = (!original.is_empty()).then(|| original.to_owned());
    // More choices are a poll of their own until somebody votes.
    let source = original_guid.clone().filter(|_| columns.associated_type != UPDATE);
    let mut participants = facts.participants;
    participants.extend(facts.votes.iter().filter_map(|vote| vote.participant.clone()));
    participants.sort_unstable();
    participants.dedup();
    Some(Poll {
        kind,
        guid: facts.id.or(source).unwrap_or_else(|| columns.guid.to_owned()),
        question: facts.question,
        options: facts.options,
        votes: facts.votes,
        original_guid,
        creator: facts.creator.or_else(|| if kind == PollKind::Created { sender() } else { None }),
        participants,
        metadata: PollMetadata {
            bundle_id: columns.bundle_id.map(str::to_owned),
            associated_message_type: columns.associated_type,
            payload_bytes: columns.payload.len(),
            summary_bytes: columns.summary.len(),
            url_scheme: address.scheme,
            url_host: address.host,
            query_keys: address.query_keys,
        },
    })
}

#[cfg(test)]
mod tests;
