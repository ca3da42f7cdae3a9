//! Callers say what turned out to be true.

use http::{Method, StatusCode};
use plimsoll_core::Record;
use plimsoll_core::label::{Label, LabelValue};
use serde_json::{Value, json};

use crate::contracts::loan;
use crate::support::{TestNode, decisions_of};

async fn decided(node: &TestNode, headers: &[(&str, &str)]) -> String {
    let body = json!({"input": {"amount": 10, "city": "Ulm"}});
    let answered = node.post_with(&decisions_of("loan"), &body, headers).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
    answered.header("plimsoll-decision").to_owned()
}

/// Waits until the database knows of a decision.
async fn until_known(node: &TestNode, id: &str, headers: &[(&str, &str)]) {
    for _ in 0..200 {
        let path = format!("/v1/decisions/{id}");
        let request = node.request(Method::GET, &path, String::new(), headers);
        if node.send(request).await.status == StatusCode::OK {
            return;
        }
    }
}

fn path(decision: &str) -> String {
    format!("/v1/decisions/{decision}/labels")
}

async fn labels(node: &TestNode) -> Vec<Label> {
    let label = |record| match record {
        Record::Label(label) => Some(*label),
        _ => None,
    };
    node.records().await.into_iter().filter_map(label).collect()
}

fn states(body: &Value) -> Vec<String> {
    let told = body["labels"].as_array().unwrap();
    let state = |one: &Value| one["state"].as_str().unwrap().to_owned();
    told.iter().map(state).collect()
}

#[tokio::test]
async fn a_label_is_recorded_once_and_a_correction_beside_it() {
    let node = TestNode::start(&loan()).await;
    let id = decided(&node, &[]).await;
    node.projected().await;
    let yes = json!({"value": true, "name": "repaid", "observed_at": "2026-03-14T09:00:00Z"});
    let first = node.post(&path(&id), &yes).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(states(&first.json()), ["joined"]);
    let kept = labels(&node).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].decision.to_string(), id);
    assert_eq!(kept[0].value, LabelValue::Flag(true));
    assert!(kept[0].observed_at.is_some());
    let both = json!({"labels": [
        {"value": true, "name": "again"}, {"value": false, "name": "again"},
        {"value": false, "name": "again"},
    ]});
    let told = node.post(&path(&id), &both).await.json();
    assert_eq!(states(&told), ["joined", "corrected", "repeated"]);
    assert_eq!(labels(&node).await.len(), 3);
}

#[tokio::test]
async fn a_label_about_a_decision_that_nobody_knows_waits() {
    let node = TestNode::start(&loan()).await;
    let told = node
        .post(&path("01J9ZC6T7R8Y3V5W1X2Q4K0M9N"), &json!({"value": 3.5}))
        .await;
    assert_eq!(told.status, StatusCode::ACCEPTED, "{}", told.text());
    assert_eq!(states(&told.json()), ["waiting"]);
    assert_eq!(labels(&node).await[0].name.as_str(), "label");
}

#[tokio::test]
async fn what_can_be_no_label_is_named_and_nothing_is_recorded() {
    let node = TestNode::start(&loan()).await;
    let id = "01J9ZC6T7R8Y3V5W1X2Q4K0M9N";
    for (body, says) in [
        (json!({}), "value"),
        (json!({"value": null}), "null"),
        (json!({"value": [1]}), "a list"),
        (json!({"value": ""}), "empty"),
        (json!({"value": "x".repeat(257)}), "257 bytes"),
        (json!({"value": 1, "name": "No Name"}), "`name`"),
        (json!({"value": 1, "observed_at": "soon"}), "observed_at"),
        (json!({"value": 1, "values": 2}), "values"),
        (json!({"labels": []}), "empty"),
        (
            json!({"labels": [{"value": 1}, {"value": {}}]}),
            "label 1: the value is an object",
        ),
    ] {
        let told = node.post(&path(id), &body).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let error = &told.json()["error"];
        assert_eq!(error["code"], "label_unfit", "{body}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
    let nan = node.request(Method::POST, &path(id), r#"{"value": NaN}"#.into(), &[]);
    assert_eq!(node.send(nan).await.status, StatusCode::BAD_REQUEST);
    let future = path("7ZZZZZZZZZ8Y3V5W1X2Q4K0M9N");
    let told = node.post(&future, &json!({"value": 1})).await;
    assert!(
        told.text().contains("lies in the future"),
        "{}",
        told.text()
    );
    let told = node.post(&path("nonsense"), &json!({"value": 1})).await;
    assert_eq!(told.status, StatusCode::NOT_FOUND);
    assert!(labels(&node).await.is_empty());
}

#[tokio::test]
async fn another_tenants_decision_waits_like_one_that_nobody_knows() {
    let mut files = loan();
    files.push((
        "plimsoll.toml",
        r#"
[server]
data_address = "127.0.0.1:0"
workers = 1

[keys.acme]
secret = { env = "TEST_KEY_A" }
tenant = "acme"
systems = ["loan"]

[keys.globex]
secret = { env = "TEST_KEY_B" }
tenant = "globex"
systems = ["loan"]
"#,
    ));
    let node = TestNode::start(&files).await;
    let acme = [("authorization", "Bearer secret-of-TEST_KEY_A")];
    let globex = [("authorization", "Bearer secret-of-TEST_KEY_B")];
    let id = decided(&node, &acme).await;
    until_known(&node, &id, &acme).await;
    let theirs = node
        .post_with(&path(&id), &json!({"value": 1}), &globex)
        .await;
    assert_eq!(theirs.status, StatusCode::ACCEPTED);
    assert_eq!(states(&theirs.json()), ["waiting"]);
    let own = node
        .post_with(&path(&id), &json!({"value": 1}), &acme)
        .await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text());
    assert_eq!(states(&own.json()), ["joined"]);
    let nobody = node.post(&path(&id), &json!({"value": 1})).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    let kept = labels(&node).await;
    let whose: Vec<&str> = kept.iter().map(|label| label.tenant.as_str()).collect();
    assert_eq!(whose, ["globex", "acme"]);
    assert_eq!(kept[0].actor, "globex");
}

#[tokio::test]
async fn a_key_labels_no_decision_of_a_system_that_it_may_not_use() {
    let mut files = loan();
    let other: Vec<(String, &str)> = files
        .iter()
        .filter_map(|(path, text)| {
            let name = path.strip_prefix("systems/loan/")?;
            Some((format!("systems/other/{name}"), *text))
        })
        .collect();
    files.extend(other.iter().map(|(path, text)| (path.as_str(), *text)));
    files.push((
        "plimsoll.toml",
        r#"
[server]
data_address = "127.0.0.1:0"
workers = 1

[keys.all]
secret = { env = "TEST_KEY_A" }
systems = ["*"]

[keys.narrow]
secret = { env = "TEST_KEY_B" }
systems = ["other"]
"#,
    ));
    let node = TestNode::start(&files).await;
    let all = [("authorization", "Bearer secret-of-TEST_KEY_A")];
    let narrow = [("authorization", "Bearer secret-of-TEST_KEY_B")];
    let id = decided(&node, &all).await;
    until_known(&node, &id, &all).await;
    let yes = json!({"value": true});
    let told = node.post_with(&path(&id), &yes, &all).await;
    assert_eq!(states(&told.json()), ["joined"]);
    // Neither is it recorded, nor does it say whether it is what stands.
    for value in [true, false] {
        let told = node
            .post_with(&path(&id), &json!({"value": value}), &narrow)
            .await;
        assert_eq!(states(&told.json()), ["waiting"]);
    }
    assert_eq!(labels(&node).await.len(), 1);
}
