//! Commands that need no server.

use std::path::Path;
use std::sync::Arc;

use plimsoll_core::record::Aggregate;
use plimsoll_core::{Clock as _, Code, NodeName, Record, SystemClock};
use plimsoll_journal::{Journal, JournalConfig};

use crate::running::Workspace;

const ROWS: &str = r#"{"order_amount": 80, "refund_amount": 30, "days_since_order": 40, "reason": "damaged"}
{"order_amount": "many", "refund_amount": 30, "days_since_order": 40, "reason": "damaged"}
{broken
"#;

#[test]
fn a_starter_workspace_checks_and_its_cases_pass() {
    let workspace = Workspace::predictor();
    let checked = workspace.json(0, &["check"]);
    assert_eq!(checked["ready"], true);
    assert_eq!(checked["systems"][0]["name"], "refund-check");
    let text = workspace.expect(0, &["test", "refund-check"]);
    assert!(
        text.contains("4 of 4 cases of refund-check passed"),
        "{text}"
    );
    assert!(
        !workspace.path("data").exists(),
        "checking and testing leave nothing behind"
    );
}

#[test]
fn a_case_that_differs_fails_and_says_how() {
    let workspace = Workspace::predictor();
    workspace.edit(
        "systems/refund-check/cases.jsonl",
        "\"decision\": \"pay\"",
        "\"decision\": \"refer\"",
    );
    let text = workspace.expect(1, &["test", "refund-check"]);
    assert!(text.contains("✗ a small refund"), "{text}");
    assert!(text.contains("answer: expected"), "{text}");
}

#[test]
fn problems_are_told_with_their_place_and_exit_3() {
    let workspace = Workspace::predictor();
    workspace.edit("systems/refund-check/system.toml", "stakes =", "steaks =");
    let text = workspace.expect(3, &["check"]);
    assert!(text.contains("system.toml:"), "{text}");
    workspace.expect(3, &["serve"]);
    workspace.expect(3, &["test", "refund-check"]);
}

#[test]
fn usage_errors_exit_2() {
    let workspace = Workspace::predictor();
    workspace.expect(2, &["decide"]);
    workspace.expect(2, &["test", "other-system"]);
    workspace.expect(2, &["batch", "rows.xlsx", "out.jsonl"]);
    workspace.expect(2, &["schema", "other.toml"]);
    workspace.expect(2, &["init", workspace.root().to_str().unwrap()]);
}

#[test]
fn nothing_recorded_and_nobody_there_have_codes_of_their_own() {
    let workspace = Workspace::predictor();
    workspace.expect(5, &["decisions"]);
    workspace.expect(5, &["bar"]);
    workspace.expect(4, &["review", "list"]);
    let rows = workspace.write("rows.jsonl", ROWS);
    workspace.expect(
        4,
        &[
            "send",
            rows.to_str().unwrap(),
            "--url",
            "http://127.0.0.1:1",
        ],
    );
}

#[test]
fn a_batch_goes_on_where_it_stopped_and_is_recorded() {
    let workspace = Workspace::predictor();
    let (rows, out) = (
        workspace.write("rows.jsonl", ROWS),
        workspace.path("out.jsonl"),
    );
    let args = ["batch", rows.to_str().unwrap(), out.to_str().unwrap()];
    let done = workspace.json(0, &args);
    assert_eq!(
        (done["answered"].as_u64(), done["skipped"].as_u64()),
        (Some(3), Some(0))
    );
    let whole = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines[0].contains(r#""outcome":"served""#) && lines[0].contains(r#""decision":"pay""#));
    assert!(
        lines[1].contains(r#""code":"contract_type""#),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(r#""code":"json_syntax""#), "{}", lines[2]);

    std::fs::write(&out, format!("{}\n{}", lines[0], &lines[1][..40])).unwrap();
    let done = workspace.json(0, &args);
    assert_eq!(
        (done["answered"].as_u64(), done["skipped"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 3);

    let decisions = workspace.json(0, &["decisions", "--outcome", "refused"]);
    assert_eq!(
        decisions.as_array().unwrap().len(),
        2,
        "asked twice, recorded twice"
    );
    let id = decisions[0]["id"].as_str().unwrap().to_owned();
    let text = workspace.expect(0, &["explain", &id[..20]]);
    assert!(text.contains("✗ contract"), "{text}");
    workspace.expect(1, &["explain", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]);
    let before = workspace.json(0, &["decisions"]);
    workspace.expect(0, &["store", "rebuild"]);
    assert_eq!(workspace.json(0, &["decisions"]), before);
    for name in ["all.csv", "all.parquet"] {
        let file = workspace.path(name);
        workspace.expect(0, &["decisions", "export", "--out", file.to_str().unwrap()]);
        assert!(std::fs::metadata(&file).unwrap().len() > 100);
        workspace.expect(2, &["decisions", "export", "--out", file.to_str().unwrap()]);
    }
}

#[test]
fn a_view_that_stays_behind_the_journal_is_told_on_standard_error_only() {
    let workspace = Workspace::predictor();
    let (rows, out) = (
        workspace.write("rows.jsonl", ROWS),
        workspace.path("out.jsonl"),
    );
    workspace.json(0, &["batch", rows.to_str().unwrap(), out.to_str().unwrap()]);
    let before = workspace.run(&["decisions", "--json"]);
    assert!(before.stderr.is_empty(), "{before:?}");
    append_records(&workspace.path("data"), 2);
    let after = workspace.run(&["decisions", "--json"]);
    assert_eq!(after.stdout, before.stdout);
    let note = String::from_utf8(after.stderr).unwrap();
    assert!(note.contains("2 records behind the journal"), "{note}");
    assert_eq!(note.trim_end().lines().count(), 1, "{note}");
}

/// What a node that was killed at once leaves: records that no projection took in.
fn append_records(data: &Path, count: u64) {
    let config = JournalConfig::new(data);
    let clock = Arc::new(SystemClock::new());
    let node = NodeName::new("node-1").unwrap();
    let journal = Journal::open(config, node, clock.clone()).unwrap().journal;
    for _ in 0..count {
        let (from, to) = (clock.now(), clock.now());
        let aggregate = Aggregate {
            system: None,
            code: Code::JsonSyntax,
            count: 1,
            from,
            to,
        };
        let record = Record::Uncounted(Box::new(aggregate));
        journal.append(&record, None).unwrap();
    }
    journal.close().unwrap();
}

#[test]
fn the_reference_is_written_whole() {
    let workspace = Workspace::predictor();
    let folder = workspace.path("reference");
    workspace.expect(0, &["reference", "--out", folder.to_str().unwrap()]);
    for page in ["cli", "errors", "configuration", "metrics", "control-api"] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.md"))).unwrap();
        assert!(text.starts_with("# "), "{page}");
    }
}

#[test]
fn a_scan_of_outputs_looks_at_links_where_hosts_are_named() {
    let workspace = Workspace::predictor();
    let rows = r#"{"text": "see https://evil.example/x", "allowed_hosts": ["docs.example.org"]}
{"text": "see https://docs.example.org/x", "allowed_hosts": ["docs.example.org"]}
{"text": "see https://evil.example/x"}
"#;
    std::fs::write(workspace.path("rows.jsonl"), rows).unwrap();
    let file = workspace.path("rows.jsonl");
    let told = workspace.expect(
        0,
        &[
            "guard",
            "scan",
            file.to_str().unwrap(),
            "--direction",
            "output",
            "--json",
        ],
    );
    let actions: Vec<String> = told
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["block", "allow", "allow"]);
}
