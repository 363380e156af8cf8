//! The archive in `attributedBody`: one attributed string, that is, the text and what is marked in it.
//!
//! The members of an attributed string are its text, then runs of (number of a dictionary, length in UTF-16 units).
//! Each number is followed by its dictionary the first time it occurs. What has been found stays found when the rest of
//! the archive turns out to be damaged.

mod plain;
mod reader;

pub use reader::Problem;
use reader::{Class, Item, Order, Reader, Value};

/// What a message's archive tells about the message.
#[derive(Debug, Default)]
pub(super) struct Archive<'a> {
    /// The first string of the archive.
    pub text: Option<&'a [u8]>,
    /// The runs that carry one of the attributes we know, in text order.
    pub runs: Vec<Run<'a>>,
    pub problem: Option<Problem>,
}

/// A stretch of the text, in UTF-16 units.
#[derive(Clone, Debug)]
pub(super) struct Run<'a> {
    pub start: usize,
    pub end: usize,
    pub attributes: Attributes<'a>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes<'a> {
    pub mention: Option<&'a [u8]>,
    pub transfer_guid: Option<&'a [u8]>,
    pub transcription: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    fn is_empty(&self) -> bool {
        self.mention.is_none() && self.transfer_guid.is_none() && self.transcription.is_none()
    }

    fn set(&mut self, key: &[u8], value: &'a [u8]) {
        match key {
            b"__kIMMentionConfirmedMention" => self.mention = Some(value),
            b"__kIMFileTransferGUIDAttributeName" => self.transfer_guid = Some(value),
            b"IMAudioTranscription" => self.transcription = Some(value),
            _ => {}
        }
    }
}

/// True for what begins as an archive does, whether or not it can be read.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x04\x0b")
}

pub(super) fn read(bytes: &[u8]) -> Archive<'_> {
    match plain::text(bytes) {
        Some(text) => Archive { text: Some(text), ..Archive::default() },
        None => read_whole(bytes),
    }
}

fn read_whole(bytes: &[u8]) -> Archive<'_> {
    let Some(order) = Order::of(bytes) else {
        return Archive { problem: Some(Problem::Header), ..Archive::default() };
    };
    let mut reader = Reader::new(bytes, order);
    let problem = reader.archive().err();
    if reader.text.is_none() {
        reader.text = first_string(bytes, order);
    }
    Archive { text: reader.text, runs: reader.runs, problem }
}

/// The string after the first `+` type encoding, for archives whose beginning is damaged.
fn first_string(bytes: &[u8], order: Order) -> Option<&[u8]> {
    let encoding = bytes.windows(2).position(|pair| pair == b"\x01+")?;
    let mut reader = Reader::new(bytes, order);
    reader.at = encoding + 2;
    reader.counted_bytes().ok()
}

/// The members of an object, as far as its class makes them matter.
enum Members<'a> {
    Text(Option<&'a [u8]>),
    Dictionary { key: Option<Item<'a>>, found: Attributes<'a> },
    Runs(Runs),
    Other,
}

impl<'a> Members<'a> {
    fn of(class: Class) -> Members<'a> {
        match class {
            Class::String => Members::Text(None),
            Class::Dictionary => Members::Dictionary { key: None, found: Attributes::default() },
            Class::AttributedString => Members::Runs(Runs::default()),
            Class::Other => Members::Other,
        }
    }

    fn take(&mut self, value: Value<'a>, reader: &mut Reader<'a>, depth: usize) {
        match (self, value) {
            (Members::Text(text @ None), Value::Bytes(bytes)) => *text = Some(bytes),
            (Members::Dictionary { key, found }, Value::Object(item)) => match (key.take(), item) {
                (None, item) => *key = Some(item),
                (Some(Item::Text(key)), Item::Text(value)) => found.set(key, value),
                _ => {}
            },
            // An attributed string inside an attribute is not the message's text.
            (Members::Runs(runs), value) if depth == 1 => runs.take(value, reader),
            _ => {}
        }
    }
}

/// The state of reading an attributed string: number, length, and after a new number its dictionary.
#[derive(Default)]
struct Runs {
    /// Indices into `Reader::dictionaries`, in the order of the numbers that name them, which start at 1.
    known: Vec<Option<usize>>,
    number: Option<i64>,
    length: Option<usize>,
    position: usize,
}

impl Runs {
    fn take(&mut self, value: Value<'_>, reader: &mut Reader<'_>) {
        match value {
            Value::Integer(number) if self.number.is_none() => self.number = Some(number),
            Value::Integer(length) => {
                // A length is unsigned; as a single byte it may have its top bit set.
                let length = if (-128..0).contains(&length) { length + 256 } else { length };
                self.length = Some(usize::try_from(length).unwrap_or(0));
                let number = self.number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
                if let Some(dictionary) = number.checked_sub(1).and_then(|index| self.known.get(index)) {
                    self.finish(*dictionary, reader);
                }
            }
            Value::Object(item) if self.length.is_some() => {
                let dictionary = if let Item::Dictionary(index) = item { Some(index) } else { None };
                self.known.push(dictionary);
                self.finish(dictionary, reader);
            }
            _ => {}
        }
    }

    fn finish(&mut self, dictionary: Option<usize>, reader: &mut Reader<'_>) {
        let start = self.position;
        self.position = start.saturating_add(self.length.take().unwrap_or(0));
        self.number = None;
        if let Some(&attributes) = dictionary.and_then(|index| reader.dictionaries.get(index))
            && !attributes.is_empty()
        {
            reader.runs.push(Run { start, end: self.position, attributes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::writer::{self, Attribute};

    /// Both ways come to the same, and whether the short one was gone.
    fn is_plain(bytes: &[u8]) -> bool {
        let Some(text) = plain::text(bytes) else { return false };
        let whole = read_whole(bytes);
        assert_eq!((whole.text, whole.problem), (Some(text), None));
        assert!(whole.runs.is_empty());
        true
    }

    /// The plain archives of `text`.
    fn plain(text: &str) -> Vec<Vec<u8>> {
        let count = |count: usize| match u8::try_from(count) {
            Ok(count @ 0..0x80) => vec![count],
            _ => [&[0x81][..], &u16::try_from(count).unwrap().to_le_bytes()].concat(),
        };
        let (length, units) = (count(text.len()), count(text.encode_utf16().count()));
        let of = |start: &[u8], end: &[u8]| [start, &length, text.as_bytes(), plain::RUN, &units, end].concat();
        plain::FORMS.iter().flat_map(|(start, ends)| ends.iter().map(move |end| of(start, end))).collect()
    }

    #[test]
    fn text_and_nothing_else_is_known_by_its_bytes() {
        for length in [0, 1, 127, 128, 255, 256, 32_767, 65_535] {
            assert!(plain(&"A".repeat(length)).iter().all(|body| is_plain(body)), "{length}");
        }
        assert!(plain("👩‍👩‍👧‍👦 ❤️").iter().all(|body| is_plain(body)));
    }

    #[test]
    fn what_has_more_than_text_is_read_as_a_whole() {
        let part = ("__kIMMessagePartAttributeName", Attribute::Number(0));
        let mention = ("__kIMMentionConfirmedMention", Attribute::Text("ann@example.com"));
        for attributes in [&[mention][..], &[part, mention], &[(part.0, Attribute::Number(1))], &[]] {
            assert!(!is_plain(&writer::attributed("Ann", &[(3, attributes)])));
        }
        assert!(!is_plain(&writer::attributed("Ann and I", &[(3, &[part]), (6, &[part])])));
    }

    /// Whatever byte differs: nothing is taken for plain that is not.
    #[test]
    fn a_plain_archive_that_is_damaged_is_read_as_what_it_is() {
        for body in plain("Hello") {
            for at in 0..body.len() {
                assert!(!is_plain(&body[..at]));
                for bit in 0..8 {
                    let mut damaged = body.clone();
                    damaged[at] ^= 1 << bit;
                    is_plain(&damaged);
                }
            }
        }
    }
}
