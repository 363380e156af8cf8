//! The policies in LuaJIT, with a message as a table.

use anyhow::{Result, anyhow};
use mlua::{Function, Lua, LuaString, Table, Value};

use crate::message::Message;
use crate::peer::{Handing, Lists, Peer, Verdict, first};

const SCRIPTS: [&str; 3] = [
    include_str!("../scripts/senders.lua"),
    include_str!("../scripts/mentions.lua"),
    include_str!("../scripts/words.lua"),
];

pub struct LuaPeer {
    /// Each with the state that it lives in.
    judges: Vec<(Lua, Function)>,
    handing: Handing,
}

impl LuaPeer {
    pub fn start(lists: &Lists, handing: Handing) -> Result<LuaPeer> {
        let shared = Lua::new();
        let mut judges = Vec::new();
        for (script, list) in SCRIPTS.iter().zip(lists) {
            let lua = if handing == Handing::Shared { shared.clone() } else { Lua::new() };
            lua.load(*script).exec().map_err(told)?;
            let configure: Function = lua.globals().get("configure").map_err(told)?;
            configure.call::<()>(list.clone()).map_err(told)?;
            let judge = lua.globals().get("judge").map_err(told)?;
            judges.push((lua, judge));
        }
        Ok(LuaPeer { judges, handing })
    }

    pub fn version() -> Result<String> {
        Lua::new().load("jit.version .. (jit.status() and '' or ' without its compiler')").eval().map_err(told)
    }
}

impl Peer for LuaPeer {
    fn judge(&mut self, message: &Message) -> Result<Verdict> {
        let shared = match self.handing {
            Handing::Shared => Some(whole(&self.judges[0].0, message).map_err(told)?),
            _ => None,
        };
        first(&self.judges, |(lua, judge)| {
            let table = match (&shared, self.handing) {
                (Some(shared), _) => shared.clone(),
                (None, Handing::OnlyRead) => only_read(lua, message).map_err(told)?,
                (None, _) => whole(lua, message).map_err(told)?,
            };
            let word: LuaString = judge.call(table).map_err(told)?;
            Verdict::from_word(&word.as_bytes())
        })
    }
}

fn whole(lua: &Lua, message: &Message) -> mlua::Result<Table> {
    let chat = lua.create_table_with_capacity(0, 8)?;
    chat.raw_set("id", message.chat.id)?;
    chat.raw_set("guid", message.chat.guid.as_str())?;
    chat.raw_set("identifier", message.chat.identifier.as_str())?;
    chat.raw_set("name", message.chat.name.as_deref())?;
    chat.raw_set("service", message.chat.service.as_str())?;
    chat.raw_set("is_group", message.chat.is_group)?;
    chat.raw_set("participants", words(lua, &message.chat.participants)?)?;
    chat.raw_set("own_addresses", words(lua, &message.chat.own_addresses)?)?;
    let sender = lua.create_table_with_capacity(0, 3)?;
    sender.raw_set("address", message.sender.address.as_str())?;
    sender.raw_set("raw", message.sender.raw.as_str())?;
    sender.raw_set("name", message.sender.name.as_deref())?;
    let attachments = lua.create_table_with_capacity(message.attachments.len(), 0)?;
    for attachment in &message.attachments {
        let table = lua.create_table_with_capacity(0, 4)?;
        table.raw_set("name", attachment.name.as_str())?;
        table.raw_set("mime_type", attachment.mime_type.as_deref())?;
        table.raw_set("size", attachment.size)?;
        table.raw_set("is_sticker", attachment.is_sticker)?;
        attachments.raw_push(table)?;
    }
    let table = lua.create_table_with_capacity(0, 10)?;
    table.raw_set("id", message.id)?;
    table.raw_set("guid", message.guid.as_str())?;
    table.raw_set("chat", chat)?;
    table.raw_set("sender", sender)?;
    table.raw_set("text", message.text.as_str())?;
    table.raw_set("mentions", words(lua, &message.mentions)?)?;
    table.raw_set("sent_at", message.sent_at)?;
    table.raw_set("arrival", message.arrival.as_str())?;
    if let Some(quoted) = &message.reply_to {
        let reply = lua.create_table_with_capacity(0, 3)?;
        reply.raw_set("guid", quoted.guid.as_str())?;
        reply.raw_set("sender", quoted.sender.as_deref())?;
        reply.raw_set("text", quoted.text.as_deref())?;
        table.raw_set("reply_to", reply)?;
    }
    table.raw_set("attachments", attachments)?;
    Ok(table)
}

fn only_read(lua: &Lua, message: &Message) -> mlua::Result<Table> {
    let sender = lua.create_table_with_capacity(0, 1)?;
    sender.raw_set("address", message.sender.address.as_str())?;
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("sender", sender)?;
    table.raw_set("text", message.text.as_str())?;
    Ok(table)
}

fn words(lua: &Lua, list: &[String]) -> mlua::Result<Value> {
    lua.create_sequence_from(list.iter().map(String::as_str)).map(Value::Table)
}

/// mlua's errors stay on one thread, anyhow's do not.
fn told(error: mlua::Error) -> anyhow::Error {
    anyhow!("Lua: {error}")
}
