//! What a person wrote, as `attributedBody` holds it: parts, mentions, and a placeholder for each attachment.

use std::ops::Range;
use std::path::Path;

use super::rows::{Attachment, Content};
use super::typedstream::{FILE_TRANSFER, MENTION, MESSAGE_PART, Run, TRANSCRIPTION, Value, encode};

/// U+FFFC: stands in the text where an attachment is.
pub const PLACEHOLDER: &str = "\u{fffc}";

/// Text alone.
pub fn text(text: &str) -> Content {
    compose(text, &[], &[])
}

/// Attachments first, then the text; `mentions` are the addresses that its `@words` stand for, in order.
/// Neither text nor attachments make no body at all.
pub fn compose(text: &str, mentions: &[String], attachments: &[Attachment]) -> Content {
    if text.is_empty() && attachments.is_empty() {
        return Content::default();
    }
    let mut runs = Vec::with_capacity(attachments.len() + 1 + 2 * mentions.len());
    for (part, attachment) in attachments.iter().enumerate() {
        let attributes =
            vec![(FILE_TRANSFER, Value::Text(&attachment.guid)), (MESSAGE_PART, Value::Number(part as i32))];
        runs.push(Run { text: PLACEHOLDER, attributes });
    }
    let part = (MESSAGE_PART, Value::Number(attachments.len() as i32));
    let mut rest = 0;
    for (range, address) in mentioned(text, mentions.len()).into_iter().zip(mentions) {
        runs.push(Run { text: &text[rest..range.start], attributes: vec![part] });
        rest = range.end;
        runs.push(Run { text: &text[range], attributes: vec![(MENTION, Value::Text(address)), part] });
    }
    runs.push(Run { text: &text[rest..], attributes: vec![part] });
    Content {
        text: None,
        attributed_body: Some(encode(&runs)),
        part_count: attachments.len() as i64 + i64::from(!text.is_empty()),
        has_attachments: !attachments.is_empty(),
    }
}

/// A voice message: one placeholder that also says what was said.
pub fn voice(attachment: &Attachment, transcription: &str) -> Content {
    let attributes = vec![
        (FILE_TRANSFER, Value::Text(&attachment.guid)),
        (TRANSCRIPTION, Value::Text(transcription)),
        (MESSAGE_PART, Value::Number(0)),
    ];
    let body = encode(&[Run { text: PLACEHOLDER, attributes }]);
    Content { text: None, attributed_body: Some(body), part_count: 1, has_attachments: true }
}

/// Where `count` mentions stand: on the words that begin with `@`, or without such, on the first words.
fn mentioned(text: &str, count: usize) -> Vec<Range<usize>> {
    let words = || {
        text.split_whitespace().map(|word| {
            // The words are slices of the text, so their addresses tell where they stand.
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            start..start + word.trim_end_matches(|c: char| c.is_ascii_punctuation()).len().max(1)
        })
    };
    let marked: Vec<Range<usize>> = words().filter(|word| text[word.start..].starts_with('@')).take(count).collect();
    if marked.len() == count { marked } else { words().take(count).collect() }
}

/// What `attachment` says about a file: the type follows from the extension, the size from the disk.
pub fn attachment(path: &Path, guid: String) -> Attachment {
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
        total_bytes: std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default(),
        is_sticker: false,
        user_info: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let words: Vec<&str> = mentioned(text, expected.len()).into_iter().map(|range| &text[range]).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn mentions_stand_on_the_words_that_are_marked() {
        check("hi @Ada, meet @Bo!", &["@Ada", "@Bo"]);
    }

    #[test]
    fn an_unmarked_mention_stands_on_the_first_word() {
        check("Claw are you there?", &["Claw"]);
    }

    #[test]
    fn a_word_of_punctuation_alone_keeps_its_first_character() {
        check("@ x", &["@"]);
        check("… x", &["…"]);
    }

    #[test]
    fn no_text_and_no_attachment_make_no_body() {
        assert!(compose("", &["+14155550101".into()], &[]).attributed_body.is_none());
    }
}
