//! Cards that were read, and an index of them by number and e-mail address.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::Settings;
use crate::address::{Normalizer, without_prefix};

/// A longer name is cut: it goes into every message of its owner.
const NAME_CHARS: usize = 200;

/// What stands before the address in a chat's guid.
const CHAT_PREFIXES: [&str; 6] = ["iMessage;-;", "iMessage;+;", "SMS;-;", "SMS;+;", "any;-;", "any;+;"];

/// A person or an organization that can be reached.
#[derive(Debug)]
pub(super) struct Card {
    /// What a person may call them, the name that is shown first.
    names: Vec<Arc<str>>,
    /// As typed, without what cannot be seen: numbers first, then e-mail addresses, both in the card's order.
    handles: Vec<String>,
}

impl Card {
    /// `None` for who has no name or cannot be reached.
    pub(super) fn new(parts: &NameParts, handles: &[String]) -> Option<Card> {
        let handles: Vec<String> =
            handles.iter().filter_map(|handle| visible(handle)).map(|handle| plain(&handle)).collect();
        let names = parts.names();
        (!names.is_empty() && !handles.is_empty()).then_some(Card { names, handles })
    }

    fn name(&self) -> &Arc<str> {
        &self.names[0]
    }
}

/// The names of a card as stored.
#[derive(Debug, Default)]
pub(super) struct NameParts {
    pub(super) given: Option<String>,
    pub(super) family: Option<String>,
    pub(super) nickname: Option<String>,
    pub(super) organization: Option<String>,
}

impl NameParts {
    /// A nickname is shown instead of the name, but people are looked for by either. An organization is a name only of
    /// a card without a person.
    fn names(&self) -> Vec<Arc<str>> {
        let part = |part: &Option<String>| part.as_deref().and_then(visible);
        let person = [part(&self.given), part(&self.family)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mut names: Vec<String> = part(&self.nickname).into_iter().collect();
        names.extend(Some(person).filter(|person| !person.is_empty()));
        if names.is_empty() {
            names.extend(part(&self.organization));
        }
        names.into_iter().map(Arc::from).collect()
    }
}

/// Text as it can be seen: on one line, and without the marks of direction that come along with copied numbers.
fn visible(text: &str) -> Option<String> {
    let is_mark = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    let shown = |c: char| match c {
        '\u{feff}' => None,
        c if is_mark(c) => None,
        c if c.is_control() || c.is_whitespace() => Some(' '),
        c => Some(c),
    };
    let text: String = text.chars().filter_map(shown).take(NAME_CHARS).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// With the digits and dashes of ASCII, whatever keyboard an address was typed on.
fn plain(handle: &str) -> String {
    let plain = |c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => '-',
        '\u{ff0b}' => '+',
        '\u{ff10}'..='\u{ff19}' => char::from_digit(c as u32 - 0xff10, 10).unwrap_or(c),
        c => c,
    };
    handle.chars().map(plain).collect()
}

/// One of several whom a name may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name by which they were found.
    pub name: Arc<str>,
    /// Their first number, else their first e-mail address, as typed.
    pub handle: String,
}

/// What the contacts say, at one moment.
pub struct Catalog {
    /// Why there are none.
    problem: Option<String>,
    cards: Vec<Arc<[Card]>>,
    /// Of the first card that has the address.
    names: HashMap<Box<str>, Arc<str>>,
    normalizer: Arc<Normalizer>,
}

impl Catalog {
    pub(super) fn unavailable(problem: &str, settings: &Settings) -> Catalog {
        Catalog {
            problem: Some(problem.to_owned()),
            cards: Vec::new(),
            names: HashMap::new(),
            normalizer: settings.normalizer.clone(),
        }
    }

    pub(super) fn new(cards: Vec<Arc<[Card]>>, settings: &Settings) -> Catalog {
        let mut names = HashMap::new();
        for card in cards.iter().flat_map(|cards| cards.iter()) {
            for handle in &card.handles {
                names.entry(key(&settings.normalizer, handle).into()).or_insert_with(|| card.name().clone());
            }
        }
        Catalog { problem: None, cards, names, normalizer: settings.normalizer.clone() }
    }

    /// Why there are no names, and what to do about it.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub fn card_count(&self) -> usize {
        self.cards.iter().map(|cards| cards.len()).sum()
    }

    /// The name of who has this number or e-mail address, in any spelling.
    pub fn name(&self, address: &str) -> Option<&str> {
        if self.names.is_empty() {
            return None;
        }
        let address = address.trim();
        let address = CHAT_PREFIXES.iter().find_map(|prefix| address.strip_prefix(prefix)).unwrap_or(address);
        // Messages stores addresses as they are kept here, nearly always.
        let name = self.names.get(address).or_else(|| self.names.get(key(&self.normalizer, address).as_str()));
        name.map(|name| &**name)
    }

    /// Those one of whose names contains `text`, in any case. Cards that give the same address, read with
    /// `normalizer`, are one.
    pub fn find(&self, text: &str, normalizer: &Normalizer) -> Vec<Found> {
        let wanted = comparable(text.trim());
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let cards = self.cards.iter().flat_map(|cards| cards.iter());
        let found = cards.filter_map(|card| {
            let name = card.names.iter().find(|name| comparable(name).contains(&wanted))?;
            let handle = card.handles.first()?;
            seen.insert(key(normalizer, handle)).then(|| Found { name: name.clone(), handle: handle.clone() })
        });
        found.collect()
    }
}

fn comparable(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// The one spelling of an address. Of a number that is too short to be anybody's, the digits.
fn key(normalizer: &Normalizer, address: &str) -> String {
    normalizer.normalize(address).unwrap_or_else(|| {
        let address = without_prefix(address);
        let is_number = address.contains(|c: char| c.is_ascii_digit())
            && address.chars().all(|c| c.is_ascii_digit() || "+-(). /".contains(c));
        match is_number {
            true => address.chars().filter(char::is_ascii_digit).collect(),
            false => address.to_lowercase(),
        }
    })
}
