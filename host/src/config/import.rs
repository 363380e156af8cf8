//! From the configuration of an OpenClaw gateway to imsgd's own: what it says of iMessage under `channels.imessage`.
//!
//! Keys and their meaning: OpenClaw's documentation, "iMessage" and "Configuration — channels" (docs.openclaw.ai).

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use toml::Table;

use super::DEFAULT_DB;

/// What came of an import. Only what was found is in the table; all else has imsgd's defaults.
#[derive(Debug, Default)]
pub struct Imported {
    pub config: Table,
    /// Keys of the gateway, and what became of each here.
    pub mapped: Vec<(String, String)>,
    /// Keys that have no counterpart, and what to do instead.
    pub left: Vec<(String, String)>,
    /// Other accounts in the file, each of which needs a configuration of its own.
    pub other_accounts: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not JSON5: {0}")]
    NotJson5(String),
    #[error("has no `channels.imessage`, which is where OpenClaw keeps what it does with iMessage")]
    NoChannel,
    #[error("{key}: must be {expected}")]
    Wrong { key: String, expected: &'static str },
    #[error("{key}: `{value}` is taken from the gateway's environment. Write the value itself, and import again")]
    Substituted { key: String, value: String },
    #[error("{key}: the file includes others. Import what `openclaw config get channels` prints, in {{ channels: … }}")]
    Includes { key: String },
    #[error("there is no account `{wanted}`. There are: {}", known.join(", "))]
    NoAccount { wanted: String, known: Vec<String> },
}

/// Where one part of imsgd's configuration comes from.
struct Reader<'a> {
    /// `channels.imessage`, with what the chosen account says instead.
    channel: Map<String, Value>,
    /// As messages name it: `channels.imessage` or `channels.imessage.accounts.work`, by key.
    account: Option<String>,
    own: Vec<String>,
    /// Somebody asked for this account by its name.
    is_wanted: bool,
    root: &'a Value,
    imported: Imported,
}

/// Reads the text of an `openclaw.json`. Of several accounts, the one with this id, else the gateway's default.
pub fn openclaw(text: &str, account: Option<&str>) -> Result<Imported, Error> {
    let root: Value = json5::from_str(text).map_err(|error| Error::NotJson5(error.to_string()))?;
    if let Some(key) = included(&root) {
        return Err(Error::Includes { key: key.to_owned() });
    }
    let channel = root.pointer("/channels/imessage").ok_or(Error::NoChannel)?;
    let channel = channel.as_object().ok_or_else(|| wrong("channels.imessage", "an object"))?;
    let mut reader = Reader::new(&root, channel, account)?;
    reader.places()?;
    reader.direct()?;
    reader.groups()?;
    reader.texts()?;
    reader.rest();
    Ok(reader.imported)
}

fn wrong(key: &str, expected: &'static str) -> Error {
    Error::Wrong { key: key.to_owned(), expected }
}

fn included(root: &Value) -> Option<&'static str> {
    // One at the top may bring anything but what is there already.
    let is_there = root.pointer("/channels/imessage").is_some();
    let at =
        [("", "$include"), ("/channels", "channels.$include"), ("/channels/imessage", "channels.imessage.$include")];
    let at = at.into_iter().skip(if is_there { 2 } else { 0 });
    let mut found = at.filter(|(pointer, _)| root.pointer(pointer).is_some_and(|v| v.get("$include").is_some()));
    found.next().map(|(_, key)| key)
}

impl<'a> Reader<'a> {
    fn new(root: &'a Value, channel: &Map<String, Value>, wanted: Option<&str>) -> Result<Reader<'a>, Error> {
        let none = Map::new();
        let accounts = match channel.get("accounts") {
            Some(accounts) => accounts.as_object().ok_or_else(|| wrong("channels.imessage.accounts", "an object"))?,
            None => &none,
        };
        let ids: Vec<String> = accounts.keys().cloned().collect();
        let usual = channel.get("defaultAccount").and_then(Value::as_str).filter(|id| accounts.contains_key(*id));
        let usual = usual.or_else(|| accounts.keys().map(String::as_str).find(|id| *id == "default"));
        let chosen = match wanted {
            Some(id) if !accounts.contains_key(id) => {
                return Err(Error::NoAccount { wanted: id.to_owned(), known: ids });
            }
            Some(id) => Some(id),
            // An only account is meant; of several, without a default, what they have in common.
            None => usual.or_else(|| accounts.keys().next().map(String::as_str).filter(|_| accounts.len() == 1)),
        };
        let mut merged = channel.clone();
        merged.remove("accounts");
        merged.remove("defaultAccount");
        let mut own = Vec::new();
        if let Some(id) = chosen {
            let key = format!("channels.imessage.accounts.{id}");
            for (name, value) in accounts[id].as_object().ok_or_else(|| wrong(&key, "an object"))? {
                merged.insert(name.clone(), value.clone());
                own.push(name.clone());
            }
        }
        let other_accounts = ids.into_iter().filter(|id| Some(id.as_str()) != chosen).collect();
        let imported = Imported { other_accounts, ..Imported::default() };
        Ok(Reader {
            channel: merged,
            account: chosen.map(str::to_owned),
            own,
            is_wanted: wanted.is_some(),
            root,
            imported,
        })
    }

    fn name_of(&self, key: &str) -> String {
        match &self.account {
            Some(id) if self.own.iter().any(|own| own == key) => format!("channels.imessage.accounts.{id}.{key}"),
            _ => format!("channels.imessage.{key}"),
        }
    }

    /// Takes a key out, so that what stays was not understood.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.channel.shift_remove(key).filter(|value| !value.is_null())
    }

    fn put(&mut self, from: &str, section: &str, key: &str, value: impl Into<toml::Value>) {
        let table = self.imported.config.entry(section).or_insert_with(|| Table::new().into());
        if let toml::Value::Table(table) = table {
            table.insert(key.to_owned(), value.into());
        }
        self.imported.mapped.push((from.to_owned(), format!("{section}.{key}")));
    }

    fn leave(&mut self, from: impl Into<String>, why: impl Into<String>) {
        self.imported.left.push((from.into(), why.into()));
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        let name = self.name_of(key);
        self.take(key).map(|value| text(&name, &value)).transpose()
    }

    fn number(&mut self, key: &str) -> Result<Option<i64>, Error> {
        let name = self.name_of(key);
        self.take(key).map(|value| number(&name, &value)).transpose()
    }

    fn list(&mut self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let name = self.name_of(key);
        self.take(key).map(|value| list(&name, &value)).transpose()
    }

    /// Where Messages and its files are.
    fn places(&mut self) -> Result<(), Error> {
        let db = self.text("dbPath")?;
        // An account's configuration always says which database it is for.
        let is_said = |db: &String| self.is_wanted || db != DEFAULT_DB;
        if let Some(db) = db.or_else(|| self.is_wanted.then(|| DEFAULT_DB.to_owned())).filter(is_said) {
            self.put(&self.name_of("dbPath"), "messages", "db", db);
        }
        if let Some(region) = self.text("region")? {
            self.put(&self.name_of("region"), "messages", "region", region);
        }
        self.attachment_roots()?;
        if let Some(most) = self.number("mediaMaxMb")? {
            self.put(&self.name_of("mediaMaxMb"), "messages", "media_max_mb", most);
        }
        Ok(())
    }

    /// OpenClaw reads what the account, the channel and its own default name, all together. imsgd runs where Messages
    /// is: where the gateway does not, the remote lists are those of that machine.
    fn attachment_roots(&mut self) -> Result<(), Error> {
        let mut roots: Vec<String> = Vec::new();
        let mut from: Vec<String> = Vec::new();
        for key in ["attachmentRoots", "remoteAttachmentRoots"] {
            let name = self.name_of(key);
            let of_channel = self.root.pointer(&format!("/channels/imessage/{key}")).cloned();
            for (name, value) in [(name, self.take(key)), (format!("channels.imessage.{key}"), of_channel)] {
                let Some(value) = value.filter(|value| !value.is_null()) else { continue };
                roots.extend(list(&name, &value)?);
                from.push(name);
            }
        }
        if from.is_empty() {
            return Ok(());
        }
        roots.push(USUAL_ROOTS.to_owned());
        let mut seen = BTreeSet::new();
        roots.retain(|root| seen.insert(root.clone()));
        from.dedup();
        self.put(&from.join(", "), "messages", "attachment_roots", roots);
        Ok(())
    }

    /// Who may write directly.
    fn direct(&mut self) -> Result<(), Error> {
        if let Some(policy) = self.text("dmPolicy")? {
            self.put(&self.name_of("dmPolicy"), "policy", "dm_policy", policy);
        }
        let name = self.name_of("allowFrom");
        // Kept for the groups, which fall back to it.
        if let Some(allowed) = self.channel.get("allowFrom").filter(|value| !value.is_null()) {
            let allowed = list(&name, allowed)?;
            self.put(&name, "policy", "allow_from", allowed);
        }
        let scope = self.root.pointer("/session/dmScope").and_then(Value::as_str);
        match scope {
            Some("main") => self.put("session.dmScope", "policy", "dm_scope", "main"),
            Some(scope) if scope.starts_with("per-") => self.put("session.dmScope", "policy", "dm_scope", "peer"),
            Some(_) => self.leave("session.dmScope", "not known; set policy.dm_scope to \"main\" or \"peer\""),
            None => {}
        }
        Ok(())
    }

    /// Which groups are heard, and whom in them. OpenClaw lets nobody in where its list is empty, imsgd everybody.
    fn groups(&mut self) -> Result<(), Error> {
        let policy = self.text("groupPolicy")?;
        let usual = self.root.pointer("/channels/defaults/groupPolicy").and_then(Value::as_str);
        let (from, policy) = match (policy, usual) {
            (Some(policy), _) => (self.name_of("groupPolicy"), policy),
            (None, Some(usual)) => ("channels.defaults.groupPolicy".to_owned(), usual.to_owned()),
            (None, None) => (self.name_of("groupPolicy"), "allowlist".to_owned()),
        };
        let own = self.list("groupAllowFrom")?;
        let direct = self.channel.shift_remove("allowFrom").filter(|value| !value.is_null());
        let direct = direct.map(|value| list("channels.imessage.allowFrom", &value)).transpose()?;
        let (name, listed) = match own {
            Some(own) => (self.name_of("groupAllowFrom"), own),
            None => (self.name_of("allowFrom"), direct.unwrap_or_default()),
        };
        let groups = self.channel.get("groups").and_then(Value::as_object);
        let lists_groups = groups.is_some_and(|groups| !groups.is_empty() && !groups.contains_key("*"));
        match policy.as_str() {
            "open" if lists_groups => {
                self.put(&from, "policy", "group_policy", "allowlist");
                let why = "everybody is heard, but only in the groups that are listed, as OpenClaw hears no others: that is \
                           group_policy \"allowlist\" without group_allow_from";
                self.leave(from, why);
            }
            "allowlist" if listed.is_empty() => {
                self.put(&from, "policy", "group_policy", "disabled");
                let why = "nobody is allowed, so OpenClaw hears no group; an empty list means everybody to imsgd, so that \
                           group_policy is \"disabled\". List people, and set it to \"allowlist\"";
                self.leave(self.name_of("groupAllowFrom"), why);
            }
            "open" if !listed.is_empty() => {
                self.put(&from, "policy", "group_policy", policy);
                if name.ends_with("groupAllowFrom") {
                    self.leave(
                        name,
                        "groupPolicy is \"open\", which OpenClaw takes for everybody; the list would narrow it",
                    );
                }
            }
            _ => {
                self.put(&from, "policy", "group_policy", policy.clone());
                if policy == "allowlist" {
                    self.put(&name, "policy", "group_allow_from", listed);
                }
            }
        }
        self.tables()?;
        self.mentions()
    }

    fn tables(&mut self) -> Result<(), Error> {
        let name = self.name_of("groups");
        let Some(groups) = self.take("groups") else { return Ok(()) };
        let groups = groups.as_object().ok_or_else(|| wrong(&name, "an object"))?;
        let mut tables = Table::new();
        for (id, group) in groups {
            let name = format!("{name}.{id}");
            let mut table = Table::new();
            for (key, value) in group.as_object().ok_or_else(|| wrong(&name, "an object"))? {
                let name = format!("{name}.{key}");
                match key.as_str() {
                    "requireMention" => {
                        let needed = value.as_bool().ok_or_else(|| wrong(&name, "true or false"))?;
                        table.insert("require_mention".to_owned(), needed.into());
                    }
                    "allowFrom" => match list(&name, value)? {
                        nobody if nobody.is_empty() => {
                            self.leave(name, "an empty list means everybody to imsgd: left out");
                        }
                        listed => drop(table.insert("allow_from".to_owned(), listed.into())),
                    },
                    _ => self.leave(name, GATEWAYS),
                }
            }
            tables.insert(id.clone(), table.into());
        }
        if !tables.is_empty() {
            self.put(&name, "policy", "groups", tables);
        }
        Ok(())
    }

    fn mentions(&mut self) -> Result<(), Error> {
        let mut patterns: Vec<String> = Vec::new();
        let mut from = Vec::new();
        let mut add = |key: &str, value: Option<&Value>| -> Result<(), Error> {
            let Some(value) = value else { return Ok(()) };
            for pattern in list(key, value)? {
                if !patterns.contains(&pattern) {
                    patterns.push(pattern);
                }
            }
            from.push(key.to_owned());
            Ok(())
        };
        add("messages.groupChat.mentionPatterns", self.root.pointer("/messages/groupChat/mentionPatterns"))?;
        let agents = self.root.pointer("/agents/list").and_then(Value::as_array);
        for agent in agents.into_iter().flatten() {
            add("agents.list[].groupChat.mentionPatterns", agent.pointer("/groupChat/mentionPatterns"))?;
        }
        from.dedup();
        if !patterns.is_empty() {
            self.put(&from.join(", "), "policy", "mention_patterns", patterns);
        }
        Ok(())
    }

    /// What goes along with a message, and how texts are cut.
    fn texts(&mut self) -> Result<(), Error> {
        let usual = self.root.pointer("/messages/groupChat/historyLimit").and_then(Value::as_i64);
        if let Some(most) = self.number("historyLimit")? {
            self.put(&self.name_of("historyLimit"), "policy", "history_limit", most);
        } else if let Some(most) = usual {
            self.put("messages.groupChat.historyLimit", "policy", "history_limit", most);
        }
        if let Some(most) = self.number("textChunkLimit")? {
            self.put(&self.name_of("textChunkLimit"), "policy", "text_chunk_limit", most);
        }
        let nested = self.channel.get_mut("streaming").and_then(Value::as_object_mut);
        let nested = nested.and_then(|streaming| streaming.shift_remove("chunkMode"));
        let mode = match (self.text("chunkMode")?, nested) {
            (Some(mode), _) => Some((self.name_of("chunkMode"), mode)),
            (None, Some(mode)) => {
                let name = self.name_of("streaming.chunkMode");
                Some((name.clone(), text(&name, &mode)?))
            }
            (None, None) => None,
        };
        if let Some((name, mode)) = mode {
            self.put(&name, "policy", "chunk_mode", mode);
        }
        Ok(())
    }

    /// What stays where it is, and what nobody here knows.
    fn rest(&mut self) {
        let rest = std::mem::take(&mut self.channel);
        for (key, value) in rest {
            let is_empty = value.as_object().is_some_and(Map::is_empty);
            if value.is_null() || is_empty {
                continue;
            }
            let why = match key.as_str() {
                "cliPath" => {
                    "stays in the gateway: set it to `imsgd`, or to a wrapper that runs `ssh -T <mac> imsgd \"$@\"`"
                }
                "remoteHost" => {
                    "stays in the gateway; with `attachments.read` it needs no other way to the files than this connection"
                }
                "includeAttachments" => {
                    "stays in the gateway, which asks for them with each subscription (`attachments`)"
                }
                "service" => "each `send` says it (`service`); where none does, imsgd chooses by the chat",
                "enabled" => "stays in the gateway; imsgd serves whoever connects",
                key if GATEWAY_KEYS.contains(&key) => GATEWAYS,
                _ => "not known to imsgd; it belongs to the gateway, or is misspelt",
            };
            let name = self.name_of(&key);
            self.leave(name, why);
        }
    }
}

/// What OpenClaw reads whatever its lists say.
const USUAL_ROOTS: &str = "/Users/*/Library/Messages/Attachments";

const GATEWAYS: &str = "is the gateway's own business: keep it there";

const GATEWAY_KEYS: &[&str] = &[
    "actions",
    "blockStreaming",
    "blockStreamingCoalesce",
    "capabilities",
    "catchup",
    "coalesceSameSenderDms",
    "configWrites",
    "contextVisibility",
    "defaultTo",
    "dmHistoryLimit",
    "dms",
    "healthMonitor",
    "heartbeat",
    "markdown",
    "name",
    "probeTimeoutMs",
    "reactionNotifications",
    "responsePrefix",
    "sendReadReceipts",
    "sendTransport",
    "streaming",
];

fn text(key: &str, value: &Value) -> Result<String, Error> {
    let text = match value {
        Value::String(text) => text.clone(),
        // Numbers and chat ids are written without quotes at times.
        Value::Number(number) => number.to_string(),
        _ => return Err(wrong(key, "text")),
    };
    if text.contains("${") {
        return Err(Error::Substituted { key: key.to_owned(), value: text });
    }
    Ok(text)
}

fn list(key: &str, value: &Value) -> Result<Vec<String>, Error> {
    let values = value.as_array().ok_or_else(|| wrong(key, "a list"))?;
    values.iter().enumerate().map(|(index, value)| text(&format!("{key}[{index}]"), value)).collect()
}

fn number(key: &str, value: &Value) -> Result<i64, Error> {
    let whole = value.as_i64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64));
    whole.filter(|number| *number >= 0).ok_or_else(|| wrong(key, "a whole number, 0 or more"))
}

#[cfg(test)]
mod tests;
