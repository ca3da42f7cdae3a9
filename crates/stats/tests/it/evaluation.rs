//! Intervals, tests, agreement and metrics against scipy, statsmodels and scikit-learn.

use plimsoll_stats::agreement::*;
use plimsoll_stats::comparison::*;
use plimsoll_stats::judged::{JudgeRecord, prediction_powered_mean, rogan_gladen};
use plimsoll_stats::metrics::*;
use plimsoll_stats::multiple::{Correction, adjusted};
use plimsoll_stats::proportion::{self, Interval};
use serde_json::Value;

use crate::support::{close, json, numbers, within};

fn interval(what: &str, ours: Interval, theirs: &Value, tolerance: f64) {
    close(what, ours.low, &theirs[0], tolerance);
    close(what, ours.high, &theirs[1], tolerance);
}

fn labels(value: &Value) -> Vec<bool> {
    numbers(value)
        .into_iter()
        .map(|label| label == 1.0)
        .collect()
}

fn classes(value: &Value) -> Vec<usize> {
    numbers(value)
        .into_iter()
        .map(|class| class as usize)
        .collect()
}

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap()
}

#[test]
fn intervals_of_one_rate_are_those_of_statsmodels() {
    for row in json("stats.json")["proportion_ci_95"].as_array().unwrap() {
        let (k, n) = (count(row, "k"), count(row, "n"));
        let what = format!("{k} of {n}");
        interval(
            &what,
            proportion::wilson(k, n, 0.95).unwrap(),
            &row["wilson"],
            1e-9,
        );
        interval(
            &what,
            proportion::clopper_pearson(k, n, 0.95).unwrap(),
            &row["beta"],
            1e-9,
        );
        interval(
            &what,
            proportion::jeffreys(k, n, 0.95).unwrap(),
            &row["jeffreys"],
            1e-9,
        );
        interval(
            &what,
            proportion::agresti_coull(k, n, 0.95).unwrap(),
            &row["agresti_coull"],
            1e-9,
        );
    }
}

#[test]
fn two_rates_are_compared_as_scipy_and_statsmodels_do() {
    for row in json("stats.json")["two_proportions"].as_array().unwrap() {
        let base = Tally {
            hits: count(row, "k_base"),
            trials: count(row, "n_base"),
        };
        let candidate = Tally {
            hits: count(row, "k_cand"),
            trials: count(row, "n_cand"),
        };
        let (z, p) = two_proportions(base, candidate, Side::Both).unwrap();
        close("z", z, &row["z_pooled"], 1e-9);
        within("p", p, &row["p_two_sided"], 1e-8);
        let (_, p) = two_proportions(base, candidate, Side::Greater).unwrap();
        within("p", p, &row["p_one_sided_regression"], 1e-8);
        let newcombe = newcombe(base, candidate, 0.95).unwrap();
        interval(
            "Newcombe",
            newcombe,
            &row["newcombe_diff_base_minus_cand_95"],
            1e-9,
        );
        let p = fisher_exact(base, candidate, Side::Both).unwrap();
        within("Fisher", p, &row["fisher_two_sided"], 1e-8);
        let p = fisher_exact(base, candidate, Side::Greater).unwrap();
        within("Fisher", p, &row["fisher_greater"], 1e-8);
    }
}

#[test]
fn items_judged_twice_are_compared_as_statsmodels_does() {
    let expected = json("stats.json");
    for row in expected["mcnemar"].as_array().unwrap() {
        let pairs = Discordant {
            regressed: count(row, "b_regressed"),
            improved: count(row, "c_improved"),
        };
        let told = mcnemar(pairs);
        within(
            "exact",
            told.exact_two_sided,
            &row["exact_two_sided"],
            1e-10,
        );
        within(
            "mid-p",
            told.mid_p_two_sided,
            &row["mid_p_two_sided"],
            1e-10,
        );
        within(
            "one-sided",
            told.exact_regression,
            &row["exact_one_sided_regression"],
            1e-10,
        );
    }
    let scores = &expected["paired_scores"];
    let (base, candidate) = (numbers(&scores["base"]), numbers(&scores["cand"]));
    let told = paired_difference(&base, &candidate, 0.95).unwrap();
    close("mean", told.mean, &scores["mean_diff"], 1e-9);
    close("se", told.standard_error, &scores["se"], 1e-9);
    close("p", told.p, &scores["ttest_rel_p"], 1e-8);
    interval("t", told.interval, &scores["t_ci95"], 1e-9);
    let told = clustered_difference(&base, &candidate, &classes(&scores["cluster"]), 0.95).unwrap();
    close(
        "clustered se",
        told.standard_error,
        &scores["clustered_se"],
        1e-9,
    );
    interval(
        "clustered t",
        told.interval,
        &scores["clustered_t_ci95"],
        1e-9,
    );
}

#[test]
fn sample_sizes_are_those_of_statsmodels() {
    let expected = json("stats.json");
    for row in expected["sample_size_two_prop_power80_alpha05_one_sided"]
        .as_array()
        .unwrap()
    {
        let (base, candidate) = (
            row["p_base"].as_f64().unwrap(),
            row["p_cand"].as_f64().unwrap(),
        );
        let n = sample_size::unpaired(base, candidate, 0.05, 0.8).unwrap();
        assert_eq!(n, count(row, "n_per_arm"));
    }
}

#[test]
fn families_of_tests_are_adjusted_as_statsmodels_does() {
    let expected = &json("stats.json")["multiple_testing"];
    let p = numbers(&expected["p"]);
    for (name, correction) in [
        ("bonferroni", Correction::Bonferroni),
        ("holm", Correction::Holm),
        ("fdr_bh", Correction::BenjaminiHochberg),
        ("fdr_by", Correction::BenjaminiYekutieli),
    ] {
        let ours = adjusted(&p, correction).unwrap();
        for (i, ours) in ours.iter().enumerate() {
            close(name, *ours, &expected[name]["p_adj"][i], 1e-9);
            assert_eq!(
                *ours <= 0.05,
                expected[name]["reject_05"][i].as_bool().unwrap()
            );
        }
    }
}

#[test]
fn agreement_is_what_statsmodels_and_the_formulas_give() {
    let expected = &json("stats.json")["agreement"];
    let named = |key: &str| -> Vec<usize> {
        let list = expected[key].as_array().unwrap();
        list.iter()
            .map(|word| {
                ["pass", "fail", "unsure"]
                    .iter()
                    .position(|w| w == word)
                    .unwrap()
            })
            .collect()
    };
    let nominal = Confusion::of(&named("a"), &named("b"), 3).unwrap();
    close(
        "observed",
        nominal.observed(),
        &expected["observed_agreement"],
        1e-9,
    );
    let kappa = nominal.kappa_interval(0.95).unwrap();
    close("kappa", kappa.kappa, &expected["cohen_kappa"], 1e-9);
    close("se", kappa.standard_error, &expected["kappa_se"], 1e-9);
    interval("kappa", kappa.interval, &expected["kappa_ci95"], 1e-9);
    close(
        "AC1",
        nominal.gwet_ac1().unwrap(),
        &expected["gwet_ac1(own)"],
        1e-9,
    );
    agreement_of_ranks(expected, &named("a"), &named("b"));
}

fn agreement_of_ranks(expected: &Value, nominal_a: &[usize], nominal_b: &[usize]) {
    let (a, b) = (
        classes(&expected["ordinal_a"]),
        classes(&expected["ordinal_b"]),
    );
    let ordinal = Confusion::of(&a, &b, 6).unwrap();
    close(
        "linear",
        ordinal.kappa(Weights::Linear).unwrap(),
        &expected["weighted_linear"],
        1e-9,
    );
    close(
        "quadratic",
        ordinal.kappa(Weights::Quadratic).unwrap(),
        &expected["weighted_quadratic"],
        1e-9,
    );
    let pairs = nominal_a.iter().zip(nominal_b);
    let items: Vec<Vec<f64>> = pairs.map(|(a, b)| vec![*a as f64, *b as f64]).collect();
    let alpha = krippendorff_alpha(&items, Scale::Nominal).unwrap();
    close(
        "nominal",
        alpha,
        &expected["krippendorff_nominal_ab(own)"],
        1e-9,
    );
    let third = expected["ordinal_c_with_missing"].as_array().unwrap();
    let items: Vec<Vec<f64>> = (0..a.len())
        .map(|i| {
            [Some(a[i] as f64), Some(b[i] as f64), third[i].as_f64()]
                .into_iter()
                .flatten()
                .collect()
        })
        .collect();
    let alpha = krippendorff_alpha(&items, Scale::Ordinal).unwrap();
    close(
        "ordinal",
        alpha,
        &expected["krippendorff_ordinal_abc(own)"],
        1e-9,
    );
    let alpha = krippendorff_alpha(&items, Scale::Interval).unwrap();
    close(
        "interval",
        alpha,
        &expected["krippendorff_interval_abc(own)"],
        1e-9,
    );
}

#[test]
fn agreement_of_many_raters_is_what_statsmodels_gives() {
    let fleiss = &json("stats.json")["fleiss"];
    let table: Vec<Vec<u64>> = serde_json::from_value(fleiss["table"].clone()).unwrap();
    close(
        "Fleiss",
        fleiss_kappa(&table).unwrap(),
        &fleiss["kappa"],
        1e-9,
    );
}

#[test]
fn rates_of_a_judge_are_corrected_as_published() {
    let expected = json("stats.json");
    for row in expected["rogan_gladen(own)"].as_array().unwrap() {
        let record = JudgeRecord {
            passed: count(row, "judge_pass"),
            judged: count(row, "n"),
            both_passed: count(row, "human_pass_judge_pass"),
            human_passed: count(row, "human_pass"),
            both_failed: count(row, "human_fail_judge_fail"),
            human_failed: count(row, "human_fail"),
        };
        let told = rogan_gladen(record, 0.95).unwrap();
        close("theta", told.rate, &row["theta_hat"], 1e-9);
        close("se", told.standard_error, &row["se"], 1e-9);
        interval("interval", told.interval, &row["ci95"], 1e-9);
    }
    let row = &expected["ppi_mean(own)"];
    let passed = count(row, "judge_unlabelled_sum") as usize;
    let mut unlabelled = vec![0.0; count(row, "judge_unlabelled_n") as usize];
    unlabelled[..passed].fill(1.0);
    let (labels, judged) = (
        numbers(&row["human_labels"]),
        numbers(&row["judge_on_labelled"]),
    );
    let told = prediction_powered_mean(&labels, &judged, &unlabelled, 0.95).unwrap();
    close("theta", told.rate, &row["theta"], 1e-9);
    close("se", told.standard_error, &row["se"], 1e-9);
    interval("interval", told.interval, &row["ci95"], 1e-9);
}

#[test]
fn figures_of_a_classifier_are_those_of_scikit_learn() {
    let expected = &json("stats.json")["binary_metrics"];
    let (truth, score) = (labels(&expected["y_true"]), numbers(&expected["y_prob"]));
    let predicted: Vec<bool> = score.iter().map(|p| *p >= 0.5).collect();
    let counts = BinaryConfusion::of(&truth, &predicted).unwrap();
    let ranked = Ranked::by_probability(&truth, &score).unwrap();
    let area = auc(&truth, &score).unwrap();
    for (key, ours) in [
        ("accuracy", counts.accuracy().unwrap()),
        ("balanced_accuracy", counts.balanced_accuracy().unwrap()),
        ("precision", counts.precision().unwrap()),
        ("recall", counts.recall().unwrap()),
        ("f1", counts.f1().unwrap()),
        ("f2", counts.f_beta(2.0).unwrap()),
        ("mcc", counts.matthews().unwrap()),
        ("roc_auc", area.auc),
        ("auc_delong_se(own)", area.standard_error),
        ("average_precision", ranked.average_precision()),
        ("ks_gain", ranked.kolmogorov_smirnov()),
        ("log_loss", log_loss(&truth, &score).unwrap()),
        ("brier", brier(&truth, &score).unwrap()),
        (
            "ece10_equal_width(own)",
            expected_calibration_error(&truth, &score, 10).unwrap(),
        ),
    ] {
        close(key, ours, &expected[key], 1e-9);
    }
}

#[test]
fn figures_of_several_classes_are_those_of_scikit_learn() {
    let expected = &json("stats.json")["multiclass_metrics"];
    let (truth, predicted) = (classes(&expected["y_true"]), classes(&expected["y_pred"]));
    let proba: Vec<Vec<f64>> = serde_json::from_value(expected["proba"].clone()).unwrap();
    let counts = MulticlassConfusion::of(&truth, &predicted, 3).unwrap();
    for (key, ours) in [
        ("accuracy", counts.accuracy()),
        ("f1_micro", counts.accuracy()),
        ("f1_macro", counts.macro_average(BinaryConfusion::f1)),
        ("f1_weighted", counts.weighted_average(BinaryConfusion::f1)),
        (
            "precision_macro",
            counts.macro_average(BinaryConfusion::precision),
        ),
        (
            "recall_macro",
            counts.macro_average(BinaryConfusion::recall),
        ),
        ("mcc", counts.matthews().unwrap()),
        ("kappa", counts.kappa().unwrap()),
        ("log_loss", multiclass_log_loss(&truth, &proba).unwrap()),
        (
            "roc_auc_ovr_macro",
            one_against_rest_auc(&truth, &proba).unwrap(),
        ),
        ("top2", top_k(&truth, &proba, 2).unwrap()),
    ] {
        close(key, ours, &expected[key], 1e-9);
    }
}

#[test]
fn figures_of_a_regression_are_those_of_scikit_learn() {
    let expected = &json("stats.json")["regression_metrics"];
    let (truth, predicted) = (numbers(&expected["y_true"]), numbers(&expected["y_pred"]));
    let told = Regression::of(&truth, &predicted).unwrap();
    for (key, ours) in [
        ("mae", told.mae),
        ("mse", told.mse),
        ("rmse", told.rmse),
        ("r2", told.r2.unwrap()),
        ("mape", told.mape.unwrap()),
        ("median_ae", told.median_absolute_error),
        ("max_error", told.max_error),
        ("explained_variance", told.explained_variance.unwrap()),
        (
            "pinball_0.9",
            Regression::pinball(&truth, &predicted, 0.9).unwrap(),
        ),
    ] {
        close(key, ours, &expected[key], 1e-9);
    }
}
