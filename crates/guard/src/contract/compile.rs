//! From a JSON Schema and policies to a [`Contract`].

use std::collections::{BTreeMap, HashSet};

use plimsoll_core::manifest::{
    CategoryPolicy, ColumnSpec, InputSpec, MissingPolicy, UnknownFieldPolicy,
};
use serde_json::{Map, Value, json};

use super::column::{
    Categories, Check, Column, ColumnType, Extra, OnMissing, Policy, Range, Table,
};
use super::json::annotations;
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
        Some(properties) => match compile_table(&resolved, properties, spec, problems) {
            Some(table) => Shape::Row(Box::new(table)),
            None => Shape::Any,
        },
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
    let is_flat = is_object && !properties.is_empty() && !properties.values().any(is_nested);
    is_flat.then_some(properties)
}

fn types(property: &Value) -> Option<HashSet<&str>> {
    match property.get("type")? {
        Value::String(one) => Some([one.as_str()].into()),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// A property, taken apart into what a column checks and what is left.
struct Property {
    kind: ColumnType,
    allows_null: bool,
    range: Range,
    categories: Option<Vec<Value>>,
    rest: Map<String, Value>,
}

impl Property {
    fn new(schema: &Value) -> Self {
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

fn compile_table(
    schema: &Value,
    properties: &Map<String, Value>,
    spec: &InputSpec,
    problems: &mut Problems,
) -> Option<Table> {
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
        let check = compile_check(name, &property, own, spec, required.contains(name.as_str()));
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
    problems.0.is_empty().then_some(table)
}

fn extra(schema: &Value, policy: UnknownFieldPolicy) -> Extra {
    let others = schema.get("additionalProperties");
    let allows_others = others.is_some_and(|others| *others != Value::Bool(false));
    match policy {
        _ if allows_others || schema.get("patternProperties").is_some() => Extra::Keep,
        UnknownFieldPolicy::Refuse => Extra::Refuse,
        UnknownFieldPolicy::Drop => Extra::Drop,
    }
}

fn compile_check(
    name: &str,
    property: &Property,
    own: &ColumnSpec,
    spec: &InputSpec,
    is_required: bool,
) -> Check {
    debug_assert!(!name.is_empty() || own.missing.is_none());
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
        range: (property.range != Range::ALL).then_some(property.range),
        out_of_range: own.out_of_range.unwrap_or(spec.out_of_range),
        categories: property.categories.as_deref().map(Categories::new),
        unknown_category: own.unknown_category.unwrap_or(spec.unknown_category),
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
    if rest
        .get("additionalProperties")
        .is_some_and(Value::is_boolean)
    {
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
