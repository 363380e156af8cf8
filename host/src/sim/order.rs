//! The arguments of the send script: what to send, to whom, and what else to try.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::rows::Service;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub target: Target,
    pub text: String,
    pub file: Option<PathBuf>,
    pub service: Option<Service>,
    pub recovery: Option<Recovery>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Recipient(String),
    Chat(String),
}

/// The participant to address where Messages cannot find the chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub account: String,
    pub recipient: String,
    pub service: Service,
}

impl Order {
    /// Reads what follows `-l AppleScript -`.
    pub fn parse(arguments: &[String]) -> Result<Order> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let [recipient, text, service, file, has_file, chat, use_chat, account, other_recipient, other_service] =
            arguments.as_slice()
        else {
            bail!("the script takes 10 arguments, not {}", arguments.len());
        };
        let target = match flag(use_chat)? {
            true => Target::Chat((*chat).to_owned()),
            false => Target::Recipient((*recipient).to_owned()),
        };
        let (Target::Chat(address) | Target::Recipient(address)) = &target;
        ensure!(!address.is_empty(), "nobody to send to");
        let file = match (flag(has_file)?, *file) {
            (false, _) => None,
            (true, "") => bail!("has-file is 1, but there is no path"),
            (true, path) => Some(PathBuf::from(path)),
        };
        ensure!(!text.is_empty() || file.is_some(), "nothing to send");
        let recovery = match *account {
            "" => None,
            account => Some(Recovery {
                account: account.to_owned(),
                recipient: (*other_recipient).to_owned(),
                service: requested(other_service)?.unwrap_or_default(),
            }),
        };
        Ok(Order { target, text: (*text).to_owned(), file, service: requested(service)?, recovery })
    }

    /// For the log of calls.
    pub fn described(&self) -> Value {
        let (recipient, chat) = match &self.target {
            Target::Recipient(address) => (Some(address), None),
            Target::Chat(guid) => (None, Some(guid)),
        };
        json!({
            "recipient": recipient,
            "text": self.text,
            "service": self.service.map_or("auto".to_owned(), |service| service.name().to_lowercase()),
            "chat": chat,
            "file": self.file,
        })
    }
}

/// None for `auto`.
fn requested(service: &str) -> Result<Option<Service>> {
    match service {
        "auto" => Ok(None),
        "imessage" => Ok(Some(Service::IMessage)),
        "sms" => Ok(Some(Service::Sms)),
        other => bail!("{other:?} is not a service; there are imessage, sms and auto"),
    }
}

fn flag(argument: &str) -> Result<bool> {
    match argument {
        "0" => Ok(false),
        "1" => Ok(true),
        other => bail!("{other:?} is neither 0 nor 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: [&str; 10]) -> Result<Order> {
        Order::parse(&arguments.map(str::to_owned))
    }

    #[test]
    fn a_chat_wins_over_a_recipient() {
        let order = parse(["+14155550101", "hi", "auto", "", "0", "any;-;a@b.c", "1", "", "", ""]).unwrap();
        assert_eq!(order.target, Target::Chat("any;-;a@b.c".into()));
        assert_eq!(order.service, None);
    }

    #[test]
    fn a_path_counts_only_with_its_flag() {
        let order = parse(["+14155550101", "hi", "sms", "/tmp/a.png", "0", "", "0", "", "", ""]).unwrap();
        assert_eq!(order.file, None);
        let order = parse(["+14155550101", "", "sms", "/tmp/a.png", "1", "", "0", "", "", ""]).unwrap();
        assert_eq!(order.file, Some("/tmp/a.png".into()));
    }

    #[test]
    fn orders_that_no_caller_should_give_are_refused() {
        assert!(Order::parse(&["+14155550101".into(), "hi".into()]).is_err());
        for arguments in [
            ["", "hi", "auto", "", "0", "", "0", "", "", ""],
            ["+14155550101", "", "auto", "", "0", "", "0", "", "", ""],
            ["+14155550101", "hi", "iMessage", "", "0", "", "0", "", "", ""],
            ["+14155550101", "hi", "auto", "", "true", "", "0", "", "", ""],
            ["+14155550101", "hi", "auto", "", "1", "", "0", "", "", ""],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
