//! The reader: pages of received messages, each in a short read of its own, without those that no policy is asked about.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use super::{Bounds, Error, Page, Span};
use crate::address::Normalizer;
use crate::chatdb::{self, ChatDb, TailRow};
use crate::judge::{Echoes, is_to_ourselves};
use crate::message::{Message, RowId};

/// Rows read at a time.
const PAGE: usize = 500;

pub(super) enum Said {
    /// First of all.
    Bounds(Bounds),
    Page(Page),
}

/// Reads until the end, or until `stop` is set or nobody listens.
pub(super) fn run(
    path: &Path,
    span: &Span,
    normalizer: &Normalizer,
    stop: &AtomicBool,
    pages: &SyncSender<Result<Said, Error>>,
) {
    let goes_on = |said| pages.send(said).is_ok() && !stop.load(Ordering::Relaxed);
    if let Err(error) = read(path, span, normalizer, &|said| goes_on(Ok(said))) {
        let _ = pages.send(Err(error));
    }
}

fn read(path: &Path, span: &Span, normalizer: &Normalizer, tell: &dyn Fn(Said) -> bool) -> Result<(), Error> {
    let db = ChatDb::open(path)?;
    let bounds = bounds(&db, span)?;
    if !tell(Said::Bounds(bounds)) {
        return Ok(());
    }
    let mut echoes = Echoes::default();
    let mut after = bounds.after;
    loop {
        let which = chatdb::Inbound { after, last: bounds.last, chat: span.chat, limit: PAGE };
        let rows = db.inbound(&which)?;
        if !db.is_current() {
            return Err(Error::Replaced);
        }
        let is_last = rows.len() < PAGE;
        after = if is_last { bounds.last } else { rows.last().map_or(bounds.last, |row| row.message.id) };
        let mut messages = Vec::with_capacity(rows.len());
        for TailRow { message, .. } in rows {
            if is_asked_about(&db, &message, span, normalizer, &mut echoes)? {
                messages.push(Arc::new(message));
            }
        }
        if !tell(Said::Page(Page { messages, last: after })) || is_last {
            return Ok(());
        }
    }
}

fn bounds(db: &ChatDb, span: &Span) -> Result<Bounds, Error> {
    let last = db.max_rowid()?;
    let first = match span.since {
        None => Some(RowId(1)),
        Some(since) => db.first_since(since)?,
    };
    Ok(Bounds { after: first.map_or(last, |first| RowId(first.0 - 1).min(last)), last })
}

/// As the judge does it: not about previews of links that were said before, tapbacks, echoes of our own words, and what
/// Messages never put into a chat.
fn is_asked_about(
    db: &ChatDb,
    message: &Message,
    span: &Span,
    normalizer: &Normalizer,
    echoes: &mut Echoes,
) -> Result<bool, Error> {
    let Some(chat) = &message.chat else { return Ok(false) };
    let is_in_span = span.chat.is_none_or(|wanted| wanted == chat.id)
        && span.since.is_none_or(|since| message.sent_at >= since)
        && span.until.is_none_or(|until| message.sent_at < until);
    if !is_in_span || message.preview_of.is_some() || !message.is_judged() {
        return Ok(false);
    }
    Ok(!is_to_ourselves(message, normalizer) || echoes.own(db, message)?.is_none())
}
