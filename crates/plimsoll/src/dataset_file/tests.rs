//! What is written is what evals read, in every form, or is not written.

use serde_json::json;

use super::*;

fn lines() -> Vec<Value> {
    let source =
        json!({"decision": "01J9", "labels": [{"name": "y", "actor": "ada"}], "review": null});
    vec![
        json!({"id": "a", "input": {"amount": 1, "reason": "broken, late", "id": "x"}, "expect": {"y": 1}, "tags": ["labelled"], "source": source}),
        json!({"id": "b", "input": {"amount": 2.5, "new": true}, "expect": {"y": 0, "note": "=1+1"}, "tags": ["labelled", "reviewed"], "group": "g", "source": source}),
    ]
}

/// The types that the input schema of a system would give.
fn types() -> ColumnTypes {
    ColumnTypes::from_properties(&json!({"amount": {"type": "number"}, "new": {"type": "boolean"}}))
}

fn written(format: DatasetFormat, lines: Vec<Value>) -> Result<Written, String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), format, lines, &types()).map_err(|failure| failure.error.to_string())
}

#[test]
fn each_form_holds_the_same_cases() {
    let forms = [
        DatasetFormat::Jsonl,
        DatasetFormat::Csv,
        DatasetFormat::Parquet,
    ];
    let written = forms.map(|form| written(form, lines()).unwrap());
    assert_eq!(written[0].set, written[1].set);
    // The order of lines is no part of a version.
    let turned = lines().into_iter().rev().collect();
    let turned = self::written(DatasetFormat::Jsonl, turned).unwrap();
    assert_eq!(turned.set, written[0].set);
    assert_ne!(turned.file, written[0].file);
}

#[test]
fn what_a_form_cannot_hold_is_refused() {
    let with = |input: Value, expect: Value| {
        vec![json!({"id": "a", "input": input, "expect": expect, "tags": [], "source": {}})]
    };
    let nested = with(json!({"messages": [{"role": "user"}]}), json!({"y": 1}));
    let digits = with(json!({"x": "a"}), json!({"y": "007"}));
    let empty = with(json!({"x": ""}), json!({"y": 1}));
    assert!(written(DatasetFormat::Jsonl, nested.clone()).is_ok());
    for refused in [
        nested.clone(),
        with(json!({"x": "a"}), json!({"y": "1"})),
        empty,
    ] {
        let told = written(DatasetFormat::Csv, refused).unwrap_err();
        assert!(told.contains(".jsonl"), "{told}");
    }
    assert!(written(DatasetFormat::Csv, digits.clone()).is_ok());
    assert!(written(DatasetFormat::Parquet, digits).is_ok());
    let told = written(DatasetFormat::Parquet, nested).unwrap_err();
    assert!(told.contains("`messages`"), "{told}");
}

#[test]
fn nothing_is_overwritten_and_the_same_version_may_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.jsonl");
    let export: DatasetExport = serde_json::from_value(json!({
        "id": "01J9ZC6T7R8Y3V5W1X2Q4K0M9N", "system": "loans", "environment": "production",
        "digest": Digest::of(b"set"), "file": written(DatasetFormat::Jsonl, lines()).unwrap().file,
        "format": "jsonl", "chosen": {}, "counts": {"decisions": 2, "cases": 2},
        "purpose": "a test", "actor": "ada", "at": 1,
    }))
    .unwrap();
    let draft = || {
        write(folder.path(), DatasetFormat::Jsonl, lines(), &types())
            .unwrap()
            .draft
    };
    name(draft(), &path, &export).unwrap();
    assert!(folder.path().join("set.jsonl.provenance.json").exists());
    name(draft(), &path, &export).unwrap();
    std::fs::write(&path, "another").unwrap();
    assert!(name(draft(), &path, &export).is_err());
}
