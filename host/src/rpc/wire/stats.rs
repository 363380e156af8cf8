//! The objects of `messages.stats`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::chatdb::{self, ChatName, MediaCount};

/// How many messages there are. Tapbacks and previews of links are not counted. The greatest count comes first, but
/// `dates` begin with the earliest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageStats")]
pub struct Stats<'a> {
    total_messages: u64,
    sent_messages: u64,
    received_messages: u64,
    /// Whose midnights separate the days.
    time_zone: &'a str,
    chats: Vec<ChatCount<'a>>,
    /// Of received messages.
    senders: Vec<SenderCount<'a>>,
    services: Vec<ServiceCount<'a>>,
    dates: Vec<DateCount>,
    /// Only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct ChatCount<'a> {
    chat_id: i64,
    identifier: &'a str,
    name: &'a str,
    service: &'a str,
    message_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct SenderCount<'a> {
    handle: &'a str,
    message_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct ServiceCount<'a> {
    service: &'a str,
    message_count: u64,
}

#[derive(Serialize, JsonSchema)]
struct DateCount {
    /// Year, month and day.
    date: String,
    message_count: u64,
}

/// How many attachments there are.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MediaStats")]
struct Media<'a> {
    total_attachments: u64,
    total_bytes: u64,
    types: Vec<MediaTypeCount<'a>>,
    chats: Vec<ChatMediaCount<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct MediaTypeCount<'a> {
    uti: &'a str,
    mime_type: &'a str,
    attachment_count: u64,
    total_bytes: u64,
}

#[derive(Serialize, JsonSchema)]
struct ChatMediaCount<'a> {
    chat_id: i64,
    identifier: &'a str,
    name: &'a str,
    attachment_count: u64,
    total_bytes: u64,
}

impl<'a> Stats<'a> {
    pub fn new(stats: &'a chatdb::Stats, time_zone: &'a str) -> Stats<'a> {
        let sender = |(handle, message_count): &'a (String, u64)| SenderCount { handle, message_count: *message_count };
        let service =
            |(service, message_count): &'a (String, u64)| ServiceCount { service, message_count: *message_count };
        Stats {
            total_messages: stats.sent + stats.received,
            sent_messages: stats.sent,
            received_messages: stats.received,
            time_zone,
            chats: stats.chats.iter().map(|(chat, count)| ChatCount::new(chat, *count)).collect(),
            senders: stats.senders.iter().map(sender).collect(),
            services: stats.services.iter().map(service).collect(),
            dates: stats
                .dates
                .iter()
                .map(|(date, count)| DateCount { date: date.to_string(), message_count: *count })
                .collect(),
            media: stats.media.as_ref().map(Media::new),
        }
    }
}

impl<'a> ChatCount<'a> {
    fn new(chat: &'a ChatName, message_count: u64) -> ChatCount<'a> {
        let ChatName { id, identifier, name, service } = chat;
        ChatCount { chat_id: id.0, identifier, name, service, message_count }
    }
}

impl<'a> Media<'a> {
    fn new(media: &'a chatdb::MediaStats) -> Media<'a> {
        let of_type = |((uti, mime_type), count): &'a ((String, String), MediaCount)| MediaTypeCount {
            uti,
            mime_type,
            attachment_count: count.attachments,
            total_bytes: count.bytes,
        };
        let of_chat = |(chat, count): &'a (ChatName, MediaCount)| ChatMediaCount {
            chat_id: chat.id.0,
            identifier: &chat.identifier,
            name: &chat.name,
            attachment_count: count.attachments,
            total_bytes: count.bytes,
        };
        Media {
            total_attachments: media.total.attachments,
            total_bytes: media.total.bytes,
            types: media.types.iter().map(of_type).collect(),
            chats: media.chats.iter().map(of_chat).collect(),
        }
    }
}
