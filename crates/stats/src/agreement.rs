//! How far raters agree beyond chance: people among each other, or a judge with people.

mod krippendorff;

use serde::Serialize;

pub use krippendorff::{Scale, krippendorff_alpha};

use crate::proportion::{Interval, two_sided};
use crate::unusable::{Result, Unusable, paired};

/// How much a disagreement counts by how far apart the categories are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weights {
    /// Every disagreement is one.
    None,
    /// By the distance.
    Linear,
    /// By its square.
    Quadratic,
}

/// Two raters' categories, item by item, counted: rows the first rater's, columns the second's.
#[derive(Clone, PartialEq, Debug)]
pub struct Confusion {
    categories: usize,
    counts: Vec<u64>,
    items: u64,
}

impl Confusion {
    /// Counts ratings, each a category's number, of `categories` of them.
    pub fn of(first: &[usize], second: &[usize], categories: usize) -> Result<Self> {
        paired(first.len(), second.len())?;
        let mut counts = vec![0; categories * categories];
        for (a, b) in first.iter().zip(second) {
            if *a >= categories || *b >= categories {
                let must = "below the number of categories";
                return Err(Unusable::OutOfRange {
                    what: "a category",
                    must,
                });
            }
            counts[a * categories + b] += 1;
        }
        Ok(Self {
            categories,
            counts,
            items: first.len() as u64,
        })
    }

    /// How many items the first rater put into `row` and the second into `column`.
    pub fn count(&self, row: usize, column: usize) -> u64 {
        self.counts[row * self.categories + column]
    }

    fn share(&self, row: usize, column: usize) -> f64 {
        self.count(row, column) as f64 / self.items as f64
    }

    fn rows(&self) -> Vec<f64> {
        let all = 0..self.categories;
        all.clone()
            .map(|r| all.clone().map(|c| self.share(r, c)).sum())
            .collect()
    }

    fn columns(&self) -> Vec<f64> {
        let all = 0..self.categories;
        all.clone()
            .map(|c| all.clone().map(|r| self.share(r, c)).sum())
            .collect()
    }

    /// The share of items on which the two agree.
    pub fn observed(&self) -> f64 {
        (0..self.categories).map(|i| self.share(i, i)).sum()
    }

    /// Cohen's kappa (1960), weighted if asked. Raters who both know one category only agree by
    /// definition: [`Unusable::Constant`].
    pub fn kappa(&self, weights: Weights) -> Result<f64> {
        let (rows, columns) = (self.rows(), self.columns());
        let weight = |r: usize, c: usize| match (weights, r.abs_diff(c) as f64) {
            (Weights::None, apart) => f64::from(u8::from(apart > 0.0)),
            (Weights::Linear, apart) => apart,
            (Weights::Quadratic, apart) => apart * apart,
        };
        let (mut observed, mut expected) = (0.0, 0.0);
        for (r, row) in rows.iter().enumerate() {
            for (c, column) in columns.iter().enumerate() {
                observed += weight(r, c) * self.share(r, c);
                expected += weight(r, c) * row * column;
            }
        }
        if expected <= 0.0 {
            return Err(Unusable::Constant);
        }
        Ok(1.0 - observed / expected)
    }

    /// Unweighted kappa with its standard error (Fleiss, Cohen and Everitt 1969) and interval.
    pub fn kappa_interval(&self, confidence: f64) -> Result<Kappa> {
        let kappa = self.kappa(Weights::None)?;
        let (rows, columns) = (self.rows(), self.columns());
        let expected: f64 = rows.iter().zip(&columns).map(|(r, c)| r * c).sum();
        let (mut same, mut other) = (0.0, 0.0);
        for r in 0..self.categories {
            for c in 0..self.categories {
                let share = self.share(r, c);
                if r == c {
                    same += share * (1.0 - (rows[r] + columns[r]) * (1.0 - kappa)).powi(2);
                } else {
                    other += share * (columns[r] + rows[c]).powi(2);
                }
            }
        }
        let chance = (kappa - expected * (1.0 - kappa)).powi(2);
        let variance = (same + (1.0 - kappa).powi(2) * other - chance)
            / ((1.0 - expected).powi(2) * self.items as f64);
        let standard_error = variance.max(0.0).sqrt();
        let half = two_sided(confidence)? * standard_error;
        Ok(Kappa {
            kappa,
            standard_error,
            interval: Interval::around(kappa, half).within(-1.0, 1.0),
        })
    }

    /// Gwet's AC1 (2008), which stays meaningful where one category is rare.
    pub fn gwet_ac1(&self) -> Result<f64> {
        if self.categories < 2 {
            return Err(Unusable::Constant);
        }
        let (rows, columns) = (self.rows(), self.columns());
        let mean = rows
            .iter()
            .zip(&columns)
            .map(|(r, c)| f64::midpoint(*r, *c));
        let chance = mean.map(|share| share * (1.0 - share)).sum::<f64>();
        let chance = chance / (self.categories as f64 - 1.0);
        Ok((self.observed() - chance) / (1.0 - chance))
    }
}

/// Kappa and how sure it is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Kappa {
    /// Cohen's kappa.
    pub kappa: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Its interval.
    pub interval: Interval,
}

/// Fleiss' kappa (1971) of many raters: for each item, how many put it into each category. Every item
/// has the same number of ratings, at least two.
pub fn fleiss_kappa(items: &[Vec<u64>]) -> Result<f64> {
    let first = items.first().ok_or(Unusable::Empty)?;
    let raters: u64 = first.iter().sum();
    crate::unusable::enough(raters as usize, 2)?;
    let mut shares = vec![0.0; first.len()];
    let mut agreement = 0.0;
    for item in items {
        paired(item.len(), first.len())?;
        if item.iter().sum::<u64>() != raters {
            let must = "the same for every item";
            return Err(Unusable::OutOfRange {
                what: "the number of ratings",
                must,
            });
        }
        for (share, count) in shares.iter_mut().zip(item) {
            *share += *count as f64 / (raters as f64 * items.len() as f64);
        }
        let pairs: f64 = item
            .iter()
            .map(|count| *count as f64 * (*count as f64 - 1.0))
            .sum();
        agreement += pairs / (raters as f64 * (raters as f64 - 1.0) * items.len() as f64);
    }
    let chance: f64 = shares.iter().map(|share| share * share).sum();
    if chance >= 1.0 {
        return Err(Unusable::Constant);
    }
    Ok((agreement - chance) / (1.0 - chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raters_who_know_one_category_only_have_no_kappa() {
        let one = Confusion::of(&[0, 0], &[0, 0], 2).unwrap();
        assert_eq!(one.kappa(Weights::None), Err(Unusable::Constant));
        assert_eq!(one.gwet_ac1(), Ok(1.0));
        assert!(Confusion::of(&[2], &[0], 2).is_err());
        assert_eq!(
            fleiss_kappa(&[vec![3, 0], vec![3, 0]]),
            Err(Unusable::Constant)
        );
    }
}
