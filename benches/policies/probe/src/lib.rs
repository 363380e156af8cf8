//! Decides nothing by what it reads: for what a call costs, and what reading costs.
//!
//! Configuration: `reads`, `delivers`.

use imsgd_plugin::{Decision, Filter, Group, Message, Policy, Verdict, export_policy};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    reads: Reads,
    /// In groups; else the next policy decides.
    delivers: bool,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reads {
    Nothing,
    Sender,
    Text,
}

impl Policy for Probe {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        Ok(config)
    }
}

impl Probe {
    fn read(&self, message: &Message) {
        let read = match self.reads {
            Reads::Nothing => return,
            Reads::Sender => message.sender().address(),
            Reads::Text => message.text(),
        };
        std::hint::black_box(read);
    }
}

impl Group for Probe {
    fn decide(&self, message: &Message) -> Decision {
        self.read(message);
        if self.delivers { Decision::Deliver(None) } else { Decision::Abstain }
    }
}

impl Filter for Probe {
    fn filter(&self, message: &Message) -> Verdict {
        self.read(message);
        Verdict::Pass
    }
}

export_policy!(Probe: Group, Filter);
