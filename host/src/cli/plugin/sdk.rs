//! `imsgd plugin sdk`: the SDK of this program, in the place of the one that a crate has.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::author;
use crate::cli::print;

#[derive(Args)]
pub struct Sdk {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Sdk {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        print(&match author::sdk::update(&self.folder)? {
            Some(replaced) => format!("{}: replaced by the SDK of this imsgd\n", replaced.display()),
            None => format!("{}: is the SDK of this imsgd\n", self.folder.join(author::sdk::FOLDER).display()),
        });
        Ok(ExitCode::SUCCESS)
    }
}
