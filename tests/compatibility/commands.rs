//! The commands of `imsg` (9.12).

use crate::harness::Home;

/// Those that work without the bridge.
const COMMANDS: [&str; 15] = [
    "chats",
    "stats",
    "group",
    "history",
    "watch",
    "send",
    "react",
    "status",
    "rpc",
    "completions",
    "scheduled",
    "chat-background",
    "search",
    "account",
    "whois",
];

const BRIDGED: [&str; 23] = [
    "read",
    "typing",
    "launch",
    "send-rich",
    "send-multipart",
    "send-attachment",
    "send-sticker",
    "poll",
    "tapback",
    "edit",
    "unsend",
    "delete-message",
    "notify-anyways",
    "chat-create",
    "chat-name",
    "chat-photo",
    "chat-add-member",
    "chat-remove-member",
    "chat-leave",
    "chat-delete",
    "chat-mark",
    "name-photo",
    "nickname",
];

#[test]
fn every_command_of_imsg_is_known() {
    let home = Home::without_database("");
    for command in COMMANDS {
        let help = home.run_bare(&[command, "--help"]);
        assert_eq!((help.status.code(), help.stderr.as_str()), (Some(0), ""), "{command}: {help:?}");
        assert!(help.stdout.contains("Usage:"), "{command}: {help:?}");
    }
    for command in BRIDGED {
        // These two look at whom they are for before anything else.
        let whom = if ["read", "typing"].contains(&command) { "--to" } else { "--address" };
        let refused = home.run_bare(&[command, whom, "x"]);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{command}: {refused:?}");
        assert!(refused.stderr.contains("private bridge"), "{command}: {refused:?}");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    let home = Home::without_database("");
    for (line, said) in [
        (&["completions", "tcsh"][..], "Unknown shell 'tcsh'. Use: bash, zsh, fish, or llm"),
        (&["completions"], "Missing shell argument. Use: bash, zsh, fish, or llm"),
    ] {
        let refused = home.run_bare(line);
        assert_eq!((refused.status.code(), refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}
