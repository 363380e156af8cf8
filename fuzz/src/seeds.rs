//! Where each target begins: what the simulation of Messages writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sim::plists;
use crate::sim::typedstream::{FILE_TRANSFER, MENTION, MESSAGE_PART, Run, TRANSCRIPTION, Value, encode};

/// The name of each target with its seeds.
pub fn all() -> [(&'static str, Vec<Vec<u8>>); 4] {
    [("body", bodies()), ("summary", summaries()), ("poll", polls()), ("lines", lines())]
}

fn run(text: &str, attributes: Vec<(&'static str, Value<'static>)>) -> Vec<u8> {
    let part = (MESSAGE_PART, Value::Number(0));
    encode(&[
        Run { text: "Ask ", attributes: vec![part] },
        Run { text, attributes: [attributes, vec![part]].concat() },
        Run { text: "!", attributes: vec![part] },
    ])
}

fn bodies() -> Vec<Vec<u8>> {
    vec![
        run("plain", vec![]),
        run("@Ada 👩‍👩‍👧", vec![(MENTION, Value::Text("+15550100001"))]),
        run("\u{FFFC}", vec![(FILE_TRANSFER, Value::Text("at_0_9216B848"))]),
        run("\u{FFFC}", vec![(TRANSCRIPTION, Value::Text("call me"))]),
        run(&"long ".repeat(60), vec![]),
        b"\x01+\x05hello\x86\x84".to_vec(),
        b"\xff\xfeh\0i\0".to_vec(),
    ]
}

fn summaries() -> Vec<Vec<u8>> {
    let version = |text: &str, date| (run(text, vec![]), date);
    let once = plists::edited(None, version("one", 7 << 50), version("two", 8 << 50)).unwrap_or_default();
    let twice = plists::edited(Some(&once), version("", 0), version("three 🎉", 9 << 50)).unwrap_or_default();
    vec![once, twice, plists::unsent(13).unwrap_or_default(), plists::tapback_summary("x").unwrap_or_default()]
}

fn polls() -> Vec<Vec<u8>> {
    let created = r#"{"item":{"title":"Dinner?","creatorHandle":"+15550001000","orderedPollOptions":[{"optionIdentifier":"a","text":"Pizza"},{"optionIdentifier":"b","text":"Sushi"}]},"version":1}"#;
    let voted = r#"{"item":{"votes":[{"voteOptionIdentifier":"a","participantHandle":"+15550001000","serverVoteTime":1.5,"removed":true}]},"version":1}"#;
    let mut seeds =
        vec![created.as_bytes().to_vec(), plists::link_preview("https://example.com", "t").unwrap_or_default()];
    for document in [created, voted] {
        for url in [
            format!("data:,{}?src=p&c=2", STANDARD.encode(document)),
            format!("https://polls.example.com/?q={}", document.replace('"', "%22")),
        ] {
            seeds.push(plists::balloon(&url, "Sent a poll").unwrap_or_default());
        }
    }
    seeds
}

fn lines() -> Vec<Vec<u8>> {
    [
        "\u{ff}\u{5}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n",
        "\u{7f}\u{20}\n \r\n{\"jsonrpc\":\"2.0\",\"method\":\"send\",\"params\":[]}\n[1]\n{\"id\":{}}",
        "\u{1}\u{0}12345\n123\n",
    ]
    .map(|text| text.chars().map(|c| c as u8).collect())
    .into()
}
