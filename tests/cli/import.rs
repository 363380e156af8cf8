//! `imsgd config import`: a gateway's configuration becomes imsgd's own, and nothing is written unasked.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Home, STRANGER, TestDaemon, eventually};

/// As a gateway has it, with a comment and a key of its own.
const GATEWAY: &str = "{
    // who may write
    channels: { imessage: { cliPath: 'imsg', allowFrom: ['(415) 555-0101'], dmPolicy: 'allowlist' } },
}";

/// The usual configuration file and the gateway's, in an otherwise empty home.
fn home() -> Home {
    let home = Home::without_database("");
    fs::remove_file(home.path("config.toml")).unwrap();
    fs::write(home.path("openclaw.json"), GATEWAY).unwrap();
    home
}

#[test]
fn what_it_makes_is_printed_and_written_only_when_asked() {
    let home = home();
    let printed = home.run(&["config", "import", "openclaw.json"]);
    assert!(printed.status.success(), "{printed:?}");
    let made: toml::Table = printed.stdout.parse().unwrap();
    assert_eq!(made["policy"]["allow_from"][0].as_str(), Some("(415) 555-0101"));
    assert!(printed.stderr.contains("channels.imessage.dmPolicy"), "{printed:?}");
    assert!(printed.stderr.contains("channels.imessage.cliPath: stays in the gateway"), "{printed:?}");
    assert!(!home.path("config.toml").exists());

    let written = home.run(&["config", "import", "openclaw.json", "--write"]);
    assert!(written.status.success() && written.stdout.is_empty(), "{written:?}");
    assert_eq!(fs::read_to_string(home.path("config.toml")).unwrap(), printed.stdout);
    assert!(home.run(&["config", "check"]).status.success());
}

#[test]
fn a_configuration_that_is_there_is_written_over_only_by_force_and_kept() {
    let home = home();
    fs::write(home.path("config.toml"), "# mine\n").unwrap();
    let refused = home.run(&["config", "import", "openclaw.json", "--write"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("is there already and was not touched"), "{refused:?}");
    assert_eq!(fs::read_to_string(home.path("config.toml")).unwrap(), "# mine\n");

    let forced = home.run(&["config", "import", "openclaw.json", "--write", "--force", "--json"]);
    let answer: Value = serde_json::from_str(&forced.stdout).unwrap();
    let backup = answer["backup"].as_str().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), "# mine\n");
    assert_eq!(json!(fs::read_to_string(home.path("config.toml")).unwrap()), answer["config"]);
    assert_eq!(answer["not_mapped"][0]["key"], "channels.imessage.cliPath");
}

#[test]
fn what_a_policy_refuses_is_not_written() {
    let home = home();
    let pattern = GATEWAY.replace("},\n}", "}, messages: { groupChat: { mentionPatterns: ['(?=x)'] } },\n}");
    fs::write(home.path("openclaw.json"), pattern).unwrap();
    let refused = home.run(&["config", "import", "openclaw.json", "--write"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("mention_patterns[0]: `(?=x)`"), "{refused:?}");
    assert!(!home.path("config.toml").exists());
}

#[test]
fn a_file_that_is_none_of_a_gateway_is_refused_with_the_place() {
    let home = home();
    for (text, said) in [
        ("{ channels: {", "not JSON5: "),
        ("{}", "has no `channels.imessage`"),
        ("{ channels: { imessage: { dmPolicy: 'alowlist' } } }", "dm_policy"),
    ] {
        fs::write(home.path("openclaw.json"), text).unwrap();
        let refused = home.run(&["config", "import", "openclaw.json"]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains(said), "{text}: {refused:?}");
    }
    let missing = home.run(&["config", "import", "nowhere.json"]);
    assert!(missing.stderr.contains("could not read nowhere.json"), "{missing:?}");
}

#[test]
fn who_was_not_let_in_by_the_gateway_is_not_by_what_it_makes() {
    let home = Home::new("");
    fs::write(home.path("openclaw.json"), GATEWAY).unwrap();
    let made = home.run(&["config", "import", "openclaw.json"]);
    home.configure(&made.stdout);
    let daemon = TestDaemon::start(home);
    let friend = daemon.receive_from("+14155550101", "hi");
    let stranger = daemon.receive_from(STRANGER, "hi");
    let verdict = |guid: &str| eventually("it is judged", || daemon.journal(guid))["verdict"].clone();
    assert_eq!((verdict(&friend.guid), verdict(&stranger.guid)), (json!("delivered"), json!("rejected")));
}
