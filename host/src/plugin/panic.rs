//! What a policy's panic said and where it was, instead of the `unreachable` in which it ended.
//!
//! A panic may quote what it fell over, and that may be the message: `byte index 1 is not a char boundary; it is inside
//! 'é'`. A failure ends in the journal and in logs, which show nothing that a message says; so of a panic they show its
//! place and what can only be its author's own words. The whole of it is in the plugin's log.

use std::collections::HashSet;

use wasmtime::Trap;

use super::guest::Call;
use super::{limits, load};
use crate::policy::Failure;

/// How Rust begins what it says of a panic: a place, and in the next line the message.
const SIGN: &str = "panicked at ";

/// A path of a source file is shorter.
const PLACE_BYTES: usize = 256;

/// Parts of words that are as long as this tell what the word was.
const TELLING: usize = 3;

/// As many digits may be a code or of a number.
const DIGITS: usize = 4;

/// Between the first and the last of these, anything may be quoted.
const QUOTES: &[char] = &['`', '\'', '"', '‘', '’', '“', '”', '‚', '„', '‹', '›', '«', '»', '「', '」', '『', '』'];

const LEFT_OUT: char = '…';

/// A panic that a plugin logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panic {
    /// `src/lib.rs:42:9`.
    place: String,
    message: String,
    /// The message may go on after what is here.
    is_cut: bool,
    /// By way of stderr, a panic comes line by line: the message is in the next one.
    awaits_message: bool,
}

impl Panic {
    /// None where `text` does not tell of a panic the way that Rust does.
    pub fn read(text: &str) -> Option<Panic> {
        let (_, said) = text.split_once(SIGN)?;
        let (place, message) = said.split_once('\n').unwrap_or((said, ""));
        let place = place.trim_end().trim_end_matches(':');
        let awaits_message = message.is_empty();
        let kept = shortened(message);
        let is_cut = awaits_message || kept.len() < message.len();
        is_place(place).then(|| Panic { place: place.to_owned(), message: kept.to_owned(), is_cut, awaits_message })
    }

    /// Takes the line that follows.
    pub fn go_on(&mut self, line: &str) {
        if std::mem::take(&mut self.awaits_message) {
            self.message = shortened(line).to_owned();
        }
    }
}

/// Why a call ended, in words. `given` is what the plugin was asked with beside the message.
pub(super) fn failure(error: &wasmtime::Error, call: &Call, given: &[&str]) -> Failure {
    let is_abort = error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached);
    let said = match call.panic.as_ref().filter(|_| is_abort) {
        Some(panic) => told(panic, &readable(call, given)),
        None => load::cause(error),
    };
    Failure(shortened(&said).to_owned())
}

/// As long as a line of the log may be.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(limits::LOG_LINE_BYTES)]
}

/// `FILE.rs:LINE:COLUMN`, and nothing that a sentence could be.
fn is_place(place: &str) -> bool {
    let is_number = |text: &str| (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = place.rsplitn(3, ':');
    let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || "_-./\\:".contains(c);
    let is_file = file.ends_with(".rs") && file.len() <= PLACE_BYTES && file.chars().all(is_of_a_path);
    is_file && is_number(line) && is_number(column)
}

/// `text` without what it may quote of a message, a configuration or a person.
pub fn without_what_is_quoted(text: &str) -> String {
    own_words(text, false)
}

/// On one line, the place and of the message the author's own words. Only the place where words of `readable` remain.
fn told(panic: &Panic, readable: &[&str]) -> String {
    let place = &panic.place;
    let own = own_words(&panic.message, panic.is_cut);
    if has_any(&own, readable) {
        return format!("{SIGN}{place} (what it said is in the plugin's log)");
    }
    match own.is_empty() {
        true => format!("{SIGN}{place}"),
        false => format!("{SIGN}{place}: {own}"),
    }
}

/// `message` on one line without what is quoted, without addresses, codes and numbers of some length.
fn own_words(message: &str, is_cut: bool) -> String {
    let unquoted = without_quotes(message, is_cut);
    let without_addresses: Vec<_> =
        unquoted.split_whitespace().map(|word| if is_coded(word) { "…" } else { word }).collect();
    without_numbers(&without_addresses.join(" "))
}

/// What is quoted may have quotes in it, so all goes between the first and the last. Where one has no other, because
/// the message is cut or quotes half of them, what follows may be quoted, too.
fn without_quotes(message: &str, is_cut: bool) -> String {
    let quotes: Vec<_> = message.match_indices(QUOTES).filter(|(at, _)| !is_negation(message, *at)).collect();
    let (Some((first, _)), Some((last, quote))) = (quotes.first(), quotes.last()) else { return message.to_owned() };
    let rest = if is_cut || quotes.len() % 2 == 1 { "" } else { &message[last + quote.len()..] };
    format!("{}`{LEFT_OUT}`{rest}", &message[..*first])
}

/// The apostrophe of `can't`.
fn is_negation(message: &str, at: usize) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
    message[..at].ends_with('n') && message[at..].strip_prefix("'t").is_some_and(ends)
}

/// An e-mail address, a number with its country, a code in capitals.
fn is_coded(word: &str) -> bool {
    let signs = || word.chars().filter(|c| c.is_alphanumeric());
    let in_capitals = signs().any(char::is_uppercase) && signs().all(|c| c.is_numeric() || c.is_uppercase());
    let is_code = in_capitals && signs().count() >= DIGITS;
    word.contains(['@', '+']) || is_code
}

/// Digits count as one number over what is written between those of a telephone number, and those of a list of bytes.
fn without_numbers(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(char::is_numeric) {
        let number = &rest[start..];
        let of_it = |c: char| c.is_numeric() || " ().,-/[]".contains(c);
        let number =
            number[..number.find(|c| !of_it(c)).unwrap_or(number.len())].trim_end_matches(|c: char| !c.is_numeric());
        out.push_str(&rest[..start]);
        match number.chars().filter(|c| c.is_numeric()).count() < DIGITS {
            true => out.push_str(number),
            false => out.push(LEFT_OUT),
        }
        rest = &rest[start + number.len()..];
    }
    out + rest
}

/// Does `said` have a word of one of these, or a part of one? Where words are not ASCII, a character is enough: not all
/// scripts have spaces.
fn has_any(said: &str, readable: &[&str]) -> bool {
    let said = said.replace(LEFT_OUT, " ").to_lowercase();
    let spoken: HashSet<&str> = words(&said).collect();
    readable.iter().any(|text| {
        let text = text.to_lowercase();
        words(&text).any(|word| spoken.contains(word) || (word.len() >= TELLING && said.contains(word)))
            || spoken.iter().any(|word| word.len() >= TELLING && text.contains(word))
            || text.chars().any(|c| !c.is_ascii() && said.contains(c))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// All that the plugin could read of the message, its people and its chat.
fn readable<'a>(call: &'a Call, given: &[&'a str]) -> Vec<&'a str> {
    let mut texts = given.to_vec();
    let Some(inbound) = &call.inbound else { return texts };
    let message = &inbound.message;
    texts.extend([&*inbound.sender, &message.sender, &message.text]);
    texts.extend(message.destination_caller_id.as_deref());
    texts.extend(message.mentions.iter().map(String::as_str));
    texts.extend(message.attachments.iter().flat_map(|file| [&*file.filename, &file.transfer_name, &file.mime_type]));
    if let Some(quoted) = &message.quoted {
        texts.extend(quoted.sender.as_deref().into_iter().chain(quoted.text.as_deref()));
    }
    if let Some(name) = message.event.as_ref().and_then(|event| event.name.as_deref()) {
        texts.push(name);
    }
    if let Some(poll) = &message.poll {
        texts.extend(poll.question.as_deref());
        texts.extend(poll.options.iter().map(|option| &*option.text));
        texts.extend(poll.votes.iter().filter_map(|vote| vote.option_text.as_deref()));
    }
    if let Some(chat) = &message.chat {
        texts.push(&chat.identifier);
        texts.extend(
            [&chat.display_name, &chat.account_login, &chat.last_addressed_handle]
                .into_iter()
                .flatten()
                .map(|text| &**text),
        );
        texts.extend(chat.participants.iter().map(String::as_str));
    }
    texts
}

#[cfg(test)]
mod tests;
