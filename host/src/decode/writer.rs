//! Writes the archives that tests read, the way NSArchiver does: everything that repeats becomes a reference.

/// A value in the dictionary of a run.
#[derive(Clone, Copy)]
pub enum Attribute<'a> {
    Text(&'a str),
    Number(i32),
    Data(&'a [u8]),
}

/// The archive of an attributed string with `runs` of UTF-16 length and attributes.
pub fn attributed(text: &str, runs: &[(usize, &[(&str, Attribute<'_>)])]) -> Vec<u8> {
    Writer::new(false).attributed(text, runs)
}

/// As [`attributed`], in the byte order of the machines before Intel.
pub fn attributed_big_endian(text: &str, runs: &[(usize, &[(&str, Attribute<'_>)])]) -> Vec<u8> {
    Writer::new(true).attributed(text, runs)
}

/// The body of a message of one part without attachments.
pub fn plain(text: &str) -> Vec<u8> {
    attributed(text, &[(text.encode_utf16().count(), &[("__kIMMessagePartAttributeName", Attribute::Number(0))])])
}

pub struct Writer {
    pub bytes: Vec<u8>,
    big_endian: bool,
    strings: Vec<Vec<u8>>,
    /// Names of classes; other objects are empty.
    items: Vec<&'static str>,
}

impl Writer {
    pub fn new(big_endian: bool) -> Writer {
        let name: &[u8] = if big_endian { b"\x04\x0btypedstream" } else { b"\x04\x0bstreamtyped" };
        let mut writer = Writer { bytes: name.to_vec(), big_endian, strings: Vec::new(), items: Vec::new() };
        writer.integer(1000);
        writer
    }

    pub fn attributed(mut self, text: &str, runs: &[(usize, &[(&str, Attribute<'_>)])]) -> Vec<u8> {
        self.shared(b"@");
        self.begin(&["NSMutableAttributedString", "NSAttributedString", "NSObject"]);
        self.shared(b"@");
        self.begin(&["NSMutableString", "NSString", "NSObject"]);
        self.string_contents(text);
        let mut known: Vec<&[(&str, Attribute<'_>)]> = Vec::new();
        for (length, attributes) in runs {
            self.shared(b"iI");
            let number = known.iter().position(|known| std::ptr::eq(*known, *attributes));
            self.integer(number.unwrap_or(known.len()) as i32 + 1);
            self.integer(*length as i32);
            if number.is_none() {
                known.push(attributes);
                self.dictionary(attributes);
            }
        }
        self.end();
        self.bytes
    }

    fn dictionary(&mut self, attributes: &[(&str, Attribute<'_>)]) {
        self.shared(b"@");
        self.begin(&["NSDictionary", "NSObject"]);
        self.shared(b"i");
        self.integer(attributes.len() as i32);
        for (key, value) in attributes {
            self.string(key);
            match value {
                Attribute::Text(text) => self.string(text),
                Attribute::Number(number) => self.number(*number),
                Attribute::Data(data) => self.data(data),
            }
        }
        self.end();
    }

    pub fn string(&mut self, text: &str) {
        self.shared(b"@");
        self.begin(&["NSString", "NSObject"]);
        self.string_contents(text);
    }

    fn string_contents(&mut self, text: &str) {
        self.shared(b"+");
        self.count(text.len());
        self.bytes.extend(text.as_bytes());
        self.end();
    }

    fn number(&mut self, number: i32) {
        self.shared(b"@");
        self.begin(&["NSNumber", "NSValue", "NSObject"]);
        self.shared(b"*");
        self.bytes.push(0x84);
        self.items.push("");
        self.shared(b"i");
        self.shared(b"i");
        self.integer(number);
        self.end();
    }

    fn data(&mut self, data: &[u8]) {
        self.shared(b"@");
        self.begin(&["NSData", "NSObject"]);
        self.shared(b"i");
        self.integer(data.len() as i32);
        self.shared(format!("[{}c]", data.len()).as_bytes());
        self.bytes.extend(data);
        self.end();
    }

    /// Starts an object of the first of `classes`, each followed by its superclass.
    pub fn begin(&mut self, classes: &[&'static str]) {
        self.bytes.push(0x84);
        self.items.push("");
        for class in classes {
            if let Some(known) = self.items.iter().position(|item| item == class) {
                return self.reference(known);
            }
            self.bytes.push(0x84);
            self.items.push(class);
            self.shared(class.as_bytes());
            self.integer(0);
        }
        self.bytes.push(0x85);
    }

    pub fn end(&mut self) {
        self.bytes.push(0x86);
    }

    pub fn shared(&mut self, string: &[u8]) {
        if let Some(known) = self.strings.iter().position(|known| known == string) {
            return self.reference(known);
        }
        self.strings.push(string.to_vec());
        self.bytes.push(0x84);
        self.count(string.len());
        self.bytes.extend(string);
    }

    pub fn reference(&mut self, number: usize) {
        self.integer(number as i32 - 110);
    }

    pub fn integer(&mut self, value: i32) {
        match value {
            -110..=127 => self.bytes.push(value as i8 as u8),
            _ if i16::try_from(value).is_ok() => self.wide(0x81, &(value as i16).to_be_bytes()),
            _ => self.wide(0x82, &value.to_be_bytes()),
        }
    }

    fn count(&mut self, count: usize) {
        match count {
            0..=0x7F => self.bytes.push(count as u8),
            0x80..=0xFFFF => self.wide(0x81, &(count as u16).to_be_bytes()),
            _ => self.wide(0x82, &(count as u32).to_be_bytes()),
        }
    }

    fn wide(&mut self, mark: u8, big_endian: &[u8]) {
        self.bytes.push(mark);
        if self.big_endian {
            self.bytes.extend(big_endian);
        } else {
            self.bytes.extend(big_endian.iter().rev());
        }
    }
}
