//! The Page-Hinkley test: how far the sum of deviations from the mean has risen above its lowest point, or
//! fallen below its highest.

use serde::{Deserialize, Serialize};

use super::Signal;

/// Which changes are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Direction {
    /// Only rises.
    Up,
    /// Only falls.
    Down,
    /// Both.
    #[default]
    Both,
}

/// The test.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct PageHinkley {
    /// No change is told before so many values.
    pub values_min: u64,
    /// How large a deviation is not counted.
    pub delta: f64,
    /// How far the sum has to go.
    pub threshold: f64,
    /// What of the sum is left after each value.
    pub fading: f64,
    /// Which changes are looked for.
    pub direction: Direction,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct State {
    count: u64,
    mean: f64,
    rise: f64,
    fall: f64,
    least_rise: f64,
    greatest_fall: f64,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self {
            values_min: 30,
            delta: 0.005,
            threshold: 50.0,
            fading: 0.9999,
            direction: Direction::Both,
            state: State::default(),
        }
    }
}

impl PageHinkley {
    /// Takes one more value.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Refused;
        }
        let state = &mut self.state;
        let is_first = state.count == 0;
        state.count += 1;
        state.mean += (value - state.mean) / state.count as f64;
        let deviation = value - state.mean;
        state.rise = self.fading * state.rise + deviation - self.delta;
        state.fall = self.fading * state.fall + deviation + self.delta;
        if is_first || state.rise < state.least_rise {
            state.least_rise = state.rise;
        }
        if is_first || state.fall > state.greatest_fall {
            state.greatest_fall = state.fall;
        }
        let has_risen = state.rise - state.least_rise > self.threshold;
        let has_fallen = state.greatest_fall - state.fall > self.threshold;
        let has_changed = match self.direction {
            Direction::Up => has_risen,
            Direction::Down => has_fallen,
            Direction::Both => has_risen || has_fallen,
        };
        if has_changed && state.count >= self.values_min {
            self.state = State::default();
            return Signal::Change;
        }
        Signal::Quiet
    }
}
