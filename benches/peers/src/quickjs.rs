//! The policies in QuickJS, with a message as an object.

use anyhow::Result;
use rquickjs::{Array, Context, Ctx, Function, Object, Persistent, Runtime, Value};

use crate::message::Message;
use crate::peer::{Handing, Lists, Peer, Verdict, first};

const SCRIPTS: [&str; 3] = [
    include_str!("../scripts/senders.js"),
    include_str!("../scripts/mentions.js"),
    include_str!("../scripts/words.js"),
];

pub struct JsPeer {
    judges: Vec<(Context, Persistent<Function<'static>>)>,
    handing: Handing,
}

impl JsPeer {
    pub fn start(lists: &Lists, handing: Handing) -> Result<JsPeer> {
        let shared = Context::full(&Runtime::new()?)?;
        let mut judges = Vec::new();
        for (script, list) in SCRIPTS.iter().zip(lists) {
            let context = if handing == Handing::Shared { shared.clone() } else { Context::full(&Runtime::new()?)? };
            let judge = context.with(|ctx| -> rquickjs::Result<_> {
                // A function of its own, for where a context has three of these.
                let made: Object = ctx.eval(format!("(() => {{ {script}\nreturn {{ configure, judge }}; }})()"))?;
                made.get::<_, Function>("configure")?.call::<_, ()>((list.clone(),))?;
                Ok(Persistent::save(&ctx, made.get::<_, Function>("judge")?))
            })?;
            judges.push((context, judge));
        }
        Ok(JsPeer { judges, handing })
    }
}

impl Peer for JsPeer {
    fn judge(&mut self, message: &Message) -> Result<Verdict> {
        if self.handing == Handing::Shared {
            return self.judges[0].0.with(|ctx| {
                let object = whole(&ctx, message)?;
                first(&self.judges, |(_, judge)| ask(&ctx, judge, object.clone()))
            });
        }
        first(&self.judges, |(context, judge)| {
            context.with(|ctx| {
                let object = match self.handing {
                    Handing::OnlyRead => only_read(&ctx, message)?,
                    _ => whole(&ctx, message)?,
                };
                ask(&ctx, judge, object)
            })
        })
    }
}

fn ask<'js>(ctx: &Ctx<'js>, judge: &Persistent<Function<'static>>, message: Object<'js>) -> Result<Verdict> {
    let word: rquickjs::String = judge.clone().restore(ctx)?.call((message,))?;
    Verdict::from_word(word.to_cstring()?.as_str().as_bytes())
}

fn whole<'js>(ctx: &Ctx<'js>, message: &Message) -> rquickjs::Result<Object<'js>> {
    let chat = Object::new(ctx.clone())?;
    chat.set("id", message.chat.id)?;
    chat.set("guid", message.chat.guid.as_str())?;
    chat.set("identifier", message.chat.identifier.as_str())?;
    chat.set("name", message.chat.name.as_deref())?;
    chat.set("service", message.chat.service.as_str())?;
    chat.set("is_group", message.chat.is_group)?;
    chat.set("participants", words(ctx, &message.chat.participants)?)?;
    chat.set("own_addresses", words(ctx, &message.chat.own_addresses)?)?;
    let sender = Object::new(ctx.clone())?;
    sender.set("address", message.sender.address.as_str())?;
    sender.set("raw", message.sender.raw.as_str())?;
    sender.set("name", message.sender.name.as_deref())?;
    let attachments = Array::new(ctx.clone())?;
    for (at, attachment) in message.attachments.iter().enumerate() {
        let object = Object::new(ctx.clone())?;
        object.set("name", attachment.name.as_str())?;
        object.set("mime_type", attachment.mime_type.as_deref())?;
        object.set("size", attachment.size as f64)?;
        object.set("is_sticker", attachment.is_sticker)?;
        attachments.set(at, object)?;
    }
    let object = Object::new(ctx.clone())?;
    object.set("id", message.id)?;
    object.set("guid", message.guid.as_str())?;
    object.set("chat", chat)?;
    object.set("sender", sender)?;
    object.set("text", message.text.as_str())?;
    object.set("mentions", words(ctx, &message.mentions)?)?;
    object.set("sent_at", message.sent_at as f64)?;
    object.set("arrival", message.arrival.as_str())?;
    match &message.reply_to {
        Some(quoted) => {
            let reply = Object::new(ctx.clone())?;
            reply.set("guid", quoted.guid.as_str())?;
            reply.set("sender", quoted.sender.as_deref())?;
            reply.set("text", quoted.text.as_deref())?;
            object.set("reply_to", reply)?;
        }
        None => object.set("reply_to", Value::new_null(ctx.clone()))?,
    }
    object.set("attachments", attachments)?;
    Ok(object)
}

fn only_read<'js>(ctx: &Ctx<'js>, message: &Message) -> rquickjs::Result<Object<'js>> {
    let sender = Object::new(ctx.clone())?;
    sender.set("address", message.sender.address.as_str())?;
    let object = Object::new(ctx.clone())?;
    object.set("sender", sender)?;
    object.set("text", message.text.as_str())?;
    Ok(object)
}

fn words<'js>(ctx: &Ctx<'js>, list: &[String]) -> rquickjs::Result<Array<'js>> {
    let array = Array::new(ctx.clone())?;
    for (at, word) in list.iter().enumerate() {
        array.set(at, word.as_str())?;
    }
    Ok(array)
}
