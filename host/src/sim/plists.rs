//! The property lists that Messages keeps in columns: edit history, tapback summary, transcription, link preview.

use plist::{Dictionary, Uid, Value};

/// `message_summary_info` of a message that was edited: every version of its only part, oldest first.
/// The times are seconds since 2001.
pub fn edit_history(versions: &[(Vec<u8>, f64)]) -> Option<Vec<u8>> {
    let versions = versions
        .iter()
        .map(|(body, edited_at)| dictionary([("t", Value::Data(body.clone())), ("d", Value::Real(*edited_at))]))
        .collect();
    binary(dictionary([
        ("amc", Value::from(0)),
        ("ust", Value::from(true)),
        ("ec", dictionary([("0", Value::Array(versions))])),
        ("ep", Value::Array(vec![Value::from(0)])),
    ]))
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
    let class = |name: &str| {
        let names = Value::Array(vec![Value::from(name), Value::from("NSObject")]);
        dictionary([("$classname", Value::from(name)), ("$classes", names)])
    };
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
