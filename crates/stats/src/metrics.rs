//! How good predictions were, now that the truth is known: classification, ranking, calibration,
//! regression, and repeated attempts.

mod attempts;
mod binary;
mod calibration;
mod multiclass;
mod ranking;
mod regression;

pub use attempts::{pass_all_k, pass_at_k};
pub use binary::BinaryConfusion;
pub use calibration::{brier, expected_calibration_error, log_loss};
pub use multiclass::{MulticlassConfusion, multiclass_log_loss, one_against_rest_auc, top_k};
pub use ranking::{Auc, Ranked, auc};
pub use regression::Regression;

use crate::unusable::{Result, paired, rate};

/// That there is a probability for each label.
fn probabilities(truth: &[bool], probability: &[f64]) -> Result<()> {
    paired(truth.len(), probability.len())?;
    probability
        .iter()
        .try_for_each(|p| rate("a probability", *p))
}
