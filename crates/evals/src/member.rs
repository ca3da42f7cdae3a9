//! Finding a part of a JSON value by a dotted path, and comparing values as people mean it.

use serde_json::Value;

/// The member of `value` at a path such as `answer.sources.0`; `.` is the whole. In a chat completion, paths
/// begin at the message, and the whole is its text.
pub fn member<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let root = match value.pointer("/choices/0/message") {
        Some(message) if path == "." => {
            return message.get("content").filter(|text| text.is_string());
        }
        Some(message) => message,
        None => value,
    };
    if path == "." {
        return Some(root);
    }
    path.split('.').try_fold(root, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

/// Whether two values are the same; numbers by value, so that 1 is 1.0.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|x| Some(x) == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, a)| other.get(key).is_some_and(|b| same(a, b)))
        }
        (one, other) => one == other,
    }
}

/// Whether all that `part` has is in `whole`.
pub fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| holds(found, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(a, b)| holds(a, b))
        }
        (whole, part) => same(whole, part),
    }
}

/// A value as a person would read it: a text without quotes.
pub fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A finite number, also one that stands in a text.
pub fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_objects_lists_and_chat_completions() {
        let value = json!({"a": {"b": [1, {"c": "x"}]}});
        assert_eq!(member(&value, "a.b.1.c"), Some(&json!("x")));
        assert_eq!(member(&value, "a.b.7"), None);
        assert_eq!(member(&value, "."), Some(&value));
        let chat = json!({"choices": [{"message": {"content": "hello", "tool_calls": [1]}}]});
        assert_eq!(member(&chat, "."), Some(&json!("hello")));
        assert_eq!(member(&chat, "tool_calls"), Some(&json!([1])));
    }

    #[test]
    fn numbers_are_the_same_by_value_and_a_part_may_lack_members() {
        assert!(same(&json!({"a": [1]}), &json!({"a": [1.0]})));
        assert!(!same(&json!({"a": 1, "b": 2}), &json!({"a": 1})));
        assert!(holds(&json!({"a": 1, "b": 2}), &json!({"a": 1.0})));
        assert!(!holds(&json!({"a": 1}), &json!({"a": 1, "b": null})));
        assert_eq!(number(&json!(" 2.5 ")), Some(2.5));
        assert_eq!(number(&json!("NaN")), None);
    }
}
