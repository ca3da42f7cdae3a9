//! P-values of windows that come one after the other: has something moved, at a stated mean time between
//! false alarms?
//!
//! Each p-value becomes an e-value, e = κ p^(κ-1) with κ = 1/2 (Shafer, Shen, Vereshchagin and Vovk 2011), whose mean
//! is at most one while nothing has moved. They are added up as Shiryaev and Roberts do, M ← (M + rows) e, so that
//! M less the rows seen is a supermartingale: an alarm at M ≥ A comes after at least A rows on average (Shin, Ramdas
//! and Rinaldo 2023). An e-value that is taken as less than it is changes nothing about that: none is taken as more
//! than lets three windows after each other alarm, so that one odd batch, of whatever size, is no alarm.

use serde::{Deserialize, Serialize};

use super::Signal;
use crate::unusable::{Result, Unusable};

/// So many windows that are very far off are an alarm, and no fewer.
const WINDOWS_MIN: f64 = 3.0;
/// A window counts as at most this part of the time between false alarms.
const PART_MAX: f64 = 1.0 / 8.0;

/// The detector: one number of state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WindowedTests {
    between_false_alarms: f64,
    wealth: f64,
}

impl WindowedTests {
    /// Nothing having moved, it is wrong once in `between_false_alarms` rows on average, or less often.
    pub fn new(between_false_alarms: f64) -> Result<Self> {
        if !(between_false_alarms.is_finite() && between_false_alarms >= 1.0) {
            let (what, must) = ("the mean time between false alarms", "at least one row");
            return Err(Unusable::OutOfRange { what, must });
        }
        Ok(Self {
            between_false_alarms,
            wealth: 0.0,
        })
    }

    /// Takes the p-value of the next window, of so many rows that were in none before.
    pub fn update(&mut self, p: f64, rows: u64) -> Signal {
        if !(0.0..=1.0).contains(&p) {
            return Signal::Refused;
        }
        let asked = self.between_false_alarms;
        let rows = (rows as f64).clamp(1.0, (asked * PART_MAX).max(1.0));
        let most = (asked / rows).powf(1.0 / WINDOWS_MIN);
        let evidence = (0.5 / p.sqrt()).min(most);
        self.wealth = (self.wealth + rows) * evidence;
        if self.wealth >= self.between_false_alarms {
            self.wealth = 0.0;
            return Signal::Change;
        }
        Signal::Quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in [0, 1) that are the same on every machine (`SplitMix64`).
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn uniform_p_values_alarm_no_sooner_than_was_asked_on_average() {
        let (runs, rows, asked) = (1_000, 50, 20_000.0);
        let mut total = 0.0;
        for run in 0..runs {
            let mut state = run;
            let mut detector = WindowedTests::new(asked).unwrap();
            let windows = (1..100_000).find(|_| {
                let p = uniform(&mut state);
                detector.update(p, rows) == Signal::Change
            });
            total += f64::from(windows.unwrap_or(100_000)) * rows as f64;
        }
        let mean = total / runs as f64;
        assert!(mean >= asked, "{mean}");
    }

    #[test]
    fn three_windows_that_are_far_off_are_an_alarm_and_one_of_any_size_is_none() {
        for (asked, rows) in [(10_000.0, 50), (100_000.0, 250), (1_000.0, 1_000_000)] {
            let mut detector = WindowedTests::new(asked).unwrap();
            assert!((0..1_000).all(|_| detector.update(0.5, rows) == Signal::Quiet));
            assert_eq!(detector.update(0.0, rows), Signal::Quiet);
            assert!((0..10).all(|_| detector.update(0.8, rows) == Signal::Quiet));
            let found = (1..).find(|_| detector.update(1e-9, rows) == Signal::Change);
            assert!(found.unwrap() <= 3, "{asked} {rows}");
        }
        let mut detector = WindowedTests::new(100_000.0).unwrap();
        let found = (1..).find(|_| detector.update(0.005, 50) == Signal::Change);
        assert!(found.unwrap() <= 5, "several that are a little off");
        for nothing in [f64::NAN, -0.1, 1.1] {
            assert_eq!(detector.update(nothing, 50), Signal::Refused);
        }
        assert!(WindowedTests::new(f64::NAN).is_err());
    }
}
