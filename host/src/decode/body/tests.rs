//! Bodies of every shape, whole and damaged.

use super::*;
use crate::decode::writer::{self, Attribute, Writer};

const MENTION: &str = "__kIMMentionConfirmedMention";
const TRANSFER: &str = "__kIMFileTransferGUIDAttributeName";

fn check(bytes: &[u8], text: &str) {
    let body = body(bytes);
    assert_eq!((body.text.as_str(), body.warning), (text, None));
}

fn check_damaged(bytes: &[u8], text: &str, warning: impl Into<Warning>) {
    let body = body(bytes);
    assert_eq!((body.text.as_str(), body.warning), (text, Some(warning.into())));
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `04 0B streamtyped`, version 1000, then `@`: an object of class NSString, whose superclass is NSObject.
const STRING: &[u8] =
    b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x08NSString\x01\x84\x84\x08NSObject\x00\x85";

fn string(contents: &[u8]) -> Vec<u8> {
    [STRING, contents].concat()
}

#[test]
fn nothing_is_no_text() {
    check(b"", "");
}

#[test]
fn a_string_by_itself_is_the_text() {
    check(&string(b"\x84\x01+\x05hello\x86"), "hello");
    check(&string(b"\x84\x01+\x00\x86"), "");
}

#[test]
fn lengths_of_every_width_are_exact() {
    for length in [1, 64, 126, 127, 128, 145, 146, 255, 256, 300, 32_768, 65_535, 65_536, 100_000] {
        let text = "A".repeat(length);
        check(&writer::plain(&text), &text);
        check(&writer::attributed_big_endian(&text, &[]), &text);
    }
    // The form that one-byte lengths above 0x91 may take.
    check(&string(&[b"\x84\x01+\xc8".as_slice(), &[b'x'; 200], b"\x86"].concat()), &"x".repeat(200));
    check(&string(&[b"\x84\x01+\x82\x03\0\0\0".as_slice(), b"abc\x86"].concat()), "abc");
}

#[test]
fn text_is_neither_trimmed_nor_changed() {
    for text in ["  \n x\t ", "🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉", "👩‍👩‍👧‍👦 ❤️", "\u{FFFC}a\u{FFFC}", "\u{1}\u{0}", "ᆄ+ᆄ"]
    {
        check(&writer::plain(text), text);
    }
}

#[test]
fn a_mention_has_address_and_utf16_range() {
    let text = "🎉 Hi Ann, Bob";
    let part: &[_] = &[("__kIMMessagePartAttributeName", Attribute::Number(0))];
    let ann: &[_] = &[(MENTION, Attribute::Text("+15550001111")), part[0]];
    let bob: &[_] = &[part[0], (MENTION, Attribute::Text("bob@example.com"))];
    let bytes = writer::attributed(text, &[(units("🎉 Hi "), part), (3, ann), (2, part), (3, bob)]);
    let mention = |address: &str, range| Mention { address: address.to_owned(), range };
    let body = body(&bytes);
    assert_eq!(body.mentions, [mention("+15550001111", 6..9), mention("bob@example.com", 11..14)]);
    assert_eq!((body.text.as_str(), body.warning), (text, None));
}

#[test]
fn a_mention_in_two_styles_is_one_mention() {
    let plain: &[_] = &[(MENTION, Attribute::Text("ann@example.com"))];
    let bold: &[_] =
        &[(MENTION, Attribute::Text("ann@example.com")), ("__kIMTextBoldAttributeName", Attribute::Number(1))];
    let body = body(&writer::attributed("Annabel", &[(3, plain), (4, bold)]));
    assert_eq!(body.mentions, [Mention { address: "ann@example.com".to_owned(), range: 0..7 }]);
}

#[test]
fn a_run_may_reuse_an_earlier_dictionary() {
    let part: &[_] = &[("__kIMMessagePartAttributeName", Attribute::Number(300))];
    let ann: &[_] = &[(MENTION, Attribute::Text("ann@example.com"))];
    let body = body(&writer::attributed("a b c d", &[(1, ann), (1, part), (1, ann), (4, part)]));
    let ranges: Vec<_> = body.mentions.iter().map(|mention| mention.range.clone()).collect();
    assert_eq!(ranges, [0..1, 2..3]);
}

#[test]
fn a_run_may_be_long() {
    let ann: &[_] = &[(MENTION, Attribute::Text("ann@example.com"))];
    for length in [127, 128, 200, 300, 40_000] {
        let text = format!("{}Ann", "x".repeat(length));
        let body = body(&writer::attributed(&text, &[(length, &[]), (3, ann)]));
        assert_eq!(body.mentions[0].range, length..length + 3, "{length}");
    }
}

#[test]
fn attachments_are_listed_in_text_order() {
    let file =
        |guid| [(TRANSFER, Attribute::Text(guid)), ("__kIMInlineMediaHeightAttributeName", Attribute::Number(1139))];
    let (first, second) = (file("at_0_A"), file("at_2_A"));
    let data: &[_] = &[("__kIMDataDetectedAttributeName", Attribute::Data(b"bplist00\x86\x84\x01+"))];
    let body = body(&writer::attributed("\u{FFFC}text\u{FFFC}", &[(1, &first), (4, data), (1, &second)]));
    assert_eq!(body.attachment_guids, ["at_0_A", "at_2_A"]);
    assert_eq!((body.text.as_str(), body.warning), ("\u{FFFC}text\u{FFFC}", None));
}

#[test]
fn an_audio_message_brings_its_transcription() {
    let spoken: &[_] = &[("IMAudioTranscription", Attribute::Text("call me"))];
    assert_eq!(body(&writer::attributed("\u{FFFC}", &[(1, spoken)])).transcription.as_deref(), Some("call me"));
}

#[test]
fn references_beyond_one_byte_are_followed() {
    let keys: Vec<String> = (0..300).map(|number| format!("key {number}")).collect();
    let attributes: Vec<_> = keys.iter().map(|key| (key.as_str(), Attribute::Text("value"))).collect();
    let ann: &[_] = &[(MENTION, Attribute::Text("ann@example.com"))];
    let runs: Vec<_> =
        attributes.iter().map(|attribute| (1, std::slice::from_ref(attribute))).chain([(2, ann)]).collect();
    let body = body(&writer::attributed(&"x".repeat(302), &runs));
    assert_eq!((body.mentions.len(), body.warning), (1, None));
    assert_eq!(body.mentions[0].range, 300..302);
}

#[test]
fn values_of_every_type_are_read_over() {
    // A structure, an array of integers, floating point both ways, a selector, a class and nil.
    let contents = b"\x84\x0e{_NSRange=QQ}!\x01\x02\x84\x05[2i]c\x03\x81\x00\x01c\x84\x02fd\x83\0\0\0\0\x05\x84\x02:#\x84\x03abc\x94\
        \x84\x01@\x85\x84\x01+\x02ok\x86";
    check(&string(contents), "ok");
}

#[test]
fn text_before_the_damage_is_kept() {
    let whole = writer::plain("kept");
    let text_end = whole.windows(4).position(|bytes| bytes == b"kept").expect("the text") + 4;
    for length in text_end..whole.len() - 1 {
        check_damaged(&whole[..length], "kept", Problem::Truncated);
    }
    check_damaged(&string(b"\x84\x01+\x02ok\x84\x01^\x01\x86"), "ok", Problem::Type);
    check_damaged(&string(b"\x84\x01+\x02ok\xff\x86"), "ok", Problem::Reference);
    check_damaged(&string(b"\x84\x01+\x02ok\x8f"), "ok", Problem::Mark);
}

#[test]
fn text_after_the_damage_is_found() {
    check_damaged(b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01?\x84\x01+\x05hello\x86", "hello", Problem::Type);
    check_damaged(b"\x04\x0btypedstream\x81\x03\xe8\x99\x84\x01+\x81\x00\x02hi\x86", "hi", Problem::Reference);
}

#[test]
fn text_that_is_not_there_is_empty() {
    check_damaged(&string(b"\x84\x01+\x05hell"), "", Problem::Truncated);
    check_damaged(&string(b"\x84\x01+\x80hell"), "", Problem::Mark);
    check_damaged(&string(b"\x84\x01+\x82\xff\xff\xff\xff"), "", Problem::Truncated);
    check_damaged(&string(b"\x84\x01+\x02\xc3\x28\x86"), "", Warning::NotUtf8);
    check_damaged(b"\x04\x0bstreamtypeX\x81\xe8\x03\x84\x01+\x02hi", "", Problem::Header);
    check_damaged(b"\x04\x0b", "", Problem::Header);
}

#[test]
fn utf16_with_a_byte_order_mark_is_text() {
    let text = "Hi ❤️ 🎉";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(&[b"\xff\xfe", little.as_slice()].concat(), text);
    check(&[b"\xfe\xff", big.as_slice()].concat(), text);
    check(b"\xff\xfeh\0i\0!", "hi");
    check(b"\xff\xfe\x3d\xd8", "\u{FFFD}");
}

#[test]
fn segments_without_a_header_are_text() {
    let segment = |inside: &[u8]| [b"\x01+", inside, b"\x86\x84"].concat();
    check(&segment(b"fallback text"), "fallback text");
    check(&segment(b"\x05hello"), "hello");
    check(&segment(&[b"\x40".as_slice(), &[b'A'; 64]].concat()), &"A".repeat(64));
    check(&segment(&[b"\x7e".as_slice(), &[b'A'; 126]].concat()), &"A".repeat(126));
    check(&segment(&[b"\x30", "🎉".repeat(12).as_bytes()].concat()), &"🎉".repeat(12));
    check(&segment(&[b"\x82\x01\x2c".as_slice(), &[b'B'; 300]].concat()), &"B".repeat(300));
    check(&segment(&[b"\x81\x2c\x01".as_slice(), &[b'B'; 300]].concat()), &"B".repeat(300));
    check(&[segment(b"short"), segment(b"the longest"), segment(b"last")].concat(), "the longest");
}

#[test]
fn bare_text_loses_only_leading_control_characters() {
    check(b"\x00\x0ahello", "hello");
    check(b"two\nlines", "two\nlines");
    check(b"caf\xc3\xa9 \xff", "café \u{FFFD}");
}

#[test]
fn other_bytes_are_not_passed_off_as_text() {
    check_damaged(b"bplist00\xd4\x01\x02\x03", "", Warning::NotText);
    check_damaged(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "", Warning::NotText);
}

#[test]
fn nesting_is_bounded() {
    let mut writer = Writer::new(false);
    for _ in 0..100_000 {
        writer.shared(b"@");
        writer.begin(&["NSArray", "NSObject"]);
    }
    check_damaged(&writer.bytes, "", Problem::Excessive);
    let encoding = format!("{}i{}", "[1".repeat(50), "]".repeat(50));
    check_damaged(
        &string(&[&[0x84, encoding.len() as u8], encoding.as_bytes(), &[7, 0x86]].concat()),
        "",
        Problem::Excessive,
    );
}

#[test]
fn work_on_repeated_encodings_is_bounded() {
    let mut writer = Writer::new(false);
    let long = [b'!'; 30_000];
    for _ in 0..30_000 {
        writer.shared(&long);
    }
    check_damaged(&writer.bytes, "", Problem::Excessive);
    check_damaged(&string(b"\x84\x0f[9999999999999i\x86"), "", Problem::Truncated);
}

#[test]
fn output_is_bounded_where_runs_share_attributes() {
    let long = "x".repeat(100_000);
    let too_long: &[_] = &[(MENTION, Attribute::Text(&long)), (TRANSFER, Attribute::Text(&long))];
    let a: &[_] = &[(MENTION, Attribute::Text("a"))];
    let b: &[_] = &[(MENTION, Attribute::Text("b"))];
    let runs: Vec<_> = [(1, too_long), (1, a), (1, b)].into_iter().cycle().take(60_000).collect();
    let body = body(&writer::attributed("abc", &runs));
    assert_eq!((body.mentions.len(), body.attachment_guids.len()), (MAX_ATTRIBUTES, 0));
    assert!(body.mentions.iter().all(|mention| mention.range.end <= 3));
}

#[test]
fn no_bytes_can_break_it() {
    let ann: &[_] = &[(MENTION, Attribute::Text("ann@example.com")), (TRANSFER, Attribute::Text("at_0_A"))];
    let data: &[_] = &[("data", Attribute::Data(&[0x86; 40])), ("number", Attribute::Number(-70_000))];
    let runs: &[(usize, &[_])] = &[(3, ann), (200, data), (1, ann)];
    let seeds = [
        writer::attributed("Ann 🎉 text", runs),
        writer::attributed_big_endian("Ann 🎉 text", runs),
        b"\x01+\x05hello\x86\x84\x01+x\x86\x84".to_vec(),
        b"\xff\xfeh\0i\0".to_vec(),
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..40_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(8) {
            random.mutate(&mut bytes);
        }
        let body = body(&bytes);
        assert!(body.text.len() <= 3 * bytes.len());
        assert!(body.mentions.iter().all(|mention| mention.address.len() <= bytes.len()));
        assert!(body.mentions.len() + body.attachment_guids.len() <= bytes.len());
    }
}

/// Marsaglia's xorshift: the same bytes on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const MARKS: [u8; 12] = [0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x91, 0x92, 0x00, 0x7F, 0xFF];
        let at = self.below(bytes.len().max(1)).min(bytes.len());
        match self.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, MARKS[self.below(MARKS.len())]),
            2 if at < bytes.len() => bytes[at] = MARKS[self.below(MARKS.len())],
            3 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            _ => bytes.extend_from_within(at..),
        }
        bytes.truncate(4096);
    }
}
