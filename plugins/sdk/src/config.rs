//! A policy's configuration: JSON from the host to the policy's own type, with errors that name the key.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// For a policy without configuration: any key is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// What [`export_policy!`](crate::export_policy) does with the text that the host passes to `configure`;
/// public so that a policy's tests can see the errors that its users will.
pub fn parse<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    // By way of a value, as errors from text end in a line and column of JSON that nobody wrote.
    let value: serde_json::Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner().to_string();
        let hint = nearest_key(&cause).map_or(String::new(), |key| format!(" (did you mean `{key}`?)"));
        match path.as_str() {
            "." => format!("{cause}{hint}"),
            _ => format!("{path}: {cause}{hint}"),
        }
    })
}

/// The known name that is nearest to an unknown one, out of serde's words "unknown field `a`, expected one
/// of `b`, `c`". No guess where the words are others, or nothing is near.
fn nearest_key(cause: &str) -> Option<&str> {
    if !cause.starts_with("unknown ") {
        return None;
    }
    let mut names = cause.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= name.len() / 3 + 1)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        allow_from: Vec<String>,
        limits: Limits,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        max_pending: u32,
    }

    fn error(json: &str) -> String {
        parse::<Config>(json).expect_err("refused")
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        assert_eq!(
            error(r#"{"alow_from": []}"#),
            "alow_from: unknown field `alow_from`, expected `allow_from` or `limits` (did you mean `allow_from`?)"
        );
    }

    #[test]
    fn a_key_like_no_other_gets_no_guess() {
        assert!(!error(r#"{"zebra": 1}"#).contains("did you mean"));
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        assert_eq!(
            error(r#"{"limits": {"max_pending": "three"}}"#),
            "limits.max_pending: invalid type: string \"three\", expected u32"
        );
        assert_eq!(error(r#"{"allow_from": ["a", 7]}"#), "allow_from[1]: invalid type: integer `7`, expected a string");
    }

    #[test]
    fn an_empty_object_is_the_default_configuration() {
        assert!(parse::<Config>("{}").is_ok());
        assert!(parse::<NoConfig>("{}").is_ok());
        assert!(parse::<NoConfig>(r#"{"a": 1}"#).is_err());
    }
}
