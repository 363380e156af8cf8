//! `attributedBody`: the text of a message where the `text` column is empty, and what is marked in it.

use std::ops::Range;

use super::typedstream::{self, Problem};

/// Longer than any address or transfer guid. What is longer is not one, and would be copied once for each run.
const MAX_ATTRIBUTE_BYTES: usize = 512;
/// Of each kind. Messages allows far fewer in one message.
const MAX_ATTRIBUTES: usize = 256;

/// What `attributedBody` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// With U+FFFC where an attachment stands.
    pub text: String,
    pub mentions: Vec<Mention>,
    /// In text order: the attachments that the message has when it is complete.
    pub attachment_guids: Vec<String>,
    /// What the speaker of an audio message said.
    pub transcription: Option<String>,
    /// Set where something in the body could not be read. What could be read is there all the same.
    pub warning: Option<Warning>,
}

/// An address marked with Messages' own @mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// As stored.
    pub address: String,
    /// Where the marked name stands in the text, in UTF-16 units.
    pub range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error(transparent)]
    Archive(#[from] Problem),
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the body is neither an archive nor text")]
    NotText,
}

/// Reads a body of any shape. Only archives occur in databases of current systems.
pub fn body(bytes: &[u8]) -> Body {
    match bytes {
        [] => Body::default(),
        [0xFF, 0xFE, rest @ ..] => Body { text: utf16(rest, u16::from_le_bytes), ..Body::default() },
        [0xFE, 0xFF, rest @ ..] => Body { text: utf16(rest, u16::from_be_bytes), ..Body::default() },
        _ if typedstream::is_archive(bytes) => archive(bytes),
        _ => bare(bytes),
    }
}

fn archive(bytes: &[u8]) -> Body {
    let archive = typedstream::read(bytes);
    let mut body = Body { warning: archive.problem.map(Warning::Archive), ..Body::default() };
    match std::str::from_utf8(archive.text.unwrap_or_default()) {
        Ok(text) => text.clone_into(&mut body.text),
        Err(_) => body.warning = Some(Warning::NotUtf8),
    }
    for run in archive.runs {
        if let Some(address) = attribute(run.attributes.mention) {
            body.add_mention(address, run.start..run.end);
        }
        if let Some(guid) = attribute(run.attributes.transfer_guid)
            && body.attachment_guids.len() < MAX_ATTRIBUTES
            && !body.attachment_guids.iter().any(|known| known == guid)
        {
            body.attachment_guids.push(guid.to_owned());
        }
        if body.transcription.is_none()
            && let Some(Ok(spoken)) = run.attributes.transcription.map(std::str::from_utf8)
        {
            body.transcription = Some(spoken.to_owned());
        }
    }
    body.clamp_mentions();
    body
}

impl Body {
    fn add_mention(&mut self, address: &str, range: Range<usize>) {
        if let Some(last) = self.mentions.last_mut()
            && last.address == address
            && last.range.end == range.start
        {
            // A mention that is partly bold is two runs.
            last.range.end = range.end;
        } else if self.mentions.len() < MAX_ATTRIBUTES {
            self.mentions.push(Mention { address: address.to_owned(), range });
        }
    }

    fn clamp_mentions(&mut self) {
        if self.mentions.is_empty() {
            return;
        }
        let length = self.text.encode_utf16().count();
        for mention in &mut self.mentions {
            mention.range = mention.range.start.min(length)..mention.range.end.min(length);
        }
    }
}

fn attribute(value: Option<&[u8]>) -> Option<&str> {
    let value = std::str::from_utf8(value?).ok()?;
    (!value.is_empty() && value.len() <= MAX_ATTRIBUTE_BYTES).then_some(value)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, _odd) = bytes.as_chunks::<2>();
    char::decode_utf16(units.iter().map(|pair| unit(*pair))).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// A body without header: the inside of an archive, or plain text. Found in test data of older tools.
fn bare(bytes: &[u8]) -> Body {
    if let Some(segment) = longest_segment(bytes) {
        return match std::str::from_utf8(without_length(segment)) {
            Ok(text) => Body { text: text.to_owned(), ..Body::default() },
            Err(_) => Body { warning: Some(Warning::NotUtf8), ..Body::default() },
        };
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches(char::is_control);
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Body { warning: Some(Warning::NotText), ..Body::default() };
    }
    Body { text: text.to_owned(), ..Body::default() }
}

/// The longest of the stretches that stand between the encoding of a string and the end of its object.
fn longest_segment(bytes: &[u8]) -> Option<&[u8]> {
    let mut longest: Option<&[u8]> = None;
    let mut rest = bytes;
    while let Some(start) = find(rest, b"\x01+")
        && let Some(length) = find(&rest[start + 2..], b"\x86\x84")
    {
        let segment = &rest[start + 2..start + 2 + length];
        if longest.is_none_or(|longest| segment.len() > longest.len()) {
            longest = Some(segment);
        }
        rest = &rest[start + 2 + length..];
    }
    longest
}

fn find(bytes: &[u8], pair: &[u8; 2]) -> Option<usize> {
    bytes.windows(2).position(|window| window == pair)
}

fn without_length(segment: &[u8]) -> &[u8] {
    match segment {
        [length, text @ ..] if usize::from(*length) == text.len() => text,
        [0x81 | 0x82, a, b, text @ ..]
            if [u16::from_le_bytes([*a, *b]), u16::from_be_bytes([*a, *b])].map(usize::from).contains(&text.len()) =>
        {
            text
        }
        _ => segment,
    }
}

#[cfg(test)]
mod tests;
