//! `journal.explain`: what became of one message, who decided, and why.

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::Date;
use super::wire::journal::{Decider, ExplainedMessage, ExplainedVerdict, Explanation};
use super::{Answer, Service, answer, wire};
use crate::journal::{self, Entry};
use crate::message::{Message, RowId};
use crate::readers::Reader;
use crate::state::notice;

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
    let found = service.readers.with(move |reader| look_up(reader, guid, rowid)).await?;
    let Found { message, entry } = found;
    let story = story(message.as_ref(), entry.as_ref(), head);
    answer(&Explanation {
        found: message.is_some() || entry.is_some(),
        message: message.as_ref().map(explained),
        entry: entry.as_ref().map(verdict),
        story,
    })
}

fn explained(message: &Message) -> ExplainedMessage<'_> {
    ExplainedMessage {
        id: message.id.0,
        guid: &message.guid,
        sender: &message.sender,
        chat_id: message.chat.as_ref().map_or(0, |chat| chat.id.0),
    }
}

fn verdict(entry: &Entry) -> ExplainedVerdict<'_> {
    ExplainedVerdict {
        verdict: &entry.verdict,
        reason: entry.reason.as_deref(),
        decided_by: Decider::of(entry),
        route: entry.route.as_deref(),
        labels: &entry.labels,
        arrival: entry.arrival.name(),
        sent_at: Date(entry.sent_at),
        seen_at: Date(entry.seen_at),
        judged_us: entry.judged_us,
    }
}

struct Found {
    message: Option<Message>,
    entry: Option<Entry>,
}

fn look_up(reader: &Reader, guid: Option<String>, rowid: Option<RowId>) -> Result<Found, RpcError> {
    let rowid = match (rowid, &guid) {
        (Some(rowid), _) => Some(rowid),
        (None, Some(guid)) => reader.chatdb.rowid_of(guid)?,
        (None, None) => None,
    };
    let message = match rowid {
        Some(rowid) => reader.chatdb.rows(&[rowid])?.into_iter().next().map(|row| row.message),
        None => None,
    };
    let guid = message.as_ref().map(|message| message.key().into_owned()).or(guid);
    let entry = match guid {
        Some(guid) => {
            journal::by_guid(reader.state()?.connection(), &guid).inspect_err(notice).map_err(RpcError::internal)?
        }
        None => None,
    };
    Ok(Found { message, entry })
}

fn story(message: Option<&Message>, entry: Option<&Entry>, head: Option<RowId>) -> Vec<String> {
    let mut story = Vec::new();
    match (message, entry) {
        (None, None) => story.push("There is no such message in the Messages database or in the journal.".to_owned()),
        (Some(message), None) => story.push(unjudged(message, head)),
        (_, Some(entry)) => {
            if message.is_none() {
                story.push("It is not in the Messages database any more.".to_owned());
            }
            story.push(arrived(entry));
            story.extend(judged(entry));
        }
    }
    story
}

fn unjudged(message: &Message, head: Option<RowId>) -> String {
    if message.is_from_me {
        return "You wrote this yourself. Own messages are not judged; every subscriber that asks for its chat gets them."
            .to_owned();
    }
    if message.tapback.is_some() {
        return "This is a reaction. Reactions are not judged; subscribers get them with include_reactions.".to_owned();
    }
    match head {
        Some(head) if message.id <= head => {
            "It was in the database before imsgd began to judge. History and replays show it, subscribers were not told."
                .to_owned()
        }
        _ => "It has not been judged yet.".to_owned(),
    }
}

fn arrived(entry: &Entry) -> String {
    let (sent, seen) = (wire::date(entry.sent_at), wire::date(entry.seen_at));
    let how = match entry.arrival.name() {
        "backfill" => {
            "an old message that a sync or a restore wrote; only subscribers with include_backfill hear of it"
        }
        "catch-up" => "written while imsgd was not watching, or late",
        _ => "live",
    };
    format!("Sent at {sent}, seen at {seen}: {how}.")
}

fn judged(entry: &Entry) -> Vec<String> {
    let by = match &entry.decided_by {
        Some((name, version)) if version.is_empty() => format!("the policy {name}"),
        Some((name, version)) => format!("the policy {name} ({version})"),
        None => "no policy".to_owned(),
    };
    let reason = entry.reason.as_deref().unwrap_or("no reason given");
    let what = match entry.verdict.as_str() {
        "delivered" => {
            let route = entry.route.as_deref().unwrap_or_default();
            format!("Delivered to route {route}, admitted by {by}.")
        }
        "observed" => format!("Kept as context for the next delivered message of its chat, by {by}."),
        "held" if entry.failed => {
            format!("Held, because {by} failed: {reason}. It is judged again when that policy is replaced.")
        }
        "held" => format!("Held by {by}: its sender waits to be let in. See `imsgd pairing list`."),
        "rejected" if entry.decided_by.is_none() => {
            "Rejected: no policy had an opinion on its sender, so it stays out.".to_owned()
        }
        "rejected" => format!("Rejected by {by}: {reason}."),
        "dropped" => format!("Admitted, but dropped by {by}: {reason}."),
        journal::FOLDED | journal::ECHO => format!("Not a message of its own: {reason}."),
        journal::UNJOINED => "Messages never put it into a chat, so it was not delivered.".to_owned(),
        other => format!("{other} by {by}: {reason}."),
    };
    let mut story = vec![what];
    if !entry.labels.is_empty() {
        story.push(format!("Labels: {}.", entry.labels.join(", ")));
    }
    story.push(format!("Judging took {} µs.", entry.judged_us));
    story
}
