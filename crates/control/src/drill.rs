//! What drills ask of systems that have no case to borrow an input from.

use serde_json::{Map, Value, json};

/// A row that fits `schema` (JSON Schema of an object), made of its examples, defaults, categories
/// and bounds: for drills of systems that have no case to borrow an input from.
pub fn synthetic_row(schema: &Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let row: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| (name.clone(), synthetic_value(property)))
        .collect();
    Value::Object(row)
}

/// A chat body for drills of language models: it asks for nothing, costs little, says what it is.
pub fn synthetic_chat() -> Value {
    json!({"messages": [{"role": "user", "content": "Plimsoll drill. Please answer: ok."}]})
}

fn synthetic_value(property: &Value) -> Value {
    let first = |key: &str| property.get(key).and_then(|list| list.get(0)).cloned();
    let given = property
        .get("const")
        .or_else(|| property.get("default"))
        .cloned();
    if let Some(value) = given
        .or_else(|| first("examples"))
        .or_else(|| first("enum"))
    {
        return value;
    }
    let kind = match property.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find(|kind| *kind != "null"),
        other => other,
    };
    match kind.and_then(Value::as_str) {
        Some("boolean") => json!(false),
        Some("string") => json!("drill"),
        Some("integer") => synthetic_number(property, true),
        Some("number") => synthetic_number(property, false),
        Some("array") => json!([]),
        Some("object") => synthetic_row(property),
        _ => Value::Null,
    }
}

fn synthetic_number(property: &Value, whole: bool) -> Value {
    let bound = |key: &str| property.get(key).and_then(Value::as_f64);
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + 1.0));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - 1.0));
    let value = match (low, high) {
        (Some(low), Some(high)) => f64::midpoint(low, high),
        (Some(low), None) => low,
        (None, Some(high)) => high.min(0.0),
        (None, None) => 0.0,
    };
    if whole {
        json!(value.floor() as i64)
    } else {
        json!(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synthetic_row_keeps_to_the_schema() {
        let schema = json!({"type": "object", "properties": {
            "age": {"type": "integer", "minimum": 18, "maximum": 100},
            "car": {"enum": ["a", "b"]},
            "rate": {"type": ["null", "number"], "exclusiveMinimum": 0},
            "name": {"type": "string", "examples": ["Ada"]},
            "repaid": {"type": "boolean"},
        }});
        let row = synthetic_row(&schema);
        assert_eq!(
            row,
            json!({"age": 59, "car": "a", "rate": 1.0, "name": "Ada", "repaid": false})
        );
    }
}
