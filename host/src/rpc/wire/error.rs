//! What errors carry as `data` where that is an object.

use schemars::JsonSchema;
use serde::Serialize;

/// How far a send came that failed.
#[derive(Serialize, JsonSchema)]
pub struct DeliveryFailure<'a> {
    /// Can it be sent again without a risk that it is delivered twice?
    pub retry_safe: bool,
    /// `not_started`: it surely did not leave. `may_have_completed`: nobody can know. `still_in_flight`: it may still
    /// leave, and nothing else does until imsgd is restarted.
    #[schemars(extend("enum" = ["not_started", "may_have_completed", "still_in_flight"]))]
    pub disposition: &'a str,
    #[schemars(extend("enum" = ["applescript", "bridge_v2"]))]
    pub transport: &'a str,
    pub operation: &'a str,
    /// What happened, in one line without the message's text.
    pub detail: &'a str,
}

/// Why the database of Messages cannot be read now.
#[derive(Serialize, JsonSchema)]
pub struct DatabaseUnavailable {
    pub path: Option<String>,
    /// What happened, and what to do.
    pub detail: String,
    /// Can the same request succeed later?
    pub retryable: bool,
}
