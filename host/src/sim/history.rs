//! What happened in the conversations of a new database, row by row in the order of time.

use anyhow::Result;
use jiff::Span;
use rusqlite::Connection;

use super::init::Options;
use super::random::Random;
use super::receive::{Tapback, answer, react};
use super::rows::{self, Attachment, Chat, Content, Message, Service, apple_date};
use super::{body, corpus, files, plists};

const SECOND: i64 = 1_000_000_000;

pub const URL_BALLOON: &str = "com.apple.messages.URLBalloonProvider";

pub struct Conversation {
    pub chat: Chat,
    pub handles: Vec<i64>,
    /// False for the short codes of companies.
    pub answers: bool,
    /// What a reply or tapback refers to.
    pub last: Option<Said>,
}

#[derive(Clone)]
pub struct Said {
    guid: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Text,
    Paragraph,
    Tapback,
    Reply,
    Edit,
    Unsend,
    Photo,
    Voice,
    Link,
    GroupChange,
}

/// One turn of forty rows, over and over: so every kind of row is there even in a small database.
fn event(row: usize) -> Event {
    match row % 40 {
        5 | 14 | 23 | 31 => Event::Tapback,
        8 | 27 => Event::Reply,
        10 => Event::Edit,
        17 => Event::Photo,
        19 => Event::Paragraph,
        21 => Event::Voice,
        25 => Event::Link,
        29 => Event::Unsend,
        34 => Event::GroupChange,
        37 => Event::Photo,
        _ => Event::Text,
    }
}

pub struct History<'a> {
    connection: &'a Connection,
    random: Random,
    conversations: Vec<Conversation>,
    groups: Vec<usize>,
    imessage: Vec<usize>,
    rows: usize,
    written: usize,
    start: i64,
    step: i64,
}

impl<'a> History<'a> {
    pub fn new(
        connection: &'a Connection,
        random: Random,
        conversations: Vec<Conversation>,
        options: &Options,
    ) -> Self {
        let having = |wanted: fn(&Chat) -> bool| {
            let indexed = conversations.iter().enumerate();
            indexed.filter(|(_, conversation)| wanted(&conversation.chat)).map(|(index, _)| index).collect()
        };
        // Half an hour from one to the next, but never more than about six years in all.
        let step = (30 * 60 * SECOND).min(6 * 365 * 24 * 3600 * SECOND / options.messages.max(1) as i64);
        let until = options.until.checked_sub(Span::new().seconds(10)).unwrap_or(options.until);
        History {
            groups: having(Chat::is_group),
            imessage: having(|chat| chat.service == Service::IMessage),
            connection,
            random,
            conversations,
            rows: options.messages,
            written: 0,
            start: apple_date(until) - step * options.messages as i64,
            step,
        }
    }

    pub fn write(mut self) -> Result<()> {
        let mut current = 0;
        while self.written < self.rows {
            let event = event(self.written);
            current = self.next_conversation(current, event);
            self.happen(current, event)?;
        }
        Ok(())
    }

    /// People write several messages in a row, so mostly the same chat; but one in which the event can happen.
    fn next_conversation(&mut self, current: usize, event: Event) -> usize {
        let choices = match event {
            Event::Text | Event::Paragraph | Event::Photo => None,
            Event::GroupChange => Some(&self.groups),
            _ => Some(&self.imessage),
        };
        let choices = choices.filter(|choices| !choices.is_empty());
        if choices.is_none_or(|choices| choices.contains(&current)) && self.random.chance(60) {
            return current;
        }
        match choices {
            Some(choices) => choices[self.random.below(choices.len() as u64) as usize],
            None => self.random.below(self.conversations.len() as u64) as usize,
        }
    }

    fn happen(&mut self, index: usize, event: Event) -> Result<()> {
        let mut message = self.message(index);
        let last = self.conversations[index].last.clone();
        let mut said = self.say(index, event);
        let mut attachments = Vec::new();
        match (event, last) {
            (Event::Tapback, Some(target)) => {
                let tapback = self.tapback();
                react(&mut message, &tapback, self.random.chance(10), &target.guid, &target.text);
                // It is not itself something to react to, so what was said last stays.
                return self.insert(index, message, &[]);
            }
            (Event::Reply, Some(target)) => {
                answer(&mut message, &target.guid);
                message.content = body::text(&said);
            }
            (Event::Edit, _) => self.edit(&mut message, &said),
            (Event::Unsend, _) => unsend(&mut message, &said),
            (Event::Photo, _) => {
                attachments.push(self.photo(&message.guid));
                if self.random.chance(50) {
                    said.clear();
                }
                message.content = body::compose(&said, &[], &attachments);
            }
            (Event::Voice, _) => {
                let voice = self.voice(&message.guid, &said);
                message.content = body::voice(&voice, &said);
                message.is_audio_message = true;
                attachments.push(voice);
            }
            (Event::GroupChange, _) if self.conversations[index].chat.is_group() => {
                self.change_group(index, &mut message);
                return self.insert(index, message, &[]);
            }
            (Event::Link, _) => return self.link(index, message, &said),
            _ => message.content = self.written_down(&said),
        }
        self.conversations[index].last = Some(Said { guid: message.guid.clone(), text: said });
        self.insert(index, message, &attachments)
    }

    /// A row without content, from a member of the chat or from the owner.
    fn message(&mut self, index: usize) -> Message {
        let date = self.start + self.step * self.written as i64 + self.random.below(self.step as u64 / 2) as i64;
        let conversation = &self.conversations[index];
        let is_from_me = conversation.answers && self.random.chance(40);
        let is_group = conversation.chat.is_group();
        let handle = conversation.handles[self.random.below(conversation.handles.len() as u64) as usize];
        // Only what came lately is unread, and of that not all.
        let is_lately = self.written * 20 >= self.rows * 19;
        let is_unread = is_lately && self.random.chance(60);
        let is_read = !is_from_me && !is_unread;
        Message {
            guid: self.random.guid(),
            handle_id: if is_group && is_from_me { 0 } else { handle },
            service: conversation.chat.service,
            date,
            date_read: if is_read { date + 40 * SECOND } else { 0 },
            is_read,
            is_from_me,
            room: is_group.then(|| conversation.chat.identifier.clone()),
            ..Message::default()
        }
    }

    fn say(&mut self, index: usize, event: Event) -> String {
        match event {
            _ if !self.conversations[index].answers => corpus::notice(&mut self.random),
            Event::Paragraph => corpus::paragraph(&mut self.random),
            _ => corpus::sentence(&mut self.random),
        }
    }

    /// Since macOS 13 the text is in `attributedBody` alone; what other devices synced may have both.
    fn written_down(&mut self, text: &str) -> Content {
        let mut content = body::text(text);
        if self.random.chance(12) {
            content.text = Some(text.to_owned());
        }
        content
    }

    fn tapback(&mut self) -> Tapback {
        let name = self.random.pick(&["love", "like", "dislike", "laugh", "emphasis", "question", "emoji"]);
        name.parse().unwrap_or_else(|_| Tapback::Emoji(self.random.pick(corpus::EMOJI).to_owned()))
    }

    fn edit(&mut self, message: &mut Message, text: &str) {
        let before = corpus::sentence(&mut self.random);
        message.date_edited = message.date + 25 * SECOND;
        let version = |text: &str, date| (body::text(text).attributed_body.unwrap_or_default(), date);
        let before = version(&before, message.date);
        message.summary_info = plists::edited(None, before, version(text, message.date_edited));
        message.content = body::text(text);
    }

    fn photo(&mut self, message: &str) -> Attachment {
        let number = 1000 + self.random.below(9000);
        let extension = self.random.pick(&["heic", "jpeg", "png"]);
        self.file(message, &format!("IMG_{number}.{extension}"))
    }

    fn voice(&mut self, message: &str, said: &str) -> Attachment {
        Attachment { user_info: plists::transcription(said), ..self.file(message, "Audio Message.caf") }
    }

    /// Messages spreads the files over folders named by two bytes.
    fn file(&mut self, message: &str, name: &str) -> Attachment {
        let guid = format!("at_0_{message}");
        let (high, low) = (self.random.below(256), self.random.below(16));
        let path = format!("~/Library/Messages/Attachments/{high:02x}/{low:02}/{guid}/{name}");
        let total_bytes = 20_000 + self.random.below(4_000_000);
        Attachment { total_bytes, ..files::described(path.as_ref(), guid) }
    }

    /// A link beside other text is written twice: as text, then as a preview in a row of its own.
    fn link(&mut self, index: usize, message: Message, said: &str) -> Result<()> {
        let (url, title) = corpus::LINKS[self.random.below(corpus::LINKS.len() as u64) as usize];
        let text = Message { content: self.written_down(&format!("{said} {url}")), ..message.clone() };
        self.insert(index, text, &[])?;
        if self.written == self.rows {
            return Ok(());
        }
        let preview = Message {
            guid: self.random.guid(),
            date: message.date + SECOND,
            balloon_bundle_id: Some(URL_BALLOON),
            payload_data: plists::link_preview(url, title),
            content: body::text(url),
            ..message
        };
        self.insert(index, preview, &[])
    }

    /// Somebody joined, was removed or left, or the group got a name or a photo.
    fn change_group(&mut self, index: usize, message: &mut Message) {
        let handles = &self.conversations[index].handles;
        let other_handle = handles[self.random.below(handles.len() as u64) as usize];
        (message.item_type, message.group_action_type) = match self.random.below(5) {
            0 => (1, 0),
            1 => (1, 1),
            2 => (3, 0),
            3 => (3, 1),
            _ => (2, 0),
        };
        match message.item_type {
            1 => message.other_handle = other_handle,
            2 => message.group_title = Some(self.random.pick(corpus::GROUP_NAMES).to_owned()),
            _ => {}
        }
    }

    fn insert(&mut self, index: usize, message: Message, attachments: &[Attachment]) -> Result<()> {
        let rowid = rows::insert_message(self.connection, &message)?;
        rows::join_message(self.connection, self.conversations[index].chat.id, rowid, message.date)?;
        for attachment in attachments {
            rows::insert_attachment(self.connection, rowid, &message, attachment)?;
        }
        self.written += 1;
        Ok(())
    }
}

/// Taken back: the row stays, without its content.
fn unsend(message: &mut Message, text: &str) {
    message.date_edited = message.date + 15 * SECOND;
    message.date_retracted = message.date_edited;
    message.summary_info = plists::unsent(text.encode_utf16().count() as i64);
    message.content = Content { part_count: 1, ..Content::default() };
}
