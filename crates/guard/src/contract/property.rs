//! One property of a row's schema, taken apart into what a column checks itself and what is left to
//! the `jsonschema` crate.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::column::{ColumnType, Range};
use super::json::annotations;

/// The names of the types that a schema allows; none if it does not say.
pub(super) fn types(property: &Value) -> Option<HashSet<&str>> {
    match property.get("type")? {
        Value::String(one) => Some([one.as_str()].into()),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// A property, taken apart into what a column checks and what is left.
pub(super) struct Property {
    pub(super) kind: ColumnType,
    pub(super) allows_null: bool,
    pub(super) range: Range,
    pub(super) categories: Option<Vec<Value>>,
    pub(super) rest: Map<String, Value>,
}

impl Property {
    pub(super) fn new(schema: &Value) -> Self {
        let mut rest = schema.as_object().cloned().unwrap_or_default();
        if *schema == Value::Bool(false) {
            rest.insert("not".to_owned(), json!({}));
        }
        rest.retain(|keyword, _| !annotations().contains(keyword.as_str()));
        let mut property = Self {
            kind: ColumnType::Any,
            allows_null: true,
            range: Range::ALL,
            categories: None,
            rest,
        };
        property.take_type(schema);
        property.take_categories();
        if matches!(property.kind, ColumnType::Number | ColumnType::Integer) {
            property.take_range();
        }
        property
    }

    fn take_type(&mut self, schema: &Value) {
        let Some(mut names) = types(schema) else {
            return;
        };
        self.allows_null = names.remove("null");
        if names.contains("number") {
            names.remove("integer");
        }
        let mut names = names.into_iter();
        self.kind = match (names.next(), names.next()) {
            (Some("number"), None) => ColumnType::Number,
            (Some("integer"), None) => ColumnType::Integer,
            (Some("string"), None) => ColumnType::String,
            (Some("boolean"), None) => ColumnType::Boolean,
            _ => return,
        };
        self.rest.remove("type");
    }

    fn take_categories(&mut self) {
        let listed = match (self.rest.remove("enum"), self.rest.remove("const")) {
            (Some(Value::Array(values)), None) => values,
            (None, Some(value)) => vec![value],
            (Some(Value::Array(values)), Some(value)) if values.contains(&value) => vec![value],
            (None, None) => return,
            _ => Vec::new(),
        };
        self.allows_null &= listed.contains(&Value::Null);
        let known: Vec<_> = listed
            .into_iter()
            .filter(|value| !value.is_null())
            .collect();
        if self.kind == ColumnType::Any && !self.rest.contains_key("type") {
            self.kind = common_type(&known);
        }
        self.categories = Some(known);
    }

    fn take_range(&mut self) {
        let mut take = |keyword: &str| self.rest.remove(keyword).and_then(|limit| limit.as_f64());
        let mut range = Range::ALL;
        if let Some(limit) = take("minimum") {
            range.at_least(limit, false);
        }
        if let Some(limit) = take("exclusiveMinimum") {
            range.at_least(limit, true);
        }
        if let Some(limit) = take("maximum") {
            range.at_most(limit, false);
        }
        if let Some(limit) = take("exclusiveMaximum") {
            range.at_most(limit, true);
        }
        self.range = range;
    }
}

/// The type that all values have.
fn common_type(values: &[Value]) -> ColumnType {
    let all = |is: fn(&Value) -> bool| !values.is_empty() && values.iter().all(is);
    if all(Value::is_string) {
        ColumnType::String
    } else if all(Value::is_boolean) {
        ColumnType::Boolean
    } else if all(|value| value.is_i64() || value.is_u64()) {
        ColumnType::Integer
    } else if all(Value::is_number) {
        ColumnType::Number
    } else {
        ColumnType::Any
    }
}
