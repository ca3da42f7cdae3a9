//! Holding a row against a contract. This is on every request's path: one pass, and of a row that
//! fits and is in order nothing is copied but the row.

use plimsoll_core::Code;
use plimsoll_core::manifest::CategoryPolicy;
use serde_json::{Map, Number, Value};

use super::coerce::coerced;
use super::column::{Check, Column, ColumnType, Extra, OnMissing, Table};
use super::{Contract, Row, Shape, VIOLATIONS_MAX, Violation};
use crate::expr::Scope;
use crate::names::nearest;

/// How much of a caller's field name is told back.
const NAME_MAX: usize = 64;

pub(super) fn screen(contract: &Contract, row: &Map<String, Value>) -> Result<Row, Vec<Violation>> {
    let mut found = Findings::default();
    let values = match &contract.shape {
        Shape::Any => row.clone(),
        Shape::Json(schema) => {
            let whole = Value::Object(row.clone());
            if let Err(violations) = schema.check_input(&whole) {
                found.violations = violations;
            }
            match whole {
                Value::Object(values) => values,
                _ => row.clone(),
            }
        }
        Shape::Row(table) => screen_table(table, row, &mut found),
    };
    if found.is_readable() {
        check_rules(contract, &values, &mut found);
    }
    if found.violations.is_empty() {
        let Findings {
            doubts, coerced, ..
        } = found;
        Ok(Row {
            values,
            doubts,
            coerced,
        })
    } else {
        found.violations.truncate(VIOLATIONS_MAX);
        Err(found.violations)
    }
}

#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
    doubts: Vec<Violation>,
    has_missing_doubt: bool,
    /// Columns whose value was read from another type.
    coerced: Vec<String>,
}

impl Findings {
    /// Whether every value is there that rules read, and of its type.
    fn is_readable(&self) -> bool {
        let mut violations = self.violations.iter();
        violations.all(|one| matches!(one.code, Code::ContractRange | Code::ContractCategory))
    }

    fn refuse(&mut self, code: Code, field: &str, rule: &str, message: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation(code, field, rule, message));
        }
    }

    fn doubt(&mut self, field: &str, rule: &str, message: String) {
        if self.doubts.len() < VIOLATIONS_MAX {
            self.doubts
                .push(violation(Code::UnsureInput, field, rule, message));
        }
    }

    /// Acts on an unknown category or a number out of range.
    fn judge(
        &mut self,
        policy: CategoryPolicy,
        code: Code,
        field: &str,
        message: &dyn Fn() -> String,
    ) {
        let (refused, doubted) = match code {
            Code::ContractRange => ("range", "out_of_range"),
            _ => ("enum", "unknown_category"),
        };
        match policy {
            CategoryPolicy::Refuse => self.refuse(code, field, refused, message()),
            CategoryPolicy::Unsure => self.doubt(field, doubted, message()),
            CategoryPolicy::Allow => {}
        }
    }
}

fn violation(code: Code, field: &str, rule: &str, message: String) -> Violation {
    Violation {
        code,
        field: field.to_owned(),
        rule: rule.to_owned(),
        message,
    }
}

fn screen_table(
    table: &Table,
    row: &Map<String, Value>,
    found: &mut Findings,
) -> Map<String, Value> {
    let mut members = row.iter();
    let mut in_order = true;
    let mut known = 0;
    let mut changes: Vec<(usize, Value)> = Vec::new();
    for (index, (column, check)) in table.columns.iter().zip(&table.checks).enumerate() {
        // Most callers send the columns in the schema's order: then nothing has to be looked up.
        let value = match members.next() {
            Some((key, value)) if in_order && *key == column.name => Some(value),
            _ => {
                in_order = false;
                row.get(&column.name)
            }
        };
        known += usize::from(value.is_some());
        if let Some(change) = screen_value(column, check, value, found) {
            changes.push((index, change));
        }
    }
    let has_extra = known < row.len();
    if has_extra && table.extra == Extra::Refuse {
        refuse_extra(table, row, found);
    }
    let values = if in_order && !has_extra {
        row.clone()
    } else {
        in_schema_order(table, row)
    };
    finish(table, row, values, changes, found)
}

/// The row's columns in the schema's order, and then the others if they are kept.
fn in_schema_order(table: &Table, row: &Map<String, Value>) -> Map<String, Value> {
    let mut values = Map::with_capacity(table.columns.len());
    for column in &table.columns {
        let value = row.get(&column.name).cloned().unwrap_or(Value::Null);
        values.insert(column.name.clone(), value);
    }
    if table.extra == Extra::Keep {
        for (key, value) in row
            .iter()
            .filter(|(key, _)| !table.index.contains_key(*key))
        {
            values.insert(key.clone(), value.clone());
        }
    }
    values
}

/// Makes the changes, and checks what is left of the schema.
fn finish(
    table: &Table,
    row: &Map<String, Value>,
    mut values: Map<String, Value>,
    changes: Vec<(usize, Value)>,
    found: &mut Findings,
) -> Map<String, Value> {
    for (index, change) in changes {
        values.insert(table.columns[index].name.clone(), change);
    }
    if let Some(rest) = &table.rest {
        // To the schema an absent member is absent, not `null`, and so is a `null` that the
        // column's policy lets pass where the schema would not.
        let is_there = |(key, value): &(&String, &Value)| {
            let check = table.index.get(*key).map(|index| &table.checks[*index]);
            let may_be_null = row.contains_key(*key) && check.is_none_or(|check| check.allows_null);
            !value.is_null() || may_be_null
        };
        let there = values.iter().filter(is_there);
        let instance = there
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Err(violations) = rest.check_input(&Value::Object(instance)) {
            let room = VIOLATIONS_MAX - found.violations.len();
            found.violations.extend(violations.into_iter().take(room));
        }
    }
    values
}

/// Checks one value; what must stand in its place, if anything.
fn screen_value(
    column: &Column,
    check: &Check,
    value: Option<&Value>,
    found: &mut Findings,
) -> Option<Value> {
    let name = column.name.as_str();
    let on_missing = match value {
        None => &check.absent,
        Some(Value::Null) => &check.null,
        Some(value) => return screen_present(column, check, value, found),
    };
    match on_missing {
        OnMissing::Allow => None,
        OnMissing::Impute(stand_in) => Some(stand_in.clone()),
        OnMissing::Refuse => {
            let message = "a value is needed and missing".to_owned();
            found.refuse(Code::ContractMissing, name, "missing", message);
            None
        }
        OnMissing::Unsure => {
            found.has_missing_doubt = true;
            found.doubt(name, "missing", "a value is missing".to_owned());
            None
        }
    }
}

fn screen_present(
    column: &Column,
    check: &Check,
    value: &Value,
    found: &mut Findings,
) -> Option<Value> {
    let name = column.name.as_str();
    if !has_type(column.kind, value) {
        let read = check.coerces.then(|| coerced(column.kind, value)).flatten();
        let Some(read) = read else {
            found.refuse(Code::ContractType, name, "type", type_words(column.kind));
            return None;
        };
        found.coerced.push(name.to_owned());
        screen_present(column, check, &read, found);
        return Some(read);
    }
    if let Some(range) = &check.range
        && let Value::Number(number) = value
        && !range.contains(as_f64(number))
    {
        let message = || format!("it must be {}", range.words());
        found.judge(check.out_of_range, Code::ContractRange, name, &message);
    }
    if let Some(categories) = &check.categories
        && !categories.contains(value)
    {
        let message = || category_words(column.categories.as_deref().unwrap_or_default());
        found.judge(
            check.unknown_category,
            Code::ContractCategory,
            name,
            &message,
        );
    }
    match (column.kind, value) {
        (ColumnType::Integer, Value::Number(number)) if number.is_f64() => whole(number),
        _ => None,
    }
}

/// What is wrong with a stand-in for a column's values.
pub(super) fn misfit(kind: ColumnType, check: &Check, value: &Value) -> Option<String> {
    if value.is_null() {
        return Some("`null` cannot stand in for a missing value".to_owned());
    }
    if !has_type(kind, value) {
        return Some(type_words(kind));
    }
    let number = value.as_f64();
    match (&check.range, &check.categories, number) {
        (Some(range), _, Some(number)) if !range.contains(number) => {
            Some(format!("it must be {}", range.words()))
        }
        (_, Some(categories), _) if !categories.contains(value) => {
            Some("it must be one of the schema's `enum`".to_owned())
        }
        _ => None,
    }
}

fn type_words(kind: ColumnType) -> String {
    format!("its type must be {}", kind.as_str())
}

fn has_type(kind: ColumnType, value: &Value) -> bool {
    match (kind, value) {
        (ColumnType::Any, _)
        | (ColumnType::Number, Value::Number(_))
        | (ColumnType::String, Value::String(_))
        | (ColumnType::Boolean, Value::Bool(_)) => true,
        (ColumnType::Integer, Value::Number(number)) => {
            !number.is_f64() || as_f64(number).fract() == 0.0
        }
        _ => false,
    }
}

fn as_f64(number: &Number) -> f64 {
    number
        .as_f64()
        .expect("without arbitrary precision every number has a double")
}

/// `1.0` written as `1`, so that whoever reads the column finds whole numbers only.
fn whole(number: &Number) -> Option<Value> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number = as_f64(number);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and below 2^53"
    )]
    (number.abs() < EXACT_MAX).then(|| Value::from(number as i64))
}

/// The known categories in words, the first few if there are many.
pub(super) fn category_words(categories: &[Value]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown: Vec<_> = categories
        .iter()
        .take(SHOWN_MAX)
        .map(Value::to_string)
        .collect();
    let more = categories.len().saturating_sub(SHOWN_MAX);
    let shown = shown.join(", ");
    match more {
        0 => format!("it must be one of {shown}"),
        _ => format!("it must be one of {shown} and {more} more"),
    }
}

fn refuse_extra(table: &Table, row: &Map<String, Value>, found: &mut Findings) {
    let extra = row.keys().filter(|key| !table.index.contains_key(*key));
    for key in extra.take(VIOLATIONS_MAX) {
        let name: String = key.chars().take(NAME_MAX).collect();
        let known: Vec<_> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let message = match nearest(&name, &known) {
            Some(near) => format!("there is no such field: did you mean `{near}`?"),
            None => "there is no such field".to_owned(),
        };
        found.refuse(Code::ContractUnknownField, &name, "unknown_field", message);
    }
}

fn check_rules(contract: &Contract, values: &Map<String, Value>, found: &mut Findings) {
    for (name, rule) in &contract.rules {
        let scope = Scope::new().with_object("inputs", values);
        match rule.holds(&scope) {
            Ok(true) => {}
            Ok(false) => {
                let message = format!("the values together break the rule `{name}`");
                found.refuse(Code::ContractRule, "", name, message);
            }
            Err(error) => {
                let message = format!("the rule `{name}` cannot be applied: {error}");
                if found.has_missing_doubt {
                    found.doubt("", name, message);
                } else {
                    found.refuse(Code::ContractRule, "", name, message);
                }
            }
        }
    }
}
