//! `message.updated`: what subscribers hear of messages that change after they were delivered, and what they never do.

use imsgd::sim::{self, Incoming, Received};
use serde_json::{Value, json};

use crate::harness::{
    Client, FRIEND, FRIENDS, FRIENDS_AND_STRANGERS, HOSTILE, Home, OTHER_FRIEND, STRANGER, TestDaemon,
};

const GROUP: &str = "any;+;chat100000000000000001";

/// A daemon with one subscriber that wants edits.
fn daemon(config: &str) -> (TestDaemon, Client) {
    let daemon = TestDaemon::new(config);
    let client = subscribe(&daemon, json!({}));
    (daemon, client)
}

/// A daemon whose filter does `deed` to what has `bad` in it.
fn daemon_with_filter(deed: &str) -> (TestDaemon, Client) {
    let home = Home::new(&format!("{FRIENDS}{}", Home::hostile(&format!("on_filter = '{deed}', only_text = 'bad'"))));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let client = subscribe(&daemon, json!({}));
    (daemon, client)
}

fn subscribe(daemon: &TestDaemon, mut params: Value) -> Client {
    params["include_edits"] = json!(true);
    let mut client = daemon.connect();
    client.subscribe(params);
    client
}

fn edit(daemon: &TestDaemon, message: &Received, text: &str) {
    sim::edit(&daemon.db(), &message.guid, text).unwrap();
}

fn unsend(daemon: &TestDaemon, message: &Received) {
    sim::unsend(&daemon.db(), &message.guid).unwrap();
}

/// The next notification, which is of a change.
fn updated(client: &mut Client) -> (String, Value) {
    let mut notification = client.notification();
    assert_eq!(notification["method"], "message.updated", "{notification}");
    assert!(notification["params"]["subscription"].is_u64());
    (notification["params"]["change"].as_str().unwrap().to_owned(), notification["params"]["message"].take())
}

/// Edits a message, which has to be a later one than all that were changed before, and waits until that is announced:
/// nothing else was announced by then.
fn fence(daemon: &TestDaemon, client: &mut Client) {
    let fence = daemon.receive_from(FRIEND, "fence");
    assert_eq!(client.texts(1), ["fence"]);
    edit(daemon, &fence, "fence moved");
    assert_eq!(updated(client).1["text"], "fence moved");
}

fn versions(message: &Value) -> Vec<&str> {
    message["edits"].as_array().unwrap().iter().map(|version| version["text"].as_str().unwrap()).collect()
}

#[test]
fn who_asks_for_edits_hears_of_each_once_and_who_does_not_hears_of_none() {
    let (daemon, mut client) = daemon(FRIENDS);
    let mut without = daemon.watch();
    let message = daemon.receive_from(FRIEND, "at nine");
    assert_eq!((client.texts(1), without.texts(1)), (vec!["at nine".to_owned()], vec!["at nine".to_owned()]));
    edit(&daemon, &message, "at ten");
    let (change, edited) = updated(&mut client);
    assert_eq!(
        (change.as_str(), &edited["text"], &edited["id"]),
        ("edited", &json!("at ten"), &json!(message.rowid.0))
    );
    assert_eq!((&edited["is_edited"], versions(&edited)), (&json!(true), vec!["at nine", "at ten"]));
    let policy = json!({
        "route": "main", "labels": [], "decided_by": "allowlist", "arrival": "live", "context": [],
    });
    assert_eq!(edited["policy"], policy);
    edit(&daemon, &message, "at eleven");
    assert_eq!(versions(&updated(&mut client).1), ["at nine", "at ten", "at eleven"]);
    unsend(&daemon, &message);
    let (change, unsent) = updated(&mut client);
    assert_eq!((change.as_str(), &unsent["text"], &unsent["is_unsent"]), ("unsent", &json!(""), &json!(true)));
    assert_eq!(unsent["policy"], policy);
    fence(&daemon, &mut client);
    assert_eq!(without.texts(1), ["fence"]);
}

#[test]
fn edits_of_what_was_rejected_or_held_are_never_announced() {
    let (daemon, mut client) = daemon(&format!("{FRIENDS_AND_STRANGERS}reply = false\n"));
    let held = daemon.receive_from(STRANGER, "let me in");
    let rejected = daemon.receive_in(GROUP, STRANGER, "hello group");
    let unjoined = daemon.receive(&Incoming { no_join: true, ..Incoming::new(FRIEND, "nowhere") });
    fence(&daemon, &mut client);
    let verdict = |message: &Received| daemon.journal(&message.guid).unwrap()["verdict"].clone();
    assert_eq!(
        (verdict(&held), verdict(&rejected), verdict(&unjoined)),
        ("held".into(), "rejected".into(), "unjoined".into())
    );
    for message in [&held, &rejected, &unjoined] {
        edit(&daemon, message, "please");
        unsend(&daemon, message);
    }
    fence(&daemon, &mut client);
}

#[test]
fn a_text_cannot_get_past_a_filter_by_being_edited() {
    for deed in ["drop", "trap"] {
        let (daemon, mut client) = daemon_with_filter(deed);
        let dropped = daemon.receive_from(FRIEND, "bad from the start");
        let delivered = daemon.receive_from(FRIEND, "good");
        assert_eq!(client.texts(1), ["good"], "{deed}");
        edit(&daemon, &dropped, "good after all");
        edit(&daemon, &delivered, "turned bad");
        fence(&daemon, &mut client);
        // The text between two good ones stays out of the history as well.
        edit(&daemon, &delivered, "good again");
        assert_eq!(versions(&updated(&mut client).1), ["good", "good again"], "{deed}");
        edit(&daemon, &delivered, "bad for good");
        fence(&daemon, &mut client);
        // Nor does it come by reading on from before it.
        let after = daemon.connect().ok("messages.after", json!({"since_rowid": 0}));
        let after: Vec<_> = after["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
        assert_eq!(after, ["fence moved", "fence moved"], "{deed}");
        let mut late = subscribe(&daemon, json!({"since_rowid": -1}));
        assert_eq!(late.texts(2), ["fence moved", "fence moved"], "{deed}");
    }
}

#[test]
fn whoever_may_not_write_any_more_is_not_heard_by_an_edit_but_may_take_back() {
    let (daemon, mut client) = daemon(FRIENDS);
    let (first, second) = (daemon.receive_from(OTHER_FRIEND, "one"), daemon.receive_from(OTHER_FRIEND, "two"));
    assert_eq!(client.texts(2), ["one", "two"]);
    daemon.configure("[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101']\n");
    daemon.reload();
    edit(&daemon, &first, "one more thing");
    unsend(&daemon, &second);
    let (change, unsent) = updated(&mut client);
    assert_eq!((change.as_str(), &unsent["id"]), ("unsent", &json!(second.rowid.0)));
    fence(&daemon, &mut client);
}

#[test]
fn edits_of_own_messages_are_announced() {
    let (daemon, mut client) = daemon(FRIENDS);
    let own = daemon.receive(&Incoming { from_me: true, ..Incoming::new(STRANGER, "mine") });
    assert_eq!(client.message()["text"], "mine");
    edit(&daemon, &own, "still mine");
    let (change, edited) = updated(&mut client);
    assert_eq!((change.as_str(), &edited["text"], edited.get("policy")), ("edited", &json!("still mine"), None));
}

#[test]
fn edits_pass_the_filter_that_their_messages_pass() {
    let (daemon, mut all) = daemon(FRIENDS);
    let message = daemon.receive_from(FRIEND, "one");
    let other = daemon.receive_from(OTHER_FRIEND, "two");
    assert_eq!(all.texts(2), ["one", "two"]);
    let mut in_chat = subscribe(&daemon, json!({"chat_id": other.chat_id.unwrap().0}));
    let mut of_other = subscribe(&daemon, json!({"participants": [OTHER_FRIEND]}));
    let mut elsewhere = subscribe(&daemon, json!({"routes": ["group:*"]}));
    let mut later = subscribe(&daemon, json!({"start": "2100-01-01T00:00:00Z"}));
    edit(&daemon, &message, "one and a half");
    edit(&daemon, &other, "two and a half");
    assert_eq!(updated(&mut all).1["text"], "one and a half");
    for client in [&mut all, &mut in_chat, &mut of_other] {
        assert_eq!(updated(client).1["text"], "two and a half");
    }
    for client in [&mut elsewhere, &mut later] {
        let fence = client.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#);
        assert_eq!(fence["id"], "fence");
    }
}

#[test]
fn an_edit_that_goes_another_way_is_for_nobody_who_takes_only_one() {
    let home = Home::new(&format!("[policy]\nbundled = []\n{}", Home::hostile("on_admit = 'count', label = 'first'")));
    home.add_plugin("hostile.wasm", HOSTILE);
    let daemon = TestDaemon::start(home);
    let mut both = subscribe(&daemon, json!({"routes": ["1", "2"]}));
    let mut first = subscribe(&daemon, json!({"routes": ["1"]}));
    let mut second = subscribe(&daemon, json!({"routes": ["2"]}));
    let message = daemon.receive_from(FRIEND, "counted");
    assert_eq!((both.texts(1), first.texts(1)), (vec!["counted".to_owned()], vec!["counted".to_owned()]));
    // The plugin counts on, so that the same message has another route the second time.
    edit(&daemon, &message, "counted again");
    let (_, edited) = updated(&mut both);
    assert_eq!((&edited["text"], &edited["policy"]["route"]), (&json!("counted again"), &json!("2")));
    for client in [&mut first, &mut second] {
        let fence = client.exchange(r#"{"jsonrpc":"2.0","id":"fence","method":"initialize"}"#);
        assert_eq!(fence["id"], "fence");
    }
}

#[test]
fn who_was_heard_for_a_mention_needs_none_to_edit() {
    let rules = format!(
        "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['{FRIEND}']\nmention_patterns = ['@bot']\n\
         [policy.groups.'{GROUP}']\nrequire_mention = true\n"
    );
    let (daemon, mut client) = daemon(&rules);
    let observed = daemon.receive_in(GROUP, OTHER_FRIEND, "lunch?");
    let message = daemon.receive_in(GROUP, FRIEND, "@bot order ten");
    assert_eq!(client.texts(1), ["@bot order ten"]);
    edit(&daemon, &observed, "@bot lunch!");
    edit(&daemon, &message, "order one");
    let (_, edited) = updated(&mut client);
    assert_eq!((&edited["text"], &edited["policy"]["decided_by"]), (&json!("order one"), &json!("group")));
    fence(&daemon, &mut client);
}

#[test]
fn after_a_restart_old_messages_are_followed_on_and_old_edits_are_not_repeated() {
    let (mut daemon, mut client) = daemon(FRIENDS);
    let edited_before = daemon.receive_from(FRIEND, "one");
    let edited_meanwhile = daemon.receive_from(FRIEND, "two");
    let edited_after = daemon.receive_from(FRIEND, "three");
    assert_eq!(client.texts(3), ["one", "two", "three"]);
    edit(&daemon, &edited_before, "one, edited");
    assert_eq!(updated(&mut client).1["text"], "one, edited");
    drop(client);
    daemon.kill();
    edit(&daemon, &edited_meanwhile, "two, edited");
    daemon.start_again();
    let mut client = subscribe(&daemon, json!({"since_rowid": edited_after.rowid.0}));
    edit(&daemon, &edited_after, "three, edited");
    assert_eq!(updated(&mut client).1["text"], "three, edited");
    let history = daemon.connect().ok("messages.history", json!({"chat_id": edited_after.chat_id.unwrap().0}));
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["three, edited", "two, edited", "one, edited"]);
}
