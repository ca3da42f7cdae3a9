//! The population stability index, and a test on it.
//!
//! PSI = Σ (q - p) ln(q / p) over bins. Without drift it is about (1/n + 1/m) times a chi square
//! variable with one degree of freedom less than there are bins (Yurdakul 2018), so fixed thresholds
//! such as 0.1 and 0.25 cry wolf on small windows and sleep on large ones. With a true PSI of δ it is
//! noncentral with δ / (1/n + 1/m) (in the spirit of Potgieter et al. 2023), which makes a test of
//! "more than δ" for windows of any size.

use serde::Serialize;

use super::Shares;
use crate::special::{noncentral_chi_square_quantile, noncentral_chi_square_sf};
use crate::unusable::{Result, level};

/// What is done about shares of zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Smoothing {
    /// Half a count more in each bin (Jeffreys).
    Jeffreys,
    /// No share is taken as less than this; shares are not made to sum to one again.
    Floor(f64),
}

impl Smoothing {
    /// The shares that the index is computed from.
    fn shares(self, reference: &[u64], current: &[u64]) -> Result<Vec<(f64, f64)>> {
        let plain = Shares::of(reference, current)?;
        Ok(match self {
            Self::Floor(least) => {
                let floored = |(p, q): &(f64, f64)| (p.max(least), q.max(least));
                plain.pairs().iter().map(floored).collect()
            }
            Self::Jeffreys => {
                let bins = reference.len() as f64;
                let total = |counts: &[u64]| counts.iter().map(|c| *c as f64).sum::<f64>();
                let (n, m) = (total(reference), total(current));
                let share = |count: u64, total: f64| (count as f64 + 0.5) / (total + 0.5 * bins);
                let pairs = reference.iter().zip(current);
                pairs.map(|(r, c)| (share(*r, n), share(*c, m))).collect()
            }
        })
    }
}

/// What each bin adds to the index.
pub fn psi_by_bin(reference: &[u64], current: &[u64], smoothing: Smoothing) -> Result<Vec<f64>> {
    let shares = smoothing.shares(reference, current)?;
    let part = |(p, q): (f64, f64)| if p == q { 0.0 } else { (q - p) * (q / p).ln() };
    Ok(shares.into_iter().map(part).collect())
}

/// The population stability index of counts in the same bins.
pub fn psi(reference: &[u64], current: &[u64], smoothing: Smoothing) -> Result<f64> {
    Ok(psi_by_bin(reference, current, smoothing)?.iter().sum())
}

/// The test of "PSI is more than what is tolerated".
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TolerantPsi {
    /// The PSI of the populations that is not called drift; 0.02 is a shift of the mean by about 0.14
    /// standard deviations.
    pub tolerated: f64,
    /// The probability of an alarm when the populations are exactly that far apart.
    pub alpha: f64,
}

impl Default for TolerantPsi {
    fn default() -> Self {
        Self {
            tolerated: 0.02,
            alpha: 0.001,
        }
    }
}

/// What the test says.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct PsiTest {
    /// The index, with Jeffreys' smoothing.
    pub psi: f64,
    /// What it would be on average if nothing had changed.
    pub expected: f64,
    /// Above this, it is drift at the test's alpha.
    pub critical: f64,
    /// The probability of an index as large or larger when only what is tolerated has changed.
    pub p: f64,
}

impl PsiTest {
    /// Whether the index is above the critical value.
    pub fn is_drift(&self) -> bool {
        self.psi > self.critical
    }
}

impl TolerantPsi {
    /// Runs the test on counts in the same bins (or of the same categories).
    pub fn test(&self, reference: &[u64], current: &[u64]) -> Result<PsiTest> {
        level("alpha", self.alpha)?;
        let psi = psi(reference, current, Smoothing::Jeffreys)?;
        let total = |counts: &[u64]| counts.iter().map(|c| *c as f64).sum::<f64>();
        let unit = 1.0 / total(reference) + 1.0 / total(current);
        let occupied = reference.iter().zip(current).filter(|(r, c)| **r + **c > 0);
        let freedom = occupied.count().saturating_sub(1) as f64;
        if freedom == 0.0 {
            // All values of both windows fall into one bin: nothing moved.
            return Ok(PsiTest {
                psi,
                expected: 0.0,
                critical: self.tolerated,
                p: 1.0,
            });
        }
        let shift = self.tolerated.max(0.0) / unit;
        Ok(PsiTest {
            psi,
            expected: freedom * unit,
            critical: unit * noncentral_chi_square_quantile(1.0 - self.alpha, freedom, shift),
            p: noncentral_chi_square_sf(psi / unit, freedom, shift),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_p_value_and_the_critical_value_say_the_same() {
        let (test, reference) = (TolerantPsi::default(), [100; 10]);
        for moved in 0..90 {
            let mut current = reference;
            current[0] -= moved;
            current[9] += moved;
            let told = test.test(&reference, &current).unwrap();
            assert_eq!(told.is_drift(), told.p < test.alpha, "{moved}: {told:?}");
        }
    }

    #[test]
    fn a_trifle_is_no_drift_on_a_million_rows_and_a_real_shift_is() {
        let reference = [100_000; 10];
        let trifle = [
            99_000, 99_000, 100_000, 100_000, 100_000, 100_000, 100_000, 100_000, 101_000, 101_000,
        ];
        assert!(
            !TolerantPsi::default()
                .test(&reference, &trifle)
                .unwrap()
                .is_drift()
        );
        let shift = [
            60_000, 80_000, 100_000, 100_000, 100_000, 100_000, 100_000, 100_000, 120_000, 140_000,
        ];
        assert!(
            TolerantPsi::default()
                .test(&reference, &shift)
                .unwrap()
                .is_drift()
        );
    }

    proptest! {
        #[test]
        fn nothing_that_can_be_counted_becomes_nan(
            pairs in proptest::collection::vec((0u64..50, 0u64..50), 1..20)
        ) {
            let (reference, current): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            match TolerantPsi::default().test(&reference, &current) {
                Ok(told) => {
                    prop_assert!(told.psi.is_finite() && told.critical.is_finite());
                    prop_assert!((0.0..=1.0).contains(&told.p));
                }
                Err(why) => prop_assert_eq!(why, crate::Unusable::Empty),
            }
        }
    }
}
