//! Polls and votes as Messages sends them: a balloon whose archived address carries a document.

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::receive::Incoming;
use super::{body, plists, rows};

const BUNDLE: &str = "com.apple.messages.MSMessageExtensionBalloonPlugin:0000000000:com.apple.messages.Polls";

/// Makes `message` a poll, more choices for one, or a vote, if that is what `incoming` asks for.
pub fn ask(message: &mut rows::Message, incoming: &Incoming) -> Result<()> {
    let creator = incoming.from.as_deref().unwrap_or(rows::OWNER);
    let document = if !incoming.poll_options.is_empty() {
        message.associated_guid = incoming.target.clone();
        message.associated_type = if incoming.target.is_some() { 2 } else { 0 };
        poll(&incoming.text, &incoming.poll_options, creator)
    } else if !incoming.votes.is_empty() {
        ensure!(incoming.target.is_some(), "a vote needs the poll that it is about");
        message.associated_guid = incoming.target.clone();
        message.associated_type = 4000;
        let vote = |option: &String| json!({"voteOptionIdentifier": option, "participantHandle": creator});
        json!({"votes": incoming.votes.iter().map(vote).collect::<Vec<_>>()})
    } else {
        return Ok(());
    };
    let envelope = json!({"item": document, "version": 1}).to_string();
    message.payload_data = plists::balloon(&format!("data:,{}?src=p&c=2", STANDARD.encode(envelope)), "Sent a poll");
    message.balloon_bundle_id = Some(BUNDLE);
    message.content = body::text(body::PLACEHOLDER);
    Ok(())
}

/// The choices have the ids `choice-1`, `choice-2` and so on.
fn poll(question: &str, options: &[String], creator: &str) -> Value {
    let option = |(number, text): (usize, &String)| json!({"optionIdentifier": format!("choice-{}", number + 1), "text": text, "canBeEdited": false});
    let options: Vec<Value> = options.iter().enumerate().map(option).collect();
    json!({"title": question, "creatorHandle": creator, "orderedPollOptions": options})
}
