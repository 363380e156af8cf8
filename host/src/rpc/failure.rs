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
    /// It may still leave: what was to send it could not be ended.
    StillInFlight,
}

impl Disposition {
    pub fn name(self) -> &'static str {
        match self {
            Disposition::NotStarted => "not_started",
            Disposition::MayHaveCompleted => "may_have_completed",
            Disposition::StillInFlight => "still_in_flight",
        }
    }
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

impl RpcError {
    /// What every later request to do something is answered with, until a restart, after one that is still in flight.
    pub fn lane_blocked(failure: &RpcError) -> RpcError {
        let mut data = failure.data.clone();
        let operation = data.get("operation").and_then(serde_json::Value::as_str).unwrap_or("send").to_owned();
        let said = data.get("detail").and_then(serde_json::Value::as_str).unwrap_or_default();
        let text = format!(
            "an earlier {operation} is still in flight, so nothing was done; end osascript if you can, and restart imsgd: {said}"
        );
        data["detail"] = one_line(&text).into();
        RpcError { code: -32004, message: "Mutation lane blocked", data }
    }
}

fn one_line(detail: &str) -> String {
    detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(DETAIL_CHARS).collect()
}

fn delivery(disposition: Disposition, transport: &str, operation: &str, detail: &str) -> RpcError {
    let (code, message) = match disposition {
        Disposition::NotStarted => (-32603, "Delivery failed before dispatch"),
        Disposition::MayHaveCompleted | Disposition::StillInFlight => (-32001, "Delivery outcome unknown"),
    };
    let (name, detail) = (disposition.name(), one_line(detail));
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
