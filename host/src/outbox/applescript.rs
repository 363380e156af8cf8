//! Sending through osascript: one child process for each message, every value an argument, none in the script.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{self, Limit, Talk};

/// What is sent to whom, as the script takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Number or e-mail address, for a send without a chat.
    pub recipient: String,
    pub text: String,
    /// `imessage` or `sms`.
    pub service: String,
    pub file: Option<PathBuf>,
    /// The chat's guid. Wins over the recipient.
    pub chat: Option<String>,
    /// Where Messages does not know the chat by its guid: the participant on the chat's own account.
    pub recovery: Option<Recovery>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub account: String,
    pub recipient: String,
    pub service: String,
}

/// How an attempt ended, as far as the child told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Messages took it.
    Accepted,
    /// Proved never to have been given to Messages.
    NotStarted(String),
    /// Messages may have taken it.
    Uncertain(String),
    /// The child could not be ended, and may still do it.
    StillRunning(String),
}

/// Messages raises this where it finds no such chat.
const NO_SUCH_OBJECT: i64 = -1728;

const SCRIPT: &str = r#"on run argv
    set {theRecipient, theText, theService, theFile, hasFile, theChat, useChat} to items 1 thru 7 of argv
    set {recoveryAccount, recoveryRecipient, recoveryService} to items 8 thru 10 of argv
    set phase to "before"
    try
        tell application "Messages"
            if useChat is "1" then
                try
                    set theTarget to chat id theChat
                    get id of theTarget
                on error errorMessage number errorNumber
                    if recoveryAccount is "" or errorNumber is not -1728 then error errorMessage number errorNumber
                    set theTarget to participant recoveryRecipient of account id recoveryAccount
                end try
            else if theService is "sms" then
                set theTarget to participant theRecipient of (1st account whose service type is SMS)
            else
                set theTarget to participant theRecipient of (1st account whose service type is iMessage)
            end if
            if theText is not "" then
                set phase to "after"
                send theText to theTarget
            end if
            if hasFile is "1" then
                set theAttachment to (POSIX file theFile) as alias
                set phase to "after"
                send theAttachment to theTarget
            end if
        end tell
        return "ok"
    on error errorMessage number errorNumber
        return "error" & tab & phase & tab & errorNumber & tab & errorMessage
    end try
end run
"#;

/// Starts `program` for one order and waits for it, `limit` at most.
pub async fn send(program: &Path, order: &Order, limit: Duration) -> Outcome {
    run(program, SCRIPT, &arguments(order), limit).await
}

/// Starts `program` with a script that answers as [`SCRIPT`] does, and waits for it, `limit` at most.
pub async fn run(program: &Path, script: &str, arguments: &[String], limit: Duration) -> Outcome {
    let arguments = ["-l", "AppleScript", "-"].into_iter().chain(arguments.iter().map(String::as_str));
    let limit = Limit { time: limit, grace: None };
    match process::run(program, arguments, Talk::Tell(script.as_bytes()), limit).await {
        Ok(ended) if ended.status.success() => parse(&ended.said),
        Ok(ended) => Outcome::Uncertain(format!("osascript ended with {}: {}", ended.status, ended.complained.trim())),
        Err(process::Error::NotStarted(error)) => {
            Outcome::NotStarted(format!("could not start {}: {error}", program.display()))
        }
        Err(error @ process::Error::StillRunning(_)) => Outcome::StillRunning(format!("osascript {error}")),
        Err(error) => Outcome::Uncertain(format!("osascript {error}")),
    }
}

fn parse(said: &str) -> Outcome {
    let line = said.trim_end_matches('\n');
    if line == "ok" {
        return Outcome::Accepted;
    }
    let mut fields = line.splitn(4, '\t');
    let (Some("error"), Some(phase), Some(number), message) =
        (fields.next(), fields.next(), fields.next(), fields.next().unwrap_or_default())
    else {
        return Outcome::Uncertain("osascript gave an answer that is not the script's".to_owned());
    };
    let text = explain(number.parse().unwrap_or(0), message);
    if phase == "before" { Outcome::NotStarted(text) } else { Outcome::Uncertain(text) }
}

fn explain(number: i64, message: &str) -> String {
    match number {
        -1743 => "macOS does not let imsgd control Messages (-1743): allow it in System Settings, Privacy & Security, \
                  Automation"
            .to_owned(),
        -1719 | -25211 => {
            "macOS does not let imsgd use the windows of Messages: allow it in System Settings, Privacy & \
                           Security, Accessibility"
                .to_owned()
        }
        NO_SUCH_OBJECT => format!("Messages knows no such chat or participant (-1728): {message}"),
        number => format!("Messages answered with error {number}: {message}"),
    }
}

fn arguments(order: &Order) -> [String; 10] {
    let flag = |is_set: bool| if is_set { "1" } else { "0" }.to_owned();
    let file = order.file.as_ref().map(|file| file.display().to_string());
    let recovery = order.recovery.clone();
    let (account, recipient, service) = recovery.map(|r| (r.account, r.recipient, r.service)).unwrap_or_default();
    [
        order.recipient.clone(),
        order.text.clone(),
        order.service.clone(),
        file.clone().unwrap_or_default(),
        flag(file.is_some()),
        order.chat.clone().unwrap_or_default(),
        flag(order.chat.is_some()),
        account,
        recipient,
        service,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_order_is_in_the_script() {
        let order = Order { recipient: "r\"\\".into(), text: "t\" & do shell".into(), ..Order::default() };
        let arguments = arguments(&order);
        assert_eq!(arguments[0], "r\"\\");
        assert_eq!(arguments[1], "t\" & do shell");
        assert!(!SCRIPT.contains("do shell"));
    }

    #[test]
    fn a_direct_send_has_ten_arguments_with_empty_recovery() {
        let order = Order {
            recipient: "+16502530000".into(),
            text: "hi".into(),
            service: "imessage".into(),
            ..Order::default()
        };
        assert_eq!(arguments(&order), ["+16502530000", "hi", "imessage", "", "0", "", "0", "", "", ""]);
    }

    #[test]
    fn the_phase_tells_whether_a_failure_is_safe_to_repeat() {
        assert_eq!(parse("ok\n"), Outcome::Accepted);
        assert!(matches!(parse("error\tbefore\t-1728\tno chat"), Outcome::NotStarted(_)));
        assert!(matches!(parse("error\tafter\t-1\tx\ty"), Outcome::Uncertain(text) if text.contains("x\ty")));
        assert!(matches!(parse(""), Outcome::Uncertain(_)));
        assert!(matches!(parse("okay"), Outcome::Uncertain(_)));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_a_proof_that_nothing_left() {
        let outcome = send(Path::new("/nonexistent/osascript"), &Order::default(), Duration::from_secs(1)).await;
        assert!(matches!(outcome, Outcome::NotStarted(_)));
    }
}
