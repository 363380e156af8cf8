//! What the policies said of rows of the past: the journal's verdicts, and for rows from before the journal began, a
//! question now that leaves no trace.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::RpcError;
use super::{Service, wire};
use crate::journal::{self, Entry};
use crate::judge::{Arrived, Preview, Request};
use crate::message::{Arrival, Message, RowId};
use crate::policy::{Decision, Verdict};
use crate::readers::Reader;
use crate::state::notice;
use crate::subscription::Delivery;

/// How each of `messages` that was admitted was delivered. What is judged and not in here stays out. What may
/// say something else since it was judged is judged by what it says now, and loses the texts that the policies would
/// not let through.
pub async fn deliveries(
    service: &Service,
    messages: &mut [Arc<Message>],
) -> Result<HashMap<RowId, Delivery>, RpcError> {
    let judged: Vec<Arc<Message>> =
        messages.iter().filter(|message| message.is_judged() && message.chat.is_some()).cloned().collect();
    if judged.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = judged.iter().map(|message| (message.key().into_owned(), message.id)).collect();
    let recorded = service.readers.with(move |reader| Recorded::read(reader, &rows)).await?;
    let is_open = |message: &Arc<Message>| match recorded.entries.get(&*message.key()) {
        None => true,
        Some(entry) => entry.is_delivered() && message.may_differ(),
    };
    let open: Vec<Arc<Message>> = judged.into_iter().filter(is_open).collect();
    let mut deliveries: HashMap<RowId, Delivery> = recorded.into_deliveries().collect();
    for (id, preview) in preview(service, open).await? {
        let known = deliveries.remove(&id);
        if let Some(delivery) = delivery_now(preview.decision, known) {
            deliveries.insert(id, delivery);
        }
        if let Some(message) = messages.iter_mut().find(|message| message.id == id) {
            *message = preview.message;
        }
    }
    Ok(deliveries)
}

/// By what a row says now; `known` is how it was delivered when it said something else.
fn delivery_now(decision: Decision, known: Option<Delivery>) -> Option<Delivery> {
    let Verdict::Deliver { route, labels } = decision.verdict else { return None };
    let first_route = known.as_ref().map(|known| known.route.clone()).filter(|first| *first != route);
    let (held, released) = known.as_ref().map_or((false, None), |known| (known.held, known.released));
    let (arrival, context) = known.map_or((Arrival::CatchUp, Vec::new()), |known| (known.arrival, known.context));
    let decided_by = decision.decided_by.map(|(name, _)| name);
    Some(Delivery { route, first_route, labels, decided_by, arrival, held, released, context })
}

/// Journal rows by guid.
#[derive(Default)]
struct Recorded {
    entries: HashMap<String, Entry>,
    contexts: HashMap<RowId, Vec<wire::ContextMessage>>,
}

impl Recorded {
    fn read(reader: &Reader, rows: &HashMap<String, RowId>) -> Result<Recorded, RpcError> {
        let state = reader.state()?.connection();
        let (first, last) = (rows.values().min(), rows.values().max());
        let Some((first, last)) = first.zip(last) else { return Ok(Recorded::default()) };
        let mut entries = journal::between(state, *first, *last).inspect_err(notice).map_err(RpcError::internal)?;
        // A ROWID may have been another message's before the database was replaced: a verdict on that says nothing.
        entries.retain(|entry| rows.get(&entry.guid) == Some(&entry.message));
        let mut contexts = HashMap::new();
        for entry in entries.iter().filter(|entry| entry.is_delivered()) {
            let observed = journal::context_of(state, entry.message).inspect_err(notice).map_err(RpcError::internal)?;
            let ids: Vec<RowId> = observed.iter().map(|observed| observed.message).collect();
            if !ids.is_empty() {
                let rows = reader.chatdb.rows(&ids)?.into_iter().map(|row| row.message);
                let rows = rows.filter(|row| observed.iter().any(|observed| observed.is(row)));
                contexts.insert(entry.message, rows.map(|row| (&row).into()).collect());
            }
        }
        let entries = entries.into_iter().map(|entry| (entry.guid.clone(), entry)).collect();
        Ok(Recorded { entries, contexts })
    }

    fn into_deliveries(mut self) -> impl Iterator<Item = (RowId, Delivery)> {
        self.entries.into_values().filter(Entry::is_delivered).map(move |entry| {
            let context = self.contexts.remove(&entry.message).unwrap_or_default();
            let delivery = Delivery {
                route: entry.route.unwrap_or_default(),
                first_route: None,
                labels: entry.labels,
                decided_by: entry.decided_by.map(|(name, _)| name),
                arrival: entry.arrival,
                held: entry.was_held,
                released: entry.released,
                context,
            };
            (entry.message, delivery)
        })
    }
}

async fn preview(service: &Service, messages: Vec<Arc<Message>>) -> Result<Vec<(RowId, Preview)>, RpcError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<RowId> = messages.iter().map(|message| message.id).collect();
    let seen_at = Timestamp::now();
    let row = |message| Arrived { message, arrival: Arrival::CatchUp, seen_at, change: None };
    let rows = messages.into_iter().map(row).collect();
    let previews = service.ask(|reply| Request::Preview(rows, reply)).await?;
    Ok(ids.into_iter().zip(previews).collect())
}
