//! Contracts that are a JSON Schema and nothing else, checked by the `jsonschema` crate.
//!
//! Drafts up to 2020-12, formats enforced, no `$ref` that leaves the schema, regular expressions
//! that take linear time only.

use std::collections::HashSet;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use plimsoll_core::Code;
use serde_json::Value;

use super::{ContractProblem, VIOLATIONS_MAX, Violation};

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct JsonContract {
    validator: Validator,
}

impl JsonContract {
    /// Compiles a JSON Schema, 2020-12 unless its `$schema` says otherwise.
    ///
    /// # Errors
    /// If it is no JSON Schema, refers to anything outside itself, has a pattern with
    /// look-around or back-references, or a format that is not known.
    pub fn compile(schema: &Value) -> Result<Self, Vec<ContractProblem>> {
        let problem = |path: String, message: String| vec![ContractProblem { path, message }];
        if !schema.is_object() && !schema.is_boolean() {
            let message = "a JSON Schema is an object".to_owned();
            return Err(problem(String::new(), message));
        }
        let options = jsonschema::options()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex());
        let options = if schema.get("$schema").is_some() {
            options
        } else {
            options.with_draft(Draft::Draft202012)
        };
        match options.build(schema) {
            Ok(validator) => Ok(Self { validator }),
            Err(error) => Err(problem(error.instance_path().to_string(), told(&error))),
        }
    }

    /// Checks `value`; each violation gets `code`.
    ///
    /// # Errors
    /// With everything that is wrong with it, [`VIOLATIONS_MAX`] at most.
    pub fn check(&self, value: &Value, code: Code) -> Result<(), Vec<Violation>> {
        self.check_each(value, |_| code)
    }

    /// Checks `value`; each violation gets the code of the contract that fits its keyword.
    pub(super) fn check_input(&self, value: &Value) -> Result<(), Vec<Violation>> {
        self.check_each(value, contract_code)
    }

    fn check_each(
        &self,
        value: &Value,
        code: impl Fn(&Kind) -> Code,
    ) -> Result<(), Vec<Violation>> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let errors = self.validator.iter_errors(value).take(VIOLATIONS_MAX);
        let violations: Vec<_> = errors
            .map(|error| violation(&error, code(error.kind())))
            .collect();
        if violations.is_empty() {
            Ok(())
        } else {
            Err(violations)
        }
    }
}

/// Why a schema does not compile, without the crate's advice on its own settings.
fn told(error: &ValidationError<'_>) -> String {
    let whole = error.to_string();
    let advice = whole.find(". Adjust configuration").unwrap_or(whole.len());
    whole[..advice].to_owned()
}

fn violation(error: &ValidationError<'_>, code: Code) -> Violation {
    let mut field = error.instance_path().to_string();
    if let Kind::Required { property } = error.kind()
        && let Some(name) = property.as_str()
    {
        field = format!("{field}/{name}");
    }
    // The members of a flat object are called by their names.
    if field.starts_with('/') && !field[1..].contains(['/', '~']) {
        field.remove(0);
    }
    Violation {
        code,
        field,
        rule: error.kind().keyword().to_owned(),
        message: message(error.kind()),
    }
}

/// The code for a violation of an input's schema.
fn contract_code(kind: &Kind) -> Code {
    match kind {
        Kind::Required { .. } => Code::ContractMissing,
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            Code::ContractUnknownField
        }
        Kind::Type { .. } => Code::ContractType,
        Kind::Minimum { .. }
        | Kind::Maximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::ExclusiveMaximum { .. } => Code::ContractRange,
        Kind::Enum { .. } | Kind::Constant { .. } => Code::ContractCategory,
        _ => Code::ContractSchema,
    }
}

/// What is wrong, from the schema's facts alone: the crate's own messages quote the value.
fn message(kind: &Kind) -> String {
    match kind {
        Kind::Required { .. } => "a required value is missing".to_owned(),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "it has a member that the schema does not know".to_owned()
        }
        Kind::Type { kind } => format!("its type must be {}", type_words(kind)),
        Kind::Minimum { limit } => format!("it must be at least {limit}"),
        Kind::Maximum { limit } => format!("it must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("it must be above {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("it must be below {limit}"),
        Kind::MultipleOf { multiple_of } => format!("it must be a multiple of {multiple_of}"),
        Kind::Enum { options } => options.as_array().map_or_else(
            || "it is none of the known values".to_owned(),
            |options| super::screen::category_words(options),
        ),
        Kind::Constant { .. } => "it is not the one value that is allowed".to_owned(),
        Kind::Pattern { pattern } => format!("it must match the pattern `{pattern}`"),
        Kind::Format { format } => format!("it must have the format `{format}`"),
        Kind::MinLength { limit } => format!("it must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("it must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("it must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("it must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("it must have at least {limit} members"),
        Kind::MaxProperties { limit } => format!("it must have at most {limit} members"),
        Kind::UniqueItems => "its items must be different from one another".to_owned(),
        Kind::FalseSchema => "nothing may stand here".to_owned(),
        other => format!("it does not match `{}` of the schema", other.keyword()),
    }
}

fn type_words(kind: &jsonschema::error::TypeKind) -> String {
    use jsonschema::error::TypeKind;
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|one| one.to_string()).collect();
            names.join(" or ")
        }
    }
}

/// The keywords that only describe.
pub(super) fn annotations() -> HashSet<&'static str> {
    [
        "title",
        "description",
        "default",
        "examples",
        "$comment",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$schema",
        "$id",
    ]
    .into()
}
