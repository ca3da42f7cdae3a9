//! The shape of a payload without its texts.
//!
//! What is kept of a redacted payload is enough to watch drift and to see what was asked for, and
//! not enough to know about whom: numbers, truths and keys stay, and of a text its length.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// `value` with every text replaced by its length in characters: `"‹text: 12 chars›"`.
pub fn redact_shape(value: &Value) -> Value {
    redact_shape_except(value, &|_, _| false)
}

/// Like [`redact_shape`], but keeps each text of which `keep` says so; it is given the key of the
/// member that the text stands in (empty for the top level, the array's key for items) and the text.
pub fn redact_shape_except(value: &Value, keep: &dyn Fn(&str, &str) -> bool) -> Value {
    redact(value, "", keep)
}

/// A value's redacted shape, for writing it out without making it first.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'v>(pub &'v Value);

impl Serialize for Shape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => {
                serializer.collect_str(&format_args!("‹text: {} chars›", text.chars().count()))
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Shape)),
            Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, Shape(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

fn redact(value: &Value, key: &str, keep: &dyn Fn(&str, &str) -> bool) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) if keep(key, text) => value.clone(),
        Value::String(text) => Value::String(format!("‹text: {} chars›", text.chars().count())),
        Value::Array(items) => items.iter().map(|item| redact(item, key, keep)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let redacted = members.map(|(key, value)| (key.clone(), redact(value, key, keep)));
            Value::Object(redacted.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_go_and_everything_else_stays() {
        let payload = json!({"name": "Zoë", "age": 41, "ok": true, "none": null, "tags": ["a", 1]});
        let redacted = json!({
            "name": "‹text: 3 chars›", "age": 41, "ok": true, "none": null,
            "tags": ["‹text: 1 chars›", 1],
        });
        assert_eq!(redact_shape(&payload), redacted);
        assert_eq!(redact_shape(&json!("")), json!("‹text: 0 chars›"));
        assert_eq!(serde_json::to_value(Shape(&payload)).unwrap(), redacted);
    }

    #[test]
    fn a_known_category_may_stay() {
        let payload = json!({"country": "DE", "city": "DE"});
        let redacted = redact_shape_except(&payload, &|key, text| key == "country" && text == "DE");
        assert_eq!(
            redacted,
            json!({"country": "DE", "city": "‹text: 2 chars›"})
        );
    }
}
