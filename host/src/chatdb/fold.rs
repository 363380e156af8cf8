//! The two rows of a sent link, the text and its preview, as one message.

use jiff::SignedDuration;

use super::row::MessageRow;
use crate::message::{Message, UrlPreview};

pub(super) const URL_BALLOON: &str = "com.apple.messages.URLBalloonProvider";

/// How long after the text Messages writes its preview.
pub(super) const MAX_DELAY: SignedDuration = SignedDuration::from_secs(5);

pub(super) fn is_preview(row: &MessageRow) -> bool {
    is_preview_message(&row.message)
}

pub(super) fn is_preview_message(message: &Message) -> bool {
    message.balloon_bundle_id.as_deref() == Some(URL_BALLOON)
}

/// Whether the link that `preview` shows is in `text` already.
pub(super) fn has_link(text: &Message, preview: &Message) -> bool {
    url(preview).is_some_and(|url| contains_url(&text.text, url))
}

/// Whether `preview` shows what `text` links to. The caller knows that `text` is the nearest earlier row of the same
/// chat that is neither a tapback nor a preview.
pub(super) fn belongs(preview: &MessageRow, text: &MessageRow) -> bool {
    let (p, t) = (&preview.message, &text.message);
    let same_handle = preview.handle_id == 0 || text.handle_id == 0 || preview.handle_id == text.handle_id;
    let delay = p.sent_at.duration_since(t.sent_at);
    is_preview(preview)
        && t.balloon_bundle_id.is_none()
        && p.is_from_me == t.is_from_me
        && p.sender == t.sender
        && same_handle
        && p.id > t.id
        && (SignedDuration::ZERO..=MAX_DELAY).contains(&delay)
        && (names(p, t) || url(p).is_some_and(|url| contains_url(&t.text, url)))
}

/// Adds `preview` to the message it belongs to.
pub(super) fn attach(message: &mut Message, preview: &Message) {
    if let Some(url) = url(preview)
        && !contains_url(&message.text, url)
    {
        if !message.text.is_empty() {
            message.text.push('\n');
        }
        message.text.push_str(url);
    }
    if message.url_preview.as_ref().is_none_or(|known| known.id < preview.id) {
        message.url_preview = Some(UrlPreview {
            id: preview.id,
            guid: preview.guid.clone(),
            balloon_bundle_id: URL_BALLOON.to_owned(),
            created_at: preview.sent_at,
        });
    }
}

fn names(preview: &Message, text: &Message) -> bool {
    !text.guid.is_empty() && preview.reply_to_guid.as_deref() == Some(&text.guid)
}

fn url(preview: &Message) -> Option<&str> {
    let text = preview.text.trim();
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["http://", "https://", "www."].into_iter().any(starts).then_some(text)
}

fn contains_url(text: &str, url: &str) -> bool {
    let (text, url) = (text.to_lowercase(), url.to_lowercase());
    text.contains(&url) || text.contains(url.trim_matches('/'))
}
