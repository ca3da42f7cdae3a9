//! HDDM (Frías-Blanco et al. 2015): rises of a mean by Hoeffding's and McDiarmid's bounds, as River has it.

use serde::{Deserialize, Serialize};

use super::Signal;

const CHANGE: f64 = 0.001;
const WARNING: f64 = 0.005;

/// A mean and of how many.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Mean {
    count: f64,
    mean: f64,
}

/// The variant with plain averages.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct HddmA {
    all: Mean,
    lowest: Mean,
}

impl HddmA {
    /// Takes one more value in [0, 1].
    pub fn update(&mut self, value: f64) -> Signal {
        if !(0.0..=1.0).contains(&value) {
            return Signal::Refused;
        }
        self.all.count += 1.0;
        self.all.mean += (value - self.all.mean) / self.all.count;
        let bound = |count: f64| ((1.0 / CHANGE).ln() / (2.0 * count)).sqrt();
        let now = self.all.mean + bound(self.all.count);
        if self.lowest.count == 0.0 || self.lowest.mean + bound(self.lowest.count) >= now {
            self.lowest = self.all;
        }
        if self.has_risen(CHANGE) {
            *self = Self::default();
            Signal::Change
        } else if self.has_risen(WARNING) {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }

    fn has_risen(&self, confidence: f64) -> bool {
        let (low, all) = (self.lowest, self.all);
        if low.count == all.count {
            return false;
        }
        let m = (all.count - low.count) / low.count / all.count;
        all.mean - low.mean >= (m / 2.0 * (2.0 / confidence).ln()).sqrt()
    }
}

/// A weighted mean, and the sum of its squared weights.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Weighted {
    mean: Option<f64>,
    squared_weights: f64,
}

impl Weighted {
    const NONE: Self = Self {
        mean: None,
        squared_weights: 1.0,
    };

    fn add(&mut self, value: f64, weight: f64) {
        self.mean = Some(match self.mean {
            Some(mean) => weight * value + (1.0 - weight) * mean,
            None => value,
        });
        self.squared_weights = weight * weight + (1.0 - weight).powi(2) * self.squared_weights;
    }
}

/// The variant with weights that fade.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct HddmW {
    weight: f64,
    all: Weighted,
    before: Weighted,
    since: Weighted,
    cut: f64,
}

impl Default for HddmW {
    fn default() -> Self {
        Self::new(0.05)
    }
}

impl HddmW {
    /// With the weight of the newest value.
    pub const fn new(weight: f64) -> Self {
        Self {
            weight,
            all: Weighted::NONE,
            before: Weighted::NONE,
            since: Weighted::NONE,
            cut: f64::MAX,
        }
    }

    /// Takes one more value in [0, 1].
    pub fn update(&mut self, value: f64) -> Signal {
        if !(0.0..=1.0).contains(&value) {
            return Signal::Refused;
        }
        self.all.add(value, self.weight);
        let bound =
            |weights: f64, confidence: f64| (weights * (1.0 / confidence).ln() / 2.0).sqrt();
        let now = self.all.mean.unwrap_or(value) + bound(self.all.squared_weights, CHANGE);
        if now < self.cut {
            self.cut = now;
            self.before = self.all;
            self.since = Weighted::NONE;
        } else {
            self.since.add(value, self.weight);
        }
        let (Some(before), Some(since)) = (self.before.mean, self.since.mean) else {
            return Signal::Quiet;
        };
        let weights = self.before.squared_weights + self.since.squared_weights;
        if since - before > bound(weights, CHANGE) {
            *self = Self::new(self.weight);
            Signal::Change
        } else if since - before > bound(weights, WARNING) {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}
