//! What messages have beside their text: edits, apps, events and polls.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::decode::app;
use crate::message::{self, PollKind};

/// One version of one part of a message. The first is what was sent, the last is what is there now.
#[derive(Serialize, JsonSchema)]
pub(super) struct Edit<'a> {
    part: u32,
    text: &'a str,
    edited_at: Date,
}

impl<'a> Edit<'a> {
    pub(super) fn all(edits: &'a message::Edits) -> Vec<Edit<'a>> {
        let each = edits.versions.iter();
        each.map(|version| Edit { part: version.part, text: &version.text, edited_at: Date(version.written_at) })
            .collect()
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct App<'a> {
    name: &'a str,
    bundle_id: &'a str,
}

impl<'a> App<'a> {
    pub(super) fn new(balloon_bundle_id: &'a str) -> Option<App<'a>> {
        let app::App { name, bundle_id } = app::app(balloon_bundle_id);
        (!bundle_id.is_empty()).then_some(App { name, bundle_id })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Event<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<&'a str>,
}

impl<'a> Event<'a> {
    pub(super) fn new(event: &'a message::Event) -> Event<'a> {
        Event { kind: event.kind.name(), name: event.name.as_deref(), handle: event.handle.as_deref() }
    }
}

/// A poll, a vote or more choices. Keys that say nothing are left out.
#[derive(Serialize, JsonSchema)]
pub(super) struct Poll<'a> {
    kind: &'static str,
    event: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    poll_guid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<PollOption<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vote: Option<PollVote<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    votes: Vec<PollVote<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_guid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    participants: &'a [String],
    metadata: PollMetadata<'a>,
}

#[derive(Serialize, JsonSchema)]
struct PollOption<'a> {
    id: &'a str,
    text: &'a str,
}

#[derive(Clone, Serialize, JsonSchema)]
struct PollVote<'a> {
    option_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    option_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<&'a str>,
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_time: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct PollMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_id: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    associated_message_type: i64,
    #[serde(skip_serializing_if = "is_zero")]
    payload_bytes: i64,
    #[serde(skip_serializing_if = "is_zero")]
    summary_bytes: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    url_scheme: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    url_host: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    query_keys: &'a [String],
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl<'a> Poll<'a> {
    pub(super) fn new(poll: &'a message::Poll) -> Poll<'a> {
        let votes: Vec<PollVote<'a>> = poll.votes.iter().map(PollVote::new).collect();
        Poll {
            kind: poll.kind.name(),
            event: match poll.kind {
                PollKind::Created => "imessage.poll.created",
                PollKind::Vote => "imessage.poll.voted",
                PollKind::Unknown => "imessage.poll.unknown",
            },
            poll_guid: &poll.guid,
            question: poll.question.as_deref(),
            options: poll.options.iter().map(|option| PollOption { id: &option.id, text: &option.text }).collect(),
            vote: votes.first().cloned(),
            votes,
            original_guid: poll.original_guid.as_deref(),
            creator: poll.creator.as_deref(),
            participants: &poll.participants,
            metadata: PollMetadata::new(&poll.metadata),
        }
    }
}

impl<'a> PollVote<'a> {
    fn new(vote: &'a message::PollVote) -> PollVote<'a> {
        PollVote {
            option_id: &vote.option_id,
            option_text: vote.option_text.as_deref(),
            participant: vote.participant.as_deref(),
            event_type: &vote.event_type,
            server_time: vote.server_time.as_deref(),
        }
    }
}

impl<'a> PollMetadata<'a> {
    fn new(metadata: &'a message::PollMetadata) -> PollMetadata<'a> {
        let bytes = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        PollMetadata {
            bundle_id: metadata.bundle_id.as_deref(),
            associated_message_type: metadata.associated_message_type,
            payload_bytes: bytes(metadata.payload_bytes),
            summary_bytes: bytes(metadata.summary_bytes),
            url_scheme: &metadata.url_scheme,
            url_host: &metadata.url_host,
            query_keys: &metadata.query_keys,
        }
    }
}
