//! How long calls took, in little room however many there are.

use std::time::Duration;

/// Steps between one power of two and the next: what is told is at most an eighth too much.
const STEPS: u32 = 3;
const BUCKETS: usize = 40 << STEPS;

/// Counts of calls by how many nanoseconds they took.
#[derive(Clone)]
pub struct Times {
    counts: Box<[u64; BUCKETS]>,
    calls: u64,
    total: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times { counts: Box::new([0; BUCKETS]), calls: 0, total: Duration::ZERO }
    }
}

impl Times {
    pub fn note(&mut self, took: Duration) {
        self.calls += 1;
        self.total += took;
        self.counts[bucket(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))] += 1;
    }

    pub fn total(&self) -> Duration {
        self.total
    }

    pub fn mean(&self) -> Duration {
        self.total.checked_div(u32::try_from(self.calls).unwrap_or(u32::MAX)).unwrap_or_default()
    }

    /// The time that `share` of all calls did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.calls as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(Duration::ZERO, |bucket| Duration::from_nanos(greatest(bucket)))
    }
}

fn bucket(nanos: u64) -> usize {
    // The highest bits of a number, and how many follow.
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(STEPS + 1);
    let bucket = ((shift as usize) << STEPS) + (nanos >> shift) as usize;
    bucket.min(BUCKETS - 1)
}

/// The greatest number of a bucket.
fn greatest(bucket: usize) -> u64 {
    let shift = (bucket >> STEPS).saturating_sub(1);
    let high = (bucket - (shift << STEPS)) as u64;
    ((high + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_a_bucket_that_ends_at_most_an_eighth_above_it() {
        let mut last = 0;
        for nanos in (0..5000).chain((13..37).map(|power| (1_u64 << power) + 7)) {
            let greatest = greatest(bucket(nanos));
            assert!(greatest >= nanos && greatest - nanos <= nanos / 8, "{nanos}: {greatest}");
            assert!(nanos >= 5000 || bucket(nanos) >= last);
            last = bucket(nanos);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_what_was_noted() {
        let mut times = Times::default();
        assert_eq!((times.quantile(0.5), times.mean()), (Duration::ZERO, Duration::ZERO));
        for micros in 1..=100 {
            times.note(Duration::from_micros(micros));
        }
        let near = |share, micros: u64| {
            let found = times.quantile(share).as_nanos() as u64;
            (micros * 1000..=micros * 1125).contains(&found)
        };
        assert!(near(0.5, 50) && near(0.99, 99) && near(1.0, 100));
        assert_eq!(times.mean(), Duration::from_nanos(50_500));
    }
}
