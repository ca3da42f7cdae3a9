//! Who somebody is, and who they are not.

use axum::body::Body;
use http::{Request, StatusCode};
use plimsoll_core::Secret;
use plimsoll_spec::{Operator, Role};
use tower::ServiceExt as _;

use super::{Ask, app, named, operators};
use crate::tests::node::Noting;
use crate::*;

const DRILLS: &str = "/api/v1/systems/x/drills";

#[tokio::test]
async fn two_tokens_are_none() {
    let (app, _) = app();
    let request = Request::get("/api/v1/systems")
        .header("authorization", "Bearer right")
        .header("authorization", "Bearer right")
        .body(Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn the_owner_is_who_they_say_or_the_operator() {
    let (app, node) = app();
    let drill = Ask::post(DRILLS, r#"{"kind":"slow"}"#);
    for (actor, status) in [("ada", 200), ("", 400), (&"x".repeat(129), 400)] {
        let (got, body) = drill.acting(actor).send(&app).await;
        assert_eq!(got.as_u16(), status, "{actor}: {body}");
    }
    let (status, _) = Ask::post(DRILLS, "").send(&app).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        node.asked(),
        ["drill x Some(Slow) ada", "drill x None operator"]
    );
}

#[tokio::test]
async fn a_named_operator_is_nobody_else() {
    let (app, node) = app();
    for actor in ["ada", "anna", "", &"x".repeat(1_000)] {
        let ask = Ask::post(DRILLS, "").with("token-of-otto").acting(actor);
        let (status, body) = ask.send(&app).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    let asked = node.asked();
    assert!(
        asked.iter().all(|what| what == "drill x None otto"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn nobody_else_acts_under_the_name_of_a_named_operator() {
    let (app, node) = app();
    let ask = Ask::post(DRILLS, "").acting("otto");
    assert_eq!(ask.refused(&app).await, "actor_taken");
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn who_is_named_no_longer_is_known_no_longer() {
    let operators = operators();
    let node = std::sync::Arc::new(Noting::default());
    let app = router(node, operators.clone());
    let ask = Ask::get("/api/v1/systems").with("token-of-otto");
    assert_eq!(ask.send(&app).await.0, StatusCode::OK);
    let others: Vec<Operator> = named()
        .into_iter()
        .filter(|operator| operator.name != "otto")
        .collect();
    operators.replace(&others);
    assert_eq!(ask.send(&app).await.0, StatusCode::UNAUTHORIZED);
    let rita = ask.with("token-of-rita");
    assert_eq!(rita.send(&app).await.0, StatusCode::OK);
    assert_eq!(ask.with(super::OWNER).send(&app).await.0, StatusCode::OK);
}

#[tokio::test]
async fn whoever_was_given_the_owners_token_has_their_own_roles_alone() {
    let owner = OperatorToken::new(&Secret::new("shared".into()));
    let udo = Operator {
        name: "udo".into(),
        token: Secret::new("shared".into()),
        roles: [Role::Auditor].into(),
        tenant: None,
    };
    let node = std::sync::Arc::new(Noting::default());
    let app = router(node, Operators::new(owner, &[udo]));
    let reload = Ask::post("/api/v1/reload", "").with("shared");
    assert_eq!(reload.refused(&app).await, "role_missing");
}

#[tokio::test]
async fn what_is_missing_is_said_with_the_way_to_it() {
    let (app, _) = app();
    let ask = Ask::post("/api/v1/reload", "").with("token-of-rita");
    let (_, body) = ask.send(&app).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let said = |part: &str| body["error"][part].as_str().unwrap().to_owned();
    assert_eq!(
        said("message"),
        "`rita` may not do this: it takes one of the roles operator"
    );
    assert_eq!(
        said("hint"),
        "the roles of `rita` are reviewer; `[operators.rita]` in plimsoll.toml gives them"
    );
}
