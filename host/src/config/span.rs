//! Spans of time in the configuration: seconds, or text such as `10m`.

use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

/// A span of time that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Spelled")]
#[schemars(with = "Spelled")]
pub struct Span(pub Duration);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Spelled {
    Seconds(u64),
    Text(String),
}

impl TryFrom<Spelled> for Span {
    type Error = String;

    fn try_from(spelled: Spelled) -> Result<Span, String> {
        let text = match spelled {
            Spelled::Seconds(seconds) => return Ok(Span(Duration::from_secs(seconds))),
            Spelled::Text(text) => text,
        };
        let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        span.map(Span)
            .ok_or_else(|| format!("`{text}` is no span of time; say seconds as a number, or text such as \"10m\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_seconds_or_text() {
        let read = |text: &str| toml::from_str::<std::collections::BTreeMap<String, Span>>(&format!("a = {text}"));
        for (text, seconds) in [("0", 0), ("90", 90), ("\"10m\"", 600), ("\"1h 30m\"", 5400)] {
            assert_eq!(read(text).unwrap()["a"].0, Duration::from_secs(seconds), "{text}");
        }
        for text in ["\"-1m\"", "\"soon\"", "-1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
