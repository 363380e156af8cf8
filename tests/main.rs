//! Tests of the real program: real database files, sockets, child processes and components.

mod harness;

mod groups;
mod inbound;
mod outbound;
mod pairing;
