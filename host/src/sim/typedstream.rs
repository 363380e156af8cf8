//! Writes an `NSMutableAttributedString` in the typedstream format, laid out as macOS lays out `attributedBody`.
//!
//! A typedstream never writes a type string, class or object twice: the second time it writes a reference, which is
//! the position in one of two tables (type strings; classes and objects) plus 0x92. So the order in which things
//! first appear is part of the format, and this encoder keeps to the order that macOS has.

/// Which part of a message a run belongs to: text, then an attachment, then text are parts 0, 1 and 2.
pub const MESSAGE_PART: &str = "__kIMMessagePartAttributeName";
/// On the run that shows a mentioned person's name: that person's address.
pub const MENTION: &str = "__kIMMentionConfirmedMention";
/// On the U+FFFC that stands for an attachment: `attachment.guid`.
pub const FILE_TRANSFER: &str = "__kIMFileTransferGUIDAttributeName";
/// On the U+FFFC that stands for a voice message: what was said.
pub const TRANSCRIPTION: &str = "IMAudioTranscription";

/// A stretch of text whose characters have the same attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    pub text: &'a str,
    pub attributes: Vec<(&'static str, Value<'a>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(i32),
    Text(&'a str),
}

/// The bytes of a body made of `runs`.
pub fn encode(runs: &[Run<'_>]) -> Vec<u8> {
    let text: String = runs.iter().map(|run| run.text).collect();
    let mut archive = Archive::start(text.len());
    archive.type_string("@");
    archive.begin(&[("NSMutableAttributedString", 0), ("NSAttributedString", 0), ("NSObject", 0)]);
    archive.type_string("@");
    archive.begin(&[("NSMutableString", 1), ("NSString", 1), ("NSObject", 0)]);
    archive.type_string("+");
    archive.text(&text);
    archive.end();

    let mut attribute_sets: Vec<&[(&str, Value<'_>)]> = Vec::new();
    for run in runs.iter().filter(|run| !run.text.is_empty()) {
        let known = attribute_sets.iter().position(|set| *set == run.attributes);
        let set = known.unwrap_or(attribute_sets.len());
        archive.type_string("iI");
        archive.integer(set as i64 + 1);
        archive.integer(run.text.encode_utf16().count() as i64);
        if known.is_none() {
            attribute_sets.push(&run.attributes);
            archive.type_string("@");
            archive.dictionary(&run.attributes);
        }
    }
    archive.end();
    archive.bytes
}

const INTEGER_16: u8 = 0x81;
const INTEGER_32: u8 = 0x82;
const NEW: u8 = 0x84;
const NIL: u8 = 0x85;
const END: u8 = 0x86;
/// References start here, as bytes below are the tags above; read as a signed number, it is -110.
const FIRST_REFERENCE: i64 = -110;

struct Archive<'a> {
    bytes: Vec<u8>,
    type_strings: Vec<&'static str>,
    objects: Vec<Object<'a>>,
}

/// What a position in the table of classes and objects stands for.
#[derive(PartialEq)]
enum Object<'a> {
    Class(&'static str),
    Shared(Value<'a>),
    /// The C string in which an `NSNumber` says what type of number it holds.
    NumberType,
    Unshared,
}

impl<'a> Archive<'a> {
    fn start(text_length: usize) -> Self {
        let mut bytes = Vec::with_capacity(text_length + 256);
        // Version 4, the signature as its length says, and the system version 1000, little-endian.
        bytes.extend_from_slice(b"\x04\x0bstreamtyped\x81\xe8\x03");
        Archive { bytes, type_strings: Vec::new(), objects: Vec::new() }
    }

    fn dictionary(&mut self, entries: &[(&'static str, Value<'a>)]) {
        self.begin(&[("NSDictionary", 0), ("NSObject", 0)]);
        self.type_string("i");
        self.integer(entries.len() as i64);
        for (key, value) in entries {
            self.value(Value::Text(key));
            self.value(*value);
        }
        self.end();
    }

    /// An `NSString` or `NSNumber`; equal ones are the same object, as they mostly are in Messages.
    fn value(&mut self, value: Value<'a>) {
        self.type_string("@");
        if self.refer_to_object(&Object::Shared(value)) {
            return;
        }
        match value {
            Value::Text(text) => {
                self.begin_shared(&[("NSString", 1), ("NSObject", 0)], value);
                self.type_string("+");
                self.text(text);
            }
            Value::Number(number) => {
                self.begin_shared(&[("NSNumber", 0), ("NSValue", 0), ("NSObject", 0)], value);
                self.type_string("*");
                if !self.refer_to_object(&Object::NumberType) {
                    self.bytes.push(NEW);
                    self.objects.push(Object::NumberType);
                    self.type_string("i");
                }
                self.type_string("i");
                self.integer(i64::from(number));
            }
        }
        self.end();
    }

    fn begin(&mut self, class: &[(&'static str, u8)]) {
        self.bytes.push(NEW);
        self.objects.push(Object::Unshared);
        self.class(class);
    }

    fn begin_shared(&mut self, class: &[(&'static str, u8)], value: Value<'a>) {
        self.bytes.push(NEW);
        self.objects.push(Object::Shared(value));
        self.class(class);
    }

    /// A class with its version, followed by its superclasses down to the first that is known already.
    fn class(&mut self, class: &[(&'static str, u8)]) {
        for (name, version) in class {
            if self.refer_to_object(&Object::Class(name)) {
                return;
            }
            self.bytes.push(NEW);
            self.objects.push(Object::Class(name));
            self.type_string(name);
            self.bytes.push(*version);
        }
        self.bytes.push(NIL);
    }

    fn end(&mut self) {
        self.bytes.push(END);
    }

    fn type_string(&mut self, string: &'static str) {
        match self.type_strings.iter().position(|known| *known == string) {
            Some(position) => self.reference(position),
            None => {
                self.type_strings.push(string);
                self.bytes.push(NEW);
                self.text(string);
            }
        }
    }

    fn refer_to_object(&mut self, object: &Object<'a>) -> bool {
        let position = self.objects.iter().position(|known| known == object);
        if let Some(position) = position {
            self.reference(position);
        }
        position.is_some()
    }

    fn reference(&mut self, position: usize) {
        self.integer(position as i64 + FIRST_REFERENCE);
    }

    fn text(&mut self, text: &str) {
        self.integer(text.len() as i64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// One byte where that cannot be taken for a tag; else two or four, little-endian. Lengths use all their bits.
    fn integer(&mut self, value: i64) {
        match value {
            FIRST_REFERENCE..=0x7f => self.bytes.push(value as u8),
            -0x8000..=0xffff => {
                self.bytes.push(INTEGER_16);
                self.bytes.extend_from_slice(&(value as u16).to_le_bytes());
            }
            _ => {
                self.bytes.push(INTEGER_32);
                self.bytes.extend_from_slice(&(value as u32).to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<u8> {
        encode(&[Run { text, attributes: vec![(MESSAGE_PART, Value::Number(0))] }])
    }

    /// Where the text's length stands: after the header, three classes of the attributed and two of the plain string.
    const LENGTH_AT: usize = 121;

    #[test]
    fn a_plain_body_has_the_bytes_that_macos_writes() {
        let mut expected = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@".to_vec();
        expected.extend_from_slice(b"\x84\x84\x84\x19NSMutableAttributedString\x00\x84\x84\x12NSAttributedString\x00");
        expected.extend_from_slice(b"\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x0fNSMutableString\x01");
        expected.extend_from_slice(b"\x84\x84\x08NSString\x01\x95\x84\x01+\x02Hi\x86\x84\x02iI\x01\x02\x92");
        expected.extend_from_slice(b"\x84\x84\x84\x0cNSDictionary\x00\x95\x84\x01i\x01\x92\x84\x98\x98\x1d");
        expected.extend_from_slice(b"__kIMMessagePartAttributeName\x86\x92\x84\x84\x84\x08NSNumber\x00");
        expected.extend_from_slice(b"\x84\x84\x07NSValue\x00\x95\x84\x01*\x84\x9b\x9b\x00\x86\x86\x86");
        assert_eq!(plain("Hi"), expected);
    }

    #[test]
    fn lengths_take_one_two_or_four_bytes_after_their_tag() {
        assert_eq!(plain(&"a".repeat(0x7f))[LENGTH_AT], 0x7f);
        assert_eq!(plain(&"a".repeat(0x80))[LENGTH_AT..][..3], [0x81, 0x80, 0x00]);
        assert_eq!(plain(&"a".repeat(0xffff))[LENGTH_AT..][..3], [0x81, 0xff, 0xff]);
        assert_eq!(plain(&"a".repeat(0x10000))[LENGTH_AT..][..5], [0x82, 0x00, 0x00, 0x01, 0x00]);
    }

    #[test]
    fn a_run_with_known_attributes_is_written_as_a_reference() {
        let part = (MESSAGE_PART, Value::Number(0));
        let bytes = encode(&[
            Run { text: "Ask ", attributes: vec![part] },
            Run { text: "Ada", attributes: vec![(MENTION, Value::Text("+15550100001")), part] },
            Run { text: "!", attributes: vec![part] },
        ]);
        // Run 1 again, one character long, then the end of the object: no dictionary.
        assert!(bytes.ends_with(b"\x99\x01\x01\x86"), "{bytes:02x?}");
    }

    #[test]
    fn run_lengths_count_utf16_units() {
        let bytes = plain("a👍");
        let run = bytes.windows(5).position(|window| window == b"\x84\x02iI\x01");
        assert_eq!(run.map(|at| bytes[at + 5]), Some(3));
    }
}
