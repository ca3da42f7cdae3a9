//! What a model's confidence is worth: how often it was right on a reference of which the truth is known.
//!
//! Confidence-based performance estimation (NannyML's CBPE) of the share that is right, for predictions of any number
//! of classes: the confidence is that in the answer that was given. It is calibrated by isotonic regression where that
//! brings it closer to what happened, and then says of each answer how likely it is right, without a label.

use serde::{Deserialize, Serialize};

use super::ConfidenceBased;
use crate::unusable::{Result, enough, paired};

/// Fewer rows say nothing of how often a model is right.
const ROWS_MIN: usize = 100;
/// Confidences are taken to so many steps, which bounds the knots of the calibration.
const STEPS: f64 = 1_000.0;

/// How often the model was right on the reference.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Usual {
    /// Rows of which the truth was known.
    pub rows: u64,
    /// Of these, answered wrongly.
    pub wrong: u64,
    /// The share that the confidence said would be wrong, as it is corrected. None in references that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
}

/// What is known of a model's confidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Confidence {
    usual: Usual,
    based: ConfidenceBased,
}

impl Confidence {
    /// Learns from how sure the model was, from 0 to 1, and whether it was right.
    pub fn fit(confidences: &[f64], right: &[bool]) -> Result<Self> {
        paired(confidences.len(), right.len())?;
        enough(confidences.len(), ROWS_MIN)?;
        let stepped: Vec<f64> = confidences.iter().map(|c| step(*c)).collect();
        let said_right = vec![true; right.len()];
        let based = ConfidenceBased::fit(&stepped, &said_right, right)?;
        let likely = confidences.iter().filter_map(|c| based.probability(*c));
        let likely: f64 = likely.sum();
        let usual = Usual {
            rows: right.len() as u64,
            wrong: right.iter().filter(|right| !**right).count() as u64,
            expected: Some(decimals(1.0 - likely / confidences.len() as f64)),
        };
        Ok(Self { usual, based })
    }

    /// How likely an answer of this confidence is right; none for NaN.
    pub fn right(&self, confidence: f64) -> Option<f64> {
        self.based.probability(confidence)
    }

    /// How often the model was right on the reference.
    pub const fn usual(&self) -> Usual {
        self.usual
    }

    /// Whether confidences needed to be corrected.
    pub const fn is_corrected(&self) -> bool {
        self.based.calibration().is_some()
    }
}

impl Usual {
    /// The share that was wrong.
    pub fn error(&self) -> f64 {
        self.wrong as f64 / self.rows.max(1) as f64
    }

    /// By how much the share that is wrong of so many answers varies by chance, and by what these rows leave in doubt: one
    /// sampling error. As on one row more that was half wrong, so that rows that were all right are not beyond doubt.
    pub fn sampling_error(&self, answers: u64) -> f64 {
        let rows = self.rows as f64;
        let error = (self.wrong as f64 + 0.5) / (rows + 1.0);
        let chance = 1.0 / answers.max(1) as f64 + 1.0 / rows.max(1.0);
        (error * (1.0 - error) * chance).sqrt()
    }
}

/// To six decimals, so that it reads back from JSON as it was written.
fn decimals(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

fn step(confidence: f64) -> f64 {
    (confidence * STEPS).round() / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that says 0.9 where it is right in 7 of 10, and 0.6 where it is right in half.
    fn boastful() -> Confidence {
        let rows = (0..2_000_u32).map(|i| {
            let chance = f64::from(i * 7_919 % 1_009) / 1_009.0;
            if i % 2 == 0 {
                (0.9, chance < 0.7)
            } else {
                (0.6, chance < 0.5)
            }
        });
        let (confidences, right): (Vec<f64>, Vec<bool>) = rows.unzip();
        Confidence::fit(&confidences, &right).unwrap()
    }

    #[test]
    fn what_a_boastful_model_says_is_corrected_to_how_often_it_is_right() {
        let confidence = boastful();
        assert!(confidence.is_corrected());
        assert!((confidence.right(0.9).unwrap() - 0.7).abs() < 0.02);
        assert!((confidence.right(0.6).unwrap() - 0.5).abs() < 0.02);
        assert_eq!(confidence.right(f64::NAN), None);
        assert!((confidence.usual().error() - 0.4).abs() < 0.02);
        assert!((confidence.usual().expected.unwrap() - 0.4).abs() < 0.02);
        let usual = Usual {
            rows: 1_000,
            wrong: 400,
            expected: None,
        };
        let error: f64 = 400.5 / 1_001.0;
        let chance = 1.0 / 600.0 + 1.0 / 1_000.0;
        let expected = (error * (1.0 - error) * chance).sqrt();
        assert!((usual.sampling_error(600) - expected).abs() < 1e-12);
        let never_wrong = Usual {
            rows: 1_000,
            wrong: 0,
            expected: None,
        };
        assert!(never_wrong.sampling_error(600) > 0.0);
    }

    #[test]
    fn a_reference_of_an_earlier_version_does_not_say_what_was_expected() {
        let usual: Usual = serde_json::from_str(r#"{"rows":1000,"wrong":400}"#).unwrap();
        assert_eq!((usual.rows, usual.expected), (1_000, None));
    }

    #[test]
    fn it_is_small_and_reads_back_and_too_little_is_refused() {
        let text = serde_json::to_string(&boastful()).unwrap();
        assert!(text.len() < 1_024, "{}", text.len());
        assert_eq!(
            serde_json::from_str::<Confidence>(&text).unwrap(),
            boastful()
        );
        assert!(Confidence::fit(&[0.5; 99], &[true; 99]).is_err());
        assert!(Confidence::fit(&[0.5; 100], &[true; 99]).is_err());
        assert!(Confidence::fit(&[1.5; 100], &[true; 100]).is_err());
        assert!(Confidence::fit(&[f64::NAN; 100], &[true; 100]).is_err());
    }
}
