//! Finding documents inside of each other: property lists, keyed archives, JSON, addresses, base64.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use super::facts::Facts;
use crate::decode::property_list::{self, Fuel, Value};

/// Documents inside of documents; a poll has an address in an archive, and a document in that.
const MAX_DEPTH: usize = 6;
/// The nesting of one document.
const MAX_NESTING: usize = 32;
/// Longer than any address that Messages writes.
const MAX_ADDRESS: usize = 65_536;
/// Bytes that cost as much to look through as one value.
const BYTES_PER_VALUE: usize = 64;
/// Shorter texts in base64 hold no document.
const MIN_BASE64: usize = 8;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// An address without what it carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub scheme: String,
    pub host: String,
    /// Sorted, without repeats.
    pub query_keys: Vec<String>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub facts: Facts,
    /// The first address.
    pub address: Option<Address>,
    fuel: Fuel,
}

impl Search {
    pub fn of(blobs: &[&[u8]]) -> Search {
        let mut search = Search::default();
        for blob in blobs {
            // Where a limit is met, what was found before it stays.
            let _ = search.bytes(blob, MAX_DEPTH);
        }
        search
    }

    /// None when all that may be looked at was looked at. What stands too deep is left out.
    fn bytes(&mut self, bytes: &[u8], depth: usize) -> Option<()> {
        let Some(depth) = depth.checked_sub(1) else { return Some(()) };
        if let Some(list) = property_list::read(bytes, &mut self.fuel) {
            let plain = plain(&list, &mut self.fuel)?;
            return self.document(&plain, depth);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text, depth),
            Err(_) => Some(()),
        }
    }

    /// An address, JSON, or either of them or a list in some encoding.
    fn text(&mut self, text: &str, depth: usize) -> Option<()> {
        if self.plain_text(text, depth)? {
            return Some(());
        }
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        if decoded != text && self.plain_text(&decoded, depth)? {
            return Some(());
        }
        match base64(&decoded) {
            Some(bytes) => self.bytes(&bytes, depth),
            None => Some(()),
        }
    }

    /// Whether `text` is an address or JSON as it is.
    fn plain_text(&mut self, text: &str, depth: usize) -> Option<bool> {
        self.fuel.spend(text.len() / BYTES_PER_VALUE)?;
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            if let Ok(json) = serde_json::from_str(text) {
                let document = from_json(json, &mut self.fuel)?;
                self.document(&document, depth.saturating_sub(1))?;
                return Some(true);
            }
        } else if let Some((scheme, rest)) = scheme(text) {
            self.address(scheme, rest, depth)?;
            return Some(true);
        }
        Some(false)
    }

    /// What the texts of a document carry comes before the document itself.
    fn document(&mut self, document: &Value<'_>, depth: usize) -> Option<()> {
        let result = self.carried(document, depth);
        self.facts.take(document);
        result
    }

    fn carried(&mut self, value: &Value<'_>, depth: usize) -> Option<()> {
        match value {
            Value::Text(text) => self.plain_text(text, depth).map(|_| ()),
            Value::Data(bytes) => {
                // Most data are pictures.
                let is_document =
                    bytes.starts_with(b"bplist") || bytes.starts_with(b"{") || bytes.starts_with(b"data:");
                if is_document { self.bytes(bytes, depth) } else { Some(()) }
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.carried(item, depth)),
            Value::Dictionary(entries) => entries.iter().try_for_each(|(_, value)| self.carried(value, depth)),
            _ => Some(()),
        }
    }

    fn address(&mut self, scheme: &str, rest: &str, depth: usize) -> Option<()> {
        let Some(depth) = depth.checked_sub(1) else { return Some(()) };
        let rest = rest.split_once('#').map_or(rest, |(rest, _fragment)| rest);
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let items: Vec<(&str, &str)> = query
            .split('&')
            .filter(|item| !item.is_empty())
            .map(|item| item.split_once('=').unwrap_or((item, "")))
            .collect();
        if self.address.is_none() {
            let host = before.strip_prefix("//").and_then(|before| before.split('/').next()).unwrap_or_default();
            let mut query_keys: Vec<String> = items.iter().map(|(key, _)| decoded(key)).collect();
            query_keys.sort_unstable();
            query_keys.dedup();
            self.address =
                Some(Address { scheme: scheme.to_ascii_lowercase(), host: host.to_ascii_lowercase(), query_keys });
        }
        if scheme.eq_ignore_ascii_case("data")
            && let Some((_media_type, content)) = before.split_once(',')
        {
            self.text(content, depth)?;
        }
        items.iter().try_for_each(|(_, value)| self.text(value, depth))
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The scheme of an address, and what follows its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) =
        text.get(..MAX_ADDRESS.min(text.len())).filter(|start| start.len() == text.len())?.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    // A word before a colon is not yet an address.
    let is_address = rest.starts_with("//") || scheme.eq_ignore_ascii_case("data") || rest.contains('?');
    (is_scheme && is_address).then_some((scheme, rest))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.len() < MIN_BASE64 {
        return None;
    }
    let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine.decode(text).ok()
}

fn from_json(json: serde_json::Value, fuel: &mut Fuel) -> Option<Value<'static>> {
    fuel.spend(1)?;
    Some(match json {
        // As if it were not there.
        serde_json::Value::Null => Value::Boolean(false),
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Real(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::Text(Cow::Owned(text)),
        serde_json::Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| from_json(item, fuel)).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(entries) => {
            let entry = |(key, value)| Some((Cow::Owned(key), from_json(value, fuel)?));
            Value::Dictionary(entries.into_iter().map(entry).collect::<Option<_>>()?)
        }
    })
}

/// The object that a keyed archive holds, as lists and dictionaries without references. What is no archive stays.
fn plain<'a>(list: &Value<'a>, fuel: &mut Fuel) -> Option<Value<'a>> {
    let (Some(objects), Some(top)) = (list.get("$objects").and_then(Value::array), list.get("$top")) else {
        return Some(list.clone());
    };
    let root = top.get("root").or(match top {
        Value::Dictionary(entries) => entries.first().map(|(_, value)| value),
        _ => None,
    })?;
    Archive { objects, fuel }.resolve(root, MAX_NESTING)
}

struct Archive<'v, 'a> {
    objects: &'v [Value<'a>],
    fuel: &'v mut Fuel,
}

impl<'a> Archive<'_, 'a> {
    fn resolve(&mut self, value: &Value<'a>, depth: usize) -> Option<Value<'a>> {
        let depth = depth.checked_sub(1)?;
        self.fuel.spend(1)?;
        match value {
            Value::Reference(object) => {
                let objects = self.objects;
                self.resolve(objects.get(*object)?, depth)
            }
            Value::Array(items) => self.items(items, depth),
            Value::Dictionary(entries) => self.object(value, entries, depth),
            Value::Text(text) => {
                self.fuel.spend(if matches!(text, Cow::Owned(_)) { text.len() / BYTES_PER_VALUE } else { 0 })?;
                Some(value.clone())
            }
            _ => Some(value.clone()),
        }
    }

    fn items(&mut self, items: &[Value<'a>], depth: usize) -> Option<Value<'a>> {
        Some(Value::Array(items.iter().map(|item| self.resolve(item, depth)).collect::<Option<_>>()?))
    }

    /// Classes of Foundation become what they stand for.
    fn object(&mut self, object: &Value<'a>, entries: &[(Cow<'a, str>, Value<'a>)], depth: usize) -> Option<Value<'a>> {
        let values = object.get("NS.objects").and_then(Value::array);
        match (object.get("NS.keys").and_then(Value::array), values) {
            (Some(keys), Some(values)) => {
                let mut pairs = Vec::new();
                for (key, value) in keys.iter().zip(values) {
                    if let Value::Text(key) = self.resolve(key, depth)? {
                        pairs.push((key, self.resolve(value, depth)?));
                    }
                }
                return Some(Value::Dictionary(pairs));
            }
            (None, Some(values)) => return self.items(values, depth),
            _ => {}
        }
        for content in ["NS.relative", "NS.string", "NS.data", "NS.bytes"] {
            if let Some(content) = object.get(content) {
                return self.resolve(content, depth);
            }
        }
        let own = entries.iter().filter(|(key, _)| key != "$class");
        let resolved = own.map(|(key, value)| Some((key.clone(), self.resolve(value, depth)?)));
        Some(Value::Dictionary(resolved.collect::<Option<_>>()?))
    }
}
