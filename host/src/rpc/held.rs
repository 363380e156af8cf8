//! `held.list`, `held.show`, `held.release`, `held.drop`: messages that wait for their owner's word or a policy.

use std::collections::BTreeMap;

use super::error::RpcError;
use super::journal::entry_of;
use super::param::Param;
use super::params::Params;
use super::wire::held::{HeldHandled, HeldMessage, HeldMessages, HeldOutcome, HeldShown};
use super::{Answer, Service, answer, wire};
use crate::journal::{self, Entry, HeldPlace};
use crate::judge::{ByHand, Deed, HandError, Handled, Request};
use crate::message::{Message, RowId};
use crate::readers::Reader;
use crate::state;

/// Outcomes that an answer names; it counts all.
const NAMED: usize = 100;

const GUID: Param = Param::text("guid").selector().about("The message.");
const ROWID: Param = Param::integer("rowid").selector().about("The message's row.");

pub const LIST: &[Param] = &[
    Param::integer("limit").at_least(1).at_most(500).default(100).about("How many at most."),
    Param::text("after").selector().about("Go on after the message with this guid: `next` of the page before."),
];
pub const SHOW: &[Param] = &[GUID, ROWID];
pub const CHOICE: &[Param] = &[
    GUID,
    ROWID,
    Param::text("sender").selector().about("All held messages of this address."),
    Param::flag("all").about("All held messages."),
];

/// `{limit?, after?}` → a page of held messages in the order of their rows, without their texts.
pub async fn list(service: &Service, params: &Params) -> Answer {
    let limit = params.count("limit")?;
    let after = params.text("after")?;
    let read = move |reader: &Reader| {
        let state = reader.state()?.connection();
        let after = match after {
            None => HeldPlace::start(),
            Some(guid) => {
                let entry = entry_of(reader, &guid)?;
                let unknown = || RpcError::params(format!("after: the journal has no message {guid}"));
                HeldPlace::of(&entry.ok_or_else(unknown)?)
            }
        };
        let held = journal::held_page(state, None, &after, limit).map_err(state::Error::from)?;
        let total = journal::held_count(state).map_err(state::Error::from)?;
        Ok::<_, RpcError>((held, total))
    };
    let (held, total) = service.readers.with(read).await?;
    let names = service.readers.contacts().catalog();
    let next = if held.len() == limit { held.last().map(|entry| entry.guid.as_str()) } else { None };
    answer(&HeldMessages { held: held.iter().map(|entry| HeldMessage::new(entry, &names)).collect(), total, next })
}

/// `{guid}` or `{rowid}` → one held message with what it says.
pub async fn show(service: &Service, params: &Params) -> Answer {
    let (guid, row) = one_message(params)?;
    if guid.is_some() == row.is_some() {
        return Err(RpcError::params("exactly one of guid or rowid is required"));
    }
    let read = move |reader: &Reader| {
        let entry = look_up(reader, guid, row)?;
        let message = reader.chatdb.rows(&[entry.message])?.into_iter().map(|row| row.message);
        let message = message.into_iter().find(|message: &Message| message.key() == entry.guid);
        Ok::<_, RpcError>((entry, message))
    };
    let (entry, message) = service.readers.with(read).await?;
    let names = service.readers.contacts().catalog();
    let message = message.as_ref().map(|message| wire::Message::new(message, true).named(&names));
    answer(&HeldShown { held: HeldMessage::new(&entry, &names), message })
}

/// `{guid}`, `{rowid}`, `{sender}` or `{all: true}` → what became of each: judged again, the owner's word standing in
/// for a code.
pub async fn release(service: &Service, params: &Params) -> Answer {
    by_hand(service, params, Deed::Release).await
}

/// The same choice → never delivered.
pub async fn drop_held(service: &Service, params: &Params) -> Answer {
    by_hand(service, params, Deed::Drop).await
}

fn one_message(params: &Params) -> Result<(Option<String>, Option<RowId>), RpcError> {
    Ok((params.text("guid")?, params.integer("rowid")?.map(RowId)))
}

/// The held entry of one message, or why there is none.
fn look_up(reader: &Reader, guid: Option<String>, row: Option<RowId>) -> Result<Entry, RpcError> {
    let (entry, name) = match (guid, row) {
        (Some(guid), _) => (entry_of(reader, &guid)?, guid),
        (None, Some(row)) => {
            let state = reader.state()?.connection();
            (journal::held_at(state, row).map_err(state::Error::from)?, row.to_string())
        }
        (None, None) => return Err(RpcError::params("guid or rowid is required")),
    };
    match entry {
        Some(entry) if entry.verdict == "held" => Ok(entry),
        Some(entry) => Err(RpcError::params(format!("{name} is not held: it was {}", entry.verdict))),
        None => Err(RpcError::params(format!("no message {name} is held; `held.list` has those that are"))),
    }
}

async fn by_hand(service: &Service, params: &Params, deed: Deed) -> Answer {
    let (guid, row) = one_message(params)?;
    let (sender, all) = (params.text("sender")?, params.flag("all")?);
    let given = [guid.is_some(), row.is_some(), sender.is_some(), all];
    if given.into_iter().filter(|is_given| *is_given).count() != 1 {
        return Err(RpcError::params("exactly one of guid, rowid, sender or all is required"));
    }
    if sender.as_ref().is_some_and(|sender| sender.trim().is_empty()) {
        return Err(RpcError::params("sender must be a non-empty string"));
    }
    let one = match guid.is_some() || row.is_some() {
        true => Some(HeldPlace::of(&service.readers.with(move |reader| look_up(reader, guid, row)).await?)),
        false => None,
    };
    let mut order = ByHand { deed, one, sender, after: HeldPlace::start() };
    let mut outcome = Outcome::default();
    // Some at a time, so that what arrives meanwhile does not wait for all of it.
    loop {
        let asked = order.clone();
        let handled = service.ask(|reply| Request::ByHand(asked, reply)).await?.map_err(refused)?;
        let next = outcome.add(handled);
        match next {
            Some(place) => order.after = place,
            None => break,
        }
    }
    let messages = outcome.named.iter().map(HeldOutcome::new).collect();
    answer(&HeldHandled { ok: true, verdicts: outcome.verdicts, missing: outcome.missing, messages })
}

#[derive(Default)]
struct Outcome {
    verdicts: BTreeMap<String, usize>,
    missing: usize,
    named: Vec<Entry>,
}

impl Outcome {
    /// Adds one step, and says where the next begins.
    fn add(&mut self, handled: Handled) -> Option<HeldPlace> {
        self.missing += handled.missing;
        for entry in handled.entries {
            *self.verdicts.entry(entry.verdict.clone()).or_default() += 1;
            if self.named.len() < NAMED {
                self.named.push(entry);
            }
        }
        handled.next
    }
}

fn refused(error: HandError) -> RpcError {
    match error {
        HandError::Database(error) => error.into(),
        HandError::Journal(_) | HandError::NotKept => RpcError::internal(error),
    }
}
