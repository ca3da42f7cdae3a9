//! Whether probabilities are what happens.

use super::probabilities;
use crate::unusable::Result;

/// The mean of -ln of the probability that was given to what happened. A probability of 0 for what did
/// happen counts as the smallest that a double can tell from 0 beside 1, as in scikit-learn.
pub fn log_loss(truth: &[bool], probability: &[f64]) -> Result<f64> {
    probabilities(truth, probability)?;
    let lost = |(truth, p): (&bool, &f64)| {
        let given = if *truth { *p } else { 1.0 - p };
        -given.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    Ok(truth.iter().zip(probability).map(lost).sum::<f64>() / truth.len() as f64)
}

/// The mean squared error of the probabilities (Brier 1950).
pub fn brier(truth: &[bool], probability: &[f64]) -> Result<f64> {
    probabilities(truth, probability)?;
    let squared = |(truth, p): (&bool, &f64)| (f64::from(u8::from(*truth)) - p).powi(2);
    Ok(truth.iter().zip(probability).map(squared).sum::<f64>() / truth.len() as f64)
}

/// The expected calibration error over `bins` of equal width: how far the mean probability of a bin is
/// from what happened there, weighted by how many fall into it.
pub fn expected_calibration_error(truth: &[bool], probability: &[f64], bins: usize) -> Result<f64> {
    probabilities(truth, probability)?;
    let bins = bins.max(1);
    let mut gaps = vec![0.0; bins];
    for (truth, p) in truth.iter().zip(probability) {
        let bin = ((p * bins as f64) as usize).min(bins - 1);
        gaps[bin] += f64::from(u8::from(*truth)) - p;
    }
    Ok(gaps.into_iter().map(f64::abs).sum::<f64>() / truth.len() as f64)
}
