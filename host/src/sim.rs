//! Simulated Messages: a chat.db of the real shape, what arrives in it, and an `osascript` that sends into it.
//!
//! For the demo, tests, benchmarks and policy authors, who have no Mac at hand. Nothing outside this module knows
//! whether it runs on the real thing. It shares no decoding or parsing with the rest on purpose: what one side
//! writes wrongly, the other must not be able to read.
//!
//! - [`init()`] writes a database full of ordinary conversations;
//! - [`receive()`] and [`Session`] write what arrives, in the steps in which Messages does;
//! - [`contacts`] writes an address book;
//! - [`edit()`] and [`unsend()`] change what arrived before;
//! - [`osascript`] stands in for `/usr/bin/osascript`;
//! - [`typedstream`] encodes `attributedBody`.

use std::process::ExitCode;

mod behavior;
mod body;
mod change;
pub mod contacts;
mod corpus;
mod database;
mod events;
mod files;
mod history;
mod init;
mod inject;
mod order;
pub mod osascript;
mod plists;
mod polls;
mod press;
mod random;
mod receive;
mod rows;
#[cfg(test)]
mod tests;
pub mod typedstream;

pub use change::{edit, unsend};
pub use events::Event;
pub use init::{Options, init};
pub use receive::{Incoming, Received, Session, Steps, Tapback, receive};
pub use rows::{OWNER, Service};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a simulated chat.db full of ordinary conversations
    Init(init::Args),
    /// Write messages into a simulated chat.db as if they had arrived
    Receive(Box<inject::Args>),
    /// Edit a message of a simulated chat.db
    Edit(change::EditArgs),
    /// Take a message of a simulated chat.db back
    Unsend(change::UnsendArgs),
    /// Add a card to simulated Contacts
    Contacts(contacts::Args),
    /// Stand in for /usr/bin/osascript: take the send script on stdin, write what it sends
    Osascript(osascript::Args),
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Init(args) => init::run(args)?,
        Command::Receive(args) => inject::run(*args, std::io::stdin().lock(), std::io::stdout().lock())?,
        Command::Edit(args) => args.run()?,
        Command::Unsend(args) => args.run()?,
        Command::Contacts(args) => contacts::run(&args)?,
        Command::Osascript(args) => return osascript::run(&args, std::io::stdin().lock(), std::io::stdout().lock()),
    }
    Ok(ExitCode::SUCCESS)
}
