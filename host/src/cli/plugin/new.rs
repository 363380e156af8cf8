//! `imsgd plugin new`: the crate of a policy that works, to be changed into one's own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use crate::author::{self, NewPolicy};
use crate::cli::{Global, print};
use crate::policy::Interface;

#[derive(Args)]
pub struct New {
    /// The policy's name: small letters, digits, - and _
    name: String,
    /// What it decides
    #[arg(long, short = 'k', value_parser = kinds())]
    kind: Interface,
    /// Make the crate in this folder, which must not be there, instead of one of its name
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Use the SDK in this folder, instead of a copy in the crate
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

fn kinds() -> impl TypedValueParser<Value = Interface> {
    PossibleValuesParser::new(Interface::ALL.map(Interface::name))
        .map(|name| Interface::from_name(&name).unwrap_or(Interface::Filter))
}

impl New {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let folder = self.dir.unwrap_or_else(|| PathBuf::from(&self.name));
        let new = NewPolicy { name: &self.name, kind: self.kind, folder: &folder, sdk: self.sdk.as_deref() };
        let files = author::create(&new)?;
        let (name, kind, folder) = (&self.name, self.kind.name(), folder.display());
        if global.json {
            print(&format!("{}\n", json!({"name": name, "kind": kind, "folder": folder.to_string(), "files": files})));
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = format!("{folder}: a policy of the kind {kind}, with {}\n", files.join(", "));
        if self.sdk.is_none() {
            out.push_str(&format!("{folder}/{}: the SDK\n", author::sdk::FOLDER));
        }
        out.push_str(&format!("\nNext:\n  cd {folder}\n  imsgd plugin build\n"));
        print(&out);
        Ok(ExitCode::SUCCESS)
    }
}
