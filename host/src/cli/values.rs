//! What the values of options may be. Their errors are sentences that follow "Invalid value for option: --NAME".

use std::time::Duration;

use jiff::SignedDuration;

/// Ids and limits.
pub fn positive(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a whole number from 1"))
}

/// A cursor: what it counts from, where -1 stands for the beginning.
pub fn cursor(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number >= -1);
    number.ok_or_else(|| format!("`{text}` is not a row: a whole number from 0, or -1 for the first message"))
}

/// `250ms`, `2s500ms`, `1.5h`, or seconds without a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let duration = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()),
    };
    duration.ok_or_else(|| format!("`{text}` is not a duration such as 250ms, 2s500ms, 3m or 5 (seconds)"))
}

/// Handles as they were given, each possibly a list: without blanks around them, and without empty ones.
pub fn handles(given: &[String]) -> Vec<&str> {
    given.iter().map(|handle| handle.trim()).filter(|handle| !handle.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_seconds() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("2s", 2_000),
            ("3m", 180_000),
            ("1h", 3_600_000),
            ("5", 5_000),
            ("0", 0),
            ("0.25", 250),
            ("1.5s", 1_500),
            ("2s500ms", 2_500),
            ("1h30m", 5_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_to_wait_is_refused() {
        for text in ["", "bad", "-1", "-1s", "1s ago", "inf", "NaN", "1e400", "99999999999999999999h", "5 parsecs"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        assert_eq!(positive("7"), Ok(7));
        for text in ["", "0", "-1", "1.5", "x", "9223372036854775808"] {
            assert!(positive(text).is_err(), "{text}");
        }
        assert_eq!((cursor("-1"), cursor("0"), cursor("7")), (Ok(-1), Ok(0), Ok(7)));
        for text in ["", "-2", "x", "9223372036854775808"] {
            assert!(cursor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn handles_are_trimmed_and_empty_ones_are_none() {
        let given = ["+1555", " a@b.c ", "", "  "].map(str::to_owned);
        assert_eq!(handles(&given), ["+1555", "a@b.c"]);
    }
}
