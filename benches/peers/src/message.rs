//! A message with all that `wit/policy.wit` tells of one: what a host would hand to a policy.

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
pub struct Message {
    pub id: i64,
    pub guid: String,
    pub chat: Chat,
    pub sender: Person,
    pub text: String,
    pub mentions: Vec<String>,
    pub sent_at: u64,
    pub arrival: String,
    pub reply_to: Option<Quoted>,
    pub attachments: Vec<Attachment>,
}

#[derive(Deserialize, Serialize)]
pub struct Chat {
    pub id: i64,
    pub guid: String,
    pub identifier: String,
    pub name: Option<String>,
    pub service: String,
    pub is_group: bool,
    pub participants: Vec<String>,
    pub own_addresses: Vec<String>,
}

#[derive(Deserialize, Serialize)]
pub struct Person {
    pub address: String,
    pub raw: String,
    pub name: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub struct Quoted {
    pub guid: String,
    pub sender: Option<String>,
    pub text: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub struct Attachment {
    pub name: String,
    pub mime_type: Option<String>,
    pub size: u64,
    pub is_sticker: bool,
}
