//! Commands that read: `chats`, `group`, `history`, `search`, `stats`, `scheduled`. The daemon answers where one serves
//! the same database, so that only it needs permission; else they read by themselves.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use clap::{Args, Subcommand};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::look::{self, Reader};
use super::waiting::Waiting;
use super::{Global, Where, client, lines, print, values};
use crate::attachments::Files;
use crate::chatdb::Cache;
use crate::config::Config;
use crate::contacts::{self, Contacts};
use crate::readers::Readers;
use crate::rpc;

#[derive(Subcommand)]
pub enum Read {
    /// List chats, newest activity first
    Chats {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 20)]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        limit: i64,
        /// Only chats with unread messages
        #[arg(long)]
        unread_only: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Show one chat and who is in it
    Group {
        /// The chat's `id`, as `chats` shows it
        #[arg(long, value_name = "ID")]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        chat_id: i64,
        #[command(flatten)]
        at: Where,
    },
    /// Show the messages of a chat, newest first
    History(History),
    /// Find messages by their text
    Search {
        /// Text to look for
        #[arg(long, allow_hyphen_values = true)]
        query: String,
        /// Whether the text has it somewhere, or is it
        #[arg(long = "match", default_value = "contains", value_parser = ["contains", "exact"])]
        matching: String,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        limit: i64,
        #[command(flatten)]
        at: Where,
    },
    /// Count messages by chat, sender, service and day
    Stats {
        /// The chat's `id`, as `chats` shows it
        #[arg(long, value_name = "ID")]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        chat_id: Option<i64>,
        /// IANA name of the zone whose midnights separate the days
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// Count attachments too
        #[arg(long)]
        media: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Tell whether a chat has a background picture
    ChatBackground {
        /// There is only one
        #[arg(default_value = "status", value_parser = ["status"])]
        action: String,
        /// The chat's `id`, as `chats` shows it
        #[arg(long, value_name = "ID")]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        chat_id: i64,
        #[command(flatten)]
        at: Where,
    },
    /// List messages that are to be sent later
    Scheduled {
        /// There is only one
        #[arg(default_value = "list", value_parser = ["list"])]
        action: String,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        #[arg(value_parser = values::positive, allow_negative_numbers = true)]
        limit: i64,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Args)]
pub struct History {
    /// The chat's `id`, as `chats` shows it
    #[arg(long, value_name = "ID")]
    #[arg(value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: i64,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = values::positive, allow_negative_numbers = true)]
    limit: i64,
    /// Only messages of these handles
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "HANDLE")]
    participants: Vec<String>,
    /// Not before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Before this time, RFC 3339
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Name the attachments
    #[arg(long)]
    attachments: bool,
    /// Convert CAF, GIF and HEIC into forms that models take
    #[arg(long)]
    convert_attachments: bool,
    #[command(flatten)]
    at: Where,
}

impl Read {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (at, method, params) = self.request();
        let waiting = Waiting::begin(self.doing());
        let answer = ask(&global.load(&at)?, method, params)?;
        drop(waiting);
        let answer = if global.json { answer } else { look::harmless(answer) };
        let reader = Reader::of_stdout();
        let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
        let out = match (&self, global.json) {
            (Read::Chats { .. }, true) => json_lines(&list("chats")),
            (Read::Chats { .. }, false) => lines::chats(&list("chats"), reader),
            (Read::Group { .. } | Read::Stats { .. } | Read::ChatBackground { .. }, true) => format!("{answer}\n"),
            (Read::Group { .. }, false) => lines::group(&answer),
            (Read::Stats { .. }, false) => lines::stats(&answer),
            (Read::ChatBackground { .. }, false) => lines::background(&answer),
            (_, true) => json_lines(&list("messages")),
            (Read::Scheduled { .. }, false) => {
                list("messages").iter().map(|message| lines::scheduled(message, reader)).collect()
            }
            (Read::History(history), false) => {
                let line = |message| lines::message(message, Some(history.attachments), reader);
                list("messages").iter().map(line).collect()
            }
            (Read::Search { .. }, false) => {
                list("messages").iter().map(|message| lines::message(message, None, reader)).collect()
            }
        };
        if global.json {
            print(&out);
        } else {
            let _ = look::show(&out);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is said of it where it takes long.
    fn doing(&self) -> &'static str {
        match self {
            Read::Search { .. } => "searching",
            Read::Stats { .. } => "counting",
            _ => "reading",
        }
    }

    fn request(&self) -> (Where, &'static str, Value) {
        match self {
            Read::Chats { limit, unread_only, at } => {
                (at.clone(), "chats.list", json!({"limit": limit, "unread_only": unread_only}))
            }
            Read::Group { chat_id, at } => (at.clone(), "chats.get", json!({"chat_id": chat_id})),
            Read::ChatBackground { chat_id, at, .. } => (at.clone(), "chats.background", json!({"chat_id": chat_id})),
            Read::History(history) => (history.at.clone(), "messages.history", history.params()),
            Read::Search { query, matching, limit, at } => {
                (at.clone(), "messages.search", json!({"query": query, "match": matching, "limit": limit}))
            }
            Read::Stats { chat_id, time_zone, media, at } => {
                let given = [("chat_id", json!(chat_id)), ("time_zone", json!(time_zone))];
                (at.clone(), "messages.stats", with_given(json!({"include_media": media}), given))
            }
            Read::Scheduled { limit, at, .. } => (at.clone(), "messages.scheduled", json!({"limit": limit})),
        }
    }
}

impl History {
    fn params(&self) -> Value {
        let params = json!({
            "chat_id": self.chat_id,
            "limit": self.limit,
            "participants": values::handles(&self.participants),
            "attachments": true,
            "convert_attachments": self.convert_attachments,
        });
        with_given(params, [("start", json!(self.start)), ("end", json!(self.end))])
    }
}

fn with_given(mut params: Value, given: [(&str, Value); 2]) -> Value {
    for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
        params[key] = value;
    }
    params
}

fn json_lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// Asks the daemon, or reads by itself where none serves.
pub(super) fn ask(config: &Config, method: &str, params: Value) -> anyhow::Result<Value> {
    if let Some(stream) = client::connect(config) {
        return client::call_on(stream, method, &params);
    }
    let map: Map<String, Value> = serde_json::from_value(params)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(Alone::new(config)?.read(method, map))?;
    Ok(serde_json::from_str(answer.get())?)
}

fn readers(chatdb: &Path, state: &Path, contacts: Arc<Contacts>) -> Arc<Readers> {
    Arc::new(Readers::new(chatdb, state, Cache::Small, contacts))
}

/// Reads for a command where no daemon serves.
pub(super) struct Alone {
    readers: Arc<Readers>,
    files: Arc<Files>,
}

impl Alone {
    pub fn new(config: &Config) -> anyhow::Result<Alone> {
        let settings = contacts::Settings::of(config).context("messages.region is not the code of a region")?;
        let readers =
            readers(&config.messages.db, &config.state_dir().join("state.db"), Contacts::at_first_use(settings).into());
        Ok(Alone { readers, files: Arc::new(Files::new(Arc::new(ArcSwap::from_pointee(config.clone())))) })
    }

    /// The same with connections of its own, so that none goes from thread to thread and takes its memory with it.
    pub fn another(&self) -> Alone {
        let Alone { readers: own, files } = self;
        Alone { readers: readers(own.chatdb_path(), own.state_path(), own.contacts().clone()), files: files.clone() }
    }

    pub async fn read(&self, method: &str, params: Map<String, Value>) -> anyhow::Result<Box<RawValue>> {
        let answer = rpc::read(&self.readers, &self.files, method, params).await;
        answer.map_err(|error| client::failure(&error.to_json()))
    }

    /// Lines of messages, and whether there are more.
    pub async fn export(&self, params: Map<String, Value>) -> anyhow::Result<(Vec<u8>, bool)> {
        let lines = rpc::export_lines(&self.readers, &self.files, params).await;
        lines.map_err(|error| client::failure(&error.to_json()))
    }
}
