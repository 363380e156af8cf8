//! What a plugin may ask of the host: the message in front of it, the time, random bytes, a log and its own store.
//! Nothing here waits: a call that blocks could not be cut off.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use super::bindings::imsgd::policy::{host, message, store};
use super::engine::Budget;
use super::limits::{self, Growth};
use super::log::Log;
use super::panic::Panic;
use crate::address::Normalizer;
use crate::message as domain;
use crate::policy::Inbound;

/// Stand for the message that is being judged. They carry nothing: whatever a plugin asks of one is answered from
/// the message of the call that runs, so a handle kept from an earlier call shows nothing that the plugin may not see.
pub struct MessageRep;
pub struct ChatRep;
pub struct PersonRep;
/// Its number is the attachment's place in the message.
pub struct AttachmentRep;

/// Keys and what they become: a value, or gone.
pub type StoreWrites = BTreeMap<String, Option<Vec<u8>>>;

/// Where a policy is tested: time stands still, and chance is the same in every run.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub now: Timestamp,
    seed: u64,
}

impl Stage {
    /// Random bytes are those of `imsgd_plugin::testing`, so that both kinds of tests see the same codes.
    pub fn at(now: Timestamp) -> Stage {
        Stage { now, seed: 0 }
    }

    /// Splitmix64, a byte of each number.
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.seed;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (bits ^ (bits >> 31)) as u8;
        }
    }
}

/// The host's side of one plugin instance.
pub struct Guest {
    pub(super) growth: Growth,
    pub(super) budget: Budget,
    pub(super) normalizer: Arc<Normalizer>,
    pub(super) call: Call,
    pub(super) state: State,
    pub(super) log: Log,
    pub(super) stage: Option<Stage>,
}

/// What belongs to the call that runs.
pub(super) struct Call {
    pub inbound: Option<Arc<Inbound>>,
    pub now: Timestamp,
    pub writes: StoreWrites,
    /// By how many bytes the state grows with these writes, or shrinks.
    growth: isize,
    /// The last that was logged.
    pub panic: Option<Panic>,
}

impl Call {
    pub fn new(inbound: Option<Arc<Inbound>>, now: Timestamp) -> Call {
        Call { inbound, now, writes: StoreWrites::new(), growth: 0, panic: None }
    }
}

/// The plugin's durable state as it will be once all that was answered so far is committed.
#[derive(Default)]
pub struct State {
    values: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl State {
    pub fn new(values: BTreeMap<String, Vec<u8>>) -> State {
        let bytes = values.iter().map(|(key, value)| key.len() + value.len()).sum();
        State { values, bytes }
    }

    pub(super) fn apply(&mut self, writes: &StoreWrites) {
        for (key, value) in writes {
            let old = match value {
                Some(value) => {
                    self.bytes += key.len() + value.len();
                    self.values.insert(key.clone(), value.clone())
                }
                None => self.values.remove(key),
            };
            self.bytes -= old.map_or(0, |old| key.len() + old.len());
        }
    }
}

impl Guest {
    fn message(&self) -> Result<&domain::Message> {
        match &self.call.inbound {
            Some(inbound) => Ok(&inbound.message),
            None => bail!("a message was asked for in a call that has none"),
        }
    }

    fn inbound(&self) -> Result<&Inbound> {
        match &self.call.inbound {
            Some(inbound) => Ok(inbound),
            None => bail!("a message was asked for in a call that has none"),
        }
    }

    /// The messages that policies judge are all joined to a chat.
    fn chat(&self) -> Result<&domain::Chat> {
        match &self.message()?.chat {
            Some(chat) => Ok(chat),
            None => bail!("this message belongs to no chat"),
        }
    }

    fn attachment(&self, rep: u32) -> Result<&domain::Attachment> {
        match self.message()?.attachments.get(rep as usize) {
            Some(attachment) => Ok(attachment),
            None => bail!("an attachment was kept from an earlier call"),
        }
    }

    /// What `key` takes up as the running call sees it.
    fn stored_bytes(&self, key: &str) -> isize {
        let value = match self.call.writes.get(key) {
            Some(written) => written.as_ref(),
            None => self.state.values.get(key),
        };
        value.map_or(0, |value| (key.len() + value.len()) as isize)
    }

    pub(super) fn fill_with_chance(&mut self, bytes: &mut [u8]) -> Result<()> {
        match &mut self.stage {
            Some(stage) => stage.fill(bytes),
            None => getrandom::fill(bytes)?,
        }
        Ok(())
    }

    pub(super) fn say(&mut self, level: &'static str, text: String) {
        if let Some(panic) = Panic::read(&text) {
            self.call.panic = Some(panic);
        } else if let Some(panic) = &mut self.call.panic {
            panic.go_on(&text);
        }
        self.log.write(level, text);
    }
}

impl message::Host for Guest {}

impl message::HostMessage for Guest {
    fn id(&mut self, _: Resource<MessageRep>) -> Result<i64> {
        Ok(self.message()?.id.0)
    }

    fn guid(&mut self, _: Resource<MessageRep>) -> Result<String> {
        Ok(self.message()?.guid.clone())
    }

    fn chat(&mut self, _: Resource<MessageRep>) -> Result<Resource<ChatRep>> {
        Ok(Resource::new_own(0))
    }

    fn sender(&mut self, _: Resource<MessageRep>) -> Result<Resource<PersonRep>> {
        Ok(Resource::new_own(0))
    }

    fn text(&mut self, _: Resource<MessageRep>) -> Result<String> {
        Ok(self.message()?.words().into_owned())
    }

    fn mentions(&mut self, _: Resource<MessageRep>) -> Result<Vec<String>> {
        Ok(self.message()?.mentions.iter().map(|raw| self.normalizer.comparable(raw)).collect())
    }

    fn sent_at(&mut self, _: Resource<MessageRep>) -> Result<u64> {
        Ok(millis(self.message()?.sent_at))
    }

    fn arrival(&mut self, _: Resource<MessageRep>) -> Result<message::Arrival> {
        Ok(match self.inbound()?.arrival {
            domain::Arrival::Live => message::Arrival::Live,
            domain::Arrival::CatchUp => message::Arrival::CatchUp,
            domain::Arrival::Backfill => message::Arrival::Backfill,
        })
    }

    fn reply_to(&mut self, _: Resource<MessageRep>) -> Result<Option<message::Quoted>> {
        Ok(self.message()?.quoted.as_ref().map(|quoted| message::Quoted {
            guid: quoted.guid.clone(),
            sender: quoted.sender.as_deref().map(|raw| self.normalizer.comparable(raw)),
            text: quoted.text.clone(),
        }))
    }

    fn attachments(&mut self, _: Resource<MessageRep>) -> Result<Vec<Resource<AttachmentRep>>> {
        let count = u32::try_from(self.message()?.attachments.len())?;
        Ok((0..count).map(Resource::new_own).collect())
    }

    fn drop(&mut self, _: Resource<MessageRep>) -> Result<()> {
        Ok(())
    }
}

impl message::HostChat for Guest {
    fn id(&mut self, _: Resource<ChatRep>) -> Result<i64> {
        Ok(self.chat()?.id.0)
    }

    fn guid(&mut self, _: Resource<ChatRep>) -> Result<String> {
        Ok(self.chat()?.guid.clone())
    }

    fn identifier(&mut self, _: Resource<ChatRep>) -> Result<String> {
        Ok(self.chat()?.identifier.clone())
    }

    fn name(&mut self, _: Resource<ChatRep>) -> Result<Option<String>> {
        Ok(self.chat()?.display_name.clone().filter(|name| !name.is_empty()))
    }

    fn service(&mut self, _: Resource<ChatRep>) -> Result<message::Service> {
        Ok(match domain::Service::from_column(&self.chat()?.service) {
            domain::Service::IMessage => message::Service::Imessage,
            domain::Service::Sms => message::Service::Sms,
            domain::Service::Rcs => message::Service::Rcs,
            domain::Service::Other(_) => message::Service::Other,
        })
    }

    fn is_group(&mut self, _: Resource<ChatRep>) -> Result<bool> {
        Ok(self.chat()?.is_group)
    }

    fn participants(&mut self, _: Resource<ChatRep>) -> Result<Vec<String>> {
        Ok(self.chat()?.participants.iter().map(|raw| self.normalizer.comparable(raw)).collect())
    }

    fn own_addresses(&mut self, _: Resource<ChatRep>) -> Result<Vec<String>> {
        let chat = self.chat()?;
        // `account_login` is written `E:me@example.com` or `P:+15550001111`.
        let login = chat.account_login.as_deref().map(|login| login.split_once(':').map_or(login, |(_, rest)| rest));
        let known = [self.message()?.destination_caller_id.as_deref(), login, chat.last_addressed_handle.as_deref()];
        let mut own: Vec<String> = Vec::new();
        for raw in known.into_iter().flatten().filter(|raw| !raw.is_empty()) {
            let address = self.normalizer.comparable(raw);
            if !own.contains(&address) {
                own.push(address);
            }
        }
        Ok(own)
    }

    fn drop(&mut self, _: Resource<ChatRep>) -> Result<()> {
        Ok(())
    }
}

impl message::HostPerson for Guest {
    fn address(&mut self, _: Resource<PersonRep>) -> Result<String> {
        Ok(self.inbound()?.sender.clone())
    }

    fn raw(&mut self, _: Resource<PersonRep>) -> Result<String> {
        Ok(self.message()?.sender.clone())
    }

    fn name(&mut self, _: Resource<PersonRep>) -> Result<Option<String>> {
        Ok(None)
    }

    fn drop(&mut self, _: Resource<PersonRep>) -> Result<()> {
        Ok(())
    }
}

impl message::HostAttachment for Guest {
    fn name(&mut self, this: Resource<AttachmentRep>) -> Result<String> {
        let attachment = self.attachment(this.rep())?;
        let name = if attachment.transfer_name.is_empty() { &attachment.filename } else { &attachment.transfer_name };
        Ok(name.clone())
    }

    fn mime_type(&mut self, this: Resource<AttachmentRep>) -> Result<Option<String>> {
        Ok(Some(self.attachment(this.rep())?.mime_type.clone()).filter(|mime| !mime.is_empty()))
    }

    fn size(&mut self, this: Resource<AttachmentRep>) -> Result<u64> {
        Ok(self.attachment(this.rep())?.total_bytes)
    }

    fn is_sticker(&mut self, this: Resource<AttachmentRep>) -> Result<bool> {
        Ok(self.attachment(this.rep())?.is_sticker)
    }

    fn drop(&mut self, _: Resource<AttachmentRep>) -> Result<()> {
        Ok(())
    }
}

impl host::Host for Guest {
    fn log(&mut self, level: host::Level, text: String) -> Result<()> {
        let level = match level {
            host::Level::Debug => "debug",
            host::Level::Info => "info",
            host::Level::Warn => "warn",
            host::Level::Error => "error",
        };
        self.say(level, text);
        Ok(())
    }

    fn now(&mut self) -> Result<u64> {
        Ok(millis(self.call.now))
    }

    fn random(&mut self, len: u32) -> Result<Vec<u8>> {
        if len > limits::RANDOM_BYTES {
            bail!("random limit: wanted {len} bytes, may have {}", limits::RANDOM_BYTES);
        }
        let mut bytes = vec![0; len as usize];
        self.fill_with_chance(&mut bytes)?;
        Ok(bytes)
    }

    fn normalize(&mut self, raw: String) -> Result<Option<String>> {
        Ok(self.normalizer.normalize(&raw))
    }
}

impl store::Host for Guest {
    fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        match self.call.writes.get(&key) {
            Some(written) => Ok(written.clone()),
            None => Ok(self.state.values.get(&key).cloned()),
        }
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<()> {
        if key.len() > limits::STORE_KEY_BYTES {
            bail!("store limit: a key of {} bytes, may be {}", key.len(), limits::STORE_KEY_BYTES);
        }
        if value.len() > limits::STORE_VALUE_BYTES {
            bail!("store limit: a value of {} bytes, may be {}", value.len(), limits::STORE_VALUE_BYTES);
        }
        self.call.growth += (key.len() + value.len()) as isize - self.stored_bytes(&key);
        self.call.writes.insert(key, Some(value));
        let total = self.state.bytes.saturating_add_signed(self.call.growth);
        if total > limits::STORE_TOTAL_BYTES {
            bail!("store limit: {total} bytes in all, may be {}", limits::STORE_TOTAL_BYTES);
        }
        Ok(())
    }

    fn delete(&mut self, key: String) -> Result<()> {
        self.call.growth -= self.stored_bytes(&key);
        self.call.writes.insert(key, None);
        Ok(())
    }

    fn keys(&mut self, prefix: String) -> Result<Vec<String>> {
        let committed = self.state.values.range(prefix.clone()..).map(|(key, _)| key);
        let written = self.call.writes.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key);
        let mut keys: Vec<String> = committed
            .take_while(|key| key.starts_with(&prefix))
            .filter(|key| !matches!(self.call.writes.get(*key), Some(None)))
            .chain(written.filter(|key| key.starts_with(&prefix)))
            .cloned()
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use store::Host;

    use super::*;

    fn guest(state: State) -> Guest {
        Guest {
            growth: Growth::default(),
            budget: Budget::of_a_call(std::time::Instant::now()),
            normalizer: Arc::new(Normalizer::new("US").unwrap()),
            call: Call::new(None, Timestamp::UNIX_EPOCH),
            state,
            log: Log::new("test"),
            stage: None,
        }
    }

    #[test]
    fn a_panic_is_known_from_one_line_of_the_log_or_from_two_of_stderr() {
        let trap = wasmtime::Error::from(wasmtime::Trap::UnreachableCodeReached);
        for lines in [
            &["panicked at src/lib.rs:1:2:\nno"][..],
            &["thread 'main' panicked at src/lib.rs:1:2:", "no", "note"],
            // A message that ends as a place does is whole all the same.
            &["panicked at src/lib.rs:1:2:", "no", "more:", "and more:"],
        ] {
            let mut guest = guest(State::default());
            lines.iter().for_each(|line| guest.say("error", (*line).to_owned()));
            let failure = super::super::panic::failure(&trap, &guest.call, &[]);
            assert_eq!(failure.0, "panicked at src/lib.rs:1:2: no", "{lines:?}");
        }
    }

    #[test]
    fn of_what_a_plugin_logs_after_a_place_one_line_is_kept() {
        let mut guest = guest(State::default());
        guest.say("error", "panicked at src/lib.rs:1:2:".to_owned());
        for _ in 0..1000 {
            guest.say("error", format!("{}:", "x".repeat(2 * limits::LOG_LINE_BYTES)));
            guest.say("error", "x:".to_owned());
        }
        let kept = format!("{:?}", guest.call.panic);
        assert!(kept.len() < 2 * limits::LOG_LINE_BYTES, "{} bytes", kept.len());
    }

    #[test]
    fn what_a_call_writes_over_and_deletes_counts_once() {
        let mut guest = guest(State::new(BTreeMap::from([("a".to_owned(), vec![0; 9])])));
        guest.set("a".into(), vec![0; 19]).unwrap();
        guest.set("b".into(), vec![0; 4]).unwrap();
        guest.set("b".into(), vec![0; 2]).unwrap();
        guest.delete("nothing".into()).unwrap();
        assert_eq!(guest.call.growth, 10 + 3);
        guest.delete("a".into()).unwrap();
        assert_eq!(guest.call.growth, -10 + 3);
        let writes = std::mem::take(&mut guest.call.writes);
        guest.state.apply(&writes);
        assert_eq!(guest.state.bytes, 3);
        assert_eq!(guest.keys(String::new()).unwrap(), ["b"]);
    }

    #[test]
    fn chance_on_a_stage_is_that_of_the_sdks_own_tests() {
        let mut guest = guest(State::default());
        guest.stage = Some(Stage::at(Timestamp::UNIX_EPOCH));
        let mut bytes = [0; 4];
        guest.fill_with_chance(&mut bytes).unwrap();
        // The first outputs of Splitmix64 with seed 0, of each the lowest byte.
        assert_eq!(bytes, [175, 244, 79, 236]);
    }

    #[test]
    fn the_store_is_full_at_its_limit_and_not_before() {
        let mut guest = guest(State::default());
        let value = || vec![0; limits::STORE_VALUE_BYTES];
        let fitting = limits::STORE_TOTAL_BYTES / (limits::STORE_VALUE_BYTES + 3);
        for number in 0..fitting {
            guest.set(format!("{number:03}"), value()).unwrap();
        }
        // Writing over what is there needs no more room.
        guest.set("000".into(), value()).unwrap();
        assert!(guest.set("one more".into(), value()).is_err());
    }
}
