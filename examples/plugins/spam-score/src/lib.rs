//! Scores what looks like spam, by what a message says and by what its sender did before.
//!
//! Configuration: `label_at`, `drop_at`, `trusted`. Labels `spam_suspect`, or drops with `spam`. Keeps of each sender in
//! the store, under `sender/<address>`, when they wrote and hashes of what they wrote; no text.

use std::sync::LazyLock;

use imsgd_plugin::address::Entries;
use imsgd_plugin::store::Table;
use imsgd_plugin::{Filter, Message, Policy, Verdict, Words, export_policy, host};
use serde::{Deserialize, Serialize};

/// Who has written so far. Bounded, as strangers decide how many there are.
const SENDERS: Table<Sender> = Table::new("sender/");
const MOST_SENDERS: usize = 1000;
/// So many make room at once: looking for the oldest costs a look at all.
const ROOM: usize = 100;

/// What is remembered of each.
const MOST_TIMES: usize = 10;
const MOST_TEXTS: usize = 5;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// Each counts.
static PROMISES: LazyLock<Vec<Words>> = LazyLock::new(|| {
    let promises = [
        "act now",
        "claim",
        "congratulations",
        "crypto",
        "free",
        "gift card",
        "investment",
        "limited time",
        "loan",
        "prize",
        "winner",
        "you have won",
    ];
    promises.iter().map(|promise| Words::new([promise])).collect()
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    label_at: u32,
    /// None: nothing is dropped.
    drop_at: Option<u32>,
    trusted: Entries,
}

impl Default for Config {
    fn default() -> Self {
        Self { label_at: 4, drop_at: None, trusted: Entries::default() }
    }
}

struct SpamScore(Config);

/// What is known of a sender.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sender {
    /// Milliseconds since the Unix epoch; the newest last.
    times: Vec<u64>,
    /// Hashes of what they wrote; the newest last.
    texts: Vec<u32>,
}

impl Policy for SpamScore {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, String> {
        match config.drop_at {
            _ if config.label_at == 0 => Err("label_at: must be at least 1, or every message is suspect".into()),
            Some(drop_at) if drop_at <= config.label_at => Err("drop_at: must be more than label_at".into()),
            _ => Ok(Self(config)),
        }
    }
}

impl Filter for SpamScore {
    fn filter(&self, message: &Message) -> Verdict {
        if self.0.trusted.matches(message) {
            return Verdict::Pass;
        }
        let name = message.sender().address();
        let said = message.text();
        let mut sender = SENDERS.get(&name).unwrap_or_else(|| {
            make_room();
            Sender::default()
        });
        let score = of_text(&said) + sender.score(&said, message.sent_at());
        sender.remember(&said, message.sent_at());
        SENDERS.set(&name, &sender);
        host::log(host::Level::Debug, &format!("score {score}"));
        match self.0.drop_at {
            Some(drop_at) if score >= drop_at => Verdict::Drop("spam".into()),
            _ if score >= self.0.label_at => Verdict::Label(vec!["spam_suspect".into()]),
            _ => Verdict::Pass,
        }
    }
}

/// Links, promises, shouting.
fn of_text(said: &str) -> u32 {
    let links = said.split_whitespace().filter(|word| is_link(word)).count();
    let promises = PROMISES.iter().filter(|promise| promise.stand_in(said)).count();
    let letters = said.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = said.chars().filter(|c| c.is_uppercase()).count();
    let is_shouting = letters >= 12 && capitals * 10 >= letters * 7;
    2 * links.min(2) as u32 + promises.min(3) as u32 + u32::from(is_shouting)
}

fn is_link(word: &str) -> bool {
    let word = word.to_lowercase();
    ["http://", "https://", "www."].iter().any(|start| word.starts_with(start))
}

impl Sender {
    /// A first message, the same again, many at once.
    fn score(&self, said: &str, now: u64) -> u32 {
        let is_first = self.times.is_empty();
        let is_repeated = said.chars().count() >= 12 && self.texts.contains(&hash(said));
        let in_a_minute = self.times.iter().filter(|at| now.saturating_sub(**at) < MINUTE).count();
        u32::from(is_first) + if is_repeated { 2 } else { 0 } + if in_a_minute >= 5 { 2 } else { 0 }
    }

    fn remember(&mut self, said: &str, now: u64) {
        keep(&mut self.times, now, MOST_TIMES);
        keep(&mut self.texts, hash(said), MOST_TEXTS);
    }
}

fn keep<T>(list: &mut Vec<T>, new: T, most: usize) {
    list.push(new);
    list.drain(..list.len().saturating_sub(most));
}

/// Forgets who has not written for longest, once there are too many: first all that wrote nothing for thirty days.
fn make_room() {
    let mut known: Vec<(u64, String)> = SENDERS.names().map(|name| (0, name)).collect();
    if known.len() < MOST_SENDERS {
        return;
    }
    for (last, name) in &mut known {
        *last = SENDERS.get(name).and_then(|sender| sender.times.last().copied()).unwrap_or(0);
    }
    known.sort_unstable();
    let stale = host::now().saturating_sub(30 * DAY);
    for (_, name) in
        known.iter().enumerate().filter(|(number, (last, _))| *number < ROOM || *last < stale).map(|(_, one)| one)
    {
        SENDERS.delete(name);
    }
}

/// FNV-1a of the letters and digits, so that a changed sign or blank makes no other text.
fn hash(said: &str) -> u32 {
    let letters = said.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    letters.fold(0x811c_9dc5, |hash, letter| (hash ^ u32::from(letter)).wrapping_mul(0x0100_0193))
}

export_policy!(SpamScore: Filter);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    const EVE: &str = "+15559999999";
    const OFFER: &str = "CONGRATULATIONS you have won a prize, claim it at https://example.com/x";

    fn policy(config: &str) -> SpamScore {
        SpamScore::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    fn suspect() -> Verdict {
        Verdict::Label(vec!["spam_suspect".into()])
    }

    #[test]
    fn a_first_message_with_a_link_and_promises_is_suspect_and_a_greeting_is_not() {
        testing::reset();
        assert_eq!(policy("{}").filter(&testing::message(EVE, OFFER)), suspect());
        assert_eq!(policy("{}").filter(&testing::message("+15551234567", "Hi, this is Ann")), Verdict::Pass);
        assert_eq!(policy(r#"{"drop_at": 6}"#).filter(&testing::message("a@b.c", OFFER)), Verdict::Drop("spam".into()));
    }

    #[test]
    fn who_is_trusted_is_not_looked_at() {
        testing::reset();
        let policy = policy(r#"{"trusted": ["+15559999999"]}"#);
        assert_eq!(policy.filter(&testing::message(EVE, OFFER)), Verdict::Pass);
        assert_eq!(SENDERS.names().count(), 0);
    }

    #[test]
    fn the_same_again_and_many_at_once_add_up() {
        testing::reset();
        let policy = policy("{}");
        let verdicts: Vec<Verdict> =
            (0..7).map(|_| policy.filter(&testing::message(EVE, "are you there, my friend?"))).collect();
        // From the sixth on it is the fifth within a minute before, and repeated.
        assert_eq!(verdicts[..5], vec![Verdict::Pass; 5]);
        assert_eq!(verdicts[5..], vec![suspect(); 2]);
    }

    #[test]
    fn signs_and_case_make_no_other_text() {
        assert_eq!(hash("Are you there?"), hash("are you THERE!!"));
        assert_ne!(hash("are you there"), hash("are you here"));
    }

    #[test]
    fn there_is_an_end_to_senders() {
        testing::reset();
        let policy = policy("{}");
        for number in 0..MOST_SENDERS as u64 + 1 {
            testing::set_now(DAY * 60 + number);
            policy.filter(&testing::message(&format!("+1555{number:07}"), "hi"));
        }
        assert_eq!(SENDERS.names().count(), MOST_SENDERS - ROOM + 1);
        assert!(SENDERS.get("+15550000000").is_none() && SENDERS.get("+15550001000").is_some());
    }

    #[test]
    fn thresholds_that_make_no_sense_are_refused() {
        for (config, key) in [(r#"{"label_at": 0}"#, "label_at: "), (r#"{"drop_at": 4}"#, "drop_at: ")] {
            let error = SpamScore::configure(parse_config(config).expect(config)).err().expect("refused");
            assert!(error.starts_with(key), "{error}");
        }
    }
}
