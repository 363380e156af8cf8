//! `account`, `whois` and `nickname`: who we are, and who others are. With `--local`, as far as this Mac knows by
//! itself; the servers of Apple are asked through a private bridge only, which imsgd does not have.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::lines::text;
use super::{Global, Where, bridge, print, read};

#[derive(Subcommand)]
pub enum Local {
    /// List the accounts that chats were had with
    Account(Account),
    /// Tell on which service an address is known to be reachable
    Whois(Address),
    /// Tell the name that Contacts has for an address
    Nickname(Address),
}

#[derive(Args)]
pub struct Account {
    /// By what this Mac knows; there is no other way
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub struct Address {
    /// Phone number or e-mail address
    #[arg(long)]
    address: String,
    /// By what this Mac knows; there is no other way
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    at: Where,
}

impl Local {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (is_local, at, method, params) = match &self {
            Local::Account(account) => (account.local, &account.at, "accounts.list", json!({})),
            Local::Whois(whois) => (whois.local, &whois.at, "handles.whois", json!({"address": whois.address})),
            Local::Nickname(name) => (name.local, &name.at, "contacts.lookup", json!({"address": name.address})),
        };
        if !is_local {
            let text = format!("{}; with `--local` this one tells what this Mac knows", bridge::MISSING);
            return Ok(bridge::refuse(&text, global.json));
        }
        let answer = read::ask(&global.load(at)?, method, params)?;
        print(&match &self {
            _ if global.json => format!("{answer}\n"),
            Local::Account(_) => accounts(&answer),
            Local::Whois(_) => whois(&answer),
            Local::Nickname(_) => nickname(&answer),
        });
        Ok(ExitCode::SUCCESS)
    }
}

fn accounts(answer: &Value) -> String {
    let accounts = answer["accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if accounts.is_empty() {
        return "account: (none found in local history) (source=local)\n".to_owned();
    }
    let line = |account: &Value| {
        let names = [text(account, "login"), text(account, "account_id")];
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        format!("  {name} (chats={})\n", account["chat_count"])
    };
    std::iter::once("accounts (source=local):\n".to_owned()).chain(accounts.iter().map(line)).collect()
}

fn whois(answer: &Value) -> String {
    let (address, service) = (text(answer, "address"), text(answer, "service"));
    format!("whois {address}: {service} (source=local, known={})\n", answer["known"])
}

fn nickname(answer: &Value) -> String {
    let (name, hint) = match (answer["found"] == true, answer["contacts_unavailable"] == true) {
        (true, _) => (text(answer, "local_contact_name"), ""),
        (false, false) => ("(none)", ""),
        (false, true) => (
            "(Contacts unavailable)",
            "Give imsgd Full Disk Access in System Settings, Privacy & Security; \
             then it can read the address books of Contacts.\n\
             `imsgd status` says why they cannot be read, and messages.contacts in the configuration where they are.\n",
        ),
    };
    format!("local_contact_name: {name} (source=local-addressbook)\n{hint}")
}
