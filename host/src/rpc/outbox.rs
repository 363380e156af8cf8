//! `outbox.list`, `outbox.pause`, `outbox.resume`: what was sent, and the owner's switch.

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::outbox::{OutboxRecord, Outgoing, SendingPaused, SendingResumed};
use super::{Answer, Service, answer};
use crate::outbox::record;
use crate::state;
use crate::state::notice;

/// What `outbox.list` gives where nobody says, and at most.
const LISTED: i64 = 50;
const LISTED_MOST: i64 = 500;

const STATES: [&str; 6] = ["all", "queued", "handed", "seen", "failed", "unconfirmed"];

/// A reason is shown to every client that is refused, in one line.
const REASON_CHARS: usize = 200;

pub const LIST: &[Param] = &[
    Param::integer("limit").at_least(1).at_most(LISTED_MOST).default(LISTED).about("How many."),
    Param::choice("state", &STATES).about("Only those in this state."),
    Param::integer("before").at_least(1).about("Only those before this `id`: the next page."),
];
pub const PAUSE: &[Param] = &[Param::text("reason").about("What clients are told, in 200 characters at most.")];

pub async fn list(service: &Service, params: &Params) -> Answer {
    let limit = params.integer("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
    let (state, before) = (params.text("state")?, params.integer("before")?);
    let state = match state.as_deref() {
        None | Some("all") => None,
        Some(state) if STATES.contains(&state) => Some(state.to_owned()),
        Some(_) => return Err(RpcError::params(format!("state must be one of {}", STATES.join(", ")))),
    };
    let read = move |state_db: &state::StateDb| {
        record::list(state_db.connection(), state.as_deref(), before, limit).inspect_err(notice)
    };
    let records = service.readers.with_state(read).await?.map_err(state::Error::from)?;
    let paused = service.switch.paused().map(Into::into);
    answer(&Outgoing { sends: records.iter().map(OutboxRecord::new).collect(), paused })
}

pub async fn pause(service: &Service, params: &Params) -> Answer {
    let reason = params.text("reason")?.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS) {
        return Err(RpcError::params(format!("reason must have at most {REASON_CHARS} characters")));
    }
    let switch = service.switch.clone();
    let paused = tokio::task::spawn_blocking(move || switch.pause(reason)).await.map_err(RpcError::internal)?;
    let paused = paused.map_err(|error| {
        RpcError::internal(format!("sending is paused, but only until imsgd ends, as it could not be kept: {error}"))
    })?;
    tracing::warn!("sending was paused; nothing is handed to Messages until it is resumed");
    answer(&SendingPaused { ok: true, paused: paused.into() })
}

pub async fn resume(service: &Service) -> Answer {
    let switch = service.switch.clone();
    let resumed = tokio::task::spawn_blocking(move || switch.resume()).await.map_err(RpcError::internal)?;
    let was_paused = resumed?;
    if was_paused {
        tracing::info!("sending was resumed");
    }
    answer(&SendingResumed { ok: true, was_paused })
}
