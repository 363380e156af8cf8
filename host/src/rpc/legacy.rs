//! Legacy mode: requests as gateways made for `imsg` 0.3 to 0.9 write them, made into strict ones. What would widen a
//! request, or make it mean something else, stays as it is and is refused like any other.
//!
//! A connection is in this mode after `connection.compat`; `imsgd rpc --legacy-params` begins with that.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::error::RpcError;
use super::param::{Kind, Param, spelt};
use super::params::Params;
use super::wire::watch::Compat;
use super::{Answer, answer};
use crate::message::ChatId;
use crate::readers::{Reader, Readers};

/// The line that asks for this mode. It is a notification, so that no answer comes that the client did not ask for.
pub const ASK: &str = concat!(r#"{"jsonrpc":"2.0","method":"connection.compat","params":{"version":"0.9"}}"#, "\n");

/// The method that asks for this mode, or for the end of it.
pub const METHOD: &str = "connection.compat";
pub const COMPAT: &[Param] = &[Param::choice("version", &["0.15", "0.9"])
    .about("`0.9`: take parameters as imsg 0.3 to 0.9 did, as far as it is safe. `0.15`: strictly.")];

/// Which mode `connection.compat` asks for, and the answer to it.
pub fn asked(map: Map<String, Value>) -> Result<(bool, Answer), RpcError> {
    let params = Params::new(METHOD, map, COMPAT)?;
    let (is_legacy, version) = match params.text("version")?.as_deref() {
        None | Some("0.15") => (false, "0.15"),
        Some("0.9") => (true, "0.9"),
        Some(_) => return Err(RpcError::params("version must be 0.15 or 0.9")),
    };
    Ok((is_legacy, answer(&Compat { ok: true, version })))
}

/// Makes a request of old, as it was parsed, into a strict one. Section 1.2 of the specification has the cases, and
/// what is left alone.
pub fn relax(request: &mut Map<String, Value>) {
    request.entry("jsonrpc").or_insert_with(|| "2.0".into());
    if request.get("params") == Some(&Value::Null) {
        request.remove("params");
    }
    let Some(method) = request.get("method").and_then(Value::as_str).and_then(super::method) else { return };
    if let Some(Value::Object(params)) = request.get_mut("params") {
        relax_params(params, method.params);
    }
}

fn relax_params(params: &mut Map<String, Value>, table: &'static [Param]) {
    params.retain(|key, _| spelt(table, key).is_some() || may_select(key, table));
    for param in table {
        for spelling in param.spellings() {
            if let Some(value) = params.get_mut(spelling) {
                coerce(param, value);
            }
        }
        one_spelling(param, params);
    }
    without_empty_selectors(params);
}

/// Words in an unknown key that may say which messages or whom a request is about.
const SELECTING: &[&str] = &[
    "chat",
    "guid",
    "recipient",
    "handle",
    "participant",
    "identifier",
    "address",
    "sender",
    "conversation",
    "thread",
    "subscription",
    "rowid",
    "cursor",
    "route",
    "group",
    "since",
    "unread",
];

/// Unknown keys that say so as a whole.
const SELECTORS: &[&str] = &[
    "id",
    "from",
    "target",
    "destination",
    "dest",
    "number",
    "phone",
    "email",
    "contact",
    "buddy",
    "peer",
    "user",
    "who",
    "room",
    "after",
    "before",
    "until",
    "code",
];

/// Could whoever wrote this unknown key have meant to say what the request is about? Then leaving it out would widen
/// the request.
fn may_select(key: &str, table: &[Param]) -> bool {
    let plain = |key: &str| key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let key = plain(key);
    let selects = |param: &&Param| param.is_selector || matches!(param.kind, Kind::Date | Kind::Texts);
    let is_close = |spelling: &str| {
        let spelling = plain(spelling);
        strsim::damerau_levenshtein(&key, &spelling) <= spelling.len() / 4
    };
    SELECTING.iter().any(|word| key.contains(word))
        || SELECTORS.contains(&key.as_str())
        || table.iter().filter(selects).flat_map(Param::spellings).any(is_close)
}

/// Numbers that are texts, flags that are texts or numbers, texts that are numbers, lists that are one text.
fn coerce(param: &Param, value: &mut Value) {
    let meant = match (param.kind, &*value) {
        (Kind::Integer(..), Value::String(text)) => text.trim().parse().ok().map(|number: i64| number.into()),
        (Kind::Flag, Value::String(text)) => text.trim().to_lowercase().parse().ok().map(Value::Bool),
        (Kind::Flag, Value::Number(number)) => match number.as_i64() {
            Some(0) => Some(false.into()),
            Some(1) => Some(true.into()),
            _ => None,
        },
        (Kind::Text | Kind::Choice(_), Value::Number(number)) => whole(number).map(Value::String),
        (Kind::Texts, Value::String(text)) => {
            let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
            // No part at all would ask for everybody.
            (!parts.is_empty()).then(|| parts.into())
        }
        _ => None,
    };
    if let Some(meant) = meant {
        *value = meant;
    }
    if param.name == "limit" && value.as_i64().is_some_and(|limit| limit < 1) {
        *value = 1.into();
    }
}

fn whole(number: &Number) -> Option<String> {
    (number.is_i64() || number.is_u64()).then(|| number.to_string())
}

/// Two spellings that say the same are one.
fn one_spelling(param: &Param, params: &mut Map<String, Value>) {
    let mut used = param.spellings().filter(|spelling| params.contains_key(*spelling));
    let Some(first) = used.next() else { return };
    let others: Vec<&str> = used.collect();
    for other in others {
        if params.get(other) == params.get(first) {
            params.remove(other);
        }
    }
}

/// An empty selector beside a real one says nothing.
fn without_empty_selectors(params: &mut Map<String, Value>) {
    const ALL: [&str; 4] = ["to", "chat_id", "chat_identifier", "chat_guid"];
    let is_empty = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
    let is_real = |key: &&str| params.get(*key).is_some_and(|value| !value.is_null() && !is_empty(value));
    if ALL.iter().any(is_real) {
        params.retain(|key, value| !(ALL.contains(&key.as_str()) && is_empty(value)));
    }
}

/// Several selectors that all name the same chat are one. Others stay, and are refused.
pub async fn one_chat(readers: &Arc<Readers>, params: &mut Params) -> Result<(), RpcError> {
    const ALL: [&str; 3] = ["chat_id", "chat_guid", "chat_identifier"];
    let given: Vec<&str> = ALL.into_iter().filter(|key| params.has(key)).collect();
    let [kept, others @ ..] = given.as_slice() else { return Ok(()) };
    if others.is_empty() || params.has("to") {
        return Ok(());
    }
    let named =
        Named { id: params.chat_id()?, guid: params.text("chat_guid")?, identifier: params.text("chat_identifier")? };
    if readers.with(move |reader| named.is_one(reader)).await? {
        others.iter().for_each(|other| params.forget(other));
    }
    debug_assert!(params.has(kept));
    Ok(())
}

struct Named {
    id: Option<ChatId>,
    guid: Option<String>,
    identifier: Option<String>,
}

impl Named {
    /// Is there one chat row that has all that is given?
    fn is_one(&self, reader: &Reader) -> Result<bool, RpcError> {
        let chat = match (self.id, &self.guid) {
            (Some(id), _) => reader.chatdb.chat(id)?,
            (None, Some(guid)) => reader.chatdb.chat_exact(guid)?,
            (None, None) => None,
        };
        Ok(chat.is_some_and(|chat| {
            self.id.is_none_or(|id| id == chat.id)
                && self.guid.as_ref().is_none_or(|guid| *guid == chat.guid)
                && self.identifier.as_ref().is_none_or(|identifier| *identifier == chat.identifier)
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What legacy mode makes of these parameters of `method`.
    fn relaxed(method: &str, params: Value) -> Value {
        let Value::Object(mut request) = json!({"id": 1, "method": method, "params": params}) else { panic!() };
        relax(&mut request);
        assert_eq!(request["jsonrpc"], "2.0");
        request["params"].take()
    }

    fn check(method: &str, params: Value, meant: Value) {
        assert_eq!(relaxed(method, params), meant, "{method}");
    }

    fn stays(method: &str, params: Value) {
        check(method, params.clone(), params);
    }

    #[test]
    fn a_wrong_version_and_parameters_in_an_array_stay() {
        let Value::Object(mut request) = json!({"jsonrpc": "1.0", "method": "status", "params": [1]}) else { panic!() };
        let before = request.clone();
        relax(&mut request);
        assert_eq!(request, before);
    }

    #[test]
    fn unknown_keys_go_unless_they_may_select() {
        check(
            "send",
            json!({"to": "a", "text": "b", "is_silent": true, "retries": 3}),
            json!({"to": "a", "text": "b"}),
        );
        for key in ["chatId", "chatGuid", "recipient", "to_", "chat", "handles", "Address", "group_id", "rowid", "id"] {
            stays("send", json!({"text": "b", key: 1}));
        }
        for key in ["strat", "participant", "sinceRowid", "since", "chatIdentifier", "routs", "from", "before"] {
            stays("watch.subscribe", json!({key: 1}));
        }
    }

    #[test]
    fn kinds_are_taken_for_what_they_mean_and_others_stay() {
        check("chats.list", json!({"limit": "7", "unread_only": "True"}), json!({"limit": 7, "unread_only": true}));
        check("chats.list", json!({"limit": " -3 ", "unreadOnly": 1}), json!({"limit": 1, "unreadOnly": true}));
        check("send", json!({"to": 14155550101_i64, "text": 5}), json!({"to": "14155550101", "text": "5"}));
        let (given, meant) = (json!({"participants": "a, b,"}), json!({"participants": ["a", "b"]}));
        check("watch.subscribe", given, meant);
        for odd in [json!("1.5"), json!("9223372036854775808"), json!("seven"), json!(""), json!(1.5), json!(true)] {
            stays("chats.list", json!({"limit": odd}));
        }
        for odd in [json!("yes"), json!(2), json!(1.5), json!([])] {
            stays("chats.list", json!({"unread_only": odd}));
        }
        stays("send", json!({"to": 1.5, "text": true}));
        for odd in [json!(""), json!(" , "), json!(["a", 1]), json!(5)] {
            stays("watch.subscribe", json!({"participants": odd}));
        }
    }

    #[test]
    fn only_limits_have_a_floor() {
        check("messages.history", json!({"chat_id": 0, "limit": 0}), json!({"chat_id": 0, "limit": 1}));
        stays("watch.subscribe", json!({"chat_id": 0, "buffer_limit": 0, "debounce_ms": -1}));
    }

    #[test]
    fn two_spellings_are_one_where_they_say_the_same() {
        check("chats.list", json!({"unread_only": 1, "unreadOnly": "true"}), json!({"unread_only": true}));
        stays("chats.list", json!({"unread_only": true, "unreadOnly": false}));
    }

    #[test]
    fn an_empty_selector_goes_only_beside_a_real_one() {
        check("send", json!({"to": "", "chat_id": "5", "chat_guid": " "}), json!({"chat_id": 5}));
        check("send", json!({"to": "a", "chat_identifier": ""}), json!({"to": "a"}));
        for lone in [json!({"to": ""}), json!({"to": "", "chat_guid": ""}), json!({"to": "", "chat_id": null})] {
            stays("send", lone);
        }
    }

    #[test]
    fn methods_that_nobody_knows_are_left_alone() {
        stays("no.such", json!({"a": "1"}));
    }
}
