//! The schemas of what is asked.

use plimsoll_core::{Criticality, FailureKind, Role};
use serde_json::{Value, json};

use super::records::label_value;
use super::{flag, list, maybe, maybe_names, maybe_whole, object, text, whole};
use crate::operations::keys::OVERLAP_SECONDS_MAX;

/// A body: these members must be there, these may be, and no others.
fn body(required: Value, optional: Value) -> Value {
    let names: Vec<String> = required
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let mut properties = required;
    if let (Value::Object(all), Value::Object(more)) = (&mut properties, optional) {
        all.extend(more);
    }
    json!({
        "type": "object", "required": names, "additionalProperties": false, "properties": properties,
    })
}

/// What people send who sign in, and who makes their accounts.
pub(super) fn people() -> Value {
    json!({
        "SignInRequest": body(json!({"user": text(), "password": text()}), json!({})),
        "UserRequest": body(
            json!({"name": text(), "roles": list(text()), "password": text()}),
            json!({"tenant": maybe()}),
        ),
        "PasswordRequest": body(json!({"password": text()}), json!({})),
        "OwnPasswordRequest": body(json!({"current": text(), "password": text()}), json!({})),
    })
}

pub(super) fn schemas() -> Value {
    let steps = json!({"type": "array", "maxItems": 500, "items": object(json!({
        "title": text(), "worked": flag(), "note": maybe(),
    }))});
    let kinds = FailureKind::ALL.iter().map(|kind| json!(kind.as_str()));
    let kinds: Vec<Value> = kinds.chain([Value::Null]).collect();
    let answer = json!({"description": "In the shape of the system's output."});
    let reason = || body(json!({"reason": text()}), json!({}));
    json!({
        "ReviewAnswer": body(json!({"answer": answer}), json!({"note": maybe(), "worked_seconds": whole()})),
        "TestRequest": body(json!({"receiver": text()}), json!({})),
        "SilenceRequest": body(json!({"seconds": whole(), "reason": text()}), json!({
            "system": maybe(), "monitor": maybe(),
        })),
        "LabelsRequest": body(json!({"labels": list(body(
            json!({"decision": text(), "value": label_value()}),
            json!({"name": maybe(), "observed_at": maybe_whole()}),
        ))}), json!({"tenant": maybe()})),
        "DrillRequest": body(json!({}), json!({"kind": {"enum": kinds}})),
        "EvalQuestion": body(
            json!({"run": text(), "input": {"description": "As callers ask it."}}),
            json!({"canary": flag()}),
        ),
        "EvalRun": object(json!({
            "id": text(), "system": text(), "environment": text(), "release": text(), "set": text(),
            "digest": text(), "file": text(), "cases": whole(), "repetitions": whole(),
            "figures": list(object(json!({"metric": text(), "value": {"type": ["number", "null"]}, "cases": whole()}))),
            "verdict": {"enum": ["pass", "regressed", "inconclusive", null]},
            "cost": object(json!({"amount": text(), "basis": text()})),
            "measured_at": whole(), "ended_at": whole(), "actor": text(),
        })),
        "Dataset": object(json!({
            "id": text(), "system": text(), "environment": text(), "digest": text(), "file": text(),
            "format": {"enum": ["jsonl", "csv", "parquet"]}, "chosen": {"type": "object"},
            "counts": {"type": "object"}, "purpose": text(), "actor": text(), "at": whole(),
        })),
        "RunbookRunRequest": body(
            json!({"runbook": text(), "started_at": whole(), "steps": steps}), json!({}),
        ),
        "ReleaseRequest": body(json!({"note": text()}), json!({"author": maybe()})),
        "ApprovalRequest": body(json!({}), json!({"note": maybe()})),
        "DeploymentRequest": body(json!({"release": text()}), json!({
            "slot": slot(), "reason": maybe(), "note": maybe(), "break_glass": flag(),
        })),
        "RollbackRequest": body(json!({"reason": text()}), json!({"to": maybe()})),
        "InterventionRequest": reason(),
        "DeploymentReviewRequest": body(json!({"justified": flag(), "note": text()}), json!({})),
        "CheckpointRequest": body(json!({}), json!({"leaves": maybe_whole()})),
        "ErasureRequest": body(json!({"basis": text()}), json!({
            "subject": maybe(), "tenant": maybe(), "decisions": list(text()), "reason": maybe(),
            "dry_run": flag(),
        })),
        "HoldRequest": body(json!({"kind": {"enum": ["legal", "freeze"]}, "reason": text()}), json!({
            "system": maybe(), "decision": maybe(), "subject": maybe(), "since": maybe_whole(),
            "until": maybe_whole(),
        })),
        "LiftRequest": reason(),
        "TenantRequest": body(json!({"tenant": text()}), json!({"note": maybe()})),
        "KeyRequest": body(json!({"name": text(), "systems": maybe_names()}), json!({
            "environment": maybe(), "roles": list(json!({"enum": Role::ALL})), "expires_at": maybe_whole(),
            "criticality": {"enum": Criticality::ALL},
        })),
        "RotationRequest": body(json!({}), json!({
            "overlap_seconds": {"type": "integer", "minimum": 0, "maximum": OVERLAP_SECONDS_MAX},
        })),
        "RevocationRequest": reason(),
        "VerificationRequest": body(json!({
            "size": whole(), "root": text(), "intact": whole(), "gone": whole(), "faults": whole(),
        }), json!({})),
    })
}

/// A slot that a deployment may point.
fn slot() -> Value {
    let weight = json!({"type": "integer", "minimum": 0, "maximum": 10_000});
    json!({"oneOf": [
        {"const": "stable"},
        body(json!({"canary": body(json!({"weight": weight}), json!({}))}), json!({})),
    ]})
}
