//! `imsgd send`: one message, and whether it left.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::{Global, Where, print, session, values};
use crate::config;
use crate::daemon::Role;

/// Send a message, and wait until it is seen in the chat
///
/// Goes through the daemon where one serves the database, else by itself, with `osascript`. The chunking policy cuts
/// long texts. Ends with 0 only when Messages has written the message down, which may take 8 seconds. Else it says
/// whether the message may have left all the same, and so whether it is safe to send it again.
#[derive(Args)]
pub struct Send {
    /// Number, e-mail address or name of a contact
    #[arg(long, value_name = "WHO")]
    to: Option<String>,
    /// The chat's `id`, as `chats` shows it
    #[arg(long, value_name = "ID", value_parser = values::positive, allow_negative_numbers = true)]
    chat_id: Option<i64>,
    /// The chat's identifier
    #[arg(long, value_name = "IDENTIFIER")]
    chat_identifier: Option<String>,
    /// The chat's guid
    #[arg(long, value_name = "GUID")]
    chat_guid: Option<String>,
    /// What to say
    #[arg(long, allow_hyphen_values = true)]
    text: Option<String>,
    /// A file to send, after the text
    #[arg(long)]
    file: Option<PathBuf>,
    /// auto, imessage or sms
    #[arg(long, default_value = "auto")]
    service: String,
    /// Code of the region in which a number without a country code is read, as US
    #[arg(long)]
    region: Option<String>,
    /// Never try SMS where iMessage does not take the message
    #[arg(long)]
    no_sms_fallback: bool,
    /// Sent twice under one key, it leaves once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    at: Where,
}

impl Send {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let params = self.params()?;
        session::with(global, &self.at, Role::Errand, async |mut session| {
            let answer = session.call("send", &params).await.map_err(in_other_words)?;
            print(&if global.json { json_line(answer) } else { "sent\n".to_owned() });
            Ok(ExitCode::SUCCESS)
        })
    }

    fn params(&self) -> anyhow::Result<Value> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (to, identifier, guid) = (filled(&self.to), filled(&self.chat_identifier), filled(&self.chat_guid));
        let chats = [self.chat_id.is_some(), identifier.is_some(), guid.is_some()];
        match (&to, chats.iter().filter(|is_given| **is_given).count()) {
            (Some(_), 1..) => {
                bail!("Invalid value for option: --to\n  it names somebody beside the chat; give one of them")
            }
            (None, 0) => bail!("Missing required option: --to"),
            (None, 2..) => bail!("Invalid value for option: --chat-id\n  name the chat in one way"),
            _ => {}
        }
        let file = self.file.as_deref().filter(|file| !file.as_os_str().is_empty()).map(absolute);
        if filled(&self.text).is_none() && file.is_none() {
            bail!("Missing required option: --text or file");
        }
        let service = self.service.to_lowercase();
        if !["auto", "imessage", "sms"].contains(&service.as_str()) {
            bail!("Invalid service: {}\n  it is one of auto, imessage, sms", self.service);
        }
        let given = [
            ("to", json!(to)),
            ("chat_id", json!(self.chat_id)),
            ("chat_identifier", json!(identifier)),
            ("chat_guid", json!(guid)),
            ("text", json!(filled(&self.text))),
            ("file", json!(file)),
            ("region", json!(filled(&self.region))),
            ("idempotency_key", json!(self.idempotency_key)),
        ];
        let mut params = json!({"service": service, "allow_sms_fallback": !self.no_sms_fallback});
        for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            params[key] = value;
        }
        Ok(params)
    }
}

/// The daemon runs in another folder.
fn absolute(file: &Path) -> String {
    let file = config::expand(file);
    std::path::absolute(&file).unwrap_or(file).display().to_string()
}

/// What `imsg` says on the command line where JSON-RPC says it in short.
fn in_other_words(error: anyhow::Error) -> anyhow::Error {
    let failure = match error.downcast::<Failure>() {
        Ok(failure) => failure,
        Err(other) => return other,
    };
    let said = failure.to_string();
    match said.strip_prefix("unknown chat_id ") {
        Some(id) => failure.says(format!("Invalid chat target: Unknown chat id {id}")).into(),
        None if said == "missing chat identifier or guid" => {
            failure.says("Invalid chat target: Missing chat identifier or guid").into()
        }
        None => failure.into(),
    }
}

fn json_line(answer: Value) -> String {
    let mut line = Map::from_iter([("status".to_owned(), json!("sent"))]);
    let more = match answer {
        Value::Object(answer) => answer,
        _ => Map::new(),
    };
    line.extend(more.into_iter().filter(|(key, _)| !["ok", "transport"].contains(&key.as_str())));
    format!("{}\n", Value::Object(line))
}
