//! `imsgd why`: what became of one message, in words.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{Global, Where, client, look, print};

#[derive(Args)]
pub struct Why {
    /// The message's guid or ROWID: `id` and `guid` in every message object
    message: String,
    #[command(flatten)]
    at: Where,
}

impl Why {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let config = global.load(&self.at)?;
        let params = match self.message.parse::<i64>() {
            Ok(rowid) => json!({"rowid": rowid}),
            Err(_) => json!({"guid": self.message}),
        };
        let answer = client::call(&config, "journal.explain", &params)?;
        if global.json {
            print(&format!("{answer}\n"));
        } else {
            print(&screen(&look::harmless(answer.clone())));
        }
        Ok(if answer["found"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn screen(answer: &Value) -> String {
    let mut out = String::new();
    if let (Some(id), Some(guid)) = (answer["id"].as_i64(), answer["guid"].as_str()) {
        let sender = answer["sender"].as_str().unwrap_or_default();
        out.push_str(&format!("message {id} ({guid}) from {sender} in chat {}\n", answer["chat_id"]));
    }
    for sentence in answer["story"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("  {sentence}\n"));
    }
    out
}
