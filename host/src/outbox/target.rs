//! From what a client names (a number, a chat by id, guid or identifier) to exactly one place to send to.

use std::sync::Arc;

use super::applescript::Recovery;
use crate::address::{Normalizer, without_prefix};
use crate::chatdb::{ChatDb, KnownService};
use crate::message::{Chat, ChatId};
use crate::rpc::error::RpcError;
use crate::rpc::params::ChatSelector;

/// Whom a send is for, as the client said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Recipient(String),
    Chat(ChatSelector),
}

/// The service that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Auto,
    IMessage,
    Sms,
}

/// One place to send to.
#[derive(Clone, Debug)]
pub struct Place {
    /// For a send without a chat.
    pub recipient: String,
    /// `imessage` or `sms`.
    pub service: &'static str,
    /// The chat to address, by guid or identifier.
    pub chat_key: Option<String>,
    /// The chat's row, where chat.db can be read and has one.
    pub chat: Option<Arc<Chat>>,
    pub recovery: Option<Recovery>,
    /// A number that may be tried over SMS where iMessage did not take it.
    pub sms_fallback: bool,
}

impl Place {
    /// A chat that is there.
    pub fn of(chat: Arc<Chat>) -> Place {
        let recovery = recovery(&chat);
        let chat_key = Some(if chat.guid.is_empty() { chat.identifier.clone() } else { chat.guid.clone() });
        Place { chat_key, chat: Some(chat), recovery, ..direct(String::new(), Service::Auto, false) }
    }

    pub fn is_group(&self) -> bool {
        self.chat.as_ref().is_some_and(|chat| chat.is_group)
            || self.chat_key.as_ref().is_some_and(|key| key.contains(";+;"))
    }
}

/// Spellings of one way to name a chat, and what the rest of the text is then.
type ChatPrefix = (&'static [&'static str], fn(&str) -> Option<ChatSelector>);

const CHAT_PREFIXES: &[ChatPrefix] = &[
    (&["chat_id:", "chatid:", "chat:"], |rest| {
        rest.parse().ok().filter(|id| *id > 0).map(ChatId).map(ChatSelector::Id)
    }),
    (&["chat_guid:", "chatguid:", "guid:"], |rest| Some(ChatSelector::Guid(rest.to_owned()))),
    (&["chat_identifier:", "chatidentifier:", "chatident:"], |rest| Some(ChatSelector::Identifier(rest.to_owned()))),
];

impl Target {
    /// Reads `to`, with the spellings that gateways use: `chat_id:42`, `chat_guid:…`, `imessage:+1…`, `sms:+1…`.
    pub fn parse(to: &str, service: Service) -> Result<(Target, Service), RpcError> {
        let to = to.trim();
        for (prefixes, select) in CHAT_PREFIXES {
            let rest = prefixes.iter().find_map(|prefix| strip_prefix(to, prefix));
            if let Some(rest) = rest {
                let selector = Some(rest.trim()).filter(|rest| !rest.is_empty()).and_then(select);
                let selector = selector.ok_or_else(|| RpcError::params(format!("Invalid chat target: {to}")))?;
                return Ok((Target::Chat(selector), service));
            }
        }
        let service = match service {
            Service::Auto if strip_prefix(to, "sms:").is_some() => Service::Sms,
            Service::Auto if strip_prefix(to, "imessage:").is_some() => Service::IMessage,
            service => service,
        };
        let recipient = without_prefix(to);
        if recipient.is_empty() {
            return Err(RpcError::params("to must be a non-empty string"));
        }
        Ok((Target::Recipient(recipient.to_owned()), service))
    }
}

/// Finds the place. Without a database, only what needs no look-up can be found.
pub fn resolve(
    target: &Target,
    service: Service,
    normalizer: &Normalizer,
    allow_sms: bool,
    db: Result<&ChatDb, RpcError>,
) -> Result<Place, RpcError> {
    match target {
        Target::Recipient(to) => {
            let recipient = normalizer.normalize(to).unwrap_or_else(|| to.clone());
            match db {
                Ok(db) => resolve_recipient(db, &recipient, to, service, allow_sms),
                Err(_) => Ok(direct(recipient, service, service == Service::Auto && allow_sms)),
            }
        }
        Target::Chat(selector) => resolve_chat(selector, db),
    }
}

fn resolve_recipient(
    db: &ChatDb,
    recipient: &str,
    raw: &str,
    service: Service,
    allow_sms: bool,
) -> Result<Place, RpcError> {
    let mut known = None;
    if service == Service::Auto {
        known = db.known_service(recipient)?;
        if known.is_none() && raw != recipient {
            known = db.known_service(raw)?;
        }
    }
    let inferred = if known == Some(KnownService::Sms) { Service::Sms } else { service };
    let chat = match (service, inferred) {
        (Service::Auto, Service::Sms) => first_exact(
            db,
            &[format!("SMS;-;{recipient}"), format!("any;-;{recipient}"), format!("any;+;{recipient}")],
        )?,
        (_, Service::Sms) => first(db, &["SMS;-;", ""], recipient, &["SMS"], Some(&["SMS"]))?,
        (_, Service::IMessage) => {
            let services = &["iMessage", "iMessageLite"];
            first(db, &["iMessage;-;", "any;-;", ""], recipient, services, Some(services))?
        }
        _ => first(db, &["iMessage;-;", "any;-;", "SMS;-;", ""], recipient, &["iMessage", "iMessageLite"], None)?,
    };
    let sms_fallback = allow_sms && service == Service::Auto && inferred == Service::Auto;
    let mut place = direct(recipient.to_owned(), inferred, sms_fallback);
    if let Some(chat) = chat {
        place.recovery = recovery(&chat);
        place.chat_key = Some(if chat.guid.is_empty() { chat.identifier.clone() } else { chat.guid.clone() });
        place.chat = Some(chat);
    }
    Ok(place)
}

fn resolve_chat(selector: &ChatSelector, db: Result<&ChatDb, RpcError>) -> Result<Place, RpcError> {
    let (key, chat) = match selector {
        ChatSelector::Id(id) => {
            let unknown = || RpcError::params(format!("unknown chat_id {id}"));
            let chat = db?.chat(*id)?.ok_or_else(unknown)?;
            let key = if chat.guid.is_empty() { &chat.identifier } else { &chat.guid };
            if key.is_empty() {
                return Err(RpcError::params("missing chat identifier or guid"));
            }
            (key.clone(), Some(chat))
        }
        ChatSelector::Guid(key) | ChatSelector::Identifier(key) => {
            let chat = match db {
                Ok(db) => db.chat_for_target(key, &[])?,
                Err(_) => None,
            };
            let guid = chat.as_ref().map(|chat| chat.guid.clone()).filter(|guid| !guid.is_empty());
            (guid.unwrap_or_else(|| key.clone()), chat)
        }
    };
    let is_handle = chat.is_none() && matches!(selector, ChatSelector::Identifier(_)) && looks_like_a_handle(&key);
    if is_handle {
        return Ok(direct(without_prefix(&key).to_owned(), Service::Auto, false));
    }
    let recovery = chat.as_ref().and_then(|chat| recovery(chat));
    Ok(Place { chat_key: Some(key), chat, recovery, ..direct(String::new(), Service::Auto, false) })
}

fn direct(recipient: String, service: Service, sms_fallback: bool) -> Place {
    let is_number = !recipient.contains('@') && recipient.contains(|c: char| c.is_ascii_digit());
    let service = if service == Service::Sms { "sms" } else { "imessage" };
    Place { recipient, service, chat_key: None, chat: None, recovery: None, sms_fallback: sms_fallback && is_number }
}

/// The first chat under one of the spellings, on one of the accepted services.
fn first(
    db: &ChatDb,
    prefixes: &[&str],
    recipient: &str,
    preferred: &[&str],
    accepted: Option<&[&str]>,
) -> Result<Option<Arc<Chat>>, RpcError> {
    for prefix in prefixes {
        let found = db.chat_for_target(&format!("{prefix}{recipient}"), preferred)?;
        let is_accepted = |chat: &Arc<Chat>| accepted.is_none_or(|services| services.contains(&chat.service.as_str()));
        if let Some(chat) = found.filter(|chat| is_accepted(chat) && !chat.is_group) {
            return Ok(Some(chat));
        }
    }
    Ok(None)
}

fn first_exact(db: &ChatDb, keys: &[String]) -> Result<Option<Arc<Chat>>, RpcError> {
    for key in keys {
        if let Some(chat) = db.chat_exact(key)? {
            return Ok(Some(chat));
        }
    }
    Ok(None)
}

/// A direct chat that Messages may not find by guid can be addressed through its only participant (section 8.3).
fn recovery(chat: &Chat) -> Option<Recovery> {
    let parts: Vec<&str> = chat.guid.split(';').collect();
    let account = chat.account_id.clone().filter(|account| !account.is_empty())?;
    let service = chat.service.to_lowercase();
    let [prefix, "-", address] = parts[..] else { return None };
    let is_direct = address == chat.identifier && chat.participants == [chat.identifier.clone()];
    let is_same_service = prefix == "any" || prefix.eq_ignore_ascii_case(&service);
    let is_known = service == "imessage" || service == "sms";
    (is_direct && is_same_service && is_known).then(|| Recovery { account, recipient: address.to_owned(), service })
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Whether a recipient is who people call so, rather than a number or an address.
pub fn looks_like_a_name(text: &str) -> bool {
    !text.contains('@') && !text.starts_with('+') && !text.chars().all(|c| "0123456789-(). ".contains(c))
}

fn looks_like_a_handle(text: &str) -> bool {
    without_prefix(text) != text || text.contains('@') || text.chars().all(|c| "+0123456789 ()-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(to: &str) -> (Target, Service) {
        Target::parse(to, Service::Auto).unwrap()
    }

    #[test]
    fn prefixes_name_chats_and_services() {
        assert_eq!(parse("chat_id:42").0, Target::Chat(ChatSelector::Id(ChatId(42))));
        assert_eq!(parse("chat_guid:any;-;x").0, Target::Chat(ChatSelector::Guid("any;-;x".into())));
        assert_eq!(parse("Chat_Identifier: chat9").0, Target::Chat(ChatSelector::Identifier("chat9".into())));
        assert_eq!(parse("imessage:+15550001111"), (Target::Recipient("+15550001111".into()), Service::IMessage));
        assert_eq!(parse("sms:+15550001111"), (Target::Recipient("+15550001111".into()), Service::Sms));
        assert_eq!(parse("a@b.c"), (Target::Recipient("a@b.c".into()), Service::Auto));
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for to in ["", "  ", "imessage:", "chat_id:0", "chat_id:x", "chat_guid:"] {
            assert!(Target::parse(to, Service::Auto).is_err(), "{to:?}");
        }
    }

    #[test]
    fn names_are_told_from_addresses() {
        for name in ["John Smith", "Alice", "555-CALL", "Zoë", "chat123"] {
            assert!(looks_like_a_name(name), "{name}");
        }
        for address in ["+15550001111", "(555) 000-1111", "262966", "a@b.c", "+1555CALL", "555.000.1111"] {
            assert!(!looks_like_a_name(address), "{address}");
        }
    }

    #[test]
    fn without_a_database_a_number_can_still_be_written_to() {
        let normalizer = Normalizer::new("US").unwrap();
        let down = || Err(RpcError::internal("down"));
        let (target, service) = parse("(650) 253-0000");
        let place = resolve(&target, service, &normalizer, true, down()).unwrap();
        assert_eq!((place.recipient.as_str(), place.service), ("+16502530000", "imessage"));
        assert!(place.sms_fallback);
        let by_id = Target::Chat(ChatSelector::Id(ChatId(1)));
        assert!(resolve(&by_id, Service::Auto, &normalizer, true, down()).is_err());
    }
}
