//! The dates of chat.db: integers since 2001-01-01T00:00:00Z, in nanoseconds or, before macOS 10.13, in seconds.

use jiff::Timestamp;

/// 2001-01-01T00:00:00Z in Unix time.
const EPOCH_SECOND: i64 = 978_307_200;
const NANOSECONDS: i64 = 1_000_000_000;

/// As seconds, the year 5138; as nanoseconds, the first two minutes of 2001. No message has a date near either.
const LEAST_NANOSECONDS: u64 = 100_000_000_000;

/// What a `date` column holds. NULL reads as the epoch.
pub fn from_column(value: Option<i64>) -> Timestamp {
    let value = value.unwrap_or(0);
    let (seconds, nanoseconds) = if value.unsigned_abs() < LEAST_NANOSECONDS {
        (value, 0)
    } else {
        (value.div_euclid(NANOSECONDS), value.rem_euclid(NANOSECONDS))
    };
    // Neither unit can leave the range of `Timestamp`: i64 nanoseconds span 292 years, the seconds end in 5138.
    let nanoseconds = i32::try_from(nanoseconds).unwrap_or(0);
    Timestamp::new(EPOCH_SECOND + seconds, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A date inside of a property list: seconds since 2001, with a fraction.
pub fn from_seconds(seconds: f64) -> Timestamp {
    // The cast keeps to the range of i64, which `Timestamp` has room for, and makes 0 of what is no number.
    let nanoseconds = (seconds * NANOSECONDS as f64) as i64;
    let since_1970 = i128::from(EPOCH_SECOND) * i128::from(NANOSECONDS) + i128::from(nanoseconds);
    Timestamp::from_nanosecond(since_1970).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The date as a database of before 2017 stores it.
pub fn to_old_column(date: Timestamp) -> i64 {
    date.as_second() - EPOCH_SECOND
}

/// The date as a database of today stores it; dates beyond its range become the nearest that it can hold.
pub fn to_column(date: Timestamp) -> i64 {
    let nanoseconds = date.as_nanosecond() - i128::from(EPOCH_SECOND) * i128::from(NANOSECONDS);
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: impl Into<Option<i64>>, expected: &str) {
        assert_eq!(from_column(value.into()).to_string(), expected);
    }

    #[test]
    fn null_is_the_epoch() {
        check(None, "2001-01-01T00:00:00Z");
        check(0, "2001-01-01T00:00:00Z");
    }

    #[test]
    fn nanoseconds_keep_their_precision() {
        check(700_000_000_123_456_789, "2023-03-08T20:26:40.123456789Z");
        check(-100_000_000_001, "2000-12-31T23:58:19.999999999Z");
    }

    #[test]
    fn small_numbers_are_seconds() {
        check(700_000_000, "2023-03-08T20:26:40Z");
    }

    #[test]
    fn seconds_with_a_fraction_are_a_date_and_nonsense_is_the_epoch() {
        assert_eq!(from_seconds(690_513_474.5).to_string(), "2022-11-19T01:17:54.5Z");
        assert_eq!(from_seconds(1.0).to_string(), "2001-01-01T00:00:01Z");
        assert_eq!(from_seconds(f64::NAN).to_string(), "2001-01-01T00:00:00Z");
        for far in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            assert_ne!(from_seconds(far), Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn every_integer_is_some_date() {
        for value in [i64::MIN, i64::MAX, 99_999_999_999, -99_999_999_999] {
            assert_ne!(from_column(Some(value)), Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn a_date_returns_to_the_column_it_came_from() {
        for value in [700_000_000_123_456_789, -200_000_000_000, i64::MAX, i64::MIN] {
            assert_eq!(to_column(from_column(Some(value))), value);
        }
        assert_eq!(to_column(Timestamp::MAX), i64::MAX);
        assert_eq!(to_column(Timestamp::MIN), i64::MIN);
    }
}
