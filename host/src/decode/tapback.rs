//! Tapbacks: the columns that make a row a reaction to another row.

use unicode_segmentation::UnicodeSegmentation;

use crate::message::{Tapback, TapbackKind};

/// What `associated_message_type` adds to a tapback's type when the row takes it away.
const REMOVAL: i64 = 1000;
const CUSTOM: i64 = 2006;
const STICKER: i64 = 2007;

/// The columns of a row that say whether and how it reacts.
pub struct Columns<'a> {
    pub associated_type: i64,
    pub associated_guid: &'a str,
    /// `associated_message_emoji`, where the database has it.
    pub emoji: Option<&'a str>,
    /// The decoded text, which in older databases is the only place of the emoji.
    pub text: &'a str,
}

/// The types that are tapbacks. Stickers put anywhere on a message (1000), poll votes (4000) and the like are rows of
/// their own.
pub fn is_tapback(associated_type: i64) -> bool {
    matches!(associated_type, 2000..=2007 | 3000..=3007)
}

pub fn tapback(columns: &Columns<'_>) -> Option<Tapback> {
    if !is_tapback(columns.associated_type) {
        return None;
    }
    let is_add = columns.associated_type < 2000 + REMOVAL;
    let kind = match columns.associated_type - if is_add { 0 } else { REMOVAL } {
        2000 => TapbackKind::Love,
        2001 => TapbackKind::Like,
        2002 => TapbackKind::Dislike,
        2003 => TapbackKind::Laugh,
        2004 => TapbackKind::Emphasis,
        2005 => TapbackKind::Question,
        CUSTOM => TapbackKind::Custom(emoji(columns).map(str::to_owned)),
        STICKER => TapbackKind::Sticker,
        _ => return None,
    };
    Some(Tapback { kind, is_add, target: target(columns.associated_guid).to_owned() })
}

/// `associated_message_type` of a row that adds a reaction of this kind; none where the kind does not say all of it.
pub fn added(kind: &TapbackKind) -> Option<i64> {
    match kind {
        TapbackKind::Love => Some(2000),
        TapbackKind::Like => Some(2001),
        TapbackKind::Dislike => Some(2002),
        TapbackKind::Laugh => Some(2003),
        TapbackKind::Emphasis => Some(2004),
        TapbackKind::Question => Some(2005),
        TapbackKind::Custom(_) | TapbackKind::Sticker => None,
    }
}

/// The guid of a message without what says which part of it is meant: `p:1/GUID`, `bp:GUID`.
pub fn target(guid: &str) -> &str {
    let guid = guid.rsplit_once('/').map_or(guid, |(_part, guid)| guid);
    guid.strip_prefix("bp:").unwrap_or(guid)
}

fn emoji<'a>(columns: &Columns<'a>) -> Option<&'a str> {
    if let Some(emoji) = columns.emoji.map(str::trim).filter(|emoji| !emoji.is_empty()) {
        return Some(emoji);
    }
    let english = columns.text.split_once("Reacted ").and_then(|(_, rest)| rest.split_once(" to "));
    if let Some((emoji, _)) = english
        && is_emoji(emoji)
    {
        return Some(emoji);
    }
    // In other languages: whatever stands before the quoted message, which may have emoji of its own.
    let verb = columns.text.split(['"', '“', '”', '„', '«', '»', '「', '『']).next()?;
    verb.graphemes(true).find(|grapheme| is_emoji(grapheme))
}

/// One emoji as a person sees it. Digits, `#` and `*` have Unicode's Emoji property too, but are emoji only as keycaps.
pub fn is_emoji(text: &str) -> bool {
    let mut graphemes = text.graphemes(true);
    let (Some(first), None) = (graphemes.next(), graphemes.next()) else { return false };
    match first.chars().next() {
        Some('0'..='9' | '#' | '*') => first.ends_with('\u{20E3}'),
        Some(c) => is_pictograph(c),
        None => false,
    }
}

fn is_pictograph(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1FAFF}'
        | '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}'
        | '\u{24C2}'
        | '\u{25A0}'..='\u{27BF}'
        | '\u{2934}'..='\u{2935}'
        | '\u{2B05}'..='\u{2B55}'
        | '\u{00A9}' | '\u{00AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(associated_type: i64, emoji: Option<&str>, text: &str) -> Option<Tapback> {
        tapback(&Columns { associated_type, associated_guid: "p:0/GUID", emoji, text })
    }

    fn custom(emoji: Option<&str>, text: &str) -> Option<String> {
        match read(2006, emoji, text).map(|tapback| tapback.kind) {
            Some(TapbackKind::Custom(emoji)) => emoji,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_kinds_and_their_removals_are_known() {
        let names = ["love", "like", "dislike", "laugh", "emphasis", "question", "custom", "sticker"];
        for (number, name) in (2000..).zip(names) {
            let added = read(number, None, "").expect("an added tapback");
            assert_eq!((added.kind.name(), added.is_add), (name, true));
            assert_eq!(super::added(&added.kind), (number < CUSTOM).then_some(number));
            let removed = read(number + 1000, None, "").expect("a removed tapback");
            assert_eq!((removed.kind.name(), removed.is_add), (name, false));
        }
    }

    #[test]
    fn other_associations_are_not_tapbacks() {
        for number in [0, 1, 2, 1000, 1999, 2008, 2999, 3008, 4000, 9999, i64::MIN, i64::MAX] {
            assert_eq!(read(number, Some("🎉"), "Reacted 🎉 to “x”"), None, "{number}");
        }
    }

    #[test]
    fn the_target_is_a_bare_guid() {
        for guid in ["GUID", "p:0/GUID", "p:12/GUID", "bp:GUID", "p:0/bp:GUID"] {
            assert_eq!(target(guid), "GUID");
        }
        assert_eq!(target(""), "");
    }

    #[test]
    fn the_emoji_column_comes_first() {
        assert_eq!(custom(Some("🦊"), "Reacted 🎉 to “x”").as_deref(), Some("🦊"));
        assert_eq!(custom(Some(" "), "Reacted 🎉 to “x”").as_deref(), Some("🎉"));
    }

    #[test]
    fn the_emoji_is_found_in_the_text() {
        assert_eq!(custom(None, "Reacted 👩‍👩‍👧 to “x”").as_deref(), Some("👩‍👩‍👧"));
        assert_eq!(custom(None, "Reacted 1️⃣ to “x”").as_deref(), Some("1️⃣"));
        assert_eq!(custom(None, "Reagierte mit 🎉 auf „Bis 8 Uhr 😀“").as_deref(), Some("🎉"));
    }

    #[test]
    fn what_only_looks_like_an_emoji_is_none() {
        for text in
            ["", "Reacted with a sticker to “8 😀”", "Reacted 8 to “x”", "Removed a reaction from “😀”", "Reacted # to"]
        {
            assert_eq!(custom(None, text), None, "{text}");
        }
    }
}
