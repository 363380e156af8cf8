//! `imsgd react`: a reaction to the newest message of a chat.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Map, Value, json};

use super::lines::text;
use super::{Global, Where, print, session, values};
use crate::daemon::Role;
use crate::outbox::react;

/// React to the newest message of a chat
///
/// Works through the windows of Messages, since AppleScript has no word for it: the Mac has to be unlocked, and the
/// program that runs imsgd needs Accessibility in System Settings. Ends with 0 only when Messages has written the
/// reaction down, which may take 5 seconds.
#[derive(Args)]
pub struct React {
    /// The chat's `id`, as `chats` shows it
    #[arg(long, value_name = "ID", value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: i64,
    /// love, like, dislike, laugh, emphasis, question, or their emoji
    #[arg(long, short = 'r', value_name = "KIND")]
    reaction: String,
    #[command(flatten)]
    at: Where,
}

impl React {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        react::parse(&self.reaction).map_err(|refused| anyhow!(refused))?;
        let params = json!({"chat_id": self.chat_id, "reaction": self.reaction});
        session::with(global, &self.at, Role::Errand, async |mut session| {
            let answer = session.call("react", &params).await?;
            print(&if global.json { json_line(answer) } else { line(&answer) });
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn line(answer: &Value) -> String {
    format!("Sent {} reaction to chat {}\n", text(answer, "reaction_emoji"), answer["chat_id"])
}

fn json_line(answer: Value) -> String {
    let mut line = Map::from_iter([("success".to_owned(), json!(true))]);
    if let Value::Object(answer) = answer {
        line.extend(answer.into_iter().filter(|(key, _)| key != "ok"));
    }
    format!("{}\n", Value::Object(line))
}
