//! Times of something that was done again and again.

use std::time::{Duration, Instant};

/// What a number of runs took, shortest first.
pub struct Times(Vec<Duration>);

impl Times {
    /// Runs `work` once for each item, after a tenth of them (one at least) to warm up.
    pub fn of<T>(items: &[T], mut work: impl FnMut(&T) -> anyhow::Result<()>) -> anyhow::Result<Times> {
        let warm_up = items.len().div_ceil(10);
        items.iter().take(warm_up).try_for_each(&mut work)?;
        Times::cold(items, work)
    }

    /// The same without warming up.
    pub fn cold<T>(items: &[T], mut work: impl FnMut(&T) -> anyhow::Result<()>) -> anyhow::Result<Times> {
        let mut times = Vec::with_capacity(items.len());
        for item in items {
            let began = Instant::now();
            work(item)?;
            times.push(began.elapsed());
        }
        Ok(Times::from(times.into_iter()))
    }

    pub fn from(times: impl Iterator<Item = Duration>) -> Times {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        Times(times)
    }

    /// The time that `share` of all runs did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).or(self.0.last()).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

/// This thread, and what it starts meanwhile, has one processor to run on, where the system can do that: of two, one may
/// be much slower for a while.
#[cfg(target_os = "linux")]
pub fn on_one_processor<T>(run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    use anyhow::Context;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|processor| all.is_set(*processor)).context("no processor")?;
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one)?;
    let result = run();
    sched_setaffinity(None, &all)?;
    result
}

#[cfg(not(target_os = "linux"))]
pub fn on_one_processor<T>(run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    run()
}
