//! The keys of `[policy]` that pairing reads.

use serde::Deserialize;
use serde::de::IgnoredAny;

const DEFAULT_REPLY: &str = "Hello. This number is answered by an assistant that does not know you yet. \
    Please give its owner this code: {code}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub(crate) ttl: Ttl,
    /// Over this many open requests, strangers wait without one: nobody can flood the owner.
    pub(crate) max_pending: usize,
    pub(crate) reply: Reply,
    pub(crate) dm_scope: DmScope,
    /// Whether approval delivers what was held, which the host does.
    #[serde(rename = "release_held")]
    _release_held: IgnoredAny,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ttl: Ttl(3_600_000),
            max_pending: 3,
            reply: Reply(Some(DEFAULT_REPLY.into())),
            dm_scope: DmScope::Main,
            _release_held: IgnoredAny,
        }
    }
}

/// Milliseconds, from seconds or from text such as `30m`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(try_from = "SecondsOrText")]
pub(crate) struct Ttl(pub(crate) u64);

/// What to answer a stranger, if anything.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(try_from = "TextOrSwitch")]
pub(crate) struct Reply(Option<String>);

/// As in the allowlist: how those who are in are routed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DmScope {
    Main,
    Peer,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected seconds, or text such as \"30m\" or \"1h\"")]
enum SecondsOrText {
    Seconds(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected text with `{code}` in it, or false")]
enum TextOrSwitch {
    Text(String),
    Switch(bool),
}

impl TryFrom<SecondsOrText> for Ttl {
    type Error = String;

    fn try_from(value: SecondsOrText) -> Result<Self, String> {
        let seconds = match &value {
            SecondsOrText::Seconds(seconds) => Some(*seconds),
            SecondsOrText::Text(text) => seconds(text),
        };
        match seconds.and_then(|seconds| seconds.checked_mul(1000)) {
            Some(millis) if millis > 0 => Ok(Self(millis)),
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

impl TryFrom<TextOrSwitch> for Reply {
    type Error = String;

    fn try_from(value: TextOrSwitch) -> Result<Self, String> {
        match value {
            TextOrSwitch::Text(text) if text.contains("{code}") => Ok(Self(Some(text))),
            TextOrSwitch::Text(_) => Err("must have `{code}` in it, where the code goes; or be false".into()),
            TextOrSwitch::Switch(false) => Ok(Self(None)),
            TextOrSwitch::Switch(true) => Ok(Self(Some(DEFAULT_REPLY.into()))),
        }
    }
}

impl Reply {
    pub(crate) fn with_code(&self, code: &str) -> Option<String> {
        Some(self.0.as_ref()?.replace("{code}", code))
    }
}

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;

    use super::*;

    fn error(config: &str) -> String {
        parse_config::<Config>(config).expect_err("refused")
    }

    #[test]
    fn a_ttl_is_seconds_or_text_with_a_unit() {
        for (ttl, millis) in [
            ("90", 90_000),
            (r#""90""#, 90_000),
            (r#""45s""#, 45_000),
            (r#""30m""#, 1_800_000),
            (r#"" 2 h ""#, 7_200_000),
            (r#""1d""#, 86_400_000),
        ] {
            let config: Config = parse_config(&format!(r#"{{"ttl": {ttl}}}"#)).expect(ttl);
            assert_eq!(config.ttl, Ttl(millis), "{ttl}");
        }
    }

    #[test]
    fn a_wrong_ttl_is_named() {
        for ttl in ["0", r#""soon""#, r#""h""#, r#""1.5h""#, "true", "-1", r#""99999999999999999d""#] {
            let error = error(&format!(r#"{{"ttl": {ttl}}}"#));
            assert!(error.starts_with("ttl: "), "{error}");
        }
    }

    #[test]
    fn a_reply_without_a_place_for_the_code_is_an_error() {
        assert!(error(r#"{"reply": "Who are you?"}"#).starts_with("reply: must have `{code}`"));
        assert!(error(r#"{"reply": 7}"#).starts_with("reply: expected text"));
    }

    #[test]
    fn the_hosts_own_key_is_accepted() {
        parse_config::<Config>(r#"{"release_held": false}"#).expect("accepted");
    }
}
