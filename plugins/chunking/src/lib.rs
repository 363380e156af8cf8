//! The bundled chunking: long texts become several messages.
//!
//! Configuration: `text_chunk_limit`, `chunk_mode`. Keeps nothing in the store. A text of nothing but white
//! space becomes no message at all; a text that fits is left as it is.

use imsgd_plugin::{Chunking, Draft, Policy, export_policy};
use serde::Deserialize;

mod cut;
mod fence;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// In UTF-16 units, as gateways count: an emoji is two or more.
    text_chunk_limit: usize,
    chunk_mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Cut only what is too long, into as few messages as well-placed cuts allow.
    Length,
    /// Each paragraph is a message, whatever its length; one that is too long is cut as above.
    Newline,
}

impl Default for Limits {
    fn default() -> Self {
        Self { text_chunk_limit: 4000, chunk_mode: Mode::Length }
    }
}

impl Policy for Limits {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        match config.text_chunk_limit {
            0 | 1 => Err("text_chunk_limit: must be at least 2, which is the length of an emoji".into()),
            _ => Ok(config),
        }
    }
}

impl Chunking for Limits {
    fn split(&self, draft: &Draft) -> Vec<String> {
        cut::split(&draft.text, self.text_chunk_limit, self.chunk_mode)
    }
}

export_policy!(Limits: Chunking);

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;

    use super::*;

    fn split(config: &str, text: &str) -> Vec<String> {
        let limits = Limits::configure(parse_config(config).expect("configuration")).expect("policy");
        limits.split(&Draft { text: text.into(), is_group: false, recipient: None })
    }

    #[test]
    fn a_text_that_fits_is_left_as_it_is() {
        assert_eq!(split("{}", " one\n\ntwo \n"), [" one\n\ntwo \n"]);
    }

    #[test]
    fn by_default_four_thousand_units_fit() {
        assert_eq!(split("{}", &"🙂".repeat(2000)).len(), 1);
        assert_eq!(split("{}", &"🙂".repeat(2001)).len(), 2);
    }

    #[test]
    fn a_text_of_white_space_is_no_message() {
        assert!(split("{}", "").is_empty());
        assert!(split("{}", " \n\t\n").is_empty());
    }

    #[test]
    fn newline_mode_makes_each_paragraph_a_message() {
        let config = r#"{"chunk_mode": "newline"}"#;
        assert_eq!(split(config, "one\ntwo\n\nthree\n \n\nfour"), ["one\ntwo", "three", "four"]);
        assert_eq!(split(config, "```\none\n\ntwo\n```\n\nthree"), ["```\none\n\ntwo\n```", "three"]);
    }

    #[test]
    fn a_limit_that_no_emoji_fits_is_refused() {
        let refused = Limits::configure(parse_config(r#"{"text_chunk_limit": 1}"#).expect("configuration"));
        assert!(refused.expect_err("refused").starts_with("text_chunk_limit: "));
        assert!(parse_config::<Limits>(r#"{"text_chunk_limit": -1}"#).is_err());
    }
}
