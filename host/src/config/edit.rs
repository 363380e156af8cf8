//! Changes of one key of the configuration file, as text: comments and order stay as they are.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::key::Key;

mod list;
#[cfg(test)]
mod tests;

/// What is done to a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Set(Value),
    /// Back to its default. A comment above it goes with it.
    Unset,
    /// One more entry of a list; nothing where it is there already.
    Add(Value),
    /// One entry of a list less; nothing where it is not there.
    Remove(Value),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the file is no TOML: {0}")]
    NotToml(String),
    #[error("{key}: {detail}")]
    NoValue { key: Key, detail: &'static str },
    #[error("{0} is no list; set it as a whole")]
    NoList(Key),
    #[error("{0}: what is above it is a value in the file, and has no keys of its own")]
    NoTable(Key),
}

/// The text after the change: the same text where there is nothing to change.
pub fn edited(text: &str, key: &Key, change: &Change) -> Result<String, Error> {
    let mut document: DocumentMut = text.parse().map_err(|error| not_toml(&error))?;
    if matches!(change, Change::Add(_) | Change::Remove(_)) && key.entry_schema().is_none() {
        return Err(Error::NoList(key.clone()));
    }
    let is_changed = match change {
        Change::Set(to) => set(&mut document, key, to)?,
        Change::Unset => unset(&mut document, key)?,
        Change::Add(entry) => {
            let entry = to_toml(key, entry)?;
            list_of(&mut document, key, true)?.is_some_and(|list| list::add(list, entry))
        }
        Change::Remove(entry) => {
            let entry = to_toml(key, entry)?;
            list_of(&mut document, key, false)?.is_some_and(|list| list::remove(list, &entry))
        }
    };
    Ok(if is_changed { document.to_string() } else { text.to_owned() })
}

/// What the file says of a key; none where it says nothing.
pub fn found(text: &str, key: &Key) -> Result<Option<Value>, Error> {
    let mut at = all(text)?;
    for (depth, part) in key.parts().iter().enumerate() {
        let next = match &mut at {
            Value::Array(tables) if depth == 1 => tables.iter_mut().find(|table| table["name"] == part.as_str()),
            other => other.get_mut(part),
        };
        match next {
            Some(next) => at = next.take(),
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// All that the file says. Times of TOML become text.
pub fn all(text: &str) -> Result<Value, Error> {
    let table: toml::Table = toml::from_str(text).map_err(|error| not_toml(&error))?;
    Ok(as_json(toml::Value::Table(table)))
}

fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, as_json(value))).collect(),
    }
}

fn not_toml(error: &dyn std::fmt::Display) -> Error {
    Error::NotToml(error.to_string())
}

/// A table, and whether it stands within one line.
struct At<'a> {
    table: &'a mut dyn TableLike,
    is_inline: bool,
}

impl<'a> At<'a> {
    fn of(item: &'a mut Item) -> Option<At<'a>> {
        let is_inline = item.is_inline_table();
        item.as_table_like_mut().map(|table| At { table, is_inline })
    }

    /// The table under `part`, made where it is not there and `make` says so.
    fn under(self, key: &Key, part: &str, make: bool) -> Result<Option<At<'a>>, Error> {
        if make && !self.table.contains_key(part) {
            let empty = match self.is_inline {
                true => Item::Value(InlineTable::new().into()),
                false => {
                    let mut table = Table::new();
                    // No line of its own before it has keys of its own.
                    table.set_implicit(true);
                    Item::Table(table)
                }
            };
            self.table.insert(part, empty);
        }
        match self.table.get_mut(part) {
            None => Ok(None),
            Some(item) => At::of(item).map(Some).ok_or_else(|| Error::NoTable(key.clone())),
        }
    }
}

/// The table that has the last part of the key, or is to have it.
fn table_of<'a>(document: &'a mut DocumentMut, key: &Key, make: bool) -> Result<Option<At<'a>>, Error> {
    let parts = key.parts();
    let (mut at, above) = match parts {
        [first, name, above @ .., _] if first == "plugin" => match plugin(document, name, make) {
            Some(at) => (at, above),
            None => return Ok(None),
        },
        [above @ .., _] => (At { table: document.as_table_mut(), is_inline: false }, above),
        [] => return Ok(None),
    };
    for part in above {
        match at.under(key, part, make)? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn has_name(table: &dyn TableLike, name: &str) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name)
}

/// The table of a plugin of this name.
fn plugin<'a>(document: &'a mut DocumentMut, name: &str, make: bool) -> Option<At<'a>> {
    let plugins = match make {
        true => document.entry("plugin").or_insert(Item::ArrayOfTables(toml_edit::ArrayOfTables::new())),
        false => document.get_mut("plugin")?,
    };
    match plugins {
        Item::ArrayOfTables(tables) => {
            let at = tables.iter().position(|table| has_name(table, name));
            if at.is_none() && make {
                let mut table = Table::new();
                table.insert("name", toml_edit::value(name));
                tables.push(table);
            }
            let at = at.or(tables.len().checked_sub(1).filter(|_| make))?;
            tables.get_mut(at).map(|table| At { table, is_inline: false })
        }
        Item::Value(toml_edit::Value::Array(tables)) => {
            let tables = tables.iter_mut().filter_map(toml_edit::Value::as_inline_table_mut);
            let mut named = tables.filter(|table| has_name(*table, name));
            named.next().map(|table| At { table, is_inline: true })
        }
        _ => None,
    }
}

fn last(key: &Key) -> &str {
    key.parts().last().map(String::as_str).unwrap_or_default()
}

fn set(document: &mut DocumentMut, key: &Key, to: &Value) -> Result<bool, Error> {
    let is_whole_plugin = key.parts().len() <= 2 && key.parts().first().is_some_and(|first| first == "plugin");
    if is_whole_plugin {
        return Err(Error::NoValue { key: key.clone(), detail: "set the keys of a plugin one by one" });
    }
    let mut new = to_toml(key, to)?;
    let Some(At { table, is_inline }) = table_of(document, key, true)? else {
        return Err(Error::NoTable(key.clone()));
    };
    let name = last(key);
    match table.get_mut(name) {
        Some(Item::Value(old)) if is_same(old, &new) => return Ok(false),
        Some(Item::Value(old)) => {
            // A comment behind it is about the key, and stays.
            new.decor_mut().clone_from(old.decor());
            *old = new;
        }
        _ => {
            if is_inline && let Some((_, Item::Value(before))) = table.iter_mut().last() {
                // The blank before the closing brace is the last one's.
                let end = before.decor().suffix().cloned().unwrap_or_default();
                before.decor_mut().set_suffix("");
                *new.decor_mut() = toml_edit::Decor::new(" ", end);
            }
            let item = match new {
                toml_edit::Value::InlineTable(inline) if !is_inline => Item::Table(inline.into_table()),
                new => toml_edit::value(new),
            };
            table.insert(name, item);
        }
    }
    Ok(true)
}

fn unset(document: &mut DocumentMut, key: &Key) -> Result<bool, Error> {
    match key.parts() {
        [first, name] if first == "plugin" => Ok(match document.get_mut("plugin") {
            Some(Item::ArrayOfTables(tables)) => {
                let before = tables.len();
                tables.retain(|table| !has_name(table, name));
                tables.len() < before
            }
            Some(Item::Value(toml_edit::Value::Array(tables))) => {
                let before = tables.len();
                tables.retain(|table| !table.as_inline_table().is_some_and(|table| has_name(table, name)));
                tables.len() < before
            }
            _ => false,
        }),
        _ => {
            let Some(at) = table_of(document, key, false)? else { return Ok(false) };
            Ok(at.table.remove(last(key)).is_some())
        }
    }
}

fn list_of<'a>(document: &'a mut DocumentMut, key: &Key, make: bool) -> Result<Option<&'a mut Array>, Error> {
    let Some(At { table, .. }) = table_of(document, key, make)? else { return Ok(None) };
    let name = last(key);
    if make && !table.contains_key(name) {
        table.insert(name, toml_edit::value(Array::new()));
    }
    match table.get_mut(name) {
        None => Ok(None),
        Some(Item::Value(toml_edit::Value::Array(list))) => Ok(Some(list)),
        Some(_) => Err(Error::NoList(key.clone())),
    }
}

/// Do both say the same, however they are written?
fn is_same(a: &toml_edit::Value, b: &toml_edit::Value) -> bool {
    let plain = |value: &toml_edit::Value| {
        let mut value = value.clone();
        // Without the comments around it.
        value.decor_mut().clear();
        let text = format!("a = {value}");
        toml::from_str::<toml::Table>(&text).ok()
    };
    plain(a).is_some_and(|a| plain(b) == Some(a))
}

fn to_toml(key: &Key, json: &Value) -> Result<toml_edit::Value, Error> {
    let no = |detail| Error::NoValue { key: key.clone(), detail };
    Ok(match json {
        Value::Null => return Err(no("null is no value; unset the key for its default")),
        Value::Bool(is) => (*is).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(other)) if !number.is_u64() => other.into(),
            _ => return Err(no("a whole number has at most 63 bits")),
        },
        Value::Array(items) => {
            let items: Result<Vec<_>, Error> = items.iter().map(|item| to_toml(key, item)).collect();
            toml_edit::Value::Array(items?.into_iter().collect())
        }
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            for (name, value) in fields {
                table.insert(name, to_toml(key, value)?);
            }
            table.into()
        }
    })
}
