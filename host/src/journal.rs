//! The journal: one row for each inbound message, with what became of it, who decided and why. No message text.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

pub(crate) mod bounds;
mod held;
mod list;
mod renumber;

pub use bounds::{Bounds, Pruned, Which, count, is_pruned, used_bytes};
pub use held::{HeldPlace, held_at, held_page};
pub use list::{Wanted, list};
pub use renumber::places;
pub(crate) use renumber::renumber;

use crate::message::{Arrival, ChatId, Message, RowId};
use crate::policy::{Decision, Hold, Verdict};

pub(crate) const SCHEMA: &str = "
CREATE TABLE journal (
    guid TEXT PRIMARY KEY,
    message_rowid INTEGER NOT NULL,
    chat_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    arrival TEXT NOT NULL,
    verdict TEXT NOT NULL,
    decided_by TEXT,
    version TEXT,
    reason TEXT,
    route TEXT,
    labels TEXT,
    sent_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    judged_us INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0,
    context_for INTEGER
) WITHOUT ROWID;
CREATE INDEX journal_rowid ON journal (message_rowid);
CREATE INDEX journal_held ON journal (message_rowid) WHERE verdict = 'held';
CREATE INDEX journal_observed ON journal (chat_id, message_rowid) WHERE verdict = 'observed';
CREATE INDEX journal_context ON journal (context_for) WHERE context_for IS NOT NULL;
";

/// `released` numbers what was delivered after the stream had passed its row, in the order of its delivery.
pub(crate) const SCHEMA_2: &str = "
ALTER TABLE journal ADD COLUMN released INTEGER;
ALTER TABLE journal ADD COLUMN was_held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN waited_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE journal ADD COLUMN stages TEXT;
CREATE UNIQUE INDEX journal_released ON journal (released) WHERE released IS NOT NULL;
CREATE INDEX journal_seen ON journal (seen_at);
CREATE INDEX journal_held_by ON journal (decided_by) WHERE verdict = 'held';
";

/// In the order of the rows, as entries come: by guid, each of them would be written to a page of its own, which cost
/// more than all the rest of judging.
pub(crate) const SCHEMA_3: &str = "
ALTER TABLE journal RENAME TO journal_by_guid;
CREATE TABLE journal (
    message_rowid INTEGER NOT NULL,
    guid TEXT NOT NULL,
    chat_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    arrival TEXT NOT NULL,
    verdict TEXT NOT NULL,
    decided_by TEXT,
    version TEXT,
    reason TEXT,
    route TEXT,
    labels TEXT,
    sent_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    judged_us INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0,
    context_for INTEGER,
    released INTEGER,
    was_held INTEGER NOT NULL DEFAULT 0,
    waited_us INTEGER NOT NULL DEFAULT 0,
    stages TEXT,
    PRIMARY KEY (message_rowid, guid)
) WITHOUT ROWID;
INSERT INTO journal
    SELECT message_rowid, guid, chat_id, sender, arrival, verdict, decided_by, version, reason, route, labels, sent_at,
        seen_at, judged_us, failed, context_for, released, was_held, waited_us, stages
    FROM journal_by_guid ORDER BY message_rowid, guid;
DROP TABLE journal_by_guid;
CREATE INDEX journal_held ON journal (message_rowid) WHERE verdict = 'held';
CREATE INDEX journal_observed ON journal (chat_id, message_rowid) WHERE verdict = 'observed';
CREATE INDEX journal_context ON journal (context_for) WHERE context_for IS NOT NULL;
CREATE UNIQUE INDEX journal_released ON journal (released) WHERE released IS NOT NULL;
CREATE INDEX journal_seen ON journal (seen_at);
CREATE INDEX journal_held_by ON journal (decided_by) WHERE verdict = 'held';
";

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// [`Message::key`].
    pub guid: String,
    pub message: RowId,
    pub chat: ChatId,
    /// As compared: E.164 number or lower-case e-mail address.
    pub sender: String,
    pub arrival: Arrival,
    /// `delivered`, `observed`, `held`, `rejected`, `dropped`, `folded`, `echo` or `unjoined`.
    pub verdict: String,
    /// Name of the plugin, and its version.
    pub decided_by: Option<(String, String)>,
    pub reason: Option<String>,
    pub route: Option<String>,
    pub labels: Vec<String>,
    pub sent_at: Timestamp,
    pub seen_at: Timestamp,
    /// Microseconds that the chain took.
    pub judged_us: i64,
    /// Microseconds from when it was seen until the chain began.
    pub waited_us: i64,
    /// Which policies were asked, and how many microseconds each took: `allowlist=12 spam=40`.
    pub stages: String,
    /// The delivered message that an observed one went out with. Written by [`put_context`] only.
    pub carried_by: Option<RowId>,
    /// Held because a policy failed, not because a stranger waits.
    pub failed: bool,
    /// Was held, and judged again.
    pub was_held: bool,
    /// The number of a delivery that came when the stream had passed the message's row, by which it is found by those
    /// who have passed it too.
    pub released: Option<i64>,
}

/// A message that was heard and not delivered. Its row says where to look for it; that what is found there is still
/// the same message, only the guid does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub message: RowId,
    /// [`Message::key`].
    pub guid: String,
}

impl Observed {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Observed> {
        Ok(Observed { message: RowId(row.get(0)?), guid: row.get(1)? })
    }

    pub fn is(&self, message: &Message) -> bool {
        self.message == message.id && self.guid == message.key()
    }
}

/// The longest address and the longest reason that are kept; longer ones are cut. Routes and labels are bounded where
/// policies give them.
pub const SENDER_BYTES: usize = 512;
const REASON_BYTES: usize = 1024;

pub fn bounded(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

/// A preview of a link that stands in a message of its own.
pub const FOLDED: &str = "folded";

/// The second row of a message to ourselves.
pub const ECHO: &str = "echo";

/// A row that Messages never joined to a chat.
pub const UNJOINED: &str = "unjoined";

impl Entry {
    /// Takes over what the chain decided.
    pub fn decided(mut self, decision: &Decision) -> Entry {
        decision.verdict.name().clone_into(&mut self.verdict);
        self.decided_by.clone_from(&decision.decided_by);
        self.reason = decision.verdict.reason().map(|reason| bounded(reason, REASON_BYTES));
        self.failed = matches!(decision.verdict, Verdict::Hold(Hold::Failure(_)));
        if let Verdict::Deliver { route, labels } = &decision.verdict {
            self.route = Some(route.clone());
            self.labels.clone_from(labels);
        }
        self
    }

    pub fn is_delivered(&self) -> bool {
        self.verdict == "delivered"
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
        let arrival: String = row.get("arrival")?;
        let labels: Option<String> = row.get("labels")?;
        let by: (Option<String>, Option<String>) = (row.get("decided_by")?, row.get("version")?);
        Ok(Entry {
            guid: row.get("guid")?,
            message: RowId(row.get("message_rowid")?),
            chat: ChatId(row.get("chat_id")?),
            sender: row.get("sender")?,
            arrival: Arrival::from_name(&arrival).unwrap_or(Arrival::CatchUp),
            verdict: row.get("verdict")?,
            decided_by: by.0.map(|name| (name, by.1.unwrap_or_default())),
            reason: row.get("reason")?,
            route: row.get("route")?,
            labels: labels.map(|labels| labels.split('\n').map(str::to_owned).collect()).unwrap_or_default(),
            sent_at: timestamp(row.get("sent_at")?),
            seen_at: timestamp(row.get("seen_at")?),
            judged_us: row.get("judged_us")?,
            waited_us: row.get("waited_us")?,
            stages: row.get::<_, Option<String>>("stages")?.unwrap_or_default(),
            carried_by: row.get::<_, Option<i64>>("context_for")?.map(RowId),
            failed: row.get("failed")?,
            was_held: row.get("was_held")?,
            released: row.get("released")?,
        })
    }
}

pub(crate) fn put(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO journal (guid, message_rowid, chat_id, sender, arrival, verdict, decided_by, version,
             reason, route, labels, sent_at, seen_at, judged_us, failed, was_held, released, waited_us, stages)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             ?18, ?19)",
    )?;
    let (name, version) = entry.decided_by.as_ref().map(|(name, version)| (name, version)).unzip();
    // A label is one line, so a line break can stand between two.
    let labels = (!entry.labels.is_empty()).then(|| entry.labels.join("\n"));
    put.execute(params![
        entry.guid,
        entry.message.0,
        entry.chat.0,
        entry.sender,
        entry.arrival.name(),
        entry.verdict,
        name,
        version,
        entry.reason,
        entry.route,
        labels,
        entry.sent_at.as_millisecond(),
        entry.seen_at.as_millisecond(),
        entry.judged_us,
        entry.failed,
        entry.was_held,
        entry.released,
        entry.waited_us,
        (!entry.stages.is_empty()).then_some(&entry.stages),
    ])?;
    Ok(())
}

/// Notes which observed messages went out as context of `delivered`.
pub(crate) fn put_context(connection: &Connection, delivered: RowId, observed: &[Observed]) -> rusqlite::Result<()> {
    let mut put =
        connection.prepare_cached("UPDATE journal SET context_for = ?1 WHERE message_rowid = ?2 AND guid = ?3")?;
    for message in observed {
        put.execute(params![delivered.0, message.message.0, message.guid])?;
    }
    Ok(())
}

/// The newest entry of this row.
pub fn by_row(connection: &Connection, row: RowId) -> rusqlite::Result<Option<Entry>> {
    let mut query =
        connection.prepare_cached("SELECT * FROM journal WHERE message_rowid = ?1 ORDER BY seen_at DESC LIMIT 1")?;
    query.query_map([row.0], Entry::from_row)?.next().transpose()
}

/// The entry of this message, whose [`Message::key`] is `guid`.
pub fn of(connection: &Connection, row: RowId, guid: &str) -> rusqlite::Result<Option<Entry>> {
    let mut query = connection.prepare_cached("SELECT * FROM journal WHERE message_rowid = ?1 AND guid = ?2")?;
    query.query_map(params![row.0, guid], Entry::from_row)?.next().transpose()
}

/// The newest entry with this guid, wherever its message is. Reads the whole journal: for what is in no database any
/// more, or is looked for by nothing else.
pub fn anywhere(connection: &Connection, guid: &str) -> rusqlite::Result<Option<Entry>> {
    let mut query = connection.prepare("SELECT * FROM journal WHERE guid = ?1 ORDER BY seen_at DESC LIMIT 1")?;
    query.query_map([guid], Entry::from_row)?.next().transpose()
}

/// Entries of the rows from `first` to `last`, in ROWID order.
pub fn between(connection: &Connection, first: RowId, last: RowId) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection
        .prepare_cached("SELECT * FROM journal WHERE message_rowid BETWEEN ?1 AND ?2 ORDER BY message_rowid")?;
    query.query_map([first.0, last.0], Entry::from_row)?.collect()
}

/// Late deliveries after number `after` up to `last`, in their order.
pub fn released(connection: &Connection, after: i64, last: i64, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM journal INDEXED BY journal_released
         WHERE released IS NOT NULL AND released > ?1 AND released <= ?2 ORDER BY released LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map([after, last, limit], Entry::from_row)?.collect()
}

/// The number of the last late delivery; 0 where there was none.
pub fn last_released(connection: &Connection) -> rusqlite::Result<i64> {
    let query = "SELECT IFNULL(MAX(released), 0) FROM journal INDEXED BY journal_released WHERE released IS NOT NULL";
    connection.query_row(query, [], |row| row.get(0))
}

/// The rows of the last messages that were judged, with their guids, newest first.
pub fn newest(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<(RowId, String)>> {
    let mut query =
        connection.prepare("SELECT message_rowid, guid FROM journal ORDER BY message_rowid DESC LIMIT ?1")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map([limit], |row| Ok((RowId(row.get(0)?), row.get(1)?)))?.collect()
}

/// The observed messages that went out with `delivered`, in ROWID order.
pub fn context_of(connection: &Connection, delivered: RowId) -> rusqlite::Result<Vec<Observed>> {
    let mut query = connection
        .prepare_cached("SELECT message_rowid, guid FROM journal WHERE context_for = ?1 ORDER BY message_rowid")?;
    query.query_map([delivered.0], Observed::from_row)?.collect()
}

/// Observed messages of `chat` that no delivered one has carried yet: the newest `limit`, in ROWID order.
pub fn waiting_context(connection: &Connection, chat: ChatId, limit: usize) -> rusqlite::Result<Vec<Observed>> {
    let mut query = connection.prepare_cached(
        "SELECT message_rowid, guid FROM journal INDEXED BY journal_observed
         WHERE verdict = 'observed' AND chat_id = ?1 AND context_for IS NULL
           AND message_rowid > IFNULL((SELECT MAX(context_for) FROM journal INDEXED BY journal_observed
               WHERE verdict = 'observed' AND chat_id = ?1), 0)
         ORDER BY message_rowid DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows: Vec<Observed> =
        query.query_map([chat.0, limit], Observed::from_row)?.collect::<rusqlite::Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

/// Held messages in ROWID order: those whose policy failed, or those of strangers that wait.
pub fn held(connection: &Connection, failed: bool, after: RowId, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare_cached(
        "SELECT * FROM journal INDEXED BY journal_held
         WHERE verdict = 'held' AND failed = ?1 AND message_rowid > ?2 ORDER BY message_rowid LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    query.query_map(params![failed, after.0, limit], Entry::from_row)?.collect()
}

/// How many messages are held.
pub fn held_count(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .query_row("SELECT COUNT(*) FROM journal INDEXED BY journal_held WHERE verdict = 'held'", [], |row| row.get(0))
}

/// How many messages are held, by the policy that holds them; under no name, those that nobody decided on.
pub fn held_by(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut query = connection
        .prepare_cached("SELECT decided_by, COUNT(*) FROM journal WHERE verdict = 'held' GROUP BY decided_by")?;
    let counted = |row: &Row<'_>| Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get(1)?));
    query.query_map([], counted)?.collect()
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use crate::state::StateDb;

    #[test]
    fn who_holds_how_many_is_read_from_an_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        let explain =
            "EXPLAIN QUERY PLAN SELECT decided_by, COUNT(*) FROM journal WHERE verdict = 'held' GROUP BY decided_by";
        let mut plan = state.connection().prepare(explain).unwrap();
        let steps: Vec<String> = plan.raw_query().mapped(|row| row.get("detail")).collect::<Result<_, _>>().unwrap();
        assert_eq!(steps, ["SCAN journal USING COVERING INDEX journal_held_by"]);
    }
}
