//! A guest that does what a policy must not do, one thing at a time, picked by its configuration. The
//! host's tests load it to see each limit hold.

use imsgd_plugin::host::{self, Level};
use imsgd_plugin::{Admission, Allowlist, Filter, Message, Policy, Verdict, export_policy, store};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hostile {
    on_configure: OnConfigure,
    on_filter: Deed,
    on_admit: Deed,
    /// Behave, but for messages whose text has this in it.
    only_text: Option<String>,
    /// What a deed of no harm answers: a label from `filter`, a route from `admit`.
    label: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnConfigure {
    #[default]
    Accept,
    Error,
    Loop,
    Trap,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    /// Label if there is one, else no opinion.
    #[default]
    Pass,
    /// Refuse the message with the reason `hostile`.
    Drop,
    /// Answer with how many messages were counted in the store, this one included.
    Count,
    Loop,
    Trap,
    /// Panic, and say the message.
    Quote,
    /// Count, then trap: the count must not stay.
    WriteThenTrap,
    EatMemory,
    StackOverflow,
    /// One string of 8 MiB.
    HugeOutput,
    /// A million labels, or one route as long.
    HugeList,
    /// Ever more keys with large values.
    HogStore,
    /// All the random bytes that a number can ask for.
    RandomHuge,
    /// Ten thousand lines, a megabyte each tenth.
    LogFlood,
}

impl Policy for Hostile {
    type Config = Self;

    fn configure(config: Self) -> Result<Self, String> {
        match config.on_configure {
            OnConfigure::Accept => Ok(config),
            OnConfigure::Error => Err("on_configure: told to refuse".into()),
            OnConfigure::Loop => spin(),
            OnConfigure::Trap => panic!("told to trap"),
        }
    }
}

impl Filter for Hostile {
    fn filter(&self, message: &Message) -> Verdict {
        match self.answer(self.on_filter, message) {
            Answer::None => Verdict::Pass,
            Answer::Drop => Verdict::Drop("hostile".into()),
            Answer::Words(labels) => Verdict::Label(labels),
        }
    }
}

impl Allowlist for Hostile {
    fn admit(&self, message: &Message) -> Admission {
        match self.answer(self.on_admit, message) {
            Answer::None => Admission::Abstain,
            Answer::Drop => Admission::Reject("hostile".into()),
            Answer::Words(labels) => Admission::Admit(Some(labels.concat())),
        }
    }
}

/// What came of a deed that ended.
enum Answer {
    None,
    Drop,
    Words(Vec<String>),
}

impl Hostile {
    fn answer(&self, deed: Deed, message: &Message) -> Answer {
        let meant = self.only_text.as_ref().is_none_or(|text| message.text().contains(text));
        match deed {
            _ if !meant => self.harmless(),
            Deed::Pass => self.harmless(),
            Deed::Drop => Answer::Drop,
            Deed::Count => Answer::Words(vec![count().to_string()]),
            Deed::Loop => spin(),
            Deed::Trap => panic!("told to trap"),
            Deed::Quote => panic!("cannot make sense of `{}`", message.text()),
            Deed::WriteThenTrap => panic!("told to trap after {}", count()),
            Deed::EatMemory => eat_memory(),
            Deed::StackOverflow => Answer::Words(vec![sink(0).to_string()]),
            Deed::HugeOutput => Answer::Words(vec!["x".repeat(8 << 20)]),
            Deed::HugeList => Answer::Words(vec!["x".into(); 1_000_000]),
            Deed::HogStore => hog_store(),
            Deed::RandomHuge => Answer::Words(vec![host::random(u32::MAX).len().to_string()]),
            Deed::LogFlood => log_flood(),
        }
    }

    fn harmless(&self) -> Answer {
        self.label.clone().map_or(Answer::None, |label| Answer::Words(vec![label]))
    }
}

fn count() -> u64 {
    let count = store::get::<u64>("count").unwrap_or_default() + 1;
    store::set("count", &count);
    count
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        // Not written to: the limit is of what is asked for, and the system takes its time for what is.
        eaten.push(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
    }
}

#[expect(unconditional_recursion, reason = "that is the deed")]
fn sink(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    sink(depth + 1) + std::hint::black_box(frame)[0]
}

fn hog_store() -> ! {
    let value = "x".repeat(60 << 10);
    for key in 0_u64.. {
        store::set(&format!("hog/{key:08}"), &value);
    }
    unreachable!("there is always another key")
}

fn log_flood() -> Answer {
    let long = "x".repeat(1 << 20);
    for line in 0..10_000 {
        host::log(Level::Error, if line % 10 == 0 { &long } else { "flood" });
    }
    Answer::None
}

export_policy!(Hostile: Filter, Allowlist);
