//! The typedstream format, the NeXT serialization that `NSArchiver` writes.
//!
//! After a header, an archive is a sequence of groups: a type encoding (as Objective-C's `@encode` spells it), then a
//! value for each type in it. An object is its class, with all superclasses, then groups up to an end mark. Type
//! encodings and names are written once and afterwards named by number; so are objects, classes and C strings, in a
//! numbering of their own that counts them in the order in which they *begin*.
//!
//! Everything read is a slice of the input, and work and memory are bounded by its length.

use super::{Attributes, Members, Run};

/// The header up to the version of the writing system, which is an ordinary integer.
const LITTLE_ENDIAN: &[u8] = b"\x04\x0bstreamtyped";
const BIG_ENDIAN: &[u8] = b"\x04\x0btypedstream";

const INTEGER_2: u8 = 0x81;
const INTEGER_4: u8 = 0x82;
const FLOATING_POINT: u8 = 0x83;
const NEW: u8 = 0x84;
const NIL: u8 = 0x85;
const END_OF_OBJECT: u8 = 0x86;
/// Bytes from `INTEGER_2` to below this one are marks; every other byte is an integer by itself.
const FIRST_REFERENCE: u8 = 0x92;

/// Real archives nest three deep. The limit keeps a hostile one from exhausting the stack.
const MAX_DEPTH: usize = 32;
/// Of each of the two tables. A real archive of a long, fully styled message has some hundred entries.
const MAX_ENTRIES: usize = 1 << 16;

/// Why reading stopped before the end of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the archive has an unknown header")]
    Header,
    #[error("the archive ends in the middle of a value")]
    Truncated,
    #[error("the archive refers to something that it does not contain")]
    Reference,
    #[error("the archive contains a mark where a value should be")]
    Mark,
    #[error("the archive contains a value of an unknown type")]
    Type,
    #[error("the archive is nested too deeply or repeats itself too much")]
    Excessive,
}

#[derive(Clone, Copy)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// `None` for what is no archive.
    pub fn of(bytes: &[u8]) -> Option<Order> {
        [(LITTLE_ENDIAN, Order::Little), (BIG_ENDIAN, Order::Big)]
            .into_iter()
            .find_map(|(header, order)| bytes.starts_with(header).then_some(order))
    }
}

/// The classes whose contents are understood; all others are read over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Class {
    AttributedString,
    String,
    Dictionary,
    Other,
}

impl Class {
    fn named(name: &[u8]) -> Class {
        match name {
            b"NSAttributedString" => Class::AttributedString,
            b"NSString" => Class::String,
            b"NSDictionary" => Class::Dictionary,
            _ => Class::Other,
        }
    }
}

/// An entry of the table of objects, classes and C strings.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Class(Class),
    Text(&'a [u8]),
    /// A dictionary: an index into `Reader::dictionaries`.
    Dictionary(usize),
    Other,
}

pub(super) enum Value<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
    Object(Item<'a>),
    Other,
}

/// What stands where an object, class or string is expected.
enum Label {
    New,
    Nil,
    Known(usize),
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
    order: Order,
    strings: Vec<&'a [u8]>,
    items: Vec<Item<'a>>,
    pub dictionaries: Vec<Attributes<'a>>,
    /// Steps through type encodings that may still be taken. A short reference to a long encoding would otherwise make
    /// the work quadratic.
    fuel: usize,
    pub text: Option<&'a [u8]>,
    pub runs: Vec<Run<'a>>,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], order: Order) -> Reader<'a> {
        Reader {
            bytes,
            at: LITTLE_ENDIAN.len(),
            order,
            strings: Vec::with_capacity(16),
            items: Vec::with_capacity(24),
            dictionaries: Vec::new(),
            fuel: bytes.len().saturating_mul(4),
            text: None,
            runs: Vec::new(),
        }
    }

    pub fn archive(&mut self) -> Result<(), Problem> {
        let head = self.byte()?;
        self.integer(head)?;
        while self.at < self.bytes.len() {
            let types = self.shared_string()?;
            self.group(types, &mut Members::Other, 0)?;
        }
        Ok(())
    }

    fn group(&mut self, mut types: &'a [u8], members: &mut Members<'a>, depth: usize) -> Result<(), Problem> {
        while let Some((&encoding, rest)) = types.split_first() {
            self.burn(1)?;
            types = rest;
            let value = match encoding {
                b'@' => Value::Object(self.object(depth)?),
                b'+' => {
                    let bytes = self.counted_bytes()?;
                    self.text.get_or_insert(bytes);
                    Value::Bytes(bytes)
                }
                b'c' | b'C' | b'B' => Value::Integer(i64::from(self.byte()?)),
                b's' | b'S' | b'i' | b'I' | b'l' | b'L' | b'q' | b'Q' => {
                    let head = self.byte()?;
                    Value::Integer(self.integer(head)?)
                }
                b'f' => self.floating_point(4)?,
                b'd' => self.floating_point(8)?,
                b'*' => self.c_string()?,
                b'#' => self.class().map(|_| Value::Other)?,
                b'%' | b':' => self.shared_string().map(|_| Value::Other)?,
                b'[' => {
                    types = self.array(types, depth)?;
                    Value::Other
                }
                // The members of a structure follow each other as if it were not there.
                b'{' => {
                    let name = types.iter().position(|&byte| byte == b'=' || byte == b'}').ok_or(Problem::Type)?;
                    self.burn(name)?;
                    types = &types[name + usize::from(types[name] == b'=')..];
                    continue;
                }
                b'}' | b'!' => continue,
                _ => return Err(Problem::Type),
            };
            members.take(value, self, depth);
        }
        Ok(())
    }

    /// Reads an array whose encoding, after the `[`, starts `types`; returns the types after it.
    fn array(&mut self, types: &'a [u8], depth: usize) -> Result<&'a [u8], Problem> {
        let digits = types.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let count = types[..digits]
            .iter()
            .try_fold(0usize, |count, digit| count.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
        let count = count.filter(|&count| count <= self.bytes.len()).ok_or(Problem::Truncated)?;
        let mut open = 1usize;
        let length = types.iter().position(|byte| {
            open = match byte {
                b'[' => open + 1,
                b']' => open - 1,
                _ => open,
            };
            open == 0
        });
        let length = length.ok_or(Problem::Type)?;
        self.burn(length)?;
        let element = &types[digits..length];
        if matches!(element, b"c" | b"C") {
            self.take(count)?;
        } else {
            if depth >= MAX_DEPTH {
                return Err(Problem::Excessive);
            }
            for _ in 0..count {
                self.burn(1)?;
                self.group(element, &mut Members::Other, depth + 1)?;
            }
        }
        Ok(&types[length + 1..])
    }

    fn object(&mut self, depth: usize) -> Result<Item<'a>, Problem> {
        match self.label()? {
            Label::Nil => Ok(Item::Other),
            Label::Known(number) => self.items.get(number).copied().ok_or(Problem::Reference),
            Label::New if depth >= MAX_DEPTH => Err(Problem::Excessive),
            Label::New => {
                let number = self.number(Item::Other)?;
                let class = self.class()?;
                let item = self.members(class, depth + 1)?;
                self.items[number] = item;
                Ok(item)
            }
        }
    }

    fn members(&mut self, class: Class, depth: usize) -> Result<Item<'a>, Problem> {
        let mut members = Members::of(class);
        loop {
            let head = self.byte()?;
            if head == END_OF_OBJECT {
                break;
            }
            let types = self.shared_string_after(head)?;
            self.group(types, &mut members, depth)?;
        }
        Ok(match members {
            Members::Text(Some(text)) => Item::Text(text),
            Members::Dictionary { found, .. } => {
                self.dictionaries.push(found);
                Item::Dictionary(self.dictionaries.len() - 1)
            }
            _ => Item::Other,
        })
    }

    /// Reads a class with its superclasses. It is what the nearest of them that we know is.
    fn class(&mut self) -> Result<Class, Problem> {
        let first = self.items.len();
        let mut class = loop {
            match self.label()? {
                Label::Nil => break Class::Other,
                Label::Known(number) => match self.items.get(number) {
                    Some(Item::Class(class)) => break *class,
                    _ => return Err(Problem::Reference),
                },
                Label::New => {
                    let name = self.shared_string()?;
                    self.number(Item::Class(Class::named(name)))?;
                    let version = self.byte()?;
                    self.integer(version)?;
                }
            }
        };
        for item in self.items[first..].iter_mut().rev() {
            match item {
                Item::Class(own) if *own == Class::Other => *own = class,
                Item::Class(own) => class = *own,
                _ => {}
            }
        }
        Ok(class)
    }

    fn c_string(&mut self) -> Result<Value<'a>, Problem> {
        if let Label::New = self.label()? {
            self.number(Item::Other)?;
            self.shared_string()?;
        }
        Ok(Value::Other)
    }

    fn shared_string(&mut self) -> Result<&'a [u8], Problem> {
        let head = self.byte()?;
        self.shared_string_after(head)
    }

    fn shared_string_after(&mut self, head: u8) -> Result<&'a [u8], Problem> {
        match self.label_after(head)? {
            Label::Nil => Ok(&[]),
            Label::Known(number) => self.strings.get(number).copied().ok_or(Problem::Reference),
            Label::New if self.strings.len() >= MAX_ENTRIES => Err(Problem::Excessive),
            Label::New => {
                let string = self.counted_bytes()?;
                self.strings.push(string);
                Ok(string)
            }
        }
    }

    fn number(&mut self, item: Item<'a>) -> Result<usize, Problem> {
        if self.items.len() >= MAX_ENTRIES {
            return Err(Problem::Excessive);
        }
        self.items.push(item);
        Ok(self.items.len() - 1)
    }

    fn label(&mut self) -> Result<Label, Problem> {
        let head = self.byte()?;
        self.label_after(head)
    }

    fn label_after(&mut self, head: u8) -> Result<Label, Problem> {
        match head {
            NEW => Ok(Label::New),
            NIL => Ok(Label::Nil),
            _ => {
                let first = i64::from(FIRST_REFERENCE.cast_signed());
                let number = self.integer(head)? - first;
                usize::try_from(number).map(Label::Known).map_err(|_| Problem::Reference)
            }
        }
    }

    pub fn counted_bytes(&mut self) -> Result<&'a [u8], Problem> {
        let count = match self.byte()? {
            // A count is unsigned, whatever its width.
            INTEGER_2 => self.wide(2)?,
            INTEGER_4 => self.wide(4)?,
            0x80..FIRST_REFERENCE => return Err(Problem::Mark),
            count => u32::from(count),
        };
        self.take(count as usize)
    }

    fn integer(&mut self, head: u8) -> Result<i64, Problem> {
        match head {
            INTEGER_2 => Ok(i64::from(self.wide(2)?.cast_signed() as i16)),
            INTEGER_4 => Ok(i64::from(self.wide(4)?.cast_signed())),
            0x80..FIRST_REFERENCE => Err(Problem::Mark),
            small => Ok(i64::from(small.cast_signed())),
        }
    }

    fn floating_point(&mut self, width: usize) -> Result<Value<'a>, Problem> {
        match self.byte()? {
            FLOATING_POINT => self.take(width)?,
            // A whole number is written as an integer.
            head => self.integer(head).map(|_| &[][..])?,
        };
        Ok(Value::Other)
    }

    fn wide(&mut self, width: usize) -> Result<u32, Problem> {
        let order = self.order;
        let bytes = self.take(width)?;
        let join = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        Ok(match order {
            Order::Big => bytes.iter().fold(0, join),
            Order::Little => bytes.iter().rev().fold(0, join),
        })
    }

    fn byte(&mut self) -> Result<u8, Problem> {
        let byte = *self.bytes.get(self.at).ok_or(Problem::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let end = self.at.checked_add(count).ok_or(Problem::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Problem::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    fn burn(&mut self, steps: usize) -> Result<(), Problem> {
        self.fuel = self.fuel.checked_sub(steps).ok_or(Problem::Excessive)?;
        Ok(())
    }
}
