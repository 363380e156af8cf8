//! `mention_patterns`: words, and regular expressions.

use imsgd_plugin::Words;
use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

/// Without any of the signs of regular expressions, a pattern is a word (or some), found whole and in any case:
/// `max` is not in `maximum`. With them it is a regular expression in any case, found anywhere, as gateways
/// have it.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Pattern>")]
pub(crate) struct Patterns {
    words: Words,
    regexes: Vec<Regex>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
enum Pattern {
    Words(String),
    Regex(Regex),
}

impl Patterns {
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.regexes.is_empty()
    }

    pub(crate) fn match_in(&self, text: &str) -> bool {
        self.words.stand_in(text) || self.regexes.iter().any(|regex| regex.is_match(text))
    }
}

impl From<Vec<Pattern>> for Patterns {
    fn from(patterns: Vec<Pattern>) -> Self {
        let (mut words, mut regexes) = (Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern {
                Pattern::Words(some) => words.push(some),
                Pattern::Regex(regex) => regexes.push(regex),
            }
        }
        Self { words: Words::new(words), regexes }
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(pattern: String) -> Result<Self, String> {
        if pattern.trim().is_empty() {
            return Err("an empty pattern would match everything".into());
        }
        if !pattern.contains(|c| r"\^$.|?*+()[]{}".contains(c)) {
            return Ok(Self::Words(pattern));
        }
        RegexBuilder::new(&pattern)
            .case_insensitive(true)
            .build()
            .map(Self::Regex)
            .map_err(|error| format!("`{pattern}`: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let parsed = Pattern::try_from(pattern.to_owned()).expect(pattern);
        assert_eq!(Patterns::from(vec![parsed]).match_in(text), expected, "{pattern} in {text}");
    }

    #[test]
    fn a_word_is_found_whole_and_in_any_case() {
        for text in ["max", "Hey MAX!", "@max: hello", "«Max»", "maximum max"] {
            check("Max", text, true);
        }
        for text in ["maximum", "climax", "max_1", "ma x", ""] {
            check("Max", text, false);
        }
        check("änne", "ÄNNE?", true);
        check("änne", "Männer", false);
    }

    #[test]
    fn a_word_may_begin_with_a_sign_or_have_a_space() {
        check("@max", "ask@max", true);
        check("@max", "@maxi", false);
        check("hey bot", "Hey Bot, now", true);
    }

    #[test]
    fn a_regular_expression_is_found_anywhere_and_in_any_case() {
        check(r"\b@?max(well)?\b", "Ask MAXWELL", true);
        check(r"^max", "ask max", false);
        check("m.x", "climax", true);
    }

    #[test]
    fn a_pattern_that_cannot_be_is_an_error_that_shows_it() {
        let error = Pattern::try_from("(max".to_owned()).expect_err("refused");
        assert!(error.starts_with("`(max`: "), "{error}");
        assert!(Pattern::try_from(" ".to_owned()).is_err());
    }
}
