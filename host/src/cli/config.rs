//! `imsgd config`: where the configuration is, whether it is right, and what it may say.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Global, Where, print};
use crate::config::{self, BUNDLED};
use crate::plugin::PluginEngine;
use crate::roster::Roster;

mod edit;
mod import;

#[derive(Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print where the configuration file is looked for
    Path,
    /// Check the configuration and every plugin that it names
    Check,
    /// Print what the file says of a key, or all of it
    Get { key: Option<String> },
    /// Set a key, keeping comments; what is wrong is refused before it is written
    Set {
        /// Dotted, as policy.dm_policy or plugin.NAME.config.x
        key: String,
        /// As TOML has it; words and telephone numbers may do without quotes
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take a key out, so that its default is in force
    Unset { key: String },
    /// Add one entry to a list, as policy.allow_from
    Add { key: String, entry: String },
    /// Take one entry out of a list
    Remove { key: String, entry: String },
    /// Print the JSON Schema of the configuration
    Schema,
    /// Make a configuration of what an OpenClaw gateway has for iMessage
    Import(import::Import),
}

impl ConfigCommand {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Path => print(&format!("{}\n", global.path()?.display())),
            Action::Schema => print(&format!("{:#}\n", config::schema())),
            Action::Check => return check(global),
            Action::Get { key } => return edit::get(global, key.as_deref()),
            Action::Set { key, value } => return edit::set(global, &key, &value),
            Action::Unset { key } => return edit::unset(global, &key),
            Action::Add { key, entry } => return edit::add(global, &key, &entry),
            Action::Remove { key, entry } => return edit::remove(global, &key, &entry),
            Action::Import(import) => return import.run(global),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn check(global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load(&Where::default())?;
    let problems = problems(&config)?;
    for (name, problem) in &problems {
        let problem = anyhow::anyhow!("{}: {name}: {problem}", config.path.display());
        super::failure::print(&problem, global.json);
    }
    if !problems.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let file = if config.path.exists() { "is right" } else { "is not there; the defaults are right" };
    let bundled = BUNDLED.iter().filter(|name| config.is_bundled_in_force(name)).count();
    let own = config.plugin.len();
    print(&format!("{} {file}: {bundled} bundled policies, {own} plugins of yours\n", config.path.display()));
    Ok(ExitCode::SUCCESS)
}

/// What the policies refuse of it, each by its name.
fn problems(config: &config::Config) -> anyhow::Result<Vec<(String, String)>> {
    let engine = PluginEngine::new().map_err(|error| anyhow::anyhow!("the plugin engine did not start: {error}"))?;
    let candidates = Roster::new(engine.clone()).survey(config);
    Ok(crate::chain::rehearse(&engine, candidates, &config.messages.region))
}
