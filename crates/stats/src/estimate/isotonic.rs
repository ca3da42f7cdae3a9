//! Calibration by isotonic regression: the monotone function closest to what happened.

use serde::{Deserialize, Serialize};

use crate::unusable::{Result, finite, paired, rate};

/// A monotone map from a score to a probability, linear between its knots.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Isotonic {
    scores: Vec<f64>,
    probabilities: Vec<f64>,
}

/// A run of neighbouring scores that share a value.
struct Block {
    sum: f64,
    weight: f64,
    first: f64,
    last: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

impl Isotonic {
    /// Fits to scores and what happened, by pooling adjacent violators.
    pub fn fit(scores: &[f64], happened: &[bool]) -> Result<Self> {
        paired(scores.len(), happened.len())?;
        finite(scores)?;
        let mut pairs: Vec<(f64, bool)> = scores
            .iter()
            .copied()
            .zip(happened.iter().copied())
            .collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut points: Vec<Block> = Vec::new();
        for (score, happened) in pairs {
            let hit = f64::from(u8::from(happened));
            match points.last_mut() {
                Some(point) if point.last == score => {
                    point.sum += hit;
                    point.weight += 1.0;
                }
                _ => points.push(Block {
                    sum: hit,
                    weight: 1.0,
                    first: score,
                    last: score,
                }),
            }
        }
        let mut blocks: Vec<Block> = Vec::new();
        for point in points {
            blocks.push(point);
            while blocks.len() >= 2
                && blocks[blocks.len() - 2].mean() >= blocks[blocks.len() - 1].mean()
            {
                let Some(upper) = blocks.pop() else { break };
                let Some(lower) = blocks.last_mut() else {
                    break;
                };
                lower.sum += upper.sum;
                lower.weight += upper.weight;
                lower.last = upper.last;
            }
        }
        let (mut knots, mut values) = (Vec::new(), Vec::new());
        for block in &blocks {
            knots.push(block.first);
            values.push(block.mean());
            if block.last > block.first {
                knots.push(block.last);
                values.push(block.mean());
            }
        }
        Ok(Self {
            scores: knots,
            probabilities: values,
        })
    }

    /// A map through given knots, which have to ascend.
    pub fn through(scores: Vec<f64>, probabilities: Vec<f64>) -> Result<Self> {
        paired(scores.len(), probabilities.len())?;
        finite(&scores)?;
        probabilities
            .iter()
            .try_for_each(|p| rate("a probability", *p))?;
        Ok(Self {
            scores,
            probabilities,
        })
    }

    /// The knots: scores and their probabilities.
    pub fn knots(&self) -> (&[f64], &[f64]) {
        (&self.scores, &self.probabilities)
    }

    /// The probability of a score; beyond the knots, that of the nearest. A score that is NaN has none.
    pub fn probability(&self, score: f64) -> Option<f64> {
        if score.is_nan() {
            return None;
        }
        let above = self.scores.partition_point(|knot| *knot < score);
        let last = self.scores.len() - 1;
        if above == 0 {
            return Some(self.probabilities[0]);
        }
        if above > last {
            return Some(self.probabilities[last]);
        }
        let (low, high) = (self.scores[above - 1], self.scores[above]);
        let (from, to) = (self.probabilities[above - 1], self.probabilities[above]);
        Some(from + (to - from) * (score - low) / (high - low))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_map_is_monotone_and_keeps_the_mean(
            pairs in proptest::collection::vec((0u8..20, any::<bool>()), 1..80)
        ) {
            let scores: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0) / 20.0).collect();
            let happened: Vec<bool> = pairs.iter().map(|pair| pair.1).collect();
            let map = Isotonic::fit(&scores, &happened).unwrap();
            let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
            let told = mean(scores.iter().map(|s| map.probability(*s).unwrap()).collect());
            let truth = mean(happened.iter().map(|h| f64::from(u8::from(*h))).collect());
            prop_assert!((told - truth).abs() < 1e-9);
            let grid: Vec<f64> = (-5..30).map(|i| map.probability(f64::from(i) / 20.0).unwrap()).collect();
            prop_assert!(grid.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
        }
    }
}
