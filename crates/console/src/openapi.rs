//! The `OpenAPI` 3.1 document, made from the table of routes.

mod answers;
mod records;
mod requests;

use axum::Json;
use serde_json::{Map, Value, json};

use crate::route::{Place, Route, Shape};
use crate::table::ROUTES;

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
                "description": "The token of an operator whom `[operators]` of `plimsoll.toml` names, or the \
                    owner's in `operator.token` of the data folder.",
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
    } else {
        operation["description"] = json!(format!("For {}.", route.who()));
        operation["x-plimsoll-roles"] = json!(route.roles);
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

fn schemas() -> Value {
    let parts = [
        answers::schemas(),
        records::releases(),
        records::records(),
        records::keys(),
        requests::people(),
        requests::schemas(),
    ];
    let members = parts.into_iter().filter_map(|part| match part {
        Value::Object(members) => Some(members),
        _ => None,
    });
    members.flatten().collect::<Map<String, Value>>().into()
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

/// A list of these.
fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

/// A text, or nothing.
fn maybe() -> Value {
    json!({"type": ["string", "null"]})
}

/// A whole number, or nothing.
fn maybe_whole() -> Value {
    json!({"type": ["integer", "null"]})
}

/// A list of names, or nothing.
fn maybe_names() -> Value {
    json!({"type": ["array", "null"], "items": text()})
}

/// One of these, or nothing.
fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}
