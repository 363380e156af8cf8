//! The outbox's rows in state.db: every send is written down before it is tried (D7).

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::trace::Trace;
use crate::message::Chat;

pub(crate) const SCHEMA: &str = "
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT UNIQUE,
    request TEXT NOT NULL,
    chat_guid TEXT,
    text TEXT,
    state TEXT NOT NULL,
    outcome TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX outbox_open ON outbox (id) WHERE state IN ('queued', 'handed');
";

/// Kind, target and traces of sends; the rows that are known to be theirs; and the owner's pause.
pub(crate) const SCHEMA_2: &str = "
ALTER TABLE outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'send';
ALTER TABLE outbox ADD COLUMN target TEXT;
ALTER TABLE outbox ADD COLUMN trace TEXT;
UPDATE outbox SET kind = 'answer', target = chat_guid WHERE chat_guid IS NOT NULL;
CREATE INDEX outbox_finished ON outbox (updated_at) WHERE state NOT IN ('queued', 'handed');
CREATE INDEX outbox_state ON outbox (state, id);
CREATE TABLE outbox_row (
    guid TEXT PRIMARY KEY,
    outbox INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX outbox_row_of ON outbox_row (outbox);
CREATE TABLE outbox_handed (
    at INTEGER NOT NULL,
    chat TEXT NOT NULL
);
CREATE INDEX outbox_handed_at ON outbox_handed (at);
CREATE TABLE outbox_pause (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    since INTEGER NOT NULL,
    reason TEXT
);
";

/// How long a finished send is kept, and with it its idempotency key: nobody repeats a request after a month.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Finished sends that are kept at most. At about 600 bytes each this is 60 MB; an account that sends so much in a month
/// sends more than two in a minute, day and night.
const KEPT_ROWS: i64 = 100_000;

/// Rows that one round of cleaning deletes, so that no send waits for it.
const CLEANED: i64 = 1000;

/// How far a send has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Written down; nothing was given to Messages.
    Queued,
    /// Given to Messages, at least in part; what became of it is not known yet.
    Handed,
    /// Every part was seen in chat.db.
    Seen,
    /// Proved never to have left.
    Failed,
    /// Nobody can know. Never tried again by itself.
    Unconfirmed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Handed => "handed",
            State::Seen => "seen",
            State::Failed => "failed",
            State::Unconfirmed => "unconfirmed",
        }
    }

    pub const NAMES: [&'static str; 5] = ["queued", "handed", "seen", "failed", "unconfirmed"];

    fn from_name(name: &str) -> State {
        [State::Queued, State::Handed, State::Seen, State::Failed]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(State::Unconfirmed)
    }
}

/// What a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message of a client.
    Send,
    /// An answer of a policy to a stranger.
    Answer,
    /// A reaction of a client.
    Reaction,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Send => "send",
            Kind::Answer => "answer",
            Kind::Reaction => "reaction",
        }
    }

    fn from_name(name: &str) -> Kind {
        [Kind::Answer, Kind::Reaction].into_iter().find(|kind| kind.name() == name).unwrap_or(Kind::Send)
    }
}

/// A send before it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub kind: Kind,
    /// The chat, or the recipient.
    pub target: String,
    pub idempotency_key: Option<String>,
    /// Tells one request from another under the same key; not the text itself.
    pub request: String,
    /// Only for our own answers to strangers, which are sent after a restart too: what clients send is kept by them.
    pub reply: Option<Reply>,
}

/// An answer of a policy to a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub chat_guid: String,
    pub text: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: i64,
    pub kind: Kind,
    pub target: Option<String>,
    pub request: String,
    pub state: State,
    pub trace: Option<Trace>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub reply: Option<Reply>,
    /// `{"result": …}` or `{"error": …}` as the client got it.
    pub outcome: Option<Value>,
}

impl Draft {
    /// The answer to the message whose key is `guid`, at most once however often that message is judged.
    pub fn reply(guid: &str, chat: &Chat, text: String) -> Draft {
        Draft {
            kind: Kind::Answer,
            target: chat.guid.clone(),
            idempotency_key: Some(format!("reply:{guid}")),
            request: "reply".to_owned(),
            reply: Some(Reply { chat_guid: chat.guid.clone(), text }),
        }
    }
}

/// Writes a draft down. False where its key was used before: then nothing changes.
pub(crate) fn insert(connection: &Connection, draft: &Draft) -> rusqlite::Result<bool> {
    let now = Timestamp::now().as_millisecond();
    let (chat_guid, text) = draft.reply.as_ref().map(|reply| (&reply.chat_guid, &reply.text)).unzip();
    let changed = connection.execute(
        "INSERT INTO outbox (idempotency_key, request, chat_guid, text, state, created_at, updated_at, kind, target)
         VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?5, ?6, ?7) ON CONFLICT (idempotency_key) DO NOTHING",
        params![draft.idempotency_key, draft.request, chat_guid, text, now, draft.kind.name(), draft.target],
    )?;
    Ok(changed == 1)
}

pub fn by_key(connection: &Connection, key: &str) -> rusqlite::Result<Option<Record>> {
    let query = "SELECT * FROM outbox WHERE idempotency_key = ?1";
    connection.query_row(query, [key], from_row).optional()
}

/// Sends that a stopped or killed daemon left behind.
pub fn open(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut query = connection
        .prepare("SELECT * FROM outbox INDEXED BY outbox_open WHERE state IN ('queued', 'handed') ORDER BY id")?;
    query.query_map([], from_row)?.collect()
}

/// Answers to strangers that have not been tried, after the record `after`, the oldest first.
pub fn waiting_answers(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<Record>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM outbox INDEXED BY outbox_open WHERE state IN ('queued', 'handed') AND state = 'queued'
         AND text IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    query.query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], from_row)?.collect()
}

/// Sends that were handed over and not seen, changed at `since` or later.
pub fn unseen(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Record>> {
    let mut query =
        connection.prepare("SELECT * FROM outbox WHERE state IN ('handed', 'unconfirmed') AND updated_at >= ?1")?;
    query.query_map([since.as_millisecond()], from_row)?.collect()
}

/// The newest, before the record `before` and in this state where these are given.
pub fn list(
    connection: &Connection,
    state: Option<&str>,
    before: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let before = before.unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match state {
        Some(state) => connection
            .prepare("SELECT * FROM outbox WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")?
            .query_map(params![state, before, limit], from_row)?
            .collect(),
        None => connection
            .prepare("SELECT * FROM outbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
            .query_map([before, limit], from_row)?
            .collect(),
    }
}

/// Writes down what is about to be given to Messages.
pub fn hand_over(connection: &Connection, id: i64, trace: &Trace) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = 'handed', trace = ?2, updated_at = ?3 WHERE id = ?1";
    connection.execute(set, params![id, trace.to_json().to_string(), Timestamp::now().as_millisecond()])?;
    Ok(())
}

/// Notes that the row with this guid is what Messages wrote for the record, so that it is no other's.
pub fn claim(connection: &Connection, id: i64, guid: &str) -> rusqlite::Result<()> {
    if !guid.is_empty() {
        connection.execute("INSERT OR IGNORE INTO outbox_row (guid, outbox) VALUES (?1, ?2)", params![guid, id])?;
    }
    Ok(())
}

pub fn is_claimed(connection: &Connection, guid: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM outbox_row WHERE guid = ?1")?.exists([guid])
}

/// Notes when something was handed to Messages for a chat, and forgets what was before `forget`.
pub fn note_handed(connection: &Connection, chat: &str, at: Timestamp, forget: Timestamp) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM outbox_handed WHERE at < ?1", [forget.as_millisecond()])?;
    let put = "INSERT INTO outbox_handed (at, chat) VALUES (?1, ?2)";
    connection.execute(put, params![at.as_millisecond(), chat])?;
    Ok(())
}

/// What was handed to Messages since then, the oldest first.
pub fn handed_since(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<(Timestamp, String)>> {
    let mut query = connection.prepare("SELECT at, chat FROM outbox_handed WHERE at >= ?1 ORDER BY at")?;
    query.query_map([since.as_millisecond()], |row| Ok((time(row, "at")?, row.get("chat")?)))?.collect()
}

/// Deletes finished sends that are too old or too many: some of them at a time. How many.
pub fn clean(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    clean_beyond(connection, now, KEPT_ROWS)
}

fn clean_beyond(connection: &Connection, now: Timestamp, kept: i64) -> rusqlite::Result<usize> {
    let oldest = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN).as_millisecond();
    let old = connection.execute(
        "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox INDEXED BY outbox_finished
             WHERE state NOT IN ('queued', 'handed') AND updated_at < ?1 LIMIT ?2)",
        [oldest, CLEANED],
    )?;
    // Ids grow by one, so that this counts without reading.
    let many = connection.execute(
        "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox WHERE id <= (SELECT MAX(id) FROM outbox) - ?1
             AND state NOT IN ('queued', 'handed') LIMIT ?2)",
        [kept, CLEANED],
    )?;
    Ok(old + many)
}

/// Writes down how a send ended. The text is not needed any more.
pub fn finish(
    connection: &Connection,
    id: i64,
    state: State,
    outcome: &Value,
    trace: Option<&Trace>,
) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = ?2, outcome = ?3, trace = COALESCE(?4, trace), text = NULL, updated_at = ?5
               WHERE id = ?1";
    let trace = trace.map(|trace| trace.to_json().to_string());
    let now = Timestamp::now().as_millisecond();
    connection.execute(set, params![id, state.name(), outcome.to_string(), trace, now])?;
    Ok(())
}

/// Lets a request that was proved never to have left be made again under its key.
pub fn requeue(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = 'queued', outcome = NULL, trace = NULL, updated_at = ?2 WHERE id = ?1";
    connection.execute(set, params![id, Timestamp::now().as_millisecond()])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    let reply: (Option<String>, Option<String>) = (row.get("chat_guid")?, row.get("text")?);
    let (outcome, trace): (Option<String>, Option<String>) = (row.get("outcome")?, row.get("trace")?);
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    Ok(Record {
        id: row.get("id")?,
        kind: Kind::from_name(&row.get::<_, String>("kind")?),
        target: row.get("target")?,
        trace: json(trace).as_ref().and_then(Trace::from_json),
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        request: row.get("request")?,
        state: State::from_name(&row.get::<_, String>("state")?),
        reply: reply.0.zip(reply.1).map(|(chat_guid, text)| Reply { chat_guid, text }),
        outcome: json(outcome),
    })
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_millisecond(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDb;

    fn draft(key: &str) -> Draft {
        let target = "any;-;x".to_owned();
        Draft { kind: Kind::Send, target, idempotency_key: Some(key.into()), request: "r".into(), reply: None }
    }

    #[test]
    fn finished_sends_are_deleted_when_they_are_too_old_or_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        let connection = state.connection();
        for key in ["open", "handed", "old", "new", "newest"] {
            insert(connection, &draft(key)).unwrap();
        }
        let id = |key: &str| by_key(connection, key).unwrap().map(|record| record.id);
        hand_over(connection, id("handed").unwrap(), &Trace::default()).unwrap();
        for key in ["old", "new", "newest"] {
            claim(connection, id(key).unwrap(), key).unwrap();
            finish(connection, id(key).unwrap(), State::Seen, &Value::Null, None).unwrap();
        }
        connection.execute("UPDATE outbox SET updated_at = 1 WHERE idempotency_key != 'newest'", []).unwrap();
        connection
            .execute("UPDATE outbox SET updated_at = ?1 WHERE id = 4", [Timestamp::now().as_millisecond()])
            .unwrap();
        assert_eq!(clean(connection, Timestamp::now()).unwrap(), 1);
        assert_eq!((id("old"), is_claimed(connection, "old").unwrap()), (None, false));
        assert_eq!(clean_beyond(connection, Timestamp::now(), 1).unwrap(), 1);
        let left = ["open", "handed", "new", "newest"].map(|key| id(key).is_some());
        assert_eq!(left, [true, true, false, true], "what is open stays");
    }

    #[test]
    fn cleaning_and_listing_use_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        for sql in [
            "SELECT id FROM outbox INDEXED BY outbox_finished
             WHERE state NOT IN ('queued', 'handed') AND updated_at < ?1 LIMIT ?2",
            "SELECT id FROM outbox WHERE id <= (SELECT MAX(id) FROM outbox) - ?1
             AND state NOT IN ('queued', 'handed') LIMIT ?2",
            "SELECT * FROM outbox WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
            "SELECT * FROM outbox WHERE state IN ('handed', 'unconfirmed') AND updated_at >= ?1",
            "DELETE FROM outbox_handed WHERE at < ?1",
            "DELETE FROM outbox_row WHERE outbox = ?1",
        ] {
            let mut plan = state.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps: Vec<String> =
                plan.raw_query().mapped(|row| row.get("detail")).collect::<Result<_, _>>().unwrap();
            assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{steps:?}\n{sql}");
        }
    }

    #[test]
    fn one_key_is_written_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        let draft = draft("k");
        assert!(insert(state.connection(), &draft).unwrap());
        assert!(!insert(state.connection(), &draft).unwrap());
        let without_key = Draft { idempotency_key: None, ..draft };
        assert!(insert(state.connection(), &without_key).unwrap());
        assert!(insert(state.connection(), &without_key).unwrap());
    }

    #[test]
    fn the_text_of_an_answer_is_forgotten_once_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        let reply = Reply { chat_guid: "any;-;x".into(), text: "code".into() };
        insert(state.connection(), &Draft { kind: Kind::Answer, reply: Some(reply.clone()), ..draft("k") }).unwrap();
        let waiting = waiting_answers(state.connection(), 0, 1).unwrap().remove(0);
        assert_eq!(waiting.reply, Some(reply));
        finish(state.connection(), waiting.id, State::Seen, &Value::Null, None).unwrap();
        assert_eq!(waiting_answers(state.connection(), 0, 1).unwrap(), []);
        assert_eq!(by_key(state.connection(), "k").unwrap().unwrap().reply, None);
    }
}
