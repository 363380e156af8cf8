//! A simulated Messages for a policy in the making, in a temporary folder: what is typed arrives in it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::sim::osascript::{Settings, write_wrapper};
use crate::sim::{self, Incoming};

/// Who writes where a line does not say.
const FRIEND: &str = "+15550001111";
const GROUP: &str = "chat5550123";

pub(super) struct Stage {
    folder: PathBuf,
    messages: sim::Session,
    /// What was typed and has no verdict yet, by guid.
    waiting: HashMap<String, String>,
}

impl Stage {
    /// With a configuration in which the policy of the crate in `folder` has its place.
    pub fn set(folder: &Path, name: &str) -> anyhow::Result<Stage> {
        let stage = std::env::temp_dir().join(format!("imsgd-dev-{}", std::process::id()));
        fs::create_dir_all(stage.join("plugins")).with_context(|| format!("could not make {}", stage.display()))?;
        let db = stage.join("chat.db");
        sim::init(&db, &sim::Options { chats: 0, messages: 0, ..sim::Options::default() })?;
        let settings = Settings { db: db.clone(), behavior: None, sent: None };
        write_wrapper(&stage.join("osascript"), &std::env::current_exe()?, &settings)?;
        fs::write(stage.join("config.toml"), config(&stage, folder, name))?;
        let messages = sim::Session::open(&db)?;
        Ok(Stage { folder: stage, messages, waiting: HashMap::new() })
    }

    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    pub fn welcome(&self) -> String {
        format!(
            "no imsgd runs, so this is a simulated one, with its configuration in {}\n\
             Type a message and press Enter: it comes from {FRIEND}, whom the allowlist admits.\n\
             `+15559990000: hi` comes from somebody else, `group: hi` from {FRIEND} in a group. Ctrl-C ends it.",
            self.config().display()
        )
    }

    /// Writes what was typed into the database.
    pub fn receive(&mut self, line: &str) -> anyhow::Result<()> {
        let incoming = incoming(line);
        let received = self.messages.receive(&incoming)?;
        self.waiting.insert(received.guid, incoming.text);
        Ok(())
    }

    /// There is a verdict on this message. Gives what it says, which the journal does not know.
    pub fn judged(&mut self, guid: &str) -> Option<String> {
        self.waiting.remove(guid)
    }

    pub fn is_all_judged(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It is in the folder for temporary files, whatever becomes of it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `hi`, `+15559990000: hi`, `ann@example.com: hi` or `group: hi`.
fn incoming(line: &str) -> Incoming {
    let (head, rest) = line.split_once(':').map_or(("", line), |(head, rest)| (head.trim(), rest.trim()));
    let is_number = head.len() > 4 && head.starts_with('+') && head[1..].bytes().all(|byte| byte.is_ascii_digit());
    let is_address = is_number || head.contains('@') && !head.contains(char::is_whitespace);
    match head {
        "group" => Incoming { group: Some(GROUP.to_owned()), ..Incoming::new(FRIEND, rest) },
        head if is_address => Incoming::new(head, rest),
        _ => Incoming::new(FRIEND, line),
    }
}

/// What the case file of the crate gives its policy by default is what it has here too.
fn config(stage: &Path, folder: &Path, name: &str) -> String {
    let stage = stage.display();
    let mut text = format!(
        "[messages]\ndb = \"{stage}/chat.db\"\nosascript = \"{stage}/osascript\"\ncontacts = false\n\n\
         [server]\nstate_dir = \"{stage}/state\"\nplugins_dir = \"{stage}/plugins\"\n\n\
         [policy]\nallow_from = [\"{FRIEND}\"]\ngroups.\"*\" = {{ require_mention = false }}\n"
    );
    let cases: Option<toml::Table> =
        fs::read_to_string(folder.join("cases.toml")).ok().and_then(|text| text.parse().ok());
    let given = cases.as_ref().and_then(|cases| cases.get("defaults")?.get("config")?.as_table());
    if let Some(given) = given {
        let plugin = toml::Table::from_iter([
            ("name".to_owned(), toml::Value::from(name)),
            ("path".to_owned(), toml::Value::from(format!("{name}.wasm"))),
            ("config".to_owned(), toml::Value::Table(given.clone())),
        ]);
        let tables = toml::Table::from_iter([("plugin".to_owned(), toml::Value::from(vec![plugin]))]);
        text.push_str(&format!("\n{tables}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_writes_and_where() {
        let read = |line: &str| {
            let Incoming { from, group, text, .. } = incoming(line);
            (from.unwrap(), group.is_some(), text)
        };
        let from = |who: &str, is_group, text: &str| (who.to_owned(), is_group, text.to_owned());
        assert_eq!(read("hi"), from(FRIEND, false, "hi"));
        assert_eq!(read("note: hi"), from(FRIEND, false, "note: hi"));
        assert_eq!(read("https://example.com"), from(FRIEND, false, "https://example.com"));
        assert_eq!(read("+15559990000: hi: you"), from("+15559990000", false, "hi: you"));
        assert_eq!(read("ann@example.com:hi"), from("ann@example.com", false, "hi"));
        assert_eq!(read("group: hi"), from(FRIEND, true, "hi"));
    }
}
