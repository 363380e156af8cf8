//! One message into the database, in the steps in which Messages writes it: the row, its chat, then its content.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use rusqlite::Connection;

use super::events::Event;
use super::random::Random;
use super::rows::{self, Attachment, Chat, Content, Service};
use super::{body, database, events, files, plists, polls};
use crate::message::{ChatId, RowId};

/// What arrives. The same description serves the command line, `--stdin` and Rust callers.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Incoming {
    /// Address of the sender; with --from-me, of the other person in the direct chat
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// What it says, or with --tapback, the text to quote
    #[arg(long, default_value = "")]
    pub text: String,
    /// Guid of the chat, as any;-;+14155550101; made if new
    #[arg(long, value_name = "GUID", conflicts_with = "group")]
    pub chat: Option<String>,
    /// Guid or chat… identifier of the group; made if new
    #[arg(long, value_name = "GUID")]
    pub group: Option<String>,
    /// Display name of a new group
    #[arg(long, value_name = "NAME")]
    pub group_name: Option<String>,
    /// Another member of the group; can be repeated
    #[arg(long = "participant", alias = "participants", value_name = "ADDRESS")]
    pub participants: Vec<String>,
    /// What carries it
    #[arg(long, value_enum, ignore_case = true, default_value_t)]
    pub service: Service,
    /// When it was sent (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub date: Option<Timestamp>,
    /// Mark an @word of the text as a mention of ADDRESS; can be repeated
    #[arg(long = "mention", alias = "mentions", value_name = "ADDRESS")]
    pub mentions: Vec<String>,
    /// Attach a file, which may be missing; can be repeated
    #[arg(long = "attachment", alias = "attachments", value_name = "PATH")]
    pub attachments: Vec<PathBuf>,
    /// Attach a copy of a file, put where Messages puts what arrives; can be repeated
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// Attach a file of this name that has not been downloaded yet; can be repeated
    #[arg(long, value_name = "NAME")]
    pub announce: Vec<String>,
    /// Guid of the message that this one answers inline
    #[arg(long, value_name = "GUID")]
    pub reply_to: Option<String>,
    /// React instead of writing: love, like, dislike, laugh, emphasis, question, sticker (which is attached) or an
    /// emoji
    #[arg(long, value_name = "KIND", requires = "target")]
    pub tapback: Option<Tapback>,
    /// Guid of the message to react to, or of the poll to vote in or to give more choices
    #[arg(long, value_name = "GUID")]
    pub target: Option<String>,
    /// Take the tapback away again
    #[arg(long, requires = "tapback")]
    pub remove: bool,
    /// Make it a poll, whose question is the text, with this choice; can be repeated
    #[arg(long = "poll-option", alias = "poll-options", value_name = "TEXT", conflicts_with_all = ["tapback", "votes"])]
    pub poll_options: Vec<String>,
    /// Vote for the choice with this id, as choice-1, instead of writing; can be repeated
    #[arg(long = "vote", alias = "votes", value_name = "ID", requires = "target", conflicts_with = "tapback")]
    pub votes: Vec<String>,
    /// Let something happen instead of a message
    #[arg(long, value_enum, value_name = "KIND", conflicts_with_all = ["tapback", "votes", "poll_options"])]
    pub event: Option<Event>,
    /// Whom the event is about
    #[arg(long, value_name = "ADDRESS", requires = "event")]
    pub other: Option<String>,
    /// Write it as the owner's own, sent from another device
    #[arg(long)]
    pub from_me: bool,
    /// With --from-me: write it as if the other had, and mark it as the owner's after this time
    #[arg(long, value_name = "MILLISECONDS", requires = "from_me")]
    pub flip_ms: Option<u64>,
    /// Use this message guid [default: a random one]
    #[arg(long, value_name = "GUID")]
    pub guid: Option<String>,
    /// Never join the row to its chat
    #[arg(long)]
    pub no_join: bool,
    /// Write row, join and content in one transaction or in three
    #[arg(long, value_enum, default_value_t)]
    pub steps: Steps,
    /// Pause between the transactions of --steps split
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub step_ms: u64,
    /// Wait before writing
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub after_ms: u64,
}

impl Incoming {
    /// A direct iMessage, written at once.
    pub fn new(from: impl Into<String>, text: impl Into<String>) -> Self {
        Incoming { from: Some(from.into()), text: text.into(), ..Incoming::default() }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Steps {
    #[default]
    Together,
    Split,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tapback {
    Standard { code: i64, verb: &'static str, noun: &'static str },
    Emoji(String),
}

impl Tapback {
    /// As it is named on the command line.
    pub fn name(&self) -> &str {
        match self {
            Tapback::Emoji(emoji) => emoji,
            Tapback::Standard { code, .. } => {
                let names = ["love", "like", "dislike", "laugh", "emphasis", "question"];
                usize::try_from(code - 2000).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
            }
        }
    }
}

impl FromStr for Tapback {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let (code, verb, noun) = match name {
            "love" => (2000, "Loved", "a heart"),
            "like" => (2001, "Liked", "a like"),
            "dislike" => (2002, "Disliked", "a dislike"),
            "laugh" => (2003, "Laughed at", "a laugh"),
            "emphasis" => (2004, "Emphasized", "an exclamation"),
            "question" => (2005, "Questioned", "a question mark"),
            "sticker" => (2007, "Reacted with a sticker to", "a sticker"),
            emoji if !emoji.is_empty() && !emoji.is_ascii() => return Ok(Tapback::Emoji(emoji.to_owned())),
            _ => anyhow::bail!("not one of love, like, dislike, laugh, emphasis, question, sticker, and not an emoji"),
        };
        Ok(Tapback::Standard { code, verb, noun })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub rowid: RowId,
    pub guid: String,
    /// None with `no_join`.
    pub chat_id: Option<ChatId>,
    pub committed_at: Timestamp,
}

/// Writes one message to the database at `path`.
pub fn receive(path: &Path, incoming: &Incoming) -> Result<Received> {
    Session::open(path)?.receive(incoming)
}

/// A connection kept open, for writing more than one message.
pub struct Session {
    connection: Connection,
    /// Where the files of this database are.
    folder: PathBuf,
    random: Random,
}

impl Session {
    pub fn open(path: &Path) -> Result<Self> {
        let connection = database::open(path)?;
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).context("could not get random bytes")?;
        let folder = std::path::absolute(path)?.with_file_name("Attachments");
        Ok(Session { connection, folder, random: Random::seeded(u64::from_le_bytes(seed)) })
    }

    /// Writes all of them in one commit, which is left in the -wal file.
    pub fn receive_together(&mut self, all: &[Incoming]) -> Result<Vec<Received>> {
        self.connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut received = all.iter().map(|incoming| self.receive(incoming)).collect::<Result<Vec<_>>>()?;
        self.connection.execute_batch("COMMIT")?;
        let committed_at = Timestamp::now();
        received.iter_mut().for_each(|row| row.committed_at = committed_at);
        Ok(received)
    }

    pub fn receive(&mut self, incoming: &Incoming) -> Result<Received> {
        std::thread::sleep(Duration::from_millis(incoming.after_ms));
        let guid = incoming.guid.clone().unwrap_or_else(|| self.random.guid());
        let files = files::attachments(&self.folder, incoming, &guid)?;
        let mut steps = Transactions::begin(&self.connection, incoming)?;

        let chat = conversation(&self.connection, incoming)?;
        let message = compose(&self.connection, incoming, &chat, guid, &files)?;
        let is_marked = incoming.flip_ms.is_none();
        let bare = rows::Message {
            content: Content::default(),
            is_from_me: message.is_from_me && is_marked,
            ..message.clone()
        };
        let rowid = rows::insert_message(&self.connection, &bare)?;
        steps.next()?;

        if !incoming.no_join {
            rows::join_message(&self.connection, chat.id, rowid, message.date)?;
            steps.next()?;
        }

        rows::update_content(&self.connection, rowid, &message.content)?;
        for file in &files {
            rows::insert_attachment(&self.connection, rowid, &message, file)?;
        }
        let committed_at = steps.finish()?;
        if let Some(flip_ms) = incoming.flip_ms {
            std::thread::sleep(Duration::from_millis(flip_ms));
            rows::mark_as_own(&self.connection, rowid)?;
        }
        let chat_id = (!incoming.no_join).then_some(chat.id);
        Ok(Received { rowid, guid: message.guid, chat_id, committed_at })
    }

    pub fn chat(&self, guid: &str) -> Result<Option<Chat>> {
        rows::chat_by_guid(&self.connection, guid)
    }

    /// The direct chat with `address`, made where it is new.
    pub fn direct_chat(&self, address: &str, service: Service) -> Result<Chat> {
        direct_chat(&self.connection, address, service)
    }

    /// Any chat but this one.
    pub fn other_chat(&self, chat: &Chat) -> Result<Chat> {
        rows::chat_other_than(&self.connection, chat)?.context("there is no other chat")
    }

    /// Guid and text of the newest message of `chat`; a reaction is none.
    pub fn newest(&self, chat: &Chat) -> Result<Option<(String, String)>> {
        rows::newest_in(&self.connection, chat)
    }

    /// An empty row from the owner that belongs to no chat.
    pub fn write_ghost(&mut self, identifier: &str, service: Service) -> Result<()> {
        let message = rows::Message {
            guid: self.random.guid(),
            handle_id: rows::handle(&self.connection, identifier, service)?,
            service,
            date: rows::apple_date(Timestamp::now()),
            is_from_me: true,
            ..rows::Message::default()
        };
        rows::insert_message(&self.connection, &message)?;
        Ok(())
    }
}

/// The transactions of one message: a single one, or one for each step; none where it is one of many in one.
struct Transactions<'a> {
    current: Option<rusqlite::Transaction<'a>>,
    connection: &'a Connection,
    split: bool,
    pause: Duration,
}

impl<'a> Transactions<'a> {
    fn begin(connection: &'a Connection, incoming: &Incoming) -> Result<Self> {
        let pause = Duration::from_millis(incoming.step_ms);
        let is_alone = connection.is_autocommit();
        let split = is_alone && incoming.steps == Steps::Split;
        let current = is_alone.then(|| immediate(connection)).transpose()?;
        Ok(Transactions { current, connection, split, pause })
    }

    fn next(&mut self) -> Result<()> {
        if self.split {
            self.commit()?;
            std::thread::sleep(self.pause);
            self.current = Some(immediate(self.connection)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Timestamp> {
        self.commit()?;
        Ok(Timestamp::now())
    }

    fn commit(&mut self) -> Result<()> {
        if let Some(transaction) = self.current.take() {
            transaction.commit()?;
        }
        Ok(())
    }
}

/// Takes the write lock at once, so that a second writer waits and does not fail half-way.
fn immediate(connection: &Connection) -> rusqlite::Result<rusqlite::Transaction<'_>> {
    rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)
}

/// The chat that the message belongs to, with its members; made where it is new.
fn conversation(connection: &Connection, incoming: &Incoming) -> Result<Chat> {
    let chat = match (&incoming.chat, &incoming.group, &incoming.from) {
        (Some(guid), ..) => chat_or_new(connection, guid, incoming)?,
        (None, Some(group), _) if group.contains(';') => chat_or_new(connection, group, incoming)?,
        (None, Some(group), _) => chat_or_new(connection, &format!("any;+;{group}"), incoming)?,
        (None, None, Some(address)) => direct_chat(connection, address, incoming.service)?,
        (None, None, None) => anyhow::bail!("a message needs a sender, a chat or a group"),
    };
    for address in incoming.from.iter().chain(&incoming.participants) {
        let handle = rows::handle(connection, address, incoming.service)?;
        rows::join_handle(connection, chat.id, handle)?;
    }
    Ok(chat)
}

fn chat_or_new(connection: &Connection, guid: &str, incoming: &Incoming) -> Result<Chat> {
    match rows::chat_by_guid(connection, guid)? {
        Some(chat) => Ok(chat),
        None => rows::insert_chat(connection, guid, incoming.group_name.as_deref(), incoming.service),
    }
}

/// The direct chat with `address`. macOS 26 names a new one `any;-;address`, whatever carries it.
fn direct_chat(connection: &Connection, address: &str, service: Service) -> Result<Chat> {
    let of_any_service = format!("any;-;{address}");
    for guid in [&format!("{};-;{address}", service.name()), &of_any_service] {
        if let Some(chat) = rows::chat_by_guid(connection, guid)? {
            return Ok(chat);
        }
    }
    rows::insert_chat(connection, &of_any_service, None, service)
}

fn compose(
    connection: &Connection,
    incoming: &Incoming,
    chat: &Chat,
    guid: String,
    files: &[Attachment],
) -> Result<rows::Message> {
    let handle_id = match &incoming.from {
        // In a group, what the owner writes has no handle.
        _ if incoming.from_me && chat.is_group() => 0,
        Some(address) => rows::handle(connection, address, incoming.service)?,
        None if chat.is_group() => anyhow::bail!("a group message needs a sender"),
        None => rows::handle(connection, &chat.identifier, incoming.service)?,
    };
    let mut message = rows::Message {
        guid,
        handle_id,
        service: incoming.service,
        date: rows::apple_date(incoming.date.unwrap_or_else(Timestamp::now)),
        is_from_me: incoming.from_me,
        room: chat.is_group().then(|| chat.identifier.clone()),
        content: body::compose(&incoming.text, &incoming.mentions, files),
        ..rows::Message::default()
    };
    if let Some(parent) = &incoming.reply_to {
        answer(&mut message, parent);
    }
    if let (Some(tapback), Some(target)) = (&incoming.tapback, &incoming.target) {
        let is_sticker = matches!(tapback, Tapback::Standard { code: 2007, .. });
        ensure!(is_sticker || files.is_empty(), "only a sticker has attachments");
        ensure!(exists(connection, target)?, "there is no message {target} to react to");
        react(&mut message, tapback, incoming.remove, target, &incoming.text);
    }
    polls::ask(&mut message, incoming)?;
    events::happen(connection, &mut message, incoming)?;
    Ok(message)
}

/// Makes `message` an inline reply to the first part of `parent`.
pub fn answer(message: &mut rows::Message, parent: &str) {
    message.reply_to_guid = Some(parent.to_owned());
    message.thread_originator_guid = Some(parent.to_owned());
    message.thread_originator_part = Some("0:0:1".to_owned());
}

/// Makes `message` a tapback on the first part of `target`; one without text is taken for an image.
pub fn react(message: &mut rows::Message, tapback: &Tapback, remove: bool, target: &str, target_text: &str) {
    let quote = match target_text {
        "" => "an image".to_owned(),
        text => format!("“{text}”"),
    };
    let (code, phrase) = match tapback {
        Tapback::Standard { code, verb, .. } if !remove => (*code, format!("{verb} {quote}")),
        Tapback::Emoji(emoji) if !remove => (2006, format!("Reacted {emoji} to {quote}")),
        Tapback::Standard { code, noun, .. } => (code + 1000, format!("Removed {noun} from {quote}")),
        Tapback::Emoji(emoji) => (3006, format!("Removed {emoji} from {quote}")),
    };
    message.associated_guid = Some(format!("p:0/{target}"));
    message.associated_type = code;
    message.associated_length = target_text.encode_utf16().count() as i64;
    message.associated_emoji = match tapback {
        Tapback::Emoji(emoji) => Some(emoji.clone()),
        Tapback::Standard { .. } => None,
    };
    message.summary_info = plists::tapback_summary(target_text);
    message.content = body::text(&phrase);
}

fn exists(connection: &Connection, guid: &str) -> Result<bool> {
    let found = connection.prepare_cached("SELECT 1 FROM message WHERE guid = ?")?.exists([guid])?;
    Ok(found)
}
