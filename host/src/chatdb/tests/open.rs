//! What opens, what does not, and what is said about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Fixture;
use crate::chatdb::{ChatDb, Error, Features, FileIdentity};
use crate::state::StateDb;

#[test]
fn a_missing_file_is_missing() {
    let fixture = Fixture::new();
    let error = ChatDb::open(&fixture.folder().join("nothing.db")).err().unwrap();
    assert!(matches!(error, Error::Missing { .. }) && error.is_unavailable(), "{error:?}");
}

#[test]
fn a_folder_or_another_file_is_no_database() {
    let fixture = Fixture::new();
    assert!(matches!(ChatDb::open(fixture.folder()), Err(Error::Unreadable { .. })));
    let note = fixture.folder().join("note.txt");
    fs::write(&note, "x".repeat(5000)).unwrap();
    assert!(matches!(ChatDb::open(&note), Err(Error::NotMessages { .. })));
    fs::write(&note, "").unwrap();
    assert!(matches!(ChatDb::open(&note), Err(Error::NotMessages { .. })));
}

#[test]
fn another_database_is_refused_by_what_it_lacks() {
    let fixture = Fixture::with_schema("CREATE TABLE note (text)");
    let error = ChatDb::open(&fixture.path()).err().unwrap();
    assert!(error.to_string().ends_with("is not a Messages database: it has no table `message`"), "{error}");
    fixture.run("CREATE TABLE message (handle_id, text, date, is_from_me)");
    let error = ChatDb::open(&fixture.path()).err().unwrap();
    assert!(error.to_string().ends_with("its table `message` has no column `service`"), "{error}");
}

#[test]
fn a_copy_without_its_wal_is_unreadable_until_it_is_replaced() {
    let fixture = Fixture::new();
    let copy = fixture.folder().join("copy.db");
    fs::copy(fixture.path(), &copy).unwrap();
    let error = ChatDb::open(&copy).err().unwrap();
    assert!(matches!(error, Error::Unreadable { .. }) && error.is_unavailable(), "{error:?}");
    assert!(!fixture.folder().join("copy.db-wal").exists(), "opening has written beside the file");
    fixture.connection.execute("VACUUM INTO ?1", [fixture.folder().join("whole.db").to_str()]).unwrap();
    fs::rename(fixture.folder().join("whole.db"), &copy).unwrap();
    ChatDb::open(&copy).unwrap();
}

#[test]
fn readers_share_no_lock_for_their_memory() {
    let db = Fixture::new().open();
    let mut options = db.connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "see .cargo/config.toml: {options:?}");
}

#[test]
fn the_file_is_never_written() {
    let fixture = Fixture::new();
    let db = fixture.open();
    assert!(db.connection.execute("DELETE FROM chat", []).is_err());
    assert!(db.connection.is_readonly("main").unwrap());
}

#[test]
fn a_replaced_file_is_noticed() {
    let fixture = Fixture::new();
    let db = fixture.open();
    assert!(db.is_current());
    fs::rename(fixture.path(), fixture.folder().join("old.db")).unwrap();
    assert!(!db.is_current());
    fs::write(fixture.path(), "other").unwrap();
    assert!(!db.is_current());
}

#[test]
fn the_data_version_moves_with_the_file() {
    let fixture = Fixture::new();
    let db = fixture.open();
    let before = db.data_version().unwrap();
    assert_eq!(db.data_version().unwrap(), before);
    fixture.text(1, "hi");
    assert_ne!(db.data_version().unwrap(), before);
}

#[test]
fn a_current_database_has_every_feature() {
    let features = Fixture::new().open().schema().features();
    let all = Features {
        unread_state: true,
        scheduled_messages: true,
        reactions: true,
        reply_context: true,
        routing_metadata: true,
        balloon_payloads: true,
    };
    assert_eq!(features, all);
}

/// The tables of the oldest databases that are supported.
pub(super) const OLD: &str = "
    CREATE TABLE message (ROWID INTEGER PRIMARY KEY, text TEXT, handle_id INTEGER, service TEXT, date INTEGER, is_from_me INTEGER);
    CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid TEXT, chat_identifier TEXT, service_name TEXT, display_name TEXT);
    CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT);
    CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);
    CREATE TABLE chat_handle_join (chat_id INTEGER, handle_id INTEGER);
    INSERT INTO handle VALUES (1, 'ann@example.com');
    INSERT INTO chat VALUES (1, 'iMessage;+;chat7', 'chat7', 'iMessage', '');
    INSERT INTO chat_handle_join VALUES (1, 1), (1, 1);
    INSERT INTO message VALUES (1, 'one', 1, 'iMessage', 700000000, 0), (2, 'two', 0, 'iMessage', 700000001, 1);
    INSERT INTO chat_message_join VALUES (1, 1), (1, 2);";

#[test]
fn an_old_database_has_no_feature() {
    let features = Fixture::with_schema(OLD).open().schema().features();
    let none = Features {
        unread_state: false,
        scheduled_messages: false,
        reactions: false,
        reply_context: false,
        routing_metadata: false,
        balloon_payloads: false,
    };
    assert_eq!(features, none);
}

/// How many locks this process has on a file. Linux tells them page by page: where other tests take and leave theirs
/// between two pages, one may be left out, or told twice.
fn locks(path: &Path) -> usize {
    let (process, inode) = (format!(" {} ", std::process::id()), FileIdentity::of(path).unwrap().inode);
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let held = fs::read_to_string("/proc/locks").unwrap();
        let ours = held.lines().filter_map(|lock| lock.split_once(": ")).map(|(_number, lock)| lock.to_owned());
        seen.extend(ours.filter(|lock| lock.contains(&process) && lock.contains(&format!(":{inode} "))));
    }
    seen.len()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "locks cannot be listed")]
fn opening_a_file_again_keeps_the_locks_of_those_who_have_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    crate::sim::init(&path, &crate::sim::Options { chats: 1, messages: 1, ..Default::default() }).unwrap();
    let first = ChatDb::open(&path).unwrap();
    assert_eq!(locks(&path), 1);
    drop(ChatDb::open(&path).unwrap());
    assert_eq!(locks(&path), 1, "chat.db");
    drop(first);
    let path = folder.path().join("state.db");
    let _first = StateDb::open(&path).unwrap();
    assert_eq!(locks(&path), 1);
    drop(StateDb::open(&path).unwrap());
    assert_eq!(locks(&path), 1, "state.db");
}

#[test]
fn other_files_beside_the_database_are_read_once_all_have_closed_the_ones_before() {
    let fixture = Fixture::new();
    let [tail, reader] = [fixture.open(), fixture.open()];
    fixture.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    for suffix in ["-wal", "-shm"] {
        let mut path = fixture.path().into_os_string();
        path.push(suffix);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
    }
    assert!(!tail.is_current() && !reader.is_current());
    drop(tail);
    let error = ChatDb::open(&fixture.path()).err().unwrap();
    assert!(error.is_unavailable() && error.to_string().contains("replaced just now"), "{error}");
    drop(reader);
    assert!(ChatDb::open(&fixture.path()).unwrap().is_current());
}
