//! Looking for words in what was written.

use std::array;

use serde::Deserialize;

/// Words to look for, prepared once for all the texts that come. In a configuration, a list of strings; one that is
/// empty, which would be in every text, is refused there.
///
/// ```
/// use imsgd_plugin::Words;
///
/// let words = Words::new(["sale", "one-time code"]);
/// assert!(words.stand_in("Big SALE today"));
/// assert!(words.stand_in("Your one-time code: 123456"));
/// assert!(!words.stand_in("Wholesale prices") && words.occur_in("Wholesale prices"));
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Words {
    /// In lower case.
    all: Vec<String>,
    /// For each byte, from where to where in `all` those are that begin with it; with a capital, those of the small
    /// letter. So a text is looked through once, however many words there are.
    by_first: [(usize, usize); 256],
}

impl Words {
    /// An empty one is in nothing.
    pub fn new(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let words: Vec<String> = words.into_iter().map(|word| word.as_ref().trim().to_lowercase()).collect();
        let mut all = Vec::with_capacity(words.len());
        let by_first = array::from_fn(|first| {
            let from = all.len();
            all.extend(words.iter().filter(|word| word.bytes().next().map(usize::from) == Some(first)).cloned());
            (from, all.len())
        });
        let mut words = Self { all, by_first };
        for capital in b'A'..=b'Z' {
            words.by_first[usize::from(capital)] = words.by_first[usize::from(capital.to_ascii_lowercase())];
        }
        words
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them stands in `text`, in any case, with no letter or digit joined to either end: `max` is in
    /// "Hi, Max!" and not in "maximum".
    pub fn stand_in(&self, text: &str) -> bool {
        self.any_in(text, is_whole)
    }

    /// Whether one of them is in `text`, in any case, also within a longer word.
    pub fn occur_in(&self, text: &str) -> bool {
        self.any_in(text, |_, _| true)
    }

    /// Whether `fits` what is before and after one of them in `text`.
    fn any_in(&self, text: &str, fits: impl Fn([&str; 2], &str) -> bool) -> bool {
        let lower;
        // Letters of ASCII are compared in any case as they are, and most texts have no others.
        let text = match text.is_ascii() {
            true => text,
            false => {
                lower = text.to_lowercase();
                &lower
            }
        };
        for (start, first) in text.bytes().enumerate() {
            let (from, to) = self.by_first[usize::from(first)];
            if from == to {
                continue;
            }
            for word in &self.all[from..to] {
                let end = start + word.len();
                let found = text.as_bytes().get(start..end);
                if found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
                    && fits([&text[..start], &text[end..]], word)
                {
                    return true;
                }
            }
        }
        false
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new([""; 0])
    }
}

impl TryFrom<Vec<String>> for Words {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        match words.iter().any(|word| word.trim().is_empty()) {
            true => Err("an empty word is in every message".into()),
            false => Ok(Self::new(words)),
        }
    }
}

fn is_whole([before, after]: [&str; 2], word: &str) -> bool {
    let is_part = |outside: Option<char>, inside: Option<char>| joins(outside) && joins(inside);
    !is_part(before.chars().next_back(), word.chars().next())
        && !is_part(after.chars().next(), word.chars().next_back())
}

fn joins(character: Option<char>) -> bool {
    character.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_in_any_case() {
        for (text, words, expected) in [
            ("Hi, Max!", "max", true),
            ("maximum", "max", false),
            ("climax", "max", false),
            ("climax, Max", "max", true),
            ("max", " Max ", true),
            ("STRASSE", "straße", false),
            ("ÄRGER im Haus", "ärger", true),
            ("Männer", "änner", false),
            ("ärger", "a", false),
            ("a_max", "max", false),
            ("give me $5", "$5", true),
            ("give me $50", "$5", false),
            ("@bot hi", "@bot", true),
            ("a  b", "a b", false),
            ("ba a a", "a a", true),
            ("🍰 Max", "max", true),
            ("ma", "max", false),
            ("anything", "", false),
            ("", "max", false),
        ] {
            assert_eq!(Words::new([words]).stand_in(text), expected, "{words} in {text}");
        }
    }

    #[test]
    fn any_of_many_words_is_found_and_none_that_is_not_there() {
        let words = Words::new(["Zebra", "max", "mad max", "", "ärger", "100%"]);
        for text in ["a zebra", "MAX", "ask mad Max now", "Ärger", "it is 100% so", "🍰 100%"] {
            assert!(words.stand_in(text) && words.occur_in(text), "{text}");
        }
        for text in ["zebras", "climax", "verärgert", "it is 1100%"] {
            assert!(!words.stand_in(text) && words.occur_in(text), "{text}");
        }
        for text in ["", "zebr", "m a x", "100", "ÿ", "🍰"] {
            assert!(!words.stand_in(text) && !words.occur_in(text), "{text}");
        }
        assert!(!Words::default().occur_in("text") && Words::default().is_empty());
    }

    #[test]
    fn an_empty_word_in_a_configuration_is_refused() {
        let words = |list: &[&str]| Words::try_from(list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert!(words(&["max"]).is_ok_and(|words| words.stand_in("Max")));
        assert_eq!(words(&["max", " "]).err().as_deref(), Some("an empty word is in every message"));
    }
}
