//! `attachments.read`: the bytes of an attachment, piece by piece, over the connection that the client has anyway.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::attachment::AttachmentPiece;
use super::{Answer, answer};
use crate::attachments::{Files, Opened, Refusal};
use crate::message::Attachment;
use crate::readers::{Reader, Readers};

pub const READ: &[Param] = &[
    Param::text("guid").required().about("The attachment, as its object in a message has it."),
    Param::integer("offset").at_least(0).default(0).about("Where to begin, in bytes."),
    Param::integer("length").at_least(1).at_most(LENGTH_MOST).default(LENGTH).about("How many bytes at most."),
];

/// Bytes of one answer, by default and at most: as base64 they are a third more.
const LENGTH: i64 = 256 << 10;
pub const LENGTH_MOST: i64 = 1 << 20;

/// What is asked for: bytes of one attachment.
struct Range {
    guid: String,
    offset: u64,
    length: usize,
}

impl Range {
    fn check(params: &Params) -> Result<Range, RpcError> {
        let guid = params.required_text("guid")?;
        let offset = u64::try_from(params.required_integer("offset")?).map_err(RpcError::internal)?;
        Ok(Range { guid, offset, length: params.count("length")? })
    }
}

pub async fn read(readers: &Arc<Readers>, files: &Arc<Files>, params: Params) -> Answer {
    let range = Range::check(&params)?;
    let files = files.clone();
    readers.with(move |reader| piece(reader, &files, &range)).await?
}

fn piece(reader: &Reader, files: &Files, range: &Range) -> Result<Answer, RpcError> {
    let guid = &range.guid;
    let attachment = reader.chatdb.attachment(guid)?;
    let attachment = attachment.ok_or_else(|| RpcError::params(format!("Attachment not found: {guid}")))?;
    let opened = files.open(&attachment.filename).map_err(|refusal| refused(&attachment, &refusal))?;
    let (data, eof) = bytes(&opened, range, files.most_bytes())?;
    Ok(answer(&AttachmentPiece {
        guid,
        offset: range.offset,
        length: data.len(),
        total_bytes: opened.bytes,
        eof,
        data: BASE64_STANDARD.encode(data),
        mime_type: &attachment.mime_type,
        uti: &attachment.uti,
        transfer_name: &attachment.transfer_name,
    }))
}

/// The bytes of the range that are there, and whether none follow.
fn bytes(opened: &Opened, range: &Range, most: u64) -> Result<(Vec<u8>, bool), RpcError> {
    let (guid, total) = (&range.guid, opened.bytes);
    if total > most {
        return Err(RpcError::params(format!(
            "attachment {guid} has {total} bytes, and messages.media_max_mb allows {most}; raise it to read this one"
        )));
    }
    if range.offset > total {
        return Err(RpcError::params(format!(
            "offset {} is past the end of attachment {guid}, which has {total} bytes",
            range.offset
        )));
    }
    let data = read_at(&opened.file, range.offset, range.length)
        .map_err(|error| RpcError::internal(format!("attachment {guid} could not be read: {error}")))?;
    let end = range.offset + data.len() as u64;
    // A file that was cut short meanwhile ends where it ends.
    let eof = end >= total || data.len() < range.length;
    Ok((data, eof))
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut data[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(data)
}

/// Why the file is not read, without a word of where links lead.
fn refused(attachment: &Attachment, refusal: &Refusal) -> RpcError {
    let guid = &attachment.guid;
    match refusal {
        Refusal::Missing => {
            let state = attachment.transfer_state.map(|state| format!(" (transfer_state {})", state.name()));
            RpcError::params(format!(
                "the file of attachment {guid} is not on this Mac{}; open its conversation in Messages to download it",
                state.unwrap_or_default()
            ))
        }
        Refusal::NoFile => RpcError::params(format!("attachment {guid} is a folder, which has no bytes to read")),
        Refusal::Outside => RpcError::params(format!(
            "attachment {guid} is outside of messages.attachment_roots; add its folder there if it may be read"
        )),
        Refusal::Unreadable(error) => RpcError::internal(format!(
            "attachment {guid} could not be read: {error}; check that imsgd has Full Disk Access in System Settings"
        )),
    }
}
