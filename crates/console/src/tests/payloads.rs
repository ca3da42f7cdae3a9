//! No input or output is told before it is recorded who reads it and what for.

use http::StatusCode;
use plimsoll_core::decision::Payload;
use plimsoll_core::review::Review;
use plimsoll_core::{Decision, Digest, EnvironmentName, ReleaseId, Stakes, SystemName, Timestamp};
use serde_json::{Value, json};

use super::node::Noting;
use super::releases::RELEASE;
use super::{Ask, app_of};
use crate::SystemSummary;

pub(super) const SECRET: &str = "a very private input";

fn decision(payload: Value) -> Decision {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let stages =
        json!({"identify": 0, "resolve": 0, "admit": 0, "screen": 0, "answer": 0, "clear": 0});
    let decision = json!({
        "id": "01KKNS9FT10000000000000001", "request": "01KKNS9FT10000000000000001", "row": 0,
        "tenant": "acme", "environment": "production", "system": "x", "key": null,
        "release": digest, "deployment": "01KKNS9FT10000000000000001", "protocol": "decisions",
        "mode": "enforce", "opened_at": 1, "stages": stages, "controls": [], "attempts": [],
        "cost": {"amount": "0", "basis": "measured"}, "payload": payload,
    });
    serde_json::from_value(decision).unwrap()
}

fn kept() -> Noting {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    Noting {
        decision: Some(decision(json!({"commitment": digest, "bytes": 20}))),
        payload: Some(Payload {
            input: json!(SECRET),
            output: json!("yes"),
            attempts: Vec::new(),
        }),
        ..Noting::default()
    }
}

fn waiting() -> Noting {
    let review = json!({
        "id": "01KKNS9FT10000000000000002", "queue": "credit", "decision": decision(Value::Null),
        "input": SECRET, "proposal": SECRET, "fallback": null, "on_expiry": "refuse",
        "opened_at": 1, "due_at": 2, "state": {"state": "open"},
    });
    Noting {
        review: Some(serde_json::from_value::<Review>(review).unwrap()),
        ..Noting::default()
    }
}

/// A node that has a decision and a review of tenant `acme`, and one of each thing that ada made.
pub(super) fn theirs() -> Noting {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let id = "01J9ZC6T7R8Y3V5W1X2Q4K0M9N";
    Noting {
        review: waiting().review,
        systems: vec![SystemSummary {
            name: SystemName::new("x").unwrap(),
            purpose: "to be tried".into(),
            stakes: Stakes::High,
            unit: "case".into(),
            team: None,
            environment: EnvironmentName::new("production").unwrap(),
            release: ReleaseId(Digest::of(b"release")),
            deployed_at: Timestamp::from_micros(1),
            pending_release: None,
            broken: None,
        }],
        release: Some(RELEASE.release.clone()),
        silence: serde_json::from_value(json!({
            "id": id, "system": "x", "monitor": null, "until": 9, "reason": "a load test",
            "actor": "ada", "at": 1,
        }))
        .unwrap(),
        hold: serde_json::from_value(json!({
            "id": id, "hold": id, "change": "placed", "kind": "legal",
            "covers": {"decision": "01KKNS9FT10000000000000001"}, "reason": "case 7", "actor": "ada", "at": 1,
        }))
        .unwrap(),
        deployment: serde_json::from_value(json!({
            "id": id, "system": "x", "environment": "production", "release": digest, "cause": "command",
            "actor": "ada", "reason": null, "approvals": [], "at": 1, "node": "node-1",
            "binary_version": "0.1.0", "prices": null, "eval_sets": {},
        }))
        .unwrap(),
        ..kept()
    }
}

const PAYLOAD: &str = "/api/v1/decisions/01KK/payload?purpose=complaint%207&through=export";
const REVIEW: &str = "/api/v1/reviews/01KK";

#[tokio::test]
async fn a_payload_is_read_after_that_was_recorded() {
    let (app, node) = app_of(kept());
    let ask = Ask::get(PAYLOAD).with("token-of-udo").acting("somebody");
    let (status, body) = ask.send(&app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["payload"]["input"], SECRET);
    assert!(body["access"].is_string());
    assert_eq!(
        node.asked(),
        [
            "decision 01KK of the installation",
            "access export udo: complaint 7",
            "payload 01KKNS9FT10000000000000001"
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_read() {
    for (node, path) in [(kept(), PAYLOAD), (waiting(), REVIEW)] {
        let full = Noting {
            is_full: true,
            ..node
        };
        let (app, node) = app_of(full);
        let (status, body) = Ask::get(path).send(&app).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
        assert!(!body.contains(SECRET), "{body}");
        let asked = node.asked();
        assert!(!asked.iter().any(|what| what.starts_with("payload")));
    }
}

#[tokio::test]
async fn where_nothing_was_kept_nothing_is_read() {
    let (app, node) = app_of(Noting {
        decision: Some(decision(Value::Null)),
        ..Noting::default()
    });
    let (status, body) = Ask::get(PAYLOAD).send(&app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["access"], &body["payload"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(node.asked(), ["decision 01KK of the installation"]);
}

#[tokio::test]
async fn what_is_gone_is_said_to_be_gone() {
    let (app, _) = app_of(Noting {
        payload: None,
        ..kept()
    });
    let (status, body) = Ask::get(PAYLOAD).send(&app).await;
    assert_eq!(status, StatusCode::GONE, "{body}");
    assert!(body.contains("payload_gone"), "{body}");
}

#[tokio::test]
async fn looking_at_a_review_is_recorded() {
    let (app, node) = app_of(waiting());
    let (status, body) = Ask::get(REVIEW).with("token-of-rita").send(&app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains(SECRET), "{body}");
    let path = format!("{REVIEW}?purpose=training");
    let (status, _) = Ask::get(&path).acting("ada").send(&app).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        node.asked(),
        [
            "review 01KK of the installation",
            "access review rita: review",
            "review 01KK of the installation",
            "access review ada: training"
        ]
    );
}

#[tokio::test]
async fn a_list_of_reviews_tells_no_input() {
    let (app, node) = app_of(waiting());
    let (status, body) = Ask::get("/api/v1/reviews").send(&app).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains("01KKNS9FT10000000000000002"), "{body}");
    assert!(!body.contains(SECRET), "{body}");
    assert_eq!(node.asked().len(), 1);
}
