//! The specification's rules for parameters (section 2.4): strict types, known keys, one spelling of each.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::RpcError;
use crate::message::ChatId;

/// The parameters of one request.
pub struct Params {
    method: String,
    map: Map<String, Value>,
}

type Result<T> = std::result::Result<T, RpcError>;

/// The one chat that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatSelector {
    Id(ChatId),
    Identifier(String),
    Guid(String),
}

impl Params {
    /// Refuses keys that are none of `known`: a misspelt selector must not widen a request.
    pub fn new(method: &str, map: Map<String, Value>, known: &[&str]) -> Result<Params> {
        let mut unknown: Vec<&String> = map.keys().filter(|key| !known.contains(&key.as_str())).collect();
        unknown.sort_unstable();
        match unknown.first() {
            Some(key) => Err(RpcError::params(format!("unknown {method} param: {key}"))),
            None => Ok(Params { method: method.to_owned(), map }),
        }
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Is there a whole number under this key, of whatever size?
    pub fn has_integer(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| integral(value).is_some())
    }

    /// The value under the one spelling that the caller used.
    fn one<'a>(&'a self, spellings: &[&'a str]) -> Result<Option<(&'a str, &'a Value)>> {
        let mut used = spellings.iter().filter_map(|key| self.map.get(*key).map(|value| (*key, value)));
        let first = used.next();
        if used.next().is_some() {
            return Err(RpcError::params(format!("use only one of {}", spellings.join(", "))));
        }
        match first {
            Some((key, Value::Null)) => Err(RpcError::params(format!("{key} must not be null"))),
            first => Ok(first),
        }
    }

    pub fn string(&self, spellings: &[&str]) -> Result<Option<String>> {
        match self.one(spellings)? {
            None => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text.clone())),
            Some((key, _)) => Err(RpcError::params(format!("{key} must be a string"))),
        }
    }

    pub fn integer(&self, spellings: &[&str]) -> Result<Option<i64>> {
        let Some((key, value)) = self.one(spellings)? else { return Ok(None) };
        integral(value).map(Some).ok_or_else(|| RpcError::params(format!("{key} must be an integer")))
    }

    pub fn boolean(&self, spellings: &[&str]) -> Result<Option<bool>> {
        match self.one(spellings)? {
            None => Ok(None),
            Some((_, Value::Bool(value))) => Ok(Some(*value)),
            Some((key, _)) => Err(RpcError::params(format!("{key} must be a boolean"))),
        }
    }

    pub fn flag(&self, spellings: &[&str]) -> Result<bool> {
        Ok(self.boolean(spellings)?.unwrap_or(false))
    }

    pub fn strings(&self, key: &str) -> Result<Vec<String>> {
        let wrong = || RpcError::params(format!("{key} must be an array of strings"));
        match self.one(&[key])? {
            None => Ok(Vec::new()),
            Some((_, Value::Array(values))) => {
                values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    pub fn objects(&self, spellings: &[&str]) -> Result<bool> {
        match self.one(spellings)? {
            None => Ok(false),
            Some((_, Value::Array(values))) if values.iter().all(Value::is_object) => Ok(!values.is_empty()),
            Some((key, _)) => Err(RpcError::params(format!("{key} must be an array of objects"))),
        }
    }

    /// RFC 3339 with seconds and zone.
    pub fn date(&self, key: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.string(&[key])? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| RpcError::params(format!("Invalid ISO8601 date: {text}")))
    }

    pub fn limit(&self, default: usize) -> Result<usize> {
        match self.integer(&["limit"])? {
            None => Ok(default),
            Some(limit) if limit >= 1 => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
            Some(_) => Err(RpcError::params("limit must be a positive integer")),
        }
    }

    pub fn chat_id(&self) -> Result<Option<ChatId>> {
        match self.integer(&["chat_id"])? {
            None => Ok(None),
            Some(id) if id >= 1 => Ok(Some(ChatId(id))),
            Some(_) => Err(RpcError::params("chat_id must be a positive integer")),
        }
    }

    pub fn required_chat_id(&self) -> Result<ChatId> {
        self.chat_id()?.ok_or_else(|| RpcError::params("chat_id is required"))
    }

    pub fn required_string(&self, key: &str) -> Result<String> {
        match self.string(&[key])? {
            None => Err(RpcError::params(format!("{key} is required"))),
            Some(text) if text.trim().is_empty() => Err(RpcError::params(format!("{key} must be a non-empty string"))),
            Some(text) => Ok(text),
        }
    }

    /// Exactly one of the three ways to name a chat.
    pub fn chat_selector(&self) -> Result<ChatSelector> {
        let given = ["chat_id", "chat_identifier", "chat_guid"].iter().filter(|key| self.has(key)).count();
        if given != 1 {
            let text = "exactly one of chat_id, chat_identifier, or chat_guid is required";
            return Err(RpcError::params(text));
        }
        if let Some(id) = self.chat_id()? {
            return Ok(ChatSelector::Id(id));
        }
        if self.has("chat_identifier") {
            return self.required_string("chat_identifier").map(ChatSelector::Identifier);
        }
        self.required_string("chat_guid").map(ChatSelector::Guid)
    }
}

/// A whole number, also when it is written `5.0`.
fn integral(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        let is_safe = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
        is_safe.then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(value: Value) -> Params {
        let Value::Object(map) = value else { panic!("an object") };
        let known = ["limit", "chat_id", "chat_identifier", "chat_guid", "debounce_ms", "debounceMs", "start", "list"];
        Params::new("m", map, &known).unwrap()
    }

    fn said<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code, -32602);
        error.data.as_str().unwrap().to_owned()
    }

    #[test]
    fn the_first_unknown_key_is_named() {
        let Value::Object(map) = json!({"zz": 1, "chatId": 2}) else { panic!() };
        assert_eq!(said(Params::new("send", map, &["to"]).map(|_| ())), "unknown send param: chatId");
    }

    #[test]
    fn null_is_never_a_value() {
        assert_eq!(said(params(json!({"chat_id": null})).chat_id()), "chat_id must not be null");
    }

    #[test]
    fn only_one_spelling_may_be_used() {
        let both = params(json!({"debounce_ms": 1, "debounceMs": 1}));
        assert_eq!(said(both.integer(&["debounce_ms", "debounceMs"])), "use only one of debounce_ms, debounceMs");
    }

    #[test]
    fn integers_are_whole_numbers_and_nothing_else() {
        for wrong in [json!("1"), json!(true), json!(1.5), json!(9.3e18)] {
            assert_eq!(said(params(json!({"chat_id": wrong})).chat_id()), "chat_id must be an integer");
        }
        assert_eq!(params(json!({"chat_id": 5.0})).chat_id().unwrap(), Some(ChatId(5)));
        assert_eq!(said(params(json!({"chat_id": 0})).chat_id()), "chat_id must be a positive integer");
    }

    #[test]
    fn a_date_needs_seconds_and_a_zone() {
        assert!(params(json!({"start": "2026-01-02T03:04:05Z"})).date("start").unwrap().is_some());
        assert!(params(json!({"start": "2026-01-02T03:04:05.123+02:00"})).date("start").unwrap().is_some());
        for wrong in ["", "bad-date", "2026-01-02"] {
            assert_eq!(said(params(json!({"start": wrong})).date("start")), format!("Invalid ISO8601 date: {wrong}"));
        }
    }

    #[test]
    fn arrays_hold_one_kind_of_thing() {
        assert_eq!(said(params(json!({"list": ["a", 1]})).strings("list")), "list must be an array of strings");
        assert_eq!(said(params(json!({"list": "a"})).strings("list")), "list must be an array of strings");
    }

    #[test]
    fn a_chat_is_named_in_one_way() {
        let text = "exactly one of chat_id, chat_identifier, or chat_guid is required";
        assert_eq!(said(params(json!({})).chat_selector()), text);
        assert_eq!(said(params(json!({"chat_id": 1, "chat_guid": "g"})).chat_selector()), text);
        assert_eq!(said(params(json!({"chat_guid": ""})).chat_selector()), "chat_guid must be a non-empty string");
    }
}
