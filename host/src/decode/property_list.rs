//! Binary property lists, as columns of chat.db and the messages of apps have them.
//!
//! What a stranger sends stands in some of them, and a few bytes can refer to one value so often that no memory holds
//! the result. So values, depth and copies are bounded here; the `plist` crate, which writes the lists of the
//! simulation, bounds none of them.

use std::borrow::Cow;

const MAGIC: &[u8] = b"bplist00";
const TRAILER: usize = 32;

/// Real lists of messages are below a tenth of this. Messages sends what is larger as an attachment.
const MAX_BYTES: usize = 512 << 10;
/// Real lists nest less than ten deep.
const MAX_DEPTH: usize = 32;
/// Bytes of text that a copy of costs as much as a value.
const BYTES_PER_VALUE: usize = 64;

/// A value, which borrows from the list where it can.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Array(Vec<Value<'a>>),
    /// In the order of the list; a key may repeat.
    Dictionary(Vec<(Cow<'a, str>, Value<'a>)>),
    Text(Cow<'a, str>),
    Data(&'a [u8]),
    Integer(i64),
    Real(f64),
    Boolean(bool),
    /// A place in `$objects` of a keyed archive.
    Reference(usize),
}

impl<'a> Value<'a> {
    /// The first value of `key` in a dictionary.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Value::Dictionary(entries) = self else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub fn array(&self) -> Option<&[Value<'a>]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    pub fn integer(&self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(*number) } else { None }
    }
}

/// How many values may still be read. One for all lists that are found inside of each other.
#[derive(Debug)]
pub struct Fuel(usize);

impl Default for Fuel {
    fn default() -> Fuel {
        Fuel(20_000)
    }
}

impl Fuel {
    /// None where less is left than `values`.
    pub fn spend(&mut self, values: usize) -> Option<()> {
        self.0 = self.0.checked_sub(values)?;
        Some(())
    }
}

/// The value of a whole list. None for what is no list, is damaged, or is larger than the limits allow.
pub fn read<'a>(bytes: &'a [u8], fuel: &mut Fuel) -> Option<Value<'a>> {
    if bytes.len() > MAX_BYTES || !bytes.starts_with(MAGIC) {
        return None;
    }
    let body = bytes.get(..bytes.len().checked_sub(TRAILER)?)?;
    let trailer = &bytes[body.len()..];
    let (offset_size, reference_size) = (usize::from(trailer[6]), usize::from(trailer[7]));
    let count = size(&trailer[8..16])?;
    let root = size(&trailer[16..24])?;
    let table = size(&trailer[24..32])?;
    let offsets = slice(body, table, count.checked_mul(offset_size)?)?;
    if !(1..=8).contains(&offset_size) || !(1..=8).contains(&reference_size) {
        return None;
    }
    Reader { body, offsets, offset_size, reference_size, fuel }.value(root, MAX_DEPTH)
}

struct Reader<'a, 'fuel> {
    /// All but the trailer.
    body: &'a [u8],
    offsets: &'a [u8],
    offset_size: usize,
    reference_size: usize,
    fuel: &'fuel mut Fuel,
}

impl<'a> Reader<'a, '_> {
    fn value(&mut self, object: usize, depth: usize) -> Option<Value<'a>> {
        let depth = depth.checked_sub(1)?;
        self.fuel.spend(1)?;
        let offset = size(slice(self.offsets, object.checked_mul(self.offset_size)?, self.offset_size)?)?;
        let (mark, low) = (*self.body.get(offset)? >> 4, *self.body.get(offset)? & 0xF);
        let at = offset + 1;
        match (mark, low) {
            (0x0, 0x8) => Some(Value::Boolean(false)),
            (0x0, 0x9) => Some(Value::Boolean(true)),
            (0x1, 0..=4) => integer(slice(self.body, at, 1 << low)?).map(Value::Integer),
            (0x2, 2) => Some(Value::Real(f32::from_be_bytes(*slice(self.body, at, 4)?.first_chunk()?).into())),
            (0x2 | 0x3, 3) => Some(Value::Real(f64::from_be_bytes(*slice(self.body, at, 8)?.first_chunk()?))),
            (0x8, 0..=7) => size(slice(self.body, at, usize::from(low) + 1)?).map(Value::Reference),
            (0x4..=0x6 | 0xA | 0xD, _) => {
                let (length, at) = self.length(low, at)?;
                self.sized(mark, length, at, depth)
            }
            _ => None,
        }
    }

    fn sized(&mut self, mark: u8, length: usize, at: usize, depth: usize) -> Option<Value<'a>> {
        match mark {
            0x4 => Some(Value::Data(slice(self.body, at, length)?)),
            0x5 => {
                let bytes = slice(self.body, at, length)?;
                // Meant for ASCII only, but some writers put UTF-8 there.
                Some(Value::Text(Cow::Borrowed(std::str::from_utf8(bytes).ok()?)))
            }
            0x6 => {
                let (units, _) = slice(self.body, at, length.checked_mul(2)?)?.as_chunks::<2>();
                self.fuel.spend(length / BYTES_PER_VALUE)?;
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
                Some(Value::Text(Cow::Owned(text)))
            }
            0xA => self
                .references(at, length)?
                .map(|object| self.value(object?, depth))
                .collect::<Option<_>>()
                .map(Value::Array),
            _ => self.dictionary(at, length, depth),
        }
    }

    fn dictionary(&mut self, at: usize, length: usize, depth: usize) -> Option<Value<'a>> {
        let keys = self.references(at, length)?;
        let values = self.references(at + length * self.reference_size, length)?;
        let mut entries = Vec::new();
        for (key, value) in keys.zip(values) {
            let Value::Text(key) = self.value(key?, depth)? else { return None };
            entries.push((key, self.value(value?, depth)?));
        }
        Some(Value::Dictionary(entries))
    }

    /// The `length` references at `at`, each None where it is none.
    fn references(&self, at: usize, length: usize) -> Option<impl Iterator<Item = Option<usize>> + use<'a>> {
        let bytes = slice(self.body, at, length.checked_mul(self.reference_size)?)?;
        Some(bytes.chunks_exact(self.reference_size).map(size))
    }

    /// The length of a value, and where the value begins.
    fn length(&self, low: u8, at: usize) -> Option<(usize, usize)> {
        if low != 0xF {
            return Some((usize::from(low), at));
        }
        let mark = *self.body.get(at)?;
        let width = 1_usize << (mark & 0xF).min(4);
        let length = size(slice(self.body, at + 1, width)?)?;
        (mark >> 4 == 0x1).then_some((length, at + 1 + width))
    }
}

fn slice(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// An unsigned number of at most eight bytes, the highest first.
fn size(bytes: &[u8]) -> Option<usize> {
    if bytes.len() > 8 {
        return None;
    }
    usize::try_from(bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))).ok()
}

/// Numbers of up to four bytes are unsigned. Those of sixteen hold what needs 64 bits without a sign.
fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        8 => Some(i64::from_be_bytes(*bytes.first_chunk()?)),
        16 => i64::try_from(i128::from_be_bytes(*bytes.first_chunk()?)).ok(),
        _ => i64::try_from(size(bytes)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &plist::Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.to_writer_binary(&mut bytes).unwrap();
        bytes
    }

    fn list(bytes: &[u8]) -> Option<Value<'_>> {
        read(bytes, &mut Fuel::default())
    }

    /// A list of these objects, whose first is its value, with offsets of two bytes and references of one.
    fn assembled(objects: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut offsets = Vec::new();
        for object in objects {
            offsets.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
            bytes.extend(*object);
        }
        let table = bytes.len() as u64;
        bytes.extend(offsets);
        bytes.extend([0, 0, 0, 0, 0, 0, 2, 1]);
        for number in [objects.len() as u64, 0, table] {
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn every_kind_of_value_is_read_as_it_was_written() {
        let mut inner = plist::Dictionary::new();
        inner.insert("größe".to_owned(), plist::Value::from("日本"));
        let value = plist::Value::Array(vec![
            plist::Value::from(7),
            plist::Value::from(-7_i64),
            plist::Value::from(300_000_000_000_i64),
            plist::Value::from(0.5),
            plist::Value::from(true),
            plist::Value::Data(vec![1; 300]),
            plist::Value::from("a".repeat(20)),
            plist::Value::Uid(plist::Uid::new(5)),
            plist::Value::Dictionary(inner),
        ]);
        let bytes = written(&value);
        let text = |text: &str| Value::Text(Cow::Owned(text.to_owned()));
        let expected = Value::Array(vec![
            Value::Integer(7),
            Value::Integer(-7),
            Value::Integer(300_000_000_000),
            Value::Real(0.5),
            Value::Boolean(true),
            Value::Data(&[1; 300]),
            text(&"a".repeat(20)),
            Value::Reference(5),
            Value::Dictionary(vec![(Cow::Borrowed("größe"), text("日本"))]),
        ]);
        assert_eq!(list(&bytes), Some(expected));
    }

    #[test]
    fn what_is_no_list_is_nothing() {
        for bytes in [b"".as_slice(), b"bplist00", b"<?xml version=\"1.0\"?><plist/>", &[0; 40]] {
            assert_eq!(list(bytes), None);
        }
    }

    #[test]
    fn a_list_that_is_cut_or_changed_anywhere_is_read_or_refused_but_never_trips() {
        let mut inner = plist::Dictionary::new();
        inner.insert("key".to_owned(), plist::Value::Array(vec![plist::Value::from("日本"), plist::Value::from(1.5)]));
        let whole = written(&plist::Value::Dictionary(inner));
        for length in 0..whole.len() {
            let _ = list(&whole[..length]);
            for byte in [0, 0x0F, 0x5F, 0xA1, 0xD1, 0xFF] {
                let mut changed = whole.clone();
                changed[length] = byte;
                let _ = list(&changed);
            }
        }
    }

    #[test]
    fn a_list_inside_itself_is_refused() {
        assert_eq!(list(&assembled(&[&[0xA1, 0]])), None);
    }

    #[test]
    fn few_bytes_that_mean_many_values_are_refused() {
        // Forty lists, each of which has the next one twice.
        let doubling: Vec<[u8; 3]> = (1..=30).map(|next| [0xA2, next, next]).collect();
        let mut objects: Vec<&[u8]> = doubling.iter().map(<[u8; 3]>::as_slice).collect();
        objects.push(b"\x08");
        assert_eq!(list(&assembled(&objects)), None);
    }

    #[test]
    fn a_long_text_cannot_be_copied_often() {
        let text = [[0x6F, 0x11, 0x40, 0x00].as_slice(), &[0x65; 0x8000]].concat();
        let array = [[0xAF, 0x10, 100].as_slice(), &[1; 100]].concat();
        assert_eq!(list(&assembled(&[&array, &text])), None);
        assert!(list(&assembled(&[&[0xA2, 1, 1], &text])).is_some());
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested: Vec<[u8; 2]> = (1..=100).map(|next| [0xA1, next]).collect();
        let mut objects: Vec<&[u8]> = nested.iter().map(<[u8; 2]>::as_slice).collect();
        objects.push(b"\x08");
        assert_eq!(list(&assembled(&objects)), None);
        assert!(list(&assembled(&objects[90..].iter().map(|_| b"\x08".as_slice()).collect::<Vec<_>>())).is_some());
    }
}
