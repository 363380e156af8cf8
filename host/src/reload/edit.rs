//! Changing one key of the configuration file: checked whole before it is written, and in force after.

use std::path::Path;

use serde_json::Value;
use tokio::sync::oneshot;

use super::{Reloader, Thread, Wake};
use crate::chain::Install;
use crate::config::edit::{self, Change};
use crate::config::file::{self, File};
use crate::config::key::Key;
use crate::config::{Config, Overrides};
use crate::judge::Request;

/// A change that a client asks for.
pub struct Order {
    pub key: Key,
    pub change: Change,
    pub reply: oneshot::Sender<Result<Edited, Error>>,
}

/// What an edit did.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// False where the file said so before.
    pub is_changed: bool,
    /// What the file says of the key now.
    pub value: Option<Value>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was written.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    File(#[from] file::Error),
    #[error("the file says so now, but what it says is not in force: {0}")]
    NotInForce(String),
    #[error("server is shutting down")]
    Stopping,
}

impl From<edit::Error> for Error {
    fn from(error: edit::Error) -> Error {
        Error::Refused(error.to_string())
    }
}

/// Changes the file at `path`, if the whole of it is right then. `problems` says what else speaks against a
/// configuration, by the plugin's name.
pub fn apply(
    path: &Path,
    overrides: &Overrides,
    key: &Key,
    change: &Change,
    problems: impl FnOnce(&Config) -> Vec<(String, String)>,
) -> Result<Edited, Error> {
    let file = File::read(path)?;
    let text = edit::edited(file.text(), key, change)?;
    let is_changed = text != file.text();
    if is_changed {
        let config = Config::of_text(&text, path, overrides).map_err(|error| Error::Refused(error.to_string()))?;
        let problems = problems(&config);
        if !problems.is_empty() {
            let problems: Vec<String> = problems.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            return Err(Error::Refused(problems.join("; ")));
        }
        file.replace(&text)?;
    }
    Ok(Edited { is_changed, value: edit::found(&text, key)? })
}

impl Reloader {
    /// Changes one key of the file, and puts that in force.
    pub async fn edit(&self, key: Key, change: Change) -> Result<Edited, Error> {
        let (reply, answer) = oneshot::channel();
        let order = Box::new(Order { key, change, reply });
        self.wake.send(Wake::Edit(order)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?
    }
}

impl Thread {
    pub(super) fn carry_out(&mut self, order: Order) {
        let Order { key, change, reply } = order;
        let _ = reply.send(self.edit(&key, &change));
    }

    fn edit(&mut self, key: &Key, change: &Change) -> Result<Edited, Error> {
        let path = self.parts.config.load().path.clone();
        let overrides = self.parts.overrides.clone();
        let edited = apply(&path, &overrides, key, change, |config| self.problems(config))?;
        if edited.is_changed {
            // Not the whole key: a group's is made of addresses.
            let table = key.parts().iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
            tracing::info!("a client changed the configuration in {table}");
            self.reload().map_err(Error::NotInForce)?;
        } else if let Some(reason) = self.config_error.lock().clone() {
            // The file says it, but what is in force is another.
            return Err(Error::NotInForce(reason));
        }
        Ok(edited)
    }

    /// What a reload would refuse.
    fn problems(&mut self, config: &Config) -> Vec<(String, String)> {
        if !config.server.config_writes {
            return vec![(
                "server.config_writes".to_owned(),
                "the file says that clients may change nothing".to_owned(),
            )];
        }
        let Some(install) = self.install_of(config, true) else { return Vec::new() };
        let (reply, answer) = oneshot::channel();
        let asked: Result<(), _> = self.parts.judge.blocking_send(Request::Rehearse(Box::new(install), reply));
        let stopping = || vec![("imsgd".to_owned(), Error::Stopping.to_string())];
        asked.map_or_else(|_| stopping(), |()| answer.blocking_recv().unwrap_or_else(|_| stopping()))
    }

    /// None where the region is not one, which was refused before.
    pub(super) fn install_of(&mut self, config: &Config, all_or_nothing: bool) -> Option<Install> {
        let candidates = self.parts.roster.survey(config);
        let normalizer = std::sync::Arc::new(crate::address::Normalizer::new(&config.messages.region)?);
        let settings = super::settings(config, normalizer.clone());
        Some(Install { candidates, settings, normalizer, all_or_nothing })
    }
}
