//! The arguments of the script that reacts: the chat, the URL that opens it, and the button to press.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::receive::{Incoming, Session, Tapback};
use super::rows::Chat;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// The chat's guid.
    pub chat: String,
    /// What the URL opens.
    pub identifier: String,
    pub button: String,
    tapback: Tapback,
}

impl Press {
    /// Reads what follows `-l AppleScript -`. Nothing of it may stand in the script.
    pub fn parse(chat: &str, url: &str, button: &str, script: &str) -> Result<Press> {
        let name = match button {
            "heart" => "love",
            "thumbsUp" => "like",
            "thumbsDown" => "dislike",
            "ha" => "laugh",
            "exclamation" => "emphasis",
            "questionMark" => "question",
            other => bail!("{other:?} is no button of the tapback picker"),
        };
        let Some(value) = url.strip_prefix("sms://open?groupid=") else { bail!("{url:?} opens no chat") };
        let identifier = decoded(value)?;
        ensure!(!chat.is_empty() && !identifier.is_empty(), "no chat to open");
        ensure!(![chat, identifier.as_str(), url].iter().any(|of| script.contains(of)), "the script names a chat");
        Ok(Press { chat: chat.to_owned(), identifier, button: button.to_owned(), tapback: name.parse()? })
    }

    /// The tapback that Messages writes: on the newest message of `chat`.
    pub fn tapback(&self, session: &Session, chat: &Chat, is_other_kind: bool) -> Result<Vec<Incoming>> {
        let Some((target, text)) = session.newest(chat)? else { return Ok(Vec::new()) };
        let other = if self.button == "heart" { "dislike" } else { "love" };
        let tapback = if is_other_kind { other.parse()? } else { self.tapback.clone() };
        Ok(vec![Incoming {
            chat: Some(chat.guid.clone()),
            service: chat.service,
            from_me: true,
            tapback: Some(tapback),
            target: Some(target),
            text,
            ..Incoming::default()
        }])
    }

    /// For the log of calls.
    pub fn described(&self) -> Value {
        json!({"chat": self.chat, "identifier": self.identifier, "button": self.button})
    }
}

/// One value of a query, in which `&`, `=` and `#` would end it.
fn decoded(value: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'!'), rest.next().unwrap_or(b'!')];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => bytes.push(byte),
            other => bail!("the URL has {:?} in its value", char::from(other)),
        }
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_opens_the_chat_of_its_one_value() {
        let press = Press::parse("any;-;+1555", "sms://open?groupid=%2B1555", "ha", "on run").unwrap();
        assert_eq!((press.identifier.as_str(), press.tapback.name()), ("+1555", "laugh"));
        for (url, button) in [
            ("sms://open?groupid=a&body=b", "ha"),
            ("sms://open?groupid=+1555", "ha"),
            ("sms://open?groupid=%2", "ha"),
            ("sms://open?groupid=", "ha"),
            ("sms://send?groupid=a", "ha"),
            ("sms://open?groupid=a", "return"),
        ] {
            assert!(Press::parse("any;-;a", url, button, "on run").is_err(), "{url} {button}");
        }
        assert!(Press::parse("any;-;a@b.c", "sms://open?groupid=x", "ha", "on run a@b.c any;-;a@b.c").is_err());
    }
}
