//! What becomes of columns of every kind, good and bad.

use plimsoll_stats::drift::Sample;

use super::*;

fn numbers(values: impl IntoIterator<Item = f64>) -> Cells {
    Cells::Numbers(Sample::new(values.into_iter().collect()))
}

fn range(rows: u32, shift: f64) -> Cells {
    numbers((0..rows).map(|i| f64::from(i % 100) + shift))
}

fn texts<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Cells {
    let mut texts = Texts::default();
    for (name, count) in counts {
        texts.add_many(name, count);
    }
    Cells::Texts(texts)
}

fn report_with(settings: Settings, columns: &[(&str, Cells, Cells)]) -> Report {
    let reports = columns
        .iter()
        .map(|(name, was, is)| compare(name, was, is, &settings))
        .collect();
    let table = |name: &str| (name.to_owned(), 1_000);
    Report::of(
        table("was.csv"),
        table("is.csv"),
        reports,
        settings,
        Vec::new(),
    )
    .unwrap()
}

fn report(columns: &[(&str, Cells, Cells)]) -> Report {
    report_with(Settings::default(), columns)
}

#[test]
fn the_column_that_moved_most_stands_first_and_steady_ones_last() {
    let told = report(&[
        ("same", range(1_000, 0.0), range(1_000, 0.0)),
        ("a little", range(1_000, 0.0), range(1_000, 20.0)),
        ("much", range(1_000, 0.0), range(1_000, 60.0)),
    ]);
    let order: Vec<&str> = told
        .columns
        .iter()
        .map(|column| column.column.as_str())
        .collect();
    assert_eq!(order, ["much", "a little", "same"]);
    assert_eq!(told.verdict, Verdict::Drifted);
    let parts: f64 = told.columns.iter().map(|column| column.contribution).sum();
    assert!((parts - 1.0).abs() < 1e-12);
}

#[test]
fn every_method_sees_a_large_shift_and_none_sees_what_is_not_there() {
    for method in [
        Method::Psi,
        Method::Ks,
        Method::ChiSquare,
        Method::Wasserstein,
        Method::JensenShannon,
        Method::Hellinger,
    ] {
        let settings = Settings {
            method,
            ..Settings::default()
        };
        let plans = || texts([("basic", 700), ("pro", 300)]);
        let same = [
            ("n", range(1_000, 0.0), range(1_000, 0.0)),
            ("t", plans(), plans()),
        ];
        assert_eq!(
            report_with(settings, &same).verdict,
            Verdict::Steady,
            "{method:?}"
        );
        let moved = [
            ("n", range(1_000, 0.0), range(1_000, 50.0)),
            ("t", plans(), texts([("basic", 300), ("pro", 700)])),
        ];
        let told = report_with(settings, &moved);
        assert_eq!(told.standing(Standing::Drifted).count(), 2, "{method:?}");
    }
}

#[test]
fn a_move_between_few_values_is_seen_although_quantiles_do_not_see_it() {
    let of = |ones: u32| {
        numbers((0..3_000).map(move |i| {
            if i < 1_000 {
                0.0
            } else {
                f64::from(1 + u32::from(i >= 1_000 + ones))
            }
        }))
    };
    assert_eq!(
        report(&[("class", of(1_000), of(1_500))]).verdict,
        Verdict::Drifted
    );
    assert_eq!(
        report(&[("class", of(1_000), of(1_000))]).verdict,
        Verdict::Steady
    );
}

#[test]
fn one_row_or_none_cannot_be_judged_and_is_no_drift() {
    for (was, is, reason) in [
        (range(1_000, 0.0), range(1, 0.0), "too few"),
        (range(1, 0.0), range(1_000, 0.0), "too few"),
        (range(1_000, 0.0), range(0, 0.0), "no rows"),
        (
            Cells::Unreadable("it holds lists".to_owned()),
            range(50, 0.0),
            "lists",
        ),
    ] {
        let told = report(&[("x", was, is)]);
        assert_eq!(told.verdict, Verdict::NotJudged);
        assert!(
            told.columns[0].reasons[0].contains(reason),
            "{:?}",
            told.columns[0]
        );
    }
    assert_eq!(report(&[]).verdict, Verdict::NotJudged);
}

#[test]
fn constant_and_empty_columns_are_named_and_poison_nothing() {
    let constant = || numbers(std::iter::repeat_n(7.0, 400));
    let empty = || numbers(std::iter::repeat_n(f64::NAN, 400));
    let told = report(&[
        ("constant", constant(), constant()),
        ("empty", empty(), empty()),
    ]);
    assert_eq!(told.verdict, Verdict::Steady);
    assert_eq!(told.columns[0].warnings, ["constant in both"]);
    assert_eq!(told.columns[1].standing, Standing::NotCompared);
    let became = report(&[("x", range(400, 0.0), constant())]);
    assert_eq!(became.verdict, Verdict::Drifted);
    assert!(
        became.columns[0]
            .warnings
            .iter()
            .any(|w| w.contains("constant"))
    );
    let vanished = report(&[("x", range(400, 0.0), empty())]);
    assert_eq!(vanished.verdict, Verdict::Drifted);
    let json = serde_json::to_string(&[told, became, vanished]).unwrap();
    assert!(!json.contains("NaN"));
}

#[test]
fn values_that_went_missing_are_drift_although_the_others_did_not_move() {
    let holes = |every: u32| {
        numbers((0..1_000).map(move |i| {
            if i % every == 0 {
                f64::NAN
            } else {
                f64::from(i % 97)
            }
        }))
    };
    let told = report(&[("x", holes(50), holes(8))]);
    assert_eq!(told.verdict, Verdict::Drifted);
    assert!(
        told.columns[0].reasons[0].contains("missing"),
        "{:?}",
        told.columns[0].reasons
    );
    let infinite = numbers((0..1_000).map(|i| {
        if i < 200 {
            f64::INFINITY
        } else {
            f64::from(i % 97)
        }
    }));
    let told = report(&[("x", holes(1_000), infinite)]);
    assert_eq!(told.verdict, Verdict::Drifted);
    assert!(told.columns[0].warnings[0].contains("200 infinite"));
}

#[test]
fn another_type_is_drift_and_ids_and_times_are_not_compared() {
    let ids = |from: u32| {
        let mut ids = Texts::default();
        (from..from + 500).for_each(|i| ids.add(&format!("id-{i}")));
        Cells::Texts(ids)
    };
    let told = report(&[
        ("typed", range(500, 0.0), texts([("1", 250), ("2", 250)])),
        ("id", ids(0), ids(500)),
        ("when", Cells::Times, Cells::Times),
    ]);
    let of = |name: &str| {
        told.columns
            .iter()
            .find(|column| column.column == name)
            .unwrap()
    };
    assert_eq!(of("typed").standing, Standing::Drifted);
    assert_eq!(
        of("typed").reasons,
        ["the type changed from numbers to texts"]
    );
    assert_eq!(of("id").standing, Standing::NotCompared);
    assert_eq!(of("when").standing, Standing::NotCompared);
}

#[test]
fn new_and_vanished_categories_are_named() {
    let told = report(&[(
        "plan",
        texts([("basic", 500), ("pro", 480), ("old", 20)]),
        texts([("basic", 500), ("pro", 480), ("new", 20)]),
    )]);
    assert_eq!(told.columns[0].warnings, ["new: `new`", "vanished: `old`"]);
}

#[test]
fn fifty_columns_without_drift_raise_no_alarm_between_them() {
    // A fixed pseudo-random order: each column is a different draw from the same numbers.
    let mut state = 7_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let columns: Vec<_> = (0..50)
        .map(|_| {
            let mut draw = || numbers((0..500).map(|_| random()).collect::<Vec<_>>());
            ("x", draw(), draw())
        })
        .collect();
    assert_eq!(report(&columns).verdict, Verdict::Steady);
}

#[test]
fn what_stands_in_a_file_is_text_on_the_page_and_on_the_terminal() {
    let name = "<script>\u{1b}[2J";
    let told = report(&[(
        name,
        texts([("<b>", 500), ("a", 500)]),
        texts([("<b>", 100), ("a", 900)]),
    )]);
    let html = page(&told);
    assert!(
        !html.contains("<script>") && !html.contains("<b></"),
        "{html}"
    );
    assert!(html.contains("&lt;script&gt;") && html.contains("<svg"));
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "it stands alone"
    );
    let text = render(&told, crate::paint::Paint::Plain);
    assert!(
        !text.contains('\u{1b}') && text.contains("drifted: 1 of 1 columns"),
        "{text}"
    );
}
