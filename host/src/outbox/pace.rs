//! How fast messages leave: so many in a minute to one chat, and so many to all.
//!
//! Counted over the last minute rather than dripped evenly: an answer in several pieces goes out at once, and only what
//! keeps on for a minute is slowed. What left is written down, so that a restart is no way around it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// What the limits count over.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// What is remembered where limits are large or off. Above this, osascript itself is what slows.
const REMEMBERED: usize = 4096;

/// Messages in a minute; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub chat: u32,
    pub all: u32,
}

/// What left within the last minute.
#[derive(Debug, Default)]
pub struct Pace {
    recent: VecDeque<(Timestamp, String)>,
}

impl Pace {
    /// From what was written down, the oldest first.
    pub fn new(recent: Vec<(Timestamp, String)>) -> Pace {
        Pace { recent: recent.into() }
    }

    pub fn note(&mut self, chat: &str, at: Timestamp) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((at, chat.to_owned()));
    }

    /// When this chat may be written to; `None` for now.
    pub fn wait(&mut self, chat: &str, limits: Limits, now: Timestamp) -> Option<Timestamp> {
        // A date in the future is from before the clock was set back.
        self.recent.retain(|(at, _)| *at <= now && now.duration_since(*at) < WINDOW);
        let all = until(self.recent.iter().map(|(at, _)| *at), limits.all);
        let of_chat = self.recent.iter().filter(|(_, to)| to == chat).map(|(at, _)| *at);
        all.max(until(of_chat, limits.chat))
    }
}

/// When fewer than `limit` of these, the oldest first, are within the window.
fn until(recent: impl DoubleEndedIterator<Item = Timestamp>, limit: u32) -> Option<Timestamp> {
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0)?;
    recent.rev().nth(limit - 1)?.checked_add(WINDOW).ok()
}

/// One name for all chats with the same person, and for a person before there is a chat.
pub fn chat_key(guid: &str) -> &str {
    if guid.contains(";+;") { guid } else { guid.rsplit(';').next().unwrap_or(guid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { chat: 2, all: 3 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_chat_waits_until_its_oldest_is_a_minute_old() {
        let mut pace = Pace::default();
        assert_eq!(pace.wait("a", LIMITS, at(0)), None);
        pace.note("a", at(0));
        pace.note("a", at(10));
        assert_eq!(pace.wait("a", LIMITS, at(20)), Some(at(60)));
        assert_eq!(pace.wait("b", LIMITS, at(20)), None, "others do not wait for it");
        assert_eq!(pace.wait("a", LIMITS, at(60)), None);
    }

    #[test]
    fn all_wait_together_where_all_are_too_many() {
        let mut pace = Pace::new(vec![(at(0), "a".into()), (at(1), "b".into()), (at(2), "c".into())]);
        assert_eq!(pace.wait("d", LIMITS, at(3)), Some(at(60)));
        assert_eq!(pace.wait("d", Limits { chat: 0, all: 0 }, at(3)), None, "0 is off");
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut pace = Pace::default();
        (0..5).for_each(|_| pace.note("a", at(1000)));
        assert_eq!(pace.wait("a", LIMITS, at(0)), None);
    }

    #[test]
    fn a_person_is_one_chat_whatever_carries_it() {
        assert_eq!(chat_key("any;-;+1555"), chat_key("+1555"));
        assert_eq!(chat_key("SMS;-;+1555"), "+1555");
        assert_eq!(chat_key("any;+;chat1"), "any;+;chat1");
    }
}
