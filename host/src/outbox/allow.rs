//! `send.allow_to`: to whom messages may leave at all.

use crate::address::{Normalizer, without_prefix};
use crate::chatdb::ChatDb;
use crate::config::{AllowTo, Everybody};
use crate::message::{Chat, ChatId};
use crate::rpc::error::RpcError;
use crate::rpc::params::ChatSelector;

use super::pace::chat_key;
use super::target::{Place, Target};

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Anyone,
    /// As [`Normalizer::comparable`] spells it.
    Address(String),
    Chat(ChatSelector),
}

impl Entry {
    fn parse(entry: &str, normalizer: &Normalizer) -> Result<Entry, String> {
        let entry = entry.trim();
        if entry == "*" {
            return Ok(Entry::Anyone);
        }
        match Target::parse(entry, super::target::Service::Auto) {
            Ok((Target::Chat(selector), _)) => Ok(Entry::Chat(selector)),
            _ => normalizer.normalize(entry).map(Entry::Address).ok_or_else(|| {
                format!(
                    "`{entry}` is no phone number, e-mail address, chat (`chat_id:42`, `chat_guid:…`, \
                     `chat_identifier:…`) or `*`"
                )
            }),
        }
    }

    fn matches(&self, place: &Place, normalizer: &Normalizer) -> bool {
        let chat = place.chat.as_deref();
        let key = place.chat_key.as_deref();
        match self {
            Entry::Anyone => true,
            Entry::Chat(ChatSelector::Id(id)) => chat.is_some_and(|chat| chat.id == *id),
            Entry::Chat(ChatSelector::Guid(name) | ChatSelector::Identifier(name)) => {
                let names = chat.map(|chat| [chat.guid.as_str(), chat.identifier.as_str()]);
                names.into_iter().flatten().chain(key).any(|known| is_same_chat(known, name))
            }
            // Who may be written to alone is not for that written to among others.
            Entry::Address(_) if place.is_group() => false,
            Entry::Address(address) => {
                let known = chat.map_or(key, |chat| Some(&chat.identifier)).unwrap_or(&place.recipient);
                normalizer.comparable(chat_key(known)) == *address
            }
        }
    }
}

/// Direct chats are the same under `any;-;`, `iMessage;-;` and `SMS;-;`.
fn is_same_chat(known: &str, name: &str) -> bool {
    known == name || known.contains(";-;") && name.contains(";-;") && chat_key(known) == chat_key(name)
}

/// What is wrong with the key's value, if anything.
pub fn check(allow: &AllowTo, normalizer: &Normalizer) -> Result<(), String> {
    let AllowTo::List(entries) = allow else { return Ok(()) };
    entries.iter().try_for_each(|entry| Entry::parse(entry, normalizer).map(drop))
}

/// Refuses a place that may not be written to. `normalizer` is the configuration's own, whatever region a client names.
pub fn permit(
    allow: &AllowTo,
    place: &Place,
    normalizer: &Normalizer,
    db: Result<&ChatDb, RpcError>,
) -> Result<(), RpcError> {
    let refused = |why: &str| Err(RpcError::not_started(why));
    match allow {
        AllowTo::Word(Everybody::Everybody) => Ok(()),
        AllowTo::Word(Everybody::Known) => match db {
            Ok(db) if is_known(place, db)? => Ok(()),
            Ok(_) => refused(
                "send.allow_to is \"known\", and nobody has written in this chat yet; change send.allow_to in the \
                 configuration to write first",
            ),
            Err(_) => refused("send.allow_to is \"known\", and chat.db cannot be read to see who is"),
        },
        AllowTo::List(entries) => {
            let is_listed = entries
                .iter()
                .filter_map(|entry| Entry::parse(entry, normalizer).ok())
                .any(|entry| entry.matches(place, normalizer));
            if is_listed {
                return Ok(());
            }
            refused("send.allow_to does not list this chat; add it to that list in the configuration to write to it")
        }
    }
}

/// Whether somebody else has written in the chat, or in another one with the same person.
fn is_known(place: &Place, db: &ChatDb) -> Result<bool, RpcError> {
    let mut chats: Vec<ChatId> = place.chat.iter().map(|chat| chat.id).collect();
    if !place.is_group() {
        let address = place.chat.as_ref().map_or(place.recipient.as_str(), |chat| &chat.identifier);
        let direct = |chat: &std::sync::Arc<Chat>| !chat.is_group;
        for prefix in ["any;-;", "iMessage;-;", "SMS;-;", "RCS;-;", ""] {
            let found = db.chat_exact(&format!("{prefix}{}", without_prefix(address)))?;
            chats.extend(found.filter(direct).map(|chat| chat.id));
        }
        let linked = db.linked(&chats)?;
        chats.extend(linked.into_values().flatten());
        chats.sort_unstable();
        chats.dedup();
    }
    Ok(db.has_inbound(&chats)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::target::{self, Service};

    fn is_permitted(list: &[&str], to: &str) -> bool {
        let normalizer = Normalizer::new("US").unwrap();
        let allow = AllowTo::List(list.iter().map(|entry| (*entry).to_owned()).collect());
        let down = || Err(RpcError::internal("down"));
        let (target, service) = Target::parse(to, Service::Auto).unwrap();
        let place = target::resolve(&target, service, &normalizer, true, down()).unwrap();
        match permit(&allow, &place, &normalizer, down()) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.data["disposition"], "not_started");
                assert!(error.data["detail"].as_str().unwrap().contains("send.allow_to"));
                false
            }
        }
    }

    #[test]
    fn entries_are_spelled_in_every_way() {
        let number = "+16502530000";
        for entry in ["*", "(650) 253-0000", "imessage:+16502530000", "chat_guid:iMessage;-;+16502530000"] {
            assert!(is_permitted(&[entry], &format!("chat_guid:any;-;{number}")), "{entry}");
        }
        assert!(is_permitted(&["Ann@Example.com"], "ann@example.com"));
        assert!(is_permitted(&["chat_identifier:chat9"], "chat_identifier:chat9"));
        for (entry, to) in [
            ("+16502530001", number),
            ("chat_id:4", number),
            (number, "chat_guid:any;+;chat9"),
            ("chat_guid:any;+;chat8", "chat_guid:any;+;chat9"),
        ] {
            assert!(!is_permitted(&[entry], to), "{entry} {to}");
        }
        assert!(!is_permitted(&[], number), "an empty list allows nobody");
    }

    #[test]
    fn what_is_no_entry_is_said() {
        let normalizer = Normalizer::new("US").unwrap();
        for entry in ["", "Ann", "chat_id:x", "chat_guid:"] {
            let wrong = check(&AllowTo::List(vec![entry.to_owned()]), &normalizer).unwrap_err();
            assert!(wrong.contains("chat_id:42"), "{wrong}");
        }
    }
}
