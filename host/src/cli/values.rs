//! What the values of options may be. Their errors are sentences that follow "Invalid value for option: --NAME".

/// Ids and limits.
pub fn positive(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a whole number from 1"))
}

/// Handles as they were given, each possibly a list: without blanks around them, and without empty ones.
pub fn handles(given: &[String]) -> Vec<&str> {
    given.iter().map(|handle| handle.trim()).filter(|handle| !handle.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_in_range() {
        assert_eq!(positive("7"), Ok(7));
        for text in ["", "0", "-1", "1.5", "x", "9223372036854775808"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }

    #[test]
    fn handles_are_trimmed_and_empty_ones_are_none() {
        let given = ["+1555", " a@b.c ", "", "  "].map(str::to_owned);
        assert_eq!(handles(&given), ["+1555", "a@b.c"]);
    }
}
