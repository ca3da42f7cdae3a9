//! DDM and EDDM: control charts over right and wrong, as River has them.

use serde::{Deserialize, Serialize};

use super::Signal;

/// The drift detection method (Gama et al. 2004): the error rate against its own best.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ddm {
    /// No change is told before so many values.
    pub warm_start: u64,
    /// Deviations above the best at which it warns.
    pub warning_at: f64,
    /// Deviations above the best at which it tells a change.
    pub change_at: f64,
    count: u64,
    rate: f64,
    best: Option<(f64, f64)>,
}

impl Default for Ddm {
    fn default() -> Self {
        Self {
            warm_start: 30,
            warning_at: 2.0,
            change_at: 3.0,
            count: 0,
            rate: 0.0,
            best: None,
        }
    }
}

impl Ddm {
    /// Takes one more: whether it was an error.
    pub fn update(&mut self, is_error: bool) -> Signal {
        self.count += 1;
        self.rate += (f64::from(u8::from(is_error)) - self.rate) / self.count as f64;
        let deviation = (self.rate * (1.0 - self.rate) / self.count as f64).sqrt();
        if self.count <= self.warm_start {
            return Signal::Quiet;
        }
        let now = self.rate + deviation;
        let (rate, spread) = match self.best {
            Some((rate, spread)) if now > rate + spread => (rate, spread),
            _ => {
                self.best = Some((self.rate, deviation));
                (self.rate, deviation)
            }
        };
        if now > rate + self.change_at * spread {
            (self.count, self.rate, self.best) = (0, 0.0, None);
            Signal::Change
        } else if now > rate + self.warning_at * spread {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}

/// The early drift detection method (Baena-García et al. 2006): how far errors are apart.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Eddm {
    /// No change is told before so many errors.
    pub warm_start: u64,
    /// The part of the largest distance below which it warns.
    pub warning_below: f64,
    /// The part of the largest distance below which it tells a change.
    pub change_below: f64,
    state: Distances,
}

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Distances {
    count: u64,
    errors: u64,
    last_error: u64,
    mean: f64,
    squares: f64,
    largest: f64,
    is_warning: bool,
}

impl Default for Eddm {
    fn default() -> Self {
        Self {
            warm_start: 30,
            warning_below: 0.95,
            change_below: 0.9,
            state: Distances {
                largest: -1.0,
                ..Distances::default()
            },
        }
    }
}

impl Eddm {
    /// Takes one more: whether it was an error.
    pub fn update(&mut self, is_error: bool) -> Signal {
        let state = &mut self.state;
        state.count += 1;
        if is_error {
            state.errors += 1;
            let distance = (state.count - state.last_error) as f64;
            let apart = distance - state.mean;
            state.mean += apart / state.errors as f64;
            state.squares += apart * (distance - state.mean);
            let variance = state.squares / state.errors.saturating_sub(1).max(1) as f64;
            let spread = state.mean + 2.0 * variance.sqrt();
            state.last_error = state.count;
            if state.count > self.warm_start {
                if spread > state.largest {
                    state.largest = spread;
                } else if state.errors > self.warm_start {
                    let part = spread / state.largest;
                    if part < self.change_below {
                        *self = Self {
                            state: Self::default().state,
                            ..*self
                        };
                        return Signal::Change;
                    }
                    state.is_warning = part < self.warning_below;
                }
            }
        }
        // A warning stands until an error says otherwise.
        if self.state.is_warning {
            Signal::Warning
        } else {
            Signal::Quiet
        }
    }
}
