//! A decision that waits for a person.

use std::time::Duration;

use http::StatusCode;
use plimsoll_core::{Outcome, TenantName};
use serde_json::json;

use crate::contracts::loan;
use crate::support::{ROW_SCHEMA, RULES, TestNode, decisions_of};

const SYSTEM: &str = r#"
purpose = "Decide about loans in tests"
stakes = "high"
unit = "application"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
rules = "rules.toml"

[input]
schema = "input.schema.json"

[output]
schema = "output.schema.json"
unsure = 'answer.decision == "refer"'

[on]
unsure = ["review"]

[review]
queue = "credit"
due = "DUE"
on_expiry = "abstain"

[abstain]
value = { decision = "none" }
"#;

const OUTPUT: &str = r#"{
    "type": "object",
    "properties": {"decision": {"enum": ["approve", "decline", "refer", "none"]}},
    "required": ["decision"]
}"#;

fn files(system: &str) -> Vec<(&'static str, &str)> {
    let mut files: Vec<(&'static str, &str)> = vec![("systems/loan/system.toml", system)];
    files.push(("systems/loan/rules.toml", RULES));
    files.push(("systems/loan/input.schema.json", ROW_SCHEMA));
    files.push(("systems/loan/output.schema.json", OUTPUT));
    assert_eq!(loan().len(), 3);
    files
}

fn doubtful() -> serde_json::Value {
    json!({"input": {"amount": 5000, "city": "Bonn"}})
}

#[tokio::test]
async fn the_answer_reaches_a_caller_who_waits() {
    let system = SYSTEM.replace("DUE", "1h");
    let node = std::sync::Arc::new(TestNode::start(&files(&system)).await);
    let waiting = tokio::spawn({
        let node = std::sync::Arc::clone(&node);
        async move {
            node.post_with(&decisions_of("loan"), &doubtful(), &[("prefer", "wait=20")])
                .await
        }
    });
    let review = loop {
        if let Some(decision) = node.opened_review().await {
            break decision;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let tenant = TenantName::default_tenant();
    let wrong = node.node.answer_review(
        &tenant,
        review,
        json!({"decision": "maybe"}),
        "ada",
        (None, None),
    );
    assert!(
        wrong.await.is_err(),
        "an answer that does not fit the output is refused"
    );
    let answer = json!({"decision": "approve"});
    let decision = node
        .node
        .answer_review(&tenant, review, answer, "ada", (None, None))
        .await
        .unwrap();
    assert_eq!(decision.outcome, Some(Outcome::Reviewed));
    let answered = waiting.await.unwrap();
    assert_eq!(
        answered.json()["outcome"],
        "reviewed",
        "{}",
        answered.text()
    );
    assert_eq!(answered.json()["answer"]["decision"], "approve");
    let path = format!("/v1/decisions/{}", decision.id);
    let polled = node.get(&path).await;
    assert_eq!(
        polled.json()["answer"]["decision"],
        "approve",
        "{}",
        polled.text()
    );
    let again = node.node.answer_review(
        &tenant,
        review,
        json!({"decision": "decline"}),
        "bob",
        (None, None),
    );
    assert!(again.await.is_err(), "an answered review stays answered");
    assert_eq!(node.closed().await.len(), 1);
}

#[tokio::test]
async fn a_caller_who_does_not_wait_is_told_that_a_person_is_needed() {
    let system = SYSTEM.replace("DUE", "1h");
    let node = TestNode::start(&files(&system)).await;
    let answered = node.post(&decisions_of("loan"), &doubtful()).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.json()["outcome"], "pending");
    assert_eq!(answered.json()["meanwhile"]["decision"], "none");
    let at_once = node
        .post_with(
            &decisions_of("loan"),
            &doubtful(),
            &[("prefer", "respond-async")],
        )
        .await;
    assert_eq!(at_once.status, StatusCode::ACCEPTED);
    let path = format!("/v1/decisions/{}", at_once.header("plimsoll-decision"));
    assert_eq!(node.get(&path).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn nobody_in_time_means_the_designed_answer_and_never_an_approval() {
    let system = SYSTEM.replace("DUE", "1ms");
    let node = TestNode::start(&files(&system)).await;
    let asked = node.post(&decisions_of("loan"), &doubtful()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(node.node.expire_reviews().await.unwrap(), 1);
    let path = format!("/v1/decisions/{}", asked.header("plimsoll-decision"));
    let polled = node.get(&path).await.json();
    assert_eq!(polled["outcome"], "expired", "{polled}");
    assert_eq!(polled["answer"]["decision"], "none");
    assert_eq!(node.closed().await[0].outcome, Some(Outcome::Expired));
}

#[tokio::test]
async fn a_review_outlives_a_restart() {
    let system = SYSTEM.replace("DUE", "1h");
    let node = TestNode::start(&files(&system)).await;
    let asked = node.post(&decisions_of("loan"), &doubtful()).await;
    let review = node.opened_review().await.unwrap();
    let node = TestNode::start_in(node.stop().await).await;
    assert!(
        node.closed().await.is_empty(),
        "a decision that waits for a person is no orphan"
    );
    let tenant = TenantName::default_tenant();
    let answer = json!({"decision": "decline"});
    let decision = node
        .node
        .answer_review(&tenant, review, answer, "ada", (None, None))
        .await
        .unwrap();
    assert_eq!(decision.id.to_string(), asked.header("plimsoll-decision"));
}
