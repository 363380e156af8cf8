//! Errors that carry an object: what became of a send, and why a database cannot be read.

use serde_json::json;

use super::error::RpcError;
use super::wire;
use super::wire::error::{DatabaseUnavailable, DeliveryFailure};
use crate::chatdb;

/// How far a send had come when it failed. Only the first is safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    NotStarted,
    MayHaveCompleted,
}

/// `detail` of a delivery error is one line of at most this many characters.
const DETAIL_CHARS: usize = 512;

impl RpcError {
    /// What a method answers that only works with a private helper inside Messages, which imsgd does not have.
    pub fn needs_bridge(operation: &str) -> RpcError {
        let detail = "imsgd has no private bridge into Messages, which this needs";
        delivery(Disposition::NotStarted, "bridge_v2", operation, detail)
    }

    pub fn bridge_unavailable(message: &'static str) -> RpcError {
        let detail = "imsgd has no private bridge into Messages, which this needs";
        RpcError { code: -32003, message, data: json!({"detail": detail, "retryable": true}) }
    }

    pub fn not_started(detail: &str) -> RpcError {
        delivery(Disposition::NotStarted, "applescript", "send", detail)
    }

    pub fn may_have_completed(detail: &str) -> RpcError {
        delivery(Disposition::MayHaveCompleted, "applescript", "send", detail)
    }

    /// What became of something else than a send that Messages was to do.
    pub fn automation(disposition: Disposition, operation: &str, detail: &str) -> RpcError {
        delivery(disposition, "applescript", operation, detail)
    }
}

fn delivery(disposition: Disposition, transport: &str, operation: &str, detail: &str) -> RpcError {
    let (code, message, name) = match disposition {
        Disposition::NotStarted => (-32603, "Delivery failed before dispatch", "not_started"),
        Disposition::MayHaveCompleted => (-32001, "Delivery outcome unknown", "may_have_completed"),
    };
    let detail: String = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARS).collect();
    let retry_safe = disposition == Disposition::NotStarted;
    let data = DeliveryFailure { retry_safe, disposition: name, transport, operation, detail: &detail };
    RpcError { code, message, data: wire::to_value(&data) }
}

impl From<chatdb::Error> for RpcError {
    fn from(error: chatdb::Error) -> RpcError {
        if !error.is_unavailable() {
            return RpcError::internal(error);
        }
        let path = error.path().map(|path| path.display().to_string());
        let data = DatabaseUnavailable { path, detail: error.to_string(), retryable: true };
        RpcError { code: -32002, message: "Database unavailable", data: wire::to_value(&data) }
    }
}

impl From<crate::state::Error> for RpcError {
    fn from(error: crate::state::Error) -> RpcError {
        RpcError::internal(error)
    }
}
