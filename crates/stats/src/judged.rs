//! Rates that a fallible judge reports, corrected by what people said about some of the items.

use serde::Serialize;

use crate::proportion::{Interval, share, two_sided};
use crate::unusable::{Result, Unusable, enough, finite, paired};

/// What a judge said, and how it did where people had said it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JudgeRecord {
    /// Items that the judge passed, of those without a human label.
    pub passed: u64,
    /// All of those.
    pub judged: u64,
    /// Items that people passed, and the judge too.
    pub both_passed: u64,
    /// All items that people passed.
    pub human_passed: u64,
    /// Items that people failed, and the judge too.
    pub both_failed: u64,
    /// All items that people failed.
    pub human_failed: u64,
}

/// A corrected rate.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Corrected {
    /// The rate.
    pub rate: f64,
    /// Its standard error, of which the human labels usually have the largest part.
    pub standard_error: f64,
    /// Its interval, within 0 and 1.
    pub interval: Interval,
}

/// The estimator of Rogan and Gladen (1978): (p + specificity - 1) / (sensitivity + specificity - 1).
/// A judge that is no better than a coin cannot be corrected.
pub fn rogan_gladen(record: JudgeRecord, confidence: f64) -> Result<Corrected> {
    let p = share(record.passed, record.judged)?;
    let sensitivity = share(record.both_passed, record.human_passed)?;
    let specificity = share(record.both_failed, record.human_failed)?;
    let better = sensitivity + specificity - 1.0;
    if better <= 0.0 {
        let (what, must) = (
            "sensitivity plus specificity",
            "above 1: the judge tells nothing",
        );
        return Err(Unusable::OutOfRange { what, must });
    }
    let rate = (p + specificity - 1.0) / better;
    let spread = |share: f64, count: u64| share * (1.0 - share) / count as f64;
    let variance = (spread(p, record.judged)
        + spread(sensitivity, record.human_passed) * rate * rate
        + spread(specificity, record.human_failed) * (1.0 - rate) * (1.0 - rate))
        / (better * better);
    corrected(rate, variance.sqrt(), confidence)
}

/// The prediction-powered mean (Angelopoulos et al. 2023): the judge's mean over unlabelled items,
/// rectified by how far it is off on labelled ones.
pub fn prediction_powered_mean(
    labels: &[f64],
    judge_on_labelled: &[f64],
    judge_on_unlabelled: &[f64],
    confidence: f64,
) -> Result<Corrected> {
    paired(labels.len(), judge_on_labelled.len())?;
    enough(labels.len(), 2)?;
    enough(judge_on_unlabelled.len(), 2)?;
    for values in [labels, judge_on_labelled, judge_on_unlabelled] {
        finite(values)?;
    }
    let rectifiers: Vec<f64> = labels
        .iter()
        .zip(judge_on_labelled)
        .map(|(y, f)| y - f)
        .collect();
    let (far, far_variance) = moments(judge_on_unlabelled);
    let (off, off_variance) = moments(&rectifiers);
    corrected(far + off, (far_variance + off_variance).sqrt(), confidence)
}

/// The mean, and the variance of the mean.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, squares / (n - 1.0) / n)
}

fn corrected(rate: f64, standard_error: f64, confidence: f64) -> Result<Corrected> {
    let interval = Interval::around(rate, two_sided(confidence)? * standard_error);
    Ok(Corrected {
        rate: rate.clamp(0.0, 1.0),
        standard_error,
        interval: interval.within(0.0, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_tosses_a_coin_cannot_be_corrected() {
        let coin = JudgeRecord {
            passed: 50,
            judged: 100,
            both_passed: 5,
            human_passed: 10,
            both_failed: 5,
            human_failed: 10,
        };
        assert!(rogan_gladen(coin, 0.95).is_err());
    }
}
