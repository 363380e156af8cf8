//! Commands of `imsg` that only work with a helper injected into Messages, which imsgd does not have. They are known,
//! so that whoever probes for them is told so, and exits accordingly.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Global, failure, print, values};

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
    arguments: Vec<String>,
}

/// Why a command does not work.
pub const MISSING: &str = "this command needs imsg's private bridge into Messages, which imsgd does not have; \
                           `imsgd --help` lists what it does";

impl Bridge {
    /// Wrong options are told first, as `imsg` does before it looks for its bridge.
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let (command, rest) = self.parts();
        let options = Options(&rest.arguments);
        let json =
            global.json || ["--json", "-j", "--json-output", "--jsonOutput"].iter().any(|name| options.has(name));
        if let Err(wrong) = options.check(command) {
            failure::print(&anyhow!(wrong), json);
            return Ok(ExitCode::FAILURE);
        }
        Ok(match command {
            "launch" if json => {
                print(&format!("{}\n", json!({"status": "error", "error": MISSING})));
                ExitCode::FAILURE
            }
            "typing" => refuse(&format!("Typing indicator failed: {MISSING}"), json),
            _ => refuse(MISSING, json),
        })
    }

    fn parts(&self) -> (&'static str, &Rest) {
        match self {
            Bridge::SendRich(rest) => ("send-rich", rest),
            Bridge::SendMultipart(rest) => ("send-multipart", rest),
            Bridge::SendAttachment(rest) => ("send-attachment", rest),
            Bridge::SendSticker(rest) => ("send-sticker", rest),
            Bridge::Poll(rest) => ("poll", rest),
            Bridge::Tapback(rest) => ("tapback", rest),
            Bridge::Edit(rest) => ("edit", rest),
            Bridge::Unsend(rest) => ("unsend", rest),
            Bridge::DeleteMessage(rest) => ("delete-message", rest),
            Bridge::NotifyAnyways(rest) => ("notify-anyways", rest),
            Bridge::ChatCreate(rest) => ("chat-create", rest),
            Bridge::ChatName(rest) => ("chat-name", rest),
            Bridge::ChatPhoto(rest) => ("chat-photo", rest),
            Bridge::ChatAddMember(rest) => ("chat-add-member", rest),
            Bridge::ChatRemoveMember(rest) => ("chat-remove-member", rest),
            Bridge::ChatLeave(rest) => ("chat-leave", rest),
            Bridge::ChatDelete(rest) => ("chat-delete", rest),
            Bridge::ChatMark(rest) => ("chat-mark", rest),
            Bridge::NamePhoto(rest) => ("name-photo", rest),
            Bridge::Typing(rest) => ("typing", rest),
            Bridge::Read(rest) => ("read", rest),
            Bridge::Launch(rest) => ("launch", rest),
        }
    }
}

/// Refuses a command: with `--json` on stdout, as its answer would be.
pub fn refuse(text: &str, json: bool) -> ExitCode {
    if json {
        print(&format!("{}\n", json!({"success": false, "error": text})));
    } else {
        failure::print(&anyhow!(text.to_owned()), false);
    }
    ExitCode::FAILURE
}

/// The options of a command that is not carried out: only what `imsg` checks before everything else is looked at.
struct Options<'a>(&'a [String]);

/// Options that are numbers, and the least that they may be.
const NUMBERS: [(&str, i64); 3] = [("--chat-id", 1), ("--part", 0), ("--option-index", 0)];

impl Options<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument == name) || self.value(name).is_some()
    }

    /// The last one; empty where it was forgotten.
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().enumerate().rev().find_map(|(at, argument)| {
            if argument == name {
                return Some(self.0.get(at + 1).map_or("", String::as_str));
            }
            argument.strip_prefix(name)?.strip_prefix('=')
        })
    }

    fn check(&self, command: &str) -> Result<(), String> {
        let invalid = |name: &str| Err(format!("Invalid value for option: {name}"));
        for (name, least) in NUMBERS {
            let is_wrong = |value: &str| value.parse::<i64>().map_or(true, |number| number < least);
            if self.value(name).is_some_and(is_wrong) {
                return invalid(name);
            }
        }
        match command {
            "chat-mark" if self.has("--read") && self.has("--unread") => invalid("--read"),
            "chat-create" => match self.value("--service") {
                Some(service) if !service.eq_ignore_ascii_case("imessage") => {
                    Err(format!("Unsupported service: {service}"))
                }
                _ => Ok(()),
            },
            "read" => self.check_target(),
            "typing" => {
                self.check_target()?;
                if self.value("--duration").is_some_and(|time| values::duration(time).is_err()) {
                    return invalid("--duration");
                }
                if self.value("--stop").is_some_and(|stop| !["true", "false"].contains(&stop)) {
                    return invalid("--stop");
                }
                match self.value("--service").map(str::to_lowercase).as_deref() {
                    None | Some("imessage" | "sms" | "auto") => Ok(()),
                    Some(service) => Err(format!("Invalid service: {service}")),
                }
            }
            _ => Ok(()),
        }
    }

    /// Somebody or a chat, not both.
    fn check_target(&self) -> Result<(), String> {
        let names_one =
            |names: &[&str]| names.iter().any(|name| self.value(name).is_some_and(|value| !value.is_empty()));
        match (names_one(&["--to", "--handle"]), names_one(&["--chat-id", "--chat-identifier", "--chat-guid"])) {
            (true, true) => Err("Invalid value for option: --to".to_owned()),
            (false, false) => Err("Missing required option: --to".to_owned()),
            _ => Ok(()),
        }
    }
}
