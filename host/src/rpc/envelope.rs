//! One line of JSON as a JSON-RPC 2.0 request, by the checks of section 2.2 of the specification, in its order.

use serde_json::{Map, Value};

use super::error::RpcError;
use super::legacy;
use crate::config::Scopes;

/// A request; without an `id` it is a notification, which is carried out and never answered.
#[derive(Debug)]
pub struct Request {
    pub id: Option<Value>,
    pub method: String,
    pub params: Map<String, Value>,
    /// Its connection is in legacy mode.
    pub is_legacy: bool,
    /// What its connection may do.
    pub scopes: Scopes,
}

/// A line that is no request: what to answer, if anything.
#[derive(Debug)]
pub struct Refused {
    pub id: Value,
    pub error: RpcError,
    /// Notifications with bad parameters stay without an answer; broken envelopes do not.
    pub is_silent: bool,
}

pub fn parse(line: &[u8]) -> Result<Request, Box<Refused>> {
    parse_in(line, false)
}

/// As [`parse`], or in legacy mode.
pub fn parse_in(line: &[u8], is_legacy: bool) -> Result<Request, Box<Refused>> {
    let line = String::from_utf8_lossy(line);
    let value: Value = serde_json::from_str(line.trim()).map_err(|error| loud(RpcError::parse(error.to_string())))?;
    let mut object = match value {
        Value::Object(object) => object,
        Value::Array(_) => return Err(loud(RpcError::invalid_request("request must be an object"))),
        _ => return Err(loud(RpcError::parse("a bare value is no request"))),
    };
    if is_legacy {
        legacy::relax(&mut object);
    }
    let id = object.remove("id");
    if matches!(id, Some(Value::Bool(_) | Value::Object(_) | Value::Array(_))) {
        return Err(loud(RpcError::invalid_request("id must be a string, number, or null")));
    }
    let with_id = |error, is_silent| Box::new(Refused { id: id.clone().unwrap_or(Value::Null), error, is_silent });
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(with_id(RpcError::invalid_request("jsonrpc must be exactly 2.0"), false));
    }
    let method = match object.remove("method") {
        Some(Value::String(method)) if !method.is_empty() => method,
        _ => return Err(with_id(RpcError::invalid_request("method is required"), false)),
    };
    match object.remove("params") {
        None => Ok(Request { id, method, params: Map::new(), is_legacy, scopes: Scopes::NONE }),
        Some(Value::Object(params)) => Ok(Request { id, method, params, is_legacy, scopes: Scopes::NONE }),
        Some(_) => {
            let error = RpcError::params("params must be an object when present");
            Err(with_id(error, id.is_none()))
        }
    }
}

fn loud(error: RpcError) -> Box<Refused> {
    Box::new(Refused { id: Value::Null, error, is_silent: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, code: i64, id: &str, data: &str) {
        let refused = parse(line.as_bytes()).unwrap_err();
        assert_eq!(refused.error.code, code, "{line}");
        assert_eq!(refused.id.to_string(), id, "{line}");
        if !data.is_empty() {
            assert_eq!(refused.error.data, data, "{line}");
        }
    }

    #[test]
    fn broken_envelopes_are_told_apart() {
        check("{", -32700, "null", "");
        check("3", -32700, "null", "");
        check("[]", -32600, "null", "request must be an object");
        check(r#"{"id":true}"#, -32600, "null", "id must be a string, number, or null");
        check(r#"{"id":1}"#, -32600, "1", "jsonrpc must be exactly 2.0");
        check(r#"{"id":1,"jsonrpc":"1.0","method":"x"}"#, -32600, "1", "jsonrpc must be exactly 2.0");
        check(r#"{"id":"a","jsonrpc":"2.0"}"#, -32600, "\"a\"", "method is required");
        check(r#"{"id":1,"jsonrpc":"2.0","method":""}"#, -32600, "1", "method is required");
        check(
            r#"{"id":1,"jsonrpc":"2.0","method":"x","params":null}"#,
            -32602,
            "1",
            "params must be an object when present",
        );
    }

    #[test]
    fn null_is_an_id_and_no_id_is_none() {
        let request = parse(br#" {"jsonrpc":"2.0","id":null,"method":"x"} "#).unwrap();
        assert_eq!(request.id, Some(Value::Null));
        let request = parse(br#"{"jsonrpc":"2.0","method":"x","params":{"a":1}}"#).unwrap();
        assert_eq!(request.id, None);
        assert_eq!(request.params.len(), 1);
    }

    #[test]
    fn a_notification_with_bad_parameters_is_silent() {
        assert!(parse(br#"{"jsonrpc":"2.0","method":"x","params":[]}"#).unwrap_err().is_silent);
        assert!(!parse(br#"{"jsonrpc":"2.0","id":null,"method":"x","params":[]}"#).unwrap_err().is_silent);
    }

    #[test]
    fn bytes_that_are_no_text_and_deep_nesting_are_only_errors() {
        assert!(parse(b"\xff\xfe{").is_err());
        let deep = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{{"a":{}"#, "[".repeat(100_000));
        assert_eq!(parse(deep.as_bytes()).unwrap_err().error.code, -32700);
    }
}
