//! What is refused before a model is asked, and how the caller is told.

use http::StatusCode;
use plimsoll_core::{FailureKind, Outcome};
use serde_json::{Value, json};

use crate::support::{ROW_SCHEMA, RULES, TestNode, decisions_of};

const SYSTEM: &str = r#"
purpose = "Decide about loans in tests"
stakes = "low"
unit = "application"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
rules = "rules.toml"

[input]
schema = "input.schema.json"
rules = { small_in_ulm = 'inputs.city != "Ulm" || inputs.amount < 500.0' }
"#;

pub(crate) fn loan() -> Vec<(&'static str, &'static str)> {
    vec![
        ("systems/loan/system.toml", SYSTEM),
        ("systems/loan/rules.toml", RULES),
        ("systems/loan/input.schema.json", ROW_SCHEMA),
    ]
}

async fn ask(node: &TestNode, input: Value) -> Value {
    node.post(&decisions_of("loan"), &json!({"input": input}))
        .await
        .json()
}

#[tokio::test]
async fn a_row_that_fits_is_answered_and_recorded() {
    let node = TestNode::start(&loan()).await;
    let answered = node
        .post(
            &decisions_of("loan"),
            &json!({"input": {"amount": 20, "city": "Bonn"}}),
        )
        .await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
    let row = answered.json();
    assert_eq!(row["outcome"], "served");
    assert_eq!(row["answer"], json!({"decision": "approve"}));
    assert_eq!(answered.header("plimsoll-outcome"), "served");
    assert_eq!(
        answered.header("plimsoll-decision"),
        row["decision"].as_str().unwrap()
    );
    let closed = node.closed().await;
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].outcome, Some(Outcome::Served));
    assert_eq!(closed[0].id.to_string(), row["decision"].as_str().unwrap());
    assert_eq!(
        closed[0].release.to_string(),
        answered.header("plimsoll-release")
    );
}

#[tokio::test]
async fn what_does_not_fit_names_the_field_and_the_rule_and_never_the_value() {
    let node = TestNode::start(&loan()).await;
    for (input, code, field) in [
        (
            json!({"amount": "20", "city": "Bonn"}),
            "contract_type",
            "amount",
        ),
        (
            json!({"amount": -1, "city": "Bonn"}),
            "contract_range",
            "amount",
        ),
        (
            json!({"amount": 1, "city": "Atlantis"}),
            "contract_category",
            "city",
        ),
        (json!({"city": "Bonn"}), "contract_missing", "amount"),
        (
            json!({"amount": 1, "city": "Bonn", "x": 1}),
            "contract_unknown_field",
            "x",
        ),
        (json!({"amount": 700, "city": "Ulm"}), "contract_rule", ""),
    ] {
        let row = ask(&node, input.clone()).await;
        assert_eq!(row["outcome"], "refused", "{row}");
        assert_eq!(row["kind"], "malformed");
        assert_eq!(row["error"]["code"], code, "{row}");
        let details = row["error"]["details"].as_array().unwrap();
        assert!(
            field.is_empty() || details.iter().any(|d| d["field"] == field),
            "{row}"
        );
        assert!(!row.to_string().contains("Atlantis"), "{row}");
    }
    let closed = node.closed().await;
    assert_eq!(closed.len(), 6);
    assert!(
        closed
            .iter()
            .all(|d| d.kind == Some(FailureKind::Malformed) && d.attempts.is_empty())
    );
}

#[tokio::test]
async fn each_row_of_a_batch_is_a_decision_with_an_outcome_of_its_own() {
    let node = TestNode::start(&loan()).await;
    let rows = json!([
        {"amount": 20, "city": "Bonn"},
        {"amount": "many", "city": "Bonn"},
        {"amount": 5000, "city": "Bonn"},
    ]);
    let answered = node
        .post(&decisions_of("loan"), &json!({"inputs": rows}))
        .await;
    assert_eq!(answered.status, StatusCode::OK);
    let body = answered.json();
    let outcomes: Vec<_> = body["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["outcome"])
        .collect();
    assert_eq!(outcomes, ["served", "refused", "served"]);
    assert_eq!(body["decisions"][2]["answer"]["decision"], "refer");
    let closed = node.closed().await;
    assert_eq!(closed.iter().map(|d| d.row).max(), Some(2));
    assert!(closed.iter().all(|d| d.request == closed[0].request));
}

#[tokio::test]
async fn a_body_that_is_no_strict_json_is_one_malformed_decision() {
    let node = TestNode::start(&loan()).await;
    let deep = format!("{{\"input\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    for (body, code) in [
        (
            "{\"input\": {\"amount\": 1, \"amount\": 2, \"city\": \"Bonn\"}}",
            "json_duplicate_key",
        ),
        ("{\"input\": {\"amount\": NaN}}", "json_"),
        ("{\"input\": {\"city\": \"\\ud800\"}}", "json_surrogate"),
        ("{\"input\": {\"amount\": 1", "json_syntax"),
        ("", "json_syntax"),
        ("{\"input\": {}, \"inputs\": []}", "json_syntax"),
        (deep.as_str(), "json_depth"),
    ] {
        let request = node.request(
            http::Method::POST,
            &decisions_of("loan"),
            body.to_owned(),
            &[],
        );
        let answered = node.send(request).await;
        assert!(answered.status.is_client_error(), "{body}");
        let found = answered.json()["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(found.starts_with(code), "{body}: {found}");
    }
    assert_eq!(node.closed().await.len(), 7);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let mut files = loan();
    files.push((
        "plimsoll.toml",
        "[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\nbody_max = \"1 KiB\"\n",
    ));
    let node = TestNode::start(&files).await;
    let answered = node
        .post(&decisions_of("loan"), &json!({"input": "x".repeat(2000)}))
        .await;
    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answered.json()["error"]["code"], "body_too_large");
}

#[tokio::test]
async fn an_unknown_system_is_refused_and_is_no_decision() {
    let node = TestNode::start(&loan()).await;
    let answered = node
        .post(&decisions_of("lone"), &json!({"input": {}}))
        .await;
    assert_eq!(answered.status, StatusCode::NOT_FOUND);
    assert_eq!(answered.json()["error"]["code"], "system_not_found");
    assert!(node.closed().await.is_empty());
    assert!(
        node.node
            .metrics()
            .contains(r#"plimsoll_refused_total{code="system_not_found"} 1"#)
    );
}

#[tokio::test]
async fn observe_mode_enforces_nothing_and_notes_what_it_would_have_done() {
    let observing = SYSTEM.replace("stakes = \"low\"", "stakes = \"low\"\nmode = \"observe\"");
    let mut files = loan();
    files[0] = ("systems/loan/system.toml", observing.as_str());
    let node = TestNode::start(&files).await;
    let row = ask(&node, json!({"amount": 700, "city": "Ulm"})).await;
    assert_eq!(row["outcome"], "served", "{row}");
    let closed = node.closed().await;
    assert_eq!(closed[0].observed, [plimsoll_core::Code::ContractRule]);
}

#[tokio::test]
async fn a_slow_sender_is_told_so_and_holds_nobody_else_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut files = loan();
    files.push((
        "plimsoll.toml",
        "[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\nbody_timeout = \"200ms\"\n",
    ));
    let node = TestNode::start(&files).await;
    let mut slow = tokio::net::TcpStream::connect(node.address())
        .await
        .unwrap();
    let head = "POST /v1/systems/loan/decisions HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let row = ask(&node, json!({"amount": 20, "city": "Bonn"})).await;
    assert_eq!(row["outcome"], "served");
    let mut answer = vec![0; 4096];
    let read = slow.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_value_is_coerced_only_where_the_contract_allows_it_and_the_record_says_so() {
    let lossless = SYSTEM.replace("rules = {", "coerce = \"lossless\"\nrules = {");
    let mut files = loan();
    files[0].1 = &lossless;
    let node = TestNode::start(&files).await;
    let row = ask(&node, json!({"amount": "20", "city": "Bonn"})).await;
    assert_eq!(row["answer"], json!({"decision": "approve"}), "{row}");
    let row = ask(&node, json!({"amount": "020", "city": "Bonn"})).await;
    assert_eq!(row["error"]["code"], "contract_type", "{row}");
    let row = ask(&node, json!({"amount": "-1", "city": "Bonn"})).await;
    assert_eq!(row["error"]["code"], "contract_range", "{row}");
    let closed = node.closed().await;
    let changed: Vec<_> = closed.iter().map(|one| one.spliced.as_slice()).collect();
    assert_eq!(changed, [&["inputs.amount".to_owned()][..], &[], &[]]);
}
