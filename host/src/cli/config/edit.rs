//! `imsgd config get`, `set`, `unset`, `add` and `remove`: the owner's own hand on the configuration file.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::chain;
use crate::cli::{Global, Where, client, look, print, say};
use crate::config::Config;
use crate::config::edit::{self, Change};
use crate::config::file::File;
use crate::config::key::Key;
use crate::plugin::PluginEngine;
use crate::reload::edit::apply;
use crate::roster::Roster;

fn parsed(key: &str) -> anyhow::Result<Key> {
    Key::parse(key).map_err(|error| anyhow!(error))
}

pub fn get(global: &Global, key: Option<&str>) -> anyhow::Result<ExitCode> {
    let key = key.map(parsed).transpose()?;
    let path = global.path()?;
    let file = File::read(&path)?;
    let value = match &key {
        Some(key) => edit::found(file.text(), key),
        None => edit::all(file.text()).map(Some),
    };
    let value = value.map_err(|error| anyhow!("{}: {error}", path.display()))?;
    match (&key, value) {
        (_, value) if global.json => {
            print(&format!(
                "{}\n",
                json!({"key": key.map(|key| key.to_string()), "set": value.is_some(), "value": value})
            ));
        }
        (_, Some(value)) => match look::harmless(value) {
            Value::String(text) => print(&format!("{text}\n")),
            value => print(&format!("{value:#}\n")),
        },
        (Some(key), None) => say(&format!("{key} is not set; its default is in force")),
        (None, None) => {}
    }
    Ok(ExitCode::SUCCESS)
}

pub fn set(global: &Global, key: &str, value: &str) -> anyhow::Result<ExitCode> {
    let key = parsed(key)?;
    let value = meant(&key.schema().unwrap_or_default(), value);
    change(global, &key, &Change::Set(value))
}

pub fn unset(global: &Global, key: &str) -> anyhow::Result<ExitCode> {
    change(global, &parsed(key)?, &Change::Unset)
}

pub fn add(global: &Global, key: &str, entry: &str) -> anyhow::Result<ExitCode> {
    let key = parsed(key)?;
    change(global, &key, &Change::Add(meant(&key.entry_schema().unwrap_or_default(), entry)))
}

pub fn remove(global: &Global, key: &str, entry: &str) -> anyhow::Result<ExitCode> {
    let key = parsed(key)?;
    change(global, &key, &Change::Remove(meant(&key.entry_schema().unwrap_or_default(), entry)))
}

/// A value as TOML has it; where that is none, or none that may stand here, the text as it is: nobody wants to quote
/// words and telephone numbers for a shell and for TOML too.
fn meant(schema: &Value, text: &str) -> Value {
    let as_toml =
        edit::all(&format!("value = {text}")).ok().filter(|all| all.as_object().is_some_and(|all| all.len() == 1));
    match as_toml.map(|mut all| all["value"].take()) {
        Some(value) if takes(schema, kind(&value)) => value,
        Some(value) if !takes(schema, "string") => value,
        _ => text.into(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn takes(schema: &Value, kind: &str) -> bool {
    let ways = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    if let Some(ways) = ways {
        return ways.iter().any(|way| takes(way, kind));
    }
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(some)) => some.iter().any(|one| one == kind),
        _ => schema.get("enum").is_none() || kind == "string",
    }
}

fn change(global: &Global, key: &Key, change: &Change) -> anyhow::Result<ExitCode> {
    let overrides = global.overrides(&Where::default());
    let path = global.path()?;
    let problems = |config: &Config| problems(config, Config::load(&overrides).ok().as_ref());
    let edited = apply(&path, &overrides, key, change, problems)?;
    let is_in_force = if edited.is_changed { reloaded(&global.load(&Where::default())?)? } else { None };
    let restart_needed = edited.is_changed && key.is_read_at_start();
    if global.json {
        let answer = json!({
            "ok": true, "key": key.to_string(), "changed": edited.is_changed, "value": edited.value,
            "in_force": is_in_force, "restart_needed": restart_needed,
        });
        print(&format!("{answer}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let now = edited.value.map_or("not set, so that its default is in force".to_owned(), |value| value.to_string());
    let when = match (edited.is_changed, restart_needed, is_in_force) {
        (false, ..) => "as it was before",
        (true, true, _) => "takes effect when imsgd is started again",
        (true, false, Some(true)) => "in force now",
        (true, false, _) => "in force when imsgd is started",
    };
    print(&format!("{key}: {now} ({when})\n"));
    Ok(ExitCode::SUCCESS)
}

/// What the plugins have against a configuration and had nothing against the one before.
fn problems(config: &Config, before: Option<&Config>) -> Vec<(String, String)> {
    let engine = match PluginEngine::new() {
        Ok(engine) => engine,
        Err(error) => return vec![("imsgd".to_owned(), format!("the plugin engine did not start: {error}"))],
    };
    let mut roster = Roster::new(engine.clone());
    let mut of = |config: &Config| chain::rehearse(&engine, roster.survey(config), &config.messages.region);
    let old = before.map(&mut of).unwrap_or_default();
    of(config).into_iter().filter(|problem| !old.contains(problem)).collect()
}

/// Has the daemon that uses this file read it. None where there is none.
fn reloaded(config: &Config) -> anyhow::Result<Option<bool>> {
    let Some(stream) = client::connect(config) else { return Ok(None) };
    let status = client::call_on(stream, "status", &json!({}))?;
    if status["imsgd"]["config"]["path"] != config.path.display().to_string() {
        return Ok(None);
    }
    client::call(config, "plugins.reload", &json!({}))
        .map_err(|error| anyhow!("the file was changed, but the daemon did not take it: {error}"))?;
    Ok(Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_what_may_stand_there() {
        let of = |key: &str, text: &str| meant(&parsed(key).unwrap().schema().unwrap(), text);
        assert_eq!(of("policy.dm_policy", "open"), "open");
        assert_eq!(of("policy.dm_policy", "'open'"), "open");
        assert_eq!(of("policy.reply", "false"), false);
        assert_eq!(of("policy.ttl", "90"), 90);
        assert_eq!(of("policy.ttl", "2h"), "2h");
        assert_eq!(of("policy.allow_from", "['a']"), json!(["a"]));
        assert_eq!(of("policy.groups.42.route", "7"), "7");
        assert_eq!(of("plugin.a.config.x", "22:00"), "22:00");
        assert_eq!(of("plugin.a.config.x", "7"), 7);
        assert_eq!(of("send.per_minute", "many"), "many");
        let entry = |key: &str, text: &str| meant(&parsed(key).unwrap().entry_schema().unwrap(), text);
        assert_eq!(entry("policy.allow_from", "+15551234567"), "+15551234567");
        assert_eq!(entry("send.allow_to", "+15551234567"), "+15551234567");
        assert_eq!(entry("policy.mention_patterns", "a = 1\nb"), "a = 1\nb");
    }
}
