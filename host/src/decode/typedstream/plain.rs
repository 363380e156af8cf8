//! The archive of a message that is text and nothing else, as nearly all are: known by its bytes, and not taken apart.

/// How Messages begins an archive, up to the text, and how it ends those of one run without a mark, after the run's
/// length: as found in databases of current systems. What differs in a byte is read like any other archive.
pub(super) const FORMS: [(&[u8], &[&[u8]]); 2] = [
    (
        b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x19NSMutableAttributedString\x00\x84\x84\x12NSAttributedString\x00\
          \x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x0fNSMutableString\x01\x84\x84\x08NSString\x01\x95\x84\x01+",
        &[b"\x92\x84\x84\x84\x0cNSDictionary\x00\x95\x84\x01i\x01\x92\x84\x98\x98\x1d__kIMMessagePartAttributeName\x86\
            \x92\x84\x84\x84\x08NSNumber\x00\x84\x84\x07NSValue\x00\x95\x84\x01*\x84\x9b\x9b\x00\x86\x86\x86"],
    ),
    (
        b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\
          \x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+",
        &[
            b"\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x01\x92\x84\x96\x96\x1d__kIMMessagePartAttributeName\x86\
              \x92\x84\x84\x84\x08NSNumber\x00\x84\x84\x07NSValue\x00\x94\x84\x01*\x84\x99\x99\x00\x86\x86\x86",
            b"\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x02\x92\x84\x96\x96&__kIMBaseWritingDirectionAttributeName\x86\
              \x92\x84\x84\x84\x08NSNumber\x00\x84\x84\x07NSValue\x00\x94\x84\x01*\x84\x84\x01q\x9d\xff\x86\
              \x92\x84\x96\x96\x1d__kIMMessagePartAttributeName\x86\x92\x84\x9b\x9c\x9d\x9d\x00\x86\x86\x86",
        ],
    ),
];

/// Between the text and the run's length: the end of the string, and the run's number.
pub(super) const RUN: &[u8] = b"\x86\x84\x02iI\x01";

/// The text, where there is nothing else to be found.
pub(super) fn text(bytes: &[u8]) -> Option<&[u8]> {
    let (ends, rest) = FORMS.iter().find_map(|(start, ends)| Some((ends, bytes.strip_prefix(*start)?)))?;
    let (length, rest) = count(rest)?;
    let (text, rest) = rest.split_at_checked(length)?;
    let (_, rest) = count(rest.strip_prefix(RUN)?)?;
    ends.contains(&rest).then_some(text)
}

/// A number that is not negative, in one byte or two, and what follows it.
fn count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [count @ 0..=0x7f, rest @ ..] => Some((usize::from(*count), rest)),
        [0x81, low, high, rest @ ..] => Some((usize::from(u16::from_le_bytes([*low, *high])), rest)),
        _ => None,
    }
}
