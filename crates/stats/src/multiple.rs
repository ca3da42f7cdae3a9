//! Many tests at once: p-values adjusted so that the whole family keeps its promise.
//!
//! Bonferroni and Holm bound the probability of any false alarm; Benjamini-Hochberg and
//! Benjamini-Yekutieli bound the share of false ones among the alarms, the latter whatever the tests
//! have to do with each other.

use serde::{Deserialize, Serialize};

use crate::unusable::{Result, rate};

/// How p-values of a family are adjusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Not at all.
    None,
    /// Times their number.
    Bonferroni,
    /// Holm (1979), stepping down.
    Holm,
    /// Benjamini and Hochberg (1995), stepping up.
    #[default]
    BenjaminiHochberg,
    /// Benjamini and Yekutieli (2001).
    BenjaminiYekutieli,
}

/// The adjusted p-values, in the order of `p`: a test is rejected when its own is at most the level.
pub fn adjusted(p: &[f64], correction: Correction) -> Result<Vec<f64>> {
    for value in p {
        rate("a p-value", *value)?;
    }
    let count = p.len() as f64;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut out = p.to_vec();
    match correction {
        Correction::None => {}
        Correction::Bonferroni => out.iter_mut().for_each(|p| *p = (*p * count).min(1.0)),
        Correction::Holm => {
            let mut largest: f64 = 0.0;
            for (rank, index) in order.iter().enumerate() {
                largest = largest.max(p[*index] * (count - rank as f64));
                out[*index] = largest.min(1.0);
            }
        }
        Correction::BenjaminiHochberg => step_up(p, &order, 1.0, &mut out),
        Correction::BenjaminiYekutieli => {
            let harmonic = (1..=p.len()).map(|i| 1.0 / i as f64).sum();
            step_up(p, &order, harmonic, &mut out);
        }
    }
    Ok(out)
}

fn step_up(p: &[f64], order: &[usize], factor: f64, out: &mut [f64]) {
    let mut least: f64 = 1.0;
    for (rank, index) in order.iter().enumerate().rev() {
        least = least.min(p[*index] * factor * p.len() as f64 / (rank as f64 + 1.0));
        out[*index] = least;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_correction_makes_a_p_value_smaller_and_all_keep_the_order(
            p in proptest::collection::vec(0.0f64..=1.0, 0..40)
        ) {
            let told = |correction| adjusted(&p, correction).unwrap();
            let holm = told(Correction::Holm);
            let bonferroni = told(Correction::Bonferroni);
            let hochberg = told(Correction::BenjaminiHochberg);
            for i in 0..p.len() {
                prop_assert!(holm[i] <= bonferroni[i] && hochberg[i] <= holm[i] + 1e-12);
                prop_assert!(hochberg[i] >= p[i] - 1e-15 && bonferroni[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || hochberg[i] <= hochberg[j]);
                }
            }
        }
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert!(adjusted(&[f64::NAN], Correction::Holm).is_err());
        assert_eq!(adjusted(&[], Correction::Holm), Ok(vec![]));
    }
}
