//! chat.db: missing, not to be read, not a database, damaged, quiet, and late.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;

use imsgd::sim::Incoming;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::json;

use super::{Report, doctor, doctor_of_another, report};
use crate::harness::{FRIEND, FRIENDS, Home, SmallDb, TestDaemon, eventually};

/// Takes from root what lets it read everything; nothing where that is not needed.
const WITHOUT_RIGHTS: &[&str] = &["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The doctor, who may read only what its mode allows.
fn doctor_without_rights(home: &Home) -> Report {
    let command = home.command(&["doctor", "--json"]);
    if !is_root() {
        return report(command);
    }
    let mut through = Command::new(WITHOUT_RIGHTS[0]);
    through.args(&WITHOUT_RIGHTS[1..]).arg(command.get_program()).args(command.get_args());
    through.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    report(through)
}

fn forbid(home: &Home) {
    fs::set_permissions(home.db(), Permissions::from_mode(0o000)).unwrap();
}

#[test]
fn without_full_disk_access_it_says_which_program_needs_it_and_how_to_grant_it() {
    let home = Home::new(FRIENDS);
    forbid(&home);
    let words = if is_root() { WITHOUT_RIGHTS } else { &["env"] };
    let daemon = TestDaemon::start_through_without_database(home, words);
    let program = env!("CARGO_BIN_EXE_imsgd");
    let said = doctor_without_rights(&daemon);
    let words = [program, "Privacy_AllFiles", "launchctl kickstart -k", "nor may this command"];
    said.check("full_disk_access", "error", &words);
    said.check("database", "unknown", &["it may not be read; see full_disk_access"]);
    assert_eq!(said.finding("full_disk_access")["at_screen"], true);
    if is_root() {
        // As from a terminal that was granted what the daemon was not.
        let said = doctor(&daemon);
        said.check("full_disk_access", "error", &["this command may read it", "the daemon says: "]);
        said.check("database", "ok", &[]);
    }
}

#[test]
fn without_a_daemon_it_does_not_say_that_one_may_read() {
    let home = Home::new(FRIENDS);
    let said = doctor(&home);
    said.check("full_disk_access", "unknown", &["no daemon runs, whose permission counts", "this command may read it"]);
    said.check("database", "ok", &[]);
    forbid(&home);
    let said = doctor_without_rights(&home);
    said.check("full_disk_access", "unknown", &["this command may not read it"]);
    said.check("database", "unknown", &[]);
}

#[test]
fn what_is_no_database_of_messages_is_told_apart() {
    let home = Home::without_database(FRIENDS);
    doctor(&home).check("database", "error", &["There is no chat.db", "open -a Messages"]);
    fs::create_dir(home.db()).unwrap();
    doctor(&home).check("database", "error", &["cannot be read", "ls -l"]);
    fs::remove_dir(home.db()).unwrap();
    fs::write(home.db(), "x".repeat(8192)).unwrap();
    doctor(&home).check("database", "error", &["not a database of Messages", "not an SQLite database"]);
    fs::remove_file(home.db()).unwrap();
    Connection::open(home.db()).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    doctor(&home).check("database", "error", &["not a database of Messages"]);
    doctor(&home).check("full_disk_access", "unknown", &["no database that could be read"]);
}

#[test]
fn a_damaged_database_is_told() {
    let home = Home::without_database(FRIENDS);
    home.make_database(3, 200);
    // Its -wal file stays, as that of Messages does.
    let other = SmallDb::open(&home.db());
    other.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'message'";
    let root: u32 = other.connection.query_row(root, [], |row| row.get(0)).unwrap();
    let file = fs::File::options().write(true).open(home.db()).unwrap();
    file.write_all_at(&[0xa5; 4096], u64::from(root - 1) * 4096).unwrap();
    doctor(&home).check("database", "error", &["chat.db is damaged", "quick_check"]);
}

#[test]
fn a_database_that_another_program_has_locked_is_told() {
    let home = Home::without_database(FRIENDS);
    let other = SmallDb::create(&home.db());
    other.run("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE");
    other.run("BEGIN EXCLUSIVE");
    doctor(&home).check("database", "error", &["Another program has chat.db locked", "lsof"]);
}

#[test]
fn the_age_of_the_newest_message_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    doctor(&daemon).check("newest_message", "unknown", &["no message"]);
    let days_ago = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * 9)).unwrap();
    let message = daemon.receive(&Incoming { date: Some(days_ago), ..Incoming::new(FRIEND, "long ago") });
    eventually("it is judged", || daemon.journal(&message.guid));
    doctor(&daemon).check("newest_message", "note", &["The newest message is 9 days old"]);
    let message = daemon.receive_from(FRIEND, "now");
    eventually("it is judged", || daemon.journal(&message.guid));
    doctor(&daemon).check("newest_message", "ok", &[]);
}

#[test]
fn who_is_late_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let late =
        |change: fn(&mut serde_json::Value)| doctor_of_another(&daemon, |status| change(&mut status["imsgd"]["lag"]));
    late(|lag| lag["late"] = json!("starting")).check("lag", "warning", &["not found its place"]);
    let seconds = |seconds: u64| json!({"last_us": seconds * 1_000_000, "largest_us": seconds * 1_000_000});
    late(|lag| lag["imsgd"] = json!({"last_us": 5, "largest_us": 30_000_000})).check(
        "lag",
        "warning",
        &["at most 30 s"],
    );
    let of = |key: &'static str| doctor_of_another(&daemon, |status| status["imsgd"]["lag"][key] = seconds(300));
    of("subscribers").check("lag", "warning", &["A subscriber takes its messages late", "imsgd top"]);
    of("messages").check("lag", "note", &["long after they were sent"]);
    let lock = daemon.state();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    daemon.receive_from(FRIEND, "it waits");
    eventually("imsgd is late", || (daemon.status()["imsgd"]["lag"]["late"] == "imsgd").then_some(()));
    doctor(&daemon).check("lag", "error", &["imsgd is stalled", "1 rows", "launchctl kickstart"]);
}
