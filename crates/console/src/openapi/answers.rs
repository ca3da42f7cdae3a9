//! The schemas of what is answered about systems and decisions.

use plimsoll_core::Outcome;
use serde_json::{Value, json};

use super::{flag, list, maybe, object, reference, text, whole};

pub(super) fn schemas() -> Value {
    let any = json!({});
    let outcomes: Vec<&str> = Outcome::ALL
        .iter()
        .map(|outcome| outcome.as_str())
        .collect();
    let check = object(json!({"met": flag(), "built": flag(), "evidence": text()}));
    let characteristic = object(json!({"name": text(), "met": flag(), "checks": list(check)}));
    json!({
        "Error": object(json!({"error": object(json!({"code": text(), "message": text(), "hint": maybe()}))})),
        "Readiness": object(json!({"ready": flag(), "detail": any})),
        "System": object(json!({
            "name": text(), "purpose": text(), "stakes": text(), "unit": text(), "team": maybe(),
            "environment": text(), "release": text(), "deployed_at": whole(),
            "pending_release": maybe(), "broken": maybe(),
        })),
        "Bar": object(json!({
            "system": text(), "environment": text(), "stakes": text(), "release": maybe(),
            "evidence_since": whole(), "judged_at": whole(), "standing": text(), "met": whole(),
            "characteristics": list(characteristic),
        })),
        "Decision": {
            "type": "object",
            "required": ["id", "request", "tenant", "environment", "system", "release", "deployment",
                "opened_at", "controls", "attempts", "cost"],
            "properties": {
                "id": text(), "request": text(), "tenant": text(), "environment": text(), "system": text(),
                "release": text(), "deployment": text(), "opened_at": whole(), "closed_at": whole(),
                "outcome": {"enum": outcomes}, "kind": text(), "code": text(),
                "controls": list(object(json!({"control": text(), "verdict": text(), "micros": whole()}))),
                "attempts": list(object(json!({"model": text(), "reason": text(), "micros": whole()}))),
                "path": list(object(json!({"kind": text(), "code": text(), "step": text()}))),
                "cost": object(json!({"amount": text(), "basis": text()})),
            },
        },
        "Review": object(json!({
            "id": text(), "queue": text(), "decision": reference("Decision"), "input": any,
            "on_expiry": text(), "opened_at": whole(), "due_at": whole(), "state": any,
        })),
        "Drill": object(json!({
            "id": text(), "system": text(), "kind": text(), "release": text(), "expected": list(text()),
            "taken": list(text()), "passed": flag(), "note": maybe(), "actor": text(), "at": whole(),
        })),
        "EvalAnswer": object(json!({"decision": reference("Decision"), "answer": {}})),
        "Runbook": object(json!({
            "title": text(), "digest": text(), "steps": list(object(json!({"title": text(), "body": text()}))),
        })),
        "RunbookRun": object(json!({
            "id": text(), "system": text(), "actor": text(), "started_at": whole(), "ended_at": whole(),
            "runbook": text(), "steps": list(any.clone()), "passed": flag(),
        })),
        "Reload": {"type": "object"},
        "OpenApi": {"type": "object"},
    })
}
