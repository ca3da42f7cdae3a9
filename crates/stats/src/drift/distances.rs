//! How far apart two distributions are: from counts in the same bins, or from the values themselves.

use super::Sample;
use crate::unusable::{Result, Unusable, paired};

/// The counts of two windows in the same bins, as shares of each window.
#[derive(Clone, PartialEq, Debug)]
pub struct Shares {
    /// Of the reference and of the current window, in each bin.
    pairs: Vec<(f64, f64)>,
}

impl Shares {
    /// The shares of counts; neither window may be empty.
    pub fn of(reference: &[u64], current: &[u64]) -> Result<Self> {
        paired(reference.len(), current.len())?;
        let total = |counts: &[u64]| counts.iter().map(|count| *count as f64).sum::<f64>();
        let (n, m) = (total(reference), total(current));
        if n == 0.0 || m == 0.0 {
            return Err(Unusable::Empty);
        }
        let pairs = reference.iter().zip(current);
        let pairs = pairs.map(|(r, c)| (*r as f64 / n, *c as f64 / m)).collect();
        Ok(Self { pairs })
    }

    /// The shares in each bin: of the reference, of the current window.
    pub fn pairs(&self) -> &[(f64, f64)] {
        &self.pairs
    }

    fn sum(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        self.pairs.iter().map(|(p, q)| of(*p, *q)).sum()
    }
}

/// The Jensen-Shannon distance: the root of the divergence, in base 2, between 0 and 1 (Endres and
/// Schindelin 2003).
pub fn jensen_shannon(shares: &Shares) -> f64 {
    let part = |x: f64, middle: f64| {
        if x > 0.0 {
            x * (x / middle).log2()
        } else {
            0.0
        }
    };
    let divergence = shares.sum(|p, q| {
        let middle = (p + q) / 2.0;
        (part(p, middle) + part(q, middle)) / 2.0
    });
    divergence.clamp(0.0, 1.0).sqrt()
}

/// The Hellinger distance, between 0 and 1: √(1 - Σ √(p q)).
pub fn hellinger(shares: &Shares) -> f64 {
    (1.0 - shares.sum(|p, q| (p * q).sqrt()))
        .clamp(0.0, 1.0)
        .sqrt()
}

/// The largest difference of a share.
pub fn l_infinity(shares: &Shares) -> f64 {
    let differences = shares.pairs.iter().map(|(p, q)| (p - q).abs());
    differences.fold(0.0, f64::max)
}

/// The total variation distance: half the sum of the differences.
pub fn total_variation(shares: &Shares) -> f64 {
    shares.sum(|p, q| (p - q).abs()) / 2.0
}

/// The Wasserstein distance W₁ in the column's own unit: the area between the two distribution
/// functions, exact.
pub fn wasserstein(reference: &Sample, current: &Sample) -> Result<f64> {
    super::ks_and_wasserstein(reference, current).map(|(_, distance)| distance)
}
