//! A chat.db in a temporary folder, and a short way to write rows into it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use crate::chatdb::ChatDb;
use crate::decode::date;
use crate::message::{ChatId, Message, RowId};

pub const ANN: i64 = 1;
pub const BOB: i64 = 2;
/// A direct chat with Ann.
pub const DIRECT: ChatId = ChatId(1);
/// A group of Ann and Bob.
pub const GROUP: ChatId = ChatId(2);

pub const PREVIEW: &str = "com.apple.messages.URLBalloonProvider";

pub struct Fixture {
    folder: PathBuf,
    pub connection: Connection,
}

impl Fixture {
    /// Current tables, the handles and chats above, no messages.
    pub fn new() -> Fixture {
        Fixture::with_schema(include_str!("schema.sql")).with_people()
    }

    pub fn with_schema(sql: &str) -> Fixture {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("imsgd chatdb %{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let connection = Connection::open(folder.join("chat.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.pragma_update(None, "synchronous", "off").unwrap();
        connection.execute_batch(sql).unwrap();
        Fixture { folder, connection }
    }

    fn with_people(self) -> Fixture {
        self.run(
            "INSERT INTO handle (ROWID, id, service) VALUES (1, '+15550001111', 'iMessage'), (2, 'bob@example.com', 'iMessage');
             INSERT INTO chat (ROWID, guid, style, chat_identifier, service_name, display_name, account_id, account_login, last_addressed_handle)
             VALUES (1, 'iMessage;-;+15550001111', 45, '+15550001111', 'iMessage', NULL, 'account', 'E:me@example.com', 'me@example.com'),
                    (2, 'any;+;chat42', 43, 'chat42', 'iMessage', 'Friends', NULL, '', NULL);
             INSERT INTO chat_handle_join VALUES (1, 1), (2, 2), (2, 1);",
        );
        self
    }

    pub fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("chat.db")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn open(&self) -> ChatDb {
        ChatDb::open(&self.path()).unwrap()
    }

    /// An inbound iMessage from Ann in her chat, `id` seconds after [`second`]`(0)`, with guid `guid-ID`.
    pub fn message(&self, id: i64) -> Draft<'_> {
        let columns = vec![
            ("guid", Value::Text(format!("guid-{id}"))),
            ("handle_id", Value::Integer(ANN)),
            ("service", Value::Text("iMessage".to_owned())),
        ];
        Draft { fixture: self, id, chats: vec![DIRECT], second: id, columns }
    }

    pub fn text(&self, id: i64, text: &str) {
        self.message(id).text(text).write();
    }

    pub fn attach(&self, message: i64, attachment: i64, filename: &str) {
        let insert = "INSERT OR IGNORE INTO attachment (ROWID, guid, filename, transfer_name, mime_type, total_bytes)
                      VALUES (?1, 'at_' || ?1, ?2, 'name', 'image/png', 10 * ?1)";
        self.connection.execute(insert, params![attachment, filename]).unwrap();
        self.connection.execute("INSERT INTO message_attachment_join VALUES (?1, ?2)", [message, attachment]).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A message to be written.
pub struct Draft<'a> {
    fixture: &'a Fixture,
    id: i64,
    chats: Vec<ChatId>,
    second: i64,
    columns: Vec<(&'static str, Value)>,
}

impl Draft<'_> {
    pub fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.retain(|(known, _)| *known != column);
        self.columns.push((column, value.into()));
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.set("text", text.to_owned())
    }

    pub fn from(self, handle: i64) -> Self {
        self.set("handle_id", handle)
    }

    pub fn own(self) -> Self {
        self.set("is_from_me", 1).from(0)
    }

    pub fn to(mut self, chats: &[ChatId]) -> Self {
        self.chats = chats.to_vec();
        self
    }

    pub fn at(mut self, second: i64) -> Self {
        self.second = second;
        self
    }

    pub fn tapback(self, kind: i64, target: &str) -> Self {
        self.set("associated_message_type", kind).set("associated_message_guid", target.to_owned())
    }

    pub fn preview(self, url: &str) -> Self {
        self.text(url).set("balloon_bundle_id", PREVIEW.to_owned())
    }

    pub fn write(self) {
        let date = date::to_column(second(self.second));
        let chats = self.chats.clone();
        let (id, fixture) = (self.id, self.fixture);
        let mut columns = vec![("ROWID", Value::Integer(id)), ("date", Value::Integer(date))];
        columns.extend(self.columns);
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO message ({}) VALUES ({marks})", names.join(", "));
        fixture.connection.execute(&sql, params_from_iter(columns.into_iter().map(|(_, value)| value))).unwrap();
        for chat in chats {
            let sql = "INSERT INTO chat_message_join VALUES (?1, ?2, ?3)";
            fixture.connection.execute(sql, params![chat.0, id, date]).unwrap();
        }
    }
}

/// A moment in 2023.
pub fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_680_000_000 + second).unwrap()
}

pub fn ids(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.id.0).collect()
}

/// The messages and the previews folded into them.
pub fn folded(messages: &[Message]) -> Vec<(i64, Option<i64>)> {
    messages.iter().map(|message| (message.id.0, message.url_preview.as_ref().map(|preview| preview.id.0))).collect()
}

pub const START: RowId = RowId(0);
