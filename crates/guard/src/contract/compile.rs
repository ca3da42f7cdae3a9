//! From a JSON Schema and policies to a [`Contract`].

use std::collections::{BTreeMap, HashSet};

use plimsoll_core::manifest::{
    CategoryPolicy, CoercePolicy, ColumnSpec, InputSpec, MissingPolicy, UnknownFieldPolicy,
};
use serde_json::{Map, Value, json};

use super::coerce::can_coerce;
use super::column::{Categories, Check, Column, Extra, OnMissing, Policy, Range, Table};
use super::json::annotations;
use super::property::{Property, types};
use super::{Contract, ContractProblem, JsonContract, Shape, screen};
use crate::expr::Expr;
use crate::names::nearest;

pub(super) fn compile(
    schema: Option<&Value>,
    spec: &InputSpec,
) -> Result<Contract, Vec<ContractProblem>> {
    let mut problems = Problems::default();
    let shape = match schema {
        None => Shape::Any,
        Some(schema) => compile_shape(schema, spec, &mut problems),
    };
    if !matches!(shape, Shape::Row(_)) && problems.0.is_empty() {
        for name in spec.columns.keys() {
            let message = "only a flat row has columns: the schema must be an object of numbers, \
                           texts and truths";
            problems.add(format!("columns.{name}"), message);
        }
        if spec.coerce == CoercePolicy::Lossless {
            let message = "only a flat row has columns whose values can be coerced";
            problems.add("coerce".to_owned(), message);
        }
    }
    let rules = compile_rules(&spec.rules, &shape, &mut problems);
    if problems.0.is_empty() {
        Ok(Contract { shape, rules })
    } else {
        Err(problems.0)
    }
}

#[derive(Default)]
struct Problems(Vec<ContractProblem>);

impl Problems {
    fn add(&mut self, path: String, message: impl Into<String>) {
        let message = message.into();
        self.0.push(ContractProblem { path, message });
    }
}

fn compile_rules(
    rules: &BTreeMap<String, String>,
    shape: &Shape,
    problems: &mut Problems,
) -> Vec<(String, Expr)> {
    let mut compiled = Vec::new();
    for (name, text) in rules {
        let path = format!("rules.{name}");
        match Expr::compile(text, &["inputs"]) {
            Ok(expr) => {
                if let Shape::Row(table) = shape {
                    check_members(&expr, table, &path, problems);
                }
                compiled.push((name.clone(), expr));
            }
            Err(error) => problems.add(path, error.to_string()),
        }
    }
    compiled
}

/// Every member that a rule names must be a column.
fn check_members(expr: &Expr, table: &Table, path: &str, problems: &mut Problems) {
    if table.extra == Extra::Keep {
        return;
    }
    let known: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    for member in expr.members_of("inputs") {
        if !table.index.contains_key(&member) {
            problems.add(path.to_owned(), unknown_column(&member, &known));
        }
    }
}

fn unknown_column(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("the schema has no `{name}`: did you mean `{near}`?"),
        None => format!("the schema has no `{name}`: it has {}", known.join(", ")),
    }
}

fn compile_shape(schema: &Value, spec: &InputSpec, problems: &mut Problems) -> Shape {
    // The whole schema is compiled once as it is: that finds what is wrong with it where it stands.
    let whole = match JsonContract::compile(schema) {
        Ok(whole) => whole,
        Err(found) => {
            problems.0.extend(found);
            return Shape::Any;
        }
    };
    let resolved = resolve_references(schema);
    match flat_properties(&resolved) {
        Some(properties) => {
            let table = compile_table(&resolved, properties, spec, problems);
            Shape::Row(Box::new(table))
        }
        None => Shape::Json(whole),
    }
}

/// The schema with what its properties refer to put in place, where that is possible.
fn resolve_references(schema: &Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let refers = properties.is_some_and(|all| all.values().any(|one| one.get("$ref").is_some()));
    let resolved = refers.then(|| jsonschema::options().dereference(schema).ok());
    resolved.flatten().unwrap_or_else(|| schema.clone())
}

/// The properties, if the schema is of a flat row.
fn flat_properties(schema: &Value) -> Option<&Map<String, Value>> {
    let is_object = match schema.get("type") {
        None => true,
        Some(kind) => *kind == json!("object") || *kind == json!(["object"]),
    };
    let properties = schema.get("properties")?.as_object()?;
    let is_nested = |property: &Value| {
        let has = |key: &str| property.get(key).is_some();
        types(property).is_some_and(|names| names.contains("object") || names.contains("array"))
            || ["properties", "items", "prefixItems", "additionalProperties"]
                .into_iter()
                .any(has)
    };
    let is_flat = is_object
        && !properties.is_empty()
        && !properties.values().any(is_nested)
        && !declares_others(schema, properties);
    is_flat.then_some(properties)
}

/// Whether the schema declares members elsewhere than in its own `properties`.
fn declares_others(schema: &Value, properties: &Map<String, Value>) -> bool {
    const ELSEWHERE: [&str; 10] = [
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "$ref",
        "$dynamicRef",
    ];
    let parts = ELSEWHERE
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    let mut left: Vec<_> = parts.collect();
    while let Some(part) = left.pop() {
        match part {
            Value::Object(members) => {
                let declared = members.get("properties").and_then(Value::as_object);
                let is_other = |name: &String| !properties.contains_key(name);
                if declared.is_some_and(|declared| declared.keys().any(is_other)) {
                    return true;
                }
                left.extend(members.values());
            }
            Value::Array(items) => left.extend(items),
            // A reference leads to what is not looked at here.
            Value::String(target) if target.contains('#') => return true,
            _ => {}
        }
    }
    false
}

fn compile_table(
    schema: &Value,
    properties: &Map<String, Value>,
    spec: &InputSpec,
    problems: &mut Problems,
) -> Table {
    let required: HashSet<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => HashSet::new(),
    };
    let names: Vec<_> = properties.keys().map(String::as_str).collect();
    for name in spec
        .columns
        .keys()
        .filter(|name| !properties.contains_key(*name))
    {
        problems.add(format!("columns.{name}"), unknown_column(name, &names));
    }
    let none = ColumnSpec::default();
    let mut table = Table {
        columns: Vec::new(),
        checks: Vec::new(),
        index: names
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), index))
            .collect(),
        extra: extra(schema, spec.unknown_field),
        rest: None,
    };
    let mut rests = Map::new();
    for (name, schema) in properties {
        let property = Property::new(schema);
        let own = spec.columns.get(name).unwrap_or(&none);
        let check = compile_check(&property, own, spec, required.contains(name.as_str()));
        check_policies(name, &property, own, &check, problems);
        let may_be_missing = |on: &OnMissing| matches!(on, OnMissing::Allow | OnMissing::Unsure);
        table.columns.push(Column {
            name: name.clone(),
            kind: property.kind,
            nullable: may_be_missing(&check.absent) || may_be_missing(&check.null),
            categories: property.categories,
        });
        table.checks.push(check);
        rests.insert(name.clone(), Value::Object(property.rest));
    }
    match compile_rest(schema, rests) {
        Ok(rest) => table.rest = rest,
        Err(found) => problems.0.extend(found),
    }
    table
}

fn extra(schema: &Value, policy: UnknownFieldPolicy) -> Extra {
    let allows = |keyword| {
        schema
            .get(keyword)
            .is_some_and(|others| *others != Value::Bool(false))
    };
    let allows_others = allows("additionalProperties") || allows("unevaluatedProperties");
    match policy {
        _ if allows_others || schema.get("patternProperties").is_some() => Extra::Keep,
        UnknownFieldPolicy::Refuse => Extra::Refuse,
        UnknownFieldPolicy::Drop => Extra::Drop,
    }
}

fn compile_check(
    property: &Property,
    own: &ColumnSpec,
    spec: &InputSpec,
    is_required: bool,
) -> Check {
    let stand_in = own.impute.as_ref();
    let implied = stand_in.map(|_| MissingPolicy::Impute);
    let own_missing = own.missing.or(implied);
    let policy = Policy {
        missing: own_missing.unwrap_or(spec.missing),
        is_own: own_missing.is_some(),
    };
    Check {
        absent: OnMissing::new(policy, !is_required, stand_in),
        null: OnMissing::new(policy, property.allows_null, stand_in),
        allows_null: property.allows_null,
        range: (property.range != Range::ALL).then_some(property.range),
        out_of_range: own.out_of_range.unwrap_or(spec.out_of_range),
        categories: property.categories.as_deref().map(Categories::new),
        unknown_category: own.unknown_category.unwrap_or(spec.unknown_category),
        coerces: own.coerce.unwrap_or(spec.coerce) == CoercePolicy::Lossless,
    }
}

/// Policies of a column that cannot do anything, and stand-ins that do not fit.
fn check_policies(
    name: &str,
    property: &Property,
    own: &ColumnSpec,
    check: &Check,
    problems: &mut Problems,
) {
    let path = |key: &str| format!("columns.{name}.{key}");
    let imputes = own.missing == Some(MissingPolicy::Impute);
    match &own.impute {
        None if imputes => {
            let message = "`impute` needs a value to stand in: add `impute = …` to the column";
            problems.add(path("impute"), message);
        }
        Some(_) if own.missing.is_some() && !imputes => {
            let message = "the value stands in for nothing: `missing` says something else";
            problems.add(path("impute"), message);
        }
        Some(value) => {
            if let Some(message) = screen::misfit(property.kind, check, value) {
                problems.add(path("impute"), message);
            }
        }
        None => {}
    }
    if own.coerce == Some(CoercePolicy::Lossless) && !can_coerce(property.kind) {
        let message = "only numbers, whole numbers and truths can be read from another type";
        problems.add(path("coerce"), message);
    }
    if own.unknown_category.is_some() && check.categories.is_none() {
        problems.add(
            path("unknown_category"),
            "the schema lists no `enum` for the column",
        );
    }
    if own
        .out_of_range
        .is_some_and(|policy| policy != CategoryPolicy::Refuse)
        && check.range.is_none()
    {
        problems.add(
            path("out_of_range"),
            "the schema gives no minimum or maximum for the column",
        );
    }
}

/// What the schema says beyond the columns.
fn compile_rest(
    schema: &Value,
    properties: Map<String, Value>,
) -> Result<Option<JsonContract>, Vec<ContractProblem>> {
    let mut rest = schema.as_object().cloned().unwrap_or_default();
    let mut says_more = properties.values().any(|rest| *rest != json!({}));
    if let Some(Value::Array(required)) = rest.get_mut("required") {
        required.retain(|name| {
            name.as_str()
                .is_some_and(|name| !properties.contains_key(name))
        });
        if required.is_empty() {
            rest.remove("required");
        }
    }
    rest.remove("type");
    let others = rest.get("additionalProperties");
    if others.is_some_and(Value::is_boolean) && !rest.contains_key("patternProperties") {
        // Which fields may be there is decided by now.
        rest.remove("additionalProperties");
    }
    rest.insert("properties".to_owned(), Value::Object(properties));
    let silent = annotations();
    says_more |= rest.keys().any(|keyword| {
        let keyword = keyword.as_str();
        !silent.contains(keyword) && !["properties", "$defs", "definitions"].contains(&keyword)
    });
    if !says_more {
        return Ok(None);
    }
    JsonContract::compile(&Value::Object(rest)).map(Some)
}
