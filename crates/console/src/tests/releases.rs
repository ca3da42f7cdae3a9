//! Releases and deployments: who makes, approves and deploys them, and how they travel.

use std::sync::LazyLock;

use http::StatusCode;
use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{Digest, ReleaseId, Timestamp};
use plimsoll_spec::Role;
use serde_json::{Value, json};

use super::node::{AUTHOR, Noting};
use super::{Ask, app, app_of};
use crate::*;

const DEPLOYMENTS: &str = "/api/v1/systems/x/deployments";
const APPROVALS: &str = "/api/v1/releases/3f9/approvals";

#[tokio::test]
async fn a_deployment_points_the_stable_slot_or_a_canary() {
    let (app, node) = app();
    for body in [
        r#"{"release":"3f9"}"#,
        r#"{"release":"3f9","slot":{"canary":{"weight":500}},"reason":"try"}"#,
        // As earlier versions wrote it.
        r#"{"release":"3f9","reason":null,"approvals":[]}"#,
        r#"{"release":"3f9","slot":"stable","break_glass":true,"reason":"it burns"}"#,
    ] {
        let deploy = Ask::post(DEPLOYMENTS, body).with("token-of-otto");
        assert_eq!(deploy.refused(&app).await, "store_unavailable", "{body}");
    }
    assert_eq!(
        node.asked(),
        [
            "deploy x 3f9 Stable otto",
            "deploy x 3f9 Canary { weight: Weight(500) } otto",
            "deploy x 3f9 Stable otto",
            "deploy x 3f9 Stable otto",
        ]
    );
}

#[tokio::test]
async fn a_deployment_that_is_none_is_refused() {
    let (app, node) = app();
    for (body, named) in [
        (r#"{"slot":"stable"}"#, "release"),
        (
            r#"{"release":"3f9","slot":{"canary":{"weight":10001}}}"#,
            "weight",
        ),
        (
            r#"{"release":"3f9","slot":{"halt":{"to":"halted"}}}"#,
            "/halt",
        ),
        (r#"{"release":"3f9","break_glass":true}"#, "reason"),
        (r#"{"release":"3f9","approvals":["ada"]}"#, "own token"),
        (r#"{"release":"3f9","weight":5}"#, "weight"),
        (r#"{"release":"3f9","release":"4a0"}"#, "duplicate"),
        (r#"["3f9"]"#, "no JSON object"),
    ] {
        let (status, text) = Ask::post(DEPLOYMENTS, body).send(&app).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {text}");
        assert!(text.contains(named), "{body}: {text}");
    }
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn an_approval_is_given_once_by_somebody_else_than_the_author() {
    let (app, node) = app();
    let ask = Ask::post(APPROVALS, r#"{"note":"seen"}"#);
    let by_anna = ask.with("token-of-anna").refused(&app).await;
    assert_eq!(by_anna, "store_unavailable");
    assert_eq!(ask.acting("ann").refused(&app).await, "store_unavailable");
    assert_eq!(ask.acting(AUTHOR).refused(&app).await, "policy_denied");
    let refused = node.refused.lock().unwrap()[0].judgement.clone();
    assert_eq!(refused.policy.as_deref(), Some("plimsoll/not-the-author"));
    let approved = node.asked();
    let approved: Vec<_> = approved
        .iter()
        .filter(|what| what.starts_with("approve "))
        .collect();
    assert_eq!(
        approved,
        [
            "approve a4d451e approver anna",
            "approve a4d451e approver ann"
        ]
    );
    let (app, _) = app_of(Noting {
        approved: vec![("anna", Role::Approver)],
        ..Noting::default()
    });
    let again = ask.with("token-of-anna").refused(&app).await;
    assert_eq!(again, "approval_refused");
}

#[tokio::test]
async fn approvals_count_by_person_and_role_but_not_the_authors() {
    let (app, _) = app_of(Noting {
        approved: vec![
            ("anna", Role::Approver),
            ("anna", Role::Approver),
            ("otto", Role::Operator),
            (AUTHOR, Role::Approver),
        ],
        ..Noting::default()
    });
    let (_, body) = Ask::get(APPROVALS).send(&app).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["counted"], 1);
    assert_eq!(body["given"].as_array().unwrap().len(), 4);
    assert_eq!(body["rule"], json!({"count": 1, "role": "approver"}));
}

#[tokio::test]
async fn who_makes_a_release_is_its_author() {
    let (app, node) = app();
    let path = "/api/v1/systems/x/releases";
    let ask = Ask::post(path, r#"{"note":"new rates","author":"ada"}"#);
    let by_otto = ask.with("token-of-otto").refused(&app).await;
    assert_eq!(by_otto, "parameter_unfit", "otto could approve it as otto");
    assert_eq!(ask.acting("ci").refused(&app).await, "store_unavailable");
    let own = Ask::post(path, r#"{"note":"new rates"}"#).with("token-of-otto");
    assert_eq!(own.refused(&app).await, "store_unavailable");
    let none = Ask::post(path, r#"{"note":""}"#);
    assert_eq!(none.refused(&app).await, "parameter_unfit");
    assert_eq!(
        node.asked(),
        ["make x ada: new rates", "make x otto: new rates"]
    );
}

/// A whole one, made once.
pub(super) static RELEASE: LazyLock<ReleaseBundle> = LazyLock::new(bundle);

fn bundle() -> ReleaseBundle {
    let workspace = tempfile::tempdir().unwrap();
    plimsoll_spec::init(workspace.path(), plimsoll_spec::StarterKind::Predictor).unwrap();
    let workspace =
        plimsoll_spec::load(workspace.path(), &plimsoll_spec::ProcessEnvironment).unwrap();
    let system = workspace.systems.values().next().unwrap();
    let manifest = system.manifest.clone();
    let blobs = manifest.blobs().into_iter();
    let blobs = blobs.map(|digest| (digest, Blob(workspace.blob(digest).unwrap().to_vec())));
    ReleaseBundle {
        blobs: blobs.collect(),
        release: ReleaseRecord {
            id: manifest.release_id(),
            manifest,
            created_at: Timestamp::from_micros(1),
            author: "ada".into(),
            note: None,
            parent: None,
        },
    }
}

#[tokio::test]
async fn a_release_travels_and_every_byte_is_checked() {
    let (app, node) = app();
    let whole = bundle();
    let text = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<ReleaseBundle>(&text).unwrap(), whole);
    let path = "/api/v1/releases/import";
    let ask = Ask::post(path, &text).with("token-of-otto");
    let (status, body) = ask.send(&app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(node.asked(), ["import 3 parts otto"]);

    let mut renamed = whole.clone();
    renamed.release.id = ReleaseId(Digest::of(b"another"));
    let mut changed = whole.clone();
    changed.blobs.values_mut().next().unwrap().0[0] ^= 1;
    let mut foreign = whole.clone();
    let stranger = b"a stranger".to_vec();
    foreign.blobs.insert(Digest::of(&stranger), Blob(stranger));
    for unfit in [renamed, changed, foreign] {
        let text = serde_json::to_string(&unfit).unwrap();
        let ask = Ask::post(path, &text);
        assert_eq!(ask.refused(&app).await, "bundle_unfit");
    }
    let garbled = text.replacen("\"blobs\":{\"", "\"blobs\":{\"0", 1);
    assert_eq!(
        Ask::post(path, &garbled).refused(&app).await,
        "parameter_unfit"
    );
    assert_eq!(node.asked().len(), 1);
}

#[tokio::test]
async fn an_import_may_be_larger_than_other_bodies_but_not_endless() {
    let (app, _) = app();
    let padded = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes));
    let path = "/api/v1/releases/import";
    let large = padded(BODY_BYTES_MAX * 2);
    assert_eq!(
        Ask::post(path, &large).refused(&app).await,
        "parameter_unfit"
    );
    let endless = padded(IMPORT_BYTES_MAX);
    assert_eq!(
        Ask::post(path, &endless).refused(&app).await,
        "body_too_large"
    );
}
