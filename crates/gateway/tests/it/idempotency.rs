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
