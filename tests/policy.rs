//! Plugins that misbehave, and files that are no plugins: nothing slips through, nothing is lost.

use imsgd::author::Outcome;
use imsgd::plugin::limits;
use imsgd::state::{Batch, StateDb};
use serde_json::{Value, json};

use crate::harness::{FRIEND, FRIENDS, HOSTILE, Home, TestDaemon, hostile_build, wrong_components};

fn hostile(config: &str) -> String {
    format!("{FRIENDS}{}", Home::hostile(config))
}

fn daemon_with(config: &str) -> TestDaemon {
    let home = Home::new(&hostile(config));
    home.add_plugin("hostile.wasm", HOSTILE);
    TestDaemon::start(home)
}

/// A daemon whose hostile plugin does `deed` to messages that have `bad` in them.
fn check_deed(deed: &str, causes: &[&str]) {
    check_deed_on(daemon_with(&format!("on_filter = '{deed}', only_text = 'bad'")), deed, causes);
}

fn check_deed_on(daemon: TestDaemon, deed: &str, causes: &[&str]) {
    let is_cause = |said: &Value| causes.iter().any(|cause| said.as_str().is_some_and(|said| said.contains(cause)));
    let mut client = daemon.watch();
    let held: Vec<_> = ["bad 1", "bad 2"].map(|text| daemon.receive_from(FRIEND, text)).into();
    daemon.receive_from(FRIEND, "good");
    let good = client.message();
    assert_eq!((&good["text"], good["policy"].get("held")), (&json!("good"), None), "{deed}");
    for message in &held {
        let entry = daemon.journal(&message.guid).unwrap();
        let by = (&entry["verdict"], &entry["decided_by"], &entry["failed"]);
        assert_eq!(by, (&json!("held"), &json!("hostile"), &json!(true)), "{deed}");
        assert!(is_cause(&entry["reason"]), "{deed}: {entry}");
    }
    let status = daemon.status();
    assert_eq!(status["imsgd"]["held"], 2, "{deed}");
    let of_status = status["imsgd"]["plugins"].as_array().unwrap().iter().find(|p| p["name"] == "hostile").unwrap();
    let listed = daemon.plugin("hostile").unwrap();
    for report in [of_status, &listed] {
        assert_eq!((&report["failures"], &report["state"]), (&json!(2), &json!("ready")), "{deed}");
        assert!(is_cause(&report["last_failure"]), "{deed}: {report}");
    }
    daemon.configure(&hostile("label = 'fine'"));
    daemon.reload();
    for text in ["bad 1", "bad 2"] {
        let message = client.message();
        let said = (&message["text"], &message["policy"]["held"], &message["policy"]["labels"]);
        assert_eq!(said, (&json!(text), &json!(true), &json!(["fine"])), "{deed}");
    }
    daemon.receive_from(FRIEND, "bad no more");
    assert_eq!(client.texts(1), ["bad no more"], "{deed}");
    assert_eq!(daemon.status()["imsgd"]["held"], 0, "{deed}");
}

#[test]
fn a_plugin_that_loops_is_cut_off_and_its_messages_are_held() {
    check_deed("loop", &["time limit"]);
}

#[test]
fn a_plugin_that_traps_holds_its_messages() {
    check_deed("trap", &["panicked at guests/hostile/src/lib.rs:"]);
}

#[test]
fn a_panic_is_told_where_a_failure_is_but_never_what_it_says_of_the_message() {
    let daemon = daemon_with("on_filter = 'quote', only_text = 'umbrella'");
    let held = daemon.receive_from(FRIEND, "where is my umbrella");
    let entry = crate::harness::eventually("the message is held", || daemon.journal(&held.guid));
    let reason = entry["reason"].as_str().unwrap();
    assert!(reason.starts_with("panicked at guests/hostile/src/lib.rs:"), "{reason}");
    assert!(reason.ends_with(": cannot make sense of `…`"), "{reason}");
    assert_eq!(daemon.plugin("hostile").unwrap()["last_failure"], reason);
    assert!(daemon.run(&["why", &held.guid]).stdout.contains(reason));
    daemon.configure(&hostile("on_filter = 'trap'"));
    daemon.reload();
    let held = daemon.receive_from(FRIEND, "and now");
    let entry = crate::harness::eventually("the message is held", || daemon.journal(&held.guid));
    assert!(entry["reason"].as_str().unwrap().ends_with(": told to trap"), "{entry}");
}

#[test]
fn a_plugin_that_eats_memory_is_stopped_and_its_messages_are_held() {
    check_deed("eat_memory", &["memory limit"]);
}

/// A component of two core modules, the second with this in it.
fn two_memories(second: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $first
                (memory (export "memory") 600)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "configure") (param i32 i32) (result i32) (i32.const 65536))
                (func (export "split")))
            (core module $second {second})
            (core instance $main (instantiate $first))
            (core instance (instantiate $second))
            (alias core export $main "memory" (core memory $memory))
            (alias core export $main "realloc" (core func $realloc))
            (alias core export $main "configure" (core func $configure))
            (alias core export $main "split" (core func $split))
            (func $configure (param "config" string) (result (result (error string)))
                (canon lift (core func $configure) (memory $memory) (realloc $realloc)))
            (func $split (canon lift (core func $split)))
            (instance $policy (export "configure" (func $configure)))
            (instance $chunking (export "split" (func $split)))
            (export "imsgd:policy/policy@0.1.0" (instance $policy))
            (export "imsgd:policy/chunking@0.1.0" (instance $chunking)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn the_memories_of_all_modules_of_a_plugin_count_together() {
    let outcome = |second| imsgd::author::inspect(&two_memories(second)).unwrap().outcome;
    let fitting = outcome("(memory 400)");
    assert!(matches!(fitting, Outcome::Starts { .. }), "{fitting:?}");
    for second in ["(memory 600)", "(memory 1) (func $start (drop (memory.grow (i32.const 600)))) (start $start)"] {
        let outcome = outcome(second);
        let Outcome::Fails { reason } = &outcome else { panic!("{second}: {outcome:?}") };
        assert!(reason.contains("memory limit"), "{second}: {reason}");
    }
}

#[test]
fn a_plugin_that_overflows_its_stack_holds_its_messages() {
    // Rust's own stack lies at the bottom of the guest's memory, and ends before wasm's does.
    check_deed("stack_overflow", &["out of bounds memory access"]);
}

#[test]
fn a_plugin_with_huge_output_holds_its_messages() {
    check_deed("huge_output", &["fuel allocated for hostcalls"]);
}

#[test]
fn a_plugin_with_a_million_labels_holds_its_messages() {
    // Making them takes about as long as a call may: which limit is met first is up to the machine.
    check_deed("huge_list", &["fuel allocated for hostcalls", "time limit"]);
}

#[test]
fn a_plugin_that_hogs_the_store_holds_its_messages() {
    let home = Home::new(&hostile("on_filter = 'hog_store', only_text = 'bad'"));
    home.add_plugin("hostile.wasm", HOSTILE);
    // Nearly full already, as writing four MiB takes about as long as a call may.
    let value = vec![b'x'; limits::STORE_VALUE_BYTES];
    let count = limits::STORE_TOTAL_BYTES / (value.len() + "full/00".len());
    let writes = (0..count).map(|number| (format!("full/{number:02}"), Some(value.clone()))).collect();
    let batch = Batch { writes: vec![("hostile".to_owned(), writes)], ..Batch::default() };
    std::fs::create_dir_all(home.state_db().parent().unwrap()).unwrap();
    StateDb::open(&home.state_db()).unwrap().commit(&batch).unwrap();
    check_deed_on(TestDaemon::start(home), "hog_store", &["store limit"]);
}

#[test]
fn a_plugin_that_wants_too_many_random_bytes_holds_its_messages() {
    check_deed("random_huge", &["random limit"]);
}

#[test]
fn a_plugin_that_floods_the_log_holds_its_messages() {
    check_deed("log_flood", &["time limit"]);
}

#[test]
fn what_a_plugin_wrote_before_it_trapped_is_forgotten() {
    let mut daemon = daemon_with("on_filter = 'write_then_trap'");
    let mut client = daemon.watch();
    let held = daemon.receive_from(FRIEND, "one");
    crate::harness::eventually("the message is held", || daemon.journal(&held.guid));
    daemon.configure(&hostile("on_filter = 'count'"));
    daemon.reload();
    let labels = |message: &Value| message["policy"]["labels"].clone();
    assert_eq!(labels(&client.message()), json!(["1"]), "the trap left no count behind");
    daemon.receive_from(FRIEND, "two");
    assert_eq!(labels(&client.message()), json!(["2"]));
    // What an answer came with is kept.
    daemon.kill();
    daemon.start_again();
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "three");
    assert_eq!(labels(&client.message()), json!(["3"]));
}

#[test]
fn a_plugin_that_drops_a_message_is_named_with_its_reason() {
    let daemon = daemon_with("on_filter = 'drop', only_text = 'bad'");
    let mut client = daemon.watch();
    let dropped = daemon.receive_from(FRIEND, "bad");
    daemon.receive_from(FRIEND, "good");
    assert_eq!(client.texts(1), ["good"]);
    let entry = daemon.journal(&dropped.guid).unwrap();
    let said = (&entry["verdict"], &entry["reason"], &entry["decided_by"]);
    assert_eq!(said, (&json!("dropped"), &json!("hostile"), &json!("hostile")));
}

#[test]
fn a_plugin_that_fails_in_admission_holds_too() {
    let daemon = daemon_with("on_admit = 'trap', only_text = 'bad'");
    let mut client = daemon.watch();
    let held = daemon.receive_from(FRIEND, "bad");
    daemon.receive_from(FRIEND, "good");
    assert_eq!(client.texts(1), ["good"]);
    assert_eq!(daemon.journal(&held.guid).unwrap()["verdict"], "held");
}

#[test]
fn taking_away_the_plugin_that_failed_lets_through_what_it_held() {
    let daemon = daemon_with("on_filter = 'trap'");
    let mut client = daemon.watch();
    let held = daemon.receive_from(FRIEND, "waits");
    crate::harness::eventually("the message is held", || daemon.journal(&held.guid));
    daemon.configure(FRIENDS);
    std::fs::remove_file(daemon.plugins().join("hostile.wasm")).unwrap();
    daemon.reload();
    let message = client.message();
    assert_eq!((&message["text"], &message["policy"]["held"]), (&json!("waits"), &json!(true)));
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_the_reason_and_the_running_one_stays() {
    let daemon = daemon_with("label = 'ours'");
    let mut client = daemon.watch();
    let version = daemon.plugin("hostile").unwrap()["version"].clone();
    for (name, bytes, reason) in wrong_components() {
        daemon.add_plugin("hostile.wasm", &bytes);
        let answer = daemon.reload();
        assert_eq!((&answer["ok"], &answer["refused"][0]["name"]), (&json!(false), &json!("hostile")), "{name}");
        let said = answer["refused"][0]["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{name}: {said}");
        let listed = daemon.plugin("hostile").unwrap();
        assert_eq!((&listed["state"], &listed["version"]), (&json!("ready"), &version), "{name}");
        assert!(listed["refused"].as_str().unwrap().contains(reason), "{name}: {listed}");
        daemon.receive_from(FRIEND, name);
        let message = client.message();
        assert_eq!((&message["text"], &message["policy"]["labels"]), (&json!(name), &json!(["ours"])));
    }
    daemon.add_plugin("hostile.wasm", &hostile_build(1));
    assert_eq!(daemon.reload()["ok"], true);
    let listed = daemon.plugin("hostile").unwrap();
    assert_ne!(listed["version"], version);
    assert_eq!(listed.get("refused"), None);
}

#[test]
fn a_configuration_that_the_plugin_refuses_changes_nothing() {
    let daemon = daemon_with("label = 'ours'");
    let mut client = daemon.watch();
    for (config, reason) in [
        ("on_configure = 'error'", "told to refuse"),
        ("on_configure = 'trap'", "told to trap"),
        ("on_configure = 'loop'", "time limit"),
        ("no_such_key = 1", "no_such_key"),
    ] {
        daemon.configure(&hostile(config));
        let refusal = daemon.connect().refused("plugins.reload", json!({}));
        assert!(refusal.data.as_str().unwrap().contains(reason), "{config}: {refusal:?}");
        let error = daemon.status()["imsgd"]["config"]["error"].clone();
        assert!(error.as_str().unwrap().contains(reason), "{config}: {error}");
        daemon.receive_from(FRIEND, config);
        assert_eq!(client.message()["policy"]["labels"], json!(["ours"]), "{config}");
    }
    daemon.configure(&hostile("label = 'new'"));
    daemon.reload();
    assert_eq!(daemon.status()["imsgd"]["config"]["error"], Value::Null);
}

#[test]
fn a_listed_plugin_that_cannot_be_loaded_at_the_start_holds_what_it_would_judge() {
    let daemon = TestDaemon::start(Home::new(&hostile("label = 'late'")));
    let mut client = daemon.watch();
    let held = daemon.receive_from(FRIEND, "waits");
    let entry = crate::harness::eventually("the message is judged", || daemon.journal(&held.guid));
    assert_eq!((&entry["verdict"], &entry["failed"]), (&json!("held"), &json!(true)));
    let listed = daemon.plugin("hostile").unwrap();
    assert_eq!(listed["state"], "broken");
    assert!(listed["broken"].as_str().unwrap().contains("could not read"), "{listed}");
    // No reload is asked for: the file is seen when it comes.
    daemon.add_plugin("hostile.wasm", HOSTILE);
    let message = client.message();
    let said = (&message["text"], &message["policy"]["held"], &message["policy"]["labels"]);
    assert_eq!(said, (&json!("waits"), &json!(true), &json!(["late"])));
}

#[test]
fn a_plugin_that_was_in_force_and_is_broken_after_a_restart_holds_too() {
    let home = Home::new(FRIENDS);
    home.add_plugin("dropped.wasm", HOSTILE);
    let mut daemon = TestDaemon::start(home);
    assert_eq!(daemon.plugin("dropped").unwrap()["state"], "ready");
    daemon.kill();
    daemon.add_plugin("dropped.wasm", b"broken");
    daemon.start_again();
    let mut client = daemon.watch();
    let held = daemon.receive_from(FRIEND, "waits");
    let entry = crate::harness::eventually("the message is judged", || daemon.journal(&held.guid));
    assert_eq!((&entry["verdict"], &entry["decided_by"]), (&json!("held"), &json!("dropped")));
    daemon.add_plugin("dropped.wasm", HOSTILE);
    assert_eq!(client.texts(1), ["waits"]);
}

#[test]
fn a_broken_file_that_was_never_in_force_holds_nothing() {
    let home = Home::new(FRIENDS);
    home.add_plugin("junk.wasm", b"junk");
    let daemon = TestDaemon::start(home);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "through");
    assert_eq!(client.texts(1), ["through"]);
    let listed = daemon.plugin("junk").unwrap();
    assert_eq!(listed["state"], "refused");
    assert!(listed["refused"].as_str().unwrap().contains("not a WebAssembly component"), "{listed}");
}
