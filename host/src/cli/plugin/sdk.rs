//! `imsgd plugin sdk`: the SDK of this program, in the place of the one that a crate has.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::author;
use crate::cli::{Global, print};

#[derive(Args)]
pub struct Sdk {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Sdk {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let replaced = author::sdk::update(&self.folder)?;
        let folder = self.folder.join(author::sdk::FOLDER);
        if global.json {
            let folder = folder.display().to_string();
            print(&format!("{}\n", json!({"folder": folder, "replaced": replaced.is_some()})));
            return Ok(ExitCode::SUCCESS);
        }
        print(&match replaced {
            Some(replaced) => format!("{}: replaced by the SDK of this imsgd\n", replaced.display()),
            None => format!("{}: is the SDK of this imsgd\n", folder.display()),
        });
        Ok(ExitCode::SUCCESS)
    }
}
