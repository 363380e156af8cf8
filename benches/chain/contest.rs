//! Who is measured, in rounds: each in turn, so that a busy machine is busy for all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// Of one message.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Processor time of the process, in the mean: Extism tells a thread of its own of each call.
    pub mean: Duration,
    /// By the clock, of the slowest hundredth.
    pub p99: Duration,
}

pub type Pass<'a> = Box<dyn FnMut() -> Result<Cost> + 'a>;

const ROUNDS: usize = 30;

/// How often all messages are judged in one pass.
pub const REPEATS: usize = 20;

/// The median of all rounds for each, after one that does not count.
pub fn hold(passes: &mut [Pass]) -> Result<Vec<Cost>> {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::with_capacity(ROUNDS); passes.len()];
    for round in 0..=ROUNDS {
        for (pass, costs) in passes.iter_mut().zip(&mut costs) {
            let cost = pass()?;
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    let median = |costs: &[Cost], of: fn(&Cost) -> Duration| {
        let mut times: Vec<Duration> = costs.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    Ok(costs.iter().map(|c| Cost { mean: median(c, |cost| cost.mean), p99: median(c, |cost| cost.p99) }).collect())
}

/// One pass in this process.
pub fn pass<M, R>(messages: &[M], mut judge: impl FnMut(&M) -> R) -> Cost {
    let again = || messages.iter().cycle().take(messages.len() * REPEATS);
    let began = cpu_time();
    for message in again() {
        black_box(judge(message));
    }
    let mean = (cpu_time() - began) / (messages.len() * REPEATS) as u32;
    let mut times: Vec<Duration> = Vec::with_capacity(messages.len() * REPEATS);
    for message in again() {
        let began = Instant::now();
        black_box(judge(message));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Cost { mean, p99: times[times.len() * 99 / 100] }
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
