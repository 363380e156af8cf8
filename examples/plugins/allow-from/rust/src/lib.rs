//! Only who is listed may write to us; how many messages were turned away is counted. In Rust, beside the same policy in
//! JavaScript and in Python.
//!
//! Configuration: `allow_from`, a list of numbers and e-mail addresses, or `*` for everybody. Keeps `rejected` in the
//! store: how many messages were turned away. Rejects with `not_in_allow_from`.

use imsgd_plugin::address::Entries;
use imsgd_plugin::{Admission, Allowlist, Message, Policy, export_policy, store};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AllowFrom {
    allow_from: Entries,
}

impl Policy for AllowFrom {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        Ok(config)
    }
}

impl Allowlist for AllowFrom {
    fn admit(&self, message: &Message) -> Admission {
        if self.allow_from.matches(message) {
            return Admission::Admit(None);
        }
        store::set("rejected", &(store::get::<u64>("rejected").unwrap_or_default() + 1));
        Admission::Reject("not_in_allow_from".into())
    }
}

export_policy!(AllowFrom: Allowlist);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    #[test]
    fn who_is_not_listed_is_rejected_and_counted() {
        testing::reset();
        let policy: AllowFrom = parse_config(r#"{"allow_from": ["(555) 123-4567"]}"#).expect("configuration");
        let admit = |sender: &str| policy.admit(&testing::message(sender, "hello"));
        assert_eq!(admit("+15551234567"), Admission::Admit(None));
        assert_eq!(admit("+15559999999"), Admission::Reject("not_in_allow_from".into()));
        assert_eq!(store::get::<u64>("rejected"), Some(1));
    }
}
