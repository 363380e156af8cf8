//! Values of a policy's store as case files spell them. The SDK keeps JSON; what TOML has no form for is text that
//! begins with `json:`, and what is not JSON is text that begins with `hex:`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value as Json;
use toml::{Table, Value};

const AS_JSON: &str = "json:";
const AS_HEX: &str = "hex:";

pub fn to_bytes(table: &Table) -> Result<BTreeMap<String, Vec<u8>>, String> {
    table.iter().map(|(key, value)| Ok((key.clone(), bytes(key, value)?))).collect()
}

fn bytes(key: &str, value: &Value) -> Result<Vec<u8>, String> {
    if let Some(text) = value.as_str() {
        if let Some(json) = text.strip_prefix(AS_JSON) {
            let json: Json = serde_json::from_str(json).map_err(|error| format!("state: `{key}`: {error}"))?;
            return Ok(json.to_string().into_bytes());
        }
        if let Some(hex) = text.strip_prefix(AS_HEX) {
            return from_hex(hex).ok_or_else(|| format!("state: `{key}`: \"{text}\" is not in hex"));
        }
    }
    Ok(to_json(value).to_string().into_bytes())
}

pub fn to_table(state: &BTreeMap<String, Vec<u8>>) -> Table {
    state.iter().map(|(key, value)| (key.clone(), spelled(value))).collect()
}

fn spelled(bytes: &[u8]) -> Value {
    let Ok(json) = serde_json::from_slice::<Json>(bytes) else {
        let mut hex = AS_HEX.to_owned();
        for byte in bytes {
            let _ = write!(hex, "{byte:02x}");
        }
        return Value::String(hex);
    };
    to_toml(&json).unwrap_or_else(|| Value::String(format!("{AS_JSON}{json}")))
}

/// None where TOML has no such value, or the text would be read as something else.
fn to_toml(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(is) => Value::Boolean(*is),
        Json::Number(number) => match (number.as_i64(), number.is_u64()) {
            (Some(number), _) => Value::Integer(number),
            (None, true) => return None,
            (None, false) => Value::Float(number.as_f64()?),
        },
        Json::String(text) if text.starts_with(AS_JSON) || text.starts_with(AS_HEX) => return None,
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_toml).collect::<Option<_>>()?),
        Json::Object(fields) => {
            let field = |(key, value): (&String, &Json)| Some((key.clone(), to_toml(value)?));
            Value::Table(fields.iter().map(field).collect::<Option<_>>()?)
        }
    })
}

/// On one line, however many a text in it has.
pub fn spelled_on_a_line(value: &Value) -> String {
    match value {
        // What JSON escapes is escaped alike in TOML, which does not take the delete character either.
        Value::String(text) => Json::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(spelled_on_a_line).collect::<Vec<_>>().join(", "))
        }
        Value::Table(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Table(fields) => format!("{{ {} }}", entries_on_a_line(fields)),
        other => other.to_string(),
    }
}

/// What stands between the braces of a table.
pub fn entries_on_a_line(fields: &Table) -> String {
    let is_bare = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let entry = |(key, value): (&String, &Value)| {
        let value = spelled_on_a_line(value);
        match is_bare(key) {
            true => format!("{key} = {value}"),
            false => format!("{} = {value}", spelled_on_a_line(&Value::String(key.clone()))),
        }
    };
    fields.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// A moment is text in JSON.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Boolean(is) => Json::from(*is),
        Value::Datetime(at) => Json::from(at.to_string()),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Table(fields) => Json::Object(fields.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_policy_keeps_comes_back_as_the_same_bytes() {
        for value in [
            &b"3"[..],
            b"\"text\"",
            br#"{"at":[1,2.5,true],"code":"A"}"#,
            b"null",
            br#"{"a":null}"#,
            b"18446744073709551615",
            br#""json:1""#,
            br#""hex:00""#,
            b"\xff\x00 not JSON",
            b"",
        ] {
            let state = BTreeMap::from([("key/+1555".to_owned(), value.to_vec())]);
            let written = to_table(&state).to_string();
            assert_eq!(to_bytes(&written.parse().unwrap()).unwrap(), state, "{written}");
        }
    }

    #[test]
    fn numbers_and_tables_are_plain_toml() {
        let state = BTreeMap::from([("a".to_owned(), br#"{"n":1}"#.to_vec()), ("b".to_owned(), b"2".to_vec())]);
        assert_eq!(Value::Table(to_table(&state)).to_string(), "{ a = { n = 1 }, b = 2 }");
    }

    #[test]
    fn any_value_is_spelled_on_one_line_that_reads_the_same() {
        let text = "quotes \" \\ ' ''' \n\r\t\u{7f}\u{1b}\u{e9}\u{1f642}";
        let inner = Table::from_iter([
            ("a b".to_owned(), Value::String(text.to_owned())),
            (String::new(), Value::Array(vec![Value::Integer(1), Value::Float(1.0), Value::Table(Table::new())])),
            ("plain-1_".to_owned(), Value::Boolean(true)),
        ]);
        let line = spelled_on_a_line(&Value::Table(inner.clone()));
        assert_eq!(line.lines().count(), 1, "{line}");
        let read: Table = format!("value = {line}").parse().unwrap();
        assert_eq!(read["value"], Value::Table(inner), "{line}");
    }

    #[test]
    fn what_is_not_what_it_says_is_named() {
        for text in ["a = 'json:{'", "a = 'hex:0'", "a = 'hex:zz'"] {
            let error = to_bytes(&text.parse().unwrap()).expect_err(text);
            assert!(error.starts_with("state: `a`: "), "{error}");
        }
    }
}
