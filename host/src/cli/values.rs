//! What the values of options may be. Their errors are sentences that follow "Invalid value for option: --NAME".

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

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

/// A moment of the past: how long ago as `30d` or `12h`, a day that begins here, or RFC 3339.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let zone = TimeZone::system();
    if let Ok(day) = text.parse::<Date>() {
        return day.to_zoned(zone).map(|day| day.timestamp()).map_err(|error| error.to_string());
    }
    let ago = text.parse::<Span>().ok().filter(|span| !span.is_negative());
    let at = ago.and_then(|ago| Timestamp::now().to_zoned(zone).checked_sub(ago).ok());
    at.map(|at| at.timestamp()).ok_or_else(|| {
        format!("`{text}` is no time: say how long ago, such as 30d or 12h, a day such as 2026-01-31, or RFC 3339")
    })
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
    fn a_moment_is_so_long_ago_a_day_or_a_time() {
        let ago = |text| {
            let at = moment(text).unwrap();
            Timestamp::now().duration_since(at).as_secs()
        };
        assert!((12 * 3600..12 * 3600 + 60).contains(&ago("12h")));
        // A day may have an hour less or more.
        assert!((29 * 86_400..31 * 86_400).contains(&ago("30d")));
        assert_eq!(moment("2026-01-02T03:04:05Z").unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert!(moment("2026-01-31").is_ok());
        for text in ["", "soon", "-30d", "30", "2026-02-31", "99999y"] {
            assert!(moment(text).is_err(), "{text}");
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
