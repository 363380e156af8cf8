//! The outbox's rows in state.db: every send is written down before it is tried (D7).

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

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

    fn from_name(name: &str) -> State {
        [State::Queued, State::Handed, State::Seen, State::Failed]
            .into_iter()
            .find(|state| state.name() == name)
            .unwrap_or(State::Unconfirmed)
    }
}

/// A send before it is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
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
    pub request: String,
    pub state: State,
    pub reply: Option<Reply>,
    /// `{"result": …}` or `{"error": …}` as the client got it.
    pub outcome: Option<Value>,
}

impl Draft {
    /// The answer to the message whose key is `guid`, at most once however often that message is judged.
    pub fn reply(guid: &str, chat: &Chat, text: String) -> Draft {
        Draft {
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
        "INSERT INTO outbox (idempotency_key, request, chat_guid, text, state, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?5) ON CONFLICT (idempotency_key) DO NOTHING",
        params![draft.idempotency_key, draft.request, chat_guid, text, now],
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

/// The oldest answer to a stranger that has not been tried.
pub fn next_reply(connection: &Connection) -> rusqlite::Result<Option<Record>> {
    let query = "SELECT * FROM outbox INDEXED BY outbox_open
                 WHERE state IN ('queued', 'handed') AND state = 'queued' AND text IS NOT NULL ORDER BY id LIMIT 1";
    connection.query_row(query, [], from_row).optional()
}

pub fn set_state(connection: &Connection, id: i64, state: State) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = ?2, updated_at = ?3 WHERE id = ?1";
    connection.execute(set, params![id, state.name(), Timestamp::now().as_millisecond()])?;
    Ok(())
}

/// Writes down how a send ended. The text is not needed any more.
pub fn finish(connection: &Connection, id: i64, state: State, outcome: &Value) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = ?2, outcome = ?3, text = NULL, updated_at = ?4 WHERE id = ?1";
    connection.execute(set, params![id, state.name(), outcome.to_string(), Timestamp::now().as_millisecond()])?;
    Ok(())
}

/// Lets a request that was proved never to have left be made again under its key.
pub fn requeue(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let set = "UPDATE outbox SET state = 'queued', outcome = NULL, updated_at = ?2 WHERE id = ?1";
    connection.execute(set, params![id, Timestamp::now().as_millisecond()])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    let reply: (Option<String>, Option<String>) = (row.get("chat_guid")?, row.get("text")?);
    let outcome: Option<String> = row.get("outcome")?;
    Ok(Record {
        id: row.get("id")?,
        request: row.get("request")?,
        state: State::from_name(&row.get::<_, String>("state")?),
        reply: reply.0.zip(reply.1).map(|(chat_guid, text)| Reply { chat_guid, text }),
        outcome: outcome.and_then(|outcome| serde_json::from_str(&outcome).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDb;

    #[test]
    fn one_key_is_written_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        let draft = Draft { idempotency_key: Some("k".into()), request: "r".into(), reply: None };
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
        let draft = Draft { idempotency_key: Some("k".into()), request: "reply".into(), reply: Some(reply.clone()) };
        insert(state.connection(), &draft).unwrap();
        let waiting = next_reply(state.connection()).unwrap().unwrap();
        assert_eq!(waiting.reply, Some(reply));
        finish(state.connection(), waiting.id, State::Seen, &Value::Null).unwrap();
        assert_eq!(next_reply(state.connection()).unwrap(), None);
        assert_eq!(by_key(state.connection(), "k").unwrap().unwrap().reply, None);
    }
}
