//! What a change of one key makes of the text, and that it touches nothing else.

use serde_json::json;

use super::*;

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn change(text: &str, name: &str, change: Change) -> String {
    edited(text, &key(name), &change).unwrap()
}

const FILE: &str = r#"# Mine.
server.plugins_dir = "/p"   # there

[policy]
# Who may write.
allow_from = [
  "+15551234567",   # Ann
  "bob@example.com",   # Bob
]
dm_policy = "pairing" # for now

[policy.groups."42"]
require_mention = true

[[plugin]]
name = "quiet"   # sh
path = "quiet.wasm"
config = { from = "22:00" }
"#;

#[test]
fn a_value_is_replaced_and_the_comment_behind_it_stays() {
    let changed = change(FILE, "policy.dm_policy", Change::Set(json!("open")));
    assert_eq!(changed, FILE.replace(r#""pairing" # for now"#, r#""open" # for now"#));
    let same = change(FILE, "policy.allow_from", Change::Set(json!(["+15551234567", "bob@example.com"])));
    assert_eq!(same, FILE);
}

#[test]
fn a_new_key_comes_where_its_table_is() {
    let changed = change(FILE, "policy.groups.42.route", Change::Set(json!("family")));
    assert_eq!(changed, FILE.replace("mention = true\n", "mention = true\nroute = \"family\"\n"));
    let changed = change(FILE, "plugin.quiet.config.to", Change::Set(json!("07:00")));
    assert_eq!(changed, FILE.replace(r#""22:00" }"#, r#""22:00", to = "07:00" }"#));
    let changed = change(FILE, "journal.keep_days", Change::Set(json!(7)));
    assert!(changed.starts_with(FILE) && changed.ends_with("\n[journal]\nkeep_days = 7\n"), "{changed}");
    let changed = change("", "policy.groups.\"*\"", Change::Set(json!({"require_mention": false})));
    assert_eq!(changed, "[policy.groups.\"*\"]\nrequire_mention = false\n");
}

#[test]
fn each_spelling_of_a_table_is_found() {
    for text in [
        "[policy]\ngroups.42.route = 'a'\n",
        "policy.groups.42.route = 'a'\n",
        "policy = { groups = { 42 = { route = 'a' } } }\n",
        "[policy.groups]\n42 = { route = 'a' }\n",
    ] {
        let name = "policy.groups.42.route";
        assert_eq!(change(text, name, Change::Set(json!("b"))), text.replace("'a'", "\"b\""));
        assert_eq!(found(text, &key(name)).unwrap(), Some(json!("a")));
        let other = change(text, "policy.groups.43.route", Change::Set(json!("c")));
        assert_eq!(found(&other, &key("policy.groups.43.route")).unwrap(), Some(json!("c")), "{other}");
        assert_eq!(found(&other, &key(name)).unwrap(), Some(json!("a")), "{other}");
    }
    let inline = "plugin = [{ name = 'a', path = 'a.wasm' }]\n";
    let changed = change(inline, "plugin.a.config.x", Change::Set(json!(1)));
    assert_eq!(found(&changed, &key("plugin.a.config.x")).unwrap(), Some(json!(1)), "{changed}");
}

#[test]
fn an_entry_comes_and_goes_with_the_comment_behind_it() {
    let added = change(FILE, "policy.allow_from", Change::Add(json!("cy@example.com")));
    assert_eq!(added, FILE.replace("# Bob\n]", "# Bob\n  \"cy@example.com\",\n]"));
    assert_eq!(change(&added, "policy.allow_from", Change::Remove(json!("cy@example.com"))), FILE);
    assert_eq!(change(FILE, "policy.allow_from", Change::Add(json!("bob@example.com"))), FILE);
    assert_eq!(change(FILE, "policy.allow_from", Change::Remove(json!("nobody"))), FILE);
    let without = change(FILE, "policy.allow_from", Change::Remove(json!("+15551234567")));
    assert_eq!(without, FILE.replace("  \"+15551234567\",   # Ann\n", ""));
    let without = change(FILE, "policy.allow_from", Change::Remove(json!("bob@example.com")));
    assert_eq!(without, FILE.replace("  \"bob@example.com\",   # Bob\n", ""));
    let one_line = "policy.allow_from = ['a@x.com', 'b@x.com']\n";
    assert_eq!(
        change(one_line, "policy.allow_from", Change::Remove(json!("a@x.com"))),
        "policy.allow_from = ['b@x.com']\n"
    );
    let added = change(one_line, "policy.allow_from", Change::Add(json!("c@x.com")));
    assert_eq!(added, "policy.allow_from = ['a@x.com', 'b@x.com', \"c@x.com\"]\n");
    assert_eq!(change("", "policy.deny_from", Change::Add(json!("x@y.com"))), "[policy]\ndeny_from = [\"x@y.com\"]\n");
}

#[test]
fn a_list_that_ends_without_a_comma_keeps_its_comments_too() {
    let list = "policy.allow_from = [\n  'a@x.com',   # Ann\n  'b@x.com'    # Bob\n]\n";
    let with = "policy.allow_from = [\n  'a@x.com',   # Ann\n  'b@x.com',    # Bob\n  \"c@x.com\",\n]\n";
    assert_eq!(change(list, "policy.allow_from", Change::Add(json!("c@x.com"))), with);
    let without = "policy.allow_from = [\n  'a@x.com',   # Ann\n]\n";
    assert_eq!(change(list, "policy.allow_from", Change::Remove(json!("b@x.com"))), without);
}

#[test]
fn what_is_unset_is_gone_and_nothing_else() {
    assert_eq!(
        change(FILE, "policy.dm_policy", Change::Unset),
        FILE.replace("dm_policy = \"pairing\" # for now\n", "")
    );
    let without = change(FILE, "plugin.quiet", Change::Unset);
    assert_eq!(without, FILE[..FILE.find("\n[[plugin]]").unwrap()]);
    for absent in ["policy.ttl", "plugin.other", "plugin.other.config.x", "send.per_minute"] {
        assert_eq!(change(FILE, absent, Change::Unset), FILE, "{absent}");
    }
}

#[test]
fn a_plugin_is_made_with_its_first_key() {
    let changed = change("", "plugin.hush.path", Change::Set(json!("hush.wasm")));
    assert_eq!(changed, "[[plugin]]\nname = \"hush\"\npath = \"hush.wasm\"\n");
}

#[test]
fn the_file_grows_within_bounds_and_may_always_shrink() {
    let long = format!("policy.deny_from = ['{}']\n", "x".repeat(BYTES));
    let add = Change::Add(json!("y"));
    assert_eq!(edited(&long, &key("policy.deny_from"), &add), Err(Error::TooLong(long.len() + ", \"y\"".len())));
    assert_eq!(change(&long, "policy.deny_from", Change::Unset), "");
}

#[test]
fn what_cannot_be_done_is_said() {
    let said = |text: &str, name: &str, change: Change| edited(text, &key(name), &change).unwrap_err().to_string();
    assert!(said("", "policy.ttl", Change::Set(json!(null))).contains("unset the key for its default"));
    assert!(said("policy = 1", "policy.ttl", Change::Set(json!(1))).contains("is a value in the file"));
    assert!(said("policy.ttl = 1", "policy.ttl", Change::Add(json!(1))).contains("policy.ttl is no list"));
    assert!(said("x = ", "policy.ttl", Change::Unset).contains("the file is no TOML"));
    assert!(said("", "plugin.a", Change::Set(json!({}))).contains("one by one"));
}
