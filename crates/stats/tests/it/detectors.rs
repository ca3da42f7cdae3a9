//! Change detectors against River, and sequential procedures against their formulas.

use plimsoll_stats::change::*;
use serde_json::Value;

use crate::support::{close, json, streams, within};

/// Where a detector tells a change, counted from 0, and where it warns.
fn told(values: &[f64], mut update: impl FnMut(f64) -> Signal) -> (Vec<usize>, Vec<usize>) {
    let (mut changes, mut warnings) = (Vec::new(), Vec::new());
    for (i, value) in values.iter().enumerate() {
        match update(*value) {
            Signal::Change => changes.push(i),
            Signal::Warning => warnings.push(i),
            Signal::Quiet | Signal::Refused => {}
        }
    }
    (changes, warnings)
}

/// An ADWIN that begins anew after each change, as River's wrapper does.
fn adwin(delta: f64, clock: u64) -> impl FnMut(f64) -> Signal {
    let mut detector = Adwin::new(delta, clock);
    let mut has_changed = false;
    move |value| {
        if has_changed {
            detector.reset();
        }
        let signal = detector.update(value);
        has_changed = signal == Signal::Change;
        signal
    }
}

fn page_hinkley(threshold: f64, direction: Direction) -> impl FnMut(f64) -> Signal {
    let mut detector = PageHinkley::default();
    (detector.threshold, detector.direction) = (threshold, direction);
    move |value| detector.update(value)
}

#[test]
fn every_detector_tells_changes_where_river_does() {
    let streams = streams();
    let mut checked = 0;
    for (name, stream) in json("stream.json")["streams"].as_object().unwrap() {
        let values = &streams[name];
        for (key, expected) in stream["detectors"].as_object().unwrap() {
            let kind = key.split('(').next().unwrap();
            let mut ddm = Ddm::default();
            let mut eddm = Eddm::default();
            let mut hddm_a = HddmA::default();
            let mut hddm_w = HddmW::default();
            let (changes, warnings) = match kind {
                "ADWIN" if key.contains("delta=0.05") => told(values, adwin(0.05, 32)),
                "ADWIN" if key.contains("clock=1)") => told(values, adwin(0.002, 1)),
                "ADWIN" => told(values, adwin(0.002, 32)),
                "PageHinkley" if key.contains("threshold=10") => {
                    told(values, page_hinkley(10.0, Direction::Both))
                }
                "PageHinkley" if key.contains("threshold=20") => {
                    told(values, page_hinkley(20.0, Direction::Up))
                }
                "PageHinkley" => told(values, page_hinkley(50.0, Direction::Both)),
                "DDM" => told(values, |x| ddm.update(x == 1.0)),
                "EDDM" => told(values, |x| eddm.update(x == 1.0)),
                "HDDM_A" => told(values, |x| hddm_a.update(x)),
                "HDDM_W" => told(values, |x| hddm_w.update(x)),
                "KSWIN" => continue,
                other => panic!("{other} is not looked at"),
            };
            let indices = |value: &Value| -> Vec<usize> {
                let list = value.as_array().cloned().unwrap_or_default();
                list.iter().map(|i| i.as_u64().unwrap() as usize).collect()
            };
            assert_eq!(changes, indices(&expected["detections"]), "{name}: {key}");
            let first: Vec<usize> = warnings.iter().take(10).copied().collect();
            assert_eq!(first, indices(&expected["first_warnings"]), "{name}: {key}");
            if let Some(count) = expected["n_warnings"].as_u64() {
                // River's EDDM may warn and tell a change at once, ours then only tells the change.
                let most = warnings.len() + if kind == "EDDM" { changes.len() } else { 0 };
                let range = warnings.len() as u64..=most as u64;
                assert!(
                    range.contains(&count),
                    "{name}: {key}: {count}, and not {range:?}"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}

#[test]
fn what_is_left_of_an_adwin_window_is_what_river_keeps() {
    let streams = streams();
    for (name, stream) in json("stream.json")["streams"].as_object().unwrap() {
        let key =
            "ADWIN(default delta=.002,clock=32,max_buckets=5,min_window_length=5,grace_period=10)";
        let expected = &stream["detectors"][key];
        let mut detector = Adwin::default();
        let mut kept = Vec::new();
        for (i, value) in streams[name].iter().enumerate() {
            if detector.update(*value) == Signal::Change {
                kept.push((i, detector.width(), detector.estimate().unwrap()));
                detector = Adwin::default();
            }
        }
        for (ours, theirs) in kept
            .iter()
            .zip(expected["adwin_state"].as_array().unwrap_or(&vec![]))
        {
            assert_eq!(ours.0 as u64, theirs["i"].as_u64().unwrap());
            close(name, ours.1 as f64, &theirs["width_after"], 1e-12);
            close(name, ours.2, &theirs["estimate_after"], 1e-9);
        }
    }
}

#[test]
fn kswin_finds_the_steps_that_river_finds() {
    // Both draw by chance, and not the same: what is found lies within a statistics window.
    let streams = streams();
    for (name, step) in [
        ("gauss_0_1_step", 1_000),
        ("river_doc_example", 1_000),
        ("latency_lognormal_step", 1_500),
    ] {
        let mut detector = Kswin::default();
        let (changes, _) = told(&streams[name], |x| detector.update(x));
        assert!(
            changes.iter().any(|at| (step..step + 60).contains(at)),
            "{name}: {changes:?}"
        );
    }
}

#[test]
fn confidence_sequences_and_sequential_tests_follow_their_formulas() {
    let (expected, streams) = (json("stats.json"), streams());
    let bernstein = &expected["confseq_empirical_bernstein(own)"];
    let mut sequence = EmpiricalBernstein::new(0.05).unwrap();
    let mut checkpoints = bernstein["checkpoints"].as_array().unwrap().iter();
    let mut next = checkpoints.next();
    for value in &streams[bernstein["stream"].as_str().unwrap()] {
        sequence.update(*value);
        if let Some(point) = next.filter(|point| point["n"] == sequence.count()) {
            let (centre, radius) = sequence.centre_and_radius().unwrap();
            close("centre", centre, &point["center"], 1e-9);
            close("radius", radius, &point["radius"], 1e-9);
            next = checkpoints.next();
        }
    }
    assert!(next.is_none());
    let mixture = &expected["confseq_normal_mixture(own)"];
    let rho = normal_mixture_rho(500.0, 0.5, 0.05).unwrap();
    close("rho", rho, &mixture["rho2"], 1e-6);
    let rho = mixture["rho2"].as_f64().unwrap();
    for point in mixture["checkpoints"].as_array().unwrap() {
        let n = point["n"].as_f64().unwrap();
        let radius = normal_mixture_radius(n, 0.5, rho, 0.05).unwrap();
        close("normal mixture", radius, &point["radius"], 1e-9);
    }
    let process = &expected["eprocess_beta_binomial(own)"];
    let mut evidence = BetaBinomial::new(0.1).unwrap();
    let mut crossing = None;
    for (i, value) in streams[process["stream"].as_str().unwrap()]
        .iter()
        .enumerate()
    {
        let ln = evidence.update(*value == 1.0);
        if let Some(theirs) = process["log_e_at"].get((i + 1).to_string()) {
            within("beta-binomial", ln, theirs, 1e-8);
        }
        crossing = crossing.or((ln >= (1.0_f64 / 0.05).ln()).then_some(i as u64));
    }
    assert_eq!(crossing, process["first_crossing_index"].as_u64());
}

#[test]
fn wald_page_and_roberts_are_followed() {
    let (expected, streams) = (json("stats.json"), streams());
    let wald = &expected["sprt_bernoulli(own)"];
    let values = &streams[wald["stream"].as_str().unwrap()];
    let mut test = Sprt::new(0.1, 0.2, 0.05, 0.2).unwrap();
    close("upper", test.limits().1, &wald["upper"], 1e-12);
    close("lower", test.limits().0, &wald["lower"], 1e-12);
    let mut stop = None;
    for (i, value) in values.iter().take(1_000).enumerate() {
        let verdict = test.update(*value == 1.0);
        if verdict != SprtVerdict::GoOn && stop.is_none() {
            assert_eq!(verdict, SprtVerdict::AcceptNull);
            stop = Some(i as u64 + 1);
        }
    }
    let theirs = wald["stop"].as_u64().unwrap();
    assert!(stop == Some(theirs) || stop == Some(theirs + 1), "{stop:?}");
    close(
        "llr",
        test.ln_likelihood_ratio(),
        &wald["llr_at_1000"],
        1e-9,
    );
    let page = &expected["cusum_bernoulli_llr(own)"];
    let mut sum = BernoulliCusum::new(0.1, 0.2, 5.0).unwrap();
    let alarms = values
        .iter()
        .enumerate()
        .filter(|(_, x)| sum.update(**x == 1.0));
    let alarms: Vec<u64> = alarms.map(|(i, _)| i as u64).collect();
    assert_eq!(serde_json::json!(alarms), page["alarms"]);
    for chart in expected["cusum_normal_ARL_one_sided(own_markov)"]
        .as_array()
        .unwrap()
    {
        let cusum = Cusum::new(chart["k"].as_f64().unwrap(), chart["h"].as_f64().unwrap());
        for (shift, key) in [
            (0.0, "ARL0"),
            (0.5, "ARL_shift_0.5sd"),
            (1.0, "ARL_shift_1sd"),
            (2.0, "ARL_shift_2sd"),
        ] {
            close(key, cusum.average_run_length(shift, 200), &chart[key], 2e-3);
        }
    }
    let roberts = &expected["ewma(own)"];
    let mut chart = Ewma::default();
    let signals = streams[roberts["stream"].as_str().unwrap()]
        .iter()
        .enumerate();
    let signals = signals.filter(|(_, x)| chart.update(**x) == Signal::Change);
    let first: Vec<u64> = signals.map(|(i, _)| i as u64).take(5).collect();
    assert_eq!(serde_json::json!(first), roberts["first_signals"]);
}
