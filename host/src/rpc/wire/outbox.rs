//! The objects of `outbox.*`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::outbox::record::Record;
use crate::outbox::switch;

/// What was sent and is to be sent, the newest first.
#[derive(Serialize, JsonSchema)]
pub struct Outgoing<'a> {
    pub sends: Vec<OutboxRecord<'a>>,
    /// Where the owner paused sending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
}

/// One send, as it is written down. Never its text.
#[derive(Serialize, JsonSchema)]
pub struct OutboxRecord<'a> {
    pub id: i64,
    /// `queued`: nothing was handed to Messages. `handed`: something was, and its row is waited for. `seen`: all of it
    /// is in the database. `failed`: it surely did not leave. `unconfirmed`: nobody knows.
    #[schemars(extend("enum" = ["queued", "handed", "seen", "failed", "unconfirmed"]))]
    pub state: &'static str,
    /// `answer` is a policy's answer to a stranger.
    #[schemars(extend("enum" = ["send", "answer", "reaction"]))]
    pub kind: &'static str,
    /// The chat by its guid or identifier, else the recipient. Absent for what an older version wrote down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    pub created_at: Date,
    pub updated_at: Date,
    /// Rows that were seen of it.
    pub message_ids: Vec<i64>,
    /// Why it failed or is not confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The owner's pause: nothing is handed to Messages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OutboxPause")]
pub struct Paused {
    pub since: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Sending was paused.
#[derive(Serialize, JsonSchema)]
pub struct SendingPaused {
    pub ok: bool,
    pub paused: Paused,
}

/// Sending goes on.
#[derive(Serialize, JsonSchema)]
pub struct SendingResumed {
    pub ok: bool,
    /// False where it went on all the time.
    pub was_paused: bool,
}

impl<'a> OutboxRecord<'a> {
    pub fn new(record: &'a Record) -> OutboxRecord<'a> {
        let outcome = record.outcome.as_ref();
        let result = outcome.and_then(|outcome| outcome.get("result"));
        let parts = result.and_then(|result| result.get("parts")).and_then(serde_json::Value::as_array);
        let of_parts = parts.into_iter().flatten().filter_map(|part| part["id"].as_i64());
        let of_reaction = result.filter(|_| parts.is_none()).and_then(|result| result["id"].as_i64());
        let error = outcome.and_then(|outcome| outcome.pointer("/error/data"));
        let detail = error.map(|data| data.get("detail").unwrap_or(data));
        OutboxRecord {
            id: record.id,
            state: record.state.name(),
            kind: record.kind.name(),
            target: record.target.as_deref().filter(|target| !target.is_empty()),
            created_at: Date(record.created_at),
            updated_at: Date(record.updated_at),
            message_ids: of_parts.chain(of_reaction).collect(),
            error: detail.map(|detail| detail.as_str().map_or_else(|| detail.to_string(), str::to_owned)),
        }
    }
}

impl From<switch::Paused> for Paused {
    fn from(paused: switch::Paused) -> Paused {
        Paused { since: Date(paused.since), reason: paused.reason }
    }
}
