//! Files that arrive: where Messages puts them, and what the table of attachments says of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::receive::{Incoming, Tapback};
use super::rows::Attachment;

/// `transfer_state` of a file that has arrived, and of one that waits to be fetched.
const FINISHED: i64 = 5;
const WAITING: i64 = 0;

/// What is attached to one message, in the order of its parts. Copies are below `folder`, each in one of its own.
pub fn attachments(folder: &Path, incoming: &Incoming, message: &str) -> Result<Vec<Attachment>> {
    let mut files = Vec::new();
    let guid = |files: &[Attachment]| format!("at_{}_{message}", files.len());
    for path in &incoming.attachments {
        files.push(described(path, guid(&files)));
    }
    for path in &incoming.attach {
        let name = path.file_name().with_context(|| format!("{} has no file name", path.display()))?;
        let place = place(folder, &guid(&files));
        let copy = place.join(name);
        let copied = fs::create_dir_all(&place).and_then(|()| fs::copy(path, &copy));
        copied.with_context(|| format!("could not copy {} to {}", path.display(), copy.display()))?;
        files.push(described(&copy, guid(&files)));
    }
    for name in &incoming.announce {
        let guid = guid(&files);
        let path = place(folder, &guid).join(name);
        files.push(Attachment { transfer_state: WAITING, total_bytes: ANNOUNCED_BYTES, ..described(&path, guid) });
    }
    let is_sticker = matches!(incoming.tapback, Some(Tapback::Standard { code: 2007, .. }));
    files.iter_mut().for_each(|file| file.is_sticker = is_sticker);
    Ok(files)
}

/// What a file that has not come yet says of its size.
const ANNOUNCED_BYTES: u64 = 12_345;

/// Messages spreads the files over folders named by two bytes.
fn place(folder: &Path, guid: &str) -> PathBuf {
    let sum = guid.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
    folder.join(format!("{:02x}", sum >> 8)).join(format!("{:02}", sum & 0xf)).join(guid)
}

/// What `attachment` says about a file: the type follows from the extension, the size from the disk.
pub fn described(path: &Path, guid: String) -> Attachment {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (uti, mime_type) = match extension.as_str() {
        "jpg" | "jpeg" => ("public.jpeg", "image/jpeg"),
        "png" => ("public.png", "image/png"),
        "gif" => ("com.compuserve.gif", "image/gif"),
        "heic" => ("public.heic", "image/heic"),
        "mov" => ("com.apple.quicktime-movie", "video/quicktime"),
        "mp4" => ("public.mpeg-4", "video/mp4"),
        "caf" => ("com.apple.coreaudio-format", "audio/x-caf"),
        "m4a" => ("com.apple.m4a-audio", "audio/x-m4a"),
        "pdf" => ("com.adobe.pdf", "application/pdf"),
        "txt" => ("public.plain-text", "text/plain"),
        "vcf" => ("public.vcard", "text/vcard"),
        _ => ("public.data", "application/octet-stream"),
    };
    Attachment {
        guid,
        filename: path.to_string_lossy().into_owned(),
        transfer_name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        uti,
        mime_type,
        total_bytes: fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default(),
        transfer_state: FINISHED,
        is_sticker: false,
        user_info: None,
    }
}
