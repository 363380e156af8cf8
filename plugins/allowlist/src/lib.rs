//! The bundled allowlist: who may write to us directly.
//!
//! Configuration: `dm_policy`, `allow_from`, `deny_from`, `dm_scope`. Keeps nothing in the store. Rejects
//! with `denied`, `not_in_allow_from` or `dm_disabled`.

use imsgd_plugin::{Admission, Allowlist, DmScope, Entries, Message, Policy, export_policy};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectMessages {
    dm_policy: DmPolicy,
    allow_from: Entries,
    deny_from: Entries,
    dm_scope: DmScope,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DmPolicy {
    /// Who is not listed is left to the pairing policy.
    #[default]
    Pairing,
    Allowlist,
    /// Everybody, but only where `allow_from` says so with `*`: one slip does not open the door.
    Open,
    Disabled,
}

impl Policy for DirectMessages {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        Ok(config)
    }
}

impl Allowlist for DirectMessages {
    fn admit(&self, message: &Message) -> Admission {
        if self.deny_from.matches(message) {
            return Admission::Reject("denied".into());
        }
        if self.dm_policy == DmPolicy::Disabled {
            return Admission::Reject("dm_disabled".into());
        }
        if self.allow_from.matches(message) {
            return Admission::Admit(self.dm_scope.route(message));
        }
        match self.dm_policy {
            DmPolicy::Pairing => Admission::Abstain,
            // `*` would have matched, so `open` is no different here.
            _ => Admission::Reject("not_in_allow_from".into()),
        }
    }
}

export_policy!(DirectMessages: Allowlist);

#[cfg(test)]
mod tests {
    use imsgd_plugin::parse_config;
    use imsgd_plugin::testing::message;

    use super::*;

    const ANN: &str = "+15551234567";
    const EVE: &str = "+15559999999";

    /// What becomes of a message from `sender`, in words.
    fn check(config: &str, sender: &str, expected: &str) {
        let policy = DirectMessages::configure(parse_config(config).expect("configuration")).expect("policy");
        let outcome = match policy.admit(&message(sender, "hello")) {
            Admission::Admit(route) => format!("admit {}", route.unwrap_or_default()),
            Admission::Reject(reason) => format!("reject {reason}"),
            Admission::Abstain => "abstain".into(),
        };
        assert_eq!(outcome.trim_end(), expected, "{config} {sender}");
    }

    #[test]
    fn by_default_strangers_are_left_to_pairing() {
        check("{}", EVE, "abstain");
        check(r#"{"allow_from": ["(555) 123-4567"]}"#, ANN, "admit");
        check(r#"{"allow_from": ["(555) 123-4567"]}"#, EVE, "abstain");
    }

    #[test]
    fn allowlist_rejects_whom_it_does_not_list() {
        let config = r#"{"dm_policy": "allowlist", "allow_from": ["+15551234567", "ann@example.com"]}"#;
        check(config, ANN, "admit");
        check(config, "ann@example.com", "admit");
        check(config, EVE, "reject not_in_allow_from");
    }

    #[test]
    fn open_admits_everybody_only_with_the_star() {
        check(r#"{"dm_policy": "open", "allow_from": ["*"]}"#, EVE, "admit");
        check(r#"{"dm_policy": "open", "allow_from": ["+15551234567"]}"#, ANN, "admit");
        check(r#"{"dm_policy": "open", "allow_from": ["+15551234567"]}"#, EVE, "reject not_in_allow_from");
        check(r#"{"dm_policy": "open"}"#, EVE, "reject not_in_allow_from");
    }

    #[test]
    fn disabled_rejects_the_listed_too() {
        check(r#"{"dm_policy": "disabled", "allow_from": ["*"]}"#, ANN, "reject dm_disabled");
    }

    #[test]
    fn deny_from_wins_over_every_policy() {
        for policy in ["pairing", "allowlist", "open", "disabled"] {
            let config = format!(r#"{{"dm_policy": "{policy}", "allow_from": ["*"], "deny_from": ["+15559999999"]}}"#);
            check(&config, EVE, "reject denied");
        }
    }

    #[test]
    fn a_listed_chat_admits_whoever_writes_there() {
        check(r#"{"dm_policy": "allowlist", "allow_from": ["chat_id:1"]}"#, EVE, "admit");
        check(r#"{"dm_policy": "allowlist", "allow_from": ["chat_id:2"]}"#, EVE, "reject not_in_allow_from");
    }

    #[test]
    fn peer_scope_gives_each_sender_a_route() {
        check(r#"{"dm_scope": "peer", "allow_from": ["*"]}"#, ANN, "admit dm:+15551234567");
    }

    #[test]
    fn a_wrong_entry_is_named_with_its_key() {
        let error = parse_config::<DirectMessages>(r#"{"allow_from": ["+15551234567", "bob"]}"#).expect_err("refused");
        assert!(error.starts_with("allow_from: `bob` is no phone number"), "{error}");
    }

    #[test]
    fn a_wrong_policy_is_named_with_the_nearest() {
        let error = parse_config::<DirectMessages>(r#"{"dm_policy": "alowlist"}"#).expect_err("refused");
        assert!(error.contains("dm_policy") && error.contains("did you mean `allowlist`"), "{error}");
    }
}
