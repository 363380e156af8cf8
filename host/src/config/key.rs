//! Names of configuration keys, as `policy.groups."42".require_mention` or `plugin.quiet-hours.config.from`.

use std::fmt;

use serde_json::Value;

use super::{keys, schema};

/// A key that the configuration knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    parts: Vec<String>,
}

/// What takes effect only when imsgd is started again.
const AT_START: [&[&str]; 4] =
    [&["messages", "db"], &["server", "state_dir"], &["server", "socket"], &["server", "max_connections"]];

impl Key {
    /// Dotted as in TOML, where a part may stand in quotes; a plugin's table goes by the plugin's name. An error names
    /// the nearest key.
    pub fn parse(text: &str) -> Result<Key, String> {
        let parsed = toml_edit::Key::parse(text).map_err(|_| {
            format!("`{text}` is no key; it is dotted, with quotes where they are needed: policy.groups.\"42\".route")
        })?;
        let key = Key { parts: parsed.iter().map(|part| part.get().to_owned()).collect() };
        key.schema().map(|_| key)
    }

    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The JSON Schema of its value; `true` for anything.
    pub fn schema(&self) -> Result<Value, String> {
        let mut at = schema();
        for (depth, part) in self.parts.iter().enumerate() {
            if depth == 1 && self.parts[0] == "plugin" {
                at = at["items"].take();
                continue;
            }
            let of_any = at.get("additionalProperties").filter(|schema| schema.as_bool() != Some(false)).cloned();
            let is_any = at == Value::Bool(true);
            let known = at.get_mut("properties").and_then(Value::as_object_mut);
            at = match known.as_ref().and_then(|known| known.get(part)).cloned().or(of_any) {
                Some(schema) => schema,
                None if is_any => Value::Bool(true),
                None => {
                    let nearest = known.and_then(|known| keys::nearest(part, known.keys().map(String::as_str)));
                    let hint = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
                    let path = Key { parts: self.parts[..=depth].to_vec() };
                    return Err(format!("the configuration has no key `{path}`{hint}"));
                }
            };
        }
        Ok(at)
    }

    /// The schema of an entry, if its value may be a list.
    pub fn entry_schema(&self) -> Option<Value> {
        let schema = self.schema().ok()?;
        if schema == Value::Bool(true) {
            return Some(schema);
        }
        let ways = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        ways.chain([&schema]).find_map(|schema| schema.get("items")).cloned()
    }

    /// May a client change it? What names programs, files and sockets, and what bounds what clients may do, is for the
    /// owner of the Mac: clients may be far away, or speak for somebody in a chat.
    pub fn is_for_clients(&self) -> bool {
        match self.parts.as_slice() {
            [table, _, ..] if table == "policy" => true,
            [table, _, config, ..] => table == "plugin" && config == "config",
            _ => false,
        }
    }

    pub fn is_read_at_start(&self) -> bool {
        AT_START.iter().any(|key| self.parts.iter().map(String::as_str).eq(key.iter().copied()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, part) in self.parts.iter().enumerate() {
            let dot = if depth == 0 { "" } else { "." };
            write!(f, "{dot}{}", toml_edit::Key::new(part.as_str()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_are_taken_as_toml_spells_them() {
        for text in [
            "policy.allow_from",
            "policy.groups.\"any;+;chat42\".require_mention",
            "policy.groups.42.route",
            "plugin.quiet-hours.config.deep.key",
            "plugin.quiet-hours",
            "server",
        ] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Key::parse("policy . 'allow_from'").unwrap().to_string(), "policy.allow_from");
    }

    #[test]
    fn others_are_refused_with_the_nearest_one() {
        for (text, said) in [
            ("policy.alow_from", "the configuration has no key `policy.alow_from`; did you mean `allow_from`?"),
            ("polcy.allow_from", "the configuration has no key `polcy`; did you mean `policy`?"),
            ("policy.groups.42.rout", "the configuration has no key `policy.groups.42.rout`; did you mean `route`?"),
            ("plugin.a.pth", "the configuration has no key `plugin.a.pth`; did you mean `path`?"),
            ("policy.ttl.zzz", "the configuration has no key `policy.ttl.zzz`"),
        ] {
            assert_eq!(Key::parse(text).unwrap_err(), said);
        }
        assert!(Key::parse("policy..x").unwrap_err().contains("is no key"));
    }

    #[test]
    fn clients_may_change_policies_and_not_what_the_program_is_made_of() {
        let is_for_clients = |text: &str| Key::parse(text).unwrap().is_for_clients();
        for text in ["policy.allow_from", "policy.groups.42.route", "plugin.a.config.x"] {
            assert!(is_for_clients(text), "{text}");
        }
        for text in [
            "messages.osascript",
            "messages.ffmpeg",
            "messages.attachment_roots",
            "server.config_writes",
            "send.allow_to",
            // Who may let somebody in may not also shorten the record of it.
            "journal.keep_days",
            "plugin.a.path",
            "plugin.a",
            "plugin",
            "policy",
        ] {
            assert!(!is_for_clients(text), "{text}");
        }
    }
}
