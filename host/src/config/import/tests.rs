//! What becomes of each key of a gateway.

use super::*;
use crate::config::Config;

fn import(text: &str) -> Imported {
    openclaw(text, None).unwrap()
}

/// What imsgd makes of a channel's keys, as TOML that it reads itself.
fn policy(channel: &str) -> Table {
    let imported = import(&format!("{{ channels: {{ imessage: {channel} }} }}"));
    Config::parse(&imported.config.to_string(), "config.toml".as_ref()).unwrap();
    imported.config["policy"].as_table().unwrap().clone()
}

fn left(imported: &Imported, key: &str) -> String {
    let found = imported.left.iter().find(|(left, _)| left == key);
    found.unwrap_or_else(|| panic!("{key} is not among {:?}", imported.left)).1.clone()
}

#[test]
fn each_key_of_the_channel_has_its_place() {
    let imported = import(
        r#"{
            // Comments, trailing commas and bare keys, as OpenClaw writes them.
            channels: { imessage: {
                enabled: true, cliPath: "/usr/local/bin/imsg", dbPath: "/Users/bot/Library/Messages/chat.db",
                remoteHost: "bot@mac", service: "auto", region: "DE",
                dmPolicy: "pairing", allowFrom: ["+15555550123", "user@example.com", "chat_id:123"],
                groupPolicy: "allowlist", groupAllowFrom: ["+15555550123"],
                groups: { "*": { requireMention: true }, "42": { requireMention: false, tools: {} }, },
                historyLimit: 20, includeAttachments: true,
                attachmentRoots: ["/here"], remoteAttachmentRoots: ["/Volumes/more"],
                mediaMaxMb: 8, textChunkLimit: 1500, chunkMode: "newline",
            } },
            messages: { groupChat: { mentionPatterns: ["@?max"] } },
            agents: { list: [{ id: "a", groupChat: { mentionPatterns: ["@?max", "bot"] } }] },
            session: { dmScope: "per-channel-peer" },
        }"#,
    );
    let expected = r#"
        [messages]
        attachment_roots = ["/here", "/Volumes/more", "/Users/*/Library/Messages/Attachments"]
        db = "/Users/bot/Library/Messages/chat.db"
        media_max_mb = 8
        region = "DE"
        [policy]
        allow_from = ["+15555550123", "user@example.com", "chat_id:123"]
        chunk_mode = "newline"
        dm_policy = "pairing"
        dm_scope = "peer"
        group_allow_from = ["+15555550123"]
        group_policy = "allowlist"
        history_limit = 20
        mention_patterns = ["@?max", "bot"]
        text_chunk_limit = 1500
        [policy.groups."*"]
        require_mention = true
        [policy.groups.42]
        require_mention = false
    "#;
    assert_eq!(imported.config, toml::from_str(expected).unwrap());
    Config::parse(&imported.config.to_string(), "config.toml".as_ref()).unwrap();
    assert!(left(&imported, "channels.imessage.cliPath").contains("set it to `imsgd`"));
    assert!(left(&imported, "channels.imessage.includeAttachments").contains("each subscription"));
    assert_eq!(left(&imported, "channels.imessage.groups.42.tools"), GATEWAYS);
    assert!(imported.mapped.contains(&("session.dmScope".to_owned(), "policy.dm_scope".to_owned())));
}

#[test]
fn an_empty_list_of_people_never_becomes_everybody() {
    let nobody = policy(r#"{ groupPolicy: "allowlist" }"#);
    assert_eq!(nobody["group_policy"].as_str(), Some("disabled"));
    assert_eq!(policy("{ groupAllowFrom: [] }")["group_policy"].as_str(), Some("disabled"));
    // Without a list of their own, groups have that of direct messages.
    let fallen_back = policy(r#"{ allowFrom: ["+15555550123"] }"#);
    assert_eq!(fallen_back["group_allow_from"], toml::Value::from(vec!["+15555550123"]));
    let none_of_its_own =
        import(r#"{ channels: { imessage: { allowFrom: ["+1"], groups: { "1": { allowFrom: [] } } } } }"#);
    assert!(left(&none_of_its_own, "channels.imessage.groups.1.allowFrom").contains("everybody"));
}

#[test]
fn who_is_heard_in_open_groups_is_not_narrowed() {
    let open = policy(r#"{ groupPolicy: "open", allowFrom: ["+15555550123"], groupAllowFrom: ["+15555550124"] }"#);
    assert_eq!((open["group_policy"].as_str(), open.get("group_allow_from")), (Some("open"), None));
    let usual = import(r#"{ channels: { defaults: { groupPolicy: "open" }, imessage: {} } }"#);
    assert_eq!(usual.config["policy"]["group_policy"].as_str(), Some("open"));
    let everybody = policy(r#"{ groupAllowFrom: ["*"] }"#);
    assert_eq!(everybody["group_allow_from"], toml::Value::from(vec!["*"]));
}

#[test]
fn groups_that_are_listed_are_the_only_ones_that_are_heard_also_where_all_may_speak() {
    let listed =
        policy(r#"{ groupPolicy: "open", allowFrom: ["+1555"], groups: { "42": { requireMention: false } } }"#);
    assert_eq!((listed["group_policy"].as_str(), listed.get("group_allow_from")), (Some("allowlist"), None));
    let any = policy(r#"{ groupPolicy: "open", groups: { "*": {}, "42": {} } }"#);
    assert_eq!(any["group_policy"].as_str(), Some("open"));
}

#[test]
fn files_are_read_wherever_the_gateway_read_them() {
    let text = r#"{ channels: { imessage: {
        attachmentRoots: ["/a"], accounts: { work: { attachmentRoots: ["/b", "/a"] } },
    } } }"#;
    let roots = &import(text).config["messages"]["attachment_roots"];
    assert_eq!(*roots, toml::Value::from(vec!["/b", "/a", "/Users/*/Library/Messages/Attachments"]));
    assert!(import("{ channels: { imessage: {} } }").config.get("messages").is_none());
}

#[test]
fn an_account_says_what_is_otherwise_and_the_others_are_named() {
    let text = r#"{ channels: { imessage: {
        dmPolicy: "allowlist", allowFrom: ["+1555"], defaultAccount: "home",
        accounts: { work: { dmPolicy: "disabled", dbPath: "/w/chat.db", name: "Work" }, home: {} },
    } } }"#;
    let usual = import(text);
    assert_eq!(usual.config["policy"]["dm_policy"].as_str(), Some("allowlist"));
    assert_eq!(usual.other_accounts, ["work"]);
    let work = openclaw(text, Some("work")).unwrap();
    assert_eq!(work.config["policy"]["dm_policy"].as_str(), Some("disabled"));
    assert_eq!(work.config["messages"]["db"].as_str(), Some("/w/chat.db"));
    assert_eq!(left(&work, "channels.imessage.accounts.work.name"), GATEWAYS);
    let mapped = ("channels.imessage.accounts.work.dmPolicy".to_owned(), "policy.dm_policy".to_owned());
    assert!(work.mapped.contains(&mapped), "{:?}", work.mapped);
    assert_eq!(
        openclaw(text, Some("play")).unwrap_err().to_string(),
        "there is no account `play`. There are: work, home"
    );
}

#[test]
fn what_cannot_be_read_is_said_with_its_key() {
    for (channel, said) in [
        ("{ allowFrom: 'all' }", "channels.imessage.allowFrom: must be a list"),
        ("{ allowFrom: ['a', {}] }", "channels.imessage.allowFrom[1]: must be text"),
        ("{ mediaMaxMb: -1 }", "channels.imessage.mediaMaxMb: must be a whole number, 0 or more"),
        ("{ groups: { '7': true } }", "channels.imessage.groups.7: must be an object"),
        ("[]", "channels.imessage: must be an object"),
        ("{ dbPath: '${HOME}/chat.db' }", "is taken from the gateway's environment"),
        ("{ $include: './imessage.json5' }", "channels.imessage.$include: the file includes others"),
    ] {
        let error = openclaw(&format!("{{ channels: {{ imessage: {channel} }} }}"), None).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(openclaw("{ channels: {} }", None).unwrap_err(), Error::NoChannel);
    assert!(matches!(openclaw("{ $include: 'a' }", None), Err(Error::Includes { .. })));
    let torn = openclaw("{\n  channels: {\n    imessage: [,\n", None).unwrap_err().to_string();
    assert!(torn.contains("line 3"), "{torn}");
}

#[test]
fn what_imsgd_does_not_know_is_not_silently_dropped() {
    let imported =
        import("{ channels: { imessage: { dmPolcy: 'open', heartbeat: {a: 1}, streaming: {chunkMode: 'newline'} } } }");
    assert!(left(&imported, "channels.imessage.dmPolcy").contains("misspelt"));
    assert_eq!(left(&imported, "channels.imessage.heartbeat"), GATEWAYS);
    assert_eq!(imported.config["policy"]["chunk_mode"].as_str(), Some("newline"));
    assert_eq!(imported.left.len(), 3, "{:?}", imported.left);
}

#[test]
fn numbers_without_quotes_are_addresses_too() {
    let numbers = policy("{ allowFrom: [15555550123] }");
    assert_eq!(numbers["allow_from"], toml::Value::from(vec!["15555550123"]));
}
