//! Figures of predictors: what was said held against what is true.
//!
//! Shares of counted rows have Wilson's bounds, the area under the curve `DeLong`'s, means of losses those
//! of a mean; for what is none of these (F1, calibration error, R²) the standard error is that of a
//! delete-a-group jackknife (Shao and Tu 1995), in which a case's repetitions and its group stay together.

use std::collections::BTreeMap;

use plimsoll_core::system::Bound;
use plimsoll_stats::metrics::{
    BinaryConfusion, MulticlassConfusion, Regression, auc, brier, expected_calibration_error,
    log_loss,
};
use plimsoll_stats::verdict::{
    ALPHA, Verdict, estimate_against_target, mean_against_target, rate_against_target,
};

use crate::figure::{Figure, target_of};
use crate::scorer::Scored;

/// The most groups that the jackknife leaves out, one at a time.
const GROUPS_MAX: usize = 200;
/// The bins of the calibration error.
const BINS: usize = 10;
/// The most classes.
const CLASSES_MAX: usize = 200;

/// One answer of a predictor.
#[derive(Clone, Copy, Debug)]
pub struct Row<'s> {
    /// Which rows are not independent of it.
    pub cluster: usize,
    /// What the scorer said.
    pub scored: &'s Scored,
}

/// The metrics of a scorer that predicts, over rows: those that predict nothing are counted beside.
pub fn figures(
    rows: &[Row<'_>],
    metrics: &[String],
    targets: &BTreeMap<String, Bound>,
) -> Vec<Figure> {
    let count = |is: fn(&Scored) -> bool| rows.iter().filter(|row| is(row.scored)).count() as u64;
    let unscored = count(|scored| matches!(scored, Scored::Unscored { .. }));
    let unanswered = count(|scored| matches!(scored, Scored::Unanswered));
    let usable: Vec<Row<'_>> = rows
        .iter()
        .filter(|row| !matches!(row.scored, Scored::Unscored { .. } | Scored::Unanswered))
        .copied()
        .collect();
    let figure = |metric: &String| {
        let target = targets.get(metric).copied();
        let mut figure = match one(metric, &usable, target) {
            Ok(figure) => figure,
            Err(why) => Figure::without(metric, target, why),
        };
        figure.unscored = unscored;
        figure.interval = figure.interval.map(|interval| match metric.as_str() {
            "log_loss" | "mae" | "rmse" => interval.within(0.0, f64::MAX),
            "r2" => interval.within(f64::MIN, 1.0),
            _ => interval.within(0.0, 1.0),
        });
        let mut notes: Vec<String> = figure.note.take().into_iter().collect();
        if unanswered > 0 {
            notes.push(format!(
                "{unanswered} were not answered and are not counted"
            ));
        }
        if unscored > 0 {
            notes.push(format!(
                "{unscored} could not be scored, which could change it"
            ));
            figure.verdict = figure
                .verdict
                .map(|_| Verdict::Inconclusive { needs: None });
        }
        figure.note = (!notes.is_empty()).then(|| notes.join("; "));
        figure
    };
    metrics.iter().map(figure).collect()
}

fn one(metric: &str, rows: &[Row<'_>], target: Option<Bound>) -> Result<Figure, String> {
    if rows.is_empty() {
        return Err("nothing was answered".to_owned());
    }
    let is_independent = {
        let mut clusters: Vec<usize> = rows.iter().map(|row| row.cluster).collect();
        clusters.sort_unstable();
        clusters.windows(2).all(|pair| pair[0] != pair[1])
    };
    let bar = target.map(target_of);
    let said = |error: plimsoll_stats::Unusable| error.to_string();
    let n = rows.len() as u64;
    if let Some(losses) = losses(metric, rows) {
        let cluster: Vec<usize> = rows.iter().map(|row| row.cluster).collect();
        let held = mean_against_target(&losses, &cluster, false, bar, ALPHA).map_err(said)?;
        return Ok(Figure::held(metric, held, n, target));
    }
    if is_independent && let Some((hits, trials)) = share(metric, rows) {
        if trials == 0 {
            return Err(nothing_to_divide(metric));
        }
        let held = rate_against_target(hits, trials, bar, ALPHA).map_err(said)?;
        return Ok(Figure::held(metric, held, n, target));
    }
    let (value, error) = if metric == "auc" && is_independent {
        let (truth, probability) = probabilities(rows);
        let auc = auc(&truth, &probability).map_err(said)?;
        (auc.auc, auc.standard_error)
    } else {
        jackknife(metric, rows)?
    };
    let held = estimate_against_target(value, error, n, bar, ALPHA).map_err(said)?;
    Ok(Figure::held(metric, held, n, target))
}

fn nothing_to_divide(metric: &str) -> String {
    match metric {
        "precision" => "nothing was called positive".to_owned(),
        "recall" => "nothing is positive".to_owned(),
        _ => "it cannot be told from these rows".to_owned(),
    }
}

/// What each row adds to a metric that is a mean.
fn losses(metric: &str, rows: &[Row<'_>]) -> Option<Vec<f64>> {
    let loss = |row: &Row<'_>| match (metric, row.scored) {
        ("mae", Scored::Number { truth, predicted }) => Some((truth - predicted).abs()),
        (
            "brier",
            Scored::Class {
                truth, probability, ..
            },
        ) => brier(&[*truth], &[(*probability)?]).ok(),
        (
            "log_loss",
            Scored::Class {
                truth, probability, ..
            },
        ) => log_loss(&[*truth], &[(*probability)?]).ok(),
        _ => None,
    };
    rows.iter().map(loss).collect()
}

/// A metric that is a share of counted rows: how many, of how many.
fn share(metric: &str, rows: &[Row<'_>]) -> Option<(u64, u64)> {
    if metric == "accuracy" {
        let right = rows.iter().filter(|row| match row.scored {
            Scored::Class {
                truth, predicted, ..
            } => truth == predicted,
            Scored::Label { truth, predicted } => truth == predicted,
            _ => false,
        });
        return Some((right.count() as u64, rows.len() as u64));
    }
    let counts = confusion(rows)?;
    match metric {
        "precision" => Some((
            counts.true_positives,
            counts.true_positives + counts.false_positives,
        )),
        "recall" => Some((
            counts.true_positives,
            counts.true_positives + counts.false_negatives,
        )),
        _ => None,
    }
}

/// The four counts; none if the classes are several.
fn confusion(rows: &[Row<'_>]) -> Option<BinaryConfusion> {
    let mut counts = BinaryConfusion::default();
    for row in rows {
        match row.scored {
            Scored::Class {
                truth, predicted, ..
            } => counts.add(*truth, *predicted),
            _ => return None,
        }
    }
    Some(counts)
}

fn probabilities(rows: &[Row<'_>]) -> (Vec<bool>, Vec<f64>) {
    let of = |row: &Row<'_>| match row.scored {
        Scored::Class {
            truth,
            probability: Some(p),
            ..
        } => Some((*truth, *p)),
        _ => None,
    };
    rows.iter().filter_map(of).unzip()
}

fn numbers(rows: &[Row<'_>]) -> (Vec<f64>, Vec<f64>) {
    let of = |row: &Row<'_>| match row.scored {
        Scored::Number { truth, predicted } => Some((*truth, *predicted)),
        _ => None,
    };
    rows.iter().filter_map(of).unzip()
}

/// Any metric over any rows; none where it cannot be told.
fn value(metric: &str, rows: &[Row<'_>]) -> Option<f64> {
    match metric {
        "rmse" | "r2" => {
            let (truth, predicted) = numbers(rows);
            let all = Regression::of(&truth, &predicted).ok()?;
            if metric == "rmse" {
                Some(all.rmse)
            } else {
                all.r2
            }
        }
        "auc" | "ece" => {
            let (truth, probability) = probabilities(rows);
            if metric == "auc" {
                return auc(&truth, &probability).ok().map(|auc| auc.auc);
            }
            expected_calibration_error(&truth, &probability, BINS).ok()
        }
        _ => match confusion(rows) {
            Some(counts) => match metric {
                "accuracy" => counts.accuracy(),
                "precision" => counts.precision(),
                "recall" => counts.recall(),
                "f1" => counts.f1(),
                _ => None,
            },
            None => several(metric, rows),
        },
    }
}

/// Metrics of several classes, each class counting the same (macro).
fn several(metric: &str, rows: &[Row<'_>]) -> Option<f64> {
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut truth, mut predicted) = (Vec::new(), Vec::new());
    for row in rows {
        let Scored::Label {
            truth: is,
            predicted: said,
        } = row.scored
        else {
            return None;
        };
        for (name, list) in [(is, &mut truth), (said, &mut predicted)] {
            let next = classes.len();
            list.push(*classes.entry(name).or_insert(next));
        }
    }
    if classes.len() > CLASSES_MAX {
        return None;
    }
    let counts = MulticlassConfusion::of(&truth, &predicted, classes.len()).ok()?;
    match metric {
        "accuracy" => Some(counts.accuracy()),
        "precision" => Some(counts.macro_average(BinaryConfusion::precision)),
        "recall" => Some(counts.macro_average(BinaryConfusion::recall)),
        "f1" => Some(counts.macro_average(BinaryConfusion::f1)),
        _ => None,
    }
}

/// The value, and its standard error from leaving out one group of clusters at a time.
fn jackknife(metric: &str, rows: &[Row<'_>]) -> Result<(f64, f64), String> {
    let all = value(metric, rows).ok_or_else(|| nothing_to_divide(metric))?;
    let clusters = rows
        .iter()
        .map(|row| row.cluster)
        .collect::<std::collections::BTreeSet<_>>();
    let groups = clusters.len().min(GROUPS_MAX);
    if groups < 2 {
        return Err("one case alone tells nothing of how sure it is".to_owned());
    }
    let places: BTreeMap<usize, usize> =
        clusters.iter().enumerate().map(|(i, c)| (*c, i)).collect();
    let without = |group: usize| {
        let rest = rows
            .iter()
            .filter(|row| places[&row.cluster] % groups != group);
        value(metric, &rest.copied().collect::<Vec<_>>())
    };
    let left: Option<Vec<f64>> = (0..groups).map(without).collect();
    let left = left.ok_or("it hangs on so few rows that nothing tells how sure it is")?;
    let n = groups as f64;
    let mean = left.iter().sum::<f64>() / n;
    let squares: f64 = left.iter().map(|value| (value - mean).powi(2)).sum();
    Ok((all, ((n - 1.0) / n * squares).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(rows: &[(bool, bool, f64)]) -> Vec<Scored> {
        let of = |(truth, predicted, p): &(bool, bool, f64)| Scored::Class {
            truth: *truth,
            predicted: *predicted,
            probability: Some(*p),
        };
        rows.iter().map(of).collect()
    }

    fn of(scored: &[Scored], metric: &str) -> Figure {
        let rows: Vec<Row<'_>> = scored
            .iter()
            .enumerate()
            .map(|(cluster, scored)| Row { cluster, scored })
            .collect();
        figures(&rows, &[metric.to_owned()], &BTreeMap::new()).remove(0)
    }

    #[test]
    fn metrics_are_those_of_the_statistics() {
        let rows = classes(&[
            (true, true, 0.9),
            (true, false, 0.4),
            (false, false, 0.2),
            (false, true, 0.6),
            (true, true, 0.8),
            (false, false, 0.1),
        ]);
        let near = |metric: &str, wanted: f64| {
            let value = of(&rows, metric).value.unwrap();
            assert!((value - wanted).abs() < 1e-12, "{metric}: {value}");
        };
        near("accuracy", 4.0 / 6.0);
        near("precision", 2.0 / 3.0);
        near("recall", 2.0 / 3.0);
        near("f1", 2.0 / 3.0);
        near("auc", 8.0 / 9.0);
        near("brier", (0.01 + 0.36 + 0.04 + 0.36 + 0.04 + 0.01) / 6.0);
        assert!(of(&rows, "ece").interval.is_some());
        assert!(of(&rows, "log_loss").value.unwrap().is_finite());
    }

    #[test]
    fn what_cannot_be_told_has_a_reason_and_no_nan() {
        let one_class = classes(&[(true, true, 0.9), (true, true, 0.8)]);
        let auc = of(&one_class, "auc");
        assert_eq!(auc.value, None);
        assert!(auc.note.unwrap().contains("one class"));
        let quiet = classes(&[(true, false, 0.1), (false, false, 0.2)]);
        assert_eq!(
            of(&quiet, "precision").note.as_deref(),
            Some("nothing was called positive")
        );
        let some = [
            Scored::Number {
                truth: 1.0,
                predicted: 2.0,
            },
            Scored::Number {
                truth: 1.0,
                predicted: 0.0,
            },
            Scored::Unscored { reason: "x".into() },
            Scored::Unanswered,
        ];
        assert_eq!(of(&some, "r2").value, None);
        let mae = of(&some, "mae");
        assert_eq!((mae.value, mae.unscored, mae.cases), (Some(1.0), 1, 2));
        assert!(mae.note.unwrap().contains("1 were not answered"));
        assert_eq!(of(&[], "mae").note.as_deref(), Some("nothing was answered"));
    }

    #[test]
    fn several_classes_count_the_same() {
        let label = |truth: &str, predicted: &str| Scored::Label {
            truth: truth.to_owned(),
            predicted: predicted.to_owned(),
        };
        let rows = [
            label("a", "a"),
            label("a", "a"),
            label("b", "a"),
            label("c", "c"),
        ];
        assert_eq!(of(&rows, "accuracy").value, Some(0.75));
        let recall = of(&rows, "recall").value.unwrap();
        assert!((recall - 2.0 / 3.0).abs() < 1e-12, "{recall}");
    }
}
