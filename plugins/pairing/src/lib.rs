//! The bundled pairing: a stranger gets a code, and is let in once the owner approves it.
//!
//! Configuration: `ttl`, `max_pending`, `reply`, `dm_scope`; `release_held` is for the host. Rejects with
//! `backfill_stranger`, `pairing_denied` or `no_sender_address`. Codes are never logged.
//!
//! The store holds, by address:
//!
//! | key | value | until |
//! |---|---|---|
//! | `request/<address>` | [`Pending`] | approved, denied, or expired and in the way |
//! | `denied/<address>` | [`Denied`] | the denied request would have expired |
//! | `paired/<address>` | [`Paired`] | unpaired |

use imsgd_plugin::store::Table;
use imsgd_plugin::{
    Arrival, Challenge, Message, Outcome, Pairing, Policy, Refusal, Request, export_policy, fold_code, host,
    random_code,
};
use serde::{Deserialize, Serialize};

mod config;

use config::Config;

const CODE_LENGTH: u32 = 8;

const REQUESTS: Table<Pending> = Table::new("request/");
const DENIED: Table<Denied> = Table::new("denied/");
const PAIRED: Table<Paired> = Table::new("paired/");

pub struct Codes(Config);

#[derive(Serialize, Deserialize)]
struct Pending {
    code: String,
    requested_at: u64,
    expires_at: u64,
}

#[derive(Serialize, Deserialize)]
struct Denied {
    until: u64,
}

#[derive(Serialize, Deserialize)]
struct Paired {
    since: u64,
}

impl Policy for Codes {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }
}

impl Pairing for Codes {
    fn screen(&self, message: &Message) -> Outcome {
        let address = message.sender().address();
        if address.is_empty() {
            return Outcome::Reject("no_sender_address".into());
        }
        if PAIRED.get(&address).is_some() {
            return Outcome::Paired(self.0.dm_scope.route(message));
        }
        // Nobody waits for an answer to what was written long ago.
        if message.arrival() == Arrival::Backfill {
            return Outcome::Reject("backfill_stranger".into());
        }
        if DENIED.get(&address).is_some_and(|denied| host::now() < denied.until) {
            return Outcome::Reject("pairing_denied".into());
        }
        let pending = live_requests();
        if pending.iter().any(|request| request.address == address) || pending.len() >= self.0.max_pending {
            return Outcome::Waiting;
        }
        forget_expired();
        self.challenge(&address, &pending)
    }

    fn pending(&self) -> Vec<Request> {
        live_requests()
    }

    fn approve(&self, code: &str) -> Result<String, Refusal> {
        let request = take_request(code)?;
        PAIRED.set(&request.address, &Paired { since: host::now() });
        Ok(request.address)
    }

    /// The address hears nothing more, and may ask again when the request would have expired: at once, its
    /// next message would make the next code.
    fn deny(&self, code: &str) -> Result<String, Refusal> {
        let request = take_request(code)?;
        DENIED.set(&request.address, &Denied { until: request.expires_at });
        Ok(request.address)
    }

    fn paired(&self) -> Vec<String> {
        PAIRED.names().collect()
    }

    fn unpair(&self, address: &str) -> bool {
        let address = host::normalize(address).unwrap_or_else(|| address.trim().into());
        let was_paired = PAIRED.get(&address).is_some();
        PAIRED.delete(&address);
        was_paired
    }
}

impl Codes {
    fn challenge(&self, address: &str, others: &[Request]) -> Outcome {
        let code = new_code(others);
        let requested_at = host::now();
        let expires_at = requested_at.saturating_add(self.0.ttl.as_millis());
        let pending = Pending { code: code.clone(), requested_at, expires_at };
        REQUESTS.set(address, &pending);
        let reply = self.0.reply.with_code(&code);
        Outcome::Challenge(Challenge { code, reply, expires_at })
    }
}

/// Removes the request with this code, if it can still be answered.
fn take_request(code: &str) -> Result<Request, Refusal> {
    let code = fold_code(code);
    let request = requests().find(|request| request.code == code).ok_or(Refusal::UnknownCode)?;
    REQUESTS.delete(&request.address);
    if is_expired(&request) { Err(Refusal::Expired) } else { Ok(request) }
}

fn live_requests() -> Vec<Request> {
    requests().filter(|request| !is_expired(request)).collect()
}

fn requests() -> impl Iterator<Item = Request> {
    REQUESTS.iter().map(|(address, Pending { code, requested_at, expires_at })| Request {
        code,
        address,
        requested_at,
        expires_at,
    })
}

fn is_expired(request: &Request) -> bool {
    request.expires_at <= host::now()
}

/// Until a request is in the way of a new one it stays, so that its code is refused as expired and not as
/// unknown.
fn forget_expired() {
    for request in requests().filter(is_expired) {
        REQUESTS.delete(&request.address);
    }
    for (address, denied) in DENIED.iter() {
        if denied.until <= host::now() {
            DENIED.delete(&address);
        }
    }
}

/// Unlike that of any other request.
fn new_code(others: &[Request]) -> String {
    loop {
        let code = random_code(CODE_LENGTH);
        if others.iter().all(|other| other.code != code) {
            return code;
        }
    }
}

export_policy!(Codes: Pairing);

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;
    use imsgd_plugin::testing::{self, message};

    use super::*;

    const HOUR: u64 = 3_600_000;
    const ANN: &str = "+15551234567";
    const EVE: &str = "+15559999999";

    fn policy(config: &str) -> Codes {
        testing::reset();
        testing::set_now(1_000_000);
        Codes::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    fn challenged(policy: &Codes, sender: &str) -> Challenge {
        match policy.screen(&message(sender, "hello")) {
            Outcome::Challenge(challenge) => challenge,
            other => panic!("{sender}: {other:?}"),
        }
    }

    /// What becomes of a message from `sender`, in words.
    fn outcome(policy: &Codes, sender: &str) -> String {
        match policy.screen(&message(sender, "hello")) {
            Outcome::Paired(route) => format!("paired {}", route.unwrap_or_default()).trim_end().into(),
            Outcome::Challenge(_) => "challenge".into(),
            Outcome::Waiting => "waiting".into(),
            Outcome::Reject(reason) => format!("reject {reason}"),
        }
    }

    #[test]
    fn a_stranger_gets_one_code_and_then_waits() {
        let policy = policy("{}");
        let challenge = challenged(&policy, ANN);
        assert_eq!(challenge.code.len(), 8);
        assert!(challenge.code.bytes().all(|letter| letter.is_ascii_alphanumeric()), "{}", challenge.code);
        assert!(challenge.reply.expect("a reply").contains(&challenge.code));
        assert_eq!(challenge.expires_at, 1_000_000 + HOUR);
        assert_eq!(outcome(&policy, ANN), "waiting");
        let pending = policy.pending();
        assert_eq!(pending.len(), 1);
        assert_eq!((pending[0].address.as_str(), pending[0].requested_at), (ANN, 1_000_000));
        assert_eq!(pending[0].code, challenge.code);
    }

    #[test]
    fn an_approved_code_pairs_its_address_and_works_once() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        assert_eq!(policy.approve(&code).as_deref(), Ok(ANN));
        assert_eq!(outcome(&policy, ANN), "paired");
        assert_eq!(policy.paired(), [ANN]);
        assert!(policy.pending().is_empty());
        assert_eq!(policy.approve(&code), Err(Refusal::UnknownCode));
        assert_eq!(outcome(&policy, EVE), "challenge");
    }

    #[test]
    fn a_code_may_be_typed_in_small_letters_with_space_around() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        assert_eq!(policy.approve(&format!("  {}\n", code.to_lowercase())).as_deref(), Ok(ANN));
    }

    #[test]
    fn an_expired_code_is_refused_and_the_stranger_may_ask_again() {
        let policy = policy(r#"{"ttl": "30m"}"#);
        let code = challenged(&policy, ANN).code;
        testing::set_now(1_000_000 + HOUR / 2);
        assert!(policy.pending().is_empty());
        assert_eq!(policy.approve(&code), Err(Refusal::Expired));
        assert_eq!(policy.approve(&code), Err(Refusal::UnknownCode));
        assert!(policy.paired().is_empty());
        assert_ne!(challenged(&policy, ANN).code, code);
    }

    #[test]
    fn strangers_over_max_pending_wait_until_there_is_room() {
        let policy = policy(r#"{"max_pending": 1}"#);
        let code = challenged(&policy, ANN).code;
        assert_eq!(outcome(&policy, EVE), "waiting");
        assert_eq!(policy.pending().len(), 1);
        policy.approve(&code).expect("approved");
        assert_eq!(outcome(&policy, EVE), "challenge");
    }

    #[test]
    fn expired_requests_make_room() {
        let policy = policy(r#"{"max_pending": 1, "ttl": 60}"#);
        challenged(&policy, ANN);
        testing::set_now(1_000_000 + 60_000);
        assert_eq!(outcome(&policy, EVE), "challenge");
        assert_eq!(REQUESTS.names().collect::<Vec<_>>(), [EVE]);
    }

    #[test]
    fn a_denied_address_is_not_answered_until_its_request_would_have_expired() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        assert_eq!(policy.deny(&code).as_deref(), Ok(ANN));
        assert_eq!(outcome(&policy, ANN), "reject pairing_denied");
        assert_eq!(policy.approve(&code), Err(Refusal::UnknownCode));
        testing::set_now(1_000_000 + HOUR);
        assert_eq!(outcome(&policy, ANN), "challenge");
        assert!(DENIED.names().next().is_none());
    }

    #[test]
    fn an_unpaired_address_is_a_stranger_again() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        policy.approve(&code).expect("approved");
        assert!(policy.unpair("(555) 123-4567"));
        assert!(!policy.unpair(ANN));
        assert_eq!(outcome(&policy, ANN), "challenge");
    }

    #[test]
    fn an_old_message_from_a_stranger_makes_no_request() {
        let policy = policy("{}");
        let mut old = message(ANN, "hello");
        old.arrival = Arrival::Backfill;
        assert!(matches!(policy.screen(&old), Outcome::Reject(reason) if reason == "backfill_stranger"));
        assert!(policy.pending().is_empty());
        old.arrival = Arrival::CatchUp;
        assert!(matches!(policy.screen(&old), Outcome::Challenge(_)));
    }

    #[test]
    fn an_old_message_from_someone_paired_is_let_in() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        policy.approve(&code).expect("approved");
        let mut old = message(ANN, "hello");
        old.arrival = Arrival::Backfill;
        assert!(matches!(policy.screen(&old), Outcome::Paired(None)));
    }

    #[test]
    fn a_message_without_a_sender_makes_no_request() {
        assert_eq!(outcome(&policy("{}"), ""), "reject no_sender_address");
    }

    #[test]
    fn peer_scope_gives_each_paired_sender_a_route() {
        let policy = policy(r#"{"dm_scope": "peer"}"#);
        let code = challenged(&policy, ANN).code;
        policy.approve(&code).expect("approved");
        assert_eq!(outcome(&policy, ANN), "paired dm:+15551234567");
    }

    #[test]
    fn the_reply_may_be_the_owners_or_none() {
        let own = policy(r#"{"reply": "Code {code}, tell me."}"#);
        let challenge = challenged(&own, ANN);
        assert_eq!(challenge.reply, Some(format!("Code {}, tell me.", challenge.code)));
        assert_eq!(challenged(&policy(r#"{"reply": false}"#), ANN).reply, None);
    }

    #[test]
    fn codes_are_not_logged() {
        let policy = policy("{}");
        let code = challenged(&policy, ANN).code;
        policy.approve("WRONG").expect_err("refused");
        policy.approve(&code).expect("approved");
        assert!(testing::logged().is_empty());
    }
}
