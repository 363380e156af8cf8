//! What became of earlier sends: of those that a killed daemon left behind, and of one that is asked for again.

use serde_json::{Value, json};

use super::record::{self, Kind, Record, State};
use super::{Outbox, other_request};
use crate::chatdb::ChatDb;
use crate::rpc::error::RpcError;
use crate::rpc::wire;
use crate::state::notice;

impl Outbox {
    /// Says of each send that a killed daemon left behind what can be said: what was never handed over has failed, of
    /// what was handed over chat.db may tell.
    pub(super) fn settle_what_was_left(&self) {
        let left = record::open(self.parts.state.connection()).inspect_err(notice).unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            Vec::new()
        });
        for record in &left {
            match record.state {
                // Answers to strangers are sent when their turn comes.
                State::Queued if record.kind == Kind::Answer => {}
                State::Queued => {
                    let error = RpcError::not_started("imsgd was stopped before this was sent");
                    self.finish(record.id, State::Failed, &json!({"error": error.to_json()}), None);
                }
                _ => {
                    if let Some(error) = self.look(record).err() {
                        self.finish(record.id, State::Unconfirmed, &json!({"error": error.to_json()}), None);
                    }
                }
            }
        }
    }

    /// What a request under a key that was used before is answered with; `None` where it may be tried again.
    pub(super) fn earlier(&self, record: &Record, request: &str) -> Option<Result<Value, RpcError>> {
        if record.request != request {
            return Some(Err(other_request()));
        }
        let outcome = record.outcome.as_ref();
        match record.state {
            State::Queued | State::Failed => None,
            State::Seen => {
                let result = outcome.and_then(|outcome| outcome.get("result")).cloned().unwrap_or(Value::Null);
                Some(Ok(result))
            }
            State::Handed | State::Unconfirmed => Some(self.look(record).map_err(|error| {
                let said = outcome.and_then(|outcome| outcome.pointer("/error/data/detail")).and_then(Value::as_str);
                said.map_or(error, RpcError::may_have_completed)
            })),
        }
    }

    /// Looks into chat.db for what was handed to Messages. All of it there: the send has succeeded.
    fn look(&self, record: &Record) -> Result<Value, RpcError> {
        let unknown = || {
            RpcError::may_have_completed(
                "imsgd was stopped while Messages had this; look into the chat before sending it again",
            )
        };
        let mut trace = record.trace.clone().ok_or_else(unknown)?;
        let db = ChatDb::open(&self.parts.chatdb).map_err(|_| unknown())?;
        let claim = |guid: &str| {
            if let Err(error) = record::claim(self.parts.state.connection(), record.id, guid).inspect_err(notice) {
                tracing::error!(%error, "the row of a send could not be written down");
            }
        };
        trace.look(&db, &|guid| self.is_taken(guid), claim).map_err(|_| unknown())?;
        if !trace.is_whole() {
            let (found, pieces) = (trace.found(), trace.pieces);
            let error = if found == 0 {
                unknown()
            } else {
                RpcError::may_have_completed(&format!(
                    "imsgd was stopped while Messages had this: {found} of {pieces} parts are in the chat"
                ))
            };
            if found > 0 {
                self.finish(record.id, State::Unconfirmed, &json!({"error": error.to_json()}), Some(&trace));
            }
            return Err(error);
        }
        let messages = trace.messages(&db).map_err(|_| unknown())?;
        let result = wire::to_value(&wire::send::Sent::new(&messages.iter().collect::<Vec<_>>(), None));
        self.finish(record.id, State::Seen, &json!({"result": result}), Some(&trace));
        self.parts.unseen.settle(record.id);
        Ok(result)
    }

    /// Whether the row with this guid is known to be a send's. Where that cannot be asked, it counts as one: better an
    /// unknown outcome than a wrong one.
    pub(super) fn is_taken(&self, guid: &str) -> bool {
        record::is_claimed(self.parts.state.connection(), guid).inspect_err(notice).unwrap_or(true)
    }
}
