//! How long calls took: a histogram of fixed size whose bounds grow with the values, so that a median of microseconds
//! and an outlier of a second are both told within an eighth.

use std::time::Duration;

/// Buckets of each power of two.
const PER_OCTAVE: u64 = 8;
const OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();

/// Up to 2^26 µs, which is a minute and more than any call may take; what is longer is in the last one.
const BUCKETS: usize = 24 * PER_OCTAVE as usize;

#[derive(Clone, Debug)]
pub struct Times {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Times {
    fn default() -> Times {
        Times { counts: [0; BUCKETS], total: 0 }
    }
}

impl Times {
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros).min(BUCKETS - 1)] += 1;
        self.total += 1;
    }

    /// The time that so many of a hundred calls stayed within; none where there was no call.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(|bucket| Duration::from_micros(greatest(bucket)))
    }
}

/// Values below [`PER_OCTAVE`] have a bucket each; above, the leading bits after the first choose it.
fn bucket(micros: u64) -> usize {
    let bits = u64::BITS - micros.leading_zeros();
    let shift = bits.saturating_sub(OCTAVE_BITS + 1);
    let index = u64::from(shift) * PER_OCTAVE + (micros >> shift);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The greatest value of a bucket.
fn greatest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PER_OCTAVE).saturating_sub(1);
    ((bucket - shift * PER_OCTAVE + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_an_eighth_of_what_is_told_of_it() {
        for micros in (0..5_000).chain((1..60_000_000).step_by(9_973)) {
            let mut times = Times::default();
            times.add(Duration::from_micros(micros));
            let told = u64::try_from(times.percentile(50).unwrap().as_micros()).unwrap();
            assert!(told >= micros && told <= micros + micros / 8, "{micros}: {told}");
        }
    }

    #[test]
    fn percentiles_count_calls() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), None);
        (0..98).for_each(|_| times.add(Duration::from_micros(5)));
        (0..2).for_each(|_| times.add(Duration::from_secs(3600)));
        assert_eq!(times.percentile(50), Some(Duration::from_micros(5)));
        assert_eq!(times.percentile(98), Some(Duration::from_micros(5)));
        assert!(times.percentile(99).unwrap() >= Duration::from_secs(60));
    }
}
