//! Idempotency keys.

use http::StatusCode;
use serde_json::json;

use crate::contracts::loan;
use crate::support::{TestNode, decisions_of};

#[tokio::test]
async fn the_same_key_makes_one_decision() {
    let node = TestNode::start(&loan()).await;
    let key = [("idempotency-key", "order-7")];
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let first = node.post_with(&decisions_of("loan"), &body, &key).await;
    let again = node.post_with(&decisions_of("loan"), &body, &key).await;
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(
        first.header("plimsoll-decision"),
        again.header("plimsoll-decision")
    );
    let other = json!({"input": {"amount": 21, "city": "Bonn"}});
    let mismatch = node.post_with(&decisions_of("loan"), &other, &key).await;
    assert_eq!(mismatch.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(mismatch.json()["error"]["code"], "idempotency_mismatch");
    let closed = node.closed().await;
    assert_eq!(closed.len(), 1);
    assert!(closed[0].idempotency.is_some());
}

#[tokio::test]
async fn a_key_that_was_used_before_a_restart_does_nothing_twice() {
    let node = TestNode::start(&loan()).await;
    let key = [("idempotency-key", "order-8")];
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let first = node.post_with(&decisions_of("loan"), &body, &key).await;
    let node = TestNode::start_in(node.stop().await).await;
    let again = node.post_with(&decisions_of("loan"), &body, &key).await;
    assert_eq!(
        again.json()["error"]["code"],
        "idempotency_not_kept",
        "{}",
        again.text()
    );
    assert!(again.text().contains(first.header("plimsoll-decision")));
    assert_eq!(node.closed().await.len(), 1);
}
