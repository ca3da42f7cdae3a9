//! NannyML's car-loan data: 100,000 rows whose features change at current row 25,000. Drift per chunk,
//! estimated and realised figures, and how soon the change is found.

use plimsoll_stats::change::{ShiryaevRoberts, Signal};
use plimsoll_stats::drift::*;
use plimsoll_stats::estimate::{ConfidenceBased, Isotonic, expected_error};
use plimsoll_stats::metrics::{BinaryConfusion, Ranked, auc};

use crate::support::{close, file, json, numbers};

const REFERENCE: usize = 50_000;
const CHUNK: usize = 5_000;
/// Where the features change.
const CHANGE: usize = REFERENCE + 25_000;

#[derive(Default)]
struct CarLoan {
    score: Vec<f64>,
    predicted: Vec<bool>,
    truth: Vec<bool>,
    had_a_loan: Vec<u64>,
    salary: Vec<u64>,
    downpayment: Vec<u64>,
    length: Vec<f64>,
    value: Vec<f64>,
}

fn car_loan() -> CarLoan {
    let mut data = CarLoan::default();
    for row in file("car_loan.bin").chunks(8) {
        data.score.push(f64::from(row[0]) / 100.0);
        data.predicted.push(row[1] & 1 != 0);
        data.truth.push(row[1] & 2 != 0);
        data.had_a_loan.push(u64::from(row[1] >> 2));
        data.salary.push(u64::from(row[2] >> 4));
        data.downpayment.push(u64::from(row[2] & 15));
        data.length.push(f64::from(row[3]));
        data.value
            .push(f64::from(u32::from_le_bytes(row[4..8].try_into().unwrap())));
    }
    assert_eq!(data.score.len(), 100_000);
    data
}

fn fitted(data: &CarLoan) -> ConfidenceBased {
    let reference = ..REFERENCE;
    ConfidenceBased::fit(
        &data.score[reference],
        &data.predicted[reference],
        &data.truth[reference],
    )
    .unwrap()
}

fn counted(values: &[u64], categories: u64) -> Vec<u64> {
    (0..categories)
        .map(|c| values.iter().filter(|v| **v == c).count() as u64)
        .collect()
}

#[test]
fn categories_of_every_chunk_are_as_far_away_as_nannyml_says() {
    let data = car_loan();
    for (i, expected) in json("nannyml.json")["univariate"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let rows = i * CHUNK..(i + 1) * CHUNK;
        for (name, column, categories) in [
            ("salary_range", &data.salary, 4),
            ("size_of_downpayment", &data.downpayment, 5),
            ("repaid_loan_on_prev_car", &data.had_a_loan, 2),
        ] {
            let reference = counted(&column[..REFERENCE], categories);
            let current = counted(&column[rows.clone()], categories);
            let shares = Shares::of(&reference, &current).unwrap();
            let what = format!("chunk {i}, {name}");
            let theirs = |method: &str| &expected[format!("{name}|{method}|value")];
            close(
                &what,
                jensen_shannon(&shares),
                theirs("jensen_shannon"),
                1e-9,
            );
            close(&what, hellinger(&shares), theirs("hellinger"), 1e-9);
            close(&what, l_infinity(&shares), theirs("l_infinity"), 1e-9);
            if categories > 2 {
                // With two categories, theirs has the continuity correction.
                let told = chi_square_homogeneity(&reference, &current).unwrap();
                close(&what, told.statistic, theirs("chi2"), 1e-9);
            }
        }
    }
}

#[test]
fn numbers_of_every_chunk_are_as_far_away_as_nannyml_says() {
    let data = car_loan();
    let expected = json("nannyml.json");
    for (name, column) in [
        ("car_value", &data.value),
        ("loan_length", &data.length),
        ("y_pred_proba", &data.score),
    ] {
        let reference = Sample::new(column[..REFERENCE].to_vec());
        for (i, chunk) in column.chunks(CHUNK).enumerate() {
            let (ks, distance) =
                ks_and_wasserstein(&reference, &Sample::new(chunk.to_vec())).unwrap();
            let theirs = |method: &str| {
                let key = format!("{name}|{method}|value");
                expected["univariate"][i][&key].as_f64().unwrap()
            };
            // Above 10,000 rows, theirs counts into 10,000 bins; ours is exact.
            let what = format!("chunk {i}, {name}");
            let apart = (ks.statistic - theirs("kolmogorov_smirnov")).abs();
            assert!(apart < 5e-4, "{what}: {apart}");
            let spread = reference.deviation().unwrap();
            let apart = (distance - theirs("wasserstein")).abs() / spread;
            assert!(apart < 2e-3, "{what}: {apart}");
        }
    }
}

#[test]
fn the_calibration_has_the_knots_of_scikit_learn() {
    let (data, expected) = (car_loan(), json("nannyml.json"));
    let ours = Isotonic::fit(&data.score[..REFERENCE], &data.truth[..REFERENCE]).unwrap();
    let (scores, probabilities) = ours.knots();
    let theirs = &expected["isotonic_thresholds"];
    assert_eq!(scores, numbers(&theirs["x"]));
    for (ours, theirs) in probabilities.iter().zip(numbers(&theirs["y"])) {
        close("knot", *ours, &theirs.into(), 1e-9);
    }
    assert_eq!(
        expected["cbpe_needs_calibration"],
        fitted(&data).calibration().is_some()
    );
}

#[test]
fn estimated_and_realised_figures_of_every_chunk_are_those_of_nannyml() {
    let (data, expected) = (car_loan(), json("nannyml.json"));
    let estimator = fitted(&data);
    for i in 0..20 {
        let rows = i * CHUNK..(i + 1) * CHUNK;
        let (score, predicted) = (&data.score[rows.clone()], &data.predicted[rows.clone()]);
        let ours = estimator.estimate(score, predicted).unwrap();
        let theirs = |figure: &str| &expected["cbpe"][i][format!("{figure}|value")];
        let what = format!("estimated, chunk {i}");
        close(&what, ours.accuracy, theirs("accuracy"), 1e-9);
        close(&what, ours.precision.unwrap(), theirs("precision"), 1e-9);
        close(&what, ours.recall.unwrap(), theirs("recall"), 1e-9);
        close(
            &what,
            ours.specificity.unwrap(),
            theirs("specificity"),
            1e-9,
        );
        close(&what, ours.f1.unwrap(), theirs("f1"), 1e-9);
        // Theirs rounds the running counts to five places.
        close(&what, ours.roc_auc.unwrap(), theirs("roc_auc"), 1e-7);
        let error = &expected["cbpe"][i]["accuracy|sampling_error"];
        close(&what, ours.accuracy_sampling_error, error, 1e-9);
        let truth = &data.truth[rows];
        let counts = BinaryConfusion::of(truth, predicted).unwrap();
        let theirs = |figure: &str| &expected["realized"][i][format!("{figure}|value")];
        let what = format!("realised, chunk {i}");
        close(&what, counts.accuracy().unwrap(), theirs("accuracy"), 1e-9);
        close(
            &what,
            counts.precision().unwrap(),
            theirs("precision"),
            1e-9,
        );
        close(&what, counts.recall().unwrap(), theirs("recall"), 1e-9);
        close(
            &what,
            counts.specificity().unwrap(),
            theirs("specificity"),
            1e-9,
        );
        close(&what, counts.f1().unwrap(), theirs("f1"), 1e-9);
        close(
            &what,
            auc(truth, score).unwrap().auc,
            theirs("roc_auc"),
            1e-9,
        );
        let precision = Ranked::of(truth, score).unwrap().average_precision();
        close(&what, precision, theirs("average_precision"), 1e-9);
    }
}

/// The rows at which the detector alarms, counted from the change, of those that come after the reference.
fn alarms(badness: impl Fn(usize) -> f64) -> Vec<i64> {
    let usual = (0..REFERENCE).map(&badness).sum::<f64>() / REFERENCE as f64;
    let mut detector = ShiryaevRoberts::new(usual * 1.1, 10_000.0).unwrap();
    let rows = REFERENCE..2 * REFERENCE;
    let found = rows.filter(|row| detector.update(badness(*row)) == Signal::Change);
    found.map(|row| row as i64 + 1 - CHANGE as i64).collect()
}

#[test]
fn the_change_is_found_within_250_rows_without_labels() {
    let data = car_loan();
    let estimator = fitted(&data);
    let found = alarms(|row| {
        let probability = estimator.probability(data.score[row]).unwrap();
        expected_error(probability, data.predicted[row])
    });
    assert!((1..=250).contains(&found[0]), "{found:?}");
}

#[test]
fn the_change_is_found_within_900_rows_with_labels() {
    let data = car_loan();
    let found = alarms(|row| f64::from(u8::from(data.predicted[row] != data.truth[row])));
    assert!((1..=900).contains(&found[0]), "{found:?}");
}
