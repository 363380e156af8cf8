//! What a message says where it says it without words: polls and votes.

use std::borrow::Cow;

use serde_json::Value;

use super::lines::text;

/// One line for people.
pub fn shown(message: &Value) -> Cow<'_, str> {
    let poll = &message["poll"];
    if poll.is_object() { poll_line(poll).into() } else { text(message, "text").into() }
}

fn poll_line(poll: &Value) -> String {
    let items = |key: &str| poll[key].as_array().map(Vec::as_slice).unwrap_or_default();
    match text(poll, "kind") {
        "created" => {
            let choices: Vec<&str> = items("options").iter().map(|option| text(option, "text")).collect();
            let question = if poll["question"].is_string() { text(poll, "question") } else { "(no question)" };
            let verb = if poll["original_guid"].is_string() { "Poll, more choices" } else { "Poll" };
            format!("{verb}: {question} [{}]", choices.join(" | "))
        }
        "vote" if items("votes").is_empty() => "Poll: took the vote back".to_owned(),
        "vote" => {
            let votes: Vec<String> = items("votes").iter().map(vote).collect();
            format!("Poll: {}", votes.join(", "))
        }
        _ => "Poll: cannot be read".to_owned(),
    }
}

fn vote(vote: &Value) -> String {
    let option = [text(vote, "option_text"), text(vote, "option_id")].into_iter().find(|name| !name.is_empty());
    let option = option.unwrap_or_default();
    match text(vote, "event_type") {
        "removed" => format!("no vote any more for {option}"),
        _ => format!("voted for {option}"),
    }
}
