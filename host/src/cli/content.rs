//! What a message says where it says it without words: events, balloons of apps, polls and votes, or no more.

use std::borrow::Cow;

use serde_json::Value;

use super::lines::text;

/// One line for people.
pub fn shown(message: &Value) -> Cow<'_, str> {
    let (poll, app, text_of) = (&message["poll"], &message["app"], text(message, "text"));
    // U+FFFC stands for what is no text.
    let is_empty = text_of.chars().all(|c| c.is_whitespace() || c == '\u{FFFC}');
    if poll.is_object() {
        poll_line(poll).into()
    } else if message["event"].is_object() {
        event_line(&message["event"]).into()
    } else if message["is_unsent"] == true {
        "[unsent]".into()
    } else if app.is_object() && is_empty {
        format!("[{}]", text(app, "name")).into()
    } else {
        text_of.into()
    }
}

fn event_line(event: &Value) -> String {
    let what = text(event, "kind").replace('_', " ");
    let whom = [text(event, "handle"), text(event, "name")].into_iter().find(|said| !said.is_empty());
    whom.map_or_else(|| format!("[{what}]"), |whom| format!("[{what}: {whom}]"))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_words_is_named() {
        let check = |message: Value, expected: &str| assert_eq!(shown(&message), expected);
        check(json!({"text": "hi", "app": {"name": "Link"}}), "hi");
        check(json!({"text": "\u{FFFC} ", "app": {"name": "GamePigeon"}}), "[GamePigeon]");
        check(json!({"text": "", "event": {"kind": "photo_removed"}}), "[photo removed]");
        check(json!({"text": "", "event": {"kind": "renamed", "name": "Pals"}}), "[renamed: Pals]");
        check(json!({"text": "", "is_unsent": true}), "[unsent]");
        check(json!({"text": "", "poll": {"kind": "unknown"}}), "Poll: cannot be read");
        check(json!({"text": "", "poll": {"kind": "created", "options": [{"text": "a"}]}}), "Poll: (no question) [a]");
        check(json!({"text": "", "poll": {"kind": "vote"}}), "Poll: took the vote back");
        let removed = json!([{"option_id": "1", "event_type": "removed"}]);
        check(json!({"text": "", "poll": {"kind": "vote", "votes": removed}}), "Poll: no vote any more for 1");
    }
}
