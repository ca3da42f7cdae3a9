//! The schemas of what is answered about releases, deployments and records.

use serde_json::{Value, json};

use super::{flag, list, maybe, maybe_names, maybe_whole, object, or_null, reference, text, whole};

pub(super) fn releases() -> Value {
    let any = || json!({});
    let rule = object(json!({"count": whole(), "role": text()}));
    let canary = object(json!({
        "release": text(), "weight": whole(), "first": text(), "deployment": reference("Deployment"),
    }));
    let place = object(json!({
        "deployment": text(), "node": text(), "sequence": whole(), "proof": maybe(),
    }));
    let deployment = || or_null(reference("Deployment"));
    let blobs = json!({"type": "object", "additionalProperties": {
        "type": "string", "contentEncoding": "base64",
    }});
    json!({
        "Release": object(json!({
            "id": text(), "manifest": {"type": "object"}, "created_at": whole(), "author": text(),
            "note": maybe(), "parent": maybe(),
        })),
        "ReleaseBundle": object(json!({"release": reference("Release"), "blobs": blobs})),
        "Approval": object(json!({
            "id": text(), "system": text(), "environment": text(), "release": text(), "actor": text(),
            "role": text(), "note": maybe(), "at": whole(),
        })),
        "Approvals": object(json!({
            "release": text(), "system": text(), "environment": text(), "author": text(),
            "rule": rule, "given": list(reference("Approval")), "counted": whole(),
        })),
        "Deployment": object(json!({
            "id": text(), "system": text(), "environment": text(), "slot": any(), "release": text(),
            "cause": text(), "actor": text(), "reason": maybe(), "approvals": list(text()),
            "at": whole(), "node": text(),
        })),
        "DeploymentReview": object(json!({
            "id": text(), "deployment": text(), "system": text(), "actor": text(),
            "justified": flag(), "note": text(), "at": whole(),
        })),
        "Standing": object(json!({
            "system": text(), "environment": text(), "stable": deployment(), "canary": or_null(canary),
            "halt": deployment(), "halted": maybe(),
        })),
        "AsOf": object(json!({
            "at": whole(), "standing": reference("Standing"), "places": list(place),
        })),
    })
}

pub(super) fn keys() -> Value {
    let secret = object(json!({"hint": text(), "until": maybe_whole()}));
    json!({
        "Tenant": object(json!({
            "tenant": text(), "note": maybe(), "made_at": maybe_whole(), "keys": whole(),
        })),
        "Key": object(json!({
            "tenant": text(), "name": text(), "state": text(), "of_workspace": flag(),
            "systems": maybe_names(), "environment": maybe(), "criticality": text(),
            "roles": list(text()), "secrets": list(secret), "created_at": maybe_whole(),
            "expires_at": maybe_whole(), "revoked_at": maybe_whole(),
        })),
        "Session": object(json!({
            "name": text(), "kind": {"enum": ["owner", "operator", "key", "user"]}, "roles": list(text()),
            "tenant": maybe(), "csrf": maybe(), "display": maybe(),
        })),
        "SignedOut": object(json!({"signed_out": flag()})),
        "User": object(json!({
            "name": text(), "roles": list(text()), "tenant": maybe(),
            "state": {"enum": ["active", "disabled"]}, "created_at": whole(), "password_at": whole(),
        })),
        "GivenKey": object(json!({"key": reference("Key"), "secret": text()})),
    })
}

pub(super) fn records() -> Value {
    let any = || json!({});
    let payload = object(json!({"input": any(), "output": any()}));
    json!({
        "Payload": object(json!({
            "decision": text(), "access": maybe(), "payload": or_null(payload),
        })),
        "Proof": object(json!({
            "decision": text(), "node": text(), "sequence": whole(), "proof": text(),
        })),
        "AuditStatus": object(json!({
            "enabled": flag(), "node": text(), "origin": maybe(), "key": maybe(), "size": whole(),
            "root": maybe(), "checkpoint_at": maybe_whole(), "behind": whole(), "defect": maybe(),
            "copy_failing": maybe(), "last_verification": or_null(reference("Verification")),
        })),
        "Checkpoint": object(json!({
            "origin": text(), "size": whole(), "root": text(), "note": text(),
        })),
        "Label": object(json!({
            "id": text(), "decision": text(), "tenant": text(), "name": text(), "value": label_value(),
            "through": text(), "actor": text(), "at": whole(), "stands": flag(),
            "joined": {"type": ["object", "null"]},
        })),
        "Monitor": object(json!({
            "system": text(), "monitor": text(), "state": {"enum": ["learning", "quiet", "alarm"]},
            "severity": text(), "between_false_alarms": whole(), "seen": whole(), "unusable": whole(),
            "measured_at": maybe_whole(), "evidence": {"type": "object"},
        })),
        "Alarm": object(json!({
            "id": text(), "alarm": text(), "change": {"enum": ["raised", "cleared"]}, "system": text(),
            "environment": text(), "node": text(), "monitor": text(), "severity": text(),
            "summary": text(), "evidence": {"type": "object"}, "at": whole(),
        })),
        "Receiver": object(json!({
            "name": text(), "kind": text(), "systems": maybe_names(), "least": text(),
            "after_seconds": whole(),
        })),
        "TestResult": object(json!({"receiver": text(), "delivered": flag()})),
        "Silence": object(json!({
            "id": text(), "system": maybe(), "monitor": maybe(), "until": whole(), "reason": text(),
            "actor": maybe(), "at": whole(),
        })),
        "LabelsReport": object(json!({"states": list(json!({
            "enum": ["joined", "corrected", "waiting", "repeated"],
        }))})),
        "Access": object(json!({
            "id": text(), "at": whole(), "actor": text(), "action": text(),
            "verdict": {"enum": ["allowed", "denied"]}, "decision": maybe(), "tenant": maybe(),
            "system": maybe(), "purpose": maybe(), "through": maybe(), "policy": maybe(),
            "because": maybe(),
        })),
        "ErasureReport": object(json!({
            "request": maybe(), "dry_run": flag(), "chosen": text(), "decisions": whole(),
            "payloads": whole(), "elsewhere": whole(), "empty": whole(),
        })),
        "Hold": object(json!({
            "id": text(), "hold": text(), "change": text(), "kind": text(),
            "covers": {"type": "object"}, "reason": text(), "actor": text(), "at": whole(),
        })),
        "Verification": object(json!({
            "id": text(), "node": text(), "size": whole(), "root": text(), "intact": whole(),
            "gone": whole(), "faults": whole(), "passed": flag(), "actor": text(), "at": whole(),
        })),
    })
}

/// What a label may say.
pub(super) fn label_value() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}
