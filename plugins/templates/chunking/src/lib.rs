//! Makes a message of each paragraph, and cuts what is still too long between words.
//!
//! Configuration: `limit`. Keeps nothing in the store.

use imsgd_plugin::{Chunking, Draft, Policy, export_policy};
use serde::Deserialize;

/// The plugin's own table of imsgd's configuration. A key that is not here is refused, and the error names the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Characters of one message.
    limit: usize,
}

/// What holds where the configuration says nothing.
impl Default for Config {
    fn default() -> Self {
        Self { limit: 1000 }
    }
}

/// Lives as long as its configuration is in force: good for what comes from there.
struct Paragraphs(Config);

impl Policy for Paragraphs {
    type Config = Config;

    /// An error refuses the plugin, and the version that ran before stays: say which key is wrong.
    fn configure(config: Config) -> Result<Self, String> {
        match config.limit {
            0 => Err("limit: must be at least 1".into()),
            _ => Ok(Self(config)),
        }
    }
}

impl Chunking for Paragraphs {
    /// Asked about every outgoing text; only the first chunking policy is. Joined, the pieces must carry all of the text
    /// but white space at the seams.
    fn split(&self, draft: &Draft) -> Vec<String> {
        let paragraphs = draft.text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        paragraphs.flat_map(|paragraph| pieces(paragraph, self.0.limit)).collect()
    }
}

/// Of at most `limit` characters each, cut at the last white space that fits, or anywhere where there is none.
fn pieces(mut text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    while let Some((end, _)) = text.char_indices().nth(limit) {
        let fits_until = text[end..].chars().next().is_some_and(char::is_whitespace).then_some(end);
        let cut = fits_until.or_else(|| text[..end].rfind(char::is_whitespace)).filter(|cut| *cut > 0).unwrap_or(end);
        let (piece, rest) = text.split_at(cut);
        pieces.push(piece.trim_end().to_owned());
        text = rest.trim_start();
    }
    if !text.is_empty() {
        pieces.push(text.to_owned());
    }
    pieces
}

export_policy!(Paragraphs: Chunking);

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;

    use super::*;

    fn split(config: &str, text: &str) -> Vec<String> {
        let policy = Paragraphs::configure(parse_config(config).expect("configuration")).expect("policy");
        policy.split(&Draft { text: text.into(), is_group: false, recipient: None })
    }

    #[test]
    fn each_paragraph_is_a_message() {
        assert_eq!(split("{}", "One.\n\nTwo.\n\n\n\nThree."), ["One.", "Two.", "Three."]);
    }

    #[test]
    fn what_is_too_long_is_cut_between_words_if_it_can_be() {
        assert_eq!(split(r#"{"limit": 7}"#, "one two three"), ["one two", "three"]);
        assert_eq!(split(r#"{"limit": 4}"#, "ünbroken"), ["ünbr", "oken"]);
    }
}
