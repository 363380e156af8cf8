//! Reading the command line: what clap finds wrong is said in the words of `imsg`, with clap's suggestions below.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};
use serde_json::json;

use super::look::{self, WRONG, paint};
use super::{Cli, examples, help, print};

/// Options whose value is a text, which may begin with a dash.
const TEXTS: [&str; 2] = ["--text", "--query"];

/// What to do where there is no command to run.
#[derive(Debug)]
pub enum Instead {
    Help(StyledStr),
    Version,
    Refuse {
        /// The first line is what `imsg` says, the rest advice.
        text: String,
        json: bool,
    },
}

/// All that may stand on a command line.
pub fn command() -> Command {
    help::grouped(examples::shown(Cli::command()))
}

/// The command to run, or what to do instead.
pub fn parse(args: &[OsString]) -> Result<Cli, Instead> {
    let mut command = Cli::command();
    if forgotten_value(&command, args).is_none() {
        match command.try_get_matches_from_mut(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
            Ok(cli) => return Ok(cli),
            Err(error) if error.kind() == ErrorKind::DisplayVersion => return Err(Instead::Version),
            Err(_) => {}
        }
    }
    told_what_is_wrong(args)
}

/// The same with all that help shows, which costs more to put together than most commands do.
fn told_what_is_wrong(args: &[OsString]) -> Result<Cli, Instead> {
    let command = command();
    if let Some(option) = forgotten_value(&command, args) {
        return Err(instead(&command, args, format!("Missing value for option {option}")));
    }
    let parsed = command.clone().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp => Instead::Help(error.render()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if args.len() <= 1 => Instead::Help(error.render()),
        ErrorKind::DisplayVersion => Instead::Version,
        _ => instead(&command, args, told(&command, args, &error)),
    })
}

/// A wrong command line that asks for help or the version gets that.
fn instead(command: &Command, args: &[OsString], text: String) -> Instead {
    let has = |names: &[&str]| options(args).any(|arg| names.iter().any(|name| *arg == **name));
    if has(&["--version", "-V"]) {
        return Instead::Version;
    }
    if has(&["--help", "-h"]) {
        return Instead::Help(help(command, args));
    }
    Instead::Refuse { text, json: has(&["--json", "-j", "--json-output", "--jsonOutput"]) }
}

impl Instead {
    pub fn tell(self) -> ExitCode {
        match self {
            Instead::Help(text) => drop(look::show(&text.ansi().to_string())),
            Instead::Version => print(&format!("{}\n", super::version())),
            Instead::Refuse { text, json } => {
                let mut said = format!("{} {}\n", paint(WRONG, "error:"), look::harmless_text(&text));
                if json {
                    let line = text.lines().next().unwrap_or_default();
                    said.push_str(&format!("{}\n", json!({"success": false, "error": line})));
                }
                look::complain(&said);
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }
}

/// What comes before `--`, without the program's name.
fn options(args: &[OsString]) -> impl Iterator<Item = &OsStr> {
    args.iter().skip(1).map(OsString::as_os_str).take_while(|arg| *arg != "--")
}

fn is_option(args: &[OsString], argument: &str) -> bool {
    argument.starts_with('-') && !args.iter().skip_while(|arg| *arg != "--").any(|arg| *arg == *argument)
}

/// The commands that `args` names, outermost first.
fn path<'a>(command: &'a Command, args: &[OsString]) -> Vec<&'a Command> {
    let mut path = vec![command];
    for arg in options(args) {
        let found = path.last().and_then(|command| command.find_subcommand(arg));
        path.extend(found);
    }
    path
}

fn names(path: &[&Command]) -> String {
    path.iter().map(|command| command.get_name()).collect::<Vec<_>>().join(" ")
}

fn help(command: &Command, args: &[OsString]) -> StyledStr {
    let path = path(command, args);
    let words = path.iter().map(|command| command.get_name()).chain(["--help"]);
    match command.clone().try_get_matches_from(words) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => error.render(),
        _ => command.clone().render_help(),
    }
}

/// `--text --json`: a text that was forgotten. As it may begin with a dash, the option would be sent instead of it.
fn forgotten_value<'a>(command: &Command, args: &'a [OsString]) -> Option<&'a str> {
    let path = path(command, args);
    let is_option = |arg: &OsStr| {
        let long = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
        let mut known = path.iter().flat_map(|command| command.get_arguments());
        long.is_some_and(|long| known.any(|known| known.get_long() == Some(long)))
    };
    let given: Vec<&OsString> = args.iter().collect();
    let found = given.windows(2).find(|pair| TEXTS.iter().any(|text| *pair[0] == **text) && is_option(pair[1]));
    found.and_then(|pair| pair[0].to_str())
}

/// The text of `imsg`, and below it what clap has to say.
fn told(command: &Command, args: &[OsString], error: &clap::Error) -> String {
    let path = path(command, args);
    let context = |kind| error.get(kind).map(strings).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg).into_iter().next().unwrap_or_default();
    let first = |kind| context(kind).into_iter().next().unwrap_or_default();
    let is_of_shell = argument == "<SHELL>";
    let text = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (unknown, path) = (first(ContextKind::InvalidSubcommand), names(&path));
            format!("Unknown subcommand '{unknown}' for command '{path}'")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let help = help(command, args);
            return format!("Command '{}' requires a subcommand\n\n{help}", names(&path)).trim_end().to_owned();
        }
        ErrorKind::UnknownArgument if is_option(args, &argument) => format!("Unknown option {argument}"),
        ErrorKind::UnknownArgument => format!("Unexpected argument: {argument}"),
        ErrorKind::MissingRequiredArgument if is_of_shell => {
            "Missing shell argument. Use: bash, zsh, fish, or llm".to_owned()
        }
        ErrorKind::InvalidValue if is_of_shell => {
            format!("Unknown shell '{}'. Use: bash, zsh, fish, or llm", first(ContextKind::InvalidValue))
        }
        ErrorKind::MissingRequiredArgument => match option(&argument) {
            Some(option) => format!("Missing required option: {option}"),
            None => format!("Missing required argument: {}", placeholder(&argument)),
        },
        ErrorKind::InvalidValue if first(ContextKind::InvalidValue).is_empty() && !is_value_empty(args) => {
            let name = option(&argument).map_or_else(|| placeholder(&argument), str::to_owned);
            format!("Missing value for option {name}")
        }
        _ => {
            let of_positional = || format!("--{}", placeholder(&argument).to_lowercase());
            format!("Invalid value for option: {}", option(&argument).map_or_else(of_positional, str::to_owned))
        }
    };
    let mut told = text;
    for line in advice(path.last().copied().unwrap_or(command), error) {
        told.push_str(&format!("\n  {line}"));
    }
    told.push_str(&format!("\n  `{} --help` shows what there is", names(&path)));
    told
}

/// What may have been meant, and what would be right.
fn advice(command: &Command, error: &clap::Error) -> Vec<String> {
    use std::error::Error;
    let context = |kind| error.get(kind).map(strings).unwrap_or_default();
    let mut lines: Vec<String> = error.source().map(ToString::to_string).into_iter().collect();
    let right = context(ContextKind::ValidValue);
    if !right.is_empty() {
        lines.push(format!("it is one of {}", right.join(", ")));
    }
    // The last one is the most similar.
    let hidden = |name: &String| command.find_subcommand(name).is_some_and(Command::is_hide_set);
    let suggestions = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let mut suggested = suggestions.into_iter().flat_map(context).filter(|name| !hidden(name));
    if let Some(likely) = suggested.next_back() {
        lines.push(format!("did you mean `{likely}`?"));
    }
    lines
}

fn strings(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(one) => vec![one.clone()],
        ContextValue::Strings(many) => many.clone(),
        _ => Vec::new(),
    }
}

/// `--limit` of `--limit <N>`; none of a positional argument.
fn option(argument: &str) -> Option<&str> {
    argument.starts_with('-').then(|| argument.split_whitespace().next()).flatten()
}

/// `ACTION` of `[ACTION]...`.
fn placeholder(argument: &str) -> String {
    argument.trim_end_matches('.').trim_matches(['<', '>', '[', ']']).to_owned()
}

/// Did somebody give an empty value? clap reports that as it does a missing one.
fn is_value_empty(args: &[OsString]) -> bool {
    options(args).any(|arg| arg.is_empty() || arg.to_str().is_some_and(|arg| arg.ends_with('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &[&str]) -> Vec<OsString> {
        ["imsgd"].iter().chain(line).map(OsString::from).collect()
    }

    fn refused(line: &[&str]) -> String {
        match parse(&args(line)) {
            Err(Instead::Refuse { text, .. }) => text.lines().next().unwrap().to_owned(),
            other => panic!("{line:?}: {:?}", other.map(|_| "a command")),
        }
    }

    #[test]
    fn clap_finds_no_fault_with_the_definitions() {
        command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_imsg() {
        for (line, text) in [
            (&["chatz"][..], "Unknown subcommand 'chatz' for command 'imsgd'"),
            (&["pairing", "x"], "Unknown subcommand 'x' for command 'imsgd pairing'"),
            (&["pairing"], "Command 'imsgd pairing' requires a subcommand"),
            (&["--json"], "Command 'imsgd' requires a subcommand"),
            (&["chats", "--x"], "Unknown option --x"),
            (&["chats", "-x"], "Unknown option -x"),
            (&["chats", "stray"], "Unexpected argument: stray"),
            (&["history"], "Missing required option: --chat-id"),
            (&["group", "--json"], "Missing required option: --chat-id"),
            (&["search"], "Missing required option: --query"),
            (&["why"], "Missing required argument: MESSAGE"),
            (&["chats", "--limit"], "Missing value for option --limit"),
            (&["chats", "--limit", "--json"], "Missing value for option --limit"),
            (&["search", "--query", "--json"], "Missing value for option --query"),
            (&["chats", "--limit", "x"], "Invalid value for option: --limit"),
            (&["chats", "--limit="], "Invalid value for option: --limit"),
            (&["chats", "--limit", "-3"], "Invalid value for option: --limit"),
            (&["search", "--query", "x", "--match", "like"], "Invalid value for option: --match"),
            (&["scheduled", "drop"], "Invalid value for option: --action"),
            (&["completions"], "Missing shell argument. Use: bash, zsh, fish, or llm"),
            (&["completions", "tcsh"], "Unknown shell 'tcsh'. Use: bash, zsh, fish, or llm"),
        ] {
            assert_eq!(refused(line), text, "{line:?}");
        }
    }

    #[test]
    fn what_may_have_been_meant_is_told_below() {
        for (line, said) in [
            (&["chatz"][..], "did you mean `chats`?"),
            (&["chats", "--limt", "3"], "did you mean `--limit`?"),
            (&["search", "--query", "x", "--match", "like"], "one of contains, exact"),
            (&["chats", "--limit", "x"], "`x` is not a whole number from 1"),
            (&["chats", "--limit", "x"], "`imsgd chats --help`"),
        ] {
            match parse(&args(line)) {
                Err(Instead::Refuse { text, .. }) => assert!(text.contains(said), "{line:?}: {text}"),
                _ => panic!("{line:?}"),
            }
        }
    }

    #[test]
    fn help_and_version_win_over_what_is_wrong() {
        for line in [&[][..], &["--help"], &["history", "-h"], &["history", "--limit", "x", "--help"], &["x", "--help"]]
        {
            let parsed = parse(&args(line)).map(|_| "a command");
            assert!(matches!(parsed, Err(Instead::Help(_))), "{line:?}: {parsed:?}");
        }
        for line in [&["--version"][..], &["-V"], &["history", "--version"], &["x", "-V", "--limit"]] {
            let parsed = parse(&args(line)).map(|_| "a command");
            assert!(matches!(parsed, Err(Instead::Version)), "{line:?}: {parsed:?}");
        }
        assert_eq!(refused(&["chats", "--", "--help"]), "Unexpected argument: --help");
    }

    #[test]
    fn a_value_may_be_joined_by_an_equals_sign_or_begin_with_a_dash_and_the_last_one_counts() {
        for line in [
            &["history", "--chat-id=7", "--limit=3"][..],
            &["chats", "--limit", "3", "--limit", "4"],
            &["search", "--query", "-x"],
            &["search", "--query", "--no-such-option"],
            &["search", "--query=--json"],
            &["chats", "--json", "--json", "-jv", "--jsonOutput", "--json-output", "--logLevel", "warn"],
        ] {
            assert!(parse(&args(line)).is_ok(), "{line:?}");
        }
    }
}
