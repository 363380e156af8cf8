//! `journal.list` and `journal.subscribe`: the journal as it is, and each verdict as it is given.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::address::Normalizer;
use crate::journal::{self, Entry, Wanted};
use crate::readers::Reader;
use crate::rpc::error::RpcError;
use crate::rpc::feed::{Feed, notification};
use crate::rpc::journal::entry_of;
use crate::rpc::param::{CHAT_ID, Param};
use crate::rpc::params::Params;
use crate::rpc::wire::journal::{JournalEntry, JournalNotification, JournalPage, Missed, VERDICTS};
use crate::rpc::{Answer, Service, answer};
use crate::state;
use crate::subscription::VERDICTS_WAITING;

const VERDICT: Param = Param { default: None, ..Param::choice("verdict", &VERDICTS) }.selector().about("Only these.");
const SENDER: Param = Param::text("sender").selector().about("Only messages of this address.");

pub const LIST: &[Param] = &[
    Param::integer("limit").at_least(1).at_most(500).default(50).about("How many at most."),
    VERDICT,
    CHAT_ID,
    SENDER,
    Param::text("before").selector().about("Older than the entry with this guid: `next` of the page before."),
];
pub const SUBSCRIBE: &[Param] = &[VERDICT, CHAT_ID, SENDER];

fn wanted(service: &Service, params: &Params) -> Result<Wanted, RpcError> {
    let verdict = params.text("verdict")?;
    if verdict.as_ref().is_some_and(|verdict| !VERDICTS.contains(&verdict.as_str())) {
        return Err(RpcError::params(format!("verdict must be one of {}", VERDICTS.join(", "))));
    }
    let sender = params.text("sender")?;
    let normalizer = Normalizer::new(&service.config.load().messages.region);
    let compared = |sender: String| normalizer.as_ref().map_or(sender.clone(), |of| of.comparable(&sender));
    Ok(Wanted { verdict, chat: params.chat_id()?, sender: sender.map(compared) })
}

/// A page of the journal, the newest first.
pub async fn list(service: &Service, params: &Params) -> Answer {
    let (limit, before) = (params.count("limit")?, params.text("before")?);
    let wanted = wanted(service, params)?;
    let read = move |reader: &Reader| {
        let state = reader.state()?.connection();
        let before = match before {
            None => None,
            Some(guid) => {
                let entry = entry_of(reader, &guid)?;
                Some(entry.ok_or_else(|| RpcError::params(format!("before: the journal has no message {guid}")))?)
            }
        };
        let entries = journal::list(state, &wanted, before.as_ref(), limit).map_err(state::Error::from)?;
        Ok::<_, RpcError>(entries)
    };
    let entries = service.readers.with(read).await?;
    let names = service.readers.contacts().catalog();
    let next = if entries.len() == limit { entries.last().map(|entry| entry.guid.as_str()) } else { None };
    answer(&JournalPage { entries: entries.iter().map(|entry| JournalEntry::new(entry, &names)).collect(), next })
}

/// Every verdict from now on that the client wants.
pub fn open(service: Arc<Service>, number: u64, map: Map<String, Value>) -> Result<(Feed<Entry>, usize), RpcError> {
    let wanted = wanted(&service, &Params::new("journal.subscribe", map, SUBSCRIBE)?)?;
    let entries = service.hub.verdicts.subscribe();
    let said = move |entry: &Entry| {
        wanted.wants(entry).then(|| {
            let names = service.readers.contacts().catalog();
            let entry = JournalEntry::new(entry, &names);
            notification("journal", &JournalNotification { subscription: number, entry })
        })
    };
    let missed = move |missed| notification("journal.missed", &Missed { subscription: number, missed });
    Ok((Feed::new(entries, said, missed), VERDICTS_WAITING))
}
