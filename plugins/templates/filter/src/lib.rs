//! Drops messages with words that nobody wants to hear, and counts them.
//!
//! Configuration: `words`. Keeps `dropped` in the store. Drops with the reason `muted_word`.

use imsgd_plugin::{Filter, Message, Policy, Verdict, Words, export_policy, store};
use serde::Deserialize;

/// The plugin's own table of imsgd's configuration. A key that is not here is refused, and the error names the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    words: Words,
}

/// What holds where the configuration says nothing.
impl Default for Config {
    fn default() -> Self {
        Self { words: Words::new(["unsubscribe"]) }
    }
}

/// Lives as long as its configuration is in force: good for what comes from there.
struct Mute(Config);

impl Policy for Mute {
    type Config = Config;

    /// An error refuses the plugin, and the version that ran before stays: say which key is wrong.
    fn configure(config: Config) -> Result<Self, String> {
        match config.words.is_empty() {
            true => Err("words: there are none, so nothing would be muted".into()),
            false => Ok(Self(config)),
        }
    }
}

impl Filter for Mute {
    /// Asked about every message that was admitted. There are `Verdict::Route` and `Verdict::Label`, too.
    fn filter(&self, message: &Message) -> Verdict {
        let said = message.text();
        if !self.0.words.stand_in(&said) {
            return Verdict::Pass;
        }
        // Outlives a restart, and is written together with the verdict or not at all.
        let dropped = store::get::<u64>("dropped").unwrap_or_default() + 1;
        store::set("dropped", &dropped);
        // Owners see the reason in `imsgd why`: short, the same each time, and nothing of the message in it.
        Verdict::Drop("muted_word".into())
    }
}

export_policy!(Mute: Filter);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    fn policy(config: &str) -> Mute {
        // The store and the clock belong to the thread, and threads are used again.
        testing::reset();
        Mute::configure(parse_config(config).expect("configuration")).expect("policy")
    }

    #[test]
    fn a_message_with_a_muted_word_is_dropped_and_counted() {
        let policy = policy(r#"{"words": ["sale"]}"#);
        let verdict = |text| policy.filter(&testing::message("+15551234567", text));
        assert_eq!(verdict("Big SALE today"), Verdict::Drop("muted_word".into()));
        assert_eq!(verdict("Wholesale prices"), Verdict::Pass);
        assert_eq!(store::get::<u64>("dropped"), Some(1));
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let error = parse_config::<Config>(r#"{"wrods": []}"#).err().expect("refused");
        assert!(error.contains("did you mean `words`"), "{error}");
    }
}
