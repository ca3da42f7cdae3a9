//! A JSON value that fits a JSON Schema: enough of the language for structured outputs and tools.
//!
//! It reads type, properties, enum, const, items, minItems, minimum, exclusiveMinimum, maximum, minLength,
//! anyOf, oneOf, allOf (its first part) and local `$ref`. What it does not read (patterns, formats,
//! conditions) its values may break.

use serde_json::{Map, Value, json};

use crate::answer;

/// How deep schemas are followed; recursive ones end with null there.
const DEPTH_MAX: u32 = 16;
/// The most items an array is given.
const ITEMS_MAX: u64 = 16;
/// The longest text that `minLength` is obeyed for, in characters.
const TEXT_CHARS_MAX: usize = 4096;

/// A value for `schema`, chosen by `hash`.
pub(crate) fn value(schema: &Value, hash: u64) -> Value {
    Sampler { root: schema }.value(schema, hash, 0)
}

struct Sampler<'a> {
    root: &'a Value,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, hash: u64, depth: u32) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target
                .strip_prefix('#')
                .and_then(|path| self.root.pointer(path));
            return target.map_or(Value::Null, |target| self.value(target, hash, depth + 1));
        }
        if let Some(fixed) = schema.get("const") {
            return fixed.clone();
        }
        if let Some(Value::Array(choices)) = schema.get("enum")
            && !choices.is_empty()
        {
            return choices[pick(hash, choices.len())].clone();
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema.get(key).and_then(|parts| parts.get(0)) {
                return self.value(first, hash, depth + 1);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, hash, depth),
            "array" => self.array(schema, hash, depth),
            "string" => Value::String(text(schema, hash)),
            "integer" => json!(integer(schema, hash)),
            "number" => json!(number(schema, hash)),
            "boolean" => Value::Bool(hash & 1 == 1),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, hash: u64, depth: u32) -> Value {
        let Some(Value::Object(properties)) = schema.get("properties") else {
            return Value::Object(Map::new());
        };
        let members = properties.iter().map(|(name, part)| {
            let hash = answer::hash(hash, name.as_bytes());
            (name.clone(), self.value(part, hash, depth + 1))
        });
        Value::Object(members.collect())
    }

    fn array(&self, schema: &Value, hash: u64, depth: u32) -> Value {
        let wished = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
        let items = schema.get("items").unwrap_or(&Value::Null);
        let values = (0..wished.min(ITEMS_MAX))
            .map(|index| self.value(items, hash.wrapping_add(index), depth + 1));
        Value::Array(values.collect())
    }
}

/// The schema's type: of several the first that is not null.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "null",
    }
}

fn pick(hash: u64, len: usize) -> usize {
    usize::try_from(hash >> 33).unwrap_or(0) % len
}

fn text(schema: &Value, hash: u64) -> String {
    let bound = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    let mut text = answer::sentence(hash);
    while text.len() < bound("minLength").unwrap_or(0).min(TEXT_CHARS_MAX) {
        text.push('.');
    }
    text.truncate(bound("maxLength").unwrap_or(usize::MAX));
    text
}

fn integer(schema: &Value, hash: u64) -> i64 {
    let low = schema.get("minimum").and_then(Value::as_i64);
    let above = schema
        .get("exclusiveMinimum")
        .and_then(Value::as_i64)
        .map(|n| n.saturating_add(1));
    let high = schema.get("maximum").and_then(Value::as_i64);
    let below = schema
        .get("exclusiveMaximum")
        .and_then(Value::as_i64)
        .map(|n| n.saturating_sub(1));
    let high = high.or(below);
    let low = low
        .or(above)
        .unwrap_or_else(|| high.map_or(0, |high| high.min(0)));
    let wished = low.saturating_add(i64::try_from(hash >> 58).unwrap_or(0));
    high.map_or(wished, |high| wished.min(high))
}

fn number(schema: &Value, hash: u64) -> f64 {
    let bound = |keys: [&str; 2]| {
        keys.iter()
            .find_map(|key| schema.get(*key).and_then(Value::as_f64))
    };
    let share = answer::share(hash).clamp(0.001, 0.999);
    let low = bound(["minimum", "exclusiveMinimum"]);
    let high = bound(["maximum", "exclusiveMaximum"]);
    match (low, high) {
        (Some(low), Some(high)) => low + (high - low) * share,
        (Some(low), None) => low + share,
        (None, Some(high)) => high - share,
        (None, None) => share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_schema() {
        let schema = json!({
            "type": "object",
            "$defs": {"tag": {"enum": ["a", "b"]}},
            "properties": {
                "answer": {"type": "string", "maxLength": 20},
                "score": {"type": "number", "minimum": 0.5, "maximum": 0.6},
                "count": {"type": ["null", "integer"], "exclusiveMinimum": 3},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
                "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
                "kind": {"const": "draft"}
            }
        });
        for hash in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let value = value(&schema, hash);
            assert!(value["answer"].as_str().unwrap().len() <= 20);
            assert!((0.5..=0.6).contains(&value["score"].as_f64().unwrap()));
            assert!(value["count"].as_i64().unwrap() > 3);
            assert_eq!(value["tags"].as_array().unwrap().len(), 2);
            assert!(["a", "b"].contains(&value["tags"][0].as_str().unwrap()));
            assert!(value["maybe"].is_boolean());
            assert_eq!(value["kind"], "draft");
        }
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(value(&schema, 3).to_string().len() < 1000);
    }

    #[test]
    fn any_hash_gives_an_integer_within_its_bounds() {
        proptest::proptest!(|(hash: u64, low in -100_i64..100, width in 0_i64..50)| {
            let schema = json!({"type": "integer", "minimum": low, "maximum": low + width});
            let found = value(&schema, hash).as_i64().unwrap();
            proptest::prop_assert!((low..=low + width).contains(&found));
        });
    }
}
