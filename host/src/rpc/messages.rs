//! `messages.history`, `messages.search`, `messages.after` and `messages.scheduled`.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::RpcError;
use super::param::{
    ATTACHMENTS, CHAT_ID, CONVERT_ATTACHMENTS, END, INCLUDE_REACTIONS, LIMIT, PARTICIPANTS, Param, START,
};
use super::params::Params;
use super::wire::scheduled::{ScheduledMessage, ScheduledMessages};
use super::{Answer, Service, answer, verdicts, wire};
use crate::attachments::{Conversions, Files};
use crate::chatdb::{After, History, Page, Search, TextMatch};
use crate::contacts::Catalog;
use crate::message::{self, RowId};
use crate::readers::{Reader, Readers};

const SINCE_ROWID: Param =
    Param::integer("since_rowid").at_least(-1).required().selector().refusal("must be a non-negative integer");

pub const HISTORY: &[Param] = &[
    CHAT_ID.required().about("The chat's row."),
    LIMIT.default(50),
    PARTICIPANTS,
    START,
    END,
    ATTACHMENTS,
    CONVERT_ATTACHMENTS,
];
pub const SEARCH: &[Param] = &[
    Param::text("query").required().about("What to look for; spaces around it do not count."),
    Param::choice("match", &["contains", "exact"]).about("Whether the text contains it, or is exactly it."),
    // A search reads until it has found as many.
    LIMIT.at_most(100).default(50).refusal("must be between 1 and 100"),
];
pub const AFTER: &[Param] = &[
    SINCE_ROWID.about("Rows after this one; 0, or -1, for all. Go on with `next_rowid` of the answer."),
    CHAT_ID,
    // A longer page would keep a connection's line for too long.
    LIMIT.at_most(500).default(100),
    ATTACHMENTS,
    CONVERT_ATTACHMENTS,
    INCLUDE_REACTIONS,
];
/// Row numbers of one answer at most. Fewer cost more for each, and more take more memory.
pub const EXPORT_ROWS: usize = 2_000;

pub const EXPORT: &[Param] = &[
    SINCE_ROWID.about("Rows after this one; 0, or -1, for all. Go on with `next_rowid` of the answer, or anywhere."),
    LIMIT
        .at_most(EXPORT_ROWS as i64)
        .default(500)
        .about("As many row numbers after it, whether or not there are such rows."),
    ATTACHMENTS,
    CONVERT_ATTACHMENTS,
];
pub const SCHEDULED: &[Param] = &[LIMIT.default(50)];

const NO_SCHEDULE: &str = "scheduled messages are unavailable because this Messages database has no schedule columns";

pub async fn history(readers: &Arc<Readers>, files: &Arc<Files>, params: Params) -> Answer {
    let query = History {
        chat: params.required_chat_id()?,
        limit: params.count("limit")?,
        participants: params.texts("participants")?,
        start: params.date("start")?,
        end: params.date("end")?,
    };
    let shown = Shown::check(&params)?;
    let messages = readers.with(move |reader| reader.chatdb.history(&query)).await?;
    let attachments: Vec<_> = messages.iter().map(|message| &*message.attachments).collect();
    let converted = shown.converted(files, &attachments).await;
    let names = readers.contacts().catalog();
    answer(&wire::Messages { messages: shown.objects(&messages, &converted, &names).collect() })
}

/// What of attachments is asked for.
#[derive(Debug)]
pub struct Shown {
    pub attachments: bool,
    pub convert: bool,
}

impl Shown {
    pub fn check(params: &Params) -> Result<Shown, RpcError> {
        let attachments = params.flag("attachments")?;
        let convert = params.flag("convert_attachments")? && attachments;
        Ok(Shown { attachments, convert })
    }

    /// For each message, what its attachments were converted into.
    async fn converted(&self, files: &Files, messages: &[&[message::Attachment]]) -> Conversions {
        match self.convert {
            true => files.converted(messages).await,
            false => vec![Vec::new(); messages.len()],
        }
    }

    fn objects<'a>(
        &self,
        messages: &'a [message::Message],
        converted: &'a Conversions,
        names: &'a Catalog,
    ) -> impl ExactSizeIterator<Item = wire::Message<'a>> + use<'a> {
        let attachments = self.attachments;
        let object = move |(message, files): (&'a _, &'a Vec<_>)| {
            wire::Message::new(message, attachments).with_converted(files).named(names)
        };
        messages.iter().zip(converted).map(object)
    }
}

pub async fn search(readers: &Arc<Readers>, params: Params) -> Answer {
    let text = params.text("query")?.unwrap_or_default().trim().to_owned();
    if text.is_empty() {
        return Err(RpcError::params("query must be a non-empty string"));
    }
    let matching = match params.text("match")?.as_deref() {
        None | Some("contains") => TextMatch::Contains,
        Some("exact") => TextMatch::Exact,
        Some(_) => return Err(RpcError::params("match must be contains or exact")),
    };
    let query = Search { text, matching, limit: params.count("limit")? };
    let messages = readers.with(move |reader| reader.chatdb.search(&query)).await?;
    let names = readers.contacts().catalog();
    let object = |message| wire::Message::new(message, false).named(&names);
    answer(&wire::Messages { messages: messages.iter().map(object).collect() })
}

/// A page of what was delivered: messages that the policies kept from subscribers are not in it, but are passed by.
pub async fn after(service: &Service, params: Params) -> Answer {
    let limit = params.count("limit")?;
    let query = After {
        since: since(&params)?,
        chat: params.chat_id()?,
        limit,
        include_reactions: params.flag("include_reactions")?,
    };
    let wanted = Shown::check(&params)?;
    let page = service.readers.with(move |reader| reader.chatdb.after(&query)).await?;
    let mut rows: Vec<Arc<message::Message>> = page.messages.into_iter().map(Arc::new).collect();
    let deliveries = verdicts::deliveries(service, &mut rows).await?;
    let is_shown = |row: &&Arc<message::Message>| !row.is_judged() || deliveries.contains_key(&row.id);
    let rows: Vec<_> = rows.iter().filter(is_shown).collect();
    let attachments: Vec<_> = rows.iter().map(|row| &*row.attachments).collect();
    let converted = wanted.converted(&service.files, &attachments).await;
    let names = service.readers.contacts().catalog();
    let shown = rows.iter().zip(&converted).map(|(row, converted)| {
        let message = wire::Message::new(row, wanted.attachments).with_converted(converted);
        let message = match deliveries.get(&row.id) {
            Some(delivery) => message.with_policy(delivery),
            None => message,
        };
        message.named(&names)
    });
    answer(&wire::Page { messages: shown.collect(), next_rowid: page.next_rowid.0, has_more: page.has_more })
}

fn since(params: &Params) -> Result<RowId, RpcError> {
    let since = params.integer("since_rowid")?;
    let since = since.ok_or_else(|| RpcError::params("since_rowid must be a non-negative integer"))?;
    Ok(RowId(since.max(0)))
}

/// All that is in some rows, whatever the policies said of it.
pub async fn export(readers: &Arc<Readers>, files: &Arc<Files>, params: &Params) -> Answer {
    exported(readers, files, params, |export, names| {
        let (next_rowid, has_more) = (export.page.next_rowid.0, export.page.has_more);
        wire::to_raw(&wire::Page { messages: export.objects(names).collect(), next_rowid, has_more })
    })
    .await
}

/// The same for who prints it: a line for each message, and whether there are more.
pub async fn export_lines(
    readers: &Arc<Readers>,
    files: &Arc<Files>,
    params: &Params,
) -> Result<(Vec<u8>, bool), RpcError> {
    exported(readers, files, params, |export, names| (wire::to_lines(export.objects(names)), export.page.has_more))
        .await
}

struct Export {
    shown: Shown,
    page: Page,
    converted: Conversions,
}

impl Export {
    fn objects<'a>(&'a self, names: &'a Catalog) -> impl ExactSizeIterator<Item = wire::Message<'a>> {
        self.shown.objects(&self.page.messages, &self.converted, names)
    }
}

/// A page is large: it is written where it is read, with what is in the processor's caches, and away from the threads
/// that serve others.
async fn exported<T: Send + 'static>(
    readers: &Arc<Readers>,
    files: &Arc<Files>,
    params: &Params,
    write: fn(&Export, &Catalog) -> T,
) -> Result<T, RpcError> {
    let (since, count) = (since(params)?, params.count("limit")?);
    let shown = Shown::check(params)?;
    let names = readers.contacts().catalog();
    if !shown.convert {
        let read = move |reader: &Reader| {
            let page = reader.chatdb.span(since, count)?;
            let converted = vec![Vec::new(); page.messages.len()];
            Ok::<_, RpcError>(write(&Export { shown, page, converted }, &names))
        };
        return readers.with(read).await;
    }
    let page = readers.with(move |reader| reader.chatdb.span(since, count)).await?;
    let attachments: Vec<_> = page.messages.iter().map(|message| &*message.attachments).collect();
    let converted = shown.converted(files, &attachments).await;
    Ok(write(&Export { shown, page, converted }, &names))
}

pub async fn scheduled(readers: &Arc<Readers>, params: Params) -> Answer {
    let limit = params.count("limit")?;
    let read = move |reader: &Reader| {
        if !reader.chatdb.schema().features().scheduled_messages {
            return Err(RpcError::params(NO_SCHEDULE));
        }
        Ok(reader.chatdb.scheduled(Timestamp::now(), limit)?)
    };
    let scheduled = readers.with(read).await?;
    answer(&ScheduledMessages { messages: scheduled.iter().map(ScheduledMessage::new).collect() })
}
