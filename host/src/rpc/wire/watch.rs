//! The objects of `watch.*`: answers and notifications.

use schemars::JsonSchema;
use serde::Serialize;

use super::Message;

/// A subscription began. Its first notification comes after this answer.
#[derive(Serialize, JsonSchema)]
pub struct Subscribed {
    /// Its number, which is in each of its notifications and ends it.
    pub subscription: u64,
    pub buffer_limit: usize,
}

/// An acknowledgement is kept.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Acknowledged")]
pub struct Acked {
    pub ok: bool,
}

/// A subscription is over, and nothing of it follows. Also where there was none.
#[derive(Serialize, JsonSchema)]
pub struct Unsubscribed {
    pub ok: bool,
}

/// How the connection takes parameters from now on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionCompat")]
pub struct Compat {
    pub ok: bool,
    #[schemars(extend("enum" = ["0.15", "0.9"]))]
    pub version: &'static str,
}

/// Notification `message`.
#[derive(Serialize, JsonSchema)]
pub struct MessageNotification<'a> {
    pub subscription: u64,
    pub message: Message<'a>,
    /// For `watch.ack`. Only for consumers with a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Notification `message.updated`, for subscriptions that ask with `include_edits`.
#[derive(Serialize, JsonSchema)]
pub struct UpdateNotification<'a> {
    pub subscription: u64,
    /// As it is now.
    pub message: Message<'a>,
    #[schemars(extend("enum" = ["edited", "unsent"]))]
    pub change: &'static str,
    /// For `watch.ack`. Only for consumers with a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Notification `watch.reset`: the database was replaced, restored or renumbered, and the subscription goes on.
#[derive(Serialize, JsonSchema)]
pub struct StreamReset<'a> {
    pub subscription: u64,
    /// `renumbered`: nothing is missed, but row numbers of before mean nothing. `lost`: besides, messages may be missed
    /// or come again, as the last one was not found.
    #[schemars(extend("enum" = ["renumbered", "lost"]))]
    pub reason: &'static str,
    /// In a sentence, for people.
    pub detail: &'a str,
    /// Where it goes on, in the new numbers.
    pub resume_after_rowid: i64,
    /// Always false.
    pub terminal: bool,
}

/// Notification `watch.overflow`: the client read too slowly, and this is the last of the subscription.
#[derive(Serialize, JsonSchema)]
pub struct Overflow {
    pub subscription: u64,
    /// Subscribe with this as `since_rowid` to miss nothing.
    pub resume_after_rowid: i64,
    #[schemars(extend("enum" = ["buffer_limit_exceeded"]))]
    pub reason: &'static str,
    /// Always true.
    pub terminal: bool,
}

/// Notification `error`: the stream broke off, and this is the last of the subscription.
#[derive(Serialize, JsonSchema)]
pub struct StreamError {
    pub subscription: u64,
    pub error: StreamFailure,
    /// Always true.
    pub terminal: bool,
}

/// Why a stream broke off.
#[derive(Serialize, JsonSchema)]
pub struct StreamFailure {
    pub message: String,
    /// A code of errors, as -32002 for the database.
    pub code: i64,
}
