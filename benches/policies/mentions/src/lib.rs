//! Hears what is said in a group where one of its patterns is in the text.
//!
//! Configuration: `list`.

use imsgd_bench_rules::Patterns;
use imsgd_plugin::{Decision, Group, Message, Policy, export_policy};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    list: Vec<String>,
}

pub struct Mentioned(Patterns);

impl Policy for Mentioned {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(Patterns::new(config.list)))
    }
}

impl Group for Mentioned {
    fn decide(&self, message: &Message) -> Decision {
        match self.0.are_in(&message.text()) {
            true => Decision::Deliver(None),
            false => Decision::Observe,
        }
    }
}

export_policy!(Mentioned: Group);
