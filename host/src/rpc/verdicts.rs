//! What the policies said of rows of the past: the journal's verdicts, and for rows from before the journal began, a
//! question now that leaves no trace.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::RpcError;
use super::{Service, wire};
use crate::journal::{self, Entry};
use crate::judge::{Arrived, Request};
use crate::message::{Arrival, Message, RowId};
use crate::policy::Verdict;
use crate::readers::Reader;
use crate::subscription::Delivery;

/// Own messages and tapbacks are not judged.
pub fn is_judged(message: &Message) -> bool {
    !message.is_from_me && message.tapback.is_none()
}

/// How each of `messages` that was admitted was delivered. What is judged and not in here stays out.
pub async fn deliveries(service: &Service, messages: &[Arc<Message>]) -> Result<HashMap<RowId, Delivery>, RpcError> {
    let judged: Vec<Arc<Message>> =
        messages.iter().filter(|message| is_judged(message) && message.chat.is_some()).cloned().collect();
    let (Some(first), Some(last)) = (judged.iter().map(|m| m.id).min(), judged.iter().map(|m| m.id).max()) else {
        return Ok(HashMap::new());
    };
    let recorded = service.readers.with(move |reader| Recorded::read(reader, first, last)).await?;
    let unknown: Vec<Arc<Message>> =
        judged.into_iter().filter(|message| !recorded.entries.contains_key(&message.guid)).collect();
    let mut deliveries = preview(service, unknown).await?;
    deliveries.extend(recorded.into_deliveries());
    Ok(deliveries)
}

/// Journal rows by guid: a ROWID may have been another message's before the database was replaced.
struct Recorded {
    entries: HashMap<String, Entry>,
    contexts: HashMap<RowId, Vec<wire::ContextMessage>>,
}

impl Recorded {
    fn read(reader: &Reader, first: RowId, last: RowId) -> Result<Recorded, RpcError> {
        let state = reader.state()?.connection();
        let entries = journal::between(state, first, last).map_err(RpcError::internal)?;
        let mut contexts = HashMap::new();
        for entry in entries.iter().filter(|entry| entry.is_delivered()) {
            let ids = journal::context_of(state, entry.message).map_err(RpcError::internal)?;
            if !ids.is_empty() {
                let rows = reader.chatdb.rows(&ids)?;
                contexts.insert(entry.message, rows.iter().map(|row| (&row.message).into()).collect());
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
                labels: entry.labels,
                decided_by: entry.decided_by.map(|(name, _)| name),
                arrival: entry.arrival,
                held: false,
                context,
            };
            (entry.message, delivery)
        })
    }
}

async fn preview(service: &Service, messages: Vec<Arc<Message>>) -> Result<HashMap<RowId, Delivery>, RpcError> {
    if messages.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<RowId> = messages.iter().map(|message| message.id).collect();
    let seen_at = Timestamp::now();
    let rows = messages.into_iter().map(|message| Arrived { message, arrival: Arrival::CatchUp, seen_at }).collect();
    let decisions = service.ask(|reply| Request::Preview(rows, reply)).await?;
    let delivered = ids.into_iter().zip(decisions).filter_map(|(id, decision)| {
        let Verdict::Deliver { route, labels } = decision.verdict else { return None };
        let decided_by = decision.decided_by.map(|(name, _)| name);
        Some((id, Delivery { route, labels, decided_by, arrival: Arrival::CatchUp, held: false, context: Vec::new() }))
    });
    Ok(delivered.collect())
}
