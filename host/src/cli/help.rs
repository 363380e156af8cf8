//! The first help that anybody sees: commands by what they are for, what matters first.

use clap::Command;

use super::look::{FAINT, NAME, paint};

/// Every command that is not hidden is in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Begin here", &["demo", "install", "status", "top", "doctor", "serve", "rpc"]),
    (
        "Read",
        &[
            "chats",
            "history",
            "search",
            "watch",
            "group",
            "attachments",
            "export",
            "scheduled",
            "stats",
            "chat-background",
        ],
    ),
    ("Write", &["send", "react", "outbox"]),
    ("Decide who gets through", &["pairing", "held", "why", "journal", "plugin", "policy", "config"]),
    ("People", &["account", "whois", "nickname"]),
    ("And more", &["consumers", "ssh-command", "completions", "sim", "uninstall", "help"]),
];

/// Gives the root command its help.
pub fn grouped(command: Command) -> Command {
    let template = format!(
        "{} {}\n{{about}}\n\n{}\n  imsgd <command> [options]\n{}\n{}\n{{options}}\n\n{}\n",
        paint(NAME, "imsgd"),
        super::version(),
        paint(NAME, "Usage:"),
        groups(&command),
        paint(NAME, "Options of every command:"),
        paint(FAINT, "`imsgd COMMAND --help` tells more of one. stdout is data: with --json, one object a line."),
    );
    command.help_template(template)
}

fn groups(command: &Command) -> String {
    let mut out = String::new();
    for (title, names) in GROUPS {
        out.push_str(&format!("\n{}\n", paint(NAME, format!("{title}:"))));
        for name in *names {
            let about = match command.find_subcommand(name) {
                Some(command) => command.get_about().map(ToString::to_string).unwrap_or_default(),
                None => "Print this, or the help of a command".to_owned(),
            };
            out.push_str(&format!("  {name:16} {about}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::usage;

    #[test]
    fn every_command_is_in_one_group() {
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let command = usage::command();
        let visible: Vec<&str> =
            command.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name).collect();
        for name in &visible {
            assert_eq!(grouped.iter().filter(|grouped| *grouped == name).count(), 1, "{name}");
        }
        // Beside clap's own `help`.
        assert_eq!(grouped.len(), visible.len() + 1);
    }
}
