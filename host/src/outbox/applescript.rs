//! Sending through osascript: one child process for each message, every value an argument, none in the script.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

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
    let mut command = Command::new(program);
    command
        .args(["-l", "AppleScript", "-"])
        .args(arguments(order))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that whatever it started ends with it.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::NotStarted(format!("could not start {}: {error}", program.display())),
    };
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    match tokio::time::timeout(limit, talk(&mut child)).await {
        Ok(outcome) => {
            // It ended by itself, and its number may be another's by now.
            group.0 = None;
            outcome
        }
        Err(_) => {
            drop(group);
            let _ = child.wait().await;
            Outcome::Uncertain(format!("osascript did not end within {} seconds and was stopped", limit.as_secs_f32()))
        }
    }
}

/// The process group of a child that has not ended. It is killed when the attempt is given up, also where that is
/// because nobody waits for it any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn talk(child: &mut Child) -> Outcome {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Outcome::Uncertain("osascript has no pipes".to_owned());
    };
    if let Err(error) = stdin.write_all(SCRIPT.as_bytes()).await {
        return Outcome::Uncertain(format!("osascript did not read the script: {error}"));
    }
    drop(stdin);
    let (said, complained, status) = tokio::join!(read_some(stdout), read_some(stderr), child.wait());
    match status {
        Ok(status) if status.success() => parse(&said),
        Ok(status) => Outcome::Uncertain(format!("osascript ended with {status}: {}", complained.trim())),
        Err(error) => Outcome::Uncertain(format!("osascript was lost: {error}")),
    }
}

/// Enough for a result line or an error text; the rest is read and thrown away.
const READ_BYTES: usize = 16 << 10;

async fn read_some(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    use tokio::io::AsyncReadExt;
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = READ_BYTES.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
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
