//! Tests on real SQLite files in WAL mode, with the tables and indexes that Messages makes.

mod accounts;
mod background;
mod chats;
mod fixture;
mod history;
mod open;
mod own_tapback;
mod page;
mod plan;
mod polls;
mod reactions;
mod rows;
mod schedule;
mod search;
mod sent;
mod stats;

use fixture::Fixture;
