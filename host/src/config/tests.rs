//! What the configuration takes and refuses.

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = parse("").unwrap();
    assert_eq!(config.messages.osascript, Path::new("/usr/bin/osascript"));
    assert_eq!(config.bundled_config("allowlist"), "{}");
    assert!(BUNDLED.iter().all(|name| config.is_bundled_in_force(name)));
}

#[test]
fn no_table_takes_keys_that_nobody_reads() {
    fn check(schema: &serde_json::Value, path: &str) {
        if schema["properties"].is_object() {
            assert_eq!(schema["additionalProperties"], false, "{path}");
        }
        let all = schema.as_object().into_iter().flatten();
        all.for_each(|(key, inner)| check(inner, &format!("{path}.{key}")));
        let items = schema.as_array().into_iter().flatten();
        items.for_each(|inner| check(inner, path));
    }
    check(&super::schema(), "");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let said = |text: &str| parse(text).unwrap_err();
    assert_eq!(
        said("[policy]\ndm_polcy = 'open'"),
        "config.toml: unknown key `policy.dm_polcy`; did you mean `dm_policy`?"
    );
    assert_eq!(said("[sever]\n"), "config.toml: unknown key `sever`; did you mean `server`?");
    assert_eq!(
        said("[policy.groups.'12']\nrequire_mentions = true"),
        "config.toml: unknown key `policy.groups.12.require_mentions`; did you mean `require_mention`?"
    );
    assert_eq!(said("[[plugin]]\nname = 'a'\npath = 'a.wasm'\nxyz = 1"), "config.toml: unknown key `plugin[0].xyz`");
}

#[test]
fn a_plugins_own_table_may_hold_anything() {
    let config =
        parse("[[plugin]]\nname = 'a'\npath = 'a.wasm'\nconfig = { from = '22:00', deep = { x = 1 } }").unwrap();
    assert_eq!(config.plugin[0].config["from"].as_str(), Some("22:00"));
    assert_eq!(config.plugin[0].position, Position::Before);
}

#[test]
fn each_bundled_policy_gets_its_own_keys() {
    let config = parse(
        "[policy]\ndm_policy = 'open'\nallow_from = ['*']\nreply = false\nttl = '2h'\n[policy.groups.'*']\nrequire_mention = false",
    )
    .unwrap();
    assert_eq!(config.bundled_config("allowlist"), r#"{"dm_policy":"open","allow_from":["*"]}"#);
    assert_eq!(config.bundled_config("pairing"), r#"{"ttl":"2h","reply":false}"#);
    assert_eq!(config.bundled_config("group"), r#"{"groups":{"*":{"require_mention":false}}}"#);
}

#[test]
fn wrong_values_are_named() {
    assert!(parse("[policy]\ndm_policy = 'everybody'").unwrap_err().contains("everybody"));
    assert!(parse("[messages]\nregion = 'Mars'").unwrap_err().contains("messages.region"));
    assert!(parse("[messages]\nattachment_roots = ['Pictures']").unwrap_err().contains("messages.attachment_roots"));
    assert!(parse("[messages]\nmedia_max_mb = 0").unwrap_err().contains("messages.media_max_mb"));
    assert!(parse("[messages]\nmedia_max_mb = -1").unwrap_err().contains("media_max_mb"));
    assert!(parse("[[plugin]]\nname = 'A b'\npath = 'x'").unwrap_err().contains("plugin[0].name"));
    assert!(parse("[[plugin]]\nname='a'\npath='x'\n[[plugin]]\nname='a'\npath='y'").unwrap_err().contains("twice"));
    assert!(parse("messages = ").unwrap_err().starts_with("config.toml: "));
}

#[test]
fn contacts_are_a_folder_or_off() {
    let folder = |text: &str| parse(text).unwrap().contacts_dir();
    assert!(folder("").unwrap().ends_with("Library/Application Support/AddressBook"));
    assert_eq!(folder("messages.contacts = '/book'"), Some("/book".into()));
    assert_eq!(folder("messages.contacts = false"), None);
    for wrong in ["true", "1"] {
        assert!(parse(&format!("messages.contacts = {wrong}")).unwrap_err().contains("contacts"), "{wrong}");
    }
}

#[test]
fn each_database_has_a_state_folder_of_its_own() {
    let of = |db: &str| {
        let overrides = Overrides { db: Some(db.into()), ..Overrides::default() };
        parse("").unwrap().overridden(&overrides).unwrap().state_dir()
    };
    assert_ne!(of("/a/chat.db"), of("/b/chat.db"));
    assert_eq!(of("/a/chat.db"), of("/a/chat.db"));
    assert_eq!(of(DEFAULT_DB).file_name().unwrap(), "imsgd");
}

#[test]
fn another_database_does_not_get_the_state_that_the_file_names() {
    let text = "[messages]\ndb = '/a/chat.db'\n[server]\nstate_dir = '/state'\nsocket = '/run/imsgd.sock'";
    let of = |db: Option<&str>| {
        let overrides = Overrides { db: db.map(PathBuf::from), ..Overrides::default() };
        let config = parse(text).unwrap().overridden(&overrides).unwrap();
        (config.state_dir(), config.socket())
    };
    assert_eq!(of(None), ("/state".into(), "/run/imsgd.sock".into()));
    assert_eq!(of(Some("/a/chat.db")), of(None));
    let (state, socket) = of(Some("/b/chat.db"));
    assert!(state.starts_with("/state/") && socket.starts_with(&state), "{state:?} {socket:?}");
}

#[test]
fn files_are_read_from_messages_own_folders_unless_others_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("chat.db");
    for name in ["Attachments/a", "StickerCache/a", "Pictures/a"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let readable = |text: &str| {
        let overrides = Overrides { db: Some(db.clone()), ..Overrides::default() };
        let roots = parse(text).unwrap().overridden(&overrides).unwrap().attachment_roots();
        ["Attachments/a", "StickerCache/a", "Pictures/a"].map(|name| roots.open(&folder.path().join(name)).is_ok())
    };
    assert_eq!(readable(""), [true, true, false]);
    let pictures = format!("[messages]\nattachment_roots = ['{}/Pict*']", folder.path().display());
    assert_eq!(readable(&pictures), [false, false, true]);
    assert_eq!(readable("[messages]\nattachment_roots = []"), [false; 3]);
    assert_eq!(parse("").unwrap().media_max_bytes(), 16 << 20);
}

#[test]
fn what_one_message_carries_and_who_waits_is_bounded() {
    for key in ["history_limit", "max_pending"] {
        assert!(parse(&format!("[policy]\n{key} = 1000")).is_ok());
        let error = parse(&format!("[policy]\n{key} = 1001")).unwrap_err().to_string();
        assert!(error.ends_with(&format!("policy.{key}: must be 1000 or less")), "{error}");
    }
}
