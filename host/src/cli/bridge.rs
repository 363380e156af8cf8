//! Commands of `imsg` that only work with a helper injected into Messages, which imsgd does not have. They are known,
//! so that whoever probes for them is told so, and exits accordingly.

use std::process::ExitCode;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Bridge {
    #[command(name = "send-rich", hide = true)]
    SendRich(Rest),
    #[command(name = "send-multipart", hide = true)]
    SendMultipart(Rest),
    #[command(name = "send-attachment", hide = true)]
    SendAttachment(Rest),
    #[command(name = "send-sticker", hide = true)]
    SendSticker(Rest),
    #[command(hide = true)]
    Poll(Rest),
    #[command(hide = true)]
    Tapback(Rest),
    #[command(hide = true)]
    Edit(Rest),
    #[command(hide = true)]
    Unsend(Rest),
    #[command(name = "delete-message", hide = true)]
    DeleteMessage(Rest),
    #[command(name = "notify-anyways", hide = true)]
    NotifyAnyways(Rest),
    #[command(name = "chat-create", hide = true)]
    ChatCreate(Rest),
    #[command(name = "chat-name", hide = true)]
    ChatName(Rest),
    #[command(name = "chat-photo", hide = true)]
    ChatPhoto(Rest),
    #[command(name = "chat-add-member", hide = true)]
    ChatAddMember(Rest),
    #[command(name = "chat-remove-member", hide = true)]
    ChatRemoveMember(Rest),
    #[command(name = "chat-leave", hide = true)]
    ChatLeave(Rest),
    #[command(name = "chat-delete", hide = true)]
    ChatDelete(Rest),
    #[command(name = "chat-mark", hide = true)]
    ChatMark(Rest),
    #[command(name = "name-photo", hide = true)]
    NamePhoto(Rest),
    #[command(hide = true)]
    Typing(Rest),
    #[command(hide = true)]
    Read(Rest),
    #[command(hide = true)]
    Launch(Rest),
}

/// Whatever comes after the name, `--help` included: help with a command that does nothing would say that it does.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<String>,
}

/// Why a command does not work.
pub fn missing() -> anyhow::Error {
    anyhow::anyhow!(
        "this command needs imsg's private bridge into Messages, which imsgd does not have; \
         `imsgd --help` lists what it does"
    )
}

impl Bridge {
    pub fn run(self) -> ExitCode {
        super::failure::print(&missing(), false);
        ExitCode::FAILURE
    }
}
