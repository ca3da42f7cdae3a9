//! One of several classes.

use super::binary::{BinaryConfusion, ratio};
use super::ranking::auc;
use crate::agreement::{Confusion, Weights};
use crate::unusable::{Result, Unusable, paired, rate};

/// Truth against prediction for each pair of classes.
#[derive(Clone, PartialEq, Debug)]
pub struct MulticlassConfusion {
    classes: usize,
    counts: Vec<u64>,
    pairs: Confusion,
}

impl MulticlassConfusion {
    /// Counts predictions of `classes` numbered classes.
    pub fn of(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self> {
        let pairs = Confusion::of(truth, predicted, classes)?;
        let cell = |i: usize| pairs.count(i / classes, i % classes);
        let counts = (0..classes * classes).map(cell).collect();
        Ok(Self {
            classes,
            counts,
            pairs,
        })
    }

    /// One class against all others.
    pub fn one_against_rest(&self, class: usize) -> BinaryConfusion {
        let sum = |keep: &dyn Fn(usize, usize) -> bool| -> u64 {
            let cells = self.counts.iter().enumerate();
            cells
                .filter(|(i, _)| keep(i / self.classes, i % self.classes))
                .map(|(_, count)| *count)
                .sum()
        };
        BinaryConfusion {
            true_negatives: sum(&|t, p| t != class && p != class),
            false_positives: sum(&|t, p| t != class && p == class),
            false_negatives: sum(&|t, p| t == class && p != class),
            true_positives: sum(&|t, p| t == class && p == class),
        }
    }

    /// The share that is right, which is also the micro-averaged precision, recall and F1.
    pub fn accuracy(&self) -> f64 {
        self.pairs.observed()
    }

    /// The mean of a figure over the classes that occur in truth or prediction; where the figure does not
    /// exist for a class, it counts as 0.
    pub fn macro_average(&self, figure: impl Fn(&BinaryConfusion) -> Option<f64>) -> f64 {
        let all = (0..self.classes).map(|class| self.one_against_rest(class));
        let occurring =
            all.filter(|one| one.true_positives + one.false_positives + one.false_negatives > 0);
        let figures: Vec<f64> = occurring.map(|one| figure(&one).unwrap_or(0.0)).collect();
        figures.iter().sum::<f64>() / figures.len() as f64
    }

    /// The mean of a figure, weighted by how often each class is the truth.
    pub fn weighted_average(&self, figure: impl Fn(&BinaryConfusion) -> Option<f64>) -> f64 {
        let all: u64 = self.counts.iter().sum();
        let part = |class| {
            let one = self.one_against_rest(class);
            let support = one.true_positives + one.false_negatives;
            figure(&one).unwrap_or(0.0) * support as f64 / all as f64
        };
        (0..self.classes).map(part).sum()
    }

    /// Matthews' correlation coefficient for several classes (Gorodkin 2004).
    pub fn matthews(&self) -> Option<f64> {
        let n = self.counts.iter().sum::<u64>() as f64;
        let at = |t: usize, p: usize| self.counts[t * self.classes + p] as f64;
        let all = 0..self.classes;
        let truths: Vec<f64> = all
            .clone()
            .map(|t| all.clone().map(|p| at(t, p)).sum())
            .collect();
        let said: Vec<f64> = all
            .clone()
            .map(|p| all.clone().map(|t| at(t, p)).sum())
            .collect();
        let right: f64 = all.map(|i| at(i, i)).sum();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let above = right * n - product(&truths, &said);
        let below =
            (n * n - product(&said, &said)).sqrt() * (n * n - product(&truths, &truths)).sqrt();
        ratio(above, below)
    }

    /// Cohen's kappa of prediction and truth.
    pub fn kappa(&self) -> Result<f64> {
        self.pairs.kappa(Weights::None)
    }
}

/// That there is a row of as many probabilities as classes for each label.
fn checked(truth: &[usize], probability: &[Vec<f64>]) -> Result<usize> {
    paired(truth.len(), probability.len())?;
    let classes = probability[0].len();
    for (class, row) in truth.iter().zip(probability) {
        paired(row.len(), classes)?;
        row.iter().try_for_each(|p| rate("a probability", *p))?;
        if *class >= classes {
            let (what, must) = ("a class", "below the number of probabilities");
            return Err(Unusable::OutOfRange { what, must });
        }
    }
    Ok(classes)
}

/// The mean of -ln of the probability that was given to the true class.
pub fn multiclass_log_loss(truth: &[usize], probability: &[Vec<f64>]) -> Result<f64> {
    checked(truth, probability)?;
    let least = f64::EPSILON;
    let lost = |(class, row): (&usize, &Vec<f64>)| -row[*class].clamp(least, 1.0 - least).ln();
    Ok(truth.iter().zip(probability).map(lost).sum::<f64>() / truth.len() as f64)
}

/// The mean area under the ROC curves of each class against all others.
pub fn one_against_rest_auc(truth: &[usize], probability: &[Vec<f64>]) -> Result<f64> {
    let classes = checked(truth, probability)?;
    let mut sum = 0.0;
    for class in 0..classes {
        let is_class: Vec<bool> = truth.iter().map(|t| *t == class).collect();
        let score: Vec<f64> = probability.iter().map(|row| row[class]).collect();
        sum += auc(&is_class, &score)?.auc;
    }
    Ok(sum / classes as f64)
}

/// How often the true class is among the `k` that were given most; of equal ones, the later class counts
/// as given more, as in scikit-learn.
pub fn top_k(truth: &[usize], probability: &[Vec<f64>], k: usize) -> Result<f64> {
    checked(truth, probability)?;
    let hits = truth.iter().zip(probability).filter(|(class, row)| {
        let own = row[**class];
        let above = row.iter().enumerate();
        let above = above.filter(|(i, p)| **p > own || (**p == own && i > *class));
        above.count() < k
    });
    Ok(hits.count() as f64 / truth.len() as f64)
}
