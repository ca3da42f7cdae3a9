//! Bins with equal shares of a reference, and which of them a value falls into.

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::unusable::{Result, Unusable};

/// The most bins.
pub const BINS_MAX: usize = 100;

/// From how many current values on twenty bins tell more than ten.
const FINE_FROM: u64 = 5_000;

/// How many bins suit windows of these sizes: 10, or 20 from 5,000 values on, and fewer where a bin
/// would be left with less than ten values.
pub fn bins_for(reference: u64, current: u64) -> usize {
    let wanted = if current >= FINE_FROM { 20 } else { 10 };
    let carried = reference.min(current) / 10;
    usize::try_from(carried).unwrap_or(wanted).clamp(2, wanted)
}

/// Where one bin ends and the next begins: strictly ascending, finite. The bins are (-∞, c₁), [c₁, c₂)
/// … [cₖ, ∞), one more than there are cuts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cuts(Vec<f64>);

impl Cuts {
    /// The inner quantiles of `reference` for so many bins. Equal quantiles are one cut; a constant
    /// reference is cut at its value.
    pub fn of(reference: &Sample, bins: usize) -> Result<Self> {
        if !(2..=BINS_MAX).contains(&bins) {
            let must = "between 2 and 100";
            return Err(Unusable::OutOfRange { what: "bins", must });
        }
        if reference.is_empty() {
            return Err(Unusable::Empty);
        }
        // As numpy's linspace steps: on tied values, the last bit decides which side a cut falls on.
        let step = 1.0 / bins as f64;
        let mut edges: Vec<f64> = (0..=bins)
            .filter_map(|i| reference.quantile(i as f64 * step))
            .collect();
        edges.dedup();
        if edges.len() > 2 {
            edges.pop();
            edges.remove(0);
        } else {
            // One value, or two ends and nothing between: the upper end is a bin of its own.
            edges = edges.split_off(edges.len() - 1);
        }
        Ok(Self(edges))
    }

    /// Cuts that were chosen by hand.
    pub fn at(cuts: Vec<f64>) -> Result<Self> {
        crate::unusable::finite(&cuts)?;
        if cuts.len() >= BINS_MAX || !cuts.windows(2).all(|pair| pair[0] < pair[1]) {
            let must = "less than 100 and strictly ascending";
            return Err(Unusable::OutOfRange { what: "cuts", must });
        }
        Ok(Self(cuts))
    }

    /// The cuts in order.
    pub fn inner(&self) -> &[f64] {
        &self.0
    }

    /// How many bins there are.
    pub fn bins(&self) -> usize {
        self.0.len() + 1
    }

    /// The bin of a value, counted from zero. What is no number falls into the first; callers set it
    /// aside before.
    pub fn bin(&self, value: f64) -> usize {
        // Counting all of them has no branch to guess: faster than a search for as few as there are.
        self.0.iter().map(|cut| usize::from(*cut <= value)).sum()
    }

    /// How many values of a sample fall into each bin.
    pub fn counts(&self, sample: &Sample) -> Vec<u64> {
        let sorted = sample.sorted();
        let ends = self
            .0
            .iter()
            .map(|cut| sorted.partition_point(|value| value < cut))
            .chain([sorted.len()]);
        let mut begin = 0;
        ends.map(|end| {
            let count = end - begin;
            begin = end;
            count as u64
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_constant_reference_is_cut_at_its_value() {
        let cuts = Cuts::of(&Sample::new(vec![7.0; 5]), 10).unwrap();
        assert_eq!(cuts.inner(), [7.0]);
        assert_eq!(cuts.counts(&Sample::new(vec![6.0, 7.0, 8.0])), [1, 2]);
        assert!(Cuts::of(&Sample::default(), 10).is_err());
    }

    #[test]
    fn small_windows_get_fewer_bins() {
        assert_eq!(bins_for(1_000_000, 1_000_000), 20);
        assert_eq!(bins_for(1_000, 1_000), 10);
        assert_eq!(bins_for(1_000, 40), 4);
        assert_eq!(bins_for(0, 1), 2);
    }

    proptest! {
        #[test]
        fn every_value_is_counted_in_the_bin_that_it_falls_into(
            reference in proptest::collection::vec(-50i32..50, 1..200),
            current in proptest::collection::vec(-60i32..60, 0..200),
            bins in 2usize..30,
        ) {
            let floats = |values: Vec<i32>| Sample::new(values.into_iter().map(f64::from).collect());
            let (reference, current) = (floats(reference), floats(current));
            let cuts = Cuts::of(&reference, bins).unwrap();
            let mut wanted = vec![0; cuts.bins()];
            for value in current.sorted() {
                wanted[cuts.bin(*value)] += 1;
            }
            prop_assert_eq!(cuts.counts(&current), wanted);
        }
    }
}
