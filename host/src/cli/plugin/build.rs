//! `imsgd plugin build`: from a policy's crate to a component that a daemon takes.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::check;
use crate::author;
use crate::cli::{Global, Where, print, say};

#[derive(Args)]
pub struct Build {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Write the component here instead of beside the crate's Cargo.toml
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// Let rustup add what is missing for WebAssembly, without asking
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Build {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = match self.out {
            Some(out) => out,
            // Told as the folder was.
            None => {
                author::component_of(&self.folder)?.file_name().map(|name| self.folder.join(name)).unwrap_or_default()
            }
        };
        let mut consent = |question: &str| match self.yes {
            true => {
                say(&format!("{question} Yes."));
                true
            }
            false => asked(question),
        };
        let out = out.strip_prefix(".").map(Path::to_owned).unwrap_or(out);
        let built = author::build_with(&self.folder, &out, &mut |line| say(line), &mut consent)?;
        if global.json {
            print(&format!("{}\n", check::json(&built.path, &built.inspection)));
            return Ok(ExitCode::SUCCESS);
        }
        print(&check::report(&built.path, &built.inspection));
        let cases = self.folder.join("cases.toml");
        let file = built.path.display();
        print("\nNext:\n");
        if cases.is_file() {
            let cases = cases.strip_prefix(".").unwrap_or(&cases);
            print(&format!("  imsgd plugin test {file} {}\n", cases.display()));
        }
        let plugins = global.load(&Where::default()).map(|config| config.plugins_dir().display().to_string());
        print(&format!("  cp {file} {}/\n", plugins.unwrap_or_else(|_| "PLUGINS".to_owned())));
        Ok(ExitCode::SUCCESS)
    }
}

/// By somebody who can answer; nobody means no.
fn asked(question: &str) -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    let _ = write!(std::io::stderr(), "{question} [Y/n] ");
    let mut answer = String::new();
    let is_read = std::io::stdin().lock().read_line(&mut answer).is_ok_and(|length| length > 0);
    is_read && matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes")
}
