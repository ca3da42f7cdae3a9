//! KSWIN (Raab et al. 2020): the newest values of a window against a sample of the older ones, by the
//! Kolmogorov-Smirnov test.

use std::collections::VecDeque;

use super::Signal;
use crate::drift::{KsTail, Sample, ks};

/// The detector. Which of the older values are drawn follows from its seed: the same stream gives the same
/// signals.
#[derive(Clone, Debug)]
pub struct Kswin {
    alpha: f64,
    window_size: usize,
    newest: usize,
    values: VecDeque<f64>,
    random: u64,
}

impl Default for Kswin {
    fn default() -> Self {
        Self::new(0.005, 100, 30, 42)
    }
}

impl Kswin {
    /// With the level of the test, the size of the window and of its newest part.
    pub fn new(alpha: f64, window_size: usize, newest: usize, seed: u64) -> Self {
        let newest = newest.max(1);
        Self {
            alpha,
            window_size: window_size.max(2 * newest),
            newest,
            values: VecDeque::new(),
            random: seed,
        }
    }

    /// Takes one more value.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Refused;
        }
        if self.values.len() == self.window_size {
            self.values.pop_front();
        }
        self.values.push_back(value);
        if self.values.len() < self.window_size {
            return Signal::Quiet;
        }
        let mut older: Vec<f64> = self
            .values
            .iter()
            .copied()
            .take(self.window_size - self.newest)
            .collect();
        for drawn in 0..self.newest {
            let left = older.len() - drawn;
            let other = drawn + (self.next_random() % left as u64) as usize;
            older.swap(drawn, other);
        }
        older.truncate(self.newest);
        let newer: Vec<f64> = self
            .values
            .iter()
            .copied()
            .skip(self.window_size - self.newest)
            .collect();
        let told = ks(
            &Sample::new(older),
            &Sample::new(newer.clone()),
            KsTail::Auto,
        );
        if told.is_ok_and(|told| told.p <= self.alpha && told.statistic > 0.1) {
            self.values = newer.into();
            return Signal::Change;
        }
        Signal::Quiet
    }

    /// `SplitMix64`.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
