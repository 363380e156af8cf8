//! `imsgd completions` and `imsgd man`: what shells, models and people want to know of the command line, made from its
//! definitions.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::Resettable;
use clap::{Arg, Args, Command};
use clap_complete::Shell;

use super::{Global, print, usage};

/// Print what a shell needs to complete commands and options, or a reference for language models
///
/// bash: source <(imsgd completions bash). zsh: imsgd completions zsh > ~/.zfunc/_imsgd, with ~/.zfunc in fpath. fish:
/// imsgd completions fish > ~/.config/fish/completions/imsgd.fish.
#[derive(Args)]
pub struct Completions {
    #[arg(value_parser = SHELLS, ignore_case = true)]
    shell: String,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "llm"];

/// Write manual pages
#[derive(Args)]
pub struct Man {
    /// Write a page for each command into this folder, instead of the program's own to stdout
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Completions {
    /// `program` is the name that we were called by: whoever links us as `imsg` completes that.
    pub fn run(self, program: &OsString) -> ExitCode {
        let is_imsg = Path::new(program).file_name().is_some_and(|name| name == "imsg");
        let name = if is_imsg { "imsg" } else { "imsgd" };
        let mut command = shown().name(name).bin_name(name);
        let shell = match self.shell.to_lowercase().as_str() {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            "fish" => Shell::Fish,
            _ => {
                print(&reference(command));
                return ExitCode::SUCCESS;
            }
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        let _ = io::stdout().write_all(&script);
        ExitCode::SUCCESS
    }
}

impl Man {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut command = usage::command();
        match self.out {
            None => {
                let _ = io::stdout().write_all(&page(&command)?);
            }
            Some(folder) => {
                std::fs::create_dir_all(&folder)
                    .with_context(|| format!("could not write manual pages into {}", folder.display()))?;
                command.build();
                pages(&command, &folder)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn pages(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let file = folder.join(format!("{name}.1"));
    std::fs::write(&file, page(command)?).with_context(|| format!("could not write {}", file.display()))?;
    let mut shown = command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    shown.try_for_each(|subcommand| pages(subcommand, folder))
}

/// One page. Examples are a section of their own, as in pages that people write.
fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let examples = command.get_after_help().map(ToString::to_string);
    let page = clap_mangen::Man::new(command.clone().after_help(Resettable::Reset));
    let mut out = Vec::new();
    page.render(&mut out)?;
    if let Some(examples) = examples {
        let lines = examples.lines().skip(1).map(|line| line.trim().replace('\\', "\\e").replace('-', "\\-"));
        let lines: Vec<String> = lines.collect();
        write!(out, ".SH EXAMPLES\n.nf\n{}\n.fi\n", lines.join("\n"))?;
    }
    Ok(out)
}

/// What help shows: no commands that can only be refused, and no help on help.
fn shown() -> Command {
    let all = usage::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let about = all.get_about().cloned().unwrap_or_default();
    without_help(Global::augment_args(Command::new("imsgd")).version(VERSION).about(about).subcommands(shown))
}

fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// Every command with its options, in Markdown.
fn reference(mut command: Command) -> String {
    command.build();
    let everywhere: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let name = command.get_name().to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = format!("# {name} CLI Reference\n\n{about}.\n\n## Options of every command\n\n");
    everywhere.iter().for_each(|arg| out.push_str(&item(arg)));
    out.push_str("\n## Commands\n");
    for subcommand in command.get_subcommands_mut() {
        entry(subcommand, "", &mut out);
    }
    out
}

fn entry(command: &mut Command, parents: &str, out: &mut String) {
    let name = format!("{parents}{}", command.get_name());
    let usage = command.render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    out.push_str(&format!("\n### {name}\n\n{about}\n\n`{}`\n\n", usage.trim_start_matches("Usage: ")));
    let own = command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
    own.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).for_each(|arg| out.push_str(&item(arg)));
    for subcommand in command.get_subcommands_mut() {
        entry(subcommand, &format!("{name} "), out);
    }
}

fn item(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = match arg.get_action().takes_values() {
        true => arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect(),
        false => Vec::new(),
    };
    let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let mut notes = Vec::new();
    if arg.is_required_set() {
        notes.push("required".to_owned());
    }
    if !values.is_empty() {
        notes.push(format!("one of {}", values.join(", ")));
    }
    if !default.is_empty() && arg.get_action().takes_values() {
        notes.push(format!("default {}", default.join(" ")));
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let short = arg.get_short().map_or_else(String::new, |short| format!("-{short}, "));
    format!("- `{short}{arg}`: {help}{notes}\n")
}
