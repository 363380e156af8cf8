//! Which file is the configuration: what the command line says, else the environment, else the usual one. An account is
//! one of several configurations of the same person, each with its own database, state, socket and plugins.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{Config, Error, absolute, canonical};

/// Environment variable that names the configuration file, where the command line names none.
pub const CONFIG_VARIABLE: &str = "IMSGD_CONFIG";

/// Environment variable that names the account, where the command line names none.
pub const ACCOUNT_VARIABLE: &str = "IMSGD_ACCOUNT";

/// So that the path of the account's socket is not too long for the system, with the longest names of users.
const NAME_BYTES: usize = 32;

/// What the command line says about files; wins over the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub account: Option<String>,
    pub db: Option<PathBuf>,
    pub socket: Option<PathBuf>,
}

/// Whose configuration is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    File(PathBuf),
    Account(String),
    Usual,
}

impl Choice {
    /// What the command line names counts before what the environment names. To name both a file and an account in the
    /// same place is an error.
    pub fn of(overrides: &Overrides) -> Result<Choice, Error> {
        let said = Choice::between(overrides.config.clone(), overrides.account.clone(), ["--config", "--account"])?;
        if said != Choice::Usual {
            return Ok(said);
        }
        let file = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from);
        let account = std::env::var_os(ACCOUNT_VARIABLE).filter(|name| !name.is_empty());
        let account = account.map(|name| name.to_string_lossy().into_owned());
        Choice::between(file, account, [CONFIG_VARIABLE, ACCOUNT_VARIABLE])
    }

    fn between(file: Option<PathBuf>, account: Option<String>, names: [&'static str; 2]) -> Result<Choice, Error> {
        match (file, account) {
            (Some(_), Some(_)) => Err(Error::Two(names[0], names[1])),
            (Some(file), None) => Ok(Choice::File(file)),
            (None, Some(account)) => account_name(&account).map(Choice::Account).map_err(Error::AccountName),
            (None, None) => Ok(Choice::Usual),
        }
    }

    pub fn path(&self) -> Result<PathBuf, Error> {
        Ok(match self {
            Choice::File(file) => file.clone(),
            Choice::Account(name) => accounts_dir()?.join(name).join("config.toml"),
            Choice::Usual => config_dir()?.join("config.toml"),
        })
    }

    pub fn account(self) -> Option<String> {
        match self {
            Choice::Account(name) => Some(name),
            Choice::File(_) | Choice::Usual => None,
        }
    }
}

impl Config {
    /// Reads the file that `overrides` or the environment names, or the one in its usual place if it is there. Where only
    /// a database is named, and it is an account's, that account is meant.
    pub fn load(overrides: &Overrides) -> Result<Config, Error> {
        let choice = Choice::of(overrides)?;
        let is_usual = choice == Choice::Usual;
        let config = Config::load_from(choice, overrides)?;
        if is_usual
            && config.is_other_db
            && let Some(account) = account_of(&config.messages.db)?
        {
            let choice = Choice::Account(account.clone());
            return Config::load_from(choice, &Overrides { account: Some(account), ..overrides.clone() });
        }
        Ok(config)
    }

    fn load_from(choice: Choice, overrides: &Overrides) -> Result<Config, Error> {
        let path = absolute(&choice.path()?);
        match choice {
            Choice::Usual if !path.exists() => return Config { path, ..Config::default() }.overridden(overrides),
            Choice::Account(name) if !path.exists() => return Err(no_account(&name, path)),
            _ => {}
        }
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        Config::parse(&text, &path)?.overridden(overrides)
    }

    /// Where the file is, or would be.
    pub fn path(overrides: &Overrides) -> Result<PathBuf, Error> {
        Ok(absolute(&Choice::of(overrides)?.path()?))
    }
}

/// The account that is for this database.
fn account_of(db: &Path) -> Result<Option<String>, Error> {
    let mut found: Option<String> = None;
    for name in accounts() {
        let path = Choice::Account(name.clone()).path()?;
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let config = Config::parse(&text, &path)?;
        if !config.is_db_named || canonical(&config.messages.db) != db {
            continue;
        }
        if let Some(other) = found.replace(name.clone()) {
            return Err(Error::SharedDb { db: db.to_owned(), accounts: [other, name] });
        }
    }
    Ok(found)
}

/// Those that have a configuration, by name.
fn accounts() -> Vec<String> {
    let entries = accounts_dir().ok().and_then(|folder| std::fs::read_dir(folder).ok());
    let mut names: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("config.toml").exists())
        .filter_map(|entry| account_name(entry.file_name().to_str()?).ok())
        .collect();
    names.sort_unstable();
    names
}

/// A name that is a folder's too.
pub fn account_name(name: &str) -> Result<String, String> {
    let is_right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_right);
    match is_name && name.len() <= NAME_BYTES {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "`{name}` is no name of an account: {NAME_BYTES} letters and digits at most, with -, _ and . among them"
        )),
    }
}

/// That there is no configuration for an account, and for which there are.
fn no_account(name: &str, path: PathBuf) -> Error {
    let known = accounts();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::NoAccount { name: name.to_owned(), path, known }
}

fn config_dir() -> Result<PathBuf, Error> {
    let base = etcetera::choose_base_strategy().map_err(|_| Error::NoHome)?;
    Ok(base.config_dir().join("imsgd"))
}

fn accounts_dir() -> Result<PathBuf, Error> {
    Ok(config_dir()?.join("accounts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_folder_and_never_a_path() {
        for name in ["work", "Ann-2", "a.b_c", "0", &"x".repeat(32)] {
            assert_eq!(account_name(name).as_deref(), Ok(name));
        }
        for name in ["", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "a b", "ä", "a\n", &"x".repeat(33)] {
            assert!(account_name(name).unwrap_err().contains("no name of an account"), "{name:?}");
        }
    }

    #[test]
    fn a_file_and_an_account_are_not_named_together() {
        let of = |config: Option<&str>, account: Option<&str>| {
            let overrides = Overrides {
                config: config.map(PathBuf::from),
                account: account.map(str::to_owned),
                ..Overrides::default()
            };
            Choice::of(&overrides).map_err(|error| error.to_string())
        };
        assert_eq!(of(Some("/c.toml"), None), Ok(Choice::File("/c.toml".into())));
        assert_eq!(of(None, Some("work")), Ok(Choice::Account("work".to_owned())));
        let error = of(Some("/c.toml"), Some("work")).unwrap_err();
        assert_eq!(error, "--config and --account both name a configuration; say only one of them");
    }
}
