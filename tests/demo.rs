//! `imsgd demo start` and `stop`: a host for trying policies, that outlives the command.

use std::fs;

use serde_json::Value;

use crate::harness::{HOSTILE, Home, eventually};

/// A folder with a demo host, which is ended with it.
struct Host(Home);

impl Drop for Host {
    fn drop(&mut self) {
        self.0.run_bare(&["demo", "stop", "host"]);
    }
}

#[test]
fn a_demo_host_stays_until_it_is_stopped_and_can_be_started_again() {
    let host = Host(Home::without_database(""));
    let home = &host.0;
    let started = home.run_bare(&["demo", "start", "host"]);
    assert!(started.status.success() && started.stdout.contains("imsgd demo stop host"), "{started:?}");
    let again = home.run_bare(&["demo", "start", "host"]);
    assert!(again.status.code() == Some(1) && again.stderr.contains("runs already in host"), "{again:?}");
    let ask = |arguments: &[&str]| home.run_bare(&[arguments, &["--config", "host/config.toml", "--json"]].concat());
    fs::write(home.path("host/plugins/hostile.wasm"), HOSTILE).unwrap();
    let listed = || ask(&["plugin", "list"]).stdout.contains("\"hostile\"").then_some(());
    eventually("the policy is in force", listed);
    let received = home.run_bare(&["sim", "receive", "--db", "host/chat.db", "--from", "+15550001111", "--text", "hi"]);
    assert!(received.status.success(), "{received:?}");
    eventually("the message is judged", || {
        let journal = ask(&["journal"]).stdout;
        let entry: Value = serde_json::from_str(journal.lines().next()?).ok()?;
        (entry["verdict"] == "delivered").then_some(())
    });
    let stopped = home.run_bare(&["demo", "stop", "host"]);
    assert!(stopped.status.success() && stopped.stdout.starts_with("Ended."), "{stopped:?}");
    assert!(home.run_bare(&["demo", "stop", "host"]).stdout.starts_with("Nothing runs in host"));
    assert!(home.run_bare(&["demo", "start", "host"]).status.success());
    eventually("the policy is in force again", listed);
}

#[test]
fn a_demo_host_takes_no_folder_that_is_another_ones() {
    let home = Home::without_database("");
    for command in ["start", "stop"] {
        let refused = home.run_bare(&["demo", command, "plugins"]);
        assert!(refused.status.code() == Some(1) && refused.stderr.contains("by `imsgd demo start`"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(home.plugins()).unwrap().count(), 0);
}
