//! The facts of a poll by the names that they have had.

use crate::decode::property_list::Value;
use crate::message::{PollOption, PollVote};

const QUESTION: &[&str] = &["question", "title", "prompt", "pollQuestion"];
const ID: &[&str] = &["pollGUID", "pollGuid", "pollIdentifier", "pollID", "pollId", "poll_guid"];
const CREATOR: &[&str] = &["creatorHandle", "creator", "creatorIdentifier", "createdBy"];
const PARTICIPANTS: &[&str] = &["participants", "participantHandles", "participantIdentifiers"];
const OPTIONS: &[&str] = &["orderedPollOptions", "pollOptions", "options", "choices"];
const OPTION_TEXT: &[&str] = &["pollOptionText", "text", "title", "label", "value"];
const OPTION_ID: &[&str] = &["optionIdentifier", "identifier", "id", "optionID", "optionId", "option_id"];
const VOTES: &[&str] = &["votes", "pollVotes", "responses"];
const VOTED: &str = "voteOptionIdentifier";
const VOTE_OPTION: &[&str] = &[VOTED, "optionID", "optionId", "option_id"];
const VOTER: &[&str] = &["participantHandle", "participant", "participantIdentifier", "handle", "sender"];
const VOTE_TIME: &[&str] = &["serverVoteTime", "serverTime", "timestamp"];
const VOTE_EVENT: &[&str] = &["eventType", "type", "action"];
const REMOVAL: &[&str] = &["removed", "isRemoved", "isRemoval"];

/// Of choices, votes and participants each. Messages allows twelve choices and 32 people.
const MOST: usize = 1000;

/// What is known of a poll so far. What was found first stays.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub question: Option<String>,
    pub id: Option<String>,
    pub creator: Option<String>,
    pub participants: Vec<String>,
    /// Without repeats of an id.
    pub options: Vec<PollOption>,
    pub votes: Vec<PollVote>,
    /// There was a list of votes, though it may have been empty.
    pub has_votes: bool,
}

impl Facts {
    /// Takes over what stands in the dictionaries of `value`, however deep.
    pub fn take(&mut self, value: &Value<'_>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            Value::Dictionary(entries) => {
                self.take_own(value);
                for (key, inner) in entries {
                    let key = key.as_ref();
                    // What belongs to one choice or one vote is nothing of the poll.
                    if !(OPTIONS.contains(&key) || VOTES.contains(&key)) || inner.array().is_none() {
                        self.take(inner);
                    }
                }
            }
            _ => {}
        }
    }

    fn take_own(&mut self, dictionary: &Value<'_>) {
        let own = |keys| words(dictionary, keys);
        self.question = self.question.take().or_else(|| own(QUESTION));
        self.id = self.id.take().or_else(|| own(ID));
        self.creator = self.creator.take().or_else(|| own(CREATOR));
        if self.participants.is_empty() {
            let listed = list(dictionary, PARTICIPANTS).unwrap_or_default();
            self.participants = listed.iter().filter_map(word).take(MOST).collect();
        }
        if self.options.is_empty() {
            list(dictionary, OPTIONS).unwrap_or_default().iter().filter_map(option).for_each(|option| {
                if self.options.len() < MOST && !self.options.iter().any(|known| known.id == option.id) {
                    self.options.push(option);
                }
            });
        }
        if let Some(votes) = list(dictionary, VOTES) {
            self.has_votes = true;
            if self.votes.is_empty() {
                self.votes = votes.iter().filter_map(vote).take(MOST).collect();
            }
        }
        if self.votes.is_empty() && dictionary.get(VOTED).is_some() {
            self.votes.extend(vote(dictionary));
        }
    }
}

fn option(value: &Value<'_>) -> Option<PollOption> {
    if let Some(text) = word(value) {
        return Some(PollOption { id: text.clone(), text });
    }
    let (id, text) = (words(value, OPTION_ID), words(value, OPTION_TEXT));
    let id = id.or_else(|| text.clone())?;
    Some(PollOption { id, text: text.unwrap_or_default() })
}

fn vote(value: &Value<'_>) -> Option<PollVote> {
    let is_removal = REMOVAL.iter().any(|key| match value.get(key) {
        Some(Value::Boolean(is_removal)) => *is_removal,
        Some(Value::Integer(number)) => *number != 0,
        _ => false,
    });
    let event = if is_removal { None } else { words(value, VOTE_EVENT) };
    Some(PollVote {
        option_id: words(value, VOTE_OPTION)?,
        option_text: None,
        participant: words(value, VOTER),
        event_type: event.unwrap_or_else(|| if is_removal { "removed" } else { "selected" }.to_owned()),
        server_time: words(value, VOTE_TIME),
    })
}

/// The first of `keys` that has some words.
fn words(dictionary: &Value<'_>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| word(dictionary.get(key)?))
}

fn list<'v, 'a>(dictionary: &'v Value<'a>, keys: &[&str]) -> Option<&'v [Value<'a>]> {
    keys.iter().find_map(|key| dictionary.get(key)?.array())
}

/// A text that says something, or a number.
fn word(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        _ => None,
    }
}
