//! The property lists that Messages keeps in columns: edit history, tapback summary, transcription, link preview.

use plist::{Dictionary, Uid, Value};

/// `message_summary_info` after an edit of a message's only part: what it had before that, with one more version. The
/// first edit writes down what was there as well. Versions are bodies and dates of the database.
pub fn edited(summary: Option<&[u8]>, before: (Vec<u8>, i64), after: (Vec<u8>, i64)) -> Option<Vec<u8>> {
    let mut versions = summary.and_then(versions).unwrap_or_else(|| vec![version(before)]);
    versions.push(version(after));
    let part = dictionary([("lo", Value::from(0)), ("le", Value::from(1))]);
    binary(dictionary([
        ("amc", Value::from(0)),
        ("ust", Value::from(true)),
        ("ec", dictionary([("0", Value::Array(versions))])),
        ("ep", Value::Array(vec![Value::from(0)])),
        ("otr", dictionary([("0", part)])),
    ]))
}

fn version((body, date): (Vec<u8>, i64)) -> Value {
    dictionary([("t", Value::Data(body)), ("d", Value::Real(date as f64 / 1e9))])
}

fn versions(summary: &[u8]) -> Option<Vec<Value>> {
    let summary: Dictionary = plist::from_bytes(summary).ok()?;
    summary.get("ec")?.as_dictionary()?.get("0")?.as_array().cloned()
}

/// `message_summary_info` of a message whose only part was taken back; `length` is what it had in UTF-16 units.
pub fn unsent(length: i64) -> Option<Vec<u8>> {
    let part = dictionary([("lo", Value::from(0)), ("le", Value::from(length))]);
    binary(dictionary([
        ("amc", Value::from(0)),
        ("ust", Value::from(true)),
        ("otr", dictionary([("0", part)])),
        ("rp", Value::Array(vec![Value::from(0)])),
    ]))
}

/// `message_summary_info` of a tapback: what it was about.
pub fn tapback_summary(text: &str) -> Option<Vec<u8>> {
    binary(dictionary([("amc", Value::from(1)), ("ams", Value::from(text)), ("ust", Value::from(true))]))
}

/// `attachment.user_info` of a voice message.
pub fn transcription(text: &str) -> Option<Vec<u8>> {
    binary(dictionary([("audio-transcription", Value::from(text))]))
}

/// `payload_data` of a link preview: an `LPLinkMetadata` with a title, as NSKeyedArchiver writes it.
pub fn link_preview(url: &str, title: &str) -> Option<Vec<u8>> {
    let objects = vec![
        Value::from("$null"),
        dictionary([
            ("richLinkMetadata", reference(2)),
            ("richLinkIsPlaceholder", Value::from(false)),
            ("$class", reference(8)),
        ]),
        dictionary([
            ("originalURL", reference(3)),
            ("URL", reference(3)),
            ("title", reference(5)),
            ("version", Value::from(1)),
            ("$class", reference(7)),
        ]),
        dictionary([("NS.base", reference(0)), ("NS.relative", reference(4)), ("$class", reference(6))]),
        Value::from(url),
        Value::from(title),
        class("NSURL"),
        class("LPLinkMetadata"),
        class("RichLink"),
    ];
    archive(objects)
}

/// `payload_data` of an app's balloon: an archived dictionary of the address that the app reads, and of words for
/// systems without the app.
pub fn balloon(url: &str, words: &str) -> Option<Vec<u8>> {
    let objects = vec![
        Value::from("$null"),
        dictionary([
            ("NS.keys", Value::Array(vec![reference(2), reference(3)])),
            ("NS.objects", Value::Array(vec![reference(4), reference(6)])),
            ("$class", reference(7)),
        ]),
        Value::from("URL"),
        Value::from("ldtext"),
        dictionary([("NS.base", reference(0)), ("NS.relative", reference(5)), ("$class", reference(8))]),
        Value::from(url),
        Value::from(words),
        class("NSMutableDictionary"),
        class("NSURL"),
    ];
    archive(objects)
}

fn class(name: &str) -> Value {
    let names = Value::Array(vec![Value::from(name), Value::from("NSObject")]);
    dictionary([("$classname", Value::from(name)), ("$classes", names)])
}

fn archive(objects: Vec<Value>) -> Option<Vec<u8>> {
    binary(dictionary([
        ("$version", Value::from(100_000)),
        ("$archiver", Value::from("NSKeyedArchiver")),
        ("$top", dictionary([("root", reference(1))])),
        ("$objects", Value::Array(objects)),
    ]))
}

fn reference(object: u64) -> Value {
    Value::Uid(Uid::new(object))
}

fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
    Value::Dictionary(entries.collect::<Dictionary>())
}

/// None is not to be expected, as memory takes everything; the column is then NULL, which is well-formed too.
fn binary(value: Value) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    value.to_writer_binary(&mut bytes).ok()?;
    Some(bytes)
}
