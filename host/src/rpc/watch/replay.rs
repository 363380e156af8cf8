//! The past of the stream, a page at a time: first what was delivered late, then rows in their order.

use std::collections::HashMap;
use std::sync::Arc;

use crate::journal;
use crate::message::{Message, RowId};
use crate::place::Place;
use crate::readers::Reader;
use crate::rpc::error::RpcError;
use crate::rpc::{Service, verdicts};
use crate::subscription::{Delivery, Published};

/// Rows that are read at a time.
const PAGE: usize = 200;

/// What was delivered after a place, and the place after that.
pub(super) struct Past {
    pub published: Vec<Published>,
    pub place: Place,
}

/// The next page after `from`, which lies before `to`.
///
/// What was delivered late, and lies before the row of `from`, comes first and in the order of its delivery. What lies
/// behind that row is met among the rows, unless it was delivered after that was decided.
pub(super) async fn next(
    service: &Arc<Service>,
    from: &Place,
    to: &Place,
    with_reactions: bool,
) -> Result<Past, RpcError> {
    if from.released < to.released {
        let (from, last) = (from.clone(), to.released);
        late(service, from, last, with_reactions).await
    } else {
        let (from, head) = (from.clone(), to.clone());
        in_order(service, from, head, with_reactions).await
    }
}

async fn late(service: &Arc<Service>, from: Place, last: i64, with_reactions: bool) -> Result<Past, RpcError> {
    let (after, row) = (from.released, from.row);
    let (entries, rows) = service
        .readers
        .with(move |reader| {
            let state = reader.state()?.connection();
            let entries = journal::released(state, after, last, PAGE).map_err(RpcError::internal)?;
            let ids: Vec<RowId> = entries.iter().map(|entry| entry.message).filter(|id| *id <= row).collect();
            Ok::<_, RpcError>((entries, messages(reader, &ids, with_reactions)?))
        })
        .await?;
    let mut rows = rows;
    let is_full = entries.len() == PAGE;
    let end = entries.last().filter(|_| is_full).and_then(|entry| entry.released).unwrap_or(last);
    let mut deliveries = verdicts::deliveries(service, &mut rows).await?;
    let mut by_id: HashMap<RowId, Arc<Message>> = rows.into_iter().map(|row| (row.id, row)).collect();
    let published = entries.iter().filter_map(|entry| {
        let message = by_id.remove(&entry.message).filter(|message| message.key() == entry.guid)?;
        let delivery = deliveries.remove(&entry.message)?;
        let place = Place { released: entry.released?, ..from.clone() };
        Some(Published::new(message, Some(delivery), place))
    });
    Ok(Past { published: published.collect(), place: Place { released: end, ..from.clone() } })
}

async fn in_order(service: &Arc<Service>, from: Place, head: Place, with_reactions: bool) -> Result<Past, RpcError> {
    let (after, until) = (from.row, head.row);
    let (mut rows, is_full) = service
        .readers
        .with(move |reader| {
            let rows = reader.chatdb.rows_after(after, PAGE)?;
            let is_full = rows.len() == PAGE;
            let mut rows: Vec<Message> =
                rows.into_iter().map(|row| row.message).filter(|message| message.id <= until).collect();
            if with_reactions {
                reader.chatdb.reactions(&mut rows)?;
            }
            Ok::<_, RpcError>((rows.into_iter().map(Arc::new).collect::<Vec<_>>(), is_full))
        })
        .await?;
    let at = |message: &Message| Place { row: message.id, guid: message.guid.as_str().into(), released: from.released };
    let place = match rows.last() {
        Some(last) if is_full => at(last),
        _ => Place { released: from.released, ..head },
    };
    let mut deliveries = verdicts::deliveries(service, &mut rows).await?;
    let is_shown = |message: &Arc<Message>| message.chat.is_some() && message.preview_of.is_none();
    let published = rows.into_iter().filter(is_shown).filter_map(|message| {
        let delivery = deliveries.remove(&message.id);
        if message.is_judged() && !delivery.as_ref().is_some_and(|delivery| is_in_order(delivery, from.released)) {
            return None;
        }
        let place = at(&message);
        Some(Published::new(message, delivery, place))
    });
    Ok(Past { published: published.collect(), place })
}

/// What was delivered late and after the replay looked for such is told as that, later.
fn is_in_order(delivery: &Delivery, released: i64) -> bool {
    delivery.released.is_none_or(|number| number <= released)
}

fn messages(reader: &Reader, ids: &[RowId], with_reactions: bool) -> Result<Vec<Arc<Message>>, RpcError> {
    let mut rows: Vec<Message> = reader.chatdb.rows(ids)?.into_iter().map(|row| row.message).collect();
    if with_reactions {
        reader.chatdb.reactions(&mut rows)?;
    }
    Ok(rows.into_iter().map(Arc::new).collect())
}
