//! The Open Inference Protocol v2.

use http::StatusCode;
use serde_json::json;

use crate::contracts::loan;
use crate::support::TestNode;

#[tokio::test]
async fn columns_go_in_and_a_tensor_per_answer_key_comes_out() {
    let node = TestNode::start(&loan()).await;
    assert_eq!(node.get("/v2/health/ready").await.status, StatusCode::OK);
    let metadata = node.get("/v2/models/loan").await.json();
    assert_eq!(metadata["inputs"][0]["name"], "amount", "{metadata}");
    let request = json!({"id": "7", "inputs": [
        {"name": "amount", "shape": [3, 1], "datatype": "FP64", "data": [20.0, 5000.0, -1.0]},
        {"name": "city", "shape": [3], "datatype": "BYTES", "data": ["Bonn", "Bonn", "Bonn"]},
    ]});
    let body = node.post("/v2/models/loan/infer", &request).await.json();
    assert_eq!(body["id"], "7");
    let tensor = |name: &str| {
        let outputs = body["outputs"].as_array().unwrap();
        outputs
            .iter()
            .find(|output| output["name"] == name)
            .unwrap()["data"]
            .clone()
    };
    assert_eq!(tensor("decision"), json!(["approve", "refer", ""]));
    assert_eq!(
        tensor("plimsoll_outcome"),
        json!(["served", "served", "refused"])
    );
    assert_eq!(tensor("plimsoll_decision").as_array().unwrap().len(), 3);
    assert_eq!(node.closed().await.len(), 3);
}

#[tokio::test]
async fn what_does_not_fit_is_told_in_the_protocols_own_shape() {
    let node = TestNode::start(&loan()).await;
    let one = json!({"inputs": [
        {"name": "amount", "shape": [1], "datatype": "FP64", "data": [-1.0]},
        {"name": "city", "shape": [1], "datatype": "BYTES", "data": ["Bonn"]},
    ]});
    let refused = node.post("/v2/models/loan/infer", &one).await;
    assert!(refused.status.is_client_error());
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("contract_range"),
        "{}",
        refused.text()
    );
    let shape =
        json!({"inputs": [{"name": "amount", "shape": [2], "datatype": "FP64", "data": [1.0]}]});
    let refused = node.post("/v2/models/loan/infer", &shape).await;
    assert!(
        refused.json()["error"]
            .as_str()
            .unwrap()
            .contains("tensor_unfit"),
        "{}",
        refused.text()
    );
}
