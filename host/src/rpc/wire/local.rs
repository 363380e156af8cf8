//! The objects of `accounts.list`, `handles.whois` and `contacts.lookup`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::chatdb::{self, KnownService};

/// The owner's accounts, the one with the most chats first.
#[derive(Serialize, JsonSchema)]
pub struct Accounts<'a> {
    #[schemars(extend("enum" = ["local"]))]
    pub source: &'static str,
    pub accounts: Vec<Account<'a>>,
}

/// An account, as chats name it.
#[derive(Serialize, JsonSchema)]
pub struct Account<'a> {
    /// Empty where chats name the id only.
    login: &'a str,
    /// Empty where chats name the login only.
    account_id: &'a str,
    chat_count: u64,
}

impl<'a> From<&'a chatdb::Account> for Account<'a> {
    fn from(account: &'a chatdb::Account) -> Account<'a> {
        Account { login: &account.login, account_id: &account.id, chat_count: account.chat_count }
    }
}

/// The service on which an address can be reached, as far as earlier messages tell.
#[derive(Serialize, JsonSchema)]
pub struct Whois<'a> {
    /// As asked.
    address: &'a str,
    #[schemars(extend("enum" = ["imessage", "sms", "unknown"]))]
    service: &'static str,
    known: bool,
    #[schemars(extend("enum" = ["local"]))]
    source: &'static str,
}

impl<'a> Whois<'a> {
    pub fn new(address: &'a str, known: Option<KnownService>) -> Whois<'a> {
        let service = match known {
            Some(KnownService::IMessage) => "imessage",
            Some(KnownService::Sms) => "sms",
            None => "unknown",
        };
        Whois { address, service, known: known.is_some(), source: "local" }
    }
}

/// The name that the owner's contacts have for an address.
#[derive(Serialize, JsonSchema)]
pub struct ContactName<'a> {
    /// As asked.
    address: &'a str,
    /// Empty where there is none.
    local_contact_name: &'a str,
    found: bool,
    #[schemars(extend("enum" = ["local-addressbook"]))]
    source: &'static str,
    /// True where nobody can be found, because the contacts cannot be read.
    contacts_unavailable: bool,
}

impl<'a> ContactName<'a> {
    pub fn new(address: &'a str, name: Option<&'a str>, contacts_unavailable: bool) -> ContactName<'a> {
        let (local_contact_name, found) = (name.unwrap_or_default(), name.is_some());
        ContactName { address, local_contact_name, found, source: "local-addressbook", contacts_unavailable }
    }
}
