//! Looking for words in what was written.

/// Whether `words` stand in `text`, in any case, with no letter or digit joined to either end: `max` is in "Hi, Max!"
/// and not in "maximum". Nothing is in no text, and no words are in nothing.
///
/// ```
/// use imsgd_plugin::text::has_words;
///
/// assert!(has_words("Big SALE today", "sale"));
/// assert!(!has_words("Wholesale prices", "sale"));
/// assert!(has_words("Your one-time code: 123456", "one-time code"));
/// ```
pub fn has_words(text: &str, words: &str) -> bool {
    let words = words.trim().to_lowercase();
    if words.is_empty() {
        return false;
    }
    let text = text.to_lowercase();
    text.match_indices(&words).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        let (first, last) = (words.chars().next(), words.chars().next_back());
        let is_part = joins(before) && joins(first) || joins(last) && joins(after);
        !is_part
    })
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
            ("max", " Max ", true),
            ("STRASSE", "straße", false),
            ("ÄRGER im Haus", "ärger", true),
            ("a_max", "max", false),
            ("give me $5", "$5", true),
            ("give me $50", "$5", false),
            ("@bot hi", "@bot", true),
            ("a  b", "a b", false),
            ("anything", "", false),
            ("", "max", false),
        ] {
            assert_eq!(has_words(text, words), expected, "{words} in {text}");
        }
    }
}
