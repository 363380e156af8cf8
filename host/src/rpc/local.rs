//! `accounts.list`, `handles.whois` and `contacts.lookup`: what this Mac knows of accounts and people by itself. `imsg`
//! has these on its command line only.

use std::sync::Arc;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::local::{Accounts, ContactName, Whois};
use super::{Answer, answer};
use crate::readers::{Reader, Readers};

pub const ADDRESS: &[Param] = &[Param::text("address").required().about("A phone number or an e-mail address.")];

pub async fn accounts(readers: &Arc<Readers>) -> Answer {
    let accounts = readers.with(|reader| reader.chatdb.accounts()).await?;
    answer(&Accounts { source: "local", accounts: accounts.iter().map(Into::into).collect() })
}

/// On which service messages with an address went through.
pub async fn whois(readers: &Arc<Readers>, params: &Params) -> Answer {
    let address = params.required_text("address")?;
    let normal = readers.contacts().normalizer().normalize(&address);
    let spellings: Vec<String> = normal.into_iter().chain([address.clone()]).collect();
    let find = move |reader: &Reader| {
        for spelling in spellings {
            if let Some(service) = reader.chatdb.known_service(&spelling)? {
                return Ok(Some(service));
            }
        }
        Ok::<_, RpcError>(None)
    };
    let known = readers.with(find).await?;
    answer(&Whois::new(&address, known))
}

pub async fn lookup(readers: &Arc<Readers>, params: &Params) -> Answer {
    let address = params.required_text("address")?;
    let names = readers.contacts().fresh().await;
    answer(&ContactName::new(&address, names.name(&address), names.problem().is_some()))
}
