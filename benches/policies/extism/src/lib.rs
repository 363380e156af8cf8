//! The same three policies as an Extism plugin: a message as JSON in, a verdict as JSON out. Of the message only that is
//! read which the policy needs.

use std::cell::RefCell;

use extism_pdk::{FnResult, Json, plugin_fn};
use imsgd_bench_rules::{Patterns, Senders};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    list: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    sender: Person,
    text: String,
}

#[derive(Deserialize)]
struct Person {
    address: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Pass,
    Reject,
    Observe,
    Drop,
}

thread_local! {
    static SENDERS: RefCell<Senders> = RefCell::new(Senders::new([]));
    static PATTERNS: RefCell<Patterns> = RefCell::new(Patterns::new([]));
}

fn is_known(message: &Message) -> bool {
    SENDERS.with_borrow(|senders| senders.know(&message.sender.address))
}

fn is_found(message: &Message) -> bool {
    PATTERNS.with_borrow(|patterns| patterns.are_in(&message.text))
}

#[plugin_fn]
pub fn configure(Json(config): Json<Config>) -> FnResult<()> {
    SENDERS.set(Senders::new(config.list.iter().cloned()));
    PATTERNS.set(Patterns::new(config.list));
    Ok(())
}

#[plugin_fn]
pub fn senders(Json(message): Json<Message>) -> FnResult<Json<Verdict>> {
    Ok(Json(if is_known(&message) { Verdict::Pass } else { Verdict::Reject }))
}

#[plugin_fn]
pub fn mentions(Json(message): Json<Message>) -> FnResult<Json<Verdict>> {
    Ok(Json(if is_found(&message) { Verdict::Pass } else { Verdict::Observe }))
}

#[plugin_fn]
pub fn words(Json(message): Json<Message>) -> FnResult<Json<Verdict>> {
    Ok(Json(if is_found(&message) { Verdict::Drop } else { Verdict::Pass }))
}
