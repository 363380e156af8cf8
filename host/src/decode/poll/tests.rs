//! Payloads of polls, as several systems write them, and damaged ones.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use plist::{Dictionary, Uid, Value as Plist};
use serde_json::{Value as Json, json};

use super::*;
use crate::message::{PollOption, PollVote};

const EXTENSION: &str = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.messages.Polls";

fn bytes(list: &Plist) -> Vec<u8> {
    let mut bytes = Vec::new();
    list.to_writer_binary(&mut bytes).unwrap();
    bytes
}

fn dictionary(entries: Vec<(&str, Plist)>) -> Plist {
    Plist::Dictionary(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Dictionary>())
}

/// An archived dictionary of an address and the words for systems that know no polls.
fn archive(url: &str) -> Vec<u8> {
    let class =
        |name: &str| dictionary(vec![("$classname", name.into()), ("$classes", Plist::Array(vec![name.into()]))]);
    let at = |object| Plist::Uid(Uid::new(object));
    let root = dictionary(vec![
        ("NS.keys", Plist::Array(vec![at(2), at(3)])),
        ("NS.objects", Plist::Array(vec![at(4), at(6)])),
        ("$class", at(7)),
    ]);
    let url_object = dictionary(vec![("NS.base", at(0)), ("NS.relative", at(5)), ("$class", at(8))]);
    let objects = vec![
        "$null".into(),
        root,
        "URL".into(),
        "ldtext".into(),
        url_object,
        url.into(),
        "Sent a poll".into(),
        class("NSMutableDictionary"),
        class("NSURL"),
    ];
    bytes(&dictionary(vec![
        ("$version", 100_000.into()),
        ("$archiver", "NSKeyedArchiver".into()),
        ("$top", dictionary(vec![("root", at(1))])),
        ("$objects", Plist::Array(objects)),
    ]))
}

fn dinner() -> Json {
    json!({
        "title": "Dinner?",
        "creatorHandle": "+15550001000",
        "orderedPollOptions": [
            {"optionIdentifier": "a", "text": "Pizza", "canBeEdited": false},
            {"optionIdentifier": "b", "text": "Sushi"},
        ],
    })
}

fn read(columns: Columns<'_>) -> Poll {
    poll(&columns).expect("a poll")
}

fn created(payload: &[u8]) -> Poll {
    read(Columns { guid: "row", sender: "+15550009999", bundle_id: Some(EXTENSION), payload, ..Columns::default() })
}

fn voted(payload: &[u8]) -> Columns<'_> {
    Columns {
        guid: "vote-row",
        sender: "+15550002000",
        associated_type: VOTE,
        associated_guid: "p:0/poll-row",
        payload,
        ..Columns::default()
    }
}

fn choices(poll: &Poll) -> Vec<(&str, &str)> {
    poll.options.iter().map(|option| (option.id.as_str(), option.text.as_str())).collect()
}

fn check_dinner(poll: &Poll) {
    assert_eq!((poll.kind, poll.question.as_deref(), poll.guid.as_str()), (PollKind::Created, Some("Dinner?"), "row"));
    assert_eq!(choices(poll), [("a", "Pizza"), ("b", "Sushi")]);
    assert_eq!(poll.creator.as_deref(), Some("+15550001000"));
}

#[test]
fn a_question_is_found_in_the_address_of_a_keyed_archive() {
    let document = STANDARD.encode(dinner().to_string());
    let poll = created(&archive(&format!("https://polls.example.com/p?src=imessage&c={document}")));
    check_dinner(&poll);
    let metadata = &poll.metadata;
    assert_eq!((metadata.url_scheme.as_str(), metadata.url_host.as_str()), ("https", "polls.example.com"));
    assert_eq!(metadata.query_keys, ["c", "src"]);
    assert_eq!(metadata.bundle_id.as_deref(), Some(EXTENSION));
}

#[test]
fn a_question_is_found_in_every_wrapping() {
    let (json, list) = (dinner().to_string(), bytes(&plist_of(&dinner())));
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    for url in [
        format!("poll://x?q={}", URL_SAFE_NO_PAD.encode(&json)),
        format!("poll://x?q={}", percent(&STANDARD.encode(&json))),
        format!("poll://x?q={}", percent(&json)),
        format!("poll://x?q={}", STANDARD.encode(&list)),
        format!("poll://x?q={}", URL_SAFE_NO_PAD.encode(&list)),
        format!("data:application/json;base64,{}", STANDARD.encode(&json)),
        format!("data:,{}", percent(&json)),
    ] {
        check_dinner(&created(&archive(&url)));
    }
    check_dinner(&created(json.as_bytes()));
    check_dinner(&created(&list));
    check_dinner(&created(STANDARD.encode(&json).as_bytes()));
    check_dinner(&created(percent(&json).as_bytes()));
    check_dinner(&created(&bytes(&dictionary(vec![("payload", Plist::Data(list.clone()))]))));
}

fn plist_of(json: &Json) -> Plist {
    match json {
        Json::String(text) => text.as_str().into(),
        Json::Bool(value) => (*value).into(),
        Json::Array(items) => Plist::Array(items.iter().map(plist_of).collect()),
        Json::Object(entries) => {
            Plist::Dictionary(entries.iter().map(|(key, value)| (key.clone(), plist_of(value))).collect())
        }
        other => other.as_i64().unwrap().into(),
    }
}

#[test]
fn an_envelope_in_a_data_address_decodes_the_same() {
    let envelope = json!({"item": dinner(), "version": 1}).to_string();
    let poll = created(&archive(&format!("data:,{}?src=p&c=2", STANDARD.encode(envelope))));
    check_dinner(&poll);
    assert_eq!((poll.metadata.url_scheme.as_str(), poll.metadata.query_keys.len()), ("data", 2));
    assert_eq!(poll.metadata.query_keys, ["c", "src"]);
}

#[test]
fn more_choices_are_a_poll_that_names_the_first() {
    let document = json!({"item": {"title": "", "orderedPollOptions": [
        {"optionIdentifier": "a", "text": "Pizza"},
        {"optionIdentifier": "b", "text": "Sushi"},
        {"optionIdentifier": "c", "text": "Tacos"},
        {"optionIdentifier": "a", "text": "Pizza again"},
    ]}});
    let payload = archive(&format!("data:,{}", STANDARD.encode(document.to_string())));
    let poll = read(Columns {
        guid: "update",
        sender: "ann@example.com",
        bundle_id: Some("com.apple.messages.Polls"),
        associated_type: UPDATE,
        associated_guid: "p/original-poll-guid",
        payload: &payload,
        ..Columns::default()
    });
    assert_eq!((poll.kind, poll.guid.as_str()), (PollKind::Created, "update"));
    assert_eq!((poll.original_guid.as_deref(), poll.metadata.associated_message_type), (Some("original-poll-guid"), 2));
    assert_eq!((choices(&poll).len(), poll.question.as_deref()), (3, None));
    assert_eq!(poll.creator.as_deref(), Some("ann@example.com"));
}

#[test]
fn a_vote_in_a_property_list_names_its_poll() {
    let vote = json!({"votes": [{
        "voteOptionIdentifier": "b", "participantHandle": "+15550003000", "eventType": "selected", "serverVoteTime": 123_456,
    }]});
    let url = format!("poll://vote?response={}", STANDARD.encode(bytes(&plist_of(&vote))));
    let payload = bytes(&dictionary(vec![("messageURL", url.into())]));
    let poll = read(voted(&payload));
    assert_eq!((poll.kind, poll.guid.as_str()), (PollKind::Vote, "poll-row"));
    assert_eq!((poll.original_guid.as_deref(), poll.creator.as_deref()), (Some("poll-row"), None));
    let expected = PollVote {
        option_id: "b".into(),
        option_text: None,
        participant: Some("+15550003000".into()),
        event_type: "selected".into(),
        server_time: Some("123456".into()),
    };
    assert_eq!(poll.votes, [expected]);
    assert_eq!(poll.participants, ["+15550003000"]);
}

#[test]
fn a_vote_without_an_event_selects_and_one_with_a_removal_flag_removes() {
    let document = json!({"item": {"votes": [
        {"voteOptionIdentifier": "a"},
        {"optionID": "b", "isRemoved": true, "participant": "z@example.com"},
        {"option_id": "c", "removed": 1, "type": "selected"},
        {"participantHandle": "says nothing"},
    ]}, "version": 1});
    let payload = archive(&format!("data:,{}", STANDARD.encode(document.to_string())));
    let poll = read(voted(&payload));
    let votes: Vec<_> = poll.votes.iter().map(|vote| (vote.option_id.as_str(), vote.event_type.as_str())).collect();
    assert_eq!(votes, [("a", "selected"), ("b", "removed"), ("c", "removed")]);
    assert_eq!(poll.votes[0].participant.as_deref(), Some("+15550002000"));
    assert_eq!(poll.participants, ["+15550002000", "z@example.com"]);
}

#[test]
fn an_empty_list_of_votes_is_a_vote_and_nothing_is_unknown() {
    let kind =
        |document: Json| read(Columns { bundle_id: Some(EXTENSION), ..voted(document.to_string().as_bytes()) }).kind;
    assert_eq!(kind(json!({"votes": []})), PollKind::Vote);
    assert_eq!(kind(json!({"other": 1})), PollKind::Unknown);
    // Choices do not make a vote a poll.
    assert_eq!(kind(dinner()), PollKind::Unknown);
}

#[test]
fn junk_on_a_balloon_of_polls_is_unknown() {
    let poll = created(&[1, 2, 255]);
    assert_eq!((poll.kind, poll.metadata.payload_bytes), (PollKind::Unknown, 3));
    assert_eq!((poll.guid.as_str(), poll.creator), ("row", None));
}

#[test]
fn a_row_without_evidence_is_no_poll() {
    assert_eq!(poll(&voted(b"")), None);
    assert_eq!(poll(&voted(&archive("https://example.com/?a=b"))), None);
    assert!(poll(&voted(&archive("https://polls.example.com/"))).is_some());
    let dinner = dinner().to_string();
    let other = Columns { bundle_id: Some("com.example.Polls"), payload: dinner.as_bytes(), ..Columns::default() };
    assert_eq!(poll(&other), None);
    assert!(!is_candidate(Some("com.example.com.apple.messages.Polls"), 0));
}

#[test]
fn what_belongs_to_one_choice_is_not_the_question() {
    let document = json!({"options": [{"title": "Pizza", "id": 7}, "Sushi", {"label": "Tacos"}, {"other": 1}, ""]});
    let poll = created(document.to_string().as_bytes());
    assert_eq!(poll.question, None);
    assert_eq!(choices(&poll), [("7", "Pizza"), ("Sushi", "Sushi"), ("Tacos", "Tacos")]);
}

#[test]
fn the_summary_is_read_where_the_payload_says_nothing() {
    let (payload, summary) = (json!({"pollID": "p-1"}).to_string(), dinner().to_string());
    let columns = Columns {
        bundle_id: Some(EXTENSION),
        payload: payload.as_bytes(),
        summary: summary.as_bytes(),
        ..Columns::default()
    };
    let poll = read(columns);
    assert_eq!((poll.guid.as_str(), poll.question.as_deref()), ("p-1", Some("Dinner?")));
    assert_eq!(poll.options[0], PollOption { id: "a".into(), text: "Pizza".into() });
}

#[test]
fn damage_anywhere_is_read_or_left_out_but_never_trips() {
    let whole = archive(&format!("poll://x?q={}", STANDARD.encode(bytes(&plist_of(&dinner())))));
    for at in 0..whole.len() {
        created(&whole[..at]);
        for byte in [0, 0x0F, 0x80, 0xA3, 0xFF] {
            let mut changed = whole.clone();
            changed[at] = byte;
            created(&changed);
        }
    }
}

#[test]
fn wrappings_inside_of_wrappings_end_somewhere() {
    let mut document = dinner().to_string();
    for _ in 0..3 {
        document = format!("data:,{}", STANDARD.encode(document));
    }
    created(document.as_bytes());
    for _ in 0..12 {
        document = format!("data:,{}", STANDARD.encode(document));
    }
    assert_eq!(created(document.as_bytes()).kind, PollKind::Unknown);
    // Ten thousand references to one long address, and nesting without end.
    let long = format!("poll://x?q={}", "A".repeat(60_000));
    let many = Plist::Array(vec![Plist::from(long); 8]);
    assert_eq!(created(&bytes(&many)).kind, PollKind::Unknown);
    assert_eq!(created("[".repeat(100_000).as_bytes()).kind, PollKind::Unknown);
    let wide = json!({"a": vec![json!({"title": ""}); 30_000], "question": "late"});
    assert_eq!(created(wide.to_string().as_bytes()).kind, PollKind::Unknown);
}
