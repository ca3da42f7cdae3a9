//! Intervals for a mean that hold at all times at once: they may be looked at after every value.

use serde::{Deserialize, Serialize};

use super::Signal;
use crate::proportion::Interval;
use crate::unusable::{Result, level};

/// The predictable plug-in empirical-Bernstein confidence sequence for the mean of values in [0, 1]
/// (Waudby-Smith and Ramdas 2024, theorem 2).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct EmpiricalBernstein {
    alpha: f64,
    count: f64,
    sum: f64,
    squares: f64,
    stakes: f64,
    staked_values: f64,
    cost: f64,
}

impl EmpiricalBernstein {
    /// A sequence that misses the mean at any time at all with probability `alpha` at most.
    pub fn new(alpha: f64) -> Result<Self> {
        level("alpha", alpha)?;
        Ok(Self {
            alpha,
            count: 0.0,
            sum: 0.0,
            squares: 0.0,
            stakes: 0.0,
            staked_values: 0.0,
            cost: 0.0,
        })
    }

    /// Takes one more value; it never says that there is a change.
    pub fn update(&mut self, value: f64) -> Signal {
        if !(0.0..=1.0).contains(&value) {
            return Signal::Refused;
        }
        let mean_before = (0.5 + self.sum) / (self.count + 1.0);
        let variance_before = (0.25 + self.squares) / (self.count + 1.0);
        self.count += 1.0;
        let t = self.count;
        let wanted = 2.0 * (2.0 / self.alpha).ln() / (variance_before * t * t.ln_1p());
        let stake = wanted.sqrt().min(0.5);
        let penalty = (-(-stake).ln_1p() - stake) / 4.0;
        self.stakes += stake;
        self.staked_values += stake * value;
        self.cost += 4.0 * (value - mean_before).powi(2) * penalty;
        self.sum += value;
        let mean = (0.5 + self.sum) / (t + 1.0);
        self.squares += (value - mean).powi(2);
        Signal::Quiet
    }

    /// How many values there were.
    pub const fn count(&self) -> u64 {
        self.count as u64
    }

    /// The centre and the radius; none before the first value.
    pub fn centre_and_radius(&self) -> Option<(f64, f64)> {
        let radius = ((2.0 / self.alpha).ln() + self.cost) / self.stakes;
        (self.count > 0.0).then(|| (self.staked_values / self.stakes, radius))
    }

    /// The interval: all of [0, 1] before the first value.
    pub fn interval(&self) -> Interval {
        match self.centre_and_radius() {
            Some((centre, radius)) => Interval::around(centre, radius).within(0.0, 1.0),
            None => Interval {
                low: 0.0,
                high: 1.0,
            },
        }
    }
}

/// ρ² of the normal mixture that is tightest at about `best_at` values of deviation `sigma` (Howard et
/// al. 2021): their variance over w - 1, where w = 1 - 2 ln α + ln w.
pub fn normal_mixture_rho(best_at: f64, sigma: f64, alpha: f64) -> Result<f64> {
    level("alpha", alpha)?;
    let start = 1.0 - 2.0 * alpha.ln();
    let w = (0..60).fold(start, |w: f64, _| start + w.ln());
    Ok(best_at * sigma * sigma / (w - 1.0))
}

/// The radius after `count` values of the normal-mixture confidence sequence (Robbins 1970) for a mean of
/// values that are sub-Gaussian with `sigma` (one half for values in [0, 1]).
pub fn normal_mixture_radius(count: f64, sigma: f64, rho_squared: f64, alpha: f64) -> Result<f64> {
    level("alpha", alpha)?;
    let spread = count * sigma * sigma + rho_squared;
    let logarithm = (spread / (rho_squared * alpha * alpha)).ln();
    Ok((spread * logarithm).sqrt() / count)
}
