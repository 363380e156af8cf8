//! state.db and the disk.

use std::fs;
use std::process::Command;

use super::{doctor, doctor_of_another, report};
use crate::harness::{FRIENDS, TestDaemon};

#[test]
fn a_damaged_state_is_told_and_that_one_was_set_aside() {
    let mut daemon = TestDaemon::new(FRIENDS);
    daemon.terminate();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(daemon.path(&format!("state/state.db{suffix}")));
    }
    fs::write(daemon.state_db(), vec![0xa5; 8192]).unwrap();
    doctor(&daemon).check("state_db", "error", &["state.db is damaged", "sets the file aside"]);
    daemon.start_again();
    let said = doctor(&daemon);
    said.check("state_db", "ok", &[]);
    said.check("state_lost", "warning", &["state.db.corrupt-", "imsgd pairing list"]);
    daemon.terminate();
    doctor(&daemon).check("state_lost", "warning", &["state.db.corrupt-"]);
    fs::remove_dir_all(daemon.path("state")).unwrap();
    fs::create_dir_all(daemon.state_db()).unwrap();
    doctor(&daemon).check("state_db", "error", &["cannot be read"]);
    fs::remove_dir(daemon.state_db()).unwrap();
    doctor(&daemon).check("state_db", "unknown", &["no daemon has made it yet"]);
}

#[test]
fn verdicts_that_cannot_be_kept_are_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let said = doctor_of_another(&daemon, |status| {
        status["imsgd"]["last_error"] = "state.db: database or disk is full".into();
    });
    said.check("judging", "error", &["cannot be written down", "disk is full"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_is_told() {
    let daemon = TestDaemon::new(FRIENDS);
    let command = daemon.command(&["doctor", "--json"]);
    // A small disk of its own, which only this command sees in the place of the state folder.
    let script = "mount -t tmpfs -o size=$1 none \"$2\" && shift 2 && exec \"$@\"";
    let on_disk_of = |size: &str| {
        let mut through = Command::new("unshare");
        through.args(["--map-root-user", "--mount", "/bin/sh", "-c", script, "sh", size]);
        through.arg(daemon.path("state")).arg(command.get_program()).args(command.get_args());
        through.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        through
    };
    let is_possible = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    if !is_possible.is_ok_and(|ended| ended.status.success()) {
        eprintln!("this machine lets nobody mount, so that a full disk was not tried");
        return;
    }
    report(on_disk_of("20m")).check("disk", "error", &["The disk is full", "df -h"]);
    report(on_disk_of("500m")).check("disk", "warning", &["Little room is left"]);
}
