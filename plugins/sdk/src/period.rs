//! Lengths of time, as configurations say them.

use serde::Deserialize;

/// A length of time, read from seconds or from text with a unit: `3600`, `"90s"`, `"30m"`, `"1h"`, `"7d"`. Never nothing.
///
/// ```
/// use imsgd_plugin::{Period, parse_config};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Config {
///     every: Period,
/// }
///
/// let config: Config = parse_config(r#"{"every": "30m"}"#).unwrap();
/// assert_eq!(config.every.as_millis(), 1_800_000);
/// ```
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "SecondsOrText")]
pub struct Period {
    millis: u64,
}

impl Period {
    pub const fn from_secs(seconds: u64) -> Self {
        Self { millis: seconds.saturating_mul(1000) }
    }

    /// As [`host::now`](crate::host::now) counts.
    pub const fn as_millis(self) -> u64 {
        self.millis
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected seconds, or text such as \"30m\" or \"1h\"")]
enum SecondsOrText {
    Seconds(u64),
    Text(String),
}

impl TryFrom<SecondsOrText> for Period {
    type Error = String;

    fn try_from(value: SecondsOrText) -> Result<Self, String> {
        let seconds = match &value {
            SecondsOrText::Seconds(seconds) => Some(*seconds),
            SecondsOrText::Text(text) => seconds(text),
        };
        match seconds.and_then(|seconds| seconds.checked_mul(1000)) {
            Some(millis) if millis > 0 => Ok(Self { millis }),
            _ => Err("must be a time such as 3600 (seconds), \"90s\", \"30m\", \"1h\" or \"7d\"".into()),
        }
    }
}

/// A whole number with a unit.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_config;

    #[derive(Debug, Deserialize)]
    struct Config {
        ttl: Period,
    }

    fn parse(ttl: &str) -> Result<Config, String> {
        parse_config(&format!(r#"{{"ttl": {ttl}}}"#))
    }

    #[test]
    fn a_period_is_seconds_or_text_with_a_unit() {
        for (ttl, millis) in [
            ("90", 90_000),
            (r#""90""#, 90_000),
            (r#""45s""#, 45_000),
            (r#""30m""#, 1_800_000),
            (r#"" 2 h ""#, 7_200_000),
            (r#""1d""#, 86_400_000),
        ] {
            assert_eq!(parse(ttl).expect(ttl).ttl.as_millis(), millis, "{ttl}");
        }
    }

    #[test]
    fn a_wrong_period_is_named() {
        for ttl in ["0", r#""soon""#, r#""h""#, r#""1.5h""#, "true", "-1", r#""99999999999999999d""#] {
            let error = parse(ttl).expect_err(ttl);
            assert!(error.starts_with("ttl: "), "{error}");
        }
    }
}
