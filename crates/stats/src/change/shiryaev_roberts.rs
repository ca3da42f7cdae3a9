//! The mixture e-Shiryaev-Roberts detector: has badness risen above its bar?
//!
//! For each of a few alternatives p₁ > p₀, M ← (M + 1)(1 + λ(x - p₀)) with λ = (p₁ - p₀)/(p₀(1 - p₀)).
//! While the mean of x given the past is at most p₀, M less the number of values is a supermartingale, so
//! an alarm at mean M ≥ A comes after at least A values on average (Shin, Ramdas and Rinaldo 2023,
//! "E-detectors"). Nothing is assumed about independence or shape: x is an error, a refusal, or one minus
//! a score, anywhere in [0, 1].

use serde::{Deserialize, Serialize};

use super::Signal;
use crate::unusable::{Result, Unusable, level};

/// How many times worse the alternatives are than the bar: the closer together, the harder they are to see.
pub const FACTORS: [f64; 7] = [1.2, 1.35, 1.5, 1.75, 2.0, 3.0, 5.0];

/// No alternative is worse than this.
const WORST: f64 = 0.95;

/// The detector: seven numbers of state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ShiryaevRoberts {
    bar: f64,
    between_false_alarms: f64,
    bets: Vec<Bet>,
}

/// One alternative.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Bet {
    /// How much of the wealth is staked on "worse".
    stake: f64,
    /// M.
    wealth: f64,
}

impl ShiryaevRoberts {
    /// Watches badness against `bar`, the mean that is still well (give it a margin over the usual rate, such
    /// as a tenth). Healthy, it is wrong once in `between_false_alarms` values on average, or less often.
    pub fn new(bar: f64, between_false_alarms: f64) -> Result<Self> {
        level("the bar", bar)?;
        if !(between_false_alarms.is_finite() && between_false_alarms >= 1.0) {
            let (what, must) = ("the mean time between false alarms", "at least one value");
            return Err(Unusable::OutOfRange { what, must });
        }
        let alternatives = FACTORS.map(|factor| factor * bar);
        let mut alternatives: Vec<f64> = alternatives.into_iter().filter(|p| *p <= WORST).collect();
        if alternatives.is_empty() {
            alternatives.push(f64::midpoint(bar, 1.0));
        }
        let bet = |worse: f64| Bet {
            stake: (worse - bar) / (bar * (1.0 - bar)),
            wealth: 0.0,
        };
        Ok(Self {
            bar,
            between_false_alarms,
            bets: alternatives.into_iter().map(bet).collect(),
        })
    }

    /// The mean that is still well.
    pub const fn bar(&self) -> f64 {
        self.bar
    }

    /// The mean of the bets' wealth: it is held against the mean time between false alarms.
    pub fn evidence(&self) -> f64 {
        let sum: f64 = self.bets.iter().map(|bet| bet.wealth).sum();
        sum / self.bets.len() as f64
    }

    /// Takes one more value.
    pub fn update(&mut self, badness: f64) -> Signal {
        if !(0.0..=1.0).contains(&badness) {
            return Signal::Refused;
        }
        let above = badness - self.bar;
        for bet in &mut self.bets {
            bet.wealth = (bet.wealth + 1.0) * (1.0 + bet.stake * above);
        }
        if self.evidence() >= self.between_false_alarms {
            self.reset();
            return Signal::Change;
        }
        Signal::Quiet
    }

    /// Forgets what was seen.
    pub fn reset(&mut self) {
        for bet in &mut self.bets {
            bet.wealth = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bar_that_nothing_can_cross_is_refused() {
        assert!(ShiryaevRoberts::new(0.0, 1_000.0).is_err());
        assert!(ShiryaevRoberts::new(1.0, 1_000.0).is_err());
        assert!(ShiryaevRoberts::new(0.1, f64::NAN).is_err());
        let mut high = ShiryaevRoberts::new(0.97, 100.0).unwrap();
        assert!((0..1_000).any(|_| high.update(1.0) == Signal::Change));
    }

    #[test]
    fn only_zeros_never_alarm_and_only_ones_soon_do() {
        let mut detector = ShiryaevRoberts::new(0.1, 10_000.0).unwrap();
        assert!((0..100_000).all(|_| detector.update(0.0) == Signal::Quiet));
        let found = (1..).find(|_| detector.update(1.0) == Signal::Change);
        assert!(found.unwrap() < 10);
    }

    proptest! {
        #[test]
        fn wealth_is_never_below_zero_nor_infinite(
            bar in 0.001f64..0.999,
            values in proptest::collection::vec(0.0f64..=1.0, 0..500),
        ) {
            let mut detector = ShiryaevRoberts::new(bar, 1e6).unwrap();
            for value in values {
                detector.update(value);
                prop_assert!(detector.evidence().is_finite() && detector.evidence() >= 0.0);
            }
        }
    }
}
