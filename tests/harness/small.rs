//! A small chat.db written by hand: only the tables and columns that a test names.

use std::path::Path;

use imsgd::sim::typedstream::{self, MESSAGE_PART, Run, encode};
use rusqlite::config::DbConfig;
use rusqlite::types::Value as Column;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Value, json};

/// The tables with the columns that a Messages database always has, the handles ann and bob, and a direct chat with
/// ann and a group of both.
const LEAST: &str = "
    CREATE TABLE message (ROWID INTEGER PRIMARY KEY, handle_id INTEGER, text TEXT, date INTEGER, is_from_me INTEGER, service TEXT);
    CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, chat_identifier TEXT, guid TEXT, display_name TEXT, service_name TEXT);
    CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT);
    CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);
    CREATE TABLE chat_handle_join (chat_id INTEGER, handle_id INTEGER);";

const PEOPLE: &str = "
    INSERT INTO handle (ROWID, id) VALUES (1, 'ann@example.com'), (2, 'bob@example.com');
    INSERT INTO chat (ROWID, chat_identifier, guid, display_name, service_name) VALUES
        (1, 'ann@example.com', 'any;-;ann@example.com', '', 'iMessage'),
        (2, 'chat42', 'any;+;chat42', 'Friends', 'iMessage');
    INSERT INTO chat_handle_join (chat_id, handle_id) VALUES (1, 1), (2, 1), (2, 2);";

pub const ANN: &str = "ann@example.com";
pub const BOB: &str = "bob@example.com";
pub const ANNS_CHAT: i64 = 1;
pub const GROUP: i64 = 2;

/// What makes tapbacks and associations known.
pub const ASSOCIATIONS: &str = "guid TEXT, associated_message_guid TEXT, associated_message_type INTEGER";

/// `balloon_bundle_id` of the preview of a link.
pub const PREVIEW: &str = "com.apple.messages.URLBalloonProvider";

pub struct SmallDb {
    pub connection: Connection,
}

impl SmallDb {
    /// With the fewest columns; others are added by [`SmallDb::with`].
    pub fn create(path: &Path) -> SmallDb {
        let db = SmallDb::with_tables(path, LEAST);
        db.run(PEOPLE);
        db
    }

    /// With these tables, and nothing in them.
    pub fn with_tables(path: &Path, sql: &str) -> SmallDb {
        let db = SmallDb::open(path);
        db.run(sql);
        db
    }

    /// Whatever is there.
    pub fn open(path: &Path) -> SmallDb {
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(super::DEADLINE).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
        // As with Messages, which never closes its database: the -wal file stays.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        SmallDb { connection }
    }

    /// Adds columns, as in `"guid TEXT, is_read INTEGER"`.
    pub fn with(self, table: &str, columns: &str) -> SmallDb {
        for column in columns.split(", ") {
            self.run(&format!("ALTER TABLE {table} ADD COLUMN {column}"));
        }
        self
    }

    pub fn with_attachments(self) -> SmallDb {
        self.run(
            "CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, filename TEXT, transfer_name TEXT, uti TEXT, mime_type TEXT,
                 total_bytes INTEGER, is_sticker INTEGER);
             CREATE TABLE message_attachment_join (message_id INTEGER, attachment_id INTEGER);",
        );
        self
    }

    pub fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    fn has(&self, table: &str, column: &str) -> bool {
        let sql = "SELECT COUNT(*) FROM pragma_table_info(?1) WHERE lower(name) = lower(?2)";
        self.connection.query_row(sql, [table, column], |row| row.get(0)).unwrap()
    }

    /// Writes a row. Arrays of bytes are blobs.
    pub fn insert(&self, table: &str, row: &Value) {
        let row = row.as_object().expect("columns by name");
        let names: Vec<&str> = row.keys().map(String::as_str).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", "));
        let values = params_from_iter(row.values().map(column));
        self.connection.execute(&sql, values).unwrap_or_else(|error| panic!("{error}: {table} {row:?}"));
    }

    /// Writes a message into `chat`, and what is not said about it: from ann, `id` seconds after [`at`]`(0)`, with the
    /// guid `guid-ID` where there are guids.
    pub fn message(&self, id: i64, chat: i64, said: Value) {
        let date = said.get("date").cloned().unwrap_or_else(|| at(id).into());
        self.unjoined(id, said);
        self.join(id, chat, &date);
    }

    /// As [`SmallDb::message`], without a chat.
    pub fn unjoined(&self, id: i64, said: Value) {
        let mut row = json!({"ROWID": id, "handle_id": 1, "date": at(id), "is_from_me": 0, "service": "iMessage"});
        if self.has("message", "guid") {
            row["guid"] = json!(format!("guid-{id}"));
        }
        for (name, value) in said.as_object().expect("columns by name") {
            row[name] = value.clone();
        }
        self.insert("message", &row);
    }

    pub fn join(&self, id: i64, chat: i64, date: &Value) {
        let mut row = json!({"chat_id": chat, "message_id": id});
        if self.has("chat_message_join", "message_date") {
            row["message_date"] = date.clone();
        }
        self.insert("chat_message_join", &row);
    }

    pub fn text(&self, id: i64, chat: i64, text: &str) {
        self.message(id, chat, json!({"text": text}));
    }

    /// A tapback or another association.
    pub fn associate(&self, id: i64, chat: i64, kind: i64, target: &str, said: Value) {
        let mut row = json!({"associated_message_type": kind, "associated_message_guid": target});
        row.as_object_mut().unwrap().extend(said.as_object().expect("columns by name").clone());
        self.message(id, chat, row);
    }

    /// A preview of `url`.
    pub fn preview(&self, id: i64, chat: i64, url: &str) {
        self.message(id, chat, json!({"text": url, "balloon_bundle_id": PREVIEW}));
    }
}

fn column(value: &Value) -> Column {
    match value {
        Value::Null => Column::Null,
        Value::Bool(value) => Column::Integer((*value).into()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Column::Integer(number),
            None => Column::Real(number.as_f64().expect("a number")),
        },
        Value::String(text) => Column::Text(text.clone()),
        Value::Array(bytes) => Column::Blob(
            bytes.iter().map(|byte| u8::try_from(byte.as_u64().expect("bytes")).expect("a byte")).collect(),
        ),
        Value::Object(_) => panic!("no column: {value}"),
    }
}

/// A `date` in March 2023.
pub fn at(second: i64) -> i64 {
    (701_000_000 + second) * 1_000_000_000
}

/// The same as clients see it.
pub fn date_at(second: i64) -> String {
    let at = jiff::Timestamp::from_second(978_307_200 + 701_000_000 + second).unwrap();
    format!("{}.000Z", at.to_string().trim_end_matches('Z'))
}

/// `date` of what is written now.
pub fn now() -> i64 {
    let now = jiff::Timestamp::now().as_nanosecond() - 978_307_200 * 1_000_000_000;
    i64::try_from(now).unwrap()
}

/// The archive that Messages writes into `attributedBody`.
pub fn archive(text: &str) -> Vec<u8> {
    encode(&[Run { text, attributes: vec![(MESSAGE_PART, typedstream::Value::Number(0))] }])
}

/// A binary property list of one text under one key.
pub fn plist(key: &str, text: &str) -> Vec<u8> {
    let mut dictionary = plist::Dictionary::new();
    dictionary.insert(key.to_owned(), text.into());
    let mut bytes = Vec::new();
    plist::to_writer_binary(&mut bytes, &plist::Value::Dictionary(dictionary)).unwrap();
    bytes
}
