//! Lets a team in by a route of its own, keeps the banned out, and leaves everybody else to the next policy.
//!
//! Configuration: `team`, `banned`, `route`. Keeps nothing in the store. Rejects with `banned`.

use imsgd_plugin::{Admission, Allowlist, Entries, Message, Policy, export_policy};
use serde::Deserialize;

/// The plugin's own table of imsgd's configuration. A key that is not here is refused, and the error names the nearest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Numbers in any spelling, e-mail addresses, `chat_id:42`, or `*` for everybody.
    team: Entries,
    banned: Entries,
    /// Subscribers pick by it: `watch.subscribe {"routes": ["team"]}`.
    route: String,
}

/// What holds where the configuration says nothing.
impl Default for Config {
    fn default() -> Self {
        Self { team: Entries::default(), banned: Entries::default(), route: "team".into() }
    }
}

/// Lives as long as its configuration is in force: good for what comes from there.
struct Team(Config);

impl Policy for Team {
    type Config = Config;

    /// An error refuses the plugin, and the version that ran before stays: say which key is wrong.
    fn configure(config: Config) -> Result<Self, String> {
        match config.route.is_empty() {
            true => Err("route: must not be empty".into()),
            false => Ok(Self(config)),
        }
    }
}

impl Allowlist for Team {
    /// Asked about every direct message; the first allowlist that does not abstain decides.
    fn admit(&self, message: &Message) -> Admission {
        if self.0.banned.matches(message) {
            // Owners see the reason in `imsgd why`: short, the same each time, and nothing of the message in it.
            return Admission::Reject("banned".into());
        }
        match self.0.team.matches(message) {
            true => Admission::Admit(Some(self.0.route.clone())),
            false => Admission::Abstain,
        }
    }
}

export_policy!(Team: Allowlist);

#[cfg(test)]
mod tests {
    use imsgd_plugin::{parse_config, testing};

    use super::*;

    fn admit(config: &str, sender: &str) -> Admission {
        let policy = Team::configure(parse_config(config).expect("configuration")).expect("policy");
        policy.admit(&testing::message(sender, "hello"))
    }

    #[test]
    fn the_team_is_let_in_however_its_numbers_are_spelt() {
        let config = r#"{"team": ["(555) 123-4567"]}"#;
        assert_eq!(admit(config, "+15551234567"), Admission::Admit(Some("team".into())));
        assert_eq!(admit(config, "+15559999999"), Admission::Abstain);
    }

    #[test]
    fn the_banned_stay_out_though_everybody_is_in_the_team() {
        let config = r#"{"team": ["*"], "banned": ["eve@example.com"]}"#;
        assert_eq!(admit(config, "eve@example.com"), Admission::Reject("banned".into()));
    }
}
