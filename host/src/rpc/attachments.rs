//! `attachments.read`: the bytes of an attachment, piece by piece, over the connection that the client has anyway.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::attachment::AttachmentPiece;
use super::{Answer, answer};
use crate::attachments::{Converted, Files, Opened, Refusal, Unconverted};
use crate::message::Attachment;
use crate::readers::Readers;

pub const READ: &[Param] = &[
    Param::text("guid").required().about("The attachment, as its object in a message has it."),
    Param::integer("offset").at_least(0).default(0).about("Where to begin, in bytes."),
    Param::integer("length").at_least(1).at_most(LENGTH_MOST).default(LENGTH).about("How many bytes at most."),
    Param::flag("converted").about("Of the converted file, where the attachment is of a form that is converted."),
];

/// Bytes of one answer, by default and at most: as base64 they are a third more.
const LENGTH: i64 = 256 << 10;
pub const LENGTH_MOST: i64 = 1 << 20;

/// What is asked for: bytes of one attachment.
struct Wanted {
    guid: String,
    offset: u64,
    length: usize,
    /// Those of the converted file.
    converted: bool,
}

impl Wanted {
    fn check(params: &Params) -> Result<Wanted, RpcError> {
        let guid = params.required_text("guid")?;
        let offset = u64::try_from(params.required_integer("offset")?).map_err(RpcError::internal)?;
        Ok(Wanted { guid, offset, length: params.count("length")?, converted: params.flag("converted")? })
    }
}

pub async fn read(readers: &Arc<Readers>, files: &Arc<Files>, params: Params) -> Answer {
    let wanted = Wanted::check(&params)?;
    let guid = wanted.guid.clone();
    let found = readers.with(move |reader| reader.chatdb.attachment(&guid)).await?;
    let attachment = found.ok_or_else(|| RpcError::params(format!("Attachment not found: {}", wanted.guid)))?;
    let converted = match wanted.converted {
        true => Some(files.converted_one(&attachment).await.map_err(|why| unconverted(&attachment, &why, files))?),
        false => None,
    };
    let files = files.clone();
    let task = tokio::task::spawn_blocking(move || piece(&files, &attachment, converted.as_ref(), &wanted));
    task.await.map_err(RpcError::internal)?
}

fn piece(files: &Files, attachment: &Attachment, converted: Option<&Converted>, wanted: &Wanted) -> Answer {
    let opened = match converted {
        Some(converted) => files.open_converted(converted),
        None => files.open(&attachment.filename),
    };
    let opened = opened.map_err(|refusal| refused(attachment, &refusal))?;
    let (data, eof) = bytes(&opened, wanted, files.most_bytes())?;
    let name = converted.map(|converted| Path::new(&attachment.transfer_name).with_extension(converted.ending));
    let name = name.map(|name| name.display().to_string());
    answer(&AttachmentPiece {
        guid: &attachment.guid,
        offset: wanted.offset,
        length: data.len(),
        total_bytes: opened.bytes,
        eof,
        data: BASE64_STANDARD.encode(data),
        mime_type: converted.map_or(&attachment.mime_type, |converted| converted.mime_type),
        uti: converted.map_or(&attachment.uti, |converted| converted.uti),
        transfer_name: name.as_ref().unwrap_or(&attachment.transfer_name),
        converted: converted.is_some(),
    })
}

/// The bytes of the range that are there, and whether none follow.
fn bytes(opened: &Opened, wanted: &Wanted, most: u64) -> Result<(Vec<u8>, bool), RpcError> {
    let (guid, total) = (&wanted.guid, opened.bytes);
    if total > most {
        return Err(too_large(guid, total, most));
    }
    if wanted.offset > total {
        return Err(RpcError::params(format!(
            "offset {} is past the end of attachment {guid}, which has {total} bytes",
            wanted.offset
        )));
    }
    let data = read_at(&opened.file, wanted.offset, wanted.length)
        .map_err(|error| RpcError::internal(format!("attachment {guid} could not be read: {error}")))?;
    let end = wanted.offset + data.len() as u64;
    // A file that was cut short meanwhile ends where it ends.
    let eof = end >= total || data.len() < wanted.length;
    Ok((data, eof))
}

fn too_large(guid: &str, bytes: u64, most: u64) -> RpcError {
    RpcError::params(format!(
        "attachment {guid} has {bytes} bytes, and messages.media_max_mb allows {most}; raise it to read this one"
    ))
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

fn unconverted(attachment: &Attachment, why: &Unconverted, files: &Files) -> RpcError {
    let guid = &attachment.guid;
    match why {
        Unconverted::Refused(refusal) => refused(attachment, refusal),
        Unconverted::TooLarge(bytes) => too_large(guid, *bytes, files.most_bytes()),
        Unconverted::NoNeed => RpcError::params(format!(
            "attachment {guid} is not converted, only CAF, GIF and HEIC are; ask without converted"
        )),
        Unconverted::NoProgram => RpcError::internal(format!(
            "attachment {guid} cannot be converted: install ffmpeg, or name it in messages.ffmpeg"
        )),
        Unconverted::Failed => RpcError::internal(format!(
            "attachment {guid} could not be converted; ask without converted, or see imsgd's log for the reason"
        )),
    }
}
