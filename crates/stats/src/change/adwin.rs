//! ADWIN (Bifet and Gavaldà 2007): a window that grows while its halves agree, kept as buckets whose sizes
//! are powers of two. The details (which cuts are looked at, the bound) are River's, so that both say the
//! same.

use serde::{Deserialize, Serialize};

use super::Signal;

/// The most buckets of one size.
const BUCKETS_MAX: usize = 5;

/// The detector.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Adwin {
    delta: f64,
    clock: u64,
    grace: f64,
    half_min: f64,
    ticks: u64,
    window: Window,
}

/// What is in the window: rows of buckets, the newest (of one value each) first; in a row the oldest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Window {
    rows: Vec<Vec<Bucket>>,
    width: f64,
    total: f64,
    variance: f64,
}

/// A run of values: their sum, and the sum of their squared deviations.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// How many values a bucket of a row has.
fn size(row: usize) -> f64 {
    (1_u64 << row) as f64
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(0.002, 32)
    }
}

impl Adwin {
    /// With the confidence `delta`, looking for a change every `clock` values.
    pub fn new(delta: f64, clock: u64) -> Self {
        Self {
            delta,
            clock: clock.max(1),
            grace: 10.0,
            half_min: 5.0,
            ticks: 0,
            window: Window::default(),
        }
    }

    /// How many values are in the window.
    pub const fn width(&self) -> u64 {
        self.window.width as u64
    }

    /// The mean of the window; none if it is empty.
    pub fn estimate(&self) -> Option<f64> {
        (self.window.width > 0.0).then(|| self.window.total / self.window.width)
    }

    /// Takes one more value. After a change, [`Self::width`] and [`Self::estimate`] tell what is left of the
    /// window; call [`Self::reset`] to begin with an empty one, as River does.
    pub fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Refused;
        }
        self.window.insert(value);
        self.ticks += 1;
        let is_time = self.ticks.is_multiple_of(self.clock) && self.window.width > self.grace;
        let mut has_changed = false;
        while is_time && self.window.has_cut(self.delta, self.half_min) {
            has_changed = true;
            self.window.drop_oldest();
        }
        if has_changed {
            Signal::Change
        } else {
            Signal::Quiet
        }
    }

    /// Empties the window.
    pub fn reset(&mut self) {
        self.ticks = 0;
        self.window = Window::default();
    }
}

impl Window {
    fn insert(&mut self, value: f64) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        let single = Bucket {
            total: value,
            variance: 0.0,
        };
        self.rows[0].push(single);
        self.width += 1.0;
        if self.width > 1.0 {
            let before = self.width - 1.0;
            let apart = value - self.total / before;
            self.variance += before * apart * apart / self.width;
        }
        self.total += value;
        self.compress();
    }

    /// Where there are too many buckets of a size, the two oldest become one of the next.
    fn compress(&mut self) {
        let mut row = 0;
        while row < self.rows.len() && self.rows[row].len() > BUCKETS_MAX {
            let (one, two) = (self.rows[row][0], self.rows[row][1]);
            self.rows[row].drain(..2);
            let apart = (one.total - two.total) / size(row);
            let merged = Bucket {
                total: one.total + two.total,
                variance: one.variance + two.variance + size(row) * apart * apart / 2.0,
            };
            if row + 1 == self.rows.len() {
                self.rows.push(Vec::new());
            }
            self.rows[row + 1].push(merged);
            row += 1;
        }
    }

    fn drop_oldest(&mut self) {
        let Some(last) = self.rows.len().checked_sub(1) else {
            return;
        };
        let n = size(last);
        let oldest = self.rows[last].remove(0);
        self.width -= n;
        self.total -= oldest.total;
        let apart = oldest.total / n - self.total / self.width;
        self.variance -= oldest.variance + n * self.width * apart * apart / (n + self.width);
        if self.rows[last].is_empty() {
            self.rows.pop();
        }
    }

    /// Whether the window falls into two parts, the older and the newer, whose means differ for sure.
    fn has_cut(&self, delta: f64, half_min: f64) -> bool {
        let (mut n0, mut total0) = (0.0, 0.0);
        let (mut n1, mut total1) = (self.width, self.total);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets {
                n0 += size(row);
                n1 -= size(row);
                total0 += bucket.total;
                total1 -= bucket.total;
                let difference = (total0 / n0 - total1 / n1).abs();
                let is_long = n0 >= half_min && n1 >= half_min;
                if is_long && difference > self.bound(n0 - half_min, n1 - half_min, delta) {
                    return true;
                }
            }
        }
        false
    }

    fn bound(&self, n0: f64, n1: f64, delta: f64) -> f64 {
        let confidence = (2.0 * self.width.ln() / delta).ln();
        let reciprocal = 1.0 / (n0 + 1.0) + 1.0 / (n1 + 1.0);
        let variance = self.variance / self.width;
        (2.0 * reciprocal * variance * confidence).sqrt() + 2.0 / 3.0 * confidence * reciprocal
    }
}
