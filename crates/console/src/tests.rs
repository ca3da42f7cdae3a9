//! Every route, through one table of calls: a route without a row here fails the first test.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use plimsoll_control::bar::Report;
use plimsoll_core::record::{Deployment, Drill, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{Code, Decision, FailureKind, Secret, SystemName};
use plimsoll_store::DecisionFilter;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::operations::Answer;
use crate::*;

/// A node that notes what it was asked, and has nothing.
#[derive(Default)]
struct Empty {
    asked: Mutex<Vec<String>>,
}

impl Empty {
    fn note<T: Send + 'static>(&self, what: String, answer: Result<T, ApiError>) -> Answer<'_, T> {
        self.asked.lock().unwrap().push(what);
        Box::pin(async move { answer })
    }
}

fn nothing<T>() -> Result<T, ApiError> {
    Err(ApiError::of(Code::StoreUnavailable, "nothing here"))
}

impl Operations for Empty {
    fn readiness(&self) -> Readiness {
        Readiness {
            ready: false,
            detail: json!({"why": "test"}),
        }
    }
    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
    fn systems(&self) -> Vec<SystemSummary> {
        Vec::new()
    }
    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report> {
        self.note(
            format!("bar {system}"),
            Err(ApiError::no_system(system.as_str())),
        )
    }
    fn decisions(&self, filter: DecisionFilter) -> Answer<'_, Vec<Decision>> {
        self.note(format!("decisions {filter:?}"), Ok(Vec::new()))
    }
    fn decision<'a>(&'a self, id: &'a str) -> Answer<'a, Decision> {
        self.note(format!("decision {id}"), nothing())
    }
    fn reviews(&self, filter: ReviewFilter) -> Answer<'_, Vec<Review>> {
        self.note(format!("reviews {filter:?}"), Ok(Vec::new()))
    }
    fn review<'a>(&'a self, id: &'a str) -> Answer<'a, Review> {
        self.note(format!("review {id}"), nothing())
    }
    fn answer_review<'a>(
        &'a self,
        id: &'a str,
        answer: ReviewAnswer,
        actor: &'a str,
    ) -> Answer<'a, Decision> {
        self.note(format!("answer {id} {} {actor}", answer.answer), nothing())
    }
    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        actor: &'a str,
    ) -> Answer<'a, Vec<Drill>> {
        self.note(format!("drill {system} {kind:?} {actor}"), Ok(Vec::new()))
    }
    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView> {
        self.note(format!("runbook {system}"), nothing())
    }
    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        actor: &'a str,
    ) -> Answer<'a, RunbookRun> {
        self.note(
            format!("run {system} {} {actor}", run.steps.len()),
            nothing(),
        )
    }
    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>> {
        self.note(format!("releases {system:?}"), Ok(Vec::new()))
    }
    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord> {
        self.note(format!("release {id}"), nothing())
    }
    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        actor: &'a str,
    ) -> Answer<'a, Deployment> {
        self.note(
            format!("deploy {system} {} {actor}", request.release),
            nothing(),
        )
    }
    fn reload(&self) -> Answer<'_, Value> {
        self.note("reload".into(), Ok(json!({"changed": []})))
    }
}

/// How a route is called here, and what the node that has nothing answers to the right token.
struct Call {
    route: (&'static str, &'static str),
    path: &'static str,
    body: &'static str,
    status: u16,
}

const fn call(method: &'static str, route: &'static str, path: &'static str, status: u16) -> Call {
    Call {
        route: (method, route),
        path,
        body: "",
        status,
    }
}

const RUN: &str = r#"{"runbook":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","started_at":1,"steps":[]}"#;

const CALLS: &[Call] = &[
    call("GET", "/healthz", "/healthz", 200),
    call("GET", "/readyz", "/readyz", 503),
    call("GET", "/metrics", "/metrics", 200),
    call("GET", "/api/v1/systems", "/api/v1/systems", 200),
    call(
        "GET",
        "/api/v1/systems/{system}/bar",
        "/api/v1/systems/x/bar",
        404,
    ),
    call(
        "POST",
        "/api/v1/systems/{system}/drills",
        "/api/v1/systems/x/drills",
        200,
    ),
    call(
        "GET",
        "/api/v1/systems/{system}/runbook",
        "/api/v1/systems/x/runbook",
        503,
    ),
    Call {
        body: RUN,
        ..call(
            "POST",
            "/api/v1/systems/{system}/runbook-runs",
            "/api/v1/systems/x/runbook-runs",
            503,
        )
    },
    Call {
        body: r#"{"release":"3f9"}"#,
        ..call(
            "POST",
            "/api/v1/systems/{system}/deployments",
            "/api/v1/systems/x/deployments",
            503,
        )
    },
    call(
        "GET",
        "/api/v1/decisions",
        "/api/v1/decisions?limit=5&outcome=open",
        200,
    ),
    call(
        "GET",
        "/api/v1/decisions/{id}",
        "/api/v1/decisions/01J9",
        503,
    ),
    call(
        "GET",
        "/api/v1/reviews",
        "/api/v1/reviews?queue=credit",
        200,
    ),
    call("GET", "/api/v1/reviews/{id}", "/api/v1/reviews/01J9", 503),
    Call {
        body: r#"{"answer":{"decision":"grant"},"note":"seen"}"#,
        ..call(
            "POST",
            "/api/v1/reviews/{id}/answer",
            "/api/v1/reviews/01J9/answer",
            503,
        )
    },
    call("GET", "/api/v1/releases", "/api/v1/releases?system=x", 200),
    call("GET", "/api/v1/releases/{id}", "/api/v1/releases/3f9", 503),
    call("POST", "/api/v1/reload", "/api/v1/reload", 200),
    call("GET", "/api/v1/openapi.json", "/api/v1/openapi.json", 200),
];

fn app() -> (Router, Arc<Empty>) {
    let node = Arc::new(Empty::default());
    let token = OperatorToken::new(&Secret::new("right".into()));
    (
        router(Arc::clone(&node) as Arc<dyn Operations>, token),
        node,
    )
}

async fn send(
    app: &Router,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn every_route_has_a_row_in_the_table_of_calls() {
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method, route.path))
        .collect();
    let called: BTreeSet<_> = CALLS.iter().map(|call| call.route).collect();
    assert_eq!(routes, called);
    let operations: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
    assert_eq!(operations.len(), ROUTES.len());
}

#[tokio::test]
async fn every_route_needs_the_right_token_unless_it_is_open() {
    let (app, node) = app();
    for call in CALLS {
        let open = ROUTES
            .iter()
            .any(|route| (route.method, route.path) == call.route && route.open);
        for token in [None, Some("wrong"), Some(""), Some("right and more")] {
            let (status, body) = send(&app, call.route.0, call.path, token, call.body).await;
            let expected = if open { call.status } else { 401 };
            assert_eq!(status.as_u16(), expected, "{} {token:?}: {body}", call.path);
        }
        assert!(
            open || node.asked.lock().unwrap().is_empty(),
            "{} reached the node",
            call.path
        );
    }
    for call in CALLS {
        let (status, body) = send(&app, call.route.0, call.path, Some("right"), call.body).await;
        assert_eq!(status.as_u16(), call.status, "{}: {body}", call.path);
        if status.as_u16() >= 400 && !call.path.starts_with("/readyz") {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["error"]["code"].is_string(), "{}: {body}", call.path);
        }
    }
}

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
async fn queries_are_bounded_and_their_errors_name_the_parameter() {
    let (app, node) = app();
    for (query, named) in [
        ("limit=1001", "limit"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("outcome=fine", "outcome"),
        ("kind=odd", "kind"),
        ("since=yesterday", "since"),
        ("before=x", "before"),
        ("system=../x", "system"),
        ("colour=red", "colour"),
    ] {
        let path = format!("/api/v1/decisions?{query}");
        let (status, body) = send(&app, "GET", &path, Some("right"), "").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {body}");
        assert!(body.contains(named), "{query}: {body}");
    }
    assert!(node.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bodies_are_bounded_and_strict() {
    let (app, _) = app();
    let large = format!(r#"{{"answer":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    let path = "/api/v1/reviews/01J9/answer";
    for (body, status) in [
        (large.as_str(), 413),
        ("{", 400),
        (r#"{"note":"no answer"}"#, 400),
        (r#"{"answer":1,"extra":2}"#, 400),
    ] {
        let (got, text) = send(&app, "POST", path, Some("right"), body).await;
        assert_eq!(got.as_u16(), status, "{text}");
    }
}

#[tokio::test]
async fn the_actor_is_who_they_say_or_the_operator() {
    let (app, node) = app();
    for (actor, status) in [("ada", 200), ("", 400), (&"x".repeat(129), 400)] {
        let request = Request::post("/api/v1/systems/x/drills")
            .header("authorization", "bearer right")
            .header("plimsoll-actor", actor)
            .body(Body::from(r#"{"kind":"slow"}"#))
            .unwrap();
        assert_eq!(
            app.clone()
                .oneshot(request)
                .await
                .unwrap()
                .status()
                .as_u16(),
            status
        );
    }
    let (status, _) = send(&app, "POST", "/api/v1/systems/x/drills", Some("right"), "").await;
    assert_eq!(status, StatusCode::OK);
    let asked = node.asked.lock().unwrap();
    assert_eq!(*asked, ["drill x Some(Slow) ada", "drill x None operator"]);
}

#[tokio::test]
async fn what_is_no_route_is_a_typed_error() {
    let (app, _) = app();
    let (status, body) = send(&app, "GET", "/v1/chat/completions", None, "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("route_not_found"), "{body}");
    let (status, body) = send(&app, "DELETE", "/api/v1/systems", Some("right"), "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(body.contains("method_not_allowed"), "{body}");
}

#[test]
fn the_document_describes_every_route_and_refers_to_nothing_that_is_missing() {
    let document = openapi();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert_eq!(operation["operationId"], route.operation);
        assert_eq!(
            operation["security"] == json!([]),
            route.open,
            "{}",
            route.path
        );
        let in_path = route.path.matches('{').count();
        let declared = route
            .parameters
            .iter()
            .filter(|p| p.place == Place::Path)
            .count();
        assert_eq!(in_path, declared, "{}", route.path);
    }
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[test]
fn own_codes_are_not_in_the_table_of_codes() {
    for own in OWN_CODES {
        assert_eq!(Code::parse(own.code), None, "{}", own.code);
    }
}
