//! The keys of `[policy]` that pairing reads.

use imsgd_plugin::{DmScope, Period};
use serde::Deserialize;
use serde::de::IgnoredAny;

const DEFAULT_REPLY: &str = "Hello. This number is answered by an assistant that does not know you yet. \
    Please give its owner this code: {code}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub(crate) ttl: Period,
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
            ttl: Period::from_secs(3600),
            max_pending: 3,
            reply: Reply(Some(DEFAULT_REPLY.into())),
            dm_scope: DmScope::Main,
            _release_held: IgnoredAny,
        }
    }
}

/// What to answer a stranger, if anything.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(try_from = "TextOrSwitch")]
pub(crate) struct Reply(Option<String>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected text with `{code}` in it, or false")]
enum TextOrSwitch {
    Text(String),
    Switch(bool),
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
    fn a_reply_without_a_place_for_the_code_is_an_error() {
        assert!(error(r#"{"reply": "Who are you?"}"#).starts_with("reply: must have `{code}`"));
        assert!(error(r#"{"reply": 7}"#).starts_with("reply: expected text"));
    }

    #[test]
    fn the_hosts_own_key_is_accepted() {
        parse_config::<Config>(r#"{"release_held": false}"#).expect("accepted");
    }
}
