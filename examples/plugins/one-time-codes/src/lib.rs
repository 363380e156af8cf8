//! Finds login codes and gives them a route of their own, or a label.
//!
//! Configuration: `route`, `admit`. Keeps nothing in the store, and logs nothing: a code is for nobody else to see.
//! Labels `one_time_code`.
//!
//! Two interfaces in one policy: as a filter it marks the codes among the messages that were let in; as an allowlist it
//! lets codes in that short numbers send, which are on nobody's list.

use imsgd_plugin::{Admission, Allowlist, Filter, Message, Policy, Service, Verdict, export_policy};
use serde::Deserialize;

mod code;

const LABEL: &str = "one_time_code";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codes {
    /// Where codes go; without one they are labelled and go where they would.
    route: Option<String>,
    admit: Admit,
}

/// Whose codes are let in though no list has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Admit {
    #[default]
    Nobody,
    /// Senders without a number or address of their own, by SMS or RCS.
    ShortCodes,
}

impl Policy for Codes {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        match config.route.as_deref().map(str::trim) {
            Some("") => Err("route: must not be empty; leave it out for a label".into()),
            _ => Ok(config),
        }
    }
}

impl Allowlist for Codes {
    fn admit(&self, message: &Message) -> Admission {
        let is_meant = self.admit == Admit::ShortCodes && is_from_a_short_code(message);
        match is_meant && code::is_in(&message.text()) {
            true => Admission::Admit(self.route.clone()),
            false => Admission::Abstain,
        }
    }
}

impl Filter for Codes {
    fn filter(&self, message: &Message) -> Verdict {
        match (code::is_in(&message.text()), &self.route) {
            (false, _) => Verdict::Pass,
            (true, Some(route)) => Verdict::Route(route.clone()),
            (true, None) => Verdict::Label(vec![LABEL.into()]),
        }
    }
}

/// Numbers and addresses have a form that lists compare; `22395` and `VERIFY` have none.
fn is_from_a_short_code(message: &Message) -> bool {
    let address = message.sender().address();
    let is_someones = address.starts_with('+') || address.contains('@');
    !is_someones && !address.is_empty() && matches!(message.chat().service(), Service::Sms | Service::Rcs)
}

export_policy!(Codes: Allowlist, Filter);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    const TEXT: &str = "123456 is your Example verification code.";

    fn codes(config: &str) -> Codes {
        Codes::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    fn sms(sender: &str, text: &str) -> Message {
        let mut message = testing::message(sender, text);
        message.chat.service = Service::Sms;
        message
    }

    #[test]
    fn codes_go_to_their_route_or_are_labelled() {
        let message = testing::message("+15551234567", TEXT);
        assert_eq!(codes(r#"{"route": "codes"}"#).filter(&message), Verdict::Route("codes".into()));
        assert_eq!(codes("{}").filter(&message), Verdict::Label(vec![LABEL.into()]));
        assert_eq!(codes("{}").filter(&testing::message("+15551234567", "See you at 6")), Verdict::Pass);
    }

    #[test]
    fn only_codes_of_short_numbers_are_let_in_and_only_where_that_is_wanted() {
        let open = codes(r#"{"admit": "short_codes", "route": "codes"}"#);
        assert_eq!(open.admit(&sms("22395", TEXT)), Admission::Admit(Some("codes".into())));
        assert_eq!(open.admit(&sms("22395", "You have won!")), Admission::Abstain);
        assert_eq!(open.admit(&sms("+15559999999", TEXT)), Admission::Abstain);
        assert_eq!(open.admit(&testing::message("22395", TEXT)), Admission::Abstain);
        assert_eq!(codes("{}").admit(&sms("22395", TEXT)), Admission::Abstain);
    }
}
