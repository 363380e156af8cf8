//! Gives strangers a code, and lets them in for as long as the owner trusts them.
//!
//! Configuration: `code_for`, `trust_for`. Rejects with `no_sender_address` or `backfill_stranger`. The store has
//! requests by code under `request/`, and by address under `paired/` until when somebody is trusted.

use imsgd_plugin::store::Table;
use imsgd_plugin::{
    Arrival, Challenge, Message, Outcome, Pairing, Period, Policy, Refusal, Request, export_policy, fold_code, host,
    random_code,
};
use serde::{Deserialize, Serialize};

/// The plugin's own table of imsgd's configuration. A key that is not here is refused, and the error names the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// How long a code is good: `"30m"`, `"1h"`, or seconds.
    code_for: Period,
    trust_for: Period,
}

/// What holds where the configuration says nothing.
impl Default for Config {
    fn default() -> Self {
        Self { code_for: Period::from_secs(3600), trust_for: Period::from_secs(90 * 24 * 3600) }
    }
}

/// Outlives a restart, and is written together with an answer or not at all.
const REQUESTS: Table<Asked> = Table::new("request/");
const PAIRED: Table<u64> = Table::new("paired/");

#[derive(Serialize, Deserialize)]
struct Asked {
    address: String,
    at: u64,
    until: u64,
}

/// Lives as long as its configuration is in force: good for what comes from there.
struct Guests(Config);

impl Policy for Guests {
    type Config = Config;

    /// An error refuses the plugin, and the version that ran before stays: say which key is wrong.
    fn configure(config: Config) -> Result<Self, String> {
        match config.trust_for < config.code_for {
            true => Err("trust_for: must not be shorter than code_for".into()),
            false => Ok(Self(config)),
        }
    }
}

impl Pairing for Guests {
    /// Asked about direct messages on which every allowlist abstained.
    fn screen(&self, message: &Message) -> Outcome {
        let address = message.sender().address();
        if address.is_empty() {
            return Outcome::Reject("no_sender_address".into());
        }
        if PAIRED.get(&address).is_some_and(|until| host::now() < until) {
            return Outcome::Paired(None);
        }
        // Nobody waits for an answer to what was written long ago.
        if message.arrival() == Arrival::Backfill {
            return Outcome::Reject("backfill_stranger".into());
        }
        forget_expired();
        if REQUESTS.iter().any(|(_, asked)| asked.address == address) {
            return Outcome::Waiting;
        }
        let (code, at) = (random_code(8), host::now());
        let until = at + self.0.code_for.as_millis();
        REQUESTS.set(&code, &Asked { address, at, until });
        let reply = Some(format!("I do not know you yet. Please tell my owner this code: {code}"));
        Outcome::Challenge(Challenge { code, reply, expires_at: until })
    }

    /// Requests that the owner may still answer: `imsgd pairing list`.
    fn pending(&self) -> Vec<Request> {
        let alive = REQUESTS.iter().filter(|(_, asked)| host::now() < asked.until);
        let request = |(code, asked): (String, Asked)| Request {
            code,
            address: asked.address,
            requested_at: asked.at,
            expires_at: asked.until,
        };
        alive.map(request).collect()
    }

    /// `imsgd pairing approve CODE`; what the host held of that address is judged again then.
    fn approve(&self, code: &str) -> Result<String, Refusal> {
        let address = self.deny(code)?;
        PAIRED.set(&address, &(host::now() + self.0.trust_for.as_millis()));
        Ok(address)
    }

    fn deny(&self, code: &str) -> Result<String, Refusal> {
        let code = fold_code(code);
        let asked = REQUESTS.get(&code).ok_or(Refusal::UnknownCode)?;
        REQUESTS.delete(&code);
        if host::now() < asked.until { Ok(asked.address) } else { Err(Refusal::Expired) }
    }

    fn paired(&self) -> Vec<String> {
        PAIRED.iter().filter(|(_, until)| host::now() < *until).map(|(address, _)| address).collect()
    }

    fn unpair(&self, address: &str) -> bool {
        let address = host::normalize(address).unwrap_or_else(|| address.trim().into());
        let was_paired = PAIRED.get(&address).is_some();
        PAIRED.delete(&address);
        was_paired
    }
}

fn forget_expired() {
    for (code, asked) in REQUESTS.iter() {
        if asked.until <= host::now() {
            REQUESTS.delete(&code);
        }
    }
}

export_policy!(Guests: Pairing);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    const ANN: &str = "+15551234567";

    fn policy(config: &str) -> Guests {
        // The store and the clock belong to the thread, and threads are used again.
        testing::reset();
        Guests::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    fn challenged(policy: &Guests) -> Challenge {
        match policy.screen(&testing::message(ANN, "hello")) {
            Outcome::Challenge(challenge) => challenge,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stranger_gets_one_code_and_is_in_once_it_is_approved() {
        let policy = policy("{}");
        let code = challenged(&policy).code;
        assert_eq!(policy.screen(&testing::message(ANN, "hello?")), Outcome::Waiting);
        assert_eq!(policy.approve(&code.to_lowercase()).as_deref(), Ok(ANN));
        assert_eq!(policy.screen(&testing::message(ANN, "hello!")), Outcome::Paired(None));
        assert_eq!(policy.approve(&code), Err(Refusal::UnknownCode));
    }

    #[test]
    fn trust_ends() {
        let policy = policy(r#"{"code_for": "1h", "trust_for": "1d"}"#);
        let code = challenged(&policy).code;
        policy.approve(&code).expect("approved");
        assert_eq!(policy.paired(), [ANN]);
        testing::set_now(24 * 3_600_000);
        assert!(policy.paired().is_empty());
        challenged(&policy);
    }

    #[test]
    fn an_expired_code_is_refused_as_such() {
        let policy = policy(r#"{"code_for": "30m"}"#);
        let code = challenged(&policy).code;
        testing::set_now(30 * 60_000);
        assert!(policy.pending().is_empty());
        assert_eq!(policy.approve(&code), Err(Refusal::Expired));
    }
}
