//! Tests of the real program: real database files, sockets, child processes and components.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers, too, say what they expect by failing"
)]

mod harness;

mod abi;
mod accounts;
mod attachments;
mod author;
mod cases;
mod chats;
mod cli;
mod compatibility;
mod configuring;
mod consumers;
mod contacts;
mod conversion;
mod crash;
mod damage;
mod database;
mod demo;
mod discover;
mod dist;
mod doctor;
mod echoes;
mod edits;
mod events;
mod faults;
mod gateways;
mod groups;
mod held;
mod inbound;
mod install;
mod journal;
mod lag;
mod legacy;
mod outbound;
mod outbox;
mod owner;
mod pairing;
mod policy;
mod polls;
mod recipients;
mod reload;
mod replay;
mod rpc;
mod schema;
mod scopes;
mod seeing;
mod socket;
mod ssh;
mod stdio;
mod tidy;
mod top;
mod updated;
mod why;
