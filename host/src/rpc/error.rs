//! Errors as JSON-RPC has them: a code, a message that belongs to the code, and data that says what happened.

use serde_json::{Value, json};

/// What a request is answered with when it fails.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    pub code: i64,
    pub message: &'static str,
    pub data: Value,
}

impl RpcError {
    pub fn parse(detail: impl Into<String>) -> RpcError {
        RpcError { code: -32700, message: "Parse error", data: Value::String(detail.into()) }
    }

    pub fn invalid_request(detail: impl Into<String>) -> RpcError {
        RpcError { code: -32600, message: "Invalid Request", data: Value::String(detail.into()) }
    }

    pub fn method_not_found(method: &str) -> RpcError {
        RpcError { code: -32601, message: "Method not found", data: Value::String(method.to_owned()) }
    }

    pub fn params(detail: impl Into<String>) -> RpcError {
        RpcError { code: -32602, message: "Invalid params", data: Value::String(detail.into()) }
    }

    pub fn internal(detail: impl std::fmt::Display) -> RpcError {
        RpcError { code: -32603, message: "Internal error", data: Value::String(detail.to_string()) }
    }

    pub fn busy(detail: &str) -> RpcError {
        RpcError { code: -32000, message: "Server busy", data: Value::String(detail.to_owned()) }
    }

    pub fn to_json(&self) -> Value {
        json!({"code": self.code, "message": self.message, "data": self.data})
    }
}
