//! Stand-ins for the host, for tests that run natively: messages as plain values, and a clock, a log, random
//! bytes and a store that belong to the test's thread. [`reset`] first, since threads may be used again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::host::Level;
use crate::{Arrival, Quoted, Service};

#[derive(Default)]
struct World {
    now: u64,
    random: u64,
    log: Vec<(Level, String)>,
    store: BTreeMap<String, Vec<u8>>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn world<R>(use_it: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(use_it)
}

/// An empty store and log, and the clock at zero.
pub fn reset() {
    world(|world| *world = World::default());
}

/// Milliseconds since the Unix epoch, until set again.
pub fn set_now(now: u64) {
    world(|world| world.now = now);
}

/// What was logged since [`reset`].
pub fn logged() -> Vec<(Level, String)> {
    world(|world| world.log.clone())
}

/// A direct message that has just arrived. Its fields may be set to anything else.
pub fn message(sender: &str, text: &str) -> Message {
    Message {
        id: 1,
        guid: "00000000-0000-0000-0000-000000000001".into(),
        chat: Chat {
            id: 1,
            guid: format!("iMessage;-;{sender}"),
            identifier: sender.into(),
            name: None,
            service: Service::Imessage,
            is_group: false,
            participants: vec![sender.into()],
            own_addresses: vec!["+15550000000".into()],
        },
        sender: Person { address: sender.into(), raw: sender.into(), name: None },
        text: text.into(),
        mentions: Vec::new(),
        sent_at: now(),
        arrival: Arrival::Live,
        reply_to: None,
        attachments: Vec::new(),
    }
}

pub fn log(level: Level, text: &str) {
    world(|world| world.log.push((level, text.into())));
}

pub fn now() -> u64 {
    world(|world| world.now)
}

/// Splitmix64: the same bytes in every run, and no two calls alike.
pub fn random(len: u32) -> Vec<u8> {
    let next = || {
        world(|world| {
            world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = world.random;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (bits ^ (bits >> 31)) as u8
        })
    };
    (0..len).map(|_| next()).collect()
}

/// Much less than the host knows about numbers: ten digits are in the United States.
pub fn normalize(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if let Some((user, domain)) = raw.split_once('@') {
        return (!user.is_empty() && domain.contains('.')).then(|| raw.to_lowercase());
    }
    if !raw.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c)) {
        return None;
    }
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    match (raw.starts_with('+'), digits.len()) {
        (true, 7..=15) | (false, 11..=15) => Some(format!("+{digits}")),
        (false, 10) => Some(format!("+1{digits}")),
        _ => None,
    }
}

/// The bytes under [`crate::store`].
pub(crate) mod store {
    use super::world;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        world(|world| world.store.get(key).cloned())
    }

    pub(crate) fn set(key: &str, value: &[u8]) {
        world(|world| world.store.insert(key.into(), value.into()));
    }

    pub(crate) fn delete(key: &str) {
        world(|world| world.store.remove(key));
    }

    pub(crate) fn keys(prefix: &str) -> Vec<String> {
        world(|world| world.store.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }
}

/// Reads as a guest's message does: a field and its method have the same name.
macro_rules! stand_in {
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Clone, Debug)]
        pub struct $name { $(pub $field: $type),+ }

        impl $name {
            $(pub fn $field(&self) -> $type { self.$field.clone() })+
        }
    };
}

stand_in!(Attachment { name: String, mime_type: Option<String>, size: u64, is_sticker: bool });

stand_in!(Person { address: String, raw: String, name: Option<String> });

stand_in!(Chat {
    id: i64,
    guid: String,
    identifier: String,
    name: Option<String>,
    service: Service,
    is_group: bool,
    participants: Vec<String>,
    own_addresses: Vec<String>,
});

stand_in!(Message {
    id: i64,
    guid: String,
    chat: Chat,
    sender: Person,
    text: String,
    mentions: Vec<String>,
    sent_at: u64,
    arrival: Arrival,
    reply_to: Option<Quoted>,
    attachments: Vec<Attachment>,
});
