//! What people read.

use serde_json::Value;

use crate::harness::{FRIENDS, Home, TestDaemon};

#[test]
fn the_worst_is_first_with_its_evidence_and_what_to_do() {
    let said = Home::without_database(FRIENDS).run(&["doctor"]);
    assert_eq!((said.status.code(), said.stderr.as_str()), (Some(2), ""));
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("2 errors; "), "{}", said.stdout);
    assert!(lines[1].starts_with("error    daemon                No daemon serves"), "{}", said.stdout);
    assert!(
        lines[2].starts_with("         seen: ") && lines[3].starts_with("         next: imsgd serve --config /"),
        "{}",
        said.stdout
    );
    let last = lines.last().unwrap();
    assert!(last.starts_with("ok       configuration"), "{}", said.stdout);
}

#[test]
fn what_could_not_be_checked_is_no_failure_and_never_called_well() {
    let daemon = TestDaemon::new(FRIENDS);
    let said = daemon.run(&["doctor", "--json"]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let unknown: Vec<&Value> =
        said["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "unknown").collect();
    assert!(unknown.len() > 3, "{said}");
    for finding in unknown {
        let what = finding["what"].as_str().unwrap();
        assert!(what.starts_with("could not be checked, because "), "{finding}");
    }
}

#[test]
fn it_fits_one_screen_where_all_is_well() {
    let daemon = TestDaemon::new(FRIENDS);
    let said = daemon.run(&["doctor"]).stdout;
    assert!(said.lines().count() <= 24, "{said}");
    assert!(said.contains("\nok       configuration, daemon, version, "), "{said}");
    let more = daemon.run(&["doctor", "-v"]).stdout;
    assert!(more.contains("\nok       version               "), "{more}");
}
