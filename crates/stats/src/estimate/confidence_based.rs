//! Confidence-based performance estimation (NannyML's CBPE) for yes-or-no predictions.
//!
//! With honest probabilities, each prediction adds its probability to the true positives (or negatives)
//! and the rest to the false ones; every figure of a confusion matrix follows, and the area under the
//! ROC curve too. Sampling errors come from the reference.

use serde::{Deserialize, Serialize};

use super::Isotonic;
use crate::unusable::{Result, Unusable, enough, paired, rate};

/// What was learned from a reference of which the truth is known.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConfidenceBased {
    calibration: Option<Isotonic>,
    /// The deviation of "right or wrong" over the reference.
    accuracy_deviation: f64,
}

/// An estimated figure: none where its denominator is zero.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Estimate {
    /// The share that is right.
    pub accuracy: f64,
    /// By how much the estimated accuracy of a window of this size varies by chance: one sampling error.
    pub accuracy_sampling_error: f64,
    /// Of what is called positive, the share that is.
    pub precision: Option<f64>,
    /// Of what is positive, the share that is called that.
    pub recall: Option<f64>,
    /// Of what is negative, the share that is called that.
    pub specificity: Option<f64>,
    /// The harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// The area under the ROC curve.
    pub roc_auc: Option<f64>,
}

impl ConfidenceBased {
    /// Learns from scores in [0, 1], predictions and truths. Scores are calibrated only if that brings
    /// them closer to what happened on parts that were held out.
    pub fn fit(scores: &[f64], predicted: &[bool], truth: &[bool]) -> Result<Self> {
        paired(scores.len(), predicted.len())?;
        paired(scores.len(), truth.len())?;
        enough(scores.len(), 2)?;
        scores
            .iter()
            .try_for_each(|score| rate("a score", *score))?;
        let calibration = needs_calibration(scores, truth)?
            .then(|| Isotonic::fit(scores, truth))
            .transpose()?;
        let right = predicted.iter().zip(truth).filter(|(p, t)| p == t).count();
        let share = right as f64 / scores.len() as f64;
        Ok(Self {
            calibration,
            accuracy_deviation: (share * (1.0 - share)).sqrt(),
        })
    }

    /// The calibration that was found to be needed.
    pub const fn calibration(&self) -> Option<&Isotonic> {
        self.calibration.as_ref()
    }

    /// The honest probability of a score; none for NaN.
    pub fn probability(&self, score: f64) -> Option<f64> {
        match &self.calibration {
            Some(map) => map.probability(score),
            None => (!score.is_nan()).then(|| score.clamp(0.0, 1.0)),
        }
    }

    /// Estimates the figures of a window.
    pub fn estimate(&self, scores: &[f64], predicted: &[bool]) -> Result<Estimate> {
        paired(scores.len(), predicted.len())?;
        let honest =
            |(at, score): (usize, &f64)| self.probability(*score).ok_or(Unusable::NotFinite { at });
        let probability: Vec<f64> = scores
            .iter()
            .enumerate()
            .map(honest)
            .collect::<Result<_>>()?;
        let (mut tp, mut fp, mut tn, mut fn_) = (0.0, 0.0, 0.0, 0.0);
        for (p, positive) in probability.iter().zip(predicted) {
            if *positive {
                tp += p;
                fp += 1.0 - p;
            } else {
                fn_ += p;
                tn += 1.0 - p;
            }
        }
        let n = scores.len() as f64;
        let ratio = |above: f64, below: f64| (below > 0.0).then(|| above / below);
        Ok(Estimate {
            accuracy: (tp + tn) / n,
            accuracy_sampling_error: self.accuracy_deviation / n.sqrt(),
            precision: ratio(tp, tp + fp),
            recall: ratio(tp, tp + fn_),
            specificity: ratio(tn, tn + fp),
            f1: ratio(tp, tp + f64::midpoint(fp, fn_)),
            roc_auc: expected_auc(scores, &probability),
        })
    }
}

/// The expected error of one prediction: the badness that a change detector watches while there are no
/// labels.
pub fn expected_error(probability: f64, predicted: bool) -> f64 {
    if predicted {
        1.0 - probability
    } else {
        probability
    }
}

/// The area under the curve of expected true against expected false positives, the highest scores first.
fn expected_auc(scores: &[f64], probability: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut tp, mut fp, mut area) = (0.0, 0.0, 0.0);
    let mut rest = &order[..];
    while let Some(first) = rest.first() {
        let ties = rest
            .iter()
            .take_while(|i| scores[**i] == scores[*first])
            .count();
        let (before_tp, before_fp) = (tp, fp);
        for index in &rest[..ties] {
            tp += probability[*index];
            fp += 1.0 - probability[*index];
        }
        area += (fp - before_fp) * f64::midpoint(tp, before_tp);
        rest = &rest[ties..];
    }
    (tp > 0.0 && fp > 0.0).then(|| area / (tp * fp))
}

/// Parts for deciding whether to calibrate.
const FOLDS: usize = 10;
/// Bins of equal counts for the calibration error.
const BINS: usize = 10;

/// Whether calibrating by isotonic regression makes the calibration error smaller: fitted ten times
/// without a tenth of the rows, and measured on what was left out, all together.
pub fn needs_calibration(scores: &[f64], truth: &[bool]) -> Result<bool> {
    paired(scores.len(), truth.len())?;
    if scores.len() < 2 * FOLDS {
        return Ok(false);
    }
    let mut calibrated = vec![0.0; scores.len()];
    for fold in 0..FOLDS {
        let is_out = |i: &usize| i % FOLDS == fold;
        let kept: Vec<usize> = (0..scores.len()).filter(|i| !is_out(i)).collect();
        let fitted = Isotonic::fit(
            &kept.iter().map(|i| scores[*i]).collect::<Vec<_>>(),
            &kept.iter().map(|i| truth[*i]).collect::<Vec<_>>(),
        )?;
        for i in (0..scores.len()).filter(is_out) {
            calibrated[i] = fitted.probability(scores[i]).unwrap_or(scores[i]);
        }
    }
    Ok(calibration_error(&calibrated, truth) < calibration_error(scores, truth))
}

/// The expected calibration error over ten bins of equally many rows.
fn calibration_error(probability: &[f64], truth: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..probability.len()).collect();
    order.sort_by(|a, b| probability[*a].total_cmp(&probability[*b]));
    let size = probability.len().div_ceil(BINS);
    let gap = |bin: &[usize]| {
        let gaps = bin
            .iter()
            .map(|i| f64::from(u8::from(truth[*i])) - probability[*i]);
        gaps.sum::<f64>().abs()
    };
    order.chunks(size).map(gap).sum::<f64>() / probability.len() as f64
}
