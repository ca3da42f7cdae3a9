//! Yes or no, right or wrong.

use serde::{Deserialize, Serialize};

use crate::unusable::{Result, paired};

/// The four counts, from which every figure follows. A figure whose denominator is zero is none: there
/// is no precision where nothing was called positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct BinaryConfusion {
    /// Negative, and called that.
    pub true_negatives: u64,
    /// Negative, and called positive.
    pub false_positives: u64,
    /// Positive, and called negative.
    pub false_negatives: u64,
    /// Positive, and called that.
    pub true_positives: u64,
}

impl BinaryConfusion {
    /// Counts predictions against the truth.
    pub fn of(truth: &[bool], predicted: &[bool]) -> Result<Self> {
        paired(truth.len(), predicted.len())?;
        let mut counts = Self::default();
        for (truth, predicted) in truth.iter().zip(predicted) {
            counts.add(*truth, *predicted);
        }
        Ok(counts)
    }

    /// Counts one more.
    pub fn add(&mut self, truth: bool, predicted: bool) {
        match (truth, predicted) {
            (false, false) => self.true_negatives += 1,
            (false, true) => self.false_positives += 1,
            (true, false) => self.false_negatives += 1,
            (true, true) => self.true_positives += 1,
        }
    }

    /// TN, FP, FN, TP as numbers.
    fn parts(&self) -> [f64; 4] {
        let Self {
            true_negatives,
            false_positives,
            false_negatives,
            true_positives,
        } = *self;
        [
            true_negatives,
            false_positives,
            false_negatives,
            true_positives,
        ]
        .map(|n| n as f64)
    }

    /// The share that is right.
    pub fn accuracy(&self) -> Option<f64> {
        let [tn, fp, fn_, tp] = self.parts();
        ratio(tn + tp, tn + fp + fn_ + tp)
    }

    /// Of what was called positive, the share that is.
    pub fn precision(&self) -> Option<f64> {
        let [_, fp, _, tp] = self.parts();
        ratio(tp, tp + fp)
    }

    /// Of what is positive, the share that was called that.
    pub fn recall(&self) -> Option<f64> {
        let [_, _, fn_, tp] = self.parts();
        ratio(tp, tp + fn_)
    }

    /// Of what is negative, the share that was called that.
    pub fn specificity(&self) -> Option<f64> {
        let [tn, fp, _, _] = self.parts();
        ratio(tn, tn + fp)
    }

    /// The mean of recall and specificity.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(f64::midpoint(self.recall()?, self.specificity()?))
    }

    /// The weighted harmonic mean of precision and recall, where recall counts `beta` times as much.
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        let [_, fp, fn_, tp] = self.parts();
        let squared = beta * beta;
        ratio(
            (1.0 + squared) * tp,
            (1.0 + squared) * tp + squared * fn_ + fp,
        )
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> Option<f64> {
        self.f_beta(1.0)
    }

    /// Matthews' correlation coefficient.
    pub fn matthews(&self) -> Option<f64> {
        let [tn, fp, fn_, tp] = self.parts();
        let below = ((tp + fp) * (tp + fn_)).sqrt() * ((tn + fp) * (tn + fn_)).sqrt();
        ratio(tp * tn - fp * fn_, below)
    }
}

/// A quotient that exists.
pub(crate) fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_is_none_and_not_nan() {
        let quiet = BinaryConfusion::of(&[false, false], &[false, false]).unwrap();
        assert_eq!(
            (quiet.precision(), quiet.recall(), quiet.f1()),
            (None, None, None)
        );
        assert_eq!((quiet.accuracy(), quiet.matthews()), (Some(1.0), None));
        assert!(BinaryConfusion::of(&[], &[]).is_err());
    }
}
