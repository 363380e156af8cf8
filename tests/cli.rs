//! Commands as people and probing gateways run them.

mod account;
mod background;
mod bridge;
mod completions;
mod export;
mod import;
mod look;
mod react;
mod read;
mod send;
mod usage;
mod watch;

use serde_json::{Value, json};

use crate::harness::{
    FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, STRANGER, TestDaemon, accepted, eventually,
};

#[test]
fn probes_find_what_they_look_for() {
    let home = Home::without_database("");
    for (command, said) in [(&["rpc", "--help"][..], "--db"), (&["serve", "-h"], "--socket"), (&["--help"], "pairing")]
    {
        let help = home.run_bare(command);
        assert!(help.status.success() && help.stdout.contains(said), "{command:?}: {help:?}");
    }
    let version = home.run_bare(&["--version"]);
    assert_eq!(version.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
    let status = home.run_bare(&["status", "--json"]);
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["running"], false);
    assert_eq!(status["database"]["ready"], false);
    for (key, value) in [("version", json!(env!("CARGO_PKG_VERSION"))), ("basic_features", json!(true))] {
        assert_eq!(status[key], value);
    }
    assert_eq!((&status["advanced_features"], &status["v2_ready"]), (&json!(false), &json!(false)));
    assert!(status["capabilities"]["engine"]["version"].is_string());
    let methods = status["rpc_methods"].as_array().unwrap();
    assert!(methods.iter().any(|method| method == "watch.subscribe"));
}

#[test]
fn status_shows_the_daemon() {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile("")));
    let daemon = TestDaemon::start(home);
    let screen = daemon.run(&["status"]);
    assert!(screen.status.success(), "{screen:?}");
    let pid = format!("running, process {}", daemon.pid());
    assert!(screen.stdout.starts_with("imsgd Status Report\nversion "), "{}", screen.stdout);
    for words in [&pid, "(readable)", "allowlist", "hostile", "broken: could not read"] {
        assert!(screen.stdout.contains(words), "{words}: {}", screen.stdout);
    }
    let json = daemon.run(&["status", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["running"], &json["imsgd"]["pid"]), (&Value::from(true), &Value::from(daemon.pid())));
}

#[test]
fn status_fits_one_screen_with_all_bundled_policies_at_work() {
    let daemon = TestDaemon::new(FRIENDS_AND_STRANGERS);
    let mut client = daemon.watch();
    for number in 0..20 {
        daemon.receive_from(FRIEND, &format!("message {number}"));
    }
    client.texts(20);
    daemon.receive_from(STRANGER, "let me in");
    let screen = eventually("it is held", || {
        Some(daemon.run(&["status"]).stdout)
            .filter(|screen| screen.contains("20 delivered") && screen.contains("1 held"))
    });
    assert!(screen.lines().count() <= 24, "{screen}");
    // A path may be long, and is not cut.
    let is_long = |line: &&str| line.chars().count() > 80 && !line.contains('/');
    assert_eq!(screen.lines().find(is_long), None, "{screen}");
    for words in ["subscriptions  1, and 0 consumers", "  allowlist  ready    21 calls, 0 failed, 0 held  p50 "] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn status_is_no_failure_whatever_it_finds() {
    let home = Home::without_database("not toml");
    let screen = home.run(&["status"]);
    assert_eq!((screen.status.code(), screen.stderr.as_str()), (Some(0), ""));
    assert!(screen.stdout.contains("configuration ") && screen.stdout.contains("config.toml"), "{screen:?}");
    let json: Value = serde_json::from_str(&home.run(&["status", "--json"]).stdout).unwrap();
    // One that runs goes on with the configuration before: nobody knows.
    assert_eq!((&json["running"], &json["database"]["ready"]), (&Value::Null, &json!(false)));
    // Somebody listens who is no daemon.
    home.configure(FRIENDS);
    std::fs::create_dir(home.path("run")).unwrap();
    let deaf = std::os::unix::net::UnixListener::bind(home.socket()).unwrap();
    let hangs_up = std::thread::spawn(move || drop((accepted(&deaf), accepted(&deaf))));
    let socket = home.socket();
    let at_socket = |arguments: &[&str]| home.run(&[arguments, &["--socket", socket.to_str().unwrap()]].concat());
    let screen = at_socket(&["status"]);
    assert!(screen.status.success() && screen.stdout.contains("runs, but gave no status"), "{screen:?}");
    let json: Value = serde_json::from_str(&at_socket(&["status", "--json"]).stdout).unwrap();
    assert!(json["problem"].is_string() && json["running"] == true, "{json}");
    hangs_up.join().unwrap();
}

#[test]
fn plugins_are_listed_and_reloaded() {
    let daemon = TestDaemon::new(FRIENDS);
    let listed = daemon.run(&["plugin", "list"]);
    assert!(listed.status.success() && listed.stdout.contains("allowlist"), "{listed:?}");
    let nothing = daemon.run(&["plugin", "reload"]);
    assert_eq!((nothing.status.code(), nothing.stdout.as_str()), (Some(0), "nothing has changed\n"));
    daemon.add_plugin("broken.wasm", b"broken");
    let refused = daemon.run(&["plugin", "reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stdout.contains("refused: broken: not a WebAssembly component"), "{refused:?}");
}

#[test]
fn what_needs_a_daemon_says_how_to_start_one() {
    let home = Home::new(FRIENDS);
    for command in [&["pairing", "list"], &["plugin", "list"]] {
        let answered = home.run(command);
        assert_eq!(answered.status.code(), Some(1), "{answered:?}");
        assert!(answered.stderr.contains("start one with `imsgd serve`"), "{answered:?}");
    }
}

#[test]
fn a_configuration_is_checked_with_its_plugins() {
    let home = Home::new(FRIENDS);
    let path = home.run(&["config", "path"]);
    assert_eq!(path.stdout, format!("{}\n", home.path("config.toml").display()));
    let right = home.run(&["config", "check"]);
    assert!(right.status.success() && right.stdout.contains("is right"), "{right:?}");
    for (config, said) in [
        ("[policy]\nallow_form = []\n", "unknown key `policy.allow_form`; did you mean `allow_from`?".to_owned()),
        ("[policy]\nttl = 'soon'\n", "must be a time".to_owned()),
        ("[policy]\ndm_policy = 'everybody'\n", "everybody".to_owned()),
        (&Home::hostile("on_configure = 'error'"), "told to refuse".to_owned()),
        ("messages.region = 'Mars'\n", "is not the code of a region".to_owned()),
        ("not toml", "config.toml".to_owned()),
    ] {
        home.add_plugin("hostile.wasm", HOSTILE);
        home.configure(config);
        let wrong = home.run(&["config", "check"]);
        assert_eq!(wrong.status.code(), Some(1), "{config}: {wrong:?}");
        assert!(wrong.stderr.contains(&said), "{config}: {wrong:?}");
    }
    let serve = home.run(&["serve"]);
    assert!(serve.status.code() == Some(1) && serve.stderr.contains("config.toml"), "{serve:?}");
}
