//! What becomes of decisions with labels, with people's answers, and with both.

use plimsoll_core::decision::Cost;
use plimsoll_core::label::LabelSource;
use plimsoll_core::{EventId, Outcome, TenantName};

use super::*;
use crate::scorer::ScorerSpec;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn example(input: Value, output: Value, seconds: i64) -> Example {
    let decision = DecisionId::new(at(seconds));
    let release = ReleaseId(Digest::of(b"release"));
    Example {
        decision,
        release,
        opened_at: at(seconds),
        group: None,
        input,
        answer: Answer {
            decision: decision.to_string(),
            release,
            outcome: Some(Outcome::Served),
            code: None,
            value: output,
            confidence: None,
            schema_valid: None,
            micros: 1,
            cost: Cost::FREE,
            asked_at: at(seconds),
        },
        labels: Vec::new(),
        review: None,
    }
}

fn labelled(mut example: Example, name: &str, value: LabelValue) -> Example {
    example.labels.push(Label {
        id: EventId::new(at(9)),
        decision: example.decision,
        tenant: TenantName::default_tenant(),
        name: LabelName::new(name).unwrap(),
        value,
        observed_at: None,
        through: LabelSource::Operator,
        actor: "ada".into(),
        at: at(9),
    });
    example
}

fn reviewed(mut example: Example, answer: Value, proposal: Option<Value>) -> Example {
    example.answer.outcome = Some(Outcome::Reviewed);
    example.review = Some(Reviewed {
        answer,
        proposal,
        actor: "bob".into(),
        at: at(8),
    });
    example
}

fn right() -> Teaching {
    Teaching {
        right: Some(LabelName::new("right").unwrap()),
        ..Teaching::default()
    }
}

fn tags(line: &Value) -> Vec<&str> {
    let tags = line["tags"].as_array().unwrap();
    tags.iter().filter_map(Value::as_str).collect()
}

#[test]
fn a_label_is_what_is_expected_under_its_name() {
    let one = example(json!({"x": 1}), json!({"decision": "pay"}), 1);
    let one = labelled(one, "decision", LabelValue::Text("refuse".into()));
    let line = Teaching::default().case(&one).unwrap();
    assert_eq!(line["expect"], json!({"decision": "refuse"}));
    assert_eq!(tags(&line), ["disagreeing", "labelled"]);
    assert_eq!(line["source"]["labels"][0]["actor"], "ada");
    assert_eq!(line["source"]["decision"], json!(one.decision));
    let renamed = Teaching {
        members: [(LabelName::new("decision").unwrap(), "verdict".to_owned())].into(),
        ..Teaching::default()
    };
    assert_eq!(
        renamed.case(&one).unwrap()["expect"],
        json!({"verdict": "refuse"})
    );
}

#[test]
fn an_answer_that_was_right_is_what_is_expected_and_one_that_was_wrong_tells_nothing() {
    let one = || example(json!({"x": 1}), json!({"decision": "pay"}), 1);
    let was = |flag| labelled(one(), "right", LabelValue::Flag(flag));
    let line = right().case(&was(true)).unwrap();
    assert_eq!(line["expect"], json!({"decision": "pay"}));
    assert_eq!(tags(&line), ["labelled"]);
    assert_eq!(right().case(&was(false)), Err(NoCase::WithoutTruth));
    let corrected = labelled(was(false), "decision", LabelValue::Text("refuse".into()));
    let line = right().case(&corrected).unwrap();
    assert_eq!(line["expect"], json!({"decision": "refuse"}));
    assert_eq!(tags(&line), ["disagreeing", "labelled"]);
    assert_eq!(right().case(&one()), Err(NoCase::WithoutTruth));
}

#[test]
fn what_a_person_answered_is_expected_and_the_world_stands_over_it() {
    let one = example(json!({"x": 1}), Value::Null, 1);
    let said = json!({"decision": "pay", "note": "seen"});
    let agreed = reviewed(one.clone(), said.clone(), Some(said.clone()));
    let line = Teaching::default().case(&agreed).unwrap();
    assert_eq!((&line["expect"], tags(&line)), (&said, vec!["reviewed"]));
    let overridden = reviewed(one, said, Some(json!({"decision": "refuse"})));
    let line = Teaching::default().case(&overridden).unwrap();
    assert_eq!(tags(&line), ["disagreeing", "reviewed"]);
    let both = labelled(overridden, "decision", LabelValue::Text("refuse".into()));
    let line = Teaching::default().case(&both).unwrap();
    assert_eq!(
        line["expect"],
        json!({"decision": "refuse", "note": "seen"})
    );
}

#[test]
fn scorers_of_the_system_say_where_answer_and_truth_differ() {
    let spec: ScorerSpec = serde_json::from_value(json!({
        "name": "repayment", "at": "decision", "expect": "repaid", "pass": null, "tag": null,
        "check": {"classification": {"positive": true, "probability": null, "predicted": "approve", "threshold": 0.5}},
    }))
    .unwrap();
    let teaching = Teaching {
        scorers: vec![Scorer::new(spec).unwrap()],
        only_disagreeing: true,
        ..Teaching::default()
    };
    let one = |repaid| {
        let one = example(json!({"x": 1}), json!({"decision": "approve"}), 1);
        labelled(one, "repaid", LabelValue::Flag(repaid))
    };
    assert_eq!(teaching.case(&one(true)), Err(NoCase::Agreeing));
    assert_eq!(
        tags(&teaching.case(&one(false)).unwrap()),
        ["disagreeing", "labelled"]
    );
}

#[test]
fn of_cases_that_ask_the_same_the_latest_stands_and_the_others_are_counted() {
    let one = |x: f64, value, seconds| {
        labelled(
            example(json!({"x": x}), Value::Null, seconds),
            "y",
            LabelValue::Number(value),
        )
    };
    let teaching = Teaching::default();
    let all = [
        one(1.0, 5.0, 3),
        one(1.0, 5.0, 1),
        one(1.0, 6.0, 4),
        one(2.0, 5.0, 2),
    ];
    let mut orders = vec![all.to_vec(), all.iter().rev().cloned().collect()];
    orders.push([2, 0, 3, 1].map(|index: usize| all[index].clone()).to_vec());
    for order in orders {
        let mut collected = Collected::new(false);
        order.iter().for_each(|one| collected.add(&teaching, one));
        let (lines, counts) = collected.finish();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["input"], json!({"x": 2.0}));
        assert_eq!(lines[1]["expect"], json!({"y": 6.0}));
        assert_eq!(counts.duplicates + counts.contradicted, 2);
    }
    let mut apart = Collected::new(true);
    all.iter().for_each(|one| apart.add(&teaching, one));
    assert_eq!(apart.finish().0.len(), 4);
}

#[test]
fn the_text_of_a_chat_is_read_as_what_it_says() {
    let chat = |text: &str| json!({"choices": [{"message": {"content": text}}]});
    assert_eq!(members(&chat("{\"a\": 1}")), members(&json!({"a": 1})));
    assert_eq!(
        Value::Object(members(&chat("hello"))),
        json!({"answer": "hello"})
    );
    assert_eq!(Value::Object(members(&json!(7))), json!({"answer": 7}));
}
