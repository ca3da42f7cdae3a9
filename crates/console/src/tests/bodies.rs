//! What callers send is bounded and strict.

use http::StatusCode;

use super::{Ask, app};
use crate::*;

#[tokio::test]
async fn queries_are_bounded_and_their_errors_name_the_parameter() {
    let (app, node) = app();
    for (path, named) in [
        ("decisions?limit=1001", "limit"),
        ("decisions?limit=0", "limit"),
        ("decisions?limit=-1", "limit"),
        ("decisions?outcome=fine", "outcome"),
        ("decisions?kind=odd", "kind"),
        ("decisions?since=yesterday", "since"),
        ("decisions?before=x", "before"),
        ("decisions?system=../x", "system"),
        ("decisions?colour=red", "colour"),
        ("decisions/01J9/payload", "purpose"),
        ("decisions/01J9/payload?purpose=%20", "purpose"),
        ("decisions/01J9/payload?purpose=a&through=review", "through"),
        ("reviews/01J9?purpose=%1b", "purpose"),
        ("audit/accesses?limit=1001", "limit"),
        ("audit/accesses?decision=x", "decision"),
        ("audit/accesses?until=soon", "until"),
        ("systems/x/as-of", "at"),
        ("systems/x/as-of?at=noon", "at"),
        ("systems/x/as-of?at=2026-03-14&environment=Ü", "environment"),
    ] {
        let path = format!("/api/v1/{path}");
        let (status, body) = Ask::get(&path).send(&app).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
        assert!(body.contains(named), "{path}: {body}");
    }
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn bodies_are_bounded_and_strict() {
    let (app, node) = app();
    let large = format!(r#"{{"answer":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    let path = "/api/v1/reviews/01J9/answer";
    for (body, status) in [
        (large.as_str(), 413),
        ("{", 400),
        ("[1]", 400),
        ("null", 400),
        (r#"{"note":"no answer"}"#, 400),
        (r#"{"answer":1,"extra":2}"#, 400),
    ] {
        let (got, text) = Ask::post(path, body).send(&app).await;
        assert_eq!(got.as_u16(), status, "{text}");
    }
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn what_is_said_for_the_record_is_said_in_words() {
    let (app, node) = app();
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(2_001));
    for path in [
        "/api/v1/systems/x/halt",
        "/api/v1/systems/x/fallback",
        "/api/v1/systems/x/resume",
        "/api/v1/systems/x/rollback",
        "/api/v1/audit/holds/01J9/lift",
    ] {
        for body in ["", r#"{"reason":" "}"#, r#"{"reason":"\u001b[2J"}"#, &long] {
            let (status, text) = Ask::post(path, body).send(&app).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}: {text}");
            assert!(text.contains("reason"), "{text}");
        }
    }
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn an_erasure_says_of_what_and_by_which_right() {
    let (app, node) = app();
    let many = vec!["01J9ZZZZZZZZZZZZZZZZZZZZZZ"; 1_001];
    let many = serde_json::json!({"basis": "b", "decisions": many}).to_string();
    for body in [
        r#"{"subject":"4711"}"#,
        r#"{"basis":"b"}"#,
        r#"{"basis":" ","subject":"4711"}"#,
        r#"{"basis":"b","subject":""}"#,
        r#"{"basis":"b","subject":"4711","decisions":["01J9ZZZZZZZZZZZZZZZZZZZZZZ"]}"#,
        r#"{"basis":"b","decisions":["01J9"]}"#,
        r#"{"basis":"b","tenant":"acme","decisions":["01J9ZZZZZZZZZZZZZZZZZZZZZZ"]}"#,
        &many,
    ] {
        let (status, text) = Ask::post("/api/v1/audit/erasures", body).send(&app).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {text}");
    }
    assert!(node.asked().is_empty());
    let body = r#"{"subject":null,"decisions":["01J9ZZZZZZZZZZZZZZZZZZZZZZ"],"basis":"b","reason":null,"dry_run":true}"#;
    let erase = Ask::post("/api/v1/audit/erasures", body);
    assert_eq!(erase.refused(&app).await, "store_unavailable");
    assert_eq!(node.asked(), ["erasable b", "erase b dry true operator"]);
}

#[tokio::test]
async fn a_hold_covers_something() {
    let (app, node) = app();
    let body = r#"{"kind":"freeze","reason":"case 7","since":2,"until":2}"#;
    let hold = Ask::post("/api/v1/audit/holds", body);
    assert_eq!(hold.refused(&app).await, "parameter_unfit");
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn what_is_no_route_is_a_typed_error() {
    let (app, _) = app();
    let ask = Ask::get("/v1/chat/completions");
    let none = Ask { token: None, ..ask };
    assert_eq!(none.refused(&app).await, "route_not_found");
    let delete = Ask {
        method: "DELETE",
        ..Ask::get("/api/v1/systems")
    };
    assert_eq!(delete.refused(&app).await, "method_not_allowed");
}
