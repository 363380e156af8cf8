//! Addresses in the one spelling in which they are compared: E.164 numbers and lower-case e-mail addresses.

use std::collections::HashMap;

use parking_lot::Mutex;
use phonenumber::{Mode, country};

/// How many answers are remembered: parsing a number costs more than all else that is done to a message.
const REMEMBERED: usize = 4096;

/// Fewer digits than this are a short code, which is no number of a person and has no E.164 form.
const SHORT_CODE_DIGITS: usize = 7;

/// E.164 allows at most fifteen digits.
const E164_DIGITS: usize = 15;

/// Normalizes addresses for one region, and remembers what it was asked.
pub struct Normalizer {
    region: country::Id,
    known: Mutex<HashMap<Box<str>, Option<Box<str>>>>,
}

impl Normalizer {
    /// `region` is an ISO 3166 code such as `US`: what a number without a country code is read as.
    pub fn new(region: &str) -> Option<Normalizer> {
        let region = region.to_ascii_uppercase().parse().ok()?;
        Some(Normalizer { region, known: Mutex::default() })
    }

    /// The E.164 number or lower-case e-mail address that `raw` spells; `None` where it is neither.
    pub fn normalize(&self, raw: &str) -> Option<String> {
        if let Some(answer) = self.known.lock().get(raw) {
            return answer.as_deref().map(str::to_owned);
        }
        let answer = normalize(raw, self.region);
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(raw.into(), answer.as_deref().map(Box::from));
        answer
    }

    /// Like [`normalize`](Self::normalize), but an address that is neither keeps its own spelling, in lower case, so
    /// that a business sender or short code can still be told from another.
    pub fn comparable(&self, raw: &str) -> String {
        self.normalize(raw).unwrap_or_else(|| raw.trim().to_lowercase())
    }
}

/// What stands before an address in some spellings, and is no part of it.
const PREFIXES: [&str; 6] = ["imessage:", "sms:", "rcs:", "auto:", "tel:", "mailto:"];

/// `raw` without `imessage:` and the like in front.
pub fn without_prefix(raw: &str) -> &str {
    let raw = raw.trim();
    PREFIXES
        .iter()
        .find_map(|prefix| raw.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)))
        .map_or(raw, |head| raw[head.len()..].trim())
}

fn normalize(raw: &str, region: country::Id) -> Option<String> {
    let raw = without_prefix(raw);
    if let Some((local, domain)) = raw.split_once('@') {
        let is_address = !local.is_empty() && domain.contains('.') && !raw.contains(char::is_whitespace);
        return is_address.then(|| raw.to_lowercase());
    }
    if !raw.chars().all(|c| c.is_ascii_digit() || "+-(). \u{a0}/".contains(c)) {
        return None;
    }
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    if !(SHORT_CODE_DIGITS..=E164_DIGITS).contains(&digits.len()) {
        return None;
    }
    if raw.starts_with('+') && !raw.contains('(') {
        return Some(format!("+{digits}"));
    }
    let number = phonenumber::parse(Some(region), raw).ok()?;
    Some(number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_digits_not_by_punctuation() {
        let normalizer = Normalizer::new("us").unwrap();
        for raw in ["+1 650-253-0000", "(650) 253-0000", "650.253.0000", "imessage:+16502530000", "tel:6502530000"] {
            assert_eq!(normalizer.normalize(raw).as_deref(), Some("+16502530000"), "{raw}");
        }
    }

    #[test]
    fn a_region_reads_national_numbers() {
        let normalizer = Normalizer::new("GB").unwrap();
        assert_eq!(normalizer.normalize("07700 900000").as_deref(), Some("+447700900000"));
        assert_eq!(normalizer.normalize("+44 (0)7700 900000").as_deref(), Some("+447700900000"));
    }

    #[test]
    fn mail_addresses_are_lower_case() {
        let normalizer = Normalizer::new("US").unwrap();
        assert_eq!(normalizer.normalize(" Ann@Example.COM").as_deref(), Some("ann@example.com"));
    }

    #[test]
    fn short_codes_names_and_nonsense_are_no_addresses() {
        let normalizer = Normalizer::new("US").unwrap();
        for raw in ["", "262966", "urn:biz:1234", "Ann", "@", "a b@c.d", "12345678901234567890"] {
            assert_eq!(normalizer.normalize(raw), None, "{raw}");
        }
        assert_eq!(normalizer.comparable("URN:biz:1"), "urn:biz:1");
    }
}
