//! Whether a text has a login code in it: four to eight digits, and words that say so.

use std::sync::LazyLock;

use imsgd_plugin::Words;

/// In the languages that most such messages are in.
static SIGNS: LazyLock<Words> = LazyLock::new(|| {
    Words::new([
        "code",
        "passcode",
        "otp",
        "one-time",
        "one time",
        "verification",
        "verify",
        "verifying",
        "2fa",
        "two-factor",
        "authentication",
        "login",
        "log in",
        "sign in",
        "sign-in",
        "pin",
        "bestätigungscode",
        "sicherheitscode",
        "código",
        "codice",
        "einmalpasswort",
        "tan",
    ])
});

pub(crate) fn is_in(text: &str) -> bool {
    has_bound_code(text) || SIGNS.stand_in(text) && words(text).any(is_code)
}

/// As Apple and Google have agreed on: the last line is `@example.com #123456`.
fn has_bound_code(text: &str) -> bool {
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    let rest = last.strip_prefix('@').and_then(|rest| rest.split_once(" #"));
    rest.is_some_and(|(domain, code)| domain.contains('.') && !code.trim().is_empty())
}

/// What stands between blanks, without the signs around it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(|c: char| ".,:;!?()[]\"'*<>«»“”„".contains(c)))
}

/// `123456`, `123-456`, `G-123456`. No amount, number of a phone, date or year.
fn is_code(word: &str) -> bool {
    let bare = word.strip_prefix("G-").unwrap_or(word);
    let digits: String = bare.chars().filter(|c| *c != '-').collect();
    let parts: Vec<&str> = bare.split('-').collect();
    let is_whole = parts.len() == 1 || parts.len() == 2 && parts[0].len() == parts[1].len();
    let is_year = digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
    is_whole && (4..=8).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit()) && !is_year
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_the_ways_they_are_sent() {
        for text in [
            "123456 is your Example verification code.",
            "Your one-time passcode: 4821",
            "G-123456 is your Google verification code",
            "<#> Your code is 123-456. Do not share it.",
            "Ihr Bestätigungscode lautet 830112",
            "Use 73920145 to log in",
            "Example: sign in with the app\n\n@example.com #98765",
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_codes() {
        for text in [
            "See you at 6",
            "123456",
            "The door code is on the fridge",
            "Please verify the amount of $1,234.56",
            "Call +15551234567 to verify",
            "Login was moved to 2027",
            "Your pin was ordered on 2026-03-01",
            "The encoder has 123456 steps",
            "@ann #1",
            "",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}
