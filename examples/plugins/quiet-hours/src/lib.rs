//! Marks or drops what arrives in the night: an example of a filter of your own.
//!
//! Configuration: `from`, `to`, `utc_offset`, `action`. Keeps nothing in the store. Labels `quiet_hours`, or
//! drops with that reason.

use imsgd_plugin::{Filter, Message, Policy, Verdict, export_policy, host};
use serde::Deserialize;

const REASON: &str = "quiet_hours";
const MINUTES_OF_DAY: i64 = 24 * 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    from: Clock,
    to: Clock,
    /// A policy has no time zones: hours and minutes to add to UTC.
    utc_offset: Offset,
    action: Action,
}

impl Default for Config {
    fn default() -> Self {
        let (from, to) = (Clock(22 * 60), Clock(7 * 60));
        Self { from, to, utc_offset: Offset(0), action: Action::Label }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Deliver with a label, and let the gateway decide.
    Label,
    Drop,
}

/// Minutes since midnight, from text such as `22:00`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Clock(i64);

/// Minutes east of UTC, from text such as `+02:00`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Offset(i64);

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        minutes(&text).map(Self).ok_or_else(|| format!("`{text}` is no time of day such as 22:00"))
    }
}

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, Some(rest)),
            (_, Some(rest)) => (-1, Some(rest)),
            _ => (1, None),
        };
        let offset = rest.and_then(minutes).map(|minutes| Self(sign * minutes));
        offset.ok_or_else(|| format!("`{text}` is no offset such as +02:00 or -05:00"))
    }
}

/// Minutes of `HH:MM`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(i64::from(hours) * 60 + i64::from(minutes))
}

struct QuietHours(Config);

impl Policy for QuietHours {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        match config.from.0 == config.to.0 {
            true => Err("from and to are the same: that would be never, or always".into()),
            false => Ok(Self(config)),
        }
    }
}

impl Filter for QuietHours {
    fn filter(&self, _message: &Message) -> Verdict {
        if !self.is_quiet(host::now()) {
            return Verdict::Pass;
        }
        match self.0.action {
            Action::Label => Verdict::Label(vec![REASON.into()]),
            Action::Drop => Verdict::Drop(REASON.into()),
        }
    }
}

impl QuietHours {
    /// From `from`, up to and without `to`, which may lie after midnight.
    fn is_quiet(&self, now: u64) -> bool {
        let Config { from, to, utc_offset, .. } = &self.0;
        let minutes = (now / 60_000) as i64 + utc_offset.0;
        let of_day = minutes.rem_euclid(MINUTES_OF_DAY);
        match from.0 < to.0 {
            true => (from.0..to.0).contains(&of_day),
            false => of_day >= from.0 || of_day < to.0,
        }
    }
}

export_policy!(QuietHours: Filter);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    /// What becomes of a message that arrives at a time of day, in UTC.
    fn check(config: &str, utc: &str, expected: Verdict) {
        testing::reset();
        let day = 20_000 * MINUTES_OF_DAY;
        testing::set_now(((day + minutes(utc).expect("time")) * 60_000) as u64);
        let policy = QuietHours::configure(parse_config(config).expect("configuration"));
        let verdict = policy.expect("policy").filter(&testing::message("+15551234567", "hello"));
        assert_eq!(verdict, expected, "{config} at {utc}");
    }

    fn labelled() -> Verdict {
        Verdict::Label(vec![REASON.into()])
    }

    #[test]
    fn the_night_goes_over_midnight() {
        for (utc, expected) in [
            ("21:59", Verdict::Pass),
            ("22:00", labelled()),
            ("23:59", labelled()),
            ("00:00", labelled()),
            ("06:59", labelled()),
            ("07:00", Verdict::Pass),
        ] {
            check("{}", utc, expected);
        }
    }

    #[test]
    fn an_afternoon_nap_does_not() {
        let nap = r#"{"from": "13:00", "to": "15:00", "action": "drop"}"#;
        check(nap, "14:00", Verdict::Drop(REASON.into()));
        check(nap, "12:59", Verdict::Pass);
        check(nap, "15:00", Verdict::Pass);
    }

    #[test]
    fn hours_are_local() {
        check(r#"{"utc_offset": "+05:30"}"#, "16:29", Verdict::Pass);
        check(r#"{"utc_offset": "+05:30"}"#, "16:30", labelled());
        check(r#"{"utc_offset": "-08:00"}"#, "05:59", Verdict::Pass);
        check(r#"{"utc_offset": "-08:00"}"#, "06:00", labelled());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (config, words) in [
            (r#"{"from": "25:00"}"#, "from: `25:00` is no time of day"),
            (r#"{"to": "7"}"#, "to: `7` is no time of day"),
            (r#"{"utc_offset": "02:00"}"#, "utc_offset: `02:00` is no offset"),
            (r#"{"form": "22:00"}"#, "did you mean `from`"),
        ] {
            let error = parse_config::<Config>(config).expect_err("refused");
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_empty_span_is_refused() {
        let config = parse_config(r#"{"from": "07:00"}"#).expect("configuration");
        assert!(QuietHours::configure(config).is_err());
    }
}
