//! Each scorer on answers that are right, wrong, partly right and nonsense.

use plimsoll_core::decision::{Cost, CostBasis};
use plimsoll_core::{Digest, ReleaseId, Timestamp};
use serde_json::json;

use super::*;
use crate::case::Gathering;

fn case(expect: Value) -> Case {
    let mut gathering = Gathering::default();
    let row = json!({"id": "a", "input": {"q": "?"}, "expect": expect});
    gathering.add("set.jsonl:1".to_owned(), row);
    gathering.finish("set.jsonl").unwrap().cases.remove(0)
}

fn answer(value: Value) -> Answer {
    Answer {
        decision: "01J9".to_owned(),
        release: ReleaseId(Digest::of(b"release")),
        outcome: Some(Outcome::Served),
        code: None,
        value,
        confidence: None,
        schema_valid: Some(true),
        micros: 1_500,
        cost: Cost {
            amount: "0.002".parse().unwrap(),
            basis: CostBasis::Measured,
        },
        asked_at: Timestamp::from_micros(1),
    }
}

fn scorer(check: Check) -> Scorer {
    Scorer::new(ScorerSpec {
        name: "it".to_owned(),
        at: "x".to_owned(),
        expect: "x".to_owned(),
        pass: None,
        tag: None,
        check,
    })
    .unwrap()
}

/// What a scorer says of `x` in the answer against `x` in the expectation.
fn of(check: Check, found: Value, expected: Value) -> Option<f64> {
    let scored = scorer(check).score(&case(json!({"x": expected})), &answer(json!({"x": found})));
    match scored.unwrap() {
        Scored::Score { score, .. } => Some(score),
        _ => None,
    }
}

#[test]
fn texts_are_held_against_texts() {
    let exact = |ignore_case| Check::Exact { ignore_case };
    assert_eq!(of(exact(false), json!(1.0), json!(1)), Some(1.0));
    assert_eq!(of(exact(false), json!("A"), json!("a")), Some(0.0));
    assert_eq!(of(exact(true), json!("A"), json!("a")), Some(1.0));
    let contains = |any| Check::Contains {
        any,
        ignore_case: true,
    };
    assert_eq!(
        of(contains(false), json!("Big cat"), json!(["CAT", "dog"])),
        Some(0.0)
    );
    assert_eq!(
        of(contains(true), json!("Big cat"), json!(["CAT", "dog"])),
        Some(1.0)
    );
    assert_eq!(of(contains(true), json!("Big cat"), json!("")), None);
    let regex = |pattern: Option<&str>| Check::Regex {
        pattern: pattern.map(str::to_owned),
    };
    assert_eq!(
        of(regex(Some("^[0-9]+$")), json!("123"), json!(null)),
        Some(1.0)
    );
    assert_eq!(of(regex(None), json!("12a"), json!("^[0-9]+$")), Some(0.0));
    assert_eq!(of(regex(None), json!("12a"), json!("(")), None);
    assert_eq!(
        of(Check::EditDistance, json!("abcd"), json!("abcx")),
        Some(0.75)
    );
    assert_eq!(
        of(Check::EditDistance, json!("a".repeat(5_000)), json!("b")),
        None
    );
}

#[test]
fn numbers_lists_and_trees_are_graded() {
    let near = |tolerance, relative| Check::Numeric {
        tolerance,
        relative,
    };
    assert_eq!(of(near(0.1, false), json!(0.3), json!(0.2)), Some(1.0));
    assert_eq!(of(near(0.01, true), json!(102), json!(100)), Some(0.0));
    assert_eq!(of(near(0.02, true), json!("102"), json!(100)), Some(1.0));
    assert_eq!(of(near(0.1, false), json!("NaN"), json!(1)), Some(0.0));
    assert_eq!(of(near(0.1, false), json!(1), json!("many")), None);
    let overlap = |ordered| Check::Overlap { ordered };
    assert_eq!(
        of(overlap(false), json!(["b", "a"]), json!(["a", "b"])),
        Some(1.0)
    );
    assert_eq!(
        of(overlap(true), json!(["b", "a"]), json!(["a", "b"])),
        Some(0.5)
    );
    assert_eq!(
        of(overlap(false), json!(["a"]), json!(["a", "b", "c"])),
        Some(0.5)
    );
    assert_eq!(of(overlap(false), json!([]), json!([])), Some(1.0));
    assert_eq!(of(overlap(false), json!([1.0]), json!([1])), Some(1.0));
    let diff = of(
        Check::JsonDiff,
        json!({"a": 1, "b": [1, 2]}),
        json!({"a": 1, "b": [1, 3]}),
    );
    assert!((diff.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let schema = Check::JsonSchema {
        schema: json!({"type": "array", "maxItems": 1}),
    };
    assert_eq!(of(schema.clone(), json!([1]), json!(null)), Some(1.0));
    assert_eq!(of(schema, json!([1, 2]), json!(null)), Some(0.0));
}

#[test]
fn tool_calls_are_met_by_name_and_arguments() {
    let tools = |ordered| Check::ToolCalls { ordered };
    let made = json!([
        {"function": {"name": "find", "arguments": "{\"id\": 7, \"deep\": true}"}},
        {"function": {"name": "mail", "arguments": "{}"}},
    ]);
    let find = json!({"name": "find", "arguments": {"id": 7}});
    let mail = json!({"name": "mail"});
    assert_eq!(
        of(tools(true), made.clone(), json!([find, mail])),
        Some(1.0)
    );
    assert_eq!(
        of(tools(true), made.clone(), json!([mail, find])),
        Some(0.5)
    );
    assert_eq!(
        of(tools(false), made.clone(), json!([mail, find])),
        Some(1.0)
    );
    let other = json!([{"name": "find", "arguments": {"id": 8}}, mail]);
    assert_eq!(of(tools(false), made, other), Some(0.5));
    let torn = json!([{"function": {"name": "find", "arguments": "{"}}]);
    assert_eq!(of(tools(false), torn, json!([find])), Some(0.0));
    assert_eq!(of(tools(false), json!([]), json!([])), Some(1.0));
}

#[test]
fn conduct_is_scored_without_looking_into_the_answer() {
    let latency = scorer(Check::Latency {
        most: Duration::from_millis(1),
    });
    let cost = scorer(Check::Cost {
        most: "0.002".parse().unwrap(),
    });
    let (case, mut answer) = (
        case(json!({"x": true})),
        answer(json!({"x": "I can’t do that."})),
    );
    assert!(matches!(
        latency.score(&case, &answer),
        Some(Scored::Score { score: 0.0, .. })
    ));
    assert_eq!(cost.score(&case, &answer), Some(Scored::plain(1.0)));
    let refusal = scorer(Check::Refusal);
    assert_eq!(refusal.score(&case, &answer), Some(Scored::plain(1.0)));
    answer.value = json!({"x": "Gladly."});
    assert!(matches!(
        refusal.score(&case, &answer),
        Some(Scored::Score { score: 0.0, .. })
    ));
    answer.outcome = Some(Outcome::Abstained);
    assert_eq!(refusal.score(&case, &answer), Some(Scored::plain(1.0)));
    answer.outcome = Some(Outcome::Failed);
    assert!(matches!(
        refusal.score(&case, &answer),
        Some(Scored::Unscored { .. })
    ));
    answer.cost.basis = CostBasis::Unknown;
    assert!(matches!(
        cost.score(&case, &answer),
        Some(Scored::Unscored { .. })
    ));
}

#[test]
fn an_answer_that_was_not_given_is_not_right_and_predicts_nothing() {
    let mut none = answer(json!({"x": 1}));
    none.outcome = None;
    let exact = scorer(Check::Exact { ignore_case: false });
    let case = case(json!({"x": 1}));
    let Some(Scored::Score { score, note }) = exact.score(&case, &none) else {
        panic!("it is scored")
    };
    assert_eq!(
        (score, note.as_deref()),
        (0.0, Some("no answer: left to a person"))
    );
    let regression = scorer(Check::Regression);
    assert_eq!(regression.score(&case, &none), Some(Scored::Unanswered));
}

#[test]
fn classes_come_with_their_probability_or_a_reason() {
    let classes = |at: &str| {
        let mut scorer = scorer(Check::Classification {
            positive: Some(json!(1)),
            probability: Some("p".to_owned()),
            predicted: Some(json!("approve")),
            threshold: 0.5,
        });
        scorer.spec.at = at.to_owned();
        scorer
    };
    let case = case(json!({"x": 1}));
    let said = |at, value| classes(at).score(&case, &answer(value)).unwrap();
    let class = |predicted, p| Scored::Class {
        truth: true,
        predicted,
        probability: Some(p),
    };
    assert_eq!(
        said("d", json!({"d": "decline", "p": 0.6})),
        class(false, 0.6)
    );
    assert_eq!(said("gone", json!({"p": 0.6})), class(true, 0.6));
    for bad in [json!({"d": "approve", "p": 1.5}), json!({"d": "approve"})] {
        assert!(matches!(said("d", bad), Scored::Unscored { .. }));
    }
}
