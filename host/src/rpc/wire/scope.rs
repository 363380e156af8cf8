//! The object of `connection.scopes`.

use schemars::JsonSchema;
use serde::Serialize;

/// What a connection may do.
#[derive(Serialize, JsonSchema)]
pub struct ConnectionScopes {
    pub ok: bool,
    /// Of `read`, `send` and `policy`, those that this connection has now.
    pub scopes: Vec<&'static str>,
}
