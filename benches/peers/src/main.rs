//! Measures the same three policies in what somebody could use instead of imsgd's components. Asked by
//! `benches/chain.rs`: reads one JSON request a line and answers each with a line of JSON.

#[cfg(feature = "extism")]
mod extism;
#[cfg(feature = "luajit")]
mod lua;
mod message;
mod peer;
#[cfg(feature = "quickjs")]
mod quickjs;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::{Value, json};

use message::Message;
use peer::{Handing, Lists, Peer};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Start(Start),
    /// All verdicts of the peer with this number.
    Judge(usize),
    /// One pass over the messages to measure.
    Measure(usize),
}

#[derive(Deserialize)]
struct Start {
    lists: Lists,
    messages: Vec<Message>,
    /// Of these the first so many are measured.
    measured: usize,
    /// How often in one pass.
    repeats: usize,
    /// The Extism plugin, where there is one.
    module: Option<std::path::PathBuf>,
}

struct Started {
    peers: Vec<Box<dyn Peer>>,
    messages: Vec<Message>,
    measured: usize,
    repeats: usize,
}

fn main() -> Result<()> {
    let mut started: Option<Started> = None;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match (serde_json::from_str(&line?)?, &mut started) {
            (Request::Start(start), None) => {
                let (answer, all) = begin(start)?;
                started = Some(all);
                answer
            }
            (Request::Judge(number), Some(started)) => {
                let peer = started.peers.get_mut(number).context("no such peer")?;
                let verdicts: Result<Vec<_>> = started.messages.iter().map(|message| peer.judge(message)).collect();
                json!(verdicts?)
            }
            (Request::Measure(number), Some(started)) => {
                let peer = started.peers.get_mut(number).context("no such peer")?;
                measure(peer.as_mut(), &started.messages[..started.measured], started.repeats)?
            }
            _ => bail!("asked to start again, or not to start first"),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The names of the peers, in the order of their numbers.
fn begin(start: Start) -> Result<(Value, Started)> {
    let mut names: Vec<Value> = Vec::new();
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    let Start { lists, messages, measured, repeats, module } = start;
    for (handing, how) in [(Handing::Whole, "whole"), (Handing::Shared, "shared"), (Handing::OnlyRead, "only_read")] {
        #[cfg(feature = "luajit")]
        {
            names.push(json!({"engine": "luajit", "handing": how, "version": lua::LuaPeer::version()?}));
            peers.push(Box::new(lua::LuaPeer::start(&lists, handing)?));
        }
        #[cfg(feature = "quickjs")]
        {
            names.push(json!({"engine": "quickjs", "handing": how}));
            peers.push(Box::new(quickjs::JsPeer::start(&lists, handing)?));
        }
        #[cfg(feature = "extism")]
        if let Some(module) = module.as_ref().filter(|_| handing != Handing::Shared) {
            let module = std::fs::read(module)?;
            names.push(json!({"engine": "extism", "handing": how}));
            peers.push(Box::new(extism::ExtismPeer::start(&module, &lists, handing)?));
        }
        let _ = (handing, how, &lists, &module);
    }
    Ok((json!(names), Started { peers, messages, measured, repeats }))
}

/// Nanoseconds a message: of this process's processor time in the mean, and of the clock for the slowest hundredth.
fn measure(peer: &mut dyn Peer, messages: &[Message], repeats: usize) -> Result<Value> {
    let count = messages.len() * repeats;
    let again = || messages.iter().cycle().take(count);
    let began = cpu_time();
    for message in again() {
        std::hint::black_box(peer.judge(message)?);
    }
    let mean = (cpu_time() - began).as_nanos() as f64 / count as f64;
    let mut times = Vec::with_capacity(count);
    for message in again() {
        let began = Instant::now();
        std::hint::black_box(peer.judge(message)?);
        times.push(began.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    Ok(json!({"mean": mean, "p99": times[count * 99 / 100]}))
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
