//! The objects of `config.*`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What the configuration file says.
#[derive(Serialize, JsonSchema)]
pub struct ConfigValue {
    /// In its usual spelling. Absent where all was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// False where the file says nothing of it, and the default is in force.
    pub set: bool,
    /// Absent where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// The file says so, and what it says is in force.
#[derive(Serialize, JsonSchema)]
pub struct ConfigChanged {
    pub ok: bool,
    /// In its usual spelling.
    pub key: String,
    /// False where the file said so before.
    pub changed: bool,
    /// What the file says of it now. Absent where it says nothing, and the default is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// It takes effect only when imsgd is started again.
    pub restart_needed: bool,
}
