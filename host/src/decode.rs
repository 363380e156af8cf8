//! From the values of chat.db's columns to what they mean. Pure: bytes and integers in, values out; never fails.

pub mod app;
mod body;
pub mod date;
pub mod edits;
pub mod event;
pub mod poll;
pub mod property_list;
pub mod tapback;
mod typedstream;
#[cfg(test)]
pub mod writer;

pub use body::{Body, Mention, Warning, body};
