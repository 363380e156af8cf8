//! Lets in whom its list has, and says nothing more of it: groups are for the next policy to decide.
//!
//! Configuration: `list`. Rejects with `not_listed`.

use imsgd_bench_rules::Senders;
use imsgd_plugin::{Admission, Allowlist, Decision, Group, Message, Policy, export_policy};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    list: Vec<String>,
}

pub struct Listed(Senders);

impl Policy for Listed {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(Senders::new(config.list)))
    }
}

impl Listed {
    fn know_sender_of(&self, message: &Message) -> bool {
        self.0.know(&message.sender().address())
    }
}

impl Allowlist for Listed {
    fn admit(&self, message: &Message) -> Admission {
        match self.know_sender_of(message) {
            true => Admission::Admit(None),
            false => Admission::Reject("not_listed".into()),
        }
    }
}

impl Group for Listed {
    fn decide(&self, message: &Message) -> Decision {
        match self.know_sender_of(message) {
            true => Decision::Abstain,
            false => Decision::Reject("not_listed".into()),
        }
    }
}

export_policy!(Listed: Allowlist, Group);
