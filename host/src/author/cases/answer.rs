//! Answers as case files spell them: a word, or a table with one key.

use jiff::Timestamp;
use toml::{Table, Value};

use crate::config::nearest;
use crate::plugin::{CONFIGURATION_REFUSED, PairingRefusal, PairingRequest};
use crate::policy::{Admission, Challenge, Failure, FilterVerdict, GroupDecision, Introduction};

const WORDS: [&str; 12] = [
    "configured",
    "abstain",
    "admit",
    "paired",
    "waiting",
    "deliver",
    "observe",
    "pass",
    "unpaired",
    "not_paired",
    "unknown_code",
    "expired",
];

/// What stands in a table, and what it is: of `text`, `list` and `table`.
const TABLES: [(&str, &str); 14] = [
    ("admit", "text"),
    ("reject", "text"),
    ("paired", "text"),
    ("challenge", "table"),
    ("deliver", "text"),
    ("drop", "text"),
    ("route", "text"),
    ("label", "list"),
    ("pieces", "list"),
    ("approved", "text"),
    ("denied", "text"),
    ("listed", "list"),
    (REFUSED, "text"),
    (FAILS, "text"),
];

/// By `configure`, in words.
pub const REFUSED: &str = "refused";
/// A trap, or a limit that was reached.
pub const FAILS: &str = "fails";

/// What a case expects, if it is something that a policy can answer.
pub fn checked(written: &Value) -> Result<Value, String> {
    match written {
        Value::String(word) if WORDS.contains(&word.as_str()) => Ok(written.clone()),
        Value::String(word) => Err(unknown(word)),
        Value::Table(table) if table.len() == 1 => {
            let (key, value) = table.iter().next().ok_or("an answer is empty")?;
            let Some((_, kind)) = TABLES.into_iter().find(|(name, _)| name == key) else { return Err(unknown(key)) };
            let fits = match kind {
                "text" => value.is_str(),
                "list" => value.is_array(),
                _ => value.is_table(),
            };
            if !fits {
                return Err(format!("the answer `{key}` has a {kind} behind it, not {value}"));
            }
            if key == "challenge" {
                check_challenge(value)?;
            }
            Ok(written.clone())
        }
        _ => {
            Err("an answer is a word such as \"pass\", or a table with one key such as { drop = \"reason\" }"
                .to_owned())
        }
    }
}

fn check_challenge(value: &Value) -> Result<(), String> {
    const KEYS: [&str; 3] = ["code", "reply", "expires_at"];
    let unknown = value.as_table().into_iter().flat_map(Table::keys).find(|key| !KEYS.contains(&key.as_str()));
    unknown.map_or(Ok(()), |key| Err(format!("unknown key `{key}` in a challenge, which has {}", KEYS.join(", "))))
}

fn unknown(word: &str) -> String {
    let known = || WORDS.into_iter().chain(TABLES.into_iter().map(|(name, _)| name));
    match (nearest(word, known()), known().any(|name| name == word)) {
        (_, true) if WORDS.contains(&word) => format!("the answer `{word}` is a word by itself: \"{word}\""),
        (_, true) => format!("the answer `{word}` says more: {{ {word} = … }}"),
        (Some(nearest), _) => format!("unknown answer `{word}`; did you mean `{nearest}`?"),
        (None, _) => format!("unknown answer `{word}`"),
    }
}

pub fn word(word: &str) -> Value {
    Value::String(word.to_owned())
}

fn tagged(name: &str, value: impl Into<Value>) -> Value {
    Value::Table(Table::from_iter([(name.to_owned(), value.into())]))
}

fn routed(name: &str, route: Option<String>) -> Value {
    route.map_or_else(|| word(name), |route| tagged(name, route))
}

pub fn admission(answer: Admission) -> Value {
    match answer {
        Admission::Admit(route) => routed("admit", route),
        Admission::Reject(reason) => tagged("reject", reason),
        Admission::Abstain => word("abstain"),
    }
}

pub fn introduction(answer: Introduction) -> Value {
    match answer {
        Introduction::Paired(route) => routed("paired", route),
        Introduction::Challenge(challenge) => tagged("challenge", challenge_table(challenge)),
        Introduction::Waiting => word("waiting"),
        Introduction::Reject(reason) => tagged("reject", reason),
    }
}

fn challenge_table(challenge: Challenge) -> Table {
    let mut table = Table::from_iter([("code".to_owned(), Value::String(challenge.code))]);
    table.extend(challenge.reply.map(|reply| ("reply".to_owned(), Value::String(reply))));
    table.insert("expires_at".to_owned(), moment(challenge.expires_at));
    table
}

pub fn decision(answer: GroupDecision) -> Value {
    match answer {
        GroupDecision::Deliver(route) => routed("deliver", route),
        GroupDecision::Observe => word("observe"),
        GroupDecision::Reject(reason) => tagged("reject", reason),
        GroupDecision::Abstain => word("abstain"),
    }
}

pub fn verdict(answer: FilterVerdict) -> Value {
    match answer {
        FilterVerdict::Pass => word("pass"),
        FilterVerdict::Drop(reason) => tagged("drop", reason),
        FilterVerdict::Route(route) => tagged("route", route),
        FilterVerdict::Label(labels) => tagged("label", labels),
    }
}

pub fn pieces(pieces: Vec<String>) -> Value {
    tagged("pieces", pieces)
}

/// Of `approve` and `deny`.
pub fn settled(name: &str, answer: Result<String, PairingRefusal>) -> Value {
    match answer {
        Ok(address) => tagged(name, address),
        Err(PairingRefusal::UnknownCode) => word("unknown_code"),
        Err(PairingRefusal::Expired) => word("expired"),
    }
}

pub fn requests(requests: Vec<PairingRequest>) -> Value {
    let table = |request: PairingRequest| {
        Value::Table(Table::from_iter([
            ("code".to_owned(), Value::String(request.code)),
            ("address".to_owned(), Value::String(request.address)),
            ("requested_at".to_owned(), moment(request.requested_at)),
            ("expires_at".to_owned(), moment(request.expires_at)),
        ]))
    };
    tagged("listed", requests.into_iter().map(table).collect::<Vec<_>>())
}

pub fn addresses(addresses: Vec<String>) -> Value {
    tagged("listed", addresses)
}

/// A call that was not answered.
pub fn failure(failure: Failure) -> Value {
    tagged(FAILS, failure.0)
}

/// A start that failed, because `configure` said no or did not end.
pub fn no_start(failure: Failure) -> Value {
    match failure.0.strip_prefix(CONFIGURATION_REFUSED) {
        Some(words) => tagged(REFUSED, words),
        None => self::failure(failure),
    }
}

/// Milliseconds since the Unix epoch as a moment of TOML, where it has one.
fn moment(millis: u64) -> Value {
    let at = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let written = at.and_then(|at| at.to_string().parse().ok());
    written.map_or_else(|| Value::String(millis.to_string()), Value::Datetime)
}

/// The one key of a table.
pub fn tag(answer: &Value) -> Option<&str> {
    answer.as_table()?.keys().next().map(String::as_str)
}

/// A policy did not answer at all.
pub fn is_failure(answer: &Value) -> bool {
    matches!(tag(answer), Some(REFUSED | FAILS))
}

/// Whether `given` is what was expected: words of failures may be a part of them, and of tables only what the case says
/// counts.
pub fn fits(expected: &Value, given: &Value) -> bool {
    match (is_failure(expected), tag(expected) == tag(given)) {
        (true, same) => same && contains(expected, given),
        (false, _) => covers(expected, given),
    }
}

fn contains(expected: &Value, given: &Value) -> bool {
    let words = |answer: &Value| tag(answer).and_then(|tag| answer.get(tag)?.as_str().map(str::to_owned));
    matches!((words(expected), words(given)), (Some(part), Some(all)) if all.contains(&part))
}

fn covers(expected: &Value, given: &Value) -> bool {
    match (expected, given) {
        (Value::Table(expected), Value::Table(given)) => {
            expected.iter().all(|(key, value)| given.get(key).is_some_and(|given| covers(value, given)))
        }
        (Value::Array(expected), Value::Array(given)) => {
            expected.len() == given.len() && expected.iter().zip(given).all(|(expected, given)| covers(expected, given))
        }
        (Value::Datetime(expected), Value::Datetime(given)) => {
            let at = |written: &toml::value::Datetime| written.to_string().parse::<Timestamp>().ok();
            at(expected).is_some() && at(expected) == at(given)
        }
        _ => expected == given,
    }
}

/// Of what was given, only what the case says already: a case that looks at nothing but the code of a challenge is to
/// stay one.
pub fn narrowed(given: &Value, expected: Option<&Value>) -> Value {
    match (given, expected) {
        (Value::Table(given), Some(Value::Table(expected))) if given.keys().any(|key| expected.contains_key(key)) => {
            let kept = given.iter().filter(|(key, _)| expected.contains_key(*key));
            Value::Table(kept.map(|(key, value)| (key.clone(), narrowed(value, expected.get(key)))).collect())
        }
        (Value::Array(given), Some(Value::Array(expected))) => {
            Value::Array(given.iter().map(|item| narrowed(item, expected.first())).collect())
        }
        _ => given.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        toml::from_str::<Table>(&format!("answer = {text}")).unwrap().remove("answer").unwrap()
    }

    #[test]
    fn what_no_policy_can_answer_is_named_with_the_nearest_that_it_can() {
        for (text, words) in [
            ("'pas'", "unknown answer `pas`; did you mean `pass`?"),
            ("{ dropp = 'x' }", "did you mean `drop`?"),
            ("'drop'", "the answer `drop` says more: { drop = … }"),
            ("{ pass = 'x' }", "the answer `pass` is a word by itself"),
            ("{ drop = 7 }", "has a text behind it"),
            ("{ label = 'one' }", "has a list behind it"),
            ("{ challenge = { cod = 'A' } }", "unknown key `cod` in a challenge"),
            ("{ drop = 'a', route = 'b' }", "a table with one key"),
            ("7", "an answer is a word"),
        ] {
            let error = checked(&value(text)).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn of_a_challenge_only_what_the_case_says_counts() {
        let given = introduction(Introduction::Challenge(Challenge {
            code: "ABC".into(),
            reply: None,
            expires_at: 1_772_370_000_000,
        }));
        for (expected, does_fit) in [
            ("{ challenge = { code = 'ABC' } }", true),
            ("{ challenge = {} }", true),
            ("{ challenge = { expires_at = 2026-03-01T13:00:00Z } }", true),
            ("{ challenge = { expires_at = 2026-03-01T14:00:00+01:00 } }", true),
            ("{ challenge = { code = 'ABD' } }", false),
            ("{ challenge = { reply = 'hello' } }", false),
            ("'waiting'", false),
        ] {
            assert_eq!(fits(&value(expected), &given), does_fit, "{expected}");
        }
        let narrow = narrowed(&given, Some(&value("{ challenge = { code = 'old' } }")));
        assert_eq!(narrow, value("{ challenge = { code = 'ABC' } }"));
        assert_eq!(narrowed(&given, Some(&value("'waiting'"))), given);
    }

    #[test]
    fn of_a_failure_some_of_its_words_are_enough() {
        let given = failure(Failure("time limit: ran for over 50 ms".into()));
        assert!(fits(&value("{ fails = 'time limit' }"), &given));
        assert!(!fits(&value("{ fails = 'memory limit' }"), &given));
        assert!(!fits(&value("{ refused = 'time limit' }"), &given));
        let given = no_start(Failure("configuration: words: must not be empty".into()));
        assert!(fits(&value("{ refused = 'words: ' }"), &given));
        assert!(!fits(&value("{ reject = 'words: must not be empty' }"), &given));
    }

    #[test]
    fn an_answer_with_a_route_is_another_than_one_without() {
        assert!(fits(&value("'admit'"), &admission(Admission::Admit(None))));
        assert!(!fits(&value("'admit'"), &admission(Admission::Admit(Some("main".into())))));
        assert!(fits(&value("{ admit = 'main' }"), &admission(Admission::Admit(Some("main".into())))));
        assert!(!fits(&value("{ label = ['a'] }"), &verdict(FilterVerdict::Label(vec!["a".into(), "b".into()]))));
    }
}
