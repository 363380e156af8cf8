//! Drops what has one of its words.
//!
//! Configuration: `list`. Drops with `unwanted_word`.

use imsgd_bench_rules::Patterns;
use imsgd_plugin::{Filter, Message, Policy, Verdict, export_policy};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    list: Vec<String>,
}

pub struct Unwanted(Patterns);

impl Policy for Unwanted {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(Patterns::new(config.list)))
    }
}

impl Filter for Unwanted {
    fn filter(&self, message: &Message) -> Verdict {
        match self.0.are_in(&message.text()) {
            true => Verdict::Drop("unwanted_word".into()),
            false => Verdict::Pass,
        }
    }
}

export_policy!(Unwanted: Filter);
