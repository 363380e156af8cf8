//! `imsgd config import`: makes a configuration of a gateway's.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::problems;
use crate::cli::{Global, Where, print, say};
use crate::config::file::File;
use crate::config::{Config, Overrides, import};

#[derive(Args)]
pub struct Import {
    /// The gateway's file, such as ~/.openclaw/openclaw.json; `-` for stdin
    file: PathBuf,
    /// Write it to where the configuration is looked for
    #[arg(long)]
    write: bool,
    /// Write over a configuration that is there, and keep that one beside it
    #[arg(long, requires = "write")]
    force: bool,
}

impl Import {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let text = self.read()?;
        // The gateway's account of that name is the one of ours; with --config it may be another.
        let imported = import::openclaw(&text, global.account.as_deref())
            .map_err(|error| anyhow!("{}: {error}", self.file.display()))?;
        let made = format!("# From a gateway's configuration, by `imsgd config import`.\n\n{}", imported.config);
        let overrides = global.overrides(&Where::default());
        let account = overrides.account.filter(|_| overrides.config.is_none());
        let path = Config::path(&Overrides { account, ..overrides })?;
        let config = Config::parse(&made, &path).map_err(|error| anyhow!("what came out is not right: {error}"))?;
        let problems = problems(&config)?;
        if !global.json {
            tell(&imported);
        }
        for (name, problem) in &problems {
            say(&format!("not right: {name}: {problem}"));
        }
        if !problems.is_empty() && self.write {
            bail!("nothing was written: mend what is not right in {}, and import it again", self.file.display());
        }
        let written = match self.write {
            true => Some(self.put(&path, &made)?),
            false => None,
        };
        if global.json {
            let pairs = |pairs: &[(String, String)], key: &str, value: &str| -> Vec<_> {
                pairs.iter().map(|(a, b)| json!({key: a, value: b})).collect()
            };
            let answer = json!({
                "config": made,
                "mapped": pairs(&imported.mapped, "from", "to"),
                "not_mapped": pairs(&imported.left, "key", "why"),
                "other_accounts": imported.other_accounts,
                "written": written.as_ref().map(|_| path.display().to_string()),
                "backup": written.flatten().map(|backup| backup.display().to_string()),
            });
            print(&format!("{answer}\n"));
        } else if let Some(backup) = written {
            if let Some(backup) = backup {
                say(&format!("what was there is in {} now", backup.display()));
            }
            say(&format!("written to {}", path.display()));
        } else {
            print(&made);
        }
        Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn read(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        let read = match self.file.as_os_str() == "-" {
            true => std::io::stdin().read_to_string(&mut text).map(drop),
            false => fs::read_to_string(&self.file).map(|read| text = read),
        };
        read.with_context(|| format!("could not read {}", self.file.display()))?;
        Ok(text)
    }

    /// Puts it in place. The name of what was there before, if something was.
    fn put(&self, path: &Path, text: &str) -> anyhow::Result<Option<PathBuf>> {
        let file = File::read(path)?;
        if file.is_there() && !self.force {
            bail!(
                "{} is there already and was not touched; --force writes over it, and keeps it beside",
                path.display()
            );
        }
        let backup = if file.is_there() { Some(keep(path, file.text())?) } else { None };
        file.replace(text)?;
        Ok(backup)
    }
}

fn keep(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    let name = |number: usize| path.with_extension(format!("toml.before-import-{number}"));
    let backup = (1..).map(name).find(|name| !name.exists()).context("no name is free")?;
    File::read(&backup)?.replace(text)?;
    Ok(backup)
}

fn tell(imported: &import::Imported) {
    let width = imported.mapped.iter().map(|(from, _)| from.chars().count()).max().unwrap_or(0);
    for (from, to) in &imported.mapped {
        say(&format!("{from:width$}  →  {to}"));
    }
    if !imported.left.is_empty() {
        say("\nNot taken over:");
    }
    for (key, why) in &imported.left {
        say(&format!("  {key}: {why}"));
    }
    if !imported.other_accounts.is_empty() {
        let names = imported.other_accounts.join(", ");
        say(&format!(
            "  accounts {names}: each needs a configuration of its own; import it with --account NAME --write"
        ));
    }
    say(
        "\nWhom the gateway has paired is not in its configuration: add them to policy.allow_from, or approve them again.",
    );
    say("Then let the gateway ask nobody twice: dmPolicy \"open\" with allowFrom [\"*\"], groupPolicy \"open\".\n");
}
