//! `config.get`, `config.set`, `config.unset`, `config.add` and `config.remove`: the configuration file, key by key.

use super::error::RpcError;
use super::param::Param;
use super::params::Params;
use super::wire::config::{ConfigChanged, ConfigValue};
use super::{Answer, Service, answer};
use crate::config::edit::{self, Change};
use crate::config::file::{self, File};
use crate::config::key::Key;
use crate::reload::edit::Error;

const KEY: Param = Param::text("key")
    .required()
    .about("Dotted as in TOML, where a part may stand in quotes. A plugin's table goes by its name.");

pub const GET: &[Param] =
    &[Param::text("key").selector().about("As `config.set` takes it. Absent: all that the file says.")];
pub const SET: &[Param] =
    &[KEY, Param::any("value").required().about("What it is to be, as the configuration's schema has it.")];
pub const UNSET: &[Param] = &[KEY];
pub const ENTRY: &[Param] = &[KEY, Param::any("value").required().about("One entry of the list.")];

/// The owner's word that clients may only read.
const READ_ONLY: i64 = -32005;

fn key(params: &Params) -> Result<Key, RpcError> {
    Key::parse(&params.required_text("key")?).map_err(RpcError::params)
}

/// What the file says, which is not in force where `status` says that it was refused.
pub async fn get(service: &Service, params: &Params) -> Answer {
    let key = if params.has("key") { Some(key(params)?) } else { None };
    let path = service.config.load().path.clone();
    let read = move || {
        let file = File::read(&path).map_err(RpcError::internal)?;
        let value = match &key {
            Some(key) => edit::found(file.text(), key),
            None => edit::all(file.text()).map(Some),
        };
        Ok::<_, RpcError>((key, value.map_err(RpcError::internal)?))
    };
    let (key, value) = tokio::task::spawn_blocking(read).await.map_err(RpcError::internal)??;
    answer(&ConfigValue { key: key.map(|key| key.to_string()), set: value.is_some(), value })
}

pub async fn set(service: &Service, params: &Params) -> Answer {
    change(service, params, Change::Set(params.required_any("value")?)).await
}

pub async fn unset(service: &Service, params: &Params) -> Answer {
    change(service, params, Change::Unset).await
}

pub async fn add(service: &Service, params: &Params) -> Answer {
    change(service, params, Change::Add(params.required_any("value")?)).await
}

pub async fn remove(service: &Service, params: &Params) -> Answer {
    change(service, params, Change::Remove(params.required_any("value")?)).await
}

async fn change(service: &Service, params: &Params, change: Change) -> Answer {
    let key = key(params)?;
    if !service.config.load().server.config_writes {
        let detail = "clients may not change the configuration: server.config_writes is false";
        return Err(RpcError { code: READ_ONLY, message: "Configuration is read-only", data: detail.into() });
    }
    if !key.is_for_clients() {
        return Err(RpcError::params(format!(
            "`{key}` is for the owner of this Mac to change, with `imsgd config`; clients may change keys of policy \
             and plugin.NAME.config"
        )));
    }
    let edited = service.reloader.edit(key.clone(), change).await.map_err(refusal)?;
    let restart_needed = edited.is_changed && key.is_read_at_start();
    answer(&ConfigChanged {
        ok: true,
        key: key.to_string(),
        changed: edited.is_changed,
        value: edited.value,
        restart_needed,
    })
}

fn refusal(error: Error) -> RpcError {
    match &error {
        Error::Refused(_) => RpcError::params(error.to_string()),
        Error::Stopping | Error::File(file::Error::Changed(_)) => RpcError::busy(&error.to_string()),
        Error::File(_) | Error::NotInForce(_) => RpcError::internal(error),
    }
}
