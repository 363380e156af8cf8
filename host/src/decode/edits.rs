//! Edits and unsent parts: two dates, and the history that `message_summary_info` keeps.
//!
//! Messages writes a binary property list. `ec` maps the number of a part to all its versions, each with its date `d`
//! and body `t`, the first as it was sent and the last as it is now. `otr` has the parts that the message was sent
//! with, and `rp` those that were taken back.

use jiff::Timestamp;

use super::property_list::{self, Fuel, Value};
use super::{body, date};
use crate::message::{Edits, Version};

/// Messages allows five edits of a part.
const MAX_VERSIONS: usize = 64;
/// Of one message.
const MAX_PARTS: usize = 256;

/// The columns of a row that tell what became of it after it was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    pub date_edited: i64,
    pub date_retracted: i64,
    /// `message_summary_info`; empty where it is missing.
    pub summary: &'a [u8],
    /// The row has neither text nor attachments now.
    pub is_empty: bool,
}

/// None for a message that is as it was sent.
pub fn edits(columns: &Columns<'_>) -> Option<Edits> {
    let changed_at = changed_at(columns.date_edited, columns.date_retracted)?;
    let has_retraction = columns.date_retracted != 0;
    let mut edits = Edits { changed_at, versions: Vec::new(), unsent_parts: Vec::new(), is_unsent: false };
    let mut fuel = Fuel::default();
    let Some(summary) = property_list::read(columns.summary, &mut fuel) else {
        edits.is_unsent = has_retraction && columns.is_empty;
        return Some(edits);
    };
    edits.unsent_parts = unsent_parts(&summary);
    edits.is_unsent = match sent_parts(&summary) {
        Some(sent) => sent.iter().all(|part| edits.unsent_parts.contains(part)),
        None => columns.is_empty && (has_retraction || !edits.unsent_parts.is_empty()),
    };
    edits.versions = versions(&summary, &edits.unsent_parts);
    Some(edits)
}

/// When a message was last edited or taken back, by the columns `date_edited` and `date_retracted`.
pub fn changed_at(date_edited: i64, date_retracted: i64) -> Option<Timestamp> {
    let dated = |value: i64| (value != 0).then(|| date::from_column(Some(value)));
    dated(date_edited).max(dated(date_retracted))
}

fn unsent_parts(summary: &Value<'_>) -> Vec<u32> {
    let parts = summary.get("rp").and_then(Value::array).unwrap_or_default();
    let mut parts: Vec<u32> =
        parts.iter().filter_map(|part| u32::try_from(part.integer()?).ok()).take(MAX_PARTS).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

/// The parts that the message had when it was sent, where the list says.
fn sent_parts(summary: &Value<'_>) -> Option<Vec<u32>> {
    let Value::Dictionary(ranges) = summary.get("otr")? else { return None };
    let parts: Vec<u32> = ranges.iter().filter_map(|(part, _)| part.parse().ok()).take(MAX_PARTS).collect();
    (!parts.is_empty()).then_some(parts)
}

/// All versions of the parts that are still there, by part and then as they were written.
fn versions(summary: &Value<'_>, unsent: &[u32]) -> Vec<Version> {
    let Some(Value::Dictionary(history)) = summary.get("ec") else { return Vec::new() };
    let mut parts: Vec<(u32, &[Value<'_>])> = history
        .iter()
        .filter_map(|(part, versions)| Some((part.parse().ok()?, versions.array()?)))
        .filter(|(part, _)| !unsent.contains(part))
        .collect();
    parts.sort_by_key(|(part, _)| *part);
    let each = parts.into_iter().flat_map(|(part, versions)| versions.iter().map(move |version| (part, version)));
    each.filter_map(|(part, version)| read(part, version)).take(MAX_VERSIONS).collect()
}

fn read(part: u32, version: &Value<'_>) -> Option<Version> {
    let Value::Data(bytes) = version.get("t")? else { return None };
    let seconds = match version.get("d") {
        Some(Value::Real(seconds)) => *seconds,
        Some(Value::Integer(seconds)) => *seconds as f64,
        _ => 0.0,
    };
    Some(Version { part, text: body(bytes).text, written_at: date::from_seconds(seconds) })
}

#[cfg(test)]
mod tests {
    use plist::{Dictionary, Value as Plist};

    use super::*;
    use crate::decode::writer;

    const EDITED: i64 = 700_000_000_000_000_000;

    fn dictionary(entries: Vec<(&str, Plist)>) -> Plist {
        Plist::Dictionary(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Dictionary>())
    }

    fn bytes(list: &Plist) -> Vec<u8> {
        let mut bytes = Vec::new();
        list.to_writer_binary(&mut bytes).unwrap();
        bytes
    }

    fn versions(versions: &[(f64, &str)]) -> Plist {
        let version = |(at, text): &(f64, &str)| {
            dictionary(vec![("d", Plist::from(*at)), ("t", Plist::Data(writer::plain(text)))])
        };
        Plist::Array(versions.iter().map(version).collect())
    }

    fn ranges(parts: &[&str]) -> Plist {
        let range = dictionary(vec![("lo", Plist::from(0)), ("le", Plist::from(4))]);
        dictionary(parts.iter().map(|part| (*part, range.clone())).collect())
    }

    fn read(summary: &Plist) -> Edits {
        let summary = bytes(summary);
        edits(&Columns { date_edited: EDITED, summary: &summary, ..Columns::default() }).unwrap()
    }

    fn texts(edits: &Edits) -> Vec<(u32, &str)> {
        edits.versions.iter().map(|version| (version.part, version.text.as_str())).collect()
    }

    #[test]
    fn a_message_as_it_was_sent_has_no_edits() {
        let summary = bytes(&dictionary(vec![("ust", Plist::from(true))]));
        assert_eq!(edits(&Columns { summary: &summary, ..Columns::default() }), None);
    }

    #[test]
    fn an_edited_message_has_every_version_with_its_date() {
        let history = versions(&[(690_513_474.25, "First"), (690_513_480.5, "Second"), (690_513_494.0, "Third 🎉")]);
        let edits = read(&dictionary(vec![
            ("ec", dictionary(vec![("0", history)])),
            ("ep", Plist::Array(vec![Plist::from(0)])),
            ("otr", ranges(&["0"])),
        ]));
        assert_eq!(texts(&edits), [(0, "First"), (0, "Second"), (0, "Third 🎉")]);
        assert_eq!(edits.versions[0].written_at.to_string(), "2022-11-19T01:17:54.25Z");
        assert_eq!(edits.changed_at, date::from_column(Some(EDITED)));
        assert_eq!((edits.unsent_parts.len(), edits.is_unsent), (0, false));
    }

    #[test]
    fn parts_stand_in_order_and_what_was_taken_back_shows_no_text() {
        let edits = read(&dictionary(vec![
            (
                "ec",
                dictionary(vec![
                    ("10", versions(&[(1.0, "ten")])),
                    ("2", versions(&[(1.0, "two")])),
                    ("1", versions(&[(1.0, "gone")])),
                    ("x", versions(&[(1.0, "no part")])),
                ]),
            ),
            ("rp", Plist::Array(vec![Plist::from(1)])),
            ("otr", ranges(&["0", "1", "2", "10"])),
        ]));
        assert_eq!(texts(&edits), [(2, "two"), (10, "ten")]);
        assert_eq!((edits.unsent_parts.as_slice(), edits.is_unsent), ([1].as_slice(), false));
    }

    #[test]
    fn a_message_is_unsent_when_all_its_parts_are() {
        let parts = Plist::Array(vec![Plist::from(1), Plist::from(0), Plist::from(1)]);
        let edits = read(&dictionary(vec![("rp", parts), ("otr", ranges(&["0", "1"]))]));
        assert_eq!((edits.unsent_parts.as_slice(), edits.is_unsent), ([0, 1].as_slice(), true));
    }

    #[test]
    fn without_a_readable_summary_the_dates_and_what_is_left_decide() {
        let damaged = Columns { summary: b"bplist00 and then nothing", ..Columns::default() };
        let of = |date_edited, date_retracted, is_empty| {
            edits(&Columns { date_edited, date_retracted, is_empty, ..damaged }).unwrap().is_unsent
        };
        assert!(of(EDITED, EDITED, true));
        assert!(!of(EDITED, EDITED, false));
        assert!(!of(EDITED, 0, true));
    }

    #[test]
    fn odd_lists_lose_only_what_is_odd() {
        let edits = read(&dictionary(vec![
            (
                "ec",
                dictionary(vec![(
                    "0",
                    Plist::Array(vec![
                        Plist::from("no dictionary"),
                        dictionary(vec![("t", Plist::Data(writer::plain("no date")))]),
                        dictionary(vec![("d", Plist::from(f64::NAN)), ("t", Plist::Data(b"\x04\x0bbroken".to_vec()))]),
                    ]),
                )]),
            ),
            ("rp", Plist::Array(vec![Plist::from("x"), Plist::from(-1_i64), Plist::from(1_u64 << 40)])),
            ("otr", Plist::from("x")),
        ]));
        assert_eq!(texts(&edits), [(0, "no date"), (0, "")]);
        assert!(edits.unsent_parts.is_empty() && !edits.is_unsent);
    }

    #[test]
    fn the_number_of_versions_has_a_limit() {
        let many: Vec<(f64, &str)> = (0..1000).map(|second| (f64::from(second), "x")).collect();
        let edits = read(&dictionary(vec![("ec", dictionary(vec![("0", versions(&many))]))]));
        assert_eq!(edits.versions.len(), MAX_VERSIONS);
    }
}
