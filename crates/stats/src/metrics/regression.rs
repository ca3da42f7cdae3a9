//! Numbers predicted, and how far off they were.

use serde::Serialize;

use crate::unusable::{Result, finite, paired};

/// All figures of one comparison.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Regression {
    /// The mean absolute error.
    pub mae: f64,
    /// The mean squared error.
    pub mse: f64,
    /// Its root.
    pub rmse: f64,
    /// The coefficient of determination; none if the truth is constant.
    pub r2: Option<f64>,
    /// The share of the variance that is explained; none if the truth is constant.
    pub explained_variance: Option<f64>,
    /// The mean absolute error as a share of the truth; none if a truth is zero.
    pub mape: Option<f64>,
    /// The median absolute error.
    pub median_absolute_error: f64,
    /// The largest error.
    pub max_error: f64,
}

impl Regression {
    /// Compares predictions with the truth.
    pub fn of(truth: &[f64], predicted: &[f64]) -> Result<Self> {
        paired(truth.len(), predicted.len())?;
        finite(truth)?;
        finite(predicted)?;
        let n = truth.len() as f64;
        let mean = |values: &dyn Fn(usize) -> f64| (0..truth.len()).map(values).sum::<f64>() / n;
        let error = |i: usize| truth[i] - predicted[i];
        let mse = mean(&|i| error(i).powi(2));
        let (truth_mean, bias) = (mean(&|i| truth[i]), mean(&error));
        let variance = mean(&|i| (truth[i] - truth_mean).powi(2));
        let error_variance = mean(&|i| (error(i) - bias).powi(2));
        let explained = |left: f64| (variance > 0.0).then(|| 1.0 - left / variance);
        let mut sizes: Vec<f64> = (0..truth.len()).map(|i| error(i).abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let has_zero = truth.contains(&0.0);
        Ok(Self {
            mae: sizes.iter().sum::<f64>() / n,
            mse,
            rmse: mse.sqrt(),
            r2: explained(mse),
            explained_variance: explained(error_variance),
            mape: (!has_zero).then(|| mean(&|i| (error(i) / truth[i]).abs())),
            median_absolute_error: f64::midpoint(
                sizes[(sizes.len() - 1) / 2],
                sizes[sizes.len() / 2],
            ),
            max_error: sizes[sizes.len() - 1],
        })
    }

    /// The mean pinball loss of predictions of the quantile `level`.
    pub fn pinball(truth: &[f64], predicted: &[f64], level: f64) -> Result<f64> {
        paired(truth.len(), predicted.len())?;
        finite(truth)?;
        finite(predicted)?;
        crate::unusable::level("the level", level)?;
        let lost = |(y, q): (&f64, &f64)| f64::max(level * (y - q), (level - 1.0) * (y - q));
        Ok(truth.iter().zip(predicted).map(lost).sum::<f64>() / truth.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_truth_explains_nothing_and_a_zero_has_no_percentage() {
        let told = Regression::of(&[0.0, 0.0], &[1.0, -1.0]).unwrap();
        assert_eq!((told.r2, told.mape, told.mae), (None, None, 1.0));
        assert!(Regression::of(&[1.0], &[f64::NAN]).is_err());
    }
}
