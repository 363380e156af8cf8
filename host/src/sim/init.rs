//! `sim init`: a database full of ordinary conversations. The same seed and time give the same rows.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use rusqlite::Connection;

use super::history::{Conversation, History};
use super::random::Random;
use super::rows::{self, Service};
use super::{corpus, database};

#[derive(clap::Args)]
pub struct Args {
    /// File to make; must not exist
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// How many chats: direct and group, iMessage, SMS and RCS
    #[arg(long, value_name = "N", default_value_t = Options::default().chats)]
    chats: usize,
    /// How many rows in the message table
    #[arg(long, value_name = "M", default_value_t = Options::default().messages)]
    messages: usize,
    /// Another seed makes other messages
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
}

/// What [`init`] writes.
#[derive(Clone, Debug)]
pub struct Options {
    pub chats: usize,
    pub messages: usize,
    pub seed: u64,
    /// The last message was sent shortly before.
    pub until: Timestamp,
}

impl Default for Options {
    fn default() -> Self {
        Options { chats: 8, messages: 200, seed: 1, until: Timestamp::now() }
    }
}

pub fn run(args: Args) -> Result<()> {
    let Args { db, chats, messages, seed } = args;
    init(&db, &Options { chats, messages, seed, ..Options::default() })
}

/// Makes a database at `path`, which must not exist.
pub fn init(path: &Path, options: &Options) -> Result<()> {
    ensure!(options.messages == 0 || options.chats > 0, "messages need at least one chat");
    database::create(path, |connection| {
        let mut random = Random::seeded(options.seed);
        let conversations = (0..options.chats)
            .map(|index| conversation(connection, index, &mut random))
            .collect::<Result<Vec<Conversation>>>()?;
        History::new(connection, random, conversations, options).write()
    })
}

/// One chat and its members. Eight kinds take turns, so that the default number has one of each.
fn conversation(connection: &Connection, index: usize, random: &mut Random) -> Result<Conversation> {
    let (service, members, name) = match index % 8 {
        2 => (Service::IMessage, 3 + random.below(3) as usize, Some(random.pick(corpus::GROUP_NAMES))),
        3 => (Service::Sms, 1, None),
        5 => (Service::Rcs, 1, None),
        6 => (Service::IMessage, 2 + random.below(6) as usize, None),
        _ => (Service::IMessage, 1, None),
    };
    let identifier = match index % 8 {
        2 | 6 => format!("chat{:018}", random.below(1_000_000_000_000_000_000)),
        7 => format!("{}", 22_000 + index),
        4 => format!("friend{index}@example.com"),
        _ => corpus::address(index),
    };
    let service = if index % 8 == 7 { Service::Sms } else { service };
    // Chats from before macOS 26 keep the service in their guid; newer ones are of any service.
    let origin = if index.is_multiple_of(2) { "any" } else { service.name() };
    let polarity = if identifier.starts_with("chat") { '+' } else { '-' };
    let chat = rows::insert_chat(connection, &format!("{origin};{polarity};{identifier}"), name, service)?;

    // A group's members have direct chats too, mostly: their addresses are those of the chats that follow.
    let addresses = match chat.is_group() {
        true => (0..members).map(|member| corpus::address(index + 1 + member)).collect(),
        false => vec![identifier],
    };
    let mut handles = Vec::with_capacity(addresses.len());
    for address in &addresses {
        let handle = rows::handle(connection, address, service)?;
        rows::join_handle(connection, chat.id, handle)?;
        handles.push(handle);
    }
    Ok(Conversation { answers: index % 8 != 7, chat, handles, last: None })
}
