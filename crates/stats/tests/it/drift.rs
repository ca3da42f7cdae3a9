//! Drift statistics of every column against scipy, numpy and statsmodels.

use std::collections::BTreeMap;

use plimsoll_stats::drift::*;
use plimsoll_stats::multiple::{Correction, adjusted};
use serde_json::Value;

use crate::support::{close, file, json, numbers, within};

/// The cells of each column: of the reference, of the current window.
type Columns = BTreeMap<String, (Vec<String>, Vec<String>)>;

fn columns(data_set: &str) -> Columns {
    let bytes = file(&format!("{data_set}.csv"));
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader.headers().unwrap().clone();
    let mut columns = Columns::new();
    for row in reader.records() {
        let row = row.unwrap();
        for (name, cell) in header.iter().zip(&row).skip(1) {
            let (reference, current) = columns.entry(name.to_owned()).or_default();
            let side = if &row[0] == "reference" {
                reference
            } else {
                current
            };
            side.push(cell.to_owned());
        }
    }
    columns
}

fn sample(cells: &[String]) -> Sample {
    Sample::new(
        cells
            .iter()
            .map(|cell| cell.parse().unwrap_or(f64::NAN))
            .collect(),
    )
}

fn counts(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count.as_u64().unwrap())
        .collect()
}

#[test]
fn every_column_has_the_statistics_that_scipy_and_numpy_give() {
    let mut checked = 0;
    for (data_set, expected) in json("drift.json")["datasets"].as_object().unwrap() {
        let cells = columns(data_set);
        for (name, column) in expected["columns"].as_object().unwrap() {
            let (reference, current) = &cells[name];
            let what = format!("{data_set}/{name}");
            if column["kind"] == "numeric" {
                a_numeric_column(&what, &sample(reference), &sample(current), column);
            } else {
                a_categorical_column(&what, reference, current, column);
            }
            checked += 1;
        }
    }
    assert!(checked > 70, "{checked}");
}

fn a_numeric_column(what: &str, reference: &Sample, current: &Sample, expected: &Value) {
    let spec = &expected["spec"];
    assert_eq!(
        reference.missing(),
        expected["missing_ref"].as_u64().unwrap(),
        "{what}"
    );
    assert_eq!(
        current.missing(),
        expected["missing_cur"].as_u64().unwrap(),
        "{what}"
    );
    for (of, mean, deviation) in [
        (reference, "mean_ref", "std_ref_pop"),
        (current, "mean_cur", "std_cur_pop"),
    ] {
        close(what, of.mean().unwrap(), &spec[mean], 1e-9);
        close(what, of.deviation().unwrap(), &spec[deviation], 1e-9);
    }
    let cuts = Cuts::of(reference, 10).unwrap();
    let inner = numbers(&spec["inner_cuts"]);
    assert_eq!(cuts.inner().len(), inner.len(), "{what}");
    for (ours, theirs) in cuts.inner().iter().zip(inner) {
        close(what, *ours, &theirs.into(), 1e-12);
    }
    let (r, c) = (cuts.counts(reference), cuts.counts(current));
    assert_eq!(r, counts(&spec["ref_counts"]), "{what}");
    assert_eq!(c, counts(&spec["cur_counts"]), "{what}");
    let psi = |smoothing| psi(&r, &c, smoothing).unwrap();
    close(
        what,
        psi(Smoothing::Floor(1e-4)),
        &spec["psi_q10_eps1e-4"],
        1e-9,
    );
    close(
        what,
        psi(Smoothing::Jeffreys),
        &spec["psi_q10_jeffreys"],
        1e-9,
    );
    let unit = 1.0 / reference.len() as f64 + 1.0 / current.len() as f64;
    let freedom = (cuts.bins() - 1) as f64;
    close(what, unit * freedom, &spec["psi_null_mean_approx"], 1e-9);
    let q95 = plimsoll_stats::special::chi_square_quantile(0.95, freedom);
    close(what, unit * q95, &spec["psi_null_q95_approx"], 1e-9);
    let shares = Shares::of(&r, &c).unwrap();
    close(what, jensen_shannon(&shares), &spec["js_q10_base2"], 1e-9);
    close(what, hellinger(&shares), &spec["hellinger_q10"], 1e-9);
    let distance = wasserstein(reference, current).unwrap();
    close(what, distance, &spec["wasserstein"], 1e-9);
    let normed = distance / reference.deviation().unwrap().max(0.001);
    close(what, normed, &spec["wasserstein_norm_popstd"], 1e-9);
    a_kolmogorov_smirnov_test(what, reference, current, expected);
}

fn a_kolmogorov_smirnov_test(what: &str, reference: &Sample, current: &Sample, expected: &Value) {
    let scipy = &expected["scipy"];
    let auto = ks(reference, current, KsTail::Auto).unwrap();
    close(what, auto.statistic, &scipy["ks_stat"], 1e-9);
    within(what, auto.p, &scipy["ks_p_auto"], 1e-6);
    close(what, auto.p, &scipy["ks_p_auto"], 1e-6);
    let asymptotic = ks(reference, current, KsTail::Asymptotic).unwrap();
    within(what, asymptotic.p, &scipy["ks_p_asymp"], 1e-6);
    assert_eq!(
        auto.p < 0.05,
        scipy["ks_p_auto"].as_f64().unwrap() < 0.05,
        "{what}"
    );
    let outside = out_of_range(reference, current).unwrap();
    assert_eq!(
        outside.below,
        expected["out_of_range"]["below"].as_u64().unwrap(),
        "{what}"
    );
    assert_eq!(
        outside.above,
        expected["out_of_range"]["above"].as_u64().unwrap(),
        "{what}"
    );
}

fn a_categorical_column(what: &str, reference: &[String], current: &[String], expected: &Value) {
    let spec = &expected["spec"];
    let categories = spec["categories"].as_array().unwrap();
    let count = |cells: &[String], category: &Value| {
        let name = category
            .as_str()
            .map_or_else(|| category.to_string(), str::to_owned);
        let number: Option<f64> = name.parse().ok();
        let is_it =
            |cell: &&String| **cell == name || number.is_some_and(|n| cell.parse() == Ok(n));
        cells.iter().filter(is_it).count() as u64
    };
    let r: Vec<u64> = categories
        .iter()
        .map(|category| count(reference, category))
        .collect();
    let c: Vec<u64> = categories
        .iter()
        .map(|category| count(current, category))
        .collect();
    assert_eq!(r, counts(&spec["ref_counts"]), "{what}");
    assert_eq!(c, counts(&spec["cur_counts"]), "{what}");
    close(
        what,
        psi(&r, &c, Smoothing::Floor(1e-4)).unwrap(),
        &spec["psi_eps1e-4"],
        1e-9,
    );
    close(
        what,
        psi(&r, &c, Smoothing::Jeffreys).unwrap(),
        &spec["psi_jeffreys"],
        1e-9,
    );
    let shares = Shares::of(&r, &c).unwrap();
    close(what, jensen_shannon(&shares), &spec["js_base2"], 1e-9);
    close(what, hellinger(&shares), &spec["hellinger"], 1e-9);
    close(what, l_infinity(&shares), &spec["l_infinity"], 1e-9);
    close(what, total_variation(&shares), &spec["tvd"], 1e-9);
    a_test_of_homogeneity(what, &r, &c, spec);
}

fn a_test_of_homogeneity(what: &str, r: &[u64], c: &[u64], spec: &Value) {
    for (ours, theirs) in [
        (
            chi_square_homogeneity(r, c).unwrap(),
            &spec["chi2_contingency_nocorr"],
        ),
        (g_homogeneity(r, c).unwrap(), &spec["g_contingency"]),
    ] {
        if theirs["stat"].is_number() {
            // statsmodels' G has the continuity correction for two categories, ours never.
            if ours.freedom > 1 || theirs["min_expected"].is_number() {
                close(what, ours.statistic, &theirs["stat"], 1e-9);
                within(what, ours.p, &theirs["p"], 1e-8);
                close(what, ours.p, &theirs["p"], 1e-8);
            }
            assert_eq!(
                ours.freedom as u64,
                theirs["dof"].as_u64().unwrap(),
                "{what}"
            );
        }
    }
    if spec["cramers_v"].is_number() {
        let v = chi_square_homogeneity(r, c).unwrap().cramers_v;
        close(what, v, &spec["cramers_v"], 1e-9);
    }
    if spec["fisher_exact_p"].is_number() && r.len() == 2 {
        use plimsoll_stats::comparison::{Side, Tally, fisher_exact};
        let tally = |counts: &[u64]| Tally {
            hits: counts[0],
            trials: counts.iter().sum(),
        };
        let p = fisher_exact(tally(r), tally(c), Side::Both).unwrap();
        within(what, p, &spec["fisher_exact_p"], 1e-8);
    }
}

#[test]
fn the_families_of_columns_are_adjusted_as_statsmodels_does() {
    for (data_set, expected) in json("drift.json")["datasets"].as_object().unwrap() {
        let family = &expected["multiple_testing"];
        let p = numbers(&family["p"]);
        for (name, correction) in [
            ("bonferroni", Correction::Bonferroni),
            ("holm", Correction::Holm),
            ("fdr_bh", Correction::BenjaminiHochberg),
            ("fdr_by", Correction::BenjaminiYekutieli),
        ] {
            let ours = adjusted(&p, correction).unwrap();
            for (ours, theirs) in ours.iter().zip(family[name]["p_adj"].as_array().unwrap()) {
                close(&format!("{data_set} {name}"), *ours, theirs, 1e-9);
            }
        }
    }
}
