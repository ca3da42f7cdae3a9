//! Whether what is positive was ranked above what is not.

use serde::Serialize;

use super::probabilities;
use crate::unusable::{Result, Unusable, enough, finite, paired};

/// The area under the ROC curve and how sure it is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Auc {
    /// The probability that a positive is scored above a negative; ties count half.
    pub auc: f64,
    /// The standard error of DeLong, DeLong and Clarke-Pearson (1988).
    pub standard_error: f64,
}

/// The area under the ROC curve, with DeLong's standard error. Needs two labels of each class.
pub fn auc(truth: &[bool], score: &[f64]) -> Result<Auc> {
    paired(truth.len(), score.len())?;
    finite(score)?;
    let of = |wanted: bool| -> Vec<f64> {
        let pairs = truth
            .iter()
            .zip(score)
            .filter(|(truth, _)| **truth == wanted);
        let mut scores: Vec<f64> = pairs.map(|(_, score)| *score).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let (positives, negatives) = (of(true), of(false));
    if positives.is_empty() || negatives.is_empty() {
        return Err(Unusable::OneClass);
    }
    let (auc, positive_variance) = placements(&positives, &negatives);
    let (_, negative_variance) = placements(&negatives, &positives);
    let standard_error = (positive_variance / positives.len() as f64
        + negative_variance / negatives.len() as f64)
        .sqrt();
    Ok(Auc {
        auc,
        standard_error,
    })
}

/// The mean share of `others` that lies below each value, and the variance of that share.
fn placements(values: &[f64], others: &[f64]) -> (f64, f64) {
    let place = |value: f64| {
        let below = others.partition_point(|other| *other < value);
        let up_to = others.partition_point(|other| *other <= value);
        f64::midpoint(below as f64, up_to as f64) / others.len() as f64
    };
    let places: Vec<f64> = values.iter().map(|value| place(*value)).collect();
    let n = places.len() as f64;
    let mean = places.iter().sum::<f64>() / n;
    let squares: f64 = places.iter().map(|p| (p - mean) * (p - mean)).sum();
    (mean, if n > 1.0 { squares / (n - 1.0) } else { 0.0 })
}

/// Labels in the order of their scores, the highest first, ties together: what curves are drawn from.
#[derive(Clone, PartialEq, Debug)]
pub struct Ranked {
    /// Up to and including each distinct score: how many positives and how many negatives.
    steps: Vec<(f64, f64)>,
}

impl Ranked {
    /// Ranks labels by score. Needs both classes.
    pub fn of(truth: &[bool], score: &[f64]) -> Result<Self> {
        paired(truth.len(), score.len())?;
        finite(score)?;
        enough(truth.len(), 2)?;
        let mut pairs: Vec<(f64, bool)> =
            score.iter().copied().zip(truth.iter().copied()).collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut positives, mut negatives) = (0.0, 0.0);
        let mut steps = Vec::new();
        for (i, (score, truth)) in pairs.iter().enumerate() {
            if *truth {
                positives += 1.0;
            } else {
                negatives += 1.0;
            }
            if pairs.get(i + 1).is_none_or(|next| next.0 != *score) {
                steps.push((positives, negatives));
            }
        }
        if positives == 0.0 || negatives == 0.0 {
            return Err(Unusable::OneClass);
        }
        Ok(Self { steps })
    }

    fn totals(&self) -> (f64, f64) {
        self.steps.last().copied().unwrap_or((1.0, 1.0))
    }

    /// The average precision: precision at each rank, weighted by the recall that it adds.
    pub fn average_precision(&self) -> f64 {
        let (positives, _) = self.totals();
        let mut before = 0.0;
        self.steps
            .iter()
            .map(|(tp, fp)| {
                let added = (tp - before) / positives;
                before = *tp;
                added * tp / (tp + fp)
            })
            .sum()
    }

    /// The largest distance between the true and the false positive rate.
    pub fn kolmogorov_smirnov(&self) -> f64 {
        let (positives, negatives) = self.totals();
        let gaps = self
            .steps
            .iter()
            .map(|(tp, fp)| tp / positives - fp / negatives);
        gaps.fold(0.0, f64::max)
    }
}

impl Ranked {
    /// The same from probabilities, which have to be that.
    pub fn by_probability(truth: &[bool], probability: &[f64]) -> Result<Self> {
        probabilities(truth, probability)?;
        Self::of(truth, probability)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_class_has_no_area() {
        assert_eq!(auc(&[true, true], &[0.1, 0.2]), Err(Unusable::OneClass));
        assert!(auc(&[true, false], &[0.1, f64::NAN]).is_err());
        assert_eq!(
            Ranked::of(&[false, false], &[0.1, 0.2]),
            Err(Unusable::OneClass)
        );
    }

    proptest! {
        #[test]
        fn the_area_of_turned_scores_is_what_is_left(
            pairs in proptest::collection::vec((any::<bool>(), -9i32..9), 4..60)
        ) {
            let truth: Vec<bool> = pairs.iter().map(|pair| pair.0).collect();
            let score: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1)).collect();
            let turned: Vec<f64> = score.iter().map(|s| -s).collect();
            if let (Ok(one), Ok(other)) = (auc(&truth, &score), auc(&truth, &turned)) {
                prop_assert!((one.auc + other.auc - 1.0).abs() < 1e-12);
                prop_assert!((one.standard_error - other.standard_error).abs() < 1e-12);
            }
        }
    }
}
