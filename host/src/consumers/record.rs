//! The rows of consumers in state.db.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{NAMELESS, NAMES, Refusal};
use crate::message::RowId;
use crate::place::Place;

/// One row for each name, and for each of those without one. `left_at` is when the latter were last read as; `lost`
/// what has to be said to them about their place.
pub(crate) const SCHEMA: &str = "
CREATE TABLE consumer (
    id INTEGER PRIMARY KEY,
    name TEXT UNIQUE,
    request TEXT,
    acks INTEGER NOT NULL,
    message_rowid INTEGER NOT NULL,
    guid TEXT NOT NULL,
    released INTEGER NOT NULL,
    lost TEXT,
    created_at INTEGER NOT NULL,
    moved_at INTEGER NOT NULL,
    left_at INTEGER
);
";

/// One row.
pub struct Record {
    pub id: i64,
    pub name: Option<String>,
    pub acks: bool,
    pub place: Place,
    pub lost: Option<String>,
    pub created_at: Timestamp,
    pub moved_at: Timestamp,
}

/// All, those with a name first and by it.
pub fn all(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut query = connection.prepare_cached("SELECT * FROM consumer ORDER BY name IS NULL, name, id")?;
    query.query_map([], from_row)?.collect()
}

pub fn by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<Record>> {
    connection.query_row("SELECT * FROM consumer WHERE name = ?1", [name], from_row).optional()
}

pub fn insert_named(connection: &Connection, name: &str, acks: bool, place: &Place) -> Result<i64, Refusal> {
    let count: i64 =
        connection.query_row("SELECT COUNT(*) FROM consumer WHERE name IS NOT NULL", [], |row| row.get(0))?;
    if count >= NAMES as i64 {
        return Err(Refusal::TooMany);
    }
    Ok(insert(connection, Some(name), None, acks, place)?)
}

/// What was said about its place has been heard.
pub fn take_up(connection: &Connection, id: i64, acks: bool) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE consumer SET acks = ?2, lost = NULL, left_at = NULL WHERE id = ?1", params![id, acks])?;
    Ok(())
}

pub fn insert_nameless(connection: &Connection, request: &str, place: &Place) -> rusqlite::Result<i64> {
    let surplus = "DELETE FROM consumer WHERE id IN (
        SELECT id FROM consumer WHERE name IS NULL AND left_at IS NOT NULL ORDER BY left_at DESC LIMIT -1 OFFSET ?1)";
    connection.execute(surplus, [NAMELESS as i64 - 1])?;
    insert(connection, None, Some(request), false, place)
}

/// The earliest place of those who asked for the same and left within `within`, and the row to go on with. Which of
/// several comes back cannot be known: each gets the earliest, so that none misses anything.
pub fn find_nameless(connection: &Connection, request: &str, within: Duration) -> rusqlite::Result<Option<Record>> {
    let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::now().as_millisecond().saturating_sub(within);
    connection.execute("DELETE FROM consumer WHERE name IS NULL AND left_at < ?1", [since])?;
    let mut query = connection.prepare_cached(
        "SELECT * FROM consumer WHERE name IS NULL AND request = ?1 AND left_at IS NOT NULL
         ORDER BY message_rowid, released",
    )?;
    let mut left: Vec<Record> = query.query_map([request], from_row)?.collect::<rusqlite::Result<_>>()?;
    let Some(latest) = left.pop() else { return Ok(None) };
    let place = left.into_iter().next().map_or(latest.place, |earliest| earliest.place);
    Ok(Some(Record { place, ..latest }))
}

/// Nobody reads as those that were read as when the daemon was last stopped or killed. While there was none, nobody
/// could come back, so that this time does not count.
pub fn all_left(connection: &Connection) -> rusqlite::Result<()> {
    let now = Timestamp::now().as_millisecond();
    connection.execute("UPDATE consumer SET left_at = ?1 WHERE name IS NULL AND left_at IS NULL", [now])?;
    Ok(())
}

pub fn move_to(connection: &Connection, id: i64, place: &Place) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "UPDATE consumer SET message_rowid = ?2, guid = ?3, released = ?4, moved_at = ?5 WHERE id = ?1",
    )?;
    put.execute(params![id, place.row.0, &*place.guid, place.released, Timestamp::now().as_millisecond()])?;
    Ok(())
}

/// Gives it a place in another numbering, and notes what is to be said about that.
pub fn renumber(connection: &Connection, id: i64, place: &Place, lost: Option<&str>) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "UPDATE consumer SET message_rowid = ?2, guid = ?3, released = ?4, lost = IFNULL(?5, lost) WHERE id = ?1",
    )?;
    put.execute(params![id, place.row.0, &*place.guid, place.released, lost])?;
    Ok(())
}

pub fn left(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let left = "UPDATE consumer SET left_at = ?2 WHERE id = ?1";
    connection.execute(left, params![id, Timestamp::now().as_millisecond()])?;
    Ok(())
}

/// How many there were.
pub fn remove(connection: &Connection, id: i64) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM consumer WHERE id = ?1", [id])
}

fn insert(
    connection: &Connection,
    name: Option<&str>,
    request: Option<&str>,
    acks: bool,
    place: &Place,
) -> rusqlite::Result<i64> {
    let now = Timestamp::now().as_millisecond();
    connection.execute(
        "INSERT INTO consumer (name, request, acks, message_rowid, guid, released, created_at, moved_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![name, request, acks, place.row.0, &*place.guid, place.released, now],
    )?;
    Ok(connection.last_insert_rowid())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    let guid: String = row.get("guid")?;
    let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Record {
        id: row.get("id")?,
        name: row.get("name")?,
        acks: row.get("acks")?,
        place: Place { row: RowId(row.get("message_rowid")?), guid: guid.into(), released: row.get("released")? },
        lost: row.get("lost")?,
        created_at: at(row.get("created_at")?),
        moved_at: at(row.get("moved_at")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDb;

    const LONG: Duration = Duration::from_secs(600);

    fn at(row: i64) -> Place {
        Place { row: RowId(row), ..Place::default() }
    }

    fn state() -> (tempfile::TempDir, StateDb) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDb::open(&folder.path().join("state.db")).unwrap();
        (folder, state)
    }

    #[test]
    fn of_too_many_without_a_name_those_that_left_first_are_forgotten() {
        let (_folder, state) = state();
        let connection = state.connection();
        for number in 0..NAMELESS as i64 + 10 {
            let id = insert_nameless(connection, &number.to_string(), &at(number)).unwrap();
            connection.execute("UPDATE consumer SET left_at = ?1 WHERE id = ?2", [i64::MAX / 2 + number, id]).unwrap();
        }
        assert_eq!(all(connection).unwrap().len(), NAMELESS);
        let kept = |request: i64| find_nameless(connection, &request.to_string(), LONG).unwrap().is_some();
        assert_eq!((kept(0), kept(9), kept(10)), (false, false, true));
    }

    #[test]
    fn of_several_that_asked_for_the_same_each_goes_on_at_the_earliest_place() {
        let (_folder, state) = state();
        let connection = state.connection();
        for row in [7, 3, 5] {
            let id = insert_nameless(connection, "same", &at(row)).unwrap();
            left(connection, id).unwrap();
        }
        for _ in 0..3 {
            let found = find_nameless(connection, "same", LONG).unwrap().unwrap();
            assert_eq!(found.place, at(3));
            take_up(connection, found.id, false).unwrap();
        }
        assert!(find_nameless(connection, "same", LONG).unwrap().is_none(), "all are here again");
    }

    #[test]
    fn a_restart_makes_only_those_wait_longer_that_it_cut_off() {
        let (_folder, state) = state();
        let connection = state.connection();
        let gone = insert_nameless(connection, "gone", &at(3)).unwrap();
        connection.execute("UPDATE consumer SET left_at = 1000 WHERE id = ?1", [gone]).unwrap();
        insert_nameless(connection, "cut off", &at(4)).unwrap();
        all_left(connection).unwrap();
        assert!(find_nameless(connection, "gone", LONG).unwrap().is_none());
        assert_eq!(find_nameless(connection, "cut off", LONG).unwrap().unwrap().place, at(4));
    }

    #[test]
    fn who_stays_away_too_long_is_forgotten() {
        let (_folder, state) = state();
        let connection = state.connection();
        let id = insert_nameless(connection, "same", &at(3)).unwrap();
        connection.execute("UPDATE consumer SET left_at = 1000 WHERE id = ?1", [id]).unwrap();
        assert!(find_nameless(connection, "same", LONG).unwrap().is_none());
        assert!(all(connection).unwrap().is_empty());
    }
}
