//! Stands in for `/usr/bin/osascript -l AppleScript - ARG…`, called with a script that sends or reacts on stdin.
//!
//! The scripts catch Messages' errors by itself, so a call mostly ends with status 0 and one line:
//! `ok`, or `error`, phase (`before` or `after` the first `send` or the click began), number and message, with tabs between.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::behavior::{self, Behavior, Mode};
use super::order::{Order, Target};
use super::press::Press;
use super::receive::{Incoming, Session, Tapback};
use super::rows::{Chat, OWNER, Service};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub settings: Settings,
    /// What osascript itself is given: -l AppleScript - ARG…
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Simulated database to write what was sent into
    #[arg(long, env = "IMSGD_SIM_DB", value_name = "FILE")]
    pub db: PathBuf,
    /// JSON file that says how to misbehave: {"mode": "fail-before", "delay_ms": 50, "times": 1}
    #[arg(long, env = "IMSGD_SIM_BEHAVIOR", value_name = "FILE")]
    pub behavior: Option<PathBuf>,
    /// File to append one JSON line to for each call
    #[arg(long, env = "IMSGD_SIM_SENT", value_name = "FILE")]
    pub sent: Option<PathBuf>,
}

/// Writes an executable that hands its arguments on to `program sim osascript`, since a configuration names one path.
pub fn write_wrapper(path: &Path, program: &Path, settings: &Settings) -> Result<()> {
    let mut script = format!("#!/bin/sh\nexec {} sim osascript --db {}", quoted(program)?, quoted(&settings.db)?);
    for (flag, file) in [("--behavior", &settings.behavior), ("--sent", &settings.sent)] {
        if let Some(file) = file {
            script.push_str(&format!(" {flag} {}", quoted(file)?));
        }
    }
    script.push_str(" \"$@\"\n");
    std::fs::write(path, script)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn quoted(path: &Path) -> Result<String> {
    let path = path.to_str().context("a path is not UTF-8")?;
    Ok(format!("'{}'", path.replace('\'', r"'\''")))
}

pub fn run(args: &Args, mut input: impl Read, mut output: impl Write) -> Result<ExitCode> {
    let mut script = String::new();
    input.read_to_string(&mut script).context("could not read the script")?;
    let asked = check(&args.arguments, &script)?;
    let behavior = behavior::next(args.settings.behavior.as_deref())?;
    let call = Call { settings: &args.settings, asked, behavior };
    match call.answer()? {
        Some(answer) => {
            writeln!(output, "{}", answer.line())?;
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::FAILURE),
    }
}

/// What the script is to do: the two scripts take different numbers of arguments.
#[derive(Clone, Debug)]
enum Asked {
    Send(Order),
    React(Press),
}

fn check(arguments: &[String], script: &str) -> Result<Asked> {
    let [language_flag, language, dash, rest @ ..] = arguments else { bail!("expected -l AppleScript - ARG…") };
    ensure!(
        [language_flag, language, dash] == ["-l", "AppleScript", "-"],
        "expected -l AppleScript -, not {language_flag} {language} {dash}"
    );
    ensure!(script.contains("on run"), "stdin has no script with an `on run` handler");
    match rest {
        [chat, url, button] => Press::parse(chat, url, button, script).map(Asked::React),
        _ => Order::parse(rest).map(Asked::Send),
    }
}

/// What the script reports.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Ok,
    Error { phase: &'static str, number: i32, message: String },
}

impl Answer {
    fn line(&self) -> String {
        match self {
            Answer::Ok => "ok".to_owned(),
            Answer::Error { phase, number, message } => format!("error\t{phase}\t{number}\t{message}"),
        }
    }

    /// errAENoSuchObject, which is what Messages says of chats and people that it does not know.
    fn not_found(target: &Target) -> Answer {
        let what = match target {
            Target::Chat(guid) => format!("chat id \"{guid}\""),
            Target::Recipient(address) => format!("participant \"{address}\""),
        };
        Answer::Error { phase: "before", number: -1728, message: format!("Messages got an error: Can’t get {what}.") }
    }
}

struct Call<'a> {
    settings: &'a Settings,
    asked: Asked,
    behavior: Behavior,
}

impl Call<'_> {
    /// None where osascript fails or is ended without an answer.
    fn answer(&self) -> Result<Option<Answer>> {
        let mode = self.behavior.mode;
        if !matches!(mode, Mode::WriteLate | Mode::LateJoin | Mode::Flip | Mode::TwinLate) {
            std::thread::sleep(self.behavior.delay);
        }
        match mode {
            Mode::FailBefore => {
                self.log(json!({}))?;
                let message = "Messages got an error: Application isn’t running.".to_owned();
                Ok(Some(Answer::Error { phase: "before", number: -600, message }))
            }
            Mode::Exit => {
                self.log(json!({}))?;
                Err(anyhow::anyhow!("execution error: Messages got an error: Connection is invalid. (-609)"))
            }
            Mode::Hang => self.hang().map(|()| None),
            _ => match &self.asked {
                Asked::Send(order) => self.send(order).map(Some),
                Asked::React(press) => self.press(press).map(Some),
            },
        }
    }

    fn send(&self, order: &Order) -> Result<Answer> {
        let mut session = Session::open(&self.settings.db)?;
        let Some((chat, service)) = self.resolve(order, &mut session)? else {
            self.log(json!({"dispatched": false}))?;
            return Ok(Answer::not_found(&order.target));
        };
        self.log(json!({}))?;
        // Where it fails half-way, the first of two messages gets through.
        let through = usize::from(!order.text.is_empty() && order.file.is_some());
        self.perform(&mut session, &chat, service, through, |_, chat| Ok(messages(order, chat, service)))
    }

    fn press(&self, press: &Press) -> Result<Answer> {
        let mut session = Session::open(&self.settings.db)?;
        let known = session.chat(&press.chat)?.filter(|_| self.behavior.mode != Mode::NotFound);
        let Some(chat) = known else {
            self.log(json!({"dispatched": false}))?;
            return Ok(Answer::not_found(&Target::Chat(press.chat.clone())));
        };
        // A URL that names another chat, or none, opens nothing.
        if press.identifier != chat.identifier || session.newest(&chat)?.is_none() {
            self.log(json!({"dispatched": false}))?;
            let message = "Messages did not open the chat".to_owned();
            return Ok(Answer::Error { phase: "before", number: -2700, message });
        }
        self.log(json!({}))?;
        let is_other = self.behavior.mode == Mode::WrongKind;
        self.perform(&mut session, &chat, chat.service, 0, |session, chat| press.tapback(session, chat, is_other))
    }

    /// Writes what `of` a chat is to be written, as it was told to.
    fn perform(
        &self,
        session: &mut Session,
        chat: &Chat,
        service: Service,
        through: usize,
        of: impl Fn(&Session, &Chat) -> Result<Vec<Incoming>>,
    ) -> Result<Answer> {
        let messages = of(session, chat)?;
        match self.behavior.mode {
            Mode::AcceptWithoutWriting => {}
            Mode::Ghost => session.write_ghost(&chat.identifier, service)?,
            Mode::WriteLate | Mode::LateJoin | Mode::Flip => self.write_late(&messages)?,
            Mode::TwinFirst => write(session, &messages.into_iter().rev().collect::<Vec<_>>())?,
            Mode::TwinLate => {
                let (own, twins): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.from_me);
                write(session, &own)?;
                self.write_late(&twins)?;
            }
            Mode::WrongChat => {
                let chat = session.other_chat(chat)?;
                let messages = of(session, &chat)?;
                write(session, &messages)?;
            }
            Mode::FailAfter => {
                write(session, &messages[..through])?;
                let message = "Messages got an error: AppleEvent timed out.".to_owned();
                return Ok(Answer::Error { phase: "after", number: -1712, message });
            }
            _ => write(session, &messages)?,
        }
        Ok(Answer::Ok)
    }

    /// The chat that Messages finds for the order, and what carries the message there.
    fn resolve(&self, order: &Order, session: &mut Session) -> Result<Option<(Chat, Service)>> {
        let is_known = self.behavior.mode != Mode::NotFound;
        let found = match &order.target {
            Target::Chat(guid) if is_known => session.chat(guid)?.map(|chat| (chat.service, chat)),
            Target::Recipient(address) if is_known => {
                let service = order.service.unwrap_or_default();
                Some((service, session.direct_chat(address, service)?))
            }
            _ => None,
        };
        let found = match (found, &order.recovery) {
            (None, Some(recovery)) => {
                Some((recovery.service, session.direct_chat(&recovery.recipient, recovery.service)?))
            }
            (found, _) => found,
        };
        Ok(found.map(|(service, chat)| (chat, service)))
    }

    /// Hands the messages to a process of its own, as osascript has ended when Messages gets round to writing them.
    fn write_late(&self, messages: &[Incoming]) -> Result<()> {
        let program = std::env::current_exe().context("could not find this program")?;
        let mut child = Command::new(program)
            .args(["sim", "receive", "--stdin", "--db"])
            .arg(&self.settings.db)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ending osascript's process group does not end Messages.
            .process_group(0)
            .spawn()
            .context("could not start the late writer")?;
        let mut stdin = child.stdin.take().context("the late writer has no stdin")?;
        let delay = self.behavior.delay.as_millis() as u64;
        let (mut after_ms, steps) = match self.behavior.mode {
            Mode::LateJoin => (0, "split"),
            Mode::Flip => (0, "together"),
            _ => (delay, "together"),
        };
        for message in messages {
            let line = json!({
                "chat": message.chat, "text": message.text, "attachments": message.attachments,
                "service": message.service.name(), "from_me": message.from_me, "after_ms": after_ms,
                "tapback": message.tapback.as_ref().map(Tapback::name), "target": message.target,
                "steps": steps, "step_ms": delay,
                "flip_ms": (self.behavior.mode == Mode::Flip).then_some(delay),
            });
            writeln!(stdin, "{line}")?;
            after_ms = 0;
        }
        Ok(())
    }

    /// Waits to be ended. The child keeps stdout open, so whoever ends only this process waits for it in vain.
    fn hang(&self) -> Result<()> {
        // Ends by itself some day, so that a failed test leaves nothing for ever.
        const LONG: Duration = Duration::from_secs(600);
        let child = Command::new("sleep").arg(LONG.as_secs().to_string()).stdin(Stdio::null()).spawn();
        let child = child.context("could not start sleep")?;
        self.log(json!({"child_pid": child.id()}))?;
        std::thread::sleep(LONG);
        Ok(())
    }

    fn log(&self, more: Value) -> Result<()> {
        let Some(path) = &self.settings.sent else { return Ok(()) };
        let mut line = match &self.asked {
            Asked::Send(order) => order.described(),
            Asked::React(press) => press.described(),
        };
        line["mode"] = self.behavior.mode.name().into();
        line["dispatched"] = self.behavior.mode.begins_to_send().into();
        line["pid"] = std::process::id().into();
        line["at_ns"] = (Timestamp::now().as_nanosecond() as i64).into();
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        let mut file = File::options().create(true).append(true).mode(0o600).open(path)?;
        // One write, so that lines of two calls at once do not mix.
        file.write_all(format!("{line}\n").as_bytes()).with_context(|| format!("could not write {}", path.display()))
    }
}

/// The text first, then the file: two messages.
fn messages(order: &Order, chat: &Chat, service: Service) -> Vec<Incoming> {
    let to_chat = Incoming { chat: Some(chat.guid.clone()), service, from_me: true, ..Incoming::default() };
    let text = Incoming { text: order.text.clone(), ..to_chat.clone() };
    let file = order.file.clone().map(|file| Incoming { attachments: vec![file], ..to_chat });
    let text = Some(text).filter(|text| !text.text.is_empty());
    let mut messages: Vec<Incoming> = text.into_iter().chain(file).collect();
    // Who writes to themselves gets what they sent.
    if chat.identifier == OWNER {
        let twins: Vec<Incoming> = messages.iter().map(|sent| Incoming { from_me: false, ..sent.clone() }).collect();
        messages.extend(twins);
    }
    messages
}

fn write(session: &mut Session, messages: &[Incoming]) -> Result<()> {
    messages.iter().try_for_each(|message| session.receive(message).map(drop))
}
