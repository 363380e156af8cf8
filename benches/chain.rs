//! What a chain of three policies costs a message, beside the same policies without WebAssembly and in what somebody
//! could use instead.

mod build;
mod contest;
mod messages;
mod ours;
mod peers;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use imsgd::policy::{Inbound, Verdict, judge};
use serde_json::{Value, json};

use crate::measure::on_one_processor;
use crate::report::{Report, Row};
use build::Peers;
use contest::{Cost, Pass, hold, pass};
use messages::MEASURED;
use ours::{Native, Ours};
use peers::{Peer, Process};

/// What the chain may take, and how often that of native code.
const CHAIN: Duration = Duration::from_micros(6);
const NATIVE: f64 = 10.0;

/// How many times quicker than each it is to be.
const QUICKER: [(&str, f64); 3] = [("luajit", 2.5), ("quickjs", 5.0), ("extism", 10.0)];

pub fn run(report: &mut Report) -> Result<()> {
    let components = build::components()?;
    let mut left_out = Vec::new();
    let built = build::peers(&mut left_out)?;
    // The threads that compile are there from now on, and not bound to the one processor.
    drop(Ours::three(&components)?);
    on_one_processor(|| measure(report, &components, built.as_ref()))?;
    for note in left_out {
        report.note(note);
    }
    Ok(())
}

fn measure(report: &mut Report, components: &Path, built: Option<&Peers>) -> Result<()> {
    let messages = messages::inbound();
    let verdicts = verdicts_of_native(&messages);
    compare(&messages, &verdicts, "imsgd", &verdicts_of_imsgd(&mut Ours::three(components)?, &messages))?;
    let started = match built {
        None => None,
        Some(built) => {
            let json: Vec<Value> = messages.iter().map(|inbound| messages::as_json(inbound)).collect();
            let (mut process, peers) = Process::start(built, &json!(messages::lists()), &json, MEASURED)?;
            for peer in &peers {
                let who = format!("{} ({})", peer.engine, peer.handing);
                compare(&messages, &verdicts, &who, &process.verdicts(peer)?)?;
            }
            Some((RefCell::new(process), peers))
        }
    };
    let (process, peers) = match &started {
        Some((process, peers)) => (Some(process), peers.as_slice()),
        None => (None, &[][..]),
    };
    let mut chains = Chains::install(components)?;
    let mut passes = chains.passes(&messages[..MEASURED]);
    for peer in peers {
        let process = process.context("the process of the peers")?;
        passes.push(Box::new(move || process.borrow_mut().pass(peer.number)));
    }
    let costs = hold(&mut passes)?;
    drop(passes);
    let (own, others) = costs.split_at(costs.len() - peers.len());
    write(report, own, peers.iter().zip(others.iter().copied()).collect());
    Ok(())
}

/// What peers call it.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Deliver { .. } => "pass",
        Verdict::Reject { .. } => "reject",
        Verdict::Observe => "observe",
        Verdict::Drop { .. } => "drop",
        Verdict::Hold(_) => "hold",
    }
}

fn verdicts_of_native(messages: &[Arc<Inbound>]) -> Vec<String> {
    let mut three = Native::three();
    messages.iter().map(|inbound| word(&judge(&mut three, inbound).verdict).to_owned()).collect()
}

fn verdicts_of_imsgd(chain: &mut Ours, messages: &[Arc<Inbound>]) -> Vec<String> {
    messages.iter().map(|inbound| word(&chain.judge(inbound).0.verdict).to_owned()).collect()
}

/// Who answers something else does not do the same work.
fn compare(messages: &[Arc<Inbound>], right: &[String], who: &str, said: &[String]) -> Result<()> {
    for ((inbound, right), said) in messages.iter().zip(right).zip(said) {
        let text = &inbound.message.text;
        ensure!(right == said, "{who} says {said} and native code {right} of a message of {}: {text}", inbound.sender);
    }
    ensure!(right.len() == said.len(), "{who} has judged {} messages of {}", said.len(), right.len());
    Ok(())
}

/// All that is measured in this process, in the order of the costs.
struct Chains {
    three: Ours,
    native: [Native; 3],
    two: Ours,
    silent: Ours,
    reading: Ours,
    bundled: Ours,
}

impl Chains {
    fn install(components: &Path) -> Result<Chains> {
        let probe = |reads: [&str; 3]| {
            let config = |at: usize| json!({"reads": reads[at], "delivers": at == 1});
            let plugins =
                [("first", "probe", config(0)), ("second", "probe", config(1)), ("third", "probe", config(2))];
            Ours::of(&plugins, components)
        };
        Ok(Chains {
            three: Ours::three(components)?,
            native: Native::three(),
            two: Ours::three(components)?,
            silent: probe(["nothing"; 3])?,
            reading: probe(["sender", "text", "text"])?,
            bundled: Ours::bundled()?,
        })
    }

    fn passes<'a>(&'a mut self, messages: &'a [Arc<Inbound>]) -> Vec<Pass<'a>> {
        let direct: Vec<Arc<Inbound>> = messages.iter().map(|inbound| Arc::new(messages::direct(inbound))).collect();
        let Chains { three, native, two, silent, reading, bundled } = self;
        let of = |chain: &'a mut Ours| -> Pass<'a> { Box::new(|| Ok(pass(messages, |inbound| chain.judge(inbound)))) };
        vec![
            of(three),
            Box::new(|| Ok(pass(messages, |inbound| judge(native, inbound)))),
            Box::new(move || Ok(pass(&direct, |inbound| two.judge(inbound)))),
            of(silent),
            of(reading),
            of(bundled),
        ]
    }
}

fn write(report: &mut Report, own: &[Cost], others: Vec<(&Peer, Cost)>) {
    let [three, native, two, silent, reading, bundled] = own else { return };
    let lengths = messages::SAID.map(|text| text.chars().count());
    report.section(
        "Policy chain",
        &format!(
            "What three policies cost a message of a group chat: the sender is in a list of 100, one of three ways to \
             address the assistant is in the text, none of 20 unwanted words is (one message in 16 has one). {MEASURED} \
             messages of {} to {} characters, which all three are asked about; all answer all of them alike, or nothing is \
             measured. imsgd's side is what the daemon does between reading a message and writing down the verdict: deadline, \
             limits and statistics of each call included. Peers keep their instances or contexts as imsgd does, one for each \
             policy, and are handed what a policy of imsgd could ask of a message: Lua a table, JavaScript an object, Extism \
             JSON that is written once for all three. Their calls have no deadline. What is made of Rust, for whatever host, looks for \
             all words at once, with `Words` of the SDK; Lua and JavaScript look for one after another, with what the languages \
             have for that. The mean is of the process's processor time, \
             p99 by the clock; medians of rounds in which each has its turn, all on the same processor.",
            lengths.iter().min().unwrap_or(&0),
            lengths.iter().max().unwrap_or(&0),
        ),
    );
    let row = |what: &str, cost: Cost| Row::new(what).time("a message", cost.mean).time("p99", cost.p99);
    let ratio = |one: &Cost, other: &Cost| one.mean.as_secs_f64() / other.mean.as_secs_f64().max(1e-12);
    report.row(row("imsgd: three components", *three).goal("≤ 6 µs", three.mean <= CHAIN));
    let beside_native = ratio(three, native);
    report.row(
        row("the same three as native code", *native)
            .ratio("imsgd takes", beside_native)
            .goal("≤ 10×", beside_native <= NATIVE),
    );
    for (peer, cost) in &others {
        let quicker = ratio(cost, three);
        let row = row(&name(peer), *cost).ratio("imsgd is quicker", quicker);
        let goal = QUICKER.iter().find(|(engine, _)| *engine == peer.engine && peer.handing == "whole");
        report.row(match goal {
            Some((_, goal)) => row.goal(&format!("≥ {goal}×"), quicker >= *goal),
            None => row,
        });
    }
    report.row(row("imsgd, a direct message: two of the three are asked", *two));
    report.row(row("imsgd, the bundled policies: `group` is asked, with the same senders and patterns", *bundled));
    report.row(row("of imsgd's: three calls that read nothing of the message", *silent));
    report.row(row("of imsgd's: three calls that read the sender once and the text twice", *reading));
    report.note(
        "What three calls cost that read nothing is going into WebAssembly and back, under a deadline: no policy can do without. Most \
         of the rest is handing over what is read, a copy into the policy's memory each time. To cost less, a policy would have to \
         be given all of a message at once, whether or not it reads it, or several policies to be one component.",
    );
}

/// The engine with its version, and what is handed to it.
fn name(peer: &Peer) -> String {
    let engine = build::name_of(&peer.engine);
    let version = match (&peer.version, peer.engine.as_str()) {
        (Some(version), _) => format!("{version}, {}", build::locked("mlua")),
        (None, "quickjs") => format!("QuickJS-ng of {}", build::locked("rquickjs")),
        (None, _) => format!("{}, {}", build::locked("extism"), build::locked("wasmtime")),
    };
    match peer.handing.as_str() {
        "whole" => format!("{engine} ({version})"),
        "shared" => format!("{engine}, one context for all three and the message made once"),
        _ => format!("{engine}, handed only the sender and the text"),
    }
}
