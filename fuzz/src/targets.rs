//! What must hold for any bytes.

use crate::decode::{self, edits, poll as polls};
use crate::line::{Input, Lines};
use crate::rpc::envelope;
use tokio::io::AsyncReadExt;

/// More than any of the limits inside lets through.
const MANY: usize = 20_000;

/// `attributedBody`: whatever it is, it is read, and what is marked lies inside of the text.
pub fn body(data: &[u8]) {
    let body = decode::body(data);
    let length = body.text.encode_utf16().count();
    assert!(body.text.len() <= 3 * data.len(), "a text out of nothing");
    for mention in &body.mentions {
        assert!(mention.range.start <= mention.range.end && mention.range.end <= length, "{mention:?}");
    }
    assert!(body.attachment_guids.len() <= data.len());
}

/// `message_summary_info` of an edited message.
pub fn summary(data: &[u8]) {
    for (date_retracted, is_empty) in [(0, false), (1, true)] {
        let columns = edits::Columns { date_edited: 1, date_retracted, summary: data, is_empty };
        let edits = edits::edits(&columns).expect("it has a date");
        assert!(edits.versions.len() <= MANY && edits.unsent_parts.is_sorted());
        assert!(edits.versions.iter().all(|version| !edits.unsent_parts.contains(&version.part)));
    }
}

/// `payload_data` of a poll, and of a vote.
pub fn poll(data: &[u8]) {
    let created = polls::Columns {
        guid: "G",
        sender: "+15550001111",
        bundle_id: Some("com.apple.messages.Polls"),
        payload: data,
        ..polls::Columns::default()
    };
    let read = polls::poll(&created).expect("it is a poll by its bundle id");
    assert!(read.options.len() + read.votes.len() + read.participants.len() <= MANY);
    assert!(read.participants.is_sorted());
    let voted = polls::Columns { bundle_id: None, associated_type: polls::VOTE, associated_guid: "p:0/A", ..created };
    let _ = polls::poll(&voted);
}

/// Lines of a client: they come out as they would if all bytes were there at once, and each is a request or refused.
/// The first two bytes are the limit and where the input is cut in two.
pub fn lines(data: &[u8]) {
    let Some(([limit, cut], input)) = data.split_first_chunk::<2>() else { return };
    let (limit, cut) = (usize::from(*limit) * 4, usize::from(*cut).min(input.len()));
    let (before, after) = input.split_at(cut);
    let mut lines = Lines::new(before.chain(after), limit);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for expected in expected(input, limit) {
        let next = runtime.block_on(lines.next()).expect("memory can be read");
        assert_eq!(next, expected);
        if let Input::Line(line) = next
            && let Err(refused) = envelope::parse(line)
        {
            assert!([-32700, -32600, -32602].contains(&refused.error.code), "{refused:?}");
        }
    }
}

fn expected(input: &[u8], limit: usize) -> Vec<Input<'_>> {
    let mut lines = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        if line.len() > limit {
            lines.push(Input::TooLong);
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            lines.push(Input::Line(line));
        }
    }
    lines.push(Input::End);
    lines
}
