//! ONNX models through the real library. What they must say was said by scikit-learn
//! (`fixtures/onnx/make.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_core::Code;
use plimsoll_core::manifest::OnnxSpec;
use plimsoll_guard::contract::{Column, ColumnType};
use plimsoll_models::{BuildError, OnnxError, OnnxModel, OnnxRuntime, OnnxSearch, Reply};
use serde_json::{Map, Value, json};

type Row = Map<String, Value>;

#[derive(serde::Deserialize)]
struct Expected {
    columns: Vec<String>,
    rows: Vec<Row>,
    labels: Vec<Value>,
    probabilities: Option<Vec<BTreeMap<String, f64>>>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests take the library from where they are told"
)]
fn runtime() -> OnnxRuntime {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let search = OnnxSearch {
        environment: std::env::var("ORT_DYLIB_PATH").ok().map(PathBuf::from),
        folders: vec![repository.join(".runtime")],
        ..OnnxSearch::default()
    };
    match OnnxRuntime::load(&search) {
        Ok(runtime) => runtime,
        Err(error) => panic!("these tests need the library of onnx runtime: {error}"),
    }
}

fn spec(columns: &[&str], answer: Value) -> OnnxSpec {
    let file = "0".repeat(64);
    serde_json::from_value(json!({"file": file, "columns": columns, "answer": answer})).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(format!("{name}.onnx"))).unwrap()
}

fn load(name: &str, columns: &[&str], answer: Value) -> OnnxModel {
    OnnxModel::load(&runtime(), &bytes(name), &spec(columns, answer), &[], 2).unwrap()
}

fn unfit(name: &str, columns: &[&str], contract: &[Column]) -> String {
    let spec = spec(columns, json!({}));
    match OnnxModel::load(&runtime(), &bytes(name), &spec, contract, 1) {
        Err(BuildError::Onnx(OnnxError::Unfit(detail))) => detail,
        other => panic!("{name} should not fit: {other:?}"),
    }
}

fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        categories: None,
    }
}

fn row(value: &Value) -> Row {
    value.as_object().unwrap().clone()
}

const ABCD: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn every_model_says_what_scikit_learn_says() {
    let text = std::fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let all: BTreeMap<String, Expected> = serde_json::from_str(&text).unwrap();
    assert!(all.len() >= 14);
    for (name, expected) in all {
        let columns: Vec<&str> = expected.columns.iter().map(String::as_str).collect();
        let model = load(&name, &columns, json!({}));
        // A batch may differ in the last digit: ONNX Runtime then sums in another order.
        let batch = model.predict_batch(&expected.rows).unwrap();
        let alone = expected.rows.iter().map(|row| model.predict(row).unwrap());
        for (index, reply) in batch.iter().cloned().enumerate().chain(alone.enumerate()) {
            let truth = &expected.labels[index];
            match expected.probabilities.as_ref() {
                Some(probabilities) => classified(&name, &reply, truth, &probabilities[index]),
                None if name == "regression" => near(&name, &reply.value["label"], truth.as_f64()),
                None => {
                    assert_eq!(reply.value, json!({"label": truth}), "{name}");
                    assert!(reply.note.unwrap().contains("no probabilities"));
                }
            }
        }
    }
}

fn classified(name: &str, reply: &Reply, label: &Value, probabilities: &BTreeMap<String, f64>) {
    assert_eq!(reply.value["label"], *label, "{name}");
    let said = reply.value["probabilities"].as_object().unwrap();
    assert_eq!(said.len(), probabilities.len(), "{name}");
    for (class, truth) in probabilities {
        near(name, &said[class], Some(*truth));
    }
    let highest = probabilities.values().copied().reduce(f64::max);
    near(name, &json!(reply.confidence), highest);
}

fn near(name: &str, said: &Value, truth: Option<f64>) {
    let off = said.as_f64().unwrap() - truth.unwrap();
    assert!(off.abs() < 1e-5, "{name}: {off}");
}

#[test]
fn expressions_make_the_answer_of_a_prediction() {
    let answer =
        json!({"decision": "label == 1 ? 'approve' : 'decline'", "p": "probabilities['1']"});
    let model = load("tensor_plain_int", &ABCD, answer);
    let input = row(&json!({"a": 3, "b": 0.5, "c": 0, "d": 0}));
    let reply = model.predict(&input).unwrap();
    assert_eq!(reply.value["decision"], "approve");
    assert_eq!(reply.value["p"].as_f64(), reply.confidence);
}

#[test]
fn every_type_of_input_is_handed_over() {
    let model = load("types", &[], json!({}));
    let input = row(&json!({"double": 0.5, "flag": true, "whole": 10.0, "small": -100}));
    let reply = model.predict(&input).unwrap();
    assert_eq!(reply.value, json!({"label": -88.5}));
    // The model takes one row at a time, so that a batch is several runs.
    let replies = model.predict_batch(&[input.clone(), input]).unwrap();
    assert_eq!(replies.len(), 2);
    assert!(model.predict_batch(&[]).unwrap().is_empty());
}

#[test]
fn what_an_input_cannot_say_is_an_error_that_names_the_column() {
    let model = load("types", &[], json!({}));
    let good = row(&json!({"double": 0.5, "flag": true, "whole": 10, "small": 1}));
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed.insert(name.into(), value);
        model.predict(&changed).unwrap_err()
    };
    assert_eq!(with("whole", Value::Null).code, Code::ContractMissing);
    assert_eq!(with("whole", json!(1.5)).code, Code::ContractType);
    assert_eq!(with("small", json!(1_u64 << 40)).code, Code::ContractType);
    assert_eq!(with("flag", json!(1)).code, Code::ContractType);
    assert_eq!(
        with("double", json!("1")).detail,
        "column `double` is not a number"
    );
    let absent = model.predict(&Row::new()).unwrap_err();
    assert!(absent.detail.contains("`flag`"), "{absent}");
    // A missing number is NaN, and what comes of it here is no prediction.
    assert_eq!(with("double", Value::Null).code, Code::ModelProtocol);
}

#[test]
fn an_odd_text_is_an_error_and_an_unknown_one_is_not() {
    let model = load("columns_zipmap_text", &[], json!({}));
    let asked = |job: Value| model.predict(&row(&json!({"amount": 1, "months": 9, "job": job})));
    assert_eq!(asked(json!("a\0b")).unwrap_err().code, Code::ContractType);
    assert_eq!(asked(json!(7)).unwrap_err().code, Code::ContractType);
    assert!(asked(json!("никто 🙂")).is_ok());
    assert!(asked(Value::Null).is_ok());
    let long = "x".repeat(1 << 20);
    assert!(asked(json!(long)).is_ok());
}

#[test]
fn columns_that_do_not_fit_the_model_are_found_when_it_is_loaded() {
    let detail = unfit("tensor_plain_int", &[], &[]);
    assert!(
        detail.contains("takes 4 columns: name them in order"),
        "{detail}"
    );
    let detail = unfit("tensor_plain_int", &["a", "b"], &[]);
    assert!(detail.contains("`columns` names 2"), "{detail}");
    let detail = unfit("columns_plain_text", &["a"], &[]);
    assert!(detail.contains("this one has 3 inputs"), "{detail}");

    let contract = [column("a", ColumnType::Number)];
    let detail = unfit("tensor_plain_int", &ABCD, &contract);
    assert!(
        detail.contains("names `b`, which is not in the input schema (a)"),
        "{detail}"
    );
    let detail = unfit("columns_plain_text", &[], &contract);
    assert!(
        detail.contains("`amount` is no column of the input schema (a)"),
        "{detail}"
    );
    let mut kinds = vec![
        column("amount", ColumnType::Number),
        column("months", ColumnType::Integer),
        column("job", ColumnType::Number),
    ];
    let detail = unfit("columns_plain_text", &[], &kinds);
    assert!(
        detail.contains("column `job` is number in the input schema"),
        "{detail}"
    );
    kinds[2].kind = ColumnType::String;
    let spec = spec(&[], json!({}));
    let loaded = OnnxModel::load(&runtime(), &bytes("columns_plain_text"), &spec, &kinds, 1);
    assert!(loaded.is_ok());
}

#[test]
fn a_damaged_file_is_a_typed_error() {
    let good = bytes("lightgbm_plain");
    let mut wrong = vec![
        Vec::new(),
        b"not a model".to_vec(),
        vec![0xff; 4096],
        good[..good.len() / 2].to_vec(),
        good[1..].to_vec(),
    ];
    for at in (0..good.len()).step_by(97) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x5a;
        wrong.push(damaged);
    }
    let runtime = runtime();
    let spec = spec(&ABCD, json!({}));
    let mut refused = 0;
    for bytes in wrong {
        // Some damage leaves a model: it must then answer or fail in order.
        match OnnxModel::load(&runtime, &bytes, &spec, &[], 1) {
            Ok(model) => {
                drop(model.predict(&row(&json!({"a": 1, "b": 1, "c": 1, "d": 1}))));
            }
            Err(error) => {
                assert_eq!(error.model_error().code, Code::ModelNotLoaded);
                refused += 1;
            }
        }
    }
    assert!(refused >= 5, "{refused}");
}

#[test]
fn the_library_is_loaded_once_and_serves_every_thread() {
    let first = runtime();
    let nowhere = OnnxSearch::default();
    let again = OnnxRuntime::load(&nowhere).unwrap();
    assert_eq!(
        (first.path(), first.version()),
        (again.path(), again.version())
    );

    // More threads than sessions.
    let model = load("lightgbm_zipmap", &ABCD, json!({}));
    let input = row(&json!({"a": 1, "b": 0.5, "c": 0, "d": 0}));
    let expected = model.predict(&input).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(model.predict(&input).unwrap(), expected);
                }
                tell.clone().send(()).unwrap();
            });
        }
        for _ in 0..8 {
            told.recv_timeout(Duration::from_secs(30)).unwrap();
        }
    });
}
