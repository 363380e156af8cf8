//! Faults on the real program, each with what it cost counted and printed: delivered, duplicated, lost, sent, sent twice.
//!
//! `make test` runs a short form of each, `make soak` the long one.

mod arrival;
mod chatdb;
mod kill;
mod limits;
mod osascript;
mod peers;
mod plugin;
mod statedb;
mod subscribers;

use std::collections::HashMap;
use std::fmt;

/// What a fault did to messages and sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub delivered: usize,
    /// Of those, a second time or more.
    pub duplicated: usize,
    pub lost: usize,
    pub sent: usize,
    pub sent_twice: usize,
}

impl Counts {
    /// From the keys (texts, guids) of what came in, of what a subscriber was told, and of what left.
    pub fn new(written: &[String], told: &[String], sent: &[String]) -> Counts {
        let (told_of, sent_of) = (tally(told), tally(sent));
        Counts {
            delivered: told.len(),
            duplicated: told.len() - told_of.len(),
            lost: written.iter().filter(|key| !told_of.contains_key(key.as_str())).count(),
            sent: sent.len(),
            sent_twice: sent_of.values().filter(|times| **times > 1).count(),
        }
    }

    /// Shown by `make soak`, and with a test that fails.
    pub fn print(&self, fault: &str) {
        eprintln!("{fault}: {self}");
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { delivered, duplicated, lost, sent, sent_twice } = self;
        write!(f, "delivered {delivered}, duplicated {duplicated}, lost {lost}, sent {sent}, sent twice {sent_twice}")
    }
}

fn tally(keys: &[String]) -> HashMap<&str, usize> {
    let mut times = HashMap::new();
    keys.iter().for_each(|key| *times.entry(key.as_str()).or_default() += 1);
    times
}

/// How often to do something: `short` in `make test`, `long` in `make soak`.
pub fn rounds(short: usize, long: usize) -> usize {
    if std::env::var_os("IMSGD_SOAK").is_some() { long } else { short }
}

#[test]
fn what_a_fault_cost_is_counted_by_key() {
    let keys = |all: &[&str]| all.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let counts = Counts::new(&keys(&["a", "b", "c"]), &keys(&["a", "a", "c"]), &keys(&["x", "y", "x"]));
    counts.print("an example");
    let expected = Counts { delivered: 3, duplicated: 1, lost: 1, sent: 3, sent_twice: 1 };
    assert_eq!((counts, rounds(1, 1)), (expected, 1));
}
