//! Who may ask for what.

use http::StatusCode;
use serde_json::json;

use crate::contracts::loan;
use crate::support::{TestNode, decisions_of};

const KEYS: &str = r#"
[server]
data_address = "127.0.0.1:0"
workers = 1

[keys.web]
secret = { env = "TEST_KEY_WEB" }
systems = ["loan"]

[keys.other]
secret = { env = "TEST_KEY_OTHER" }
systems = ["nothing-of-this"]
tenant = "acme"
"#;

#[tokio::test]
async fn a_key_opens_its_systems_and_no_other() {
    let keys = KEYS.replace("[\"nothing-of-this\"]", "[\"second\"]");
    let mut files = loan();
    files.push(("plimsoll.toml", keys.as_str()));
    files.push(("systems/second/system.toml", files[0].1));
    files.push(("systems/second/rules.toml", files[1].1));
    files.push(("systems/second/input.schema.json", files[2].1));
    let node = TestNode::start(&files).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let ask = async |headers: &[(&str, &str)]| {
        node.post_with(&decisions_of("loan"), &body, headers).await
    };
    let none = ask(&[]).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
    assert_eq!(none.header("www-authenticate"), "Bearer");
    let wrong = ask(&[("authorization", "Bearer secret-of-TEST_KEY_WE")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.text().contains("TEST_KEY"), "{}", wrong.text());
    let other = ask(&[("authorization", "Bearer secret-of-TEST_KEY_OTHER")]).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    let right = ask(&[("authorization", "Bearer secret-of-TEST_KEY_WEB")]).await;
    assert_eq!(right.status, StatusCode::OK, "{}", right.text());
    let by_header = ask(&[("x-api-key", "secret-of-TEST_KEY_WEB")]).await;
    assert_eq!(by_header.status, StatusCode::OK);
    let closed = node.closed().await;
    assert_eq!(closed.len(), 2, "who is not let in makes no decision");
    assert_eq!(closed[0].key.as_ref().unwrap().as_str(), "web");
}

#[tokio::test]
async fn a_decision_is_not_told_to_another_tenant() {
    let keys = KEYS.replace("[\"nothing-of-this\"]", "[\"*\"]");
    let mut files = loan();
    files.push(("plimsoll.toml", keys.as_str()));
    let node = TestNode::start(&files).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let web = [("authorization", "Bearer secret-of-TEST_KEY_WEB")];
    let asked = node.post_with(&decisions_of("loan"), &body, &web).await;
    let path = format!("/v1/decisions/{}", asked.header("plimsoll-decision"));
    let other = [("authorization", "Bearer secret-of-TEST_KEY_OTHER")];
    let request = node.request(http::Method::GET, &path, String::new(), &other);
    assert_eq!(node.send(request).await.status, StatusCode::NOT_FOUND);
}
