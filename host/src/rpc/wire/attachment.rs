//! Attachment objects, section 4.8 of the specification, and pieces of their files.

use schemars::JsonSchema;
use serde::Serialize;

use crate::attachments::{Converted, is_missing, path_of};
use crate::message::{self, TransferState};

/// A file that came with a message.
#[derive(Serialize, JsonSchema)]
pub struct Attachment<'a> {
    /// What `attachments.read` takes.
    #[serde(skip_serializing_if = "str::is_empty")]
    guid: &'a str,
    /// As the database has it, often beginning with `~/`.
    filename: &'a str,
    /// The name that the sender gave it.
    transfer_name: &'a str,
    uti: &'a str,
    mime_type: &'a str,
    total_bytes: u64,
    is_sticker: bool,
    /// Where it is on the machine of imsgd.
    original_path: String,
    /// Is there no such file? Messages may not have fetched it yet.
    missing: bool,
    /// Where it is in a form that models take. Only where that was asked for and could be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    converted_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    converted_mime_type: Option<&'static str>,
    /// How far Messages is with the file, as it wrote it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = TransferState::NAMES))]
    transfer_state: Option<&'static str>,
}

impl<'a> Attachment<'a> {
    pub fn new(attachment: &'a message::Attachment) -> Attachment<'a> {
        let path = path_of(&attachment.filename);
        Attachment {
            guid: &attachment.guid,
            filename: &attachment.filename,
            transfer_name: &attachment.transfer_name,
            uti: &attachment.uti,
            mime_type: &attachment.mime_type,
            total_bytes: attachment.total_bytes,
            is_sticker: attachment.is_sticker,
            missing: is_missing(&path),
            original_path: path.display().to_string(),
            converted_path: None,
            converted_mime_type: None,
            transfer_state: attachment.transfer_state.map(TransferState::name),
        }
    }

    pub fn set_converted(&mut self, converted: &Converted) {
        self.converted_path = Some(converted.path.display().to_string());
        self.converted_mime_type = Some(converted.mime_type);
    }
}

/// A piece of a file.
#[derive(Serialize, JsonSchema)]
pub struct AttachmentPiece<'a> {
    pub guid: &'a str,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: usize,
    /// Of the file as it is on disk.
    pub total_bytes: u64,
    /// Does nothing follow this piece?
    pub eof: bool,
    /// The bytes, as base64 with padding.
    pub data: String,
    pub mime_type: &'a str,
    pub uti: &'a str,
    pub transfer_name: &'a str,
    /// Are the bytes those of the converted file? Type and name are its own then.
    pub converted: bool,
}
