//! Sends messages to the route of the first rule that fits: by what they say, by who wrote them, or both.
//!
//! Configuration: `rules`, each with a `route` and `words`, `from`, or both. Keeps nothing in the store.

use imsgd_plugin::address::Entries;
use imsgd_plugin::{Filter, Message, Policy, Verdict, Words, export_policy};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first one that fits counts.
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    route: String,
    /// Any of them will do, whole and in any case.
    #[serde(default)]
    words: Words,
    /// Numbers, e-mail addresses and chats, as in `allow_from`.
    #[serde(default)]
    from: Entries,
}

struct Router(Vec<Rule>);

impl Policy for Router {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        for (number, rule) in config.rules.iter().enumerate() {
            if rule.words.is_empty() && rule.from.is_empty() {
                return Err(format!("rules[{number}]: needs words, from, or both: it would take every message"));
            }
            if rule.route.trim().is_empty() {
                return Err(format!("rules[{number}].route: must not be empty"));
            }
        }
        Ok(Self(config.rules))
    }
}

impl Filter for Router {
    fn filter(&self, message: &Message) -> Verdict {
        let said = message.text();
        match self.0.iter().find(|rule| rule.fits(message, &said)) {
            Some(rule) => Verdict::Route(rule.route.clone()),
            None => Verdict::Pass,
        }
    }
}

impl Rule {
    fn fits(&self, message: &Message, said: &str) -> bool {
        let by_words = self.words.is_empty() || self.words.stand_in(said);
        by_words && (self.from.is_empty() || self.from.matches(message))
    }
}

export_policy!(Router: Filter);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    const RULES: &str = r#"{"rules": [
        {"words": ["invoice", "payment due"], "route": "billing"},
        {"from": ["ann@example.com"], "words": ["urgent"], "route": "page"},
        {"from": ["ann@example.com"], "route": "ann"}
    ]}"#;

    fn check(sender: &str, text: &str, expected: Option<&str>) {
        let router = Router::configure(parse_config(RULES).expect("configuration")).expect("policy");
        let expected = expected.map_or(Verdict::Pass, |route| Verdict::Route(route.into()));
        assert_eq!(router.filter(&testing::message(sender, text)), expected, "{sender}: {text}");
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        check("ann@example.com", "Urgent: your invoice", Some("billing"));
        check("ann@example.com", "urgent!", Some("page"));
        check("ann@example.com", "hello", Some("ann"));
    }

    #[test]
    fn words_are_found_whole_and_a_sender_alone_may_not_be_enough() {
        check("+15551234567", "Payment due tomorrow", Some("billing"));
        check("+15551234567", "invoices", None);
        check("+15551234567", "urgent!", None);
    }

    #[test]
    fn a_rule_that_would_take_everything_is_refused() {
        for (config, words) in [
            (r#"{"rules": [{"route": "all"}]}"#, "rules[0]: needs words"),
            (r#"{"rules": [{"route": "all", "words": [" "]}]}"#, "rules[0].words: an empty word"),
            (r#"{"rules": [{"route": "", "words": ["a"]}]}"#, "rules[0].route"),
        ] {
            let error = parse_config(config).and_then(Router::configure).err().expect("refused");
            assert!(error.starts_with(words), "{error}");
        }
    }
}
