//! Tests of the real program: real database files, sockets, child processes and components.

mod harness;

mod cli;
mod crash;
mod database;
mod dist;
mod groups;
mod inbound;
mod outbound;
mod pairing;
mod policy;
mod reload;
mod rpc;
mod socket;
mod stdio;
mod tidy;
