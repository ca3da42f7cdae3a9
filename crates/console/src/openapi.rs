//! The `OpenAPI` 3.1 document, made from the table of routes.

use axum::Json;
use plimsoll_core::{FailureKind, Outcome};
use serde_json::{Map, Value, json};

use crate::route::{Place, Route, Shape};
use crate::routes::ROUTES;

/// This document, over HTTP.
pub(crate) async fn show() -> Json<Value> {
    Json(openapi())
}

/// The document.
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths
            .entry(route.path)
            .or_insert_with(|| Value::Object(Map::new()));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Plimsoll control plane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What operators and their tools ask of a node. Times are microseconds since \
                1970 in UTC; money is a decimal number in text, in the workspace's currency.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8081"}],
        "security": [{"operator": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"operator": {
                "type": "http", "scheme": "bearer",
                "description": "The token in `operator.token` of the data folder.",
            }},
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            let place = match parameter.place {
                Place::Path => "path",
                Place::Query => "query",
            };
            json!({
                "name": parameter.name, "in": place, "required": parameter.place == Place::Path,
                "description": parameter.summary, "schema": {"type": parameter.kind},
            })
        })
        .collect();
    let content = match route.answer {
        None => json!({"text/plain": {"schema": {"type": "string"}}}),
        Some(shape) => json!({"application/json": {"schema": shape_schema(shape)}}),
    };
    let error = json!({
        "description": "Not done: the code says why.",
        "content": {"application/json": {"schema": reference("Error")}},
    });
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.summary,
        "responses": {"200": {"description": "Done.", "content": content}, "default": error},
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = route.body {
        let schema = reference(body);
        operation["requestBody"] = json!({"content": {"application/json": {"schema": schema}}});
    }
    if route.open {
        operation["security"] = json!([]);
    }
    operation
}

fn shape_schema(shape: Shape) -> Value {
    match shape {
        Shape::One(name) => reference(name),
        Shape::List(key, name) => json!({
            "type": "object",
            "required": [key],
            "properties": {key: {"type": "array", "items": reference(name)}},
        }),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object with these properties, all of them there; more may come.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn schemas() -> Value {
    let mut schemas = answers();
    if let (Value::Object(all), Value::Object(requests)) = (&mut schemas, requests()) {
        all.extend(requests);
    }
    schemas
}

fn requests() -> Value {
    let (text, maybe) = (
        json!({"type": "string"}),
        json!({"type": ["string", "null"]}),
    );
    let steps = json!({"type": "array", "maxItems": 500, "items": object(json!({
        "title": text, "worked": {"type": "boolean"}, "note": maybe,
    }))});
    let kinds = FailureKind::ALL.iter().map(|kind| json!(kind.as_str()));
    let kinds: Vec<Value> = kinds.chain([Value::Null]).collect();
    json!({
        "ReviewAnswer": {
            "type": "object", "required": ["answer"], "additionalProperties": false,
            "properties": {"answer": {"description": "In the shape of the system's output."}, "note": maybe},
        },
        "DrillRequest": {
            "type": "object", "additionalProperties": false,
            "properties": {"kind": {"enum": kinds}},
        },
        "RunbookRunRequest": {
            "type": "object", "required": ["runbook", "started_at", "steps"], "additionalProperties": false,
            "properties": {"runbook": text, "started_at": {"type": "integer"}, "steps": steps},
        },
        "DeploymentRequest": {
            "type": "object", "required": ["release"], "additionalProperties": false,
            "properties": {
                "release": text, "reason": maybe,
                "approvals": {"type": "array", "maxItems": 32, "items": text},
            },
        },
    })
}

fn answers() -> Value {
    let (text, whole) = (json!({"type": "string"}), json!({"type": "integer"}));
    let (flag, maybe) = (
        json!({"type": "boolean"}),
        json!({"type": ["string", "null"]}),
    );
    let any = json!({});
    let list = |items: Value| json!({"type": "array", "items": items});
    let outcomes: Vec<&str> = Outcome::ALL
        .iter()
        .map(|outcome| outcome.as_str())
        .collect();
    let check = object(json!({"met": flag, "built": flag, "evidence": text}));
    let characteristic = object(json!({"name": text, "met": flag, "checks": list(check)}));
    json!({
        "Error": object(json!({"error": object(json!({"code": text, "message": text, "hint": maybe}))})),
        "Readiness": object(json!({"ready": flag, "detail": any})),
        "System": object(json!({
            "name": text, "purpose": text, "stakes": text, "unit": text, "team": maybe,
            "environment": text, "release": text, "deployed_at": whole,
            "pending_release": maybe, "broken": maybe,
        })),
        "Bar": object(json!({
            "system": text, "environment": text, "stakes": text, "release": maybe,
            "evidence_since": whole, "judged_at": whole, "standing": text, "met": whole,
            "characteristics": list(characteristic),
        })),
        "Decision": {
            "type": "object",
            "required": ["id", "request", "tenant", "environment", "system", "release", "deployment",
                "opened_at", "controls", "attempts", "cost"],
            "properties": {
                "id": text, "request": text, "tenant": text, "environment": text, "system": text,
                "release": text, "deployment": text, "opened_at": whole, "closed_at": whole,
                "outcome": {"enum": outcomes}, "kind": text, "code": text,
                "controls": list(object(json!({"control": text, "verdict": text, "micros": whole}))),
                "attempts": list(object(json!({"model": text, "reason": text, "micros": whole}))),
                "path": list(object(json!({"kind": text, "code": text, "step": text}))),
                "cost": object(json!({"amount": text, "basis": text})),
            },
        },
        "Review": object(json!({
            "id": text, "queue": text, "decision": reference("Decision"), "input": any,
            "on_expiry": text, "opened_at": whole, "due_at": whole, "state": any,
        })),
        "Drill": object(json!({
            "id": text, "system": text, "kind": text, "release": text, "expected": list(text.clone()),
            "taken": list(text.clone()), "passed": flag, "note": maybe, "actor": text, "at": whole,
        })),
        "Runbook": object(json!({
            "title": text, "digest": text, "steps": list(object(json!({"title": text, "body": text}))),
        })),
        "RunbookRun": object(json!({
            "id": text, "system": text, "actor": text, "started_at": whole, "ended_at": whole,
            "runbook": text, "steps": list(any.clone()), "passed": flag,
        })),
        "Release": object(json!({
            "id": text, "manifest": {"type": "object"}, "created_at": whole, "author": text,
            "note": maybe, "parent": maybe,
        })),
        "Deployment": object(json!({
            "id": text, "system": text, "environment": text, "release": text, "cause": text,
            "actor": text, "reason": maybe, "approvals": list(text.clone()), "at": whole, "node": text,
        })),
        "Reload": {"type": "object"},
        "OpenApi": {"type": "object"},
    })
}
