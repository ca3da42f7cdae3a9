//! Latencies in buckets that are at most 1.6 % wide, so that a million of them take no room.

use std::time::Duration;

/// Buckets for each power of two.
const SUBS: u64 = 64;
const SUB_BITS: u32 = SUBS.trailing_zeros();
const BUCKETS: usize = 64 * 64;

/// Counts of latencies, told back as quantiles.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The latency that `per_mille` thousandths of all do not exceed; zero if there are none.
    pub(crate) fn quantile(&self, per_mille: u64) -> Duration {
        let wanted = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(middle(index as u64));
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a number: exact below [`SUBS`], then `SUBS` buckets for each power of two.
fn bucket(nanos: u64) -> usize {
    let power = u64::from(nanos.max(SUBS).ilog2() - SUB_BITS);
    let index = (power << SUB_BITS) + (nanos >> power);
    usize::try_from(index)
        .unwrap_or(usize::MAX)
        .min(BUCKETS - 1)
}

/// The middle of a bucket.
fn middle(index: u64) -> u64 {
    if index < SUBS {
        return index;
    }
    let power = (index >> SUB_BITS) - 1;
    let low = (index - (power << SUB_BITS)) << power;
    low + (1 << power) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_comes_back_within_two_per_cent() {
        for nanos in [1_u64, 63, 64, 65, 1_000, 123_456, 9_999_999, 4_000_000_000] {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_nanos(nanos));
            let told = histogram.quantile(500).as_nanos() as f64;
            let off = (told - nanos as f64).abs() / nanos as f64;
            assert!(off < 0.02, "{nanos} came back as {told}");
        }
    }

    #[test]
    fn quantiles_split_the_counts() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let near = |per_mille: u64, micros: f64| {
            let told = histogram.quantile(per_mille).as_secs_f64() * 1e6;
            assert!((told / micros - 1.0).abs() < 0.02, "{told} is not {micros}");
        };
        near(500, 500.0);
        near(990, 990.0);
    }
}
