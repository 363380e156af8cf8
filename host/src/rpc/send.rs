//! `send`: checks what the client asked for and hands it to the outbox.

use tokio::sync::oneshot;

use super::error::RpcError;
use super::legacy;
use super::param::{CHAT_ID, Param};
use super::params::Params;
use super::{Answer, Service, answer};
use crate::address::Normalizer;
use crate::contacts::Found;
use crate::outbox::target::{self, Target};
use crate::outbox::{Job, SendRequest, Task};

pub const SEND: &[Param] = &[
    Param::text("to")
        .selector()
        .about("A phone number, an e-mail address or a contact's name. This, or exactly one chat selector."),
    CHAT_ID.about("The chat's row."),
    Param::text("chat_identifier").selector().about("The chat's identifier."),
    Param::text("chat_guid").selector().about("The chat's GUID."),
    Param::text("text").about("What to say. This, or `file`, or both."),
    Param::text("file").about("A file on the machine where imsgd runs."),
    Param::choice("service", &["auto", "imessage", "sms"]).about("How to send to a recipient."),
    Param::choice("transport", &["auto", "applescript", "bridge"])
        .about("`bridge` is refused: imsgd has no private bridge into Messages."),
    Param::text("region").about("The country that a number without a prefix is of, as in `US`. Absent: the owner's."),
    Param::flag("allow_sms_fallback")
        .or(&["allowSMSFallback"])
        .default_true()
        .about("Try SMS where a number has no iMessage, after a first attempt that surely did not leave."),
    Param::objects("text_formatting")
        .or(&["textFormatting", "formatting"])
        .about("Taken and not used: AppleScript sends plain text."),
    Param::text("reply_to")
        .or(&["replyTo", "reply_to_guid", "message_guid"])
        .about("Refused unless empty: AppleScript cannot send threaded replies."),
    Param::refused("attempt_id", "attempt_id is only supported by send.tracked"),
    Param::text("idempotency_key").about("Between 1 and 256 bytes. With the same key a message leaves only once."),
];

/// An idempotency key is kept for every send; this is room for a UUID with words around it.
const KEY_BYTES: usize = 256;

pub async fn send(service: &Service, mut params: Params, is_legacy: bool) -> Answer {
    if is_legacy {
        legacy::one_chat(&service.readers, &mut params).await?;
    }
    let request = check(service, &params).await?;
    let (reply, result) = oneshot::channel();
    let not_taken = |_| RpcError::not_started("imsgd is stopping; nothing was sent");
    service.outbox.send(Job { task: Task::Send(request), reply }).await.map_err(not_taken)?;
    let lost = |_| RpcError::may_have_completed("imsgd stopped while this was being sent");
    answer(&result.await.map_err(lost)??)
}

async fn check(service: &Service, params: &Params) -> Result<SendRequest, RpcError> {
    let text = params.text("text")?.unwrap_or_default();
    let file = params.text("file")?.filter(|file| !file.is_empty());
    let region = params.text("region")?.filter(|region| !region.is_empty());
    let allow_sms_fallback = params.flag("allow_sms_fallback")?;
    // AppleScript sends plain text, as `imsg` does without its bridge.
    params.objects("text_formatting")?;
    let reply_to = params.text("reply_to")?;
    let asked = match params.text("service")?.as_deref() {
        None | Some("auto") => target::Service::Auto,
        Some("imessage") => target::Service::IMessage,
        Some("sms") => target::Service::Sms,
        Some(_) => return Err(RpcError::params("invalid service")),
    };
    let transport = params.text("transport")?.map(|transport| transport.to_lowercase());
    match transport.as_deref() {
        None | Some("auto" | "applescript" | "bridge") => {}
        Some(_) => return Err(RpcError::params("invalid transport")),
    }
    let (target, asked) = check_target(params, asked)?;
    let (target, named) = look_up(service, target, region.as_deref()).await?;
    if text.is_empty() && file.is_none() {
        return Err(RpcError::params("text or file is required"));
    }
    if transport.as_deref() == Some("bridge") {
        return Err(match target {
            Target::Recipient(_) => RpcError::params("bridge transport requires an existing chat target"),
            Target::Chat(_) => RpcError::needs_bridge("send-message"),
        });
    }
    if reply_to.is_some_and(|guid| !guid.is_empty()) {
        let text = "reply_to requires bridge transport; AppleScript fallback cannot send threaded replies";
        return Err(RpcError::params(text));
    }
    let idempotency_key = params.text("idempotency_key")?;
    if idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES) {
        return Err(RpcError::params(format!("idempotency_key must have between 1 and {KEY_BYTES} bytes")));
    }
    Ok(SendRequest {
        target,
        named,
        service: asked,
        text,
        file: file.map(Into::into),
        region,
        allow_sms_fallback,
        // Our own keys begin so; a client's must not meet them.
        idempotency_key: idempotency_key.map(|key| format!("client:{key}")),
    })
}

fn check_target(params: &Params, asked: target::Service) -> Result<(Target, target::Service), RpcError> {
    let names_chat = ["chat_id", "chat_identifier", "chat_guid"].iter().any(|key| params.has(key));
    let to = params.text("to")?;
    match to {
        Some(_) if names_chat => Err(RpcError::params("use to or exactly one chat selector; not both")),
        Some(to) if to.trim().is_empty() => Err(RpcError::params("to must be a non-empty string")),
        Some(to) => Target::parse(&to, asked),
        None => Ok((Target::Chat(params.chat_selector()?), asked)),
    }
}

const NO_CONTACTS: &str =
    "Invalid chat target: Contacts access is unavailable; specify a phone number or email instead.";

/// Of those whom a name may mean.
const SHOWN: usize = 10;

/// Whom a recipient's name means, if it is one: their address, and the name. A name that nobody has stays.
async fn look_up(
    service: &Service,
    target: Target,
    region: Option<&str>,
) -> Result<(Target, Option<String>), RpcError> {
    let name = match target {
        Target::Recipient(name) if target::looks_like_a_name(&name) => name,
        target => return Ok((target, None)),
    };
    let config = service.config.load_full();
    let region = region.unwrap_or(&config.messages.region);
    let normalizer = Normalizer::new(region).ok_or_else(|| RpcError::params(format!("unknown region {region}")))?;
    let names = service.readers.contacts().fresh().await;
    if names.problem().is_some() {
        return Err(RpcError::params(NO_CONTACTS));
    }
    match &names.find(&name, &normalizer)[..] {
        [] => Ok((Target::Recipient(name), None)),
        [one] => Ok((Target::Recipient(one.handle.clone()), Some(name))),
        several => Err(RpcError::params(ambiguous(&name, several))),
    }
}

fn ambiguous(name: &str, several: &[Found]) -> String {
    let shown = several.iter().take(SHOWN);
    let mut lines: String = shown.map(|found| format!("  {}: {}\n", found.name, found.handle)).collect();
    if several.len() > SHOWN {
        lines.push_str(&format!("  and {} more\n", several.len() - SHOWN));
    }
    format!("Invalid chat target: Multiple contacts match \"{name}\":\n{lines}Specify a phone number or email instead.")
}
