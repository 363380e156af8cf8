//! The configuration: one TOML file, read whole, checked whole, and read again while we run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::attachments::Roots;

mod access;
pub mod choice;
pub mod edit;
pub mod file;
pub mod import;
mod journal;
pub mod key;
mod keys;
mod server;
mod span;

pub use access::{Scope, Scopes};
pub use choice::{Choice, Overrides};
pub use journal::Journal;
pub use keys::nearest;
pub use server::{Peer, Server};
pub use span::Span;

/// Names of the policies that are part of the program, in the order in which they are asked.
pub const BUNDLED: [&str; 4] = ["allowlist", "pairing", "group", "chunking"];

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub messages: Messages,
    pub server: Server,
    pub send: Send,
    pub journal: Journal,
    pub policy: Policy,
    /// Your own plugins, in the order in which they are asked.
    pub plugin: Vec<PluginTable>,
    #[serde(skip)]
    pub path: PathBuf,
    /// The command line named another database than the file: what the file says of state is not that one's.
    #[serde(skip)]
    is_other_db: bool,
    /// The command line named the socket.
    #[serde(skip)]
    is_socket_named: bool,
    /// The file says which database it is for.
    #[serde(skip)]
    is_db_named: bool,
    /// Whose configuration it is, where there are several.
    #[serde(skip)]
    pub account: Option<String>,
}

/// Where Messages is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Messages {
    /// The Messages database.
    pub db: PathBuf,
    /// What sends: macOS' own osascript.
    pub osascript: PathBuf,
    /// ISO 3166 code of the region in which a number without a country code is read.
    pub region: String,
    /// The AddressBook folder that names are read from; `false` for no names.
    pub contacts: ContactsFolder,
    /// Folders whose files clients may read, as paths or globs. Default: Messages' own, beside the database.
    pub attachment_roots: Option<Vec<String>>,
    /// Largest file that is read or converted for a client, in MB of 1,048,576 bytes.
    pub media_max_mb: u64,
    /// What converts attachments: a path, or a name to look for.
    pub ffmpeg: PathBuf,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ContactsFolder {
    Folder(PathBuf),
    Off(bool),
}

/// How messages leave.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Send {
    /// After this many seconds, osascript is stopped and the outcome is unknown.
    pub timeout_seconds: u64,
    /// Where files to send are copied to, so that Messages may read them.
    pub staging_dir: Option<PathBuf>,
    /// To whom messages may leave: `"everybody"`, `"known"` for chats in which somebody else has written, or a list with
    /// entries as in `policy.allow_from`.
    pub allow_to: AllowTo,
    /// Messages to one chat within a minute; what is more waits its turn. 0 for no limit.
    pub per_chat_per_minute: u32,
    /// Messages to all chats within a minute; what is more waits its turn. 0 for no limit.
    pub per_minute: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AllowTo {
    Word(Everybody),
    List(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Everybody {
    Everybody,
    Known,
}

/// The keys of the bundled policies; each has its own default.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Bundled policies that are in force, all by default.
    pub bundled: Option<Vec<Bundled>>,
    /// Who may write directly.
    pub dm_policy: Option<DmPolicy>,
    /// Where direct messages are routed.
    pub dm_scope: Option<DmScope>,
    /// Numbers, e-mail addresses, `chat_id:…`, `chat_guid:…`, `chat_identifier:…`, or `*`.
    pub allow_from: Option<Vec<String>>,
    /// The same; wins over everything.
    pub deny_from: Option<Vec<String>>,
    /// How long a pairing code is good: seconds, or text such as `1h`.
    pub ttl: Option<Ttl>,
    /// Pairing requests that may wait at the same time.
    pub max_pending: Option<u32>,
    /// What a stranger is answered, with `{code}` for the code; `false` for nothing.
    pub reply: Option<Reply>,
    /// Deliver what was held when its sender is approved.
    pub release_held: Option<bool>,
    /// Which groups may be heard.
    pub group_policy: Option<GroupPolicy>,
    /// Who may be heard in groups; everybody where empty.
    pub group_allow_from: Option<Vec<String>>,
    /// What counts as a mention beside Messages' own.
    pub mention_patterns: Option<Vec<String>>,
    /// Groups by chat id, guid or identifier; `*` for all others.
    pub groups: Option<BTreeMap<String, Group>>,
    /// Messages without a mention that ride along with the next one that has one.
    pub history_limit: Option<usize>,
    /// Longest message that is sent, in UTF-16 units.
    pub text_chunk_limit: Option<usize>,
    /// Where a long text is cut.
    pub chunk_mode: Option<ChunkMode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bundled {
    Allowlist,
    Pairing,
    Group,
    Chunking,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DmPolicy {
    Pairing,
    Allowlist,
    Open,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DmScope {
    Main,
    Peer,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupPolicy {
    Allowlist,
    Open,
    Disabled,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChunkMode {
    Length,
    Newline,
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Ttl {
    Seconds(u64),
    Text(String),
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Reply {
    Text(String),
    Off(bool),
}

/// Rules for one group.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Deliver only what mentions us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_mention: Option<bool>,
    /// Who may be heard here, instead of `group_allow_from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<String>>,
    /// Route of this group's messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// One plugin of yours.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginTable {
    /// Named like a bundled policy, it takes that one's place.
    pub name: String,
    /// Relative to the plugins folder.
    pub path: PathBuf,
    /// Asked before or after the bundled policies.
    #[serde(default)]
    pub position: Position,
    /// What the plugin's `configure` gets.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    pub config: toml::Table,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    #[default]
    Before,
    After,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {detail}")]
    Invalid { path: PathBuf, detail: String },
    #[error("{0} and {1} both name a configuration; say only one of them")]
    Two(&'static str, &'static str),
    #[error("{0}")]
    AccountName(String),
    #[error(
        "there is no account `{name}`, as {path} is not there. There are: {known}. `imsgd config set messages.db FILE \
         --account {name}` begins it"
    )]
    NoAccount { name: String, path: PathBuf, known: String },
    #[error("{db} is the database of two accounts, {} and {}; say with --account which is meant", accounts[0], accounts[1])]
    SharedDb { db: PathBuf, accounts: [String; 2] },
    #[error("there is no home folder; name a configuration file with --config and set server.state_dir in it")]
    NoHome,
}

impl Config {
    /// As [`Config::load`], of a text that is to be the file at `path`.
    pub fn of_text(text: &str, path: &Path, overrides: &Overrides) -> Result<Config, Error> {
        Config::parse(text, path)?.overridden(overrides)
    }

    pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
        let invalid = |detail: String| Error::Invalid { path: path.to_owned(), detail };
        let table: toml::Table = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        // A schema is put together only to name what is wrong: every start of a process comes by here.
        let config: Config = toml::from_str(text).map_err(|error| {
            let unknown = keys::first_unknown(&table, &schema());
            invalid(unknown.map_or_else(|| error.to_string(), |unknown| unknown.to_string()))
        })?;
        let is_db_named = table.get("messages").and_then(|messages| messages.get("db")).is_some();
        let config = Config { path: path.to_owned(), is_db_named, ..config };
        config.check().map_err(invalid)?;
        Ok(config)
    }

    fn overridden(mut self, overrides: &Overrides) -> Result<Config, Error> {
        self.account = Choice::of(overrides)?.account();
        if self.account.is_some() && overrides.db.is_none() && !self.is_db_named {
            let detail = "messages.db: must be there; an account's configuration says which database it is for";
            return Err(Error::Invalid { path: self.path, detail: detail.to_owned() });
        }
        let of_file = canonical(&self.messages.db);
        if let Some(db) = &overrides.db {
            self.messages.db.clone_from(db);
        }
        self.messages.db = canonical(&self.messages.db);
        self.is_other_db = self.messages.db != of_file;
        self.path = absolute(&self.path);
        if let Some(socket) = &overrides.socket {
            self.server.socket = Some(socket.clone());
            self.is_socket_named = true;
        }
        if self.server.state_dir.is_none() && etcetera::choose_base_strategy().is_err() {
            return Err(Error::NoHome);
        }
        Ok(self)
    }

    fn check(&self) -> Result<(), String> {
        let Some(normalizer) = crate::address::Normalizer::new(&self.messages.region) else {
            return Err(format!("messages.region: `{}` is not the code of a region, as `US` is", self.messages.region));
        };
        if let Err(detail) = crate::outbox::allow::check(&self.send.allow_to, &normalizer) {
            return Err(format!("send.allow_to: {detail}"));
        }
        if matches!(self.messages.contacts, ContactsFolder::Off(true)) {
            return Err("messages.contacts: must be a folder, or false".to_owned());
        }
        if let Err(detail) = Roots::new(self.messages.attachment_roots.as_deref().unwrap_or_default()) {
            return Err(format!("messages.attachment_roots: {detail}"));
        }
        if self.messages.media_max_mb == 0 {
            return Err("messages.media_max_mb: must be at least 1".to_owned());
        }
        if self.server.max_line_bytes < 1024 {
            return Err("server.max_line_bytes: must be at least 1024".to_owned());
        }
        if self.send.timeout_seconds == 0 {
            return Err("send.timeout_seconds: must be at least 1".to_owned());
        }
        for (key, most, value) in [
            ("policy.history_limit", MOST_HISTORY, self.policy.history_limit),
            ("policy.max_pending", MOST_PENDING, self.policy.max_pending.map(|pending| pending as usize)),
        ] {
            if value.is_some_and(|value| value > most) {
                return Err(format!("{key}: must be {most} or less"));
            }
        }
        self.server.check()?;
        self.journal.check()?;
        for (index, plugin) in self.plugin.iter().enumerate() {
            let is_name = !plugin.name.is_empty()
                && plugin.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
            if !is_name {
                return Err(format!("plugin[{index}].name: `{}` has more than a-z, 0-9, - and _", plugin.name));
            }
            if self.plugin[..index].iter().any(|other| other.name == plugin.name) {
                return Err(format!("plugin[{index}].name: `{}` is there twice", plugin.name));
            }
        }
        Ok(())
    }

    /// Where this database's state is kept.
    pub fn state_dir(&self) -> PathBuf {
        let folder = match &self.server.state_dir {
            Some(folder) => expand(folder),
            None => {
                let base = etcetera::choose_base_strategy().ok();
                let base = base.and_then(|base| base.state_dir().or(Some(base.data_dir()))).unwrap_or_default();
                let folder = base.join("imsgd");
                self.account.as_ref().map_or_else(|| folder.clone(), |name| folder.join("accounts").join(name))
            }
        };
        let is_usual = match (&self.server.state_dir, &self.account) {
            (Some(_), _) | (None, Some(_)) => !self.is_other_db,
            (None, None) => self.is_of_messages(),
        };
        if is_usual {
            return folder;
        }
        // Each other database has its own daemon, and so its own state and socket.
        let digest = Sha256::digest(self.messages.db.as_os_str().as_encoded_bytes());
        let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        folder.join(format!("db-{short}"))
    }

    /// Is it about what Messages of this user has, and not an account's?
    pub fn is_of_messages(&self) -> bool {
        self.account.is_none() && self.messages.db == canonical(Path::new(DEFAULT_DB))
    }

    pub fn socket(&self) -> PathBuf {
        let of_file = self.server.socket.as_deref().filter(|_| !self.is_other_db || self.is_socket_named);
        of_file.map_or_else(|| self.state_dir().join("imsgd.sock"), expand)
    }

    /// Where the owner's own commands are served, beside state.db.
    pub fn owner_socket(&self) -> PathBuf {
        self.state_dir().join("owner.sock")
    }

    pub fn is_socket_named(&self) -> bool {
        self.is_socket_named
    }

    pub fn plugins_dir(&self) -> PathBuf {
        match &self.server.plugins_dir {
            Some(folder) => expand(folder),
            None => self.path.parent().unwrap_or(Path::new("")).join("plugins"),
        }
    }

    /// Where names are read from; `None` where that is turned off.
    pub fn contacts_dir(&self) -> Option<PathBuf> {
        match &self.messages.contacts {
            ContactsFolder::Folder(folder) => Some(absolute(&expand(folder))),
            ContactsFolder::Off(_) => None,
        }
    }

    pub fn staging_dir(&self) -> PathBuf {
        match &self.send.staging_dir {
            Some(folder) => expand(folder),
            // Messages may read its own folder, and not much else.
            None if cfg!(target_os = "macos") => expand(Path::new("~/Library/Messages/Attachments/imsgd")),
            None => self.state_dir().join("staging"),
        }
    }

    /// Whose files clients may read.
    pub fn attachment_roots(&self) -> Roots {
        match &self.messages.attachment_roots {
            // Patterns that cannot be read were refused with the file; none let anything be read.
            Some(patterns) => Roots::new(patterns).unwrap_or_else(|_| Roots::folders([])),
            None => Roots::folders(MESSAGES_FOLDERS.map(|folder| self.messages.db.with_file_name(folder))),
        }
    }

    /// Where converted attachments are kept, of all databases together: their names tell the files apart.
    pub fn converted_dir(&self) -> PathBuf {
        match etcetera::base_strategy::choose_native_strategy() {
            Ok(base) => base.cache_dir().join("imsgd/converted-attachments"),
            Err(_) => self.state_dir().join("converted-attachments"),
        }
    }

    /// The largest file that is read for a client.
    pub fn media_max_bytes(&self) -> u64 {
        self.messages.media_max_mb.saturating_mul(1 << 20)
    }

    /// The keys of one bundled policy, as its `configure` gets them.
    pub fn bundled_config(&self, name: &str) -> String {
        let keys: &[&str] = match name {
            "allowlist" => &["dm_policy", "dm_scope", "allow_from", "deny_from"],
            "pairing" => &["ttl", "max_pending", "reply", "release_held", "dm_scope"],
            "group" => {
                &["group_policy", "group_allow_from", "deny_from", "mention_patterns", "groups", "history_limit"]
            }
            "chunking" => &["text_chunk_limit", "chunk_mode"],
            _ => &[],
        };
        let all = serde_json::to_value(&self.policy).unwrap_or_default();
        let given: Map<String, Value> = keys
            .iter()
            .filter_map(|key| all.get(*key).filter(|value| !value.is_null()).map(|v| ((*key).to_owned(), v.clone())))
            .collect();
        Value::Object(given).to_string()
    }

    pub fn is_bundled_in_force(&self, name: &str) -> bool {
        let of = |bundled: &Bundled| match bundled {
            Bundled::Allowlist => "allowlist",
            Bundled::Pairing => "pairing",
            Bundled::Group => "group",
            Bundled::Chunking => "chunking",
        };
        self.policy.bundled.as_ref().is_none_or(|listed| listed.iter().any(|bundled| of(bundled) == name))
    }
}

/// JSON Schema of the file.
pub fn schema() -> Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// A path that may begin with the home folder's short form.
pub fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The one name of a database, however it is spelled: two spellings must not get two daemons.
fn canonical(path: &Path) -> PathBuf {
    let path = absolute(&expand(path));
    if let Ok(found) = std::fs::canonicalize(&path) {
        return found;
    }
    // It may not be there yet, in a folder that is.
    let folder = path.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Later commands run in other folders, and a daemon in none in particular.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Where Messages keeps files, beside its database.
const MESSAGES_FOLDERS: [&str; 2] = ["Attachments", "StickerCache"];

/// A person's fastest: two seconds for each message. An answer of ten pieces leaves at once, also the third in a minute;
/// two bots that answer each other do not.
const PER_CHAT_PER_MINUTE: u32 = 30;

/// Apple publishes no limit, and is said to flag accounts that write to many people in a short time. One a second over a
/// whole minute is about what Messages itself can do through AppleScript.
const PER_MINUTE: u32 = 60;

/// Observed messages that one notification may carry.
const MOST_HISTORY: usize = 1000;

/// Strangers who may wait for the owner at the same time: each is a code that could be guessed.
const MOST_PENDING: usize = 1000;

const DEFAULT_DB: &str = "~/Library/Messages/chat.db";
const DEFAULT_CONTACTS: &str = "~/Library/Application Support/AddressBook";

impl Default for Messages {
    fn default() -> Messages {
        Messages {
            db: DEFAULT_DB.into(),
            osascript: "/usr/bin/osascript".into(),
            region: "US".to_owned(),
            contacts: ContactsFolder::Folder(DEFAULT_CONTACTS.into()),
            attachment_roots: None,
            media_max_mb: 16,
            ffmpeg: "ffmpeg".into(),
        }
    }
}

impl Default for Send {
    fn default() -> Send {
        Send {
            timeout_seconds: 150,
            staging_dir: None,
            allow_to: AllowTo::Word(Everybody::Everybody),
            per_chat_per_minute: PER_CHAT_PER_MINUTE,
            per_minute: PER_MINUTE,
        }
    }
}

#[cfg(test)]
mod tests;
