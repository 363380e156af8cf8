//! Commands of `imsg` that only work with a helper injected into Messages, which imsgd does not have. They are known,
//! so that whoever probes for them is told so, and exits accordingly.

use std::process::ExitCode;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Bridge {
    #[command(name = "send-rich", hide = true, disable_help_flag = true)]
    SendRich(Rest),
    #[command(name = "send-multipart", hide = true, disable_help_flag = true)]
    SendMultipart(Rest),
    #[command(name = "send-attachment", hide = true, disable_help_flag = true)]
    SendAttachment(Rest),
    #[command(name = "send-sticker", hide = true, disable_help_flag = true)]
    SendSticker(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Poll(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Tapback(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Edit(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Unsend(Rest),
    #[command(name = "delete-message", hide = true, disable_help_flag = true)]
    DeleteMessage(Rest),
    #[command(name = "notify-anyways", hide = true, disable_help_flag = true)]
    NotifyAnyways(Rest),
    #[command(name = "chat-create", hide = true, disable_help_flag = true)]
    ChatCreate(Rest),
    #[command(name = "chat-name", hide = true, disable_help_flag = true)]
    ChatName(Rest),
    #[command(name = "chat-photo", hide = true, disable_help_flag = true)]
    ChatPhoto(Rest),
    #[command(name = "chat-add-member", hide = true, disable_help_flag = true)]
    ChatAddMember(Rest),
    #[command(name = "chat-remove-member", hide = true, disable_help_flag = true)]
    ChatRemoveMember(Rest),
    #[command(name = "chat-leave", hide = true, disable_help_flag = true)]
    ChatLeave(Rest),
    #[command(name = "chat-delete", hide = true, disable_help_flag = true)]
    ChatDelete(Rest),
    #[command(name = "chat-mark", hide = true, disable_help_flag = true)]
    ChatMark(Rest),
    #[command(name = "name-photo", hide = true, disable_help_flag = true)]
    NamePhoto(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Typing(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Read(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Launch(Rest),
}

#[derive(Args)]
pub struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<String>,
}

impl Bridge {
    pub fn run(self) -> ExitCode {
        super::print_error(&anyhow::anyhow!(
            "this command needs imsg's private bridge into Messages, which imsgd does not have; \
             `imsgd --help` lists what it does"
        ));
        ExitCode::FAILURE
    }
}
