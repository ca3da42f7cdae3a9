//! Control charts for values whose usual mean and deviation are known: CUSUM and EWMA.

use serde::{Deserialize, Serialize};

use super::Signal;
use crate::special::normal_cdf;

/// Standardised values count no further than this from zero, so that one outlier is no alarm.
const CAP: f64 = 4.0;

/// Page's one-sided cumulative sum of standardised values: S ← max(0, S + z - k), change at S > h.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cusum {
    allowance: f64,
    limit: f64,
    sum: f64,
}

impl Default for Cusum {
    /// k = 0.5 and h = 5: a false alarm in 931 values of a normal distribution, and a rise by one deviation
    /// found after 10.
    fn default() -> Self {
        Self::new(0.5, 5.0)
    }
}

impl Cusum {
    /// With an allowance k and a limit h, both in standard deviations.
    pub const fn new(allowance: f64, limit: f64) -> Self {
        Self {
            allowance,
            limit,
            sum: 0.0,
        }
    }

    /// The sum so far.
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// Takes one more value, in standard deviations from its usual mean.
    pub fn update(&mut self, standardised: f64) -> Signal {
        if !standardised.is_finite() {
            return Signal::Refused;
        }
        let capped = standardised.clamp(-CAP, CAP);
        self.sum = (self.sum + capped - self.allowance).max(0.0);
        if self.sum > self.limit {
            self.sum = 0.0;
            return Signal::Change;
        }
        Signal::Quiet
    }

    /// How many normal values there are on average until it says so, when their mean is `shift` deviations
    /// above the usual: by a Markov chain over `states` pieces of [0, h] (Brook and Evans 1972).
    pub fn average_run_length(&self, shift: f64, states: usize) -> f64 {
        let states = states.max(2);
        let width = 2.0 * self.limit / (2.0 * states as f64 - 1.0);
        let mean = shift - self.allowance;
        let step = |from: usize, to: usize| {
            let upper = (to as f64 + 0.5 - from as f64) * width - mean;
            if to == 0 {
                normal_cdf(upper)
            } else {
                normal_cdf(upper) - normal_cdf(upper - width)
            }
        };
        // (I - Q) L = 1, by elimination: the matrix is diagonally dominant.
        let mut rows: Vec<Vec<f64>> = (0..states)
            .map(|from| {
                let row = (0..states).map(|to| f64::from(u8::from(from == to)) - step(from, to));
                row.chain([1.0]).collect()
            })
            .collect();
        for pivot in 0..states {
            let (above, below) = rows.split_at_mut(pivot + 1);
            let leading = &above[pivot];
            for row in below {
                let factor = row[pivot] / leading[pivot];
                for (value, lead) in row.iter_mut().zip(leading).skip(pivot) {
                    *value -= factor * lead;
                }
            }
        }
        let mut lengths = vec![0.0; states];
        for row in (0..states).rev() {
            let later = (row + 1..states)
                .map(|i| rows[row][i] * lengths[i])
                .sum::<f64>();
            lengths[row] = (rows[row][states] - later) / rows[row][row];
        }
        lengths[0]
    }
}

/// The exponentially weighted moving average (Roberts 1959) of values with a known mean and deviation, with
/// exact limits from the first value on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ewma {
    weight: f64,
    limit: f64,
    mean: f64,
    deviation: f64,
    average: f64,
    faded: f64,
}

impl Default for Ewma {
    /// Standardised values, a weight of 0.2 and limits at 2.962: a false alarm in about 500.
    fn default() -> Self {
        Self::new(0.2, 2.962, 0.0, 1.0)
    }
}

impl Ewma {
    /// With the weight λ of the newest value, limits at L deviations, and what is usual.
    pub const fn new(weight: f64, limit: f64, mean: f64, deviation: f64) -> Self {
        Self {
            weight,
            limit,
            mean,
            deviation,
            average: mean,
            faded: 1.0,
        }
    }

    /// Takes one more value; the average goes on after a change.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Refused;
        }
        self.average += self.weight * (value - self.average);
        self.faded *= (1.0 - self.weight) * (1.0 - self.weight);
        let variance = self.weight / (2.0 - self.weight) * (1.0 - self.faded);
        let limit = self.limit * self.deviation * variance.sqrt();
        if (self.average - self.mean).abs() > limit {
            Signal::Change
        } else {
            Signal::Quiet
        }
    }
}
