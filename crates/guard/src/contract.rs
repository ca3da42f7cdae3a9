//! What inputs and outputs must look like.
//!
//! A flat row (an object whose members are numbers, texts and truths) compiles to a table of columns
//! that is checked in one pass, with a policy for each value that is missing, unknown or out of
//! range. Whatever else its JSON Schema says (patterns, formats, conditions) is left to the
//! `jsonschema` crate, and so is any schema that is not of a flat row. Rules across fields are
//! expressions in CEL.
//!
//! Types are strict: `"12"` is no number, unless the column may be coerced where nothing is lost
//! (`coerce`). Missing means absent or `null`, and whether it is allowed
//! is for the schema to say: an absent value where it is not `required`, a `null` where the type
//! admits it. A column's own `missing` policy is for every missing value of it; the contract's
//! overall policy is for those that the schema does not allow. No message quotes a caller's value.

mod coerce;
mod column;
mod compile;
mod json;
mod property;
mod screen;

use plimsoll_core::Code;
use plimsoll_core::manifest::InputSpec;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::expr::Expr;

pub use column::{Column, ColumnType};
pub use json::JsonContract;

use column::Table;

/// The most violations that are told of one row.
pub const VIOLATIONS_MAX: usize = 32;

/// A compiled contract.
#[derive(Debug)]
pub struct Contract {
    shape: Shape,
    rules: Vec<(String, Expr)>,
}

/// How values are checked.
#[derive(Debug)]
enum Shape {
    /// Anything passes.
    Any,
    /// By the table of columns.
    Row(Box<Table>),
    /// By JSON Schema alone.
    Json(JsonContract),
}

/// A row that is fit to be asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The values, of a flat row in the schema's order and with every column: a missing value that
    /// may be missing is `null`, one that is imputed has its stand-in.
    pub values: Map<String, Value>,
    /// What makes the answer unsure, each with the code `unsure_input`.
    pub doubts: Vec<Violation>,
    /// The columns whose value was of another type and was read as one of theirs.
    pub coerced: Vec<String>,
}

/// One way in which a value does not fit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// What kind of misfit it is.
    pub code: Code,
    /// The field, as a name or as a JSON Pointer into nested values; empty for the whole.
    pub field: String,
    /// The keyword of the schema, the policy or the rule that it breaks.
    pub rule: String,
    /// What is wrong, with the schema's facts and never with the caller's value.
    pub message: String,
}

/// Why a contract cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContractProblem {
    /// Where: a JSON Pointer into the schema, or a key of the input's specification such as
    /// `columns.age.impute` or `rules.affordable`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Contract {
    /// Compiles the contract of an input.
    ///
    /// # Errors
    /// With everything that makes it unusable.
    pub fn compile(schema: Option<&Value>, spec: &InputSpec) -> Result<Self, Vec<ContractProblem>> {
        compile::compile(schema, spec)
    }

    /// The columns of a flat row in the schema's order; empty for other inputs.
    pub fn columns(&self) -> &[Column] {
        match &self.shape {
            Shape::Row(table) => &table.columns,
            Shape::Any | Shape::Json(_) => &[],
        }
    }

    /// Whether the input is a flat row.
    pub const fn is_row(&self) -> bool {
        matches!(self.shape, Shape::Row(_))
    }

    /// Whether `text` is one of the known categories of a column: then it says nothing that the
    /// schema does not.
    pub fn is_category(&self, column: &str, text: &str) -> bool {
        let Shape::Row(table) = &self.shape else {
            return false;
        };
        let check = table.index.get(column).map(|index| &table.checks[*index]);
        let categories = check.and_then(|check| check.categories.as_ref());
        categories.is_some_and(|categories| categories.contains_text(text))
    }

    /// Whether `row` is fit to be asked.
    ///
    /// # Errors
    /// With everything that is wrong with it, [`VIOLATIONS_MAX`] at most.
    pub fn screen(&self, row: &Map<String, Value>) -> Result<Row, Vec<Violation>> {
        screen::screen(self, row)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::manifest::{
        CategoryPolicy, CoercePolicy, ColumnSpec, MissingPolicy, UnknownFieldPolicy,
    };
    use serde_json::json;

    use super::*;

    fn strict() -> InputSpec {
        InputSpec {
            schema: None,
            missing: MissingPolicy::Refuse,
            unknown_category: CategoryPolicy::Refuse,
            unknown_field: UnknownFieldPolicy::Refuse,
            out_of_range: CategoryPolicy::Refuse,
            coerce: CoercePolicy::Never,
            columns: [].into(),
            rules: [].into(),
            rows_max: 100,
            retrieved: Vec::new(),
            spotlight: None,
            tokens: None,
        }
    }

    fn loan() -> Value {
        json!({
            "type": "object",
            "required": ["age", "income", "country", "owner"],
            "properties": {
                "age": {"type": "integer", "minimum": 18, "exclusiveMaximum": 120},
                "income": {"type": ["number", "null"], "minimum": 0},
                "country": {"enum": ["DE", "FR"]},
                "owner": {"type": "boolean"},
                "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
            },
        })
    }

    fn with_column(name: &str, column: ColumnSpec) -> InputSpec {
        let mut spec = strict();
        spec.columns.insert(name.to_owned(), column);
        spec
    }

    fn screened(spec: &InputSpec, row: Value) -> Result<Row, Vec<(Code, String)>> {
        let contract = Contract::compile(Some(&loan()), spec).unwrap();
        assert!(contract.is_row());
        let screened = contract.screen(row.as_object().unwrap());
        screened.map_err(|all| all.into_iter().map(|one| (one.code, one.field)).collect())
    }

    fn refused(spec: &InputSpec, row: Value) -> Vec<(Code, String)> {
        screened(spec, row).unwrap_err()
    }

    fn one(code: Code, field: &str) -> Vec<(Code, String)> {
        vec![(code, field.to_owned())]
    }

    fn good() -> Value {
        json!({"age": 40, "income": 1.5, "country": "DE", "owner": true, "zip": "02139"})
    }

    fn but(field: &str, value: Value) -> Value {
        let mut row = good();
        row[field] = value;
        row
    }

    fn without(field: &str) -> Value {
        let mut row = good();
        row.as_object_mut().unwrap().remove(field);
        row
    }

    #[test]
    fn a_row_that_fits_passes_as_it_is() {
        let row = screened(&strict(), good()).unwrap();
        assert_eq!(Value::Object(row.values), good());
        assert!(row.doubts.is_empty());
    }

    #[test]
    fn a_shuffled_row_comes_out_in_the_schemas_order_with_every_column() {
        let row = json!({"owner": false, "country": "FR", "income": null, "age": 18});
        let row = screened(&strict(), row).unwrap();
        let expected = r#"{"age":18,"income":null,"country":"FR","owner":false,"zip":null}"#;
        assert_eq!(Value::Object(row.values).to_string(), expected);
    }

    #[test]
    fn types_are_never_coerced_but_1_0_is_whole() {
        for value in [
            json!("40"),
            json!(40.5),
            json!(true),
            json!([40]),
            json!({"v": 40}),
        ] {
            assert_eq!(
                refused(&strict(), but("age", value)),
                one(Code::ContractType, "age")
            );
        }
        for value in [json!(0), json!("true")] {
            assert_eq!(
                refused(&strict(), but("owner", value)),
                one(Code::ContractType, "owner")
            );
        }
        let row = screened(&strict(), but("age", json!(40.0))).unwrap();
        assert_eq!(row.values["age"].to_string(), "40");
    }

    #[test]
    fn what_means_one_value_only_is_coerced_where_the_column_allows_it() {
        let lossless = InputSpec {
            coerce: CoercePolicy::Lossless,
            ..strict()
        };
        for (field, sent, read) in [
            ("age", json!("40"), json!(40)),
            ("income", json!("51000.5"), json!(51000.5)),
            ("income", json!("5.1e4"), json!(51000.0)),
            ("owner", json!("true"), json!(true)),
            ("owner", json!(0), json!(false)),
        ] {
            assert_eq!(
                refused(&strict(), but(field, sent.clone())),
                one(Code::ContractType, field)
            );
            let row = screened(&lossless, but(field, sent)).unwrap();
            assert_eq!(
                (&row.values[field], &row.coerced),
                (&read, &vec![field.to_owned()])
            );
        }
        let row = screened(&lossless, good()).unwrap();
        assert_eq!(row.coerced, Vec::<String>::new());
    }

    #[test]
    fn a_coerced_value_is_held_against_the_rest_of_the_contract() {
        let coerce = Some(CoercePolicy::Lossless);
        let spec = with_column(
            "age",
            ColumnSpec {
                coerce,
                ..ColumnSpec::default()
            },
        );
        assert_eq!(
            refused(&spec, but("age", json!("17"))),
            one(Code::ContractRange, "age")
        );
        assert_eq!(
            refused(&spec, but("owner", json!("true"))),
            one(Code::ContractType, "owner")
        );
        assert_eq!(
            refused(&spec, but("zip", json!(2139))),
            one(Code::ContractType, "zip")
        );
        let never = ColumnSpec {
            coerce: Some(CoercePolicy::Never),
            ..ColumnSpec::default()
        };
        let mut all_but_age = with_column("age", never);
        all_but_age.coerce = CoercePolicy::Lossless;
        assert_eq!(
            refused(&all_but_age, but("age", json!("40"))),
            one(Code::ContractType, "age")
        );
    }

    #[test]
    fn coercing_where_nothing_can_be_is_refused() {
        let zip = ColumnSpec {
            coerce: Some(CoercePolicy::Lossless),
            ..ColumnSpec::default()
        };
        let problems = Contract::compile(Some(&loan()), &with_column("zip", zip)).unwrap_err();
        assert_eq!(problems[0].path, "columns.zip.coerce");
        let spec = InputSpec {
            coerce: CoercePolicy::Lossless,
            ..strict()
        };
        let nested = json!({"type": "object", "properties": {"a": {"type": "array"}}});
        assert!(Contract::compile(Some(&nested), &spec).is_err());
    }

    #[test]
    fn bounds_are_exact() {
        for value in [17, 120, 1000] {
            let refused = refused(&strict(), but("age", json!(value)));
            assert_eq!(refused, one(Code::ContractRange, "age"));
        }
        assert!(screened(&strict(), but("age", json!(119))).is_ok());
        assert!(screened(&strict(), but("income", json!(0))).is_ok());
    }

    #[test]
    fn absent_is_not_null() {
        assert_eq!(
            refused(&strict(), without("income")),
            one(Code::ContractMissing, "income")
        );
        assert!(screened(&strict(), but("income", Value::Null)).is_ok());
        assert_eq!(
            refused(&strict(), but("age", Value::Null)),
            one(Code::ContractMissing, "age")
        );
        assert!(screened(&strict(), without("zip")).is_ok());
    }

    #[test]
    fn each_missing_policy_does_what_it_says() {
        let own = |missing: MissingPolicy, impute: Option<Value>| {
            let missing = Some(missing);
            with_column(
                "age",
                ColumnSpec {
                    missing,
                    impute,
                    ..ColumnSpec::default()
                },
            )
        };
        let imputed = own(MissingPolicy::Impute, Some(json!(35)));
        for row in [without("age"), but("age", Value::Null)] {
            let row = screened(&imputed, row).unwrap();
            assert_eq!((&row.values["age"], row.doubts.len()), (&json!(35), 0));
        }
        let row = screened(&own(MissingPolicy::Unsure, None), without("age")).unwrap();
        assert_eq!(
            (row.doubts[0].code, row.doubts[0].field.as_str()),
            (Code::UnsureInput, "age")
        );
        assert_eq!(row.values["age"], Value::Null);
        let row = screened(&own(MissingPolicy::Allow, None), without("age")).unwrap();
        assert_eq!((&row.values["age"], row.doubts.len()), (&Value::Null, 0));
    }

    #[test]
    fn a_columns_own_policy_is_for_values_that_the_schema_lets_be_missing_too() {
        let missing = Some(MissingPolicy::Refuse);
        let spec = with_column(
            "income",
            ColumnSpec {
                missing,
                ..ColumnSpec::default()
            },
        );
        let row = but("income", Value::Null);
        assert_eq!(refused(&spec, row), one(Code::ContractMissing, "income"));
        let overall = InputSpec {
            missing: MissingPolicy::Unsure,
            ..strict()
        };
        let row = screened(&overall, but("income", Value::Null)).unwrap();
        assert!(row.doubts.is_empty());
        assert_eq!(
            screened(&overall, without("income")).unwrap().doubts.len(),
            1
        );
    }

    #[test]
    fn unknown_categories_and_numbers_out_of_range_follow_their_policy() {
        let spec = |policy| InputSpec {
            unknown_category: policy,
            out_of_range: policy,
            ..strict()
        };
        let mut row = but("country", json!("de"));
        row["age"] = json!(7);
        let both = vec![
            (Code::ContractRange, "age".to_owned()),
            (Code::ContractCategory, "country".to_owned()),
        ];
        assert_eq!(refused(&spec(CategoryPolicy::Refuse), row.clone()), both);
        let unsure = screened(&spec(CategoryPolicy::Unsure), row.clone()).unwrap();
        let rules: Vec<_> = unsure
            .doubts
            .iter()
            .map(|doubt| doubt.rule.as_str())
            .collect();
        assert_eq!(rules, ["out_of_range", "unknown_category"]);
        assert_eq!(unsure.values["country"], "de");
        assert!(
            screened(&spec(CategoryPolicy::Allow), row)
                .unwrap()
                .doubts
                .is_empty()
        );
    }

    #[test]
    fn unknown_fields_are_refused_or_dropped() {
        let row = but("Age", json!(41));
        assert_eq!(
            refused(&strict(), row.clone()),
            one(Code::ContractUnknownField, "Age")
        );
        let spec = InputSpec {
            unknown_field: UnknownFieldPolicy::Drop,
            ..strict()
        };
        let row = screened(&spec, row).unwrap();
        assert!(!row.values.contains_key("Age"));
        let mut schema = loan();
        schema["additionalProperties"] = json!({"type": "string"});
        let contract = Contract::compile(Some(&schema), &strict()).unwrap();
        let kept = contract
            .screen(but("note", json!("x")).as_object().unwrap())
            .unwrap();
        assert_eq!(kept.values["note"], "x");
        assert!(
            contract
                .screen(but("note", json!(1)).as_object().unwrap())
                .is_err()
        );
    }

    #[test]
    fn what_the_columns_do_not_cover_is_enforced_too() {
        for value in ["0213", "02139\n", "O2139"] {
            let refused = refused(&strict(), but("zip", json!(value)));
            assert_eq!(refused, one(Code::ContractSchema, "zip"));
        }
        let mut schema = loan();
        schema["if"] = json!({"properties": {"owner": {"const": true}}});
        schema["then"] = json!({"properties": {"age": {"minimum": 21}}});
        let contract = Contract::compile(Some(&schema), &strict()).unwrap();
        assert!(contract.is_row());
        let row = but("age", json!(20));
        let found = contract.screen(row.as_object().unwrap()).unwrap_err();
        assert_eq!(found[0].code, Code::ContractRange);
    }

    #[test]
    fn fields_by_pattern_pass_and_others_do_not() {
        let schema = json!({
            "properties": {"a": {"type": ["integer", "string"]}},
            "patternProperties": {"^v": {"type": "number"}},
            "additionalProperties": false,
        });
        let spec = InputSpec {
            missing: MissingPolicy::Allow,
            ..strict()
        };
        let contract = Contract::compile(Some(&schema), &spec).unwrap();
        let passes = |row: Value| contract.screen(row.as_object().unwrap()).is_ok();
        assert!(passes(json!({"a": "x", "v1": 1})) && passes(json!({"a": null})));
        assert!(!passes(json!({"v1": "x"})) && !passes(json!({"w": 1})));
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_value_is_quoted() {
        let row = json!({
            "age": "hunter2", "income": -4711, "country": "hunter2", "zip": "hunter2", "x": "hunter2"
        });
        let contract = Contract::compile(Some(&loan()), &strict()).unwrap();
        let found = contract.screen(row.as_object().unwrap()).unwrap_err();
        assert_eq!(found.len(), 6, "{found:#?}");
        let told = serde_json::to_string(&found).unwrap();
        assert!(
            !told.contains("hunter2") && !told.contains("4711"),
            "{told}"
        );
        let many: Map<_, _> = (0..100).map(|n| (format!("x{n}"), json!(n))).collect();
        assert_eq!(contract.screen(&many).unwrap_err().len(), VIOLATIONS_MAX);
    }

    #[test]
    fn rules_across_fields_hold_over_the_screened_row() {
        let mut spec = strict();
        spec.rules.insert(
            "plausible".into(),
            "!inputs.owner || inputs.age * 2 >= 50".into(),
        );
        assert!(screened(&spec, good()).is_ok());
        assert_eq!(
            refused(&spec, but("age", json!(24))),
            one(Code::ContractRule, "")
        );
        // A value of the wrong type is told once, not again by every rule that reads it.
        assert_eq!(
            refused(&spec, but("age", json!("x"))),
            one(Code::ContractType, "age")
        );
        spec.rules.insert("rich".into(), "inputs.income > 1".into());
        assert_eq!(
            refused(&spec, but("income", Value::Null)),
            one(Code::ContractRule, "")
        );
        spec.missing = MissingPolicy::Unsure;
        assert_eq!(screened(&spec, without("income")).unwrap().doubts.len(), 2);
    }

    #[test]
    fn the_columns_are_known_to_those_who_build_tensors() {
        let contract = Contract::compile(Some(&loan()), &strict()).unwrap();
        let columns: Vec<_> = contract
            .columns()
            .iter()
            .map(|column| (column.name.as_str(), column.kind.as_str(), column.nullable))
            .collect();
        let expected = [
            ("age", "integer", false),
            ("income", "number", true),
            ("country", "string", false),
            ("owner", "boolean", false),
            ("zip", "string", true),
        ];
        assert_eq!(columns, expected);
        assert!(contract.is_category("country", "DE") && !contract.is_category("zip", "DE"));
    }

    #[test]
    fn everything_that_makes_a_contract_unusable_is_told_at_once() {
        let mut spec = strict();
        let column = |impute: Value| ColumnSpec {
            impute: Some(impute),
            ..ColumnSpec::default()
        };
        spec.columns.insert("age".into(), column(json!(7)));
        spec.columns.insert("country".into(), column(json!("IT")));
        spec.columns.insert("incme".into(), ColumnSpec::default());
        let missing = Some(MissingPolicy::Impute);
        spec.columns.insert(
            "income".into(),
            ColumnSpec {
                missing,
                ..ColumnSpec::default()
            },
        );
        spec.rules.insert("typo".into(), "inputs.agee > 1".into());
        let problems = Contract::compile(Some(&loan()), &spec).unwrap_err();
        let paths: Vec<_> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        let expected = [
            "columns.incme",
            "columns.age.impute",
            "columns.income.impute",
            "columns.country.impute",
            "rules.typo",
        ];
        assert_eq!(paths, expected, "{problems:#?}");
        assert!(problems[0].message.contains("did you mean `income`?"));
    }

    #[test]
    fn schemas_that_cannot_be_used_say_why() {
        for schema in [
            json!([1]),
            json!({"type": "objekt"}),
            json!({"properties": {"a": {"pattern": "("}}}),
            json!({"properties": {"a": {"pattern": "(?=x)y"}}}),
            json!({"properties": {"a": {"format": "postcode"}}}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
        ] {
            let problems = Contract::compile(Some(&schema), &strict()).unwrap_err();
            assert!(!problems[0].message.is_empty(), "{schema}");
        }
    }

    #[test]
    fn a_schema_that_is_not_of_a_flat_row_is_left_to_json_schema() {
        let schema = json!({
            "type": "object", "required": ["messages"], "additionalProperties": false,
            "properties": {"messages": {"type": "array", "minItems": 1, "items": {
                "type": "object", "properties": {"role": {"enum": ["user", "system"]}}}}},
        });
        let contract = Contract::compile(Some(&schema), &strict()).unwrap();
        assert!(!contract.is_row() && contract.columns().is_empty());
        let body = json!({"messages": [{"role": "user"}]});
        assert!(contract.screen(body.as_object().unwrap()).is_ok());
        let body = json!({"messages": [{"role": "hunter2"}], "x": 1});
        let mut found = contract.screen(body.as_object().unwrap()).unwrap_err();
        found.sort_by(|a, b| b.field.cmp(&a.field));
        assert_eq!(found[0].field, "/messages/0/role");
        let codes: Vec<_> = found.iter().map(|one| one.code).collect();
        assert_eq!(codes, [Code::ContractCategory, Code::ContractUnknownField]);
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_schema_anything_passes_but_the_rules() {
        let mut spec = strict();
        spec.rules.insert("some".into(), "size(inputs) > 0".into());
        let contract = Contract::compile(None, &spec).unwrap();
        assert!(
            contract
                .screen(json!({"x": [1]}).as_object().unwrap())
                .is_ok()
        );
        assert!(contract.screen(&Map::new()).is_err());
    }

    #[test]
    fn references_within_the_schema_are_followed() {
        let schema = json!({
            "$defs": {"share": {"type": "number", "minimum": 0, "maximum": 1}},
            "properties": {"a": {"$ref": "#/$defs/share"}},
        });
        let contract = Contract::compile(Some(&schema), &strict()).unwrap();
        assert_eq!(contract.columns()[0].kind, ColumnType::Number);
        let found = contract
            .screen(json!({"a": 2}).as_object().unwrap())
            .unwrap_err();
        assert_eq!(found[0].code, Code::ContractRange);
    }

    #[test]
    fn an_output_schema_gives_the_code_that_it_is_asked_for() {
        let schema = json!({"type": "object", "required": ["decision"]});
        let contract = JsonContract::compile(&schema).unwrap();
        assert!(
            contract
                .check(&json!({"decision": 1}), Code::OutputSchema)
                .is_ok()
        );
        let found = contract.check(&json!({}), Code::OutputSchema).unwrap_err();
        assert_eq!(
            (found[0].code, found[0].field.as_str()),
            (Code::OutputSchema, "decision")
        );
    }
}
