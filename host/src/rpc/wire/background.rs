//! The object of `chats.background`.

use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::chatdb;
use crate::message::Chat;

/// The picture behind a chat. What is not written down is left out.
#[derive(Serialize, JsonSchema)]
pub struct Background<'a> {
    /// Always true: a failure is an error.
    ok: bool,
    chat_id: i64,
    chat_guid: &'a str,
    background_set: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    background_channel_guid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    communication_safety_state: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// Where Messages keeps the picture, with a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_exists: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_background_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_background_exists: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_event: Option<BackgroundEvent<'a>>,
}

/// The last time that the background was set or taken away.
#[derive(Serialize, JsonSchema)]
struct BackgroundEvent<'a> {
    row_id: i64,
    guid: &'a str,
    #[schemars(extend("enum" = ["set", "clear"]))]
    action: &'static str,
    date: Date,
}

/// A file of the cache, and whether it is there.
pub type Cached = (String, bool);

impl<'a> Background<'a> {
    pub fn new(chat: &'a Chat, of: &'a chatdb::Background, caches: Option<(Cached, Cached)>) -> Background<'a> {
        let (cache, watch) = caches.unzip();
        let (cache_path, cache_exists) = cache.unzip();
        let (watch_background_path, watch_background_exists) = watch.unzip();
        Background {
            ok: true,
            chat_id: chat.id.0,
            chat_guid: &chat.guid,
            background_set: of.is_set(),
            background_channel_guid: of.channel_guid.as_deref(),
            asset_url: of.asset_url.as_deref(),
            asset_id: of.asset_id.as_deref(),
            object_id: of.object_id.as_deref(),
            file_size: of.file_size,
            poster_version: of.poster_version,
            communication_safety_state: of.communication_safety_state,
            version: of.version,
            cache_path,
            cache_exists,
            watch_background_path,
            watch_background_exists,
            latest_event: of.latest_event.as_ref().map(|event| BackgroundEvent {
                row_id: event.id.0,
                guid: &event.guid,
                action: if event.is_set { "set" } else { "clear" },
                date: Date(event.at),
            }),
        }
    }
}
