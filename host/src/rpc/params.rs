//! The specification's rules for parameters (section 2.4): strict types, known keys, one spelling of each. What they
//! are applied to is the method's table.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::RpcError;
use super::param::{Default, Kind, Param, spelt};
use crate::message::ChatId;

/// The parameters of one request. Everything is read by its published name; what the table does not have cannot be
/// read.
#[derive(Debug)]
pub struct Params {
    method: &'static str,
    table: &'static [Param],
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
    /// Refuses keys that the table does not have: a misspelt selector must not widen a request.
    pub fn new(method: &'static str, map: Map<String, Value>, table: &'static [Param]) -> Result<Params> {
        let mut unknown: Vec<&String> = map.keys().filter(|key| spelt(table, key).is_none()).collect();
        unknown.sort_unstable();
        if let Some(key) = unknown.first() {
            return Err(RpcError::params(format!("unknown {method} param: {key}")));
        }
        let refused = map.keys().filter_map(|key| spelt(table, key)).find_map(|param| match param.kind {
            Kind::Refused(text) => Some(text),
            _ => None,
        });
        refused.map_or(Ok(Params { method, table, map }), |text| Err(RpcError::params(text)))
    }

    /// Is there anything under exactly this key?
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub fn forget(&mut self, key: &str) {
        self.map.remove(key);
    }

    fn declared(&self, name: &str) -> Result<&'static Param> {
        let method = self.method;
        let found = self.table.iter().find(|param| param.name == name);
        found.ok_or_else(|| RpcError::internal(format!("the table of {method} has no {name}")))
    }

    /// The value under the one spelling that the caller used.
    fn one(&self, param: &Param) -> Result<Option<(&'static str, &Value)>> {
        let mut used = param.spellings().filter_map(|key| self.map.get(key).map(|value| (key, value)));
        let first = used.next();
        if used.next().is_some() {
            let spellings: Vec<&str> = param.spellings().collect();
            return Err(RpcError::params(format!("use only one of {}", spellings.join(", "))));
        }
        match first {
            Some((_, Value::Null)) if param.takes_null() => Ok(None),
            Some((key, Value::Null)) => Err(RpcError::params(format!("{key} must not be null"))),
            first => Ok(first),
        }
    }

    /// A text, or the table's default.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let param = self.declared(name)?;
        match (self.one(param)?, param.default) {
            (None, Some(Default::Text(default))) => Ok(Some(default.to_owned())),
            (None, _) => Ok(None),
            (Some((_, Value::String(text))), _) => Ok(Some(text.clone())),
            (Some((key, _)), _) => Err(RpcError::params(format!("{key} must be a string"))),
        }
    }

    /// A whole number within the table's bounds, or the table's default.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        let param = self.declared(name)?;
        let Some((key, value)) = self.one(param)? else {
            let Some(Default::Integer(default)) = param.default else { return Ok(None) };
            return Ok(Some(default));
        };
        let value = integral(value).ok_or_else(|| RpcError::params(format!("{key} must be an integer")))?;
        match param.out_of_bounds(value) {
            None => Ok(Some(value)),
            Some(text) => Err(RpcError::params(format!("{key} {text}"))),
        }
    }

    pub fn required_integer(&self, name: &str) -> Result<i64> {
        self.integer(name)?.ok_or_else(|| RpcError::params(format!("{name} is required")))
    }

    /// How many: a number that the table bounds by 1 and has a default for.
    pub fn count(&self, name: &str) -> Result<usize> {
        let count = self.required_integer(name)?;
        Ok(usize::try_from(count).unwrap_or(if count < 0 { 0 } else { usize::MAX }))
    }

    pub fn flag(&self, name: &str) -> Result<bool> {
        let param = self.declared(name)?;
        match self.one(param)? {
            None => Ok(param.default == Some(Default::Flag(true))),
            Some((_, Value::Bool(value))) => Ok(*value),
            Some((key, _)) => Err(RpcError::params(format!("{key} must be a boolean"))),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let Some((key, value)) = self.one(self.declared(name)?)? else { return Ok(Vec::new()) };
        let wrong = || RpcError::params(format!("{key} must be an array of strings"));
        let values = value.as_array().ok_or_else(wrong)?;
        values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    /// Are there any objects?
    pub fn objects(&self, name: &str) -> Result<bool> {
        match self.one(self.declared(name)?)? {
            None => Ok(false),
            Some((_, Value::Array(values))) if values.iter().all(Value::is_object) => Ok(!values.is_empty()),
            Some((key, _)) => Err(RpcError::params(format!("{key} must be an array of objects"))),
        }
    }

    /// A value of any kind.
    pub fn required_any(&self, name: &str) -> Result<Value> {
        let value = self.one(self.declared(name)?)?;
        value.map(|(_, value)| value.clone()).ok_or_else(|| RpcError::params(format!("{name} is required")))
    }

    /// RFC 3339 with seconds and zone.
    pub fn date(&self, name: &str) -> Result<Option<Timestamp>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| RpcError::params(format!("Invalid ISO8601 date: {text}")))
    }

    pub fn chat_id(&self) -> Result<Option<ChatId>> {
        Ok(self.integer("chat_id")?.map(ChatId))
    }

    pub fn required_chat_id(&self) -> Result<ChatId> {
        self.required_integer("chat_id").map(ChatId)
    }

    pub fn required_text(&self, name: &str) -> Result<String> {
        match self.text(name)? {
            None => Err(RpcError::params(format!("{name} is required"))),
            Some(text) if text.trim().is_empty() => Err(RpcError::params(format!("{name} must be a non-empty string"))),
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
            return self.required_text("chat_identifier").map(ChatSelector::Identifier);
        }
        self.required_text("chat_guid").map(ChatSelector::Guid)
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
    use crate::rpc::param::{CHAT_ID, START};

    const TABLE: &[Param] = &[
        Param::integer("limit").at_least(1).at_most(9).default(5),
        CHAT_ID,
        Param::text("chat_identifier").selector(),
        Param::text("chat_guid").selector(),
        Param::integer("debounce_ms").or(&["debounceMs"]).at_least(0),
        START,
        Param::texts("list"),
        Param::flag("flag"),
        Param::integer("cursor").at_least(1).refusal("must be a row (received {value})"),
        Param::refused("attempt", "attempt is for others"),
    ];

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    fn params(value: Value) -> Params {
        Params::new("m", object(value), TABLE).unwrap()
    }

    fn said<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code, -32602);
        error.data.as_str().unwrap().to_owned()
    }

    #[test]
    fn the_first_unknown_key_is_named_before_anything_else() {
        let unknown = Params::new("m", object(json!({"zz": 1, "attempt": 1, "chatId": 2, "limit": null})), TABLE);
        assert_eq!(said(unknown), "unknown m param: chatId");
        assert_eq!(said(Params::new("m", object(json!({"attempt": 1})), TABLE)), "attempt is for others");
    }

    #[test]
    fn null_is_nothing_for_an_option_and_never_a_selector() {
        assert_eq!(said(params(json!({"chat_id": null})).chat_id()), "chat_id must not be null");
        assert_eq!(params(json!({"limit": null})).count("limit").unwrap(), 5);
        assert_eq!(params(json!({"list": null})).texts("list").unwrap(), Vec::<String>::new());
        assert!(!params(json!({"flag": null})).flag("flag").unwrap());
    }

    #[test]
    fn only_one_spelling_may_be_used_and_the_used_one_is_named() {
        let both = params(json!({"debounce_ms": 1, "debounceMs": 1}));
        assert_eq!(said(both.integer("debounce_ms")), "use only one of debounce_ms, debounceMs");
        let negative = params(json!({"debounceMs": -1}));
        assert_eq!(said(negative.integer("debounce_ms")), "debounceMs must be a non-negative integer");
    }

    #[test]
    fn integers_are_whole_numbers_and_nothing_else() {
        for wrong in [json!("1"), json!(true), json!(1.5), json!(9.3e18)] {
            assert_eq!(said(params(json!({"chat_id": wrong})).chat_id()), "chat_id must be an integer");
        }
        assert_eq!(params(json!({"chat_id": 5.0})).chat_id().unwrap(), Some(ChatId(5)));
        assert_eq!(said(params(json!({"chat_id": 0})).chat_id()), "chat_id must be a positive integer");
        assert_eq!(said(params(json!({"limit": 10})).count("limit")), "limit must be an integer between 1 and 9");
        assert_eq!(said(params(json!({"cursor": -3})).integer("cursor")), "cursor must be a row (received -3)");
    }

    #[test]
    fn what_the_table_does_not_have_cannot_be_read() {
        assert_eq!(params(json!({})).flag("hidden").unwrap_err().code, -32603);
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
        assert_eq!(said(params(json!({"list": ["a", 1]})).texts("list")), "list must be an array of strings");
        assert_eq!(said(params(json!({"list": "a"})).texts("list")), "list must be an array of strings");
    }

    #[test]
    fn a_chat_is_named_in_one_way() {
        let text = "exactly one of chat_id, chat_identifier, or chat_guid is required";
        assert_eq!(said(params(json!({})).chat_selector()), text);
        assert_eq!(said(params(json!({"chat_id": 1, "chat_guid": "g"})).chat_selector()), text);
        assert_eq!(said(params(json!({"chat_guid": ""})).chat_selector()), "chat_guid must be a non-empty string");
    }
}
