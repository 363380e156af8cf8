//! Keys that nobody reads: found by walking the file beside the schema, named with the nearest key that is known.

use std::fmt;

use serde_json::Value;

/// A key that the configuration does not have.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    path: String,
    nearest: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown key `{}`", self.path)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// How alike two keys must be for one to be offered for the other, from 0 to 1.
const ALIKE: f64 = 0.7;

pub fn first_unknown(table: &toml::Table, schema: &Value) -> Option<Unknown> {
    in_table(table, schema, "")
}

fn in_table(table: &toml::Table, schema: &Value, path: &str) -> Option<Unknown> {
    let known = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties").filter(|schema| schema.as_bool() != Some(false));
    if known.is_none() && others.is_none() {
        return None;
    }
    table.iter().find_map(|(key, value)| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match known.and_then(|known| known.get(key)).or(others) {
            Some(schema) => in_value(value, schema, &path),
            None => {
                let names = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
                let nearest = nearest(key, names).map(str::to_owned);
                Some(Unknown { path, nearest })
            }
        }
    })
}

fn in_value(value: &toml::Value, schema: &Value, path: &str) -> Option<Unknown> {
    match value {
        toml::Value::Table(table) => in_table(table, schema, path),
        toml::Value::Array(items) => {
            let schema = schema.get("items")?;
            items.iter().enumerate().find_map(|(index, item)| in_value(item, schema, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

/// The name that is most like `key`, where one is.
pub fn nearest<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|name| (strsim::jaro_winkler(key, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}
