//! What each command looks like in use: shown at the end of its help and of its manual page.

use clap::Command;

use super::look::{NAME, paint};

/// Commands by their path, each with lines to run. What a command's own definition says instead counts.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["imsgd serve", "imsgd serve --socket /tmp/imsg.sock"]),
    ("rpc", &["imsgd rpc", "imsgd rpc --discover"]),
    ("status", &["imsgd status", "imsgd status --json"]),
    ("doctor", &["imsgd doctor"]),
    ("top", &["imsgd top", "imsgd top --once"]),
    ("why", &["imsgd why 51"]),
    ("chats", &["imsgd chats --limit 5", "imsgd chats --unread-only --json"]),
    ("group", &["imsgd group --chat-id 7"]),
    ("history", &["imsgd history --chat-id 7 --limit 20 --attachments"]),
    ("search", &["imsgd search --query pizza"]),
    ("export", &["imsgd export > messages.jsonl", "imsgd export --since-rowid 51 >> messages.jsonl"]),
    ("stats", &["imsgd stats --json"]),
    ("chat-background", &["imsgd chat-background --chat-id 7"]),
    ("scheduled", &["imsgd scheduled list"]),
    ("attachments", &["imsgd attachments read --guid at_0_9216B848 --out photo.heic"]),
    ("attachments read", &["imsgd attachments read --guid at_0_9216B848 --out photo.heic"]),
    ("watch", &["imsgd watch", "imsgd watch --json --since-rowid -1"]),
    ("send", &["imsgd send --to +15551234567 --text \"On my way.\"", "imsgd send --chat-id 7 --file photo.jpg"]),
    ("react", &["imsgd react --chat-id 7 --reaction like"]),
    ("outbox", &["imsgd outbox list"]),
    ("outbox list", &["imsgd outbox list"]),
    ("outbox pause", &["imsgd outbox pause --reason \"the assistant repeats itself\""]),
    ("outbox resume", &["imsgd outbox resume"]),
    ("pairing", &["imsgd pairing approve US3Y4WPE"]),
    ("pairing list", &["imsgd pairing list"]),
    ("pairing approve", &["imsgd pairing approve US3Y4WPE"]),
    ("pairing deny", &["imsgd pairing deny US3Y4WPE"]),
    ("pairing revoke", &["imsgd pairing revoke +15559990000"]),
    ("consumers", &["imsgd consumers list"]),
    ("consumers list", &["imsgd consumers list"]),
    ("consumers remove", &["imsgd consumers remove gateway"]),
    ("held", &["imsgd held list"]),
    ("held list", &["imsgd held list"]),
    ("held show", &["imsgd held show 8"]),
    ("held release", &["imsgd held release 8", "imsgd held release --sender +15559990000"]),
    ("held drop", &["imsgd held drop 8"]),
    ("journal", &["imsgd journal --limit 20"]),
    ("plugin", &["imsgd plugin new quiet --kind filter"]),
    ("plugin list", &["imsgd plugin list"]),
    ("plugin log", &["imsgd plugin log quiet --follow"]),
    ("plugin reload", &["imsgd plugin reload"]),
    ("plugin new", &["imsgd plugin new quiet --kind filter"]),
    ("plugin build", &["imsgd plugin build quiet"]),
    ("plugin check", &["imsgd plugin check quiet.wasm"]),
    ("plugin sdk", &["imsgd plugin sdk quiet"]),
    ("plugin test", &["imsgd plugin test quiet.wasm cases.toml", "imsgd plugin test quiet.wasm cases.toml --update"]),
    ("plugin dev", &["imsgd plugin dev quiet"]),
    ("policy", &["imsgd policy replay --since 30d --config new.toml"]),
    ("policy replay", &["imsgd policy replay --since 30d --plugin quiet.wasm"]),
    ("config", &["imsgd config check"]),
    ("config path", &["imsgd config path"]),
    ("config check", &["imsgd config check"]),
    ("config get", &["imsgd config get policy.allow_from"]),
    ("config set", &["imsgd config set policy.dm_policy allowlist"]),
    ("config unset", &["imsgd config unset policy.dm_policy"]),
    ("config add", &["imsgd config add policy.allow_from +15551234567"]),
    ("config remove", &["imsgd config remove policy.allow_from +15551234567"]),
    ("config schema", &["imsgd config schema"]),
    ("config import", &["imsgd config import openclaw.json", "imsgd config import openclaw.json --write"]),
    ("account", &["imsgd account --local"]),
    ("whois", &["imsgd whois --local --address +15551234567"]),
    ("nickname", &["imsgd nickname --local --address +15551234567"]),
    ("completions", &["source <(imsgd completions bash)"]),
    ("sim", &["imsgd sim init --db chat.db"]),
    ("sim init", &["imsgd sim init --db chat.db --chats 20 --messages 5000"]),
    ("sim receive", &["imsgd sim receive --db chat.db --from +15551234567 --text hello"]),
    ("sim edit", &["imsgd sim edit --db chat.db --guid 9216B848-D5A5-4B70-9C32-A2EE83AC3BFD --text hi"]),
    ("sim unsend", &["imsgd sim unsend --db chat.db --guid 9216B848-D5A5-4B70-9C32-A2EE83AC3BFD"]),
    ("sim contacts", &["imsgd sim contacts --dir AddressBook --handle +15551234567 --name \"Ann Lee\""]),
    ("sim osascript", &["imsgd sim osascript --db chat.db"]),
    ("demo", &["imsgd demo", "imsgd demo start"]),
    ("demo start", &["imsgd demo start"]),
    ("demo stop", &["imsgd demo stop"]),
];

/// Gives every command below `command` its examples.
pub fn shown(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, parents: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{parents}{name}");
        let lines = EXAMPLES.iter().find(|(of, _)| *of == path).map(|(_, lines)| *lines);
        command.mut_subcommand(name, |command| {
            let said = command.get_after_help().is_some() || command.get_after_long_help().is_some();
            let command = match lines {
                Some(lines) if !said => command.after_help(text(lines)),
                _ => command,
            };
            below(command, &format!("{path} "))
        })
    })
}

fn text(lines: &[&str]) -> String {
    let title = if lines.len() == 1 { "Example:" } else { "Examples:" };
    format!("{}\n  {}", paint(NAME, title), lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::usage;

    /// Every visible command with its path.
    fn visible(command: &Command, parents: &str, into: &mut Vec<(String, Command)>) {
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let path = format!("{parents}{}", command.get_name());
            visible(command, &format!("{path} "), into);
            into.push((path, command.clone()));
        }
    }

    #[test]
    fn every_command_shows_an_example_that_the_command_line_takes() {
        let mut commands = Vec::new();
        visible(&usage::command(), "", &mut commands);
        assert!(commands.len() > 60, "{}", commands.len());
        for (path, command) in commands {
            let help = command.get_after_help().or(command.get_after_long_help()).map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("`imsgd {path}` has no example"));
            let lines = help.lines().filter_map(|line| line.trim().strip_prefix("imsgd "));
            assert!(help.contains(&format!("imsgd {path}")), "`imsgd {path}` has no example of itself: {help}");
            for line in lines {
                // What stands after this is the shell's.
                let words = shlex::split(line.split(" >").next().unwrap_or_default()).unwrap();
                let words = std::iter::once("imsgd".to_owned()).chain(words);
                usage::command().try_get_matches_from(words).unwrap_or_else(|error| panic!("`imsgd {line}`: {error}"));
            }
        }
    }

    #[test]
    fn no_example_is_of_a_command_that_is_not_there() {
        let mut commands = Vec::new();
        visible(&usage::command(), "", &mut commands);
        for (path, _) in EXAMPLES {
            assert!(commands.iter().any(|(known, _)| known == path), "{path}");
        }
    }
}
